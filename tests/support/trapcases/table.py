"""The table of trap conditions, read from tests/differential/traps/conditions.toml.

What its parts mean is said there. `read` fails for a table that is not well formed; whether it is complete is the
business of test_trap_conditions.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "differential" / "traps"
TABLE: Final = FOLDER / "conditions.toml"
README: Final = FOLDER / "README.md"


@dataclass(frozen=True, slots=True)
class Condition:
    """named: the positions as they are written, groups by their names."""

    id: str
    where: tuple[str, ...]
    section: str
    rule: str
    trap: str
    positions: tuple[str, ...]
    named: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbour:
    id: str
    rule: str
    positions: tuple[str, ...]
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    id: str
    where: tuple[str, ...]
    rule: str
    test: str


@dataclass(frozen=True, slots=True)
class Refused:
    what: str
    where: tuple[str, ...]
    canon: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    groups: dict[str, tuple[str, ...]]
    conditions: tuple[Condition, ...]
    neighbours: tuple[Neighbour, ...]
    elsewhere: tuple[Elsewhere, ...]
    refused: tuple[Refused, ...]

    @property
    def positions(self) -> dict[str, tuple[str, ...]]:
        """Of everything that has cases."""
        rows: tuple[Condition | Neighbour, ...] = (*self.conditions, *self.neighbours)
        return {row.id: row.positions for row in rows}

    @property
    def where(self) -> list[str]:
        """Every trap of the spec that some row is about."""
        rows: tuple[Condition | Elsewhere | Refused, ...] = (*self.conditions, *self.elsewhere, *self.refused)
        return [place for row in rows for place in row.where]


@cache
def read(path: Path = TABLE) -> Table:
    found: dict[str, Any] = tomllib.loads(path.read_text())
    groups: dict[str, list[str]] = found["groups"]

    def rows(kind: str) -> list[dict[str, Any]]:
        made = []
        for row in found[kind]:
            row = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
            if "positions" in row:
                expanded = [each for name in row["positions"] for each in groups.get(name, [name])]
                if len(set(expanded)) < len(expanded):
                    raise ValueError(f"{row['id']}: a position twice")
                row["named"], row["positions"] = row["positions"], tuple(expanded)
            made.append(row)
        return made

    table = Table(
        {name: tuple(group) for name, group in groups.items()},
        tuple(Condition(**row) for row in rows("condition")),
        tuple(Neighbour(**row) for row in rows("neighbour")),
        tuple(Elsewhere(**row) for row in rows("elsewhere")),
        tuple(Refused(**row) for row in rows("refused")),
    )
    if len(table.positions) < len(table.conditions) + len(table.neighbours):
        raise ValueError("two rows have one id")
    return table
