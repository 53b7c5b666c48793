"""A tree of things with facts: what `meld inspect` shows, and its machine-readable form.

A thing that takes bytes of the file has a size, and so a share of the whole. Facts are in the order in which people
read them. The JSON form is described by `schemas/inspect-1.json`; a change that could break a reader gets a new number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, final

from meldpy.records import dataclass

SCHEMA: Final = "meld-inspect-1"

Fact: TypeAlias = "str | int | tuple[str, ...]"
Facts: TypeAlias = "Mapping[str, Fact]"


@final
@dataclass(frozen=True, slots=True)
class Node:
    """One thing: its kind, a label, its facts in order, and what is inside it. size: bytes of the file, if it has any
    by itself."""

    kind: str
    label: str
    facts: Facts
    children: tuple[Node, ...] = ()
    size: int | None = None

    def data(self, total: int) -> dict[str, object]:
        """For JSON; `total`: bytes of the file."""
        sized = {} if self.size is None else {"bytes": self.size, "percent": share(self.size, total)}
        facts = {key: list(fact) if isinstance(fact, tuple) else fact for key, fact in self.facts.items()}
        children = [child.data(total) for child in self.children]
        return {"kind": self.kind, "label": self.label, **sized, **facts, "children": children}


@final
@dataclass(frozen=True, slots=True)
class Inspection:
    """What is inside one file. wit: its world, None if it has none or that cannot be evaluated."""

    root: Node
    wit: str | None

    def data(self) -> dict[str, object]:
        assert self.root.size is not None
        return {"schema": SCHEMA, **self.root.data(self.root.size), "wit": self.wit}


def share(size: int, total: int) -> float:
    """Per cent, to one digit."""
    return round(100 * size / total, 1) if total else 0.0
