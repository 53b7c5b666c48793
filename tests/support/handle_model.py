"""Handle tables as the spec has them, in Python: the oracle for `handles.wat`.

Tables and resource types are numbers here, scopes are objects. Spec: Table, ResourceHandle, Task.num_borrows,
Subtask.lenders, and the canonical definitions that use them. Every check comes before the first change, so that a
test can go on after a trap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

UNKNOWN = "unknown handle index"
WRONG_TYPE = "handle of the wrong resource type"
LENT = "handle is lent"
NOT_OWNED = "handle is not owned"
HELD = "borrow still held"
FULL = "handle table full"
TRAPS = (UNKNOWN, WRONG_TYPE, LENT, NOT_OWNED, HELD, FULL)


class Trapped(Exception):
    """A trap, by its name."""


@dataclass(eq=False)
class Scope:
    """What a task counts. Its number is of no meaning to anyone; it is given out as the indices of handles are."""

    number: int
    borrows: int = 0


@dataclass(eq=False)
class Handle:
    type: int
    rep: int
    scope: Scope | None = None
    lends: int = 0

    @property
    def own(self) -> bool:
        return self.scope is None


@dataclass
class Table:
    """Index 0 is a hole for ever; holes are filled last made first, before the table becomes longer."""

    array: list[Handle | None] = field(default_factory=lambda: [None])
    holes: list[int] = field(default_factory=list)

    def add(self, handle: Handle) -> int:
        if not self.holes:
            self.array.append(handle)
            return len(self.array) - 1
        index = self.holes.pop()
        assert self.array[index] is None
        self.array[index] = handle
        return index

    def get(self, index: int, type: int) -> Handle:
        handle = self.array[index] if index < len(self.array) else None
        if handle is None:
            raise Trapped(UNKNOWN)
        if handle.type != type:
            raise Trapped(WRONG_TYPE)
        return handle

    def get_unlent(self, index: int, type: int) -> Handle:
        handle = self.get(index, type)
        if handle.lends:
            raise Trapped(LENT)
        return handle

    def remove(self, index: int) -> None:
        self.array[index] = None
        self.holes.append(index)

    def live(self) -> list[int]:
        return [index for index, handle in enumerate(self.array) if handle is not None]


class HandleModel:
    """The functions of `handles.wat`, by the names of its exports."""

    def __init__(self) -> None:
        self.tables: defaultdict[int, Table] = defaultdict(Table)
        self.pushed: list[Handle] = []
        self.scopes: list[Scope] = []
        self._numbers: list[int] = []

    def new_own(self, table: int, type: int, rep: int) -> int:
        return self.tables[table].add(Handle(type, rep))

    def rep(self, table: int, type: int, index: int) -> int:
        return self.tables[table].get(index, type).rep

    def take_own(self, table: int, type: int, index: int) -> int:
        handle = self.tables[table].get_unlent(index, type)
        if not handle.own:
            raise Trapped(NOT_OWNED)
        self.tables[table].remove(index)
        return handle.rep

    def drop(self, table: int, type: int, index: int) -> tuple[int, int]:
        handle = self.tables[table].get_unlent(index, type)
        self.tables[table].remove(index)
        if handle.scope is not None:
            handle.scope.borrows -= 1
        return int(handle.own), handle.rep

    def lend(self, table: int, type: int, index: int) -> int:
        handle = self.tables[table].get(index, type)
        handle.lends += 1
        return handle.rep

    def unlend(self, table: int, index: int) -> None:
        handle = self.tables[table].array[index]
        assert handle is not None
        assert handle.lends
        handle.lends -= 1

    def lend_pushed(self, table: int, type: int, index: int) -> int:
        rep = self.lend(table, type, index)
        self.pushed.append(self.tables[table].get(index, type))
        return rep

    def lenders(self) -> int:
        return len(self.pushed)

    def release_to(self, mark: int) -> None:
        for handle in self.pushed[mark:]:
            handle.lends -= 1
        del self.pushed[mark:]

    def scope_enter(self) -> Scope:
        scope = Scope(self._numbers.pop() if self._numbers else len(self.scopes) + 1)
        self.scopes.append(scope)
        return scope

    def lower_borrow(self, table: int, type: int, rep: int, scope: Scope) -> int:
        scope.borrows += 1
        return self.tables[table].add(Handle(type, rep, scope))

    def scope_exit(self, scope: Scope) -> None:
        if scope.borrows:
            raise Trapped(HELD)
        self.scopes.remove(scope)
        self._numbers.append(scope.number)
