"""Boundary shims: adapters between a fused instance with a table of ours and the outer component.

A shim is needed where a function that the host calls, or calls back, has handles in its type. There are two forms:

- *thin*: every handle is a parameter of its own or the flat result. Only those locals are translated. All else passes
  through untouched: the outer canonical options name the guest's own memory and realloc, as they do without a shim.
- *full*: handles lie inside other values, so those values must be moved by `translate`, between the guest's memory and
  the boundary memory (`runtime/boundary.wat`), which the outer canonical options name in place of the guest's. Guest
  memory is never patched, and the guest's realloc is called as for a utf8 source.

Here are the bodies of the shims; flags of the host's entries are added by `boundary`, as for functions without a shim.

Spec: CanonicalABI.md `canon_lift`, `canon_lower`, with the outer component as one more instance. Design section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import Borrows, plan_lending
from meldpy.adapter.places import Addr, Flat, Place, Side
from meldpy.adapter.plan import CallSite, side_of
from meldpy.adapter.steps import allocate
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.trampoline import checked_result, result_to_caller, translate_params
from meldpy.adapter.translate.handles import translate_flat_borrow
from meldpy.asm import I32, FuncBuilder, Local, Op
from meldpy.cabi import Content, Context, FlatFunc, Needs, value_types
from meldpy.model.canon import StringEncoding
from meldpy.model.code import EmittedFunc, FuncSymbol, OuterOptions
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.extern import FuncType
from meldpy.model.ids import InstanceId
from meldpy.model.linked import CanonicalOptions, Lift, LinkedGraph, Lower
from meldpy.model.valtype import BorrowType, DefinedType, OwnType, TupleType, ValType

_TO_I64: dict[NumType, tuple[Op, ...]] = {
    NumType.I32: (Op.I64_EXTEND_I32_U,),
    NumType.I64: (),
    NumType.F32: (Op.I32_REINTERPRET_F32, Op.I64_EXTEND_I32_U),
    NumType.F64: (Op.I64_REINTERPRET_F64,),
}
_FROM_I64: dict[NumType, tuple[Op, ...]] = {
    NumType.I32: (Op.I32_WRAP_I64,),
    NumType.I64: (),
    NumType.F32: (Op.I32_WRAP_I64, Op.F32_REINTERPRET_I32),
    NumType.F64: (Op.F64_REINTERPRET_I64,),
}


@final
@dataclass(frozen=True, slots=True)
class OuterForm:
    """How the outer component sees a function that has a full shim. frames: its post-return is ours."""

    core_type: CoreFuncType
    options: OuterOptions
    frames: bool


@final
class Shims:
    """Decides which form a function needs, and writes it."""

    def __init__(self, shop: Workshop, graph: LinkedGraph, symbols: Symbols) -> None:
        self._shop = shop
        self._graph = graph
        self._symbols = symbols

    # --- decisions --------------------------------------------------------------------------------------------
    def needed(self, instance: InstanceId, type: FuncType) -> bool:
        """Whether handles in a function's type must be translated. Borrows of what the instance itself defines arrive
        as reps, with a shim or without: such a function is exported, since no import names that resource type."""
        handles, contents = self._shop.handles, self._shop.abi.contents
        if not handles.has_table(instance):
            return False
        lent = contents.resources(value_types(type), Content.BORROW)
        return bool(contents.of(value_types(type)) & Content.OWN) or any(handles.definer(id) != instance for id in lent)

    def full_lift(self, lift: Lift) -> OuterForm | None:
        """The outer form of an exported function; None: the guest's own, with a thin shim or none."""
        if not self.needed(lift.instance, lift.type):
            return None
        # a post-return wants the guest's own handle back
        own_result = self._has_handles(lift.type.result)
        if self._top_level_only(lift.type) and not (own_result and lift.options.post_return is not None):
            return None
        flat, form = self._outer(lift.type, Context.LIFT)
        return replace(form, frames=flat.result is None or lift.options.post_return is not None)

    def full_lower(self, lower: Lower) -> OuterForm | None:
        """The same for an imported function."""
        if not self.needed(lower.instance, lower.type) or self._top_level_only(lower.type):
            return None
        return self._outer(lower.type, Context.LOWER)[1]

    # --- exported functions -----------------------------------------------------------------------------------
    def export(self, lift: Lift) -> EmittedFunc:
        """What the host calls in place of the lifted core function."""
        form = self.full_lift(lift)
        site = self._export_site(lift, thin=form is None)
        b = FuncBuilder(site.name, site.caller_flat.core)
        em = Emitter(self._shop, b)
        if form is None:
            self._thin_export(em, site)
        else:
            self._full_export(em, site, form)
        symbol = self._shop.functions.add(b)
        self._shop.finish()
        return symbol

    def post_return(self, lift: Lift, form: OuterForm, guests: FuncSymbol | None) -> EmittedFunc:
        """The post-return of a full shim: the results leave the boundary memory, then the guest's own runs."""
        results = self._shop.abi.func(lift.type, Context.LIFT, lift.options.memory64).core.results
        b = FuncBuilder(f"post-return to {self._label(lift.instance)}", CoreFuncType(form.core_type.results, ()))
        b.call(self._shop.handles.boundary("unframe"))
        if guests is None or not results:
            b.drop()
        else:
            (result,) = results
            assert isinstance(result, NumType)
            b.op(*_FROM_I64[result])
        if guests is not None:
            b.call(guests)
        return self._shop.functions.add(b)

    # --- imported functions -----------------------------------------------------------------------------------
    def import_(self, symbol: EmittedFunc, lower: Lower, host: FuncSymbol) -> None:
        """Write what the guest calls in place of `host`."""
        thin = self.full_lower(lower) is None
        site = self._import_site(lower, host, thin)
        b = FuncBuilder(site.name, site.caller_flat.core)
        em = Emitter(self._shop, b)
        em.check_may_leave(lower.instance)
        if thin:
            self._thin_import(em, site)
        else:
            self._full_import(em, site)
        self._shop.functions.define(symbol, b)
        self._shop.finish()

    # --- bodies -----------------------------------------------------------------------------------------------
    def _thin_export(self, em: Emitter, site: CallSite) -> None:
        borrows = Borrows(em, site.lending)
        borrows.begin()
        args = self._thin_params(em, site)
        results = self._call(em, site, args)
        results = self._thin_result(em, site, results)
        borrows.returned()
        borrows.end()
        em.b.get(*results)

    def _full_export(self, em: Emitter, site: CallSite, form: OuterForm) -> None:
        b, handles = em.b, self._shop.handles
        borrows = Borrows(em, site.lending)
        mark = b.local(I32)
        b.call(handles.boundary("base"))
        b.set(mark)

        # move the parameters into the guest; what they lend stays in the boundary memory until the end
        borrows.begin()
        args = translate_params(em, site)
        kept_end: Local | None = None
        if site.lending.deep:
            kept_end = b.local(I32)
            b.call(handles.boundary("top"))
            b.set(kept_end)
            b.call(handles.boundary("hold"))
        else:
            b.get(mark)
            b.call(handles.boundary("reset"))

        # call it, and move the result into the boundary memory
        results = self._call(em, site, args)
        outer_results: tuple[Local, ...] = ()
        if site.result is not None:
            src: Place = Flat(site.callee, results)
            if site.callee_flat.result is None:
                src = checked_result(em, site.result, site.callee, results[0])
            if site.caller_flat.result is None:
                area = b.local(I32)
                allocate(em, site.caller, site.result, area)
                em.translate(site.result, src, Addr(site.caller, area, 0))
                outer_results = (area,)
            else:
                outer_results = tuple(b.local(core_type) for core_type in site.caller_flat.result)
                em.translate(site.result, src, Flat(site.caller, outer_results))

        borrows.returned()
        borrows.end(kept_end)
        b.get(mark)
        if form.frames:
            self._push_i64(em, results)
            b.call(handles.boundary("frame"))
        else:
            b.call(handles.boundary("reset"))
        b.get(*outer_results)

    def _thin_import(self, em: Emitter, site: CallSite) -> None:
        borrows = Borrows(em, site.lending)
        borrows.begin()
        args = self._thin_params(em, site)
        if site.caller_flat.result is None:
            args = (*args, em.b.params[-1])
        results = self._call(em, site, args)
        results = self._thin_result(em, site, results)
        borrows.end()
        em.b.get(*results)

    def _full_import(self, em: Emitter, site: CallSite) -> None:
        b, handles = em.b, self._shop.handles
        borrows = Borrows(em, site.lending)
        mark = b.local(I32)
        b.call(handles.boundary("top"))
        b.set(mark)
        borrows.begin()
        args = translate_params(em, site)
        area: Local | None = None
        if site.callee_flat.result is None:
            assert site.result is not None
            area = b.local(I32)
            allocate(em, site.callee, site.result, area)
            args = (*args, area)

        # the host may call back in: what it passes goes above what it was passed
        b.call(handles.boundary("hold"))
        results = self._call(em, site, args)
        flat_results: tuple[Local, ...] = ()
        if site.result is not None:
            src: Place = Flat(site.callee, results) if area is None else Addr(site.callee, area, 0)
            flat_results = result_to_caller(em, site, site.result, src)
        borrows.end()
        b.get(mark)
        b.call(handles.boundary("reset"))
        b.get(*flat_results)

    # --- parts ------------------------------------------------------------------------------------------------
    def _call(self, em: Emitter, site: CallSite, args: tuple[Local, ...]) -> tuple[Local, ...]:
        """No barrier: an exception that reaches the engine at the outer edge is a trap there."""
        results = tuple(em.b.local(core_type) for core_type in site.callee_flat.core.results)
        em.b.get(*args)
        em.b.call(site.core_func)
        em.b.set(*results)
        return results

    def _thin_params(self, em: Emitter, site: CallSite) -> tuple[Local, ...]:
        """The parameters' own locals, but for handles."""
        if site.caller_flat.params is None:
            return em.b.params[:1]
        args: list[Local] = []
        for param in site.params:
            flat = em.shop.abi.flattener(False).flat(param)
            assert flat is not None
            locals = em.b.params[len(args) : len(args) + len(flat)]
            if self._has_handles(param):
                src, dst = Flat(site.caller, locals), Flat(site.callee, (em.b.local(I32),))
                shape = em.shop.abi.shape(param)
                if isinstance(shape, BorrowType):
                    translate_flat_borrow(em, shape, src, dst)
                else:
                    em.translate(param, src, dst)
                locals = dst.locals
            args += locals
        return tuple(args)

    def _thin_result(self, em: Emitter, site: CallSite, results: tuple[Local, ...]) -> tuple[Local, ...]:
        if site.result is None or not self._has_handles(site.result):
            return results
        dst = Flat(site.caller, (em.b.local(I32),))
        em.translate(site.result, Flat(site.callee, results), dst)
        return dst.locals

    def _push_i64(self, em: Emitter, results: tuple[Local, ...]) -> None:
        """The guest's flat result, for its post-return."""
        if not results:
            em.b.i64(0)
            return
        (result,) = results
        assert isinstance(result.type, NumType)
        em.b.get(result)
        em.b.op(*_TO_I64[result.type])

    # --- the two sides ----------------------------------------------------------------------------------------
    def _export_site(self, lift: Lift, thin: bool) -> CallSite:
        abi = self._shop.abi
        callee_flat = abi.func(lift.type, Context.LIFT, lift.options.memory64)
        return self._site(
            f"export of {self._label(lift.instance)}",
            lift.type,
            (self._host(thin), callee_flat if thin else abi.func(lift.type, Context.LIFT, False)),
            (self._guest(lift.instance, lift.options, abi.needs(lift.type, Context.LIFT)), callee_flat),
            self._symbols.final(lift.core_func),
        )

    def _import_site(self, lower: Lower, host: FuncSymbol, thin: bool) -> CallSite:
        abi = self._shop.abi
        caller_flat = abi.func(lower.type, Context.LOWER, lower.options.memory64)
        return self._site(
            f"host call {lower.id} of {self._label(lower.instance)}",
            lower.type,
            (self._guest(lower.instance, lower.options, abi.needs(lower.type, Context.LOWER)), caller_flat),
            (self._host(thin), caller_flat if thin else abi.func(lower.type, Context.LOWER, False)),
            host,
        )

    def _site(
        self, name: str, type: FuncType, caller: tuple[Side, FlatFunc], callee: tuple[Side, FlatFunc], func: FuncSymbol
    ) -> CallSite:
        params = tuple(param for _, param in type.params)
        shop, spilled = self._shop, caller[1].params is None
        return CallSite(
            name=name,
            caller=caller[0],
            callee=callee[0],
            caller_flat=caller[1],
            callee_flat=callee[1],
            params=params,
            params_tuple=DefinedType(TupleType(params)),
            result=type.result,
            lending=plan_lending(shop.abi, shop.handles, params, spilled, caller[0].instance, callee[0].instance),
            core_func=func,
            post_return=None,
            enters=(),
        )

    def _guest(self, instance: InstanceId, options: CanonicalOptions, needs: Needs) -> Side:
        return side_of(self._graph, instance, options, needs, self._symbols)

    def _host(self, thin: bool) -> Side:
        """A thin shim moves nothing but handles, so it needs no memory on the host's side."""
        handles = self._shop.handles
        return Side(handles.outer, StringEncoding.UTF8, None, None) if thin else handles.outer_side()

    def _outer(self, type: FuncType, context: Context) -> tuple[FlatFunc, OuterForm]:
        """A function with the boundary memory's options."""
        flat, needs = self._shop.abi.func(type, context, False), self._shop.abi.needs(type, context)
        side = self._shop.handles.outer_side()
        options = OuterOptions(
            side.encoding,
            side.needs_memory().id if needs.memory else None,
            side.realloc if needs.realloc else None,
        )
        return flat, OuterForm(flat.core, options, False)

    def _top_level_only(self, type: FuncType) -> bool:
        """Whether every handle is a flat parameter of its own, or the flat result."""
        inside = [param for _, param in type.params if not self._is_handle(param)]
        if type.result is not None and not self._is_handle(type.result):
            inside.append(type.result)
        spilled = self._shop.abi.func(type, Context.LIFT, False).params is None
        if spilled and any(self._has_handles(param) for _, param in type.params):
            return False
        return not any(self._has_handles(each) for each in inside)

    def _is_handle(self, type: ValType) -> bool:
        return isinstance(self._shop.abi.shape(type), OwnType | BorrowType)

    def _has_handles(self, type: ValType | None) -> bool:
        return type is not None and bool(self._shop.abi.contents.content(type) & Content.HANDLE)

    def _label(self, instance: InstanceId) -> str:
        return self._shop.labels[instance]
