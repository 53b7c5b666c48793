"""Boundary shims: adapters between a fused instance with a table of ours and the outer component.

A shim is needed where a function that the host calls, or calls back, has handles in its type. There are two forms:

- *thin*: every handle is a parameter of its own or the flat result. Only those locals are translated. All else passes
  through untouched: the outer canonical options name the guest's own memory and realloc, as they do without a shim.
- *full*: handles lie inside other values, so those values must be moved by `translate`, between the guest's memory and
  the boundary memory (`runtime/boundary.wat`), which the outer canonical options name in place of the guest's. Guest
  memory is never patched, and the guest's realloc is called as for a utf8 source.

In a core output the host sees one memory. Where that is no guest's own (`one_memory` decides), every function whose
type needs a memory has a full shim, with handles or without. It is the heap if async crosses the edge as well.

Their bodies are in `shim_bodies`; flags of the host's entries are added by `boundary`, as for functions without a shim.

Spec: CanonicalABI.md `canon_lift`, `canon_lower`, with the outer component as one more instance. Design section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import plan_lending
from meldpy.adapter.places import Side
from meldpy.adapter.plan import CallSite, side_of
from meldpy.adapter.shim_bodies import Heap, full_export, full_import, let_values_go, thin_export, thin_import
from meldpy.adapter.symbols import Symbols
from meldpy.asm import FuncBuilder, Op
from meldpy.cabi import Content, Context, FlatFunc, Needs, value_types
from meldpy.model.canon import StringEncoding
from meldpy.model.code import EmittedFunc, FuncSymbol, OuterOptions
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.extern import FuncType
from meldpy.model.ids import InstanceId
from meldpy.model.linked import CanonicalOptions, Lift, LinkedGraph, Lower
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    FutureType,
    OwnType,
    StreamType,
    TupleType,
    ValType,
)
from meldpy.records import dataclass, replace

if TYPE_CHECKING:
    from meldpy.adapter.tasks.outside import Outside

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
        self.through_boundary = False
        """Whether everything in memory crosses through a memory of ours; set before anything is asked."""
        self.outside: Outside | None = None
        """Whose heap that memory is; None: it is the boundary memory. Set before anything is asked, too."""

    # --- decisions --------------------------------------------------------------------------------------------
    def needed(self, instance: InstanceId, type: FuncType, context: Context) -> bool:
        """Whether the guest's own function will not do."""
        return self._moves(type, context) or self._translates(instance, type)

    def _moves(self, type: FuncType, context: Context) -> bool:
        """Whether values must leave the guest's memory, whatever they are."""
        return self.through_boundary and self._shop.abi.needs(type, context).memory

    def _translates(self, instance: InstanceId, type: FuncType) -> bool:
        """Whether handles in a function's type must be translated. Borrows of what the instance itself defines arrive
        as reps, with a shim or without: such a function is exported, since no import names that resource type."""
        handles, contents = self._shop.handles, self._shop.abi.contents
        if not handles.has_table(instance):
            return False
        lent = contents.resources(value_types(type), Content.BORROW)
        moved = Content.OWN | Content.STREAM | Content.FUTURE
        return bool(contents.of(value_types(type)) & moved) or any(handles.definer(id) != instance for id in lent)

    def full_lift(self, lift: Lift) -> OuterForm | None:
        """The outer form of an exported function; None: the guest's own, with a thin shim or none."""
        if not self.needed(lift.instance, lift.type, Context.LIFT):
            return None
        # a post-return wants the guest's own handle back
        wanted_back = self._has_handles(lift.type.result) and lift.options.post_return is not None
        if not self._moves(lift.type, Context.LIFT) and self._top_level_only(lift.type) and not wanted_back:
            return None
        flat, form = self._outer(lift.type, Context.LIFT)
        return replace(form, frames=flat.result is None or lift.options.post_return is not None)

    def full_lower(self, lower: Lower) -> OuterForm | None:
        """The same for an imported function."""
        if not self.needed(lower.instance, lower.type, Context.LOWER):
            return None
        if not self._moves(lower.type, Context.LOWER) and self._top_level_only(lower.type):
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
            thin_export(em, site)
        else:
            full_export(em, site, self._heap, frames=form.frames)
        symbol = self._shop.functions.add(b)
        self._shop.finish()
        return symbol

    def post_return(self, lift: Lift, form: OuterForm, guests: FuncSymbol | None) -> EmittedFunc:
        """The post-return of a full shim: the results leave the host's memory, then the guest's own runs."""
        results = self._shop.abi.func(lift.type, Context.LIFT, lift.options.memory64).core.results
        b = FuncBuilder(f"post-return to {self._label(lift.instance)}", CoreFuncType(form.core_type.results, ()))
        if self._heap is not None:
            let_values_go(Emitter(self._shop, b), self._heap)
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
            thin_import(em, site)
        else:
            full_import(em, site, self._heap)
        self._shop.functions.define(symbol, b)
        self._shop.finish()

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
            async_type=type.async_,
            caller_async=False,
            callee_async=False,
            lending=plan_lending(shop.abi, shop.handles, params, spilled, caller[0].instance, callee[0].instance),
            core_func=func,
            post_return=None,
        )

    def _guest(self, instance: InstanceId, options: CanonicalOptions, needs: Needs) -> Side:
        return side_of(self._graph, instance, options, needs, self._symbols)

    def _host(self, thin: bool) -> Side:
        """A thin shim moves nothing but handles, so it needs no memory on the host's side."""
        return Side(self._shop.handles.outer, StringEncoding.UTF8, None, None) if thin else self.host_side()

    def host_side(self) -> Side:
        """The outer component with its memory."""
        return self._shop.handles.outer_side() if self.outside is None else self.outside.side()

    @property
    def _heap(self) -> Heap | None:
        return None if self.outside is None else self.outside.heap

    def _outer(self, type: FuncType, context: Context) -> tuple[FlatFunc, OuterForm]:
        """A function with the options of the host's memory."""
        flat, needs = self._shop.abi.func(type, context, False), self._shop.abi.needs(type, context)
        side = self.host_side()
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
        return isinstance(self._shop.abi.shape(type), OwnType | BorrowType | StreamType | FutureType)

    def _has_handles(self, type: ValType | None) -> bool:
        held = Content.HANDLE | Content.STREAM | Content.FUTURE
        return type is not None and bool(self._shop.abi.contents.content(type) & held)

    def _label(self, instance: InstanceId) -> str:
        return self._shop.labels[instance]
