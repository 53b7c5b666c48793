"""Instructions that a target lacks, and what stands in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Replacements:
    """What to replace; what is not here stays.

    sign_extensions: all of them, by shifts. The others by calls of functions that take and give the same:
    truncations: saturating ones, by opcode (0 to 7). copies: memory.copy, by (destination, source). fills: memory.fill,
    by memory. extra_results: for each function of several results, the globals in which all but the first travel.
    """

    sign_extensions: bool
    truncations: Mapping[int, int]
    copies: Mapping[tuple[int, int], int]
    fills: Mapping[int, int]
    extra_results: Mapping[int, tuple[int, ...]]
