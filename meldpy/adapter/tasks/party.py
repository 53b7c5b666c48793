"""A read or write built-in of streams or futures, as whoever meets it must know it."""

from __future__ import annotations

from typing import final

from meldpy.adapter.places import Side
from meldpy.model.valtype import DefinedType, FutureType, StreamType, ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Party:
    """A read or write built-in, as the other side sees it. number: what it leaves with a pending buffer."""

    number: int
    key: int
    writes: bool
    side: Side
    type: DefinedType

    @property
    def future(self) -> bool:
        return isinstance(self.type.definition, FutureType)

    @property
    def element(self) -> ValType | None:
        return element_of(self.type)

    @property
    def code(self) -> int:
        """The event code of its end."""
        return 2 + 2 * self.future + self.writes


def element_of(type: DefinedType) -> ValType | None:
    assert isinstance(type.definition, StreamType | FutureType)
    return type.definition.element
