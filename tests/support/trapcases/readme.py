"""The table for people: tests/differential/traps/README.md, made from conditions.toml and from the cases."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from tests.support.trapcases.case import Case
from tests.support.trapcases.registry import cases
from tests.support.trapcases.table import Condition, Table, read

INTRODUCTION = """\
# Trap conditions

Every trap of the Canonical ABI that a call between two fused instances can end in, where it can be met, and the test
that meets it there. Each case runs on the composition and on its fused form: both must trap, the fused form by the very
rule, and both must return for the neighbouring value.

This page is made from `conditions.toml` and from the cases in `tests/support/trapcases`:

```
python -m tests.differential.traps --update               # write this page anew
python -m tests.differential.traps --spec definitions.py  # compare the table with a copy of the spec's definitions.py
```

`function n` is the n-th trap in that function of the spec's `definitions.py`. The test of a condition is
`test_trap_conditions.py::test_condition[id]`. Two numbers after the positions: calls that must trap, and calls that
must not. "deep" is a list of options of records, "spilled" is behind so many parameters that all are in memory.
"""


def text() -> str:
    table = read()
    parts = [INTRODUCTION, "## Groups of positions\n"]
    parts += [f"- *{name}*: {_positions(group, ())}" for name, group in table.groups.items()]
    parts += ["\n## What traps\n", *_conditions(table, cases())]
    parts += ["## What must not trap\n", *_neighbours(table, cases())]
    parts += ["## What other tests show\n", "| rule | spec | test |", "|---|---|---|"]
    parts += [f"| {row.rule} | {_places(row.where)} | `{row.test}` |" for row in table.elsewhere]
    parts += ["", "## What is not fused\n"]
    parts += [
        "Instances with these stay as they are (with --flat they are refused by name and place), so what only they can "
        "break is out of reach.\n"
    ]
    parts += ["| what | not fused are | spec |", "|---|---|---|"]
    for refused in table.refused:
        named = ", ".join(f"`{canon.split()[0]}`" for canon in refused.canon) or ", ".join(refused.forms)
        parts.append(f"| {refused.what} | {named} | {_places(refused.where)} |")
    return "\n".join(parts) + "\n"


def _conditions(table: Table, found: dict[str, list[Case]]) -> Iterator[str]:
    yield "| id | rule | spec | trap | positions | trap, return |"
    yield "|---|---|---|---|---|---|"
    for row in table.conditions:
        places = ": ".join(filter(None, (row.section, _places(row.where))))
        yield (
            f"| {row.id} | {_rule(row)} | {places} | {row.trap} | {_positions(row.named, table.groups)} "
            f"| {_counts(found.get(row.id, []))} |"
        )
    yield ""


def _neighbours(table: Table, found: dict[str, list[Case]]) -> Iterator[str]:
    yield "| id | rule | positions | return |"
    yield "|---|---|---|---|"
    for row in table.neighbours:
        returning = sum(case.returning for case in found.get(row.id, []))
        yield f"| {row.id} | {row.rule} | {_positions(row.named, table.groups)} | {returning} |"
    yield ""


def _rule(row: Condition) -> str:
    also = ", ".join(f"`{test}`" for test in row.also)
    return f"{row.rule} (just within the limit: {also})" if also else row.rule


def _places(where: Iterable[str]) -> str:
    """With one mention of each function."""
    numbers: dict[str, list[str]] = {}
    for place in where:
        function, number = place.rsplit(" ", 1)
        numbers.setdefault(function, []).append(number)
    return ", ".join(f"{function} {', '.join(each)}" for function, each in numbers.items())


def _positions(positions: Iterable[str], groups: Container[str]) -> str:
    """With one mention of each side; groups by name."""
    sides: dict[str, list[str]] = {}
    for position in positions:
        side, _, shape = position.partition(": ")
        sides.setdefault(f"*{side}*" if side in groups else side, []).append(shape)
    return "; ".join(": ".join(filter(None, (side, ", ".join(filter(None, of))))) for side, of in sides.items())


def _counts(found: list[Case]) -> str:
    return f"{sum(case.trapping for case in found)}, {sum(case.returning for case in found)}"
