"""Runs flows on a component, each in a new store, and logs what the model logs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, final

from wasmtime import Engine, Store, StoreContext, WasmtimeError, wat2wasm
from wasmtime import component as wc

from meldpy.engine.config import plain_engine
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from tests.differential.trap_kinds import same_trap, trap_kind
from tests.support.core_output import beside, component_new
from tests.support.flows.flow import HOSTS_TYPE, Event, Flow, Held, HostCall, HostFunction, Step
from tests.support.flows.guests import wat
from tests.support.flows.topology import HOST, Func, Slot, Topology
from tests.support.kept import fuse_keeping, linked, with_code
from tests.support.shape import assert_fused_shape

TYPE = 7
"""Identifies the host's resource type to the engine."""


class Lost(Exception):
    """The host cannot do what the flow has it do: it was called once too often, or has other handles."""


@final
class Runner:
    """One component, compiled once. package: as it was given to `wat`."""

    def __init__(self, engine: Engine, binary: bytes, topology: Topology, package: str = "") -> None:
        self.engine = engine
        self.component = wc.Component(engine, binary)
        self.known = topology.known
        self.linker = wc.Linker(engine)
        with self.linker.root() as root:
            root.add_func("flush", lambda store, log: self.events.append(("log", log.encode())))
            if HOST in self.known:
                with root.add_instance(package + HOST) as host:
                    host.add_resource("t0", wc.ResourceType.host(TYPE), self._dtor)
                    for func in self.known[HOST].funcs:
                        host.add_func(func.name, self._function(func))
        self.indices = {
            (node.node.name, func.name): self._export_index(package + node.node.name, func.name)
            for node in self.known.values()
            if not node.is_host and not node.node.hidden
            for func in node.funcs
        }

    def _export_index(self, instance: str, name: str) -> wc.ExportIndex:
        parent = self.component.get_export_index(instance)
        assert parent is not None
        index = self.component.get_export_index(name, parent)
        assert index is not None
        return index

    def run(self, flow: Flow) -> list[Event]:
        """The events of a flow, in order."""
        self.events: list[Event] = []
        self.held: dict[int, wc.ResourceAny] = {}
        self.functions = iter(flow.functions)
        store = Store(self.engine)
        try:
            self.instance = self.linker.instantiate(store, self.component)
            self._root("load", store, flow.tape.decode())
            self._steps(store, flow.steps)
            self._root("flush-rest", store)
        except WasmtimeError as error:
            self.events.append(("trap", trap_kind(str(error))))
        except Lost as lost:
            self.events.append(("lost", *lost.args))
        return self.events

    def _root(self, name: str, store: Store, *args: str) -> None:
        func = self.instance.get_func(store, name)
        assert func is not None
        func(store, *args)

    # --- what the host does ---------------------------------------------------------------------------------------
    def _steps(self, store: Store | StoreContext, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, HostCall):
                self._call(store, step)
            else:
                self.held.pop(step.held.token).drop(store)

    def _call(self, store: Store | StoreContext, step: HostCall) -> None:
        func = self.instance.get_func(store, self.indices[step.node, step.func.name])
        assert func is not None
        args: list[object] = []
        for slot, each in zip(step.func.params, step.args, strict=True):
            handles = [self._handle(store, held, slot.own) for held in each]
            args.append(_to_engine(slot, handles))
        result = func(store, *args)
        if step.func.result is None:
            self.events.append(("returned",))
            return
        results = _from_engine(step.func.result, result)
        hosts = self.known[step.node].types[step.func.result.type] == HOSTS_TYPE
        self.events.append(("returned", *(_take(store, each) if hosts else "own" for each in results)))
        if len(results) != len(step.tokens):
            raise Lost(step.func.name)
        if not hosts:
            self.held.update(zip(step.tokens, results, strict=True))

    def _handle(self, store: Store | StoreContext, held: Held, own: bool) -> wc.ResourceAny:
        if held.type == HOSTS_TYPE:
            made = wc.ResourceHost.own if own else wc.ResourceHost.borrow
            return made(held.rep, TYPE).to_any(store)
        return self.held.pop(held.token) if own else self.held[held.token]

    # --- what the host is called for ------------------------------------------------------------------------------
    def _dtor(self, store: StoreContext, rep: int) -> None:
        self.events.append(("host's destructor", rep))

    def _function(self, func: Func) -> Any:
        def called(store: StoreContext, *args: Any) -> object:
            given = [_from_engine(slot, each) for slot, each in zip(func.params, args, strict=True)]
            reps = [[_take(store, each) for each in some] for some in given]
            self.events.append((HOST, func.name, reps))
            host: HostFunction | None = next(self.functions, None)
            if host is None:
                raise Lost(func.name)
            self._steps(store, host.steps)
            results = [wc.ResourceHost.own(rep, TYPE).to_any(store) for rep in host.results]
            if func.result is None:
                return None
            if not func.result.many and len(results) != 1:
                raise Lost(func.name)
            return _to_engine(func.result, results)

        return called


def _to_engine(slot: Slot, handles: list[wc.ResourceAny]) -> object:
    if slot.shape == "list":
        return handles
    return handles[0] if handles else None


def _from_engine(slot: Slot, value: Any) -> list[wc.ResourceAny]:
    if slot.shape == "list":
        return list(value)
    return [] if value is None else [value]


def _take(store: Store | StoreContext, handle: wc.ResourceAny) -> int:
    """The engine forgets the handle: an own one is the host's again, and its destructor does not run."""
    return handle.to_host(store).rep


@cache
def composed_of(topology: Topology) -> bytes:
    return bytes(wat2wasm(wat(topology)))


@cache
def fused_of(topology: Topology) -> bytes:
    fused = fuse([composed_of(topology)]).bytes
    assert_fused_shape(fused)
    return fused


@cache
def runners(topology: Topology) -> tuple[Runner, Runner]:
    """The composition and its fused form."""
    engine = plain_engine()
    return Runner(engine, composed_of(topology), topology), Runner(engine, fused_of(topology), topology)


PACKAGE = "test:flows/"
"""wit-parser panics over an interface of a plain name that uses another's types."""


@cache
def core_runner(topology: Topology, memory: str, with_async: bool) -> Runner:
    """The core output, made a component again. with_async: what is async is fused with it."""
    inputs = [bytes(wat2wasm(wat(topology, PACKAGE))), *([beside()] if with_async else [])]
    output = fuse(inputs, FuseOptions(core=True, memory=memory)).bytes
    return Runner(plain_engine(), component_new(output), topology, PACKAGE)


@cache
def mixed_runner(topology: Topology, kept: frozenset[int]) -> Runner:
    """The fused form in which some instances with code are kept: the nodes, by number, and the root, which is last."""
    item = FuseInput("flow", "flow", composed_of(topology))
    instances = with_code(linked([item], FuseOptions()))
    assert len(instances) == len(topology.nodes) + 1
    output, _ = fuse_keeping([item], FuseOptions(), lambda graph: [instances[number] for number in kept])
    return Runner(plain_engine(), output, topology)


def check(flow: Flow, kept: frozenset[int] = frozenset(), core: tuple[str, bool] | None = None) -> list[str]:
    """How the composition and the fused form differ from the model, and so from each other; empty if they do not.

    kept: what a third form keeps, see `mixed_runner`. core: of which kind a core output is, see `core_runner`.
    """
    found = []
    played = [*zip(runners(flow.topology), ("composed", "fused"), strict=True)]
    if kept:
        played.append((mixed_runner(flow.topology, kept), "mixed"))
    if core is not None:
        played.append((core_runner(flow.topology, *core), "core"))
    for runner, who in played:
        seen = runner.run(flow)
        if not _alike(seen, flow.events, engines_words=who != "fused" or flow.topology.uses_engines_table):
            at = next((i for i, (a, b) in enumerate(zip(seen, flow.events, strict=False)) if a != b), None)
            at = min(len(seen), len(flow.events)) if at is None else at
            found.append(f"{who}, event {at}: {seen[at : at + 2]}, expected {flow.events[at : at + 2]}")
    return found


def _alike(seen: list[Event], expected: list[Event], *, engines_words: bool) -> bool:
    if not engines_words or not expected or expected[-1][0] != "trap" or len(seen) != len(expected):
        return seen == expected
    return seen[:-1] == expected[:-1] and seen[-1][0] == "trap" and same_trap(str(seen[-1][1]), str(expected[-1][1]))
