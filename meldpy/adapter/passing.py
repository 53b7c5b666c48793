"""Async that passes through: every built-in of the one instance that has them stays the engine's.

Its lifts and lowers do too, with the options that it gave (`boundary`). What is left to do here is to name the core
imports, and to keep functions of the instance that fused code calls from its context slots: a call from another
instance, and a call of its allocator, find zeros there and leave what was there. See `analysis/passing` for when all
this is exact.

Spec: CanonicalABI.md `canon_context_get`, `LiftLowerContext.reallocate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from meldpy.errors import InternalError, UnsupportedError
from meldpy.model.builtins import ContextSlot, Copy, EventPlace, TaskReturn, TextOptions
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import FuncSymbol, OuterAsyncFunc
from meldpy.model.core import CoreFuncType, FuncImportType
from meldpy.model.facts import Facts
from meldpy.model.ids import BuiltinId, FuncId, InstanceId, MemoryId
from meldpy.model.linked import AsyncBuiltin, BuiltinFunc, CanonicalOptions, LinkedGraph

if TYPE_CHECKING:
    from meldpy.adapter.boundary import OuterEdge
    from meldpy.adapter.emitter import Emitter
    from meldpy.adapter.symbols import Symbols

NOT_LEAVING = frozenset(
    {BuiltinOp.CONTEXT_GET, BuiltinOp.CONTEXT_SET, BuiltinOp.BACKPRESSURE_INC, BuiltinOp.BACKPRESSURE_DEC}
)
"""Built-ins that an instance may use even where it may not call out."""


@final
class Passing:
    """One for an adapt run in which the async of `instance` passes through."""

    def __init__(
        self, graph: LinkedGraph, facts: Facts, symbols: Symbols, edge: OuterEdge, instance: InstanceId
    ) -> None:
        self.instance = instance
        self._edge = edge
        self._symbols = symbols
        self._types = _core_types(graph)
        self.outer: dict[OuterAsyncFunc, None] = {}
        slots: dict[ContextSlot, None] = {}
        for builtin in graph.builtins:
            if (
                isinstance(builtin, AsyncBuiltin)
                and builtin.id in facts.live.builtins
                and isinstance(builtin.immediates, ContextSlot)
            ):
                slots[builtin.immediates] = None
        self._slots = [(_context(BuiltinOp.CONTEXT_GET, slot), _context(BuiltinOp.CONTEXT_SET, slot)) for slot in slots]

    # --- built-ins --------------------------------------------------------------------------------------------
    def symbol(self, builtin: AsyncBuiltin) -> FuncSymbol:
        """What calls of a built-in call: the engine's, behind a check of may_leave where that can be clear."""
        outer = self._outer(builtin)
        self.outer[outer] = None
        if builtin.op in NOT_LEAVING:
            return outer
        return self._edge.leaving(builtin.op.value[1], outer, outer.core_type, builtin.instance)

    def _outer(self, builtin: AsyncBuiltin) -> OuterAsyncFunc:
        memory: MemoryId | None = None
        realloc: FuncSymbol | None = None
        match builtin.immediates:
            case TaskReturn(options=options) | Copy(options=options) | TextOptions(options=options):
                memory, realloc = options.memory, self._allocator(builtin, options)
            case EventPlace(memory=place):
                memory = place
            case _:
                pass
        return OuterAsyncFunc(
            builtin.op, self._types[builtin.id], memory=memory, immediates=builtin.immediates, realloc=realloc
        )

    def _allocator(self, builtin: AsyncBuiltin, options: CanonicalOptions) -> FuncSymbol | None:
        if options.realloc is None:
            return None
        realloc = self._symbols.target(options.realloc)
        if not isinstance(realloc, FuncId):
            raise UnsupportedError("async", "the allocator of a built-in is no function of a guest", builtin.location)
        return self._edge.realloc(realloc, self.instance, options.memory64)

    def is_plain(self, instance: InstanceId) -> bool:
        """Whether a call into `instance` leaves no trace by itself."""
        return instance != self.instance or not self._slots

    # --- calls of the instance's functions ----------------------------------------------------------------------
    @contextmanager
    def sync_call(self, em: Emitter, instance: InstanceId) -> Iterator[None]:
        """The block calls into `instance` for a task that was not there before."""
        slots = self._slots if instance == self.instance else []
        saved = []
        for get, set_ in slots:
            self.outer.update({get: None, set_: None})
            (type_,) = get.core_type.results
            local = em.b.local(type_)
            em.b.call(get)
            em.b.set(local)
            em.b.const(type_, 0)
            em.b.call(set_)
            saved.append((set_, local))
        yield
        for set_, local in saved:
            em.b.get(local)
            em.b.call(set_)
            em.b.free(local)


def _context(op: BuiltinOp, slot: ContextSlot) -> OuterAsyncFunc:
    type_ = CoreFuncType((), (slot.type,)) if op is BuiltinOp.CONTEXT_GET else CoreFuncType((slot.type,), ())
    return OuterAsyncFunc(op, type_, immediates=slot)


def _core_types(graph: LinkedGraph) -> dict[BuiltinId, CoreFuncType]:
    """The core type of each built-in that is given to a core instance: what its import says."""
    found: dict[BuiltinId, CoreFuncType] = {}
    for core_instance in graph.core_instances:
        module = graph.modules[core_instance.module].module
        types = [member for group in module.types for member in group.types]
        for declared, item in zip(module.imports, core_instance.args, strict=True):
            if isinstance(item, BuiltinFunc) and isinstance(declared.type, FuncImportType):
                comp = types[declared.type.type].comp
                if not isinstance(comp, CoreFuncType):
                    raise InternalError("a built-in is imported with a type that is no function's")
                found.setdefault(item.builtin, comp)
    return found
