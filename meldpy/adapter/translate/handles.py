"""Handles: from the lifting side's table to the lowering side's, by way of the rep.

An own handle moves: it leaves one table and enters the other. A borrow is lent for the duration of the call, and what
arrives is the rep if the lowering instance defines the resource type, else a handle in the call's scope. Whether it
does is a question of identity. If a side is the outer component, its table is the engine's: handles of resource types
that it imports are passed on as they are (they are the reps of inner entries), and those of resource types defined
inside are made and unmade by its built-ins. The engine already does what an outer borrow needs but for dropping it.
If the instance on the other side uses the engine's table itself, both sides have one table, and handles stay as they
are.

Spec: CanonicalABI.md `lift_own`, `lift_borrow`, `lower_own`, `lower_borrow`, `lift_async_value`. Error contexts
were refused (`refusals`).
"""

from __future__ import annotations

from typing import TypeAlias

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Place
from meldpy.adapter.translate.scalars import read_word, written_word
from meldpy.errors import InternalError
from meldpy.model.ids import InstanceId, ResourceId
from meldpy.model.marks import Handed, HandleKind
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    FutureType,
    OwnType,
    PrimValType,
    ResourceType,
    StreamType,
    ValType,
)

HandleType: TypeAlias = (
    "OwnType[ResourceType] | BorrowType[ResourceType] | StreamType[ValType] | FutureType[ValType] | PrimValType"
)
"""The one primitive among them is error-context."""


def translate_handle(em: Emitter, type: HandleType, src: Place, dst: Place) -> None:
    """One handle; whoever lends a borrow is remembered outside this function."""
    match type:
        case OwnType(resource):
            _move(em, resource.id, src, dst)
        case BorrowType(resource):
            _lend(em, resource.id, src, dst, remember=True)
        case StreamType() | FutureType():
            raise AssertionError("an end crosses by `translate_end`")
        case _:
            raise InternalError(f"an async value crosses in {em.b.name}, which should have been refused")


def translate_end(em: Emitter, type: DefinedType, src: Place, dst: Place) -> None:
    """The readable end of a stream or future. Spec: lift_async_value, lower_stream, lower_future."""
    b, handles, tasks = em.b, em.shop.handles, em.shop.tasks
    assert tasks is not None
    em.b.mark(Handed(HandleKind.END, "", kept=False))
    tag = handles.end_tag(type, writable=False)
    leaves, arrives = dst.side.instance == handles.outer, src.side.instance == handles.outer
    with written_word(em, dst):
        if not leaves:
            b.i32(handles.table(dst.side.instance))
            b.i32(tag)
        if arrives:
            read_word(em, src)
            b.call(tasks.ends.func("arrives"))
            return
        b.i32(handles.table(src.side.instance))
        b.i32(tag)
        read_word(em, src)
        b.call(tasks.streams("take"))
        b.call(tasks.ends.leaving(type) if leaves else tasks.streams("put"))


def translate_flat_borrow(em: Emitter, type: BorrowType[ResourceType], src: Place, dst: Place) -> None:
    """A borrow whose lender is a local that the caller of this function keeps (`lending`)."""
    _lend(em, type.resource.id, src, dst, remember=False)


# --- inside -----------------------------------------------------------------------------------------------------
def _move(em: Emitter, resource: ResourceId, src: Place, dst: Place) -> None:
    b, handles = em.b, em.shop.handles
    defined_inside = handles.definer(resource) is not None
    _mark(em, HandleKind.OWN, resource, src, dst)
    if _one_table(em, src, dst):
        with written_word(em, dst):
            read_word(em, src)
        return
    with written_word(em, dst):
        entered = _name_entry(em, resource, dst.side.instance)
        taken = _name_entry(em, resource, src.side.instance)
        read_word(em, src)
        # to the rep …
        if taken:
            b.call(handles.func("peek" if em.peek else "take-own"))
        elif src.side.instance == handles.outer and defined_inside:
            b.call(handles.returned_by_host(resource))
        # … and from it
        if entered:
            b.call(handles.func("new-own"))
        elif dst.side.instance == handles.outer and defined_inside:
            b.call(handles.outer_builtin("new", resource))


def _lend(em: Emitter, resource: ResourceId, src: Place, dst: Place, *, remember: bool) -> None:
    b, handles = em.b, em.shop.handles
    _mark(em, HandleKind.BORROW, resource, src, dst)
    if _one_table(em, src, dst):
        with written_word(em, dst):
            read_word(em, src)
        return
    as_handle = handles.arrives_as_handle(resource, dst.side.instance)
    with written_word(em, dst):
        if as_handle:
            _name_entry(em, resource, dst.side.instance)
        lent = _name_entry(em, resource, src.side.instance)
        read_word(em, src)
        # to the rep …
        if lent:
            b.call(handles.func("lend-pushed" if remember else "lend"))
        elif src.side.instance == handles.outer and handles.definer(resource) is None and remember:
            b.i32(resource)
            b.call(handles.boundary("keep"))
        # … and from it
        if as_handle:
            assert em.scope is not None, "plan_lending: a borrow that arrives as a handle has a scope"
            b.get(em.scope)
            b.call(handles.func("lower-borrow"))


def _mark(em: Emitter, kind: HandleKind, resource: ResourceId, src: Place, dst: Place) -> None:
    handles = em.shop.handles
    em.b.mark(Handed(kind, handles.label(resource), _one_table(em, src, dst) or handles.is_opaque(resource)))


def _one_table(em: Emitter, src: Place, dst: Place) -> bool:
    """Whether one side is an instance whose table is the engine's: then the other is the outer component."""
    handles = em.shop.handles
    return handles.is_direct(src.side.instance) or handles.is_direct(dst.side.instance)


def _name_entry(em: Emitter, resource: ResourceId, instance: InstanceId) -> bool:
    """Push what names an entry of the instance's table but the index; False if its table is not ours."""
    handles = em.shop.handles
    if not handles.has_table(instance) or handles.is_opaque(resource):
        return False
    em.b.i32(handles.table(instance))
    em.b.i32(handles.tag(resource))
    return True
