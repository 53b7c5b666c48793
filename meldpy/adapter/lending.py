"""Borrows of one call: what the caller lends, and the scope that the callee gets its handles in.

A borrow that is a flat parameter by itself is remembered by the trampoline in the parameter's own local. Borrows inside
other values are pushed on the runtime library's stack of lenders, or, if the engine is the lender, on the boundary
memory. Nobody else needs to know how many there were.

In time: a scope begins before parameters are lowered and ends after the results were lifted (Task.return_), before
post-return. The lenders are released at the very end (Subtask.deliver_resolve).

Spec: CanonicalABI.md `lift_borrow`, `lower_borrow`, `Task.return_`, `Subtask.deliver_resolve`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.handles import Handles
from meldpy.asm import I32, Load, Local, Op
from meldpy.cabi import Abi, Content
from meldpy.model.ids import InstanceId, ResourceId
from meldpy.model.valtype import BorrowType, ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Lending:
    """lender: the caller. flat: borrows that are flat parameters (position among the flat values). deep: the resource
    types of all others. scoped: whether the callee receives handles for any of them."""

    lender: InstanceId
    flat: tuple[tuple[int, ResourceId], ...]
    deep: tuple[ResourceId, ...]
    scoped: bool


def plan_lending(
    abi: Abi, handles: Handles, params: tuple[ValType, ...], spilled: bool, lender: InstanceId, borrower: InstanceId
) -> Lending:
    """`spilled`: whether the parameters are in memory on the caller's side (then on both)."""
    if handles.is_direct(lender) or handles.is_direct(borrower):
        # one table on both sides, the engine's, which sees to it all
        return Lending(lender, (), (), False)
    flat: list[tuple[int, ResourceId]] = []
    inner: list[ValType] = []
    position = 0
    for param in params:
        shape = abi.shape(param)
        if isinstance(shape, BorrowType) and not spilled:
            flat.append((position, shape.resource.id))
        else:
            inner.append(param)
        if not spilled:
            # how many flat values there are does not depend on the pointer width
            width = abi.flattener(False).flat(param)
            assert width is not None
            position += len(width)
    borrowed = abi.contents.resources(params, Content.BORROW)

    def of_interest(resource: ResourceId) -> bool:
        # the engine hands out reps of what the outer component defines: nothing to give back
        return not handles.is_opaque(resource) and (lender != handles.outer or handles.definer(resource) is None)

    return Lending(
        lender,
        tuple((position, resource) for position, resource in flat if of_interest(resource)),
        tuple(filter(of_interest, abi.contents.resources(inner, Content.BORROW))),
        any(handles.arrives_as_handle(resource, borrower) for resource in borrowed),
    )


@final
class Borrows:
    """Emits the three moments of a call's borrows into `em`: `begin`, `returned`, `end`."""

    def __init__(self, em: Emitter, lending: Lending) -> None:
        self._em = em
        self._lending = lending
        self._from_host = lending.lender == em.shop.handles.outer
        self._mark: Local | None = None
        self._scope: Local | None = None

    def begin(self) -> None:
        """Before the parameters are translated; afterwards they can be."""
        b, handles = self._em.b, self._em.shop.handles
        if self._lending.deep:
            self._mark = b.local(I32)
            b.call(handles.boundary("kept") if self._from_host else handles.func("lenders"))
            b.set(self._mark)
        if self._lending.scoped:
            self._scope = self._em.scope = b.local(I32)
            b.call(handles.func("scope-enter"))
            b.set(self._scope)

    def returned(self) -> None:
        """The callee has returned: it must have dropped what it borrowed."""
        if self._scope is not None:
            self._em.b.get(self._scope)
            self._em.b.call(self._em.shop.handles.func("scope-exit"))

    @property
    def mark(self) -> Local | None:
        """The mark below the lenders that were pushed, if any may have been."""
        return self._mark

    def end(self, kept_end: Local | None = None) -> None:
        """The call is over. `kept_end`: where the entries that the boundary memory keeps for the host end."""
        if self._from_host:
            self._drop_from_host(kept_end)
        else:
            self._release()

    # --- inside -----------------------------------------------------------------------------------------------
    def _release(self) -> None:
        b, handles = self._em.b, self._em.shop.handles
        for position, _ in self._lending.flat:
            b.i32(handles.table(self._lending.lender))
            b.get(b.params[position])
            b.call(handles.func("unlend"))
        if self._mark is not None:
            b.get(self._mark)
            b.call(handles.func("release-to"))

    def _drop_from_host(self, kept_end: Local | None) -> None:
        """A borrow that the engine lent is a handle in its table, which must go before the call returns."""
        b, handles = self._em.b, self._em.shop.handles
        for position, resource in self._lending.flat:
            b.get(b.params[position])
            b.call(handles.outer_builtin("drop", resource))
        if self._mark is None:
            return
        assert kept_end is not None
        with b.block() as done, b.loop() as again:
            b.get(self._mark, kept_end)
            b.op(Op.I32_EQ)
            b.br_if(done)
            for resource in self._lending.deep:
                self._drop_kept(self._mark, resource)
            b.get(self._mark)
            b.i32(8)
            b.op(Op.I32_ADD)
            b.set(self._mark)
            b.br(again)

    def _drop_kept(self, entry: Local, resource: ResourceId) -> None:
        """Drop the entry's handle if it is of this resource type."""
        b, handles = self._em.b, self._em.shop.handles
        memory = handles.outer_side().needs_memory().id
        b.get(entry)
        b.load(Load.I32, memory, 4)
        b.i32(resource)
        b.op(Op.I32_EQ)
        with b.if_():
            b.get(entry)
            b.load(Load.I32, memory)
            b.call(handles.outer_builtin("drop", resource))
