"""What the merger asks of the kernel, and what it gets: index maps in, rewritten function bodies out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class IndexMaps:
    """Old index to new index for each index space of one core module; every space is mapped in full.

    -1 marks an item that was dropped: meeting it in a kept body is a defect of ours (InternalError).
    """

    types: Sequence[int]
    funcs: Sequence[int]
    tables: Sequence[int]
    memories: Sequence[int]
    globals: Sequence[int]
    tags: Sequence[int]
    elems: Sequence[int]
    data: Sequence[int]


@final
@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How many items, imports included, each index space of one core module has."""

    types: int
    funcs: int
    tables: int
    memories: int
    globals: int
    tags: int
    elems: int
    data: int


@final
@dataclass(frozen=True, slots=True)
class Reindexed:
    """`count` bodies, each with its size in front, as `Code` has them.

    largest: bytes of the largest body, to be held against the engines' limit (field.md section 6).
    offsets: if asked for, (old, new) offset of each body's content (behind its size), flattened; from the start of
    the old and of the new `bodies`. Else empty.
    """

    bodies: bytes
    count: int
    largest: int
    offsets: Sequence[int] = ()
