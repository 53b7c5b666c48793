"""A composition as pictures, before and after fusing: shapes, lines between them, and bytes as nested blocks.

Everything here follows from an Explanation and the linked graph that it explains; where things are drawn is `layout`'s
business, and how `dot`'s, `mermaid`'s, `svg`'s and `page`'s.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final, final

from meldpy.records import dataclass
from meldpy.report.form import form

SCHEMA: Final = "meld-graph-1"

HOST: Final = -1
"""The id of the host's shape."""
CALLER: Final = -2
"""The id of the shape of whoever uses the exports."""


@unique
class Detail(Enum):
    """What one line stands for: all calls from one instance to another, those of one interface, or one function."""

    INSTANCES = "instances"
    INTERFACES = "interfaces"
    FUNCTIONS = "functions"


@unique
class Kind(Enum):
    """An instance that is fused, or kept; the host; whoever calls the exports."""

    FUSED = "fused"
    KEPT = "kept"
    COMPONENT = "component"
    """Before fusing there is no difference."""
    HOST = "host"
    CALLER = "caller"


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """group: the number of its fused group. bytes: its code and data. details: lines for people."""

    id: int
    label: str
    kind: Kind
    group: int | None
    bytes: int
    details: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Line:
    """From caller to callee. label: the interface, a function, or how many functions. class_: the dearest adapter class
    in it, or "host", "export". functions: one line for each function, for people."""

    source: int
    target: int
    label: str
    class_: str
    functions: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Picture:
    title: str
    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]


@final
@dataclass(frozen=True, slots=True)
class Block:
    """So many bytes, and what they consist of."""

    label: str
    bytes: int
    parts: tuple[Block, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """bytes_before, bytes_after: by component instance and core module."""

    title: str
    before: Picture
    after: Picture
    bytes_before: Block
    bytes_after: Block

    def data(self) -> dict[str, object]:
        """For JSON."""
        return form(SCHEMA, self)
