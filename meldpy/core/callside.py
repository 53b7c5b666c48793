"""What moving values needs of a guest during one call: its memory, its allocator, its handles.

Spec: CanonicalABI.md `LiftLowerContext`, `lift_own`, `lift_borrow`, `lower_own`, `lower_borrow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from meldpy.core.handles import Entry, Handle, Scope, Table
from meldpy.core.surface import Resource
from meldpy.engine.coreapi import CoreInstance
from meldpy.errors import UsageError
from meldpy.model.canon import StringEncoding
from meldpy.model.ids import ResourceId
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Guest:
    """What all calls share. core: the running instance; destroy: drops a resource of the guest's that the host had."""

    encoding: StringEncoding
    core: Callable[[], CoreInstance]
    table: Table
    resources: Mapping[ResourceId, Resource]
    destroy: Callable[[ResourceId, int], None]


@final
class CallSide:
    """A `values.Side` for one call. scope: of the export that is called; lent: what a host function is lent."""

    def __init__(self, guest: Guest, scope: Scope | None, lent: list[Entry] | None) -> None:
        self._guest = guest
        self._scope = scope
        self._lent = lent

    @property
    def encoding(self) -> StringEncoding:
        return self._guest.encoding

    def read(self, at: int, size: int) -> bytes:
        return self._guest.core().read(at, size)

    def write(self, at: int, data: bytes) -> None:
        if data:
            self._guest.core().write(at, data)

    def memory_size(self) -> int:
        return self._guest.core().memory_size()

    def allocate(self, alignment: int, size: int) -> int:
        return self._guest.core().call("cabi_realloc", [0, 0, alignment, size])[0]

    def lift_own(self, resource: ResourceId, index: int) -> object:
        rep = self._guest.table.take_own(index, resource)
        if self._guest.resources[resource].imported:
            return rep
        assert isinstance(rep, int)
        return Handle(resource, rep, self._guest.destroy)

    def lift_borrow(self, resource: ResourceId, index: int) -> object:
        entry = self._guest.table.get(index, resource)
        assert self._lent is not None, "results hold no borrows"
        assert self._guest.resources[resource].imported, "imports take handles of imported types"
        entry.lends += 1
        self._lent.append(entry)
        return entry.rep

    def lower_own(self, resource: ResourceId, value: object) -> int:
        return self._guest.table.add(Entry(resource, self._rep(resource, value, own=True), None))

    def lower_borrow(self, resource: ResourceId, value: object) -> int:
        rep = self._rep(resource, value, own=False)
        if not self._guest.resources[resource].imported:
            assert isinstance(rep, int)
            return rep
        assert self._scope is not None, "results hold no borrows"
        self._scope.borrows += 1
        return self._guest.table.add(Entry(resource, rep, self._scope))

    def check_handle(self, resource: ResourceId, value: object) -> None:
        if not self._guest.resources[resource].imported:
            self._own_handle(resource, value).lend()

    def _rep(self, resource: ResourceId, value: object, *, own: bool) -> object:
        if self._guest.resources[resource].imported:
            return value
        handle = self._own_handle(resource, value)
        return handle.give_away() if own else handle.lend()

    def _own_handle(self, resource: ResourceId, value: object) -> Handle:
        ours = self._guest.destroy  # a handle of another instance of this module has that one's
        if isinstance(value, Handle) and value.resource == resource and value.destroy == ours:
            return value
        raise UsageError(
            f"a handle of {self._guest.resources[resource].name} is wanted, not {value!r}",
            remedy="give one that a function of this instance returned",
        )
