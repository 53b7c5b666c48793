"""What the pipeline hands in: the options, and the kernel's two functions as this stage sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, final

from meldpy.model.core import CoreModule
from meldpy.model.debug import NameStyle
from meldpy.model.facts import CodeFacts
from meldpy.model.reindexed import IndexMaps, Reindexed
from meldpy.records import dataclass

DROPPED = -1
"""In an index map: the item does not exist in the merged module."""


@final
@dataclass(frozen=True, slots=True)
class MergeOptions:
    """version: this tool's, for the producers section. names: what the `name` section says. positions: say where every
    byte of every body went (FusedModule.units).
    """

    version: str
    names: NameStyle = NameStyle.FULL
    positions: bool = False


class Reindex(Protocol):
    """Rewrites the index immediates of the bodies to keep; the named arguments say where they are, for errors."""

    def __call__(
        self,
        bodies: bytes | memoryview,
        count: int,
        maps: IndexMaps,
        keep: Sequence[bool] | None = None,
        *,
        source_offset: int = 0,
        source: str = ...,
        path: tuple[str, ...] = (),
        with_positions: bool = False,
    ) -> Reindexed: ...


Scan: TypeAlias = Callable[[CoreModule], CodeFacts]
"""What the bodies of one module refer to (used for the runtime library; the guests' facts come from analysis)."""
