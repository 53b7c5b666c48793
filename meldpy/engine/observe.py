"""Runs a component through a list of calls and records what can be seen of it.

Per step: the result, or the kind of trap (`traps`); the host calls with arguments, in order; what was written to
stdout and stderr. Instantiation is a step of its own. A trap poisons a Store, so the calls after it run on a fresh
instance. How values look to the caller is a codec's affair: `wavecodec` has that of fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Protocol, TypeAlias, final

from wasmtime import Engine, ExitTrap, Store, StoreContext, WasmtimeError
from wasmtime import component as wc
from wasmtime.component import _types as wasmtime_types

from meldpy.engine import calls
from meldpy.engine.calls import StillRunning
from meldpy.engine.capture import WasiInput, WasiOutput, set_wasi
from meldpy.engine.prepare import Prepared, prepare
from meldpy.engine.traps import trap_kind
from meldpy.engine.worldtext import is_async, world
from meldpy.errors import EngineError, UsageError
from meldpy.records import dataclass, field

STILL_RUNNING = "still running"
"""The kind of trap that stands for a call that was given up: its tasks yield for ever."""

INSTANTIATE = "(instantiate)"
"""The label of the step that starts an instance."""


class Codec(Protocol):
    """The caller's form of component values, to and from the engine's, under `tagged_variants`."""

    def to_host(self, ty: wc.ValType, value: object) -> object: ...

    def from_host(self, ty: wc.ValType, value: object) -> object: ...

    def fresh(self) -> None:
        """A new instance begins: what was kept of the last one (handles) is gone."""

    def kept(self, name: object) -> wc.ResourceAny:
        """The handle that was given out under `name`, which the host gives up now."""


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One call from the host. func: "interface#function" or a root function's name; DROP takes a handle.

    wasi: if given, the call starts a fresh instance with this input, as a command wants it.
    """

    func: str
    args: Sequence[object] = ()
    wasi: WasiInput | None = None


EngineHandle: TypeAlias = Engine
"""An engine, for those who pass it on and do not know more of it."""

DROP = "(drop)"
"""The `func` of a call with which the host drops the handle that is its one argument."""


@final
class Guest:
    """The running instance as a host function sees it: it may call back in."""

    def __init__(self, store: Store | StoreContext, instance: wc.Instance, codec: Codec) -> None:
        self._store = store
        self._instance = instance
        self._codec = codec

    def call(self, func: str, args: Sequence[object]) -> object | None:
        """Calls an export; the result in the caller's form. Raises WasmtimeError for a trap."""
        if func == DROP:
            self._codec.kept(*args).drop(self._store)
            return None
        target = self._find(func)
        ty = target.type(self._store)
        if len(args) != len(ty.params):
            raise UsageError(
                f"{func} takes {len(ty.params)} arguments, not {len(args)}",
                remedy="`meld inspect` shows its parameters",
            )
        given = [self._codec.to_host(param, arg) for (_, param), arg in zip(ty.params, args, strict=True)]
        result = calls.call(target, self._store, given)
        return None if ty.result is None else self._codec.from_host(ty.result, result)

    def type(self, func: str) -> wc.FuncType:
        """The type of an exported function, with the resource types of this instance."""
        return self._find(func).type(self._store)

    def _find(self, func: str) -> wc.Func:
        """The exported function. Raises UsageError."""
        interface, _, name = func.rpartition("#")
        parent = self._instance.get_export_index(self._store, interface) if interface else None
        index = self._instance.get_export_index(self._store, name, parent) if parent or not interface else None
        target = None if index is None else self._instance.get_func(self._store, index)
        if target is None:
            raise UsageError(
                f"the component exports no function {func}",
                remedy="`meld inspect` shows what it exports; in an interface it is INTERFACE#FUNCTION",
            )
        return target


HostFunction: TypeAlias = "Callable[[Guest | None, list[object]], object | None]"
"""A host function: the guest to call back (None during instantiation), arguments; a result. In the caller's form."""

Host: TypeAlias = "Mapping[str, HostFunction]"
"""By name: "interface#function", or a root import's name."""


@final
@dataclass(frozen=True, slots=True)
class Trap:
    """A guest's failure. kind: see `traps`; message: as the engine gave it."""

    kind: str
    message: str


@final
@dataclass(frozen=True, slots=True)
class Exit:
    """The guest ended its process."""

    code: int


@final
@dataclass(frozen=True, slots=True)
class Returned:
    value: object | None


Outcome: TypeAlias = "Returned | Trap | Exit"


@final
@dataclass(frozen=True, slots=True)
class Step:
    """What one call, or the instantiation, did. seconds: how long it took, which is no part of what it did."""

    label: str
    outcome: Outcome
    host_calls: list[tuple[str, list[object]]]
    stdout: bytes
    stderr: bytes
    seconds: float = field(default=0.0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Observed:
    """All that a component was seen doing, and its type."""

    steps: list[Step]
    world: dict[str, str]


@contextmanager
def tagged_variants() -> Iterator[None]:
    """The engine's binding gives and takes every variant, option and result as a `Variant` meanwhile.

    Otherwise it leaves them untagged where it thinks that Python's types tell the cases apart, and then mistakes a
    bool for an integer.
    """
    owner, rule = wasmtime_types.VariantLikeType, "_tagged"
    before = getattr(owner, rule)
    setattr(owner, rule, lambda self: True)
    try:
        yield
    finally:
        setattr(owner, rule, before)


def observe(
    binary: bytes, calls: Sequence[Call], codec: Codec, *, host: Host | None = None, engine: Engine | None = None
) -> Observed:
    """Runs `binary` through `calls`. An instantiation that traps ends the run: the rest could not start either.

    Without an `engine` it is one with the defaults or, if that does not take the component, one with all features.
    Raises EngineError if the component does not compile, or imports what neither WASI nor `host` has.
    """
    return play(prepare(binary, engine), calls, codec, host=host)


def play(prepared: Prepared, calls: Sequence[Call], codec: Codec, *, host: Host | None = None) -> Observed:
    """The same for a component that is compiled already."""
    with session(prepared, codec, host) as run:
        return Observed(list(_steps(run, calls)), world(prepared.engine, prepared.component))


@contextmanager
def session(prepared: Prepared, codec: Codec, host: Host | None = None) -> Iterator[Session]:
    """A run for those who choose each call when they have seen the last one."""
    with TemporaryDirectory(prefix="guest-") as directory, tagged_variants(), prepared.counting():
        run = Session(prepared, codec, {} if host is None else host, Path(directory))
        try:
            yield run
        finally:
            run.end()


def _steps(run: Session, calls: Sequence[Call]) -> Iterator[Step]:
    for number, call in enumerate(calls):
        if run.instance is None or call.wasi is not None:
            yield run.step(INSTANTIATE, partial(run.start, call.wasi if call.wasi is not None else WasiInput()))
            if run.instance is None:
                return
        yield run.step(f"call {number}, {call.func}", partial(run.call, call))


@final
@dataclass(slots=True)
class Session:
    """One component under observation, and the instance that is alive now."""

    prepared: Prepared
    codec: Codec
    host: Host
    directory: Path
    host_calls: list[tuple[str, list[object]]] = field(default_factory=list)
    store: Store | None = None
    instance: wc.Instance | None = None
    output: WasiOutput | None = None

    def step(self, label: str, action: Callable[[], object | None]) -> Step:
        outcome: Outcome
        began = perf_counter()
        try:
            outcome = Returned(action())
        except ExitTrap as exit:
            outcome = Exit(exit.code)
        except WasmtimeError as error:
            outcome = Trap(trap_kind(str(error)), str(error))
        except StillRunning as error:
            outcome = Trap(STILL_RUNNING, str(error))
        took = perf_counter() - began
        if not isinstance(outcome, Returned):
            self.end()  # and with the store what it has not written yet
        assert self.output is not None, "the first step starts the instance"
        stdout, stderr = self.output.take()
        calls = list(self.host_calls)
        self.host_calls.clear()
        return Step(label, outcome, calls, stdout, stderr, took)

    def end(self) -> None:
        """Gives up the live instance. The engine keeps host functions as long as their store, and they keep this: no
        garbage collector sees that circle.
        """
        self.instance = self.store = None

    def start(self, wasi: WasiInput) -> None:
        """Replaces the live instance by a fresh one."""
        self.store = Store(self.prepared.engine)
        self.prepared.begin(self.store)
        self.output = set_wasi(self.store, wasi, self.directory)
        self.instance = None
        self.codec.fresh()
        self.instance = self._linker().instantiate(self.store, self.prepared.component)

    def call(self, call: Call) -> object | None:
        assert self.store is not None
        self.prepared.begin(self.store)
        return self.guest.call(call.func, call.args)

    @property
    def guest(self) -> Guest:
        """The live instance."""
        assert self.store is not None
        assert self.instance is not None
        return Guest(self.store, self.instance, self.codec)

    def _linker(self) -> wc.Linker:
        engine = self.prepared.engine
        linker = wc.Linker(engine)
        imports = self.prepared.component.type.imports(engine)
        if any(name.partition(":")[0] == "wasi" for name in imports):
            linker.add_wasip2()
        with linker.root() as root:
            for name, extern in imports.items():
                item = extern.ty
                if isinstance(item, wc.FuncType):
                    root.add_func(name, self._host_function(name, item))
                elif isinstance(item, wc.ComponentInstanceType) and name.partition(":")[0] != "wasi":
                    with root.add_instance(name) as instance:
                        for inner, inner_extern in item.exports(engine).items():
                            inner_item = inner_extern.ty
                            if isinstance(inner_item, wc.FuncType):
                                instance.add_func(inner, self._host_function(f"{name}#{inner}", inner_item))
        return linker

    def _host_function(self, name: str, ty: wc.FuncType) -> Callable[..., object]:
        if name not in self.host:
            raise EngineError(
                f"the component imports {name}, and nothing provides it",
                remedy="say in [[host]] of the scenario what it returns",
            )
        if is_async(ty):
            raise EngineError(
                f"the embedded engine's binding has no host functions of async type, as {name} is",
                remedy="let another component provide it",
            )
        function = self.host[name]
        params = [param for _, param in ty.params]
        result_type = ty.result

        def called(store: StoreContext, *given: object) -> object:
            args = [self.codec.from_host(param, arg) for param, arg in zip(params, given, strict=True)]
            self.host_calls.append((name, args))
            guest = None if self.instance is None else Guest(store, self.instance, self.codec)
            result = function(guest, args)
            return None if result_type is None or result is None else self.codec.to_host(result_type, result)

        return called
