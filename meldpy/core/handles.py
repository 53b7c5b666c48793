"""The handle table of a core output, as the engine of a component would keep it.

Spec: CanonicalABI.md "Table State", "Resource State", `lift_own`, `lift_borrow`, `lower_own`, `lower_borrow`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.errors import UsageError
from meldpy.model.ids import ResourceId
from meldpy.records import dataclass, field


@final
class GuestTrap(Exception):
    """The guest failed: it broke a rule, or its code trapped. Nothing may be called on the instance any more."""


@final
@dataclass(slots=True, eq=False)
class Handle:
    """A resource of the guest's that the host owns. (None is ever lent to the host: what an import takes is of imported
    types, and a result holds no borrow.)

    `drop` runs the guest's destructor. A handle that was given away, or is dropped, is of no more use.
    """

    resource: ResourceId
    rep: int
    destroy: Callable[[ResourceId, int], None]
    live: bool = True

    def drop(self) -> None:
        self.give_away()
        self.destroy(self.resource, self.rep)

    def give_away(self) -> int:
        """The rep; the host owns the resource no longer."""
        rep = self.lend()
        self.live = False
        return rep

    def lend(self) -> int:
        """The rep. Raises UsageError if the host owns the resource no longer."""
        if not self.live:
            raise UsageError(
                "the handle was dropped, or given away", remedy="keep a handle only as long as it is yours"
            )
        return self.rep


@final
@dataclass(slots=True)
class Scope:
    """One call of an export: how many borrows the guest got for it and has not dropped."""

    borrows: int = 0


@final
@dataclass(slots=True)
class Entry:
    """rep: the guest's number, or the host's object. scope: of a borrow."""

    resource: ResourceId
    rep: object
    scope: Scope | None
    lends: int = 0


@final
@dataclass(slots=True)
class Table:
    """Indices from 1; a freed one is the next to be used."""

    _entries: list[Entry | None] = field(default_factory=lambda: [None])
    _free: list[int] = field(default_factory=list)

    def add(self, entry: Entry) -> int:
        if self._free:
            index = self._free.pop()
            self._entries[index] = entry
            return index
        self._entries.append(entry)
        return len(self._entries) - 1

    def get(self, index: int, resource: ResourceId) -> Entry:
        entry = self._entries[index] if index < len(self._entries) else None
        if entry is None:
            raise GuestTrap("unknown handle index")
        if entry.resource != resource:
            raise GuestTrap("handle of the wrong resource type")
        return entry

    def remove(self, index: int, resource: ResourceId) -> Entry:
        entry = self.get(index, resource)
        if entry.lends:
            raise GuestTrap("handle is lent")
        self._entries[index] = None
        self._free.append(index)
        return entry

    def take_own(self, index: int, resource: ResourceId) -> object:
        """Spec: lift_own."""
        if self.get(index, resource).lends:
            raise GuestTrap("handle is lent")
        if self.get(index, resource).scope is not None:
            raise GuestTrap("handle is not owned")
        return self.remove(index, resource).rep
