"""The async exports of an output that has tasks: each is an async callback lift, whatever its lift is inside.

The host's call becomes a root task (`runtime/roots.wat`). A callback lift stays one. A sync lift of an async type runs
to its end and returns through `task.return` too, so that what its call left ready can run afterwards, in the same
engine task. Its flat results are taken apart as they are, without checks: the engine checks what it lifts.

Spec: CanonicalABI.md `canon_lift`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.memories import memory_of
from meldpy.adapter.places import Flat, Side
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.trampoline import checked_result
from meldpy.asm import I32, FuncBuilder, Local
from meldpy.cabi import Context
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import EmittedFunc, FuncSymbol, OuterAsyncFunc, OuterLift, OuterOptions
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import MemoryId
from meldpy.model.linked import Lift, LinkedGraph

_INLINE = 1 << 40


@final
class Roots:
    """Makes the outer lifts of async-typed exports."""

    def __init__(self, shop: Workshop, graph: LinkedGraph, machinery: Machinery, symbols: Symbols) -> None:
        self._shop = shop
        self._graph = graph
        self._machinery = machinery
        self._symbols = symbols
        self._shims: dict[Lift, EmittedFunc] = {}
        self._sites: dict[Lift, int] = {}

    def know(self, lift: Lift) -> None:
        """An exported lift: its way back must be known before built-ins are written."""
        machinery, functions = self._machinery, self._shop.functions
        callback = None if lift.options.callback is None else self._symbols.final(lift.options.callback)
        number = machinery.number(lift.id, lift.instance, callback)
        back = FuncBuilder(f"return of {self._label(lift)} to the host", self._back_type(lift))
        back.get(*back.params[1:])
        back.call(self._task_return(lift))
        self._sites[lift] = machinery.site(number, functions.add(back))
        self._shims[lift] = functions.reserve()
        machinery.roots("enter")

    def outer_lift(self, lift: Lift, realloc: FuncSymbol | None) -> OuterLift:
        """The outer definition; `realloc`: the guest's, as the outer component shall call it."""
        core_type = self._shop.abi.func(lift.type, Context.CALLBACK_LIFT, lift.options.memory64).core
        b = FuncBuilder(f"export of {self._label(lift)}", core_type)
        em = Emitter(self._shop, b)
        task, outside = b.local(I32), b.local(I32)
        b.i32(self._sites[lift])
        b.i32(self._shop.handles.table(lift.instance))
        b.call(self._machinery.tasks("begin-root"))
        b.tee(task)
        b.call(self._machinery.roots("enter"))
        b.set(outside)
        if lift.options.callback is None:
            self._run_sync(em, lift, task)
        else:
            packed = b.local(I32)
            with self._machinery.running(em, task, lift.instance, resumed=False):
                em.call_guarded(self._symbols.final(lift.core_func), b.params, (packed,))
            b.get(task, packed)
            b.call(self._machinery.tasks("returned"))
        b.get(task, outside)
        b.call(self._machinery.roots("leave"))
        self._shop.functions.define(self._shims[lift], b)
        self._shop.finish()
        encoding, memory = self._options(lift)
        callback = self._machinery.roots("callback")
        return OuterLift(lift.id, self._shims[lift], core_type, OuterOptions(encoding, memory, realloc, None, callback))

    # --- inside -----------------------------------------------------------------------------------------------
    def _label(self, lift: Lift) -> str:
        return self._shop.labels[lift.instance]

    def _options(self, lift: Lift) -> tuple[StringEncoding, MemoryId | None]:
        """What the outer lift and its `task.return` both say."""
        needs = self._shop.abi.needs(lift.type, Context.CALLBACK_LIFT)
        encoding = lift.options.string_encoding if needs.encoding else StringEncoding.UTF8
        return encoding, lift.options.memory if needs.memory else None

    def _back_type(self, lift: Lift) -> CoreFuncType:
        returned = self._shop.abi.returned(lift.type.result, lift.options.memory64).core
        return CoreFuncType((I32, *returned.params), ())

    def _task_return(self, lift: Lift) -> OuterAsyncFunc:
        returned = self._shop.abi.returned(lift.type.result, lift.options.memory64).core
        encoding, memory = self._options(lift)
        return self._machinery.engine(
            OuterAsyncFunc(BuiltinOp.TASK_RETURN, returned, lift.type.result, encoding, memory)
        )

    def _run_sync(self, em: Emitter, lift: Lift, task: Local) -> None:
        b, machinery = em.b, self._machinery
        options = lift.options
        flat = self._shop.abi.func(lift.type, Context.LIFT, options.memory64)
        results = tuple(b.local(core_type) for core_type in flat.core.results)
        with machinery.running(em, task, lift.instance, resumed=False):
            em.call_guarded(self._symbols.final(lift.core_func), b.params, results)

            # the result, as the engine takes it
            values = results
            returned = self._shop.abi.returned(lift.type.result, options.memory64)
            if flat.result is None and returned.params is not None:
                assert lift.type.result is not None
                assert options.memory is not None
                memory = memory_of(self._graph, options.memory)
                side = Side(lift.instance, options.string_encoding, memory, None)
                src = checked_result(em, lift.type.result, side, results[0])
                values = tuple(b.local(core_type) for core_type in returned.params)
                em.raw, em.inline_cost = True, _INLINE
                em.translate(lift.type.result, src, Flat(side, values))
                em.raw = False
            b.get(*values)
            b.call(self._task_return(lift))
            b.get(task)
            b.call(machinery.tasks("resolve"))
            if options.post_return is not None:
                em.set_may_leave(lift.instance, 0)
                em.call_guarded(self._symbols.final(options.post_return), results, ())
                em.set_may_leave(lift.instance, 1)
        b.get(task)
        b.call(machinery.tasks("exit"))
