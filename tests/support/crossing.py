"""One call site between two instances, for unit tests of adapters: a linked graph made by hand, guests in Python.

`Crossing` holds a function type and what both sides' canonical options say; `build` adapts and links it. The caller
is driven by `call` with Python values, the callee receives Python values and answers with one; both translate by
the independent model (`canonical_model`), each against its own memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest import mock

import wasmtime

from meldpy.adapter import adapt
from meldpy.analysis.blocking import classify
from meldpy.analysis.exits import Exits
from meldpy.binary.decode import decode_module
from meldpy.errors import Location
from meldpy.model.canon import StringEncoding
from meldpy.model.code import Adapted
from meldpy.model.core import CoreFuncType, CoreModule, Limits, MemoryType, NumType
from meldpy.model.extern import FuncType
from meldpy.model.facts import Facts, Live
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    FuncId,
    InstanceId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
)
from meldpy.model.linked import (
    CanonicalOptions,
    CoreInstance,
    Instance,
    Lift,
    LiftFunc,
    LinkedGraph,
    Lower,
    Module,
)
from meldpy.model.valtype import DefinedType, TupleType, ValType
from meldpy.runtime import sources
from tests.support.canonical_model import Heap, extent, flat
from tests.support.link_emitted import ENGINE, Guest, Linked, link, make_memory

I32, I64 = NumType.I32, NumType.I64
HERE = Location("test")
CALLER, CALLEE = CoreInstanceId(0), CoreInstanceId(1)
F, REALLOC, POST_RETURN = CoreFuncIndex(0), CoreFuncIndex(1), CoreFuncIndex(2)


@cache
def runtime_library() -> dict[str, CoreModule]:
    return {name: decode_module(wasmtime.wat2wasm(text), name) for name, text in sources().items()}


def memory_of(instance: CoreInstanceId) -> MemoryId:
    return MemoryId(instance, CoreMemoryIndex(0))


def func_of(instance: CoreInstanceId, index: CoreFuncIndex) -> FuncId:
    return FuncId(instance, index)


def facts(
    graph: LinkedGraph,
    may_throw: frozenset[FuncId] = frozenset(),
    may_leave: frozenset[FuncId] = frozenset(),
) -> Facts:
    """Everything is live, nothing forwards."""
    empty: frozenset[Any] = frozenset()
    live = Live(
        empty, empty, empty, empty, empty, empty, empty,
        frozenset(lift.id for lift in graph.lifts),
        frozenset(lower.id for lower in graph.lowers),
        frozenset(builtin.id for builtin in graph.builtins),
    )  # fmt: skip
    return Facts({}, {}, live, may_throw, may_leave, classify(graph, live, Exits([], {}, {}, None)))


def memory_module(limits: Limits) -> CoreModule:
    return CoreModule(memories=(MemoryType(limits),))


@dataclass
class GuestSide:
    """One side: its memory, its model of it, and a log of what was asked of it."""

    limits: Limits
    encoding: StringEncoding = StringEncoding.UTF8
    memory: wasmtime.Memory | None = None
    heap: Heap = field(default_factory=lambda: Heap(bytearray(), False))
    log: list[tuple[Any, ...]] = field(default_factory=list)
    realloc_result: Callable[[int, int, int, int], int] | None = None

    @property
    def wide(self) -> bool:
        return self.limits.is64

    def pull(self, store: wasmtime.Store) -> None:
        """The real memory's bytes into the model."""
        assert self.memory is not None
        self.heap.data[:] = self.memory.read(store)

    def push(self, store: wasmtime.Store) -> None:
        """The model's bytes into the real memory."""
        assert self.memory is not None
        self.memory.write(store, self.heap.data)

    def realloc(self, old: int, old_size: int, alignment: int, new_size: int) -> int:
        self.log.append(("realloc", old, old_size, alignment, new_size))
        if self.realloc_result is not None:
            return self.realloc_result(old, old_size, alignment, new_size)
        return self.heap.alloc(new_size, alignment)


def limits(wide: bool = False, pages: int = 1) -> Limits:
    return Limits(pages, pages, wide)


@contextmanager
def as_written() -> Iterator[None]:
    """What adapters say before short functions are put in place of their calls."""
    module = sys.modules["meldpy.adapter.adapt"]
    with mock.patch.object(module, "inline", lambda functions, *_: tuple(functions)):
        yield


@dataclass
class Crossing:
    """A call site and its guests; see the module's text."""

    params: list[ValType]
    result: ValType | None = None
    answer: Any = None
    caller: GuestSide = field(default_factory=lambda: GuestSide(limits()))
    callee: GuestSide = field(default_factory=lambda: GuestSide(limits()))
    post_return: bool = False
    may_throw: frozenset[FuncId] = frozenset()
    may_leave: frozenset[FuncId] = frozenset()
    received: list[Any] = field(default_factory=list)
    guests: dict[Any, Guest] = field(default_factory=dict)
    edit: Callable[[LinkedGraph], LinkedGraph] = lambda graph: graph
    on_call: Callable[[], None] = lambda: None

    # --- the graph --------------------------------------------------------------------------------------------
    def graph(self) -> LinkedGraph:
        type = FuncType(tuple((f"p{i}", t) for i, t in enumerate(self.params)), self.result)
        root = Instance(InstanceId(0), None, "root", None, HERE)
        caller = Instance(InstanceId(1), InstanceId(0), "caller", 0, HERE)
        callee = Instance(InstanceId(2), InstanceId(0), "callee", 1, HERE)

        def options(id: CoreInstanceId, side: GuestSide, post_return: bool) -> CanonicalOptions:
            return CanonicalOptions(
                side.encoding,
                memory_of(id),
                side.wide,
                func_of(id, REALLOC),
                func_of(id, POST_RETURN) if post_return else None,
            )

        callee_options = options(CALLEE, self.callee, self.post_return)
        lift = Lift(LiftId(0), InstanceId(2), func_of(CALLEE, F), type, callee_options, HERE)
        caller_options = options(CALLER, self.caller, False)
        lower = Lower(LowerId(0), InstanceId(1), LiftFunc(LiftId(0)), type, caller_options, HERE)
        return LinkedGraph(
            inputs=(),
            modules=tuple(
                Module(ModuleId(i), memory_module(side.limits), str(i), HERE)
                for i, side in enumerate((self.caller, self.callee))
            ),
            instances=(root, caller, callee),
            core_instances=(
                CoreInstance(CALLER, InstanceId(1), ModuleId(0), ()),
                CoreInstance(CALLEE, InstanceId(2), ModuleId(1), ()),
            ),
            resources=(),
            lifts=(lift,),
            lowers=(lower,),
            builtins=(),
            imports=(),
            import_funcs=(),
            exports=(),
        )

    def adapted(self) -> Adapted:
        graph = self.edit(self.graph())
        return adapt(graph, facts(graph, self.may_throw, self.may_leave), runtime_library())

    def build(self) -> Crossing:
        """Adapt and link; everything is ready to be called."""
        if not hasattr(self, "store"):
            self.store = wasmtime.Store(ENGINE)
        memories = {}
        for id, side in ((CALLER, self.caller), (CALLEE, self.callee)):
            side.memory = make_memory(self.store, side.limits)
            side.heap = Heap(bytearray(side.limits.min << 16), side.wide)
            memories[memory_of(id)] = (side.limits, side.memory)
        guests: dict[Any, Guest] = {
            func_of(CALLEE, F): Guest(self.core_type(), self.callee_function),
            func_of(CALLEE, POST_RETURN): Guest(CoreFuncType(self.core_type().results, ()), self.callee_post_return),
        }
        for id, side in ((CALLER, self.caller), (CALLEE, self.callee)):
            pointer = I64 if side.wide else I32
            guests[func_of(id, REALLOC)] = Guest(CoreFuncType((pointer,) * 4, (pointer,)), side.realloc)
        guests.update(self.guests)
        self.linked: Linked = link(self.store, self.adapted(), memories, guests)
        return self

    # --- the callee -------------------------------------------------------------------------------------------
    def core_type(self) -> CoreFuncType:
        wide = self.callee.wide
        pointer = I64 if wide else I32
        params = [x for t in self.params for x in flat(t, wide)]
        results = [] if self.result is None else flat(self.result, wide)
        if len(results) > 1:
            results = [pointer]
        return CoreFuncType(tuple(params) if len(params) <= 16 else (pointer,), tuple(results))

    def callee_function(self, *args: Any) -> Any:
        side = self.callee
        side.log.append(("call",))
        self.on_call()
        side.pull(self.store)
        if len([x for t in self.params for x in flat(t, side.wide)]) > 16:
            self.received = side.heap.load(DefinedType(TupleType(tuple(self.params))), args[0])
        else:
            values = list(args)
            self.received = [side.heap.lift(t, values) for t in self.params]
            assert not values
        if self.result is None:
            return None
        if len(flat(self.result, side.wide)) > 1:
            size, alignment = extent(self.result, side.wide)
            out: Any = side.heap.alloc(size, alignment)
            side.heap.store(self.result, self.answer, out)
        else:
            (out,) = side.heap.lower(self.result, self.answer)
        side.push(self.store)
        return out

    def callee_post_return(self, *args: Any) -> None:
        self.callee.log.append(("post-return", *args))

    # --- the caller -------------------------------------------------------------------------------------------
    def call(self, *values: Any) -> Any:
        """Call with Python values, as the caller; its answer as a Python value."""
        side = self.caller
        if len([x for t in self.params for x in flat(t, side.wide)]) > 16:
            tuple_type = DefinedType(TupleType(tuple(self.params)))
            args: list[Any] = [side.heap.alloc(*extent(tuple_type, side.wide))]
            side.heap.store(tuple_type, list(values), args[0])
        else:
            args = [x for t, v in zip(self.params, values, strict=True) for x in side.heap.lower(t, v)]
        out = 0
        if self.result is not None and len(flat(self.result, side.wide)) > 1:
            out = side.heap.alloc(*extent(self.result, side.wide))
            args.append(out)
        side.push(self.store)
        results = self.call_raw(*args)
        side.pull(self.store)
        if self.result is None:
            return None
        if out:
            return side.heap.load(self.result, out)
        return side.heap.lift(self.result, results)

    def call_raw(self, *args: Any) -> list[Any]:
        """Call with core values."""
        return self.linked.call(self.linked.adapted.lowers[LowerId(0)], *args)
