"""One index space, and where the definitions of a component are: what scopes are made of.

Indices come from inputs, so every look-up is checked. Spec: Explainer.md "Index Spaces".
"""

from __future__ import annotations

from typing import Generic, TypeVar, final

from meldpy.errors import DecodeError, Location
from meldpy.records import dataclass

T = TypeVar("T")


@final
class Space(Generic[T]):
    """One index space. `what` names its sort in messages."""

    __slots__ = ("items", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.items: list[T] = []

    def add(self, item: T) -> None:
        self.items.append(item)

    def get(self, index: int) -> T:
        """The item at `index`; DecodeError if there is none."""
        if not 0 <= index < len(self.items):
            raise DecodeError(f"{self.what} index {index} is out of bounds ({len(self.items)} defined so far)")
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A component definition's place: its input and the path through it."""

    source: str
    path: tuple[str, ...] = ()

    def at(self, offset: int | None) -> Location:
        return Location(self.source, offset, self.path)

    def inside(self, step: str) -> Place:
        return Place(self.source, (*self.path, step))
