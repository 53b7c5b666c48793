"""The async exports of an output that has tasks: each is an async callback lift, whatever its lift is inside.

The host's call becomes a root task (`runtime/roots.wat`). A callback lift stays one. A sync lift of an async type runs
to its end and returns through `task.return` too, so that what its call left ready can run afterwards, in the same
engine task. Two forms, as for other exports (`shims`):

- *thin*: no handles. The engine puts parameters into the guest's memory and takes the result from there. Flat results
  of a sync lift are taken apart as they are, without checks: the engine checks what it lifts.
- *full*: handles, or ends of streams and futures, must be translated. Parameters come, and the result goes, by way of
  the heap (`runtime/heap.wat`), which the engine's options name.

Spec: CanonicalABI.md `canon_lift`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.boundary import OuterEdge
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import Borrows, plan_lending
from meldpy.adapter.memories import memory_of
from meldpy.adapter.places import Addr, Flat, Place, Side
from meldpy.adapter.plan import CallSite, side_of
from meldpy.adapter.steps import move_all
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.machinery import SCOPE, Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.tasks.stacks import Below
from meldpy.adapter.trampoline import checked_result, translate_params
from meldpy.asm import I32, FuncBuilder, Local, Store
from meldpy.cabi import Context
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import EmittedFunc, FuncSymbol, OuterAsyncFunc, OuterLift, OuterOptions
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import MemoryId
from meldpy.model.linked import Lift, LinkedGraph
from meldpy.model.valtype import DefinedType, TupleType, ValType
from meldpy.records import replace

_INLINE = 1 << 40


@final
class Roots:
    """Makes the outer lifts of async-typed exports."""

    def __init__(
        self,
        shop: Workshop,
        graph: LinkedGraph,
        machinery: Machinery,
        outside: Outside,
        symbols: Symbols,
        edge: OuterEdge,
    ) -> None:
        self._shop = shop
        self._graph = graph
        self._machinery = machinery
        self._outside = outside
        self._symbols = symbols
        self._edge = edge
        self._shims: dict[Lift, EmittedFunc] = {}
        self._sites: dict[Lift, int] = {}

    def know(self, lift: Lift) -> None:
        """An exported lift: its way back must be known before built-ins are written."""
        machinery, functions = self._machinery, self._shop.functions
        callback = None if lift.options.callback is None else self._symbols.final(lift.options.callback)
        number = machinery.number(lift.id, lift.instance, callback)
        back = FuncBuilder(f"return of {self._label(lift)} to the host", self._back_type(lift))
        self._return(Emitter(self._shop, back), lift, back.params[1:])
        self._sites[lift] = machinery.site(number, functions.add(back))
        self._shims[lift] = functions.reserve()
        machinery.roots("enter")

    def outer_lift(self, lift: Lift, realloc: FuncSymbol | None) -> OuterLift:
        """The outer definition; `realloc`: the guest's, as the outer component shall call it."""
        full = self._is_full(lift)
        memory64 = lift.options.memory64 and not full
        core_type = self._shop.abi.func(lift.type, Context.CALLBACK_LIFT, memory64).core
        b = FuncBuilder(f"export of {self._label(lift)}", core_type)
        em = Emitter(self._shop, b)
        task, outside = b.local(I32), b.local(I32)
        b.i32(self._sites[lift])
        b.i32(self._shop.handles.table(lift.instance))
        b.call(self._machinery.tasks("begin-root"))
        b.tee(task)
        b.call(self._machinery.roots("enter"))
        b.set(outside)
        args = self._params(em, lift, task) if full else b.params
        if lift.options.callback is None:
            self._run_sync(em, lift, task, args)
        else:
            packed = b.local(I32)
            with self._machinery.running(em, task, lift.instance, Below.NOBODY, resumed=False):
                em.call_guarded(self._symbols.final(lift.core_func), args, (packed,))
            b.get(task, packed)
            b.call(self._machinery.tasks("returned"))
        b.get(task, outside)
        b.call(self._machinery.roots("leave"))
        self._shop.functions.define(self._shims[lift], b)
        self._shop.finish()
        encoding, memory = self._options(lift)
        if full:
            needs = self._shop.abi.needs(lift.type, Context.CALLBACK_LIFT)
            realloc = self._outside.side().realloc if needs.realloc else None
        callback = self._machinery.roots("callback")
        return OuterLift(lift.id, self._shims[lift], core_type, OuterOptions(encoding, memory, realloc, None, callback))

    # --- inside -----------------------------------------------------------------------------------------------
    def _label(self, lift: Lift) -> str:
        return self._shop.labels[lift.instance]

    def _options(self, lift: Lift) -> tuple[StringEncoding, MemoryId | None]:
        """What the outer lift and its `task.return` both say."""
        needs = self._shop.abi.needs(lift.type, Context.CALLBACK_LIFT)
        if self._is_full(lift):
            side = self._outside.side()
            return side.encoding, side.needs_memory().id if needs.memory else None
        encoding = lift.options.string_encoding if needs.encoding else StringEncoding.UTF8
        return encoding, lift.options.memory if needs.memory else None

    def _back_type(self, lift: Lift) -> CoreFuncType:
        returned = self._shop.abi.returned(lift.type.result, lift.options.memory64).core
        return CoreFuncType((I32, *returned.params), ())

    def _task_return(self, lift: Lift) -> OuterAsyncFunc:
        memory64 = lift.options.memory64 and not self._is_full(lift)
        returned = self._shop.abi.returned(lift.type.result, memory64).core
        encoding, memory = self._options(lift)
        return self._machinery.engine(
            OuterAsyncFunc(BuiltinOp.TASK_RETURN, returned, lift.type.result, encoding, memory)
        )

    def _is_full(self, lift: Lift) -> bool:
        return self._edge.shims.needed(lift.instance, lift.type, Context.CALLBACK_LIFT)

    def _guest(self, lift: Lift) -> Side:
        needs = self._shop.abi.needs(lift.type, Context.CALLBACK_LIFT)
        return side_of(self._graph, lift.instance, lift.options, needs, self._symbols)

    def _params(self, em: Emitter, lift: Lift, task: Local) -> tuple[Local, ...]:
        """The parameters of a full form, moved into the guest; what it borrows is its task's."""
        abi, outside, guest = self._shop.abi, self._outside.side(), self._guest(lift)
        params = tuple(param for _, param in lift.type.params)
        caller_flat = abi.func(lift.type, Context.CALLBACK_LIFT, False)
        spilled = caller_flat.params is None
        site = CallSite(
            name=em.b.name,
            caller=outside,
            callee=guest,
            caller_flat=caller_flat,
            callee_flat=abi.func(lift.type, Context.CALLBACK_LIFT, lift.options.memory64),
            params=params,
            params_tuple=DefinedType(TupleType(params)),
            result=lift.type.result,
            async_type=True,
            caller_async=False,
            callee_async=False,
            lending=plan_lending(abi, self._shop.handles, params, spilled, outside.instance, guest.instance),
            core_func=self._symbols.final(lift.core_func),
            post_return=None,
        )
        borrows = Borrows(em, site.lending)
        borrows.begin()
        if em.scope is not None:
            em.b.get(task, em.scope)
            em.b.store(Store.I32, self._machinery.memory, SCOPE)
        args = translate_params(em, site)
        if abi.needs(lift.type, Context.CALLBACK_LIFT).memory:
            em.b.call(self._outside.heap("tidy"))
        return args

    def _return(self, em: Emitter, lift: Lift, values: tuple[Local, ...]) -> None:
        """To the host, from what the guest's `task.return` was called with."""
        b, abi, result = em.b, self._shop.abi, lift.type.result
        if result is None or not self._is_full(lift):
            b.get(*values)
            b.call(self._task_return(lift))
            return
        guest = replace(self._guest(lift), realloc=None)
        src: Place = Flat(guest, values)
        if abi.returned(result, lift.options.memory64).params is None:
            src = checked_result(em, result, guest, values[0])
        self._hand_over(em, lift, result, src)

    def _hand_over(self, em: Emitter, lift: Lift, result: ValType, src: Place) -> None:
        """The result of a full form, from a place in the guest to the host."""
        b, abi, outside = em.b, self._shop.abi, self._outside.side()
        outer = abi.returned(result, False)
        if outer.params is None:
            area = b.local(I32)
            b.i32(em.layouts(outside).elem_size(result))
            b.call(self._outside.heap("block"))
            b.set(area)
            move_all(em, [(result, src, Addr(outside, area, 0))])
            b.get(area)
            b.call(self._task_return(lift))
            b.get(area)
            b.call(self._outside.heap("free"))
        else:
            flat = tuple(b.local(core_type) for core_type in outer.params)
            move_all(em, [(result, src, Flat(outside, flat))])
            b.get(*flat)
            b.call(self._task_return(lift))
        if abi.needs(lift.type, Context.CALLBACK_LIFT).memory:
            b.call(self._outside.heap("tidy"))

    def _run_sync(self, em: Emitter, lift: Lift, task: Local, args: tuple[Local, ...]) -> None:
        b, machinery = em.b, self._machinery
        options = lift.options
        flat = self._shop.abi.func(lift.type, Context.LIFT, options.memory64)
        results = tuple(b.local(core_type) for core_type in flat.core.results)
        with machinery.running(em, task, lift.instance, Below.NOBODY, resumed=False):
            em.call_guarded(self._symbols.final(lift.core_func), args, results)

            # the result, as the engine takes it
            values = results
            full = lift.type.result is not None and self._is_full(lift)
            returned = self._shop.abi.returned(lift.type.result, options.memory64)
            if full:
                assert lift.type.result is not None
                guest = replace(self._guest(lift), realloc=None)
                src: Place = Flat(guest, results)
                if flat.result is None:
                    src = checked_result(em, lift.type.result, guest, results[0])
                self._hand_over(em, lift, lift.type.result, src)
            elif flat.result is None and returned.params is not None:
                assert lift.type.result is not None
                assert options.memory is not None
                memory = memory_of(self._graph, options.memory)
                side = Side(lift.instance, options.string_encoding, memory, None)
                src = checked_result(em, lift.type.result, side, results[0])
                values = tuple(b.local(core_type) for core_type in returned.params)
                em.raw, em.inline_cost = True, _INLINE
                em.translate(lift.type.result, src, Flat(side, values))
                em.raw = False
            if not full:
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
