"""The strings of all inputs, each once.

Offsets may point into the middle of a string (linkers merge tails), so what moves is a string as a whole: from one
zero byte to the next.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import final

from meldpy.model.core import Bytes
from meldpy.model.debug import MovedStrings


@final
class StringPool:
    """One string section of the output under construction. `take_back` forgets the strings of the last `add`."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._size = 0
        self._added = 0

    def add(self, section: Bytes) -> MovedStrings:
        """Takes in the strings of an input's section."""
        strings = bytes(section).split(b"\0")
        if not strings[-1]:
            strings.pop()
        places, size = self._places, self._size
        known = len(places)
        new = array("I")
        for string in strings:
            place = places.setdefault(string, size)
            if place == size:
                size += len(string) + 1
            new.append(place)
        self._size = size
        self._added = len(places) - known
        starts = accumulate([len(string) + 1 for string in strings], initial=0)
        old = array("I", starts)
        old[-1] = len(section)
        return MovedStrings(old, new)

    def take_back(self) -> None:
        for _ in range(self._added):
            _string, self._size = self._places.popitem()
        self._added = 0

    def section(self) -> bytes:
        return b"\0".join([*self._places, b""])
