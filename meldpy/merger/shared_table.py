"""Tables that only calls go through share one table of the main module, so that starting an instance costs nothing.

An engine fills a table of the module's own lazily: instantiation does not look at its elements. Elements for a table
that is imported, from a carrier, are written one by one, 28 ns each, at every start; with pooled allocation the pages
that this touches are given back one by one as well. Several tables in the main module would do, but pools have room for
one (`placement`). So the tables become parts of one. A call through a part checks its slot against the part's size and
moves it by the part's first slot (the kernel does this, reindex.wat); a slot outside traps as it did before. The check
costs a guest's indirect call 2 % and 15 to 26 bytes. ADR-0082 has the figures.

A table can be a part if all of this holds: it holds nullable functions of any type, has 32-bit indices, and is not
empty; it starts as nulls, and only active segments that are applied before anything runs fill it; no body reads,
writes or grows it, no code of ours and no canonical built-in names it. So its size never changes, whatever its maximum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, final

from meldpy.merger.plan import ApplyElems, FillTable, Plan, table_type
from meldpy.merger.reach import Kept
from meldpy.merger.units import Unit
from meldpy.model.builtins import ThreadStart
from meldpy.model.code import Adapted, TableRef
from meldpy.model.core import FUNCREF, Limits, TableType
from meldpy.model.facts import RefKind
from meldpy.model.ids import TableId
from meldpy.model.linked import AsyncBuiltin, LinkedGraph
from meldpy.records import dataclass, field

_SLOTS: Final = 20_000
"""What engines' pools have room for in one table, unless told otherwise."""


@final
@dataclass(frozen=True, slots=True)
class SharedTable:
    """parts: the slots of each part, first and behind the last."""

    parts: Mapping[TableId, range] = field(default_factory=dict)

    @property
    def type(self) -> TableType:
        size = sum(map(len, self.parts.values()))
        return TableType(FUNCREF, Limits(size, size))


def share(units: Sequence[Unit], kept: Kept, plan: Plan, adapted: Adapted, graph: LinkedGraph) -> SharedTable:
    """The parts, in instantiation order; none unless there are two at least. Where room is short, the fullest stay."""
    own = [t for unit in units for t in unit.tables[unit.own_tables :] if t in kept.tables]
    sizes = {table: size for table in own if (size := _size(units, table))}
    if len(sizes) < 2:
        return SharedTable()
    filled = filled_slots(plan)
    excluded = _named(units, plan, adapted, graph)
    chosen: set[TableId] = set()
    room = _SLOTS
    for table in sorted((t for t in sizes if t not in excluded), key=lambda t: -filled[t]):
        if sizes[table] <= room:
            chosen.add(table)
            room -= sizes[table]
    if len(chosen) < 2:
        return SharedTable()
    parts: dict[TableId, range] = {}
    end = 0
    for table, size in sizes.items():
        if table in chosen:
            parts[table] = range(end, end + size)
            end += size
    return SharedTable(parts)


def filled_slots(plan: Plan) -> Counter[TableId]:
    """How many elements are written into each table before anything runs."""
    counts: Counter[TableId] = Counter()
    for segment in plan.elems:
        counts[segment.table] += segment.length
    return counts


def _size(units: Sequence[Unit], table: TableId) -> int:
    """The slots of a table that can be a part, else 0."""
    unit = units[table.instance]
    type_ = table_type(units, table)
    plain = type_.element == FUNCREF and not type_.limits.is64 and not type_.limits.shared
    return type_.limits.min if plain and unit.module.tables[table.index - unit.own_tables].init is None else 0


def _named(units: Sequence[Unit], plan: Plan, adapted: Adapted, graph: LinkedGraph) -> set[TableId]:
    """The tables that something does more to than call through them."""
    named = {action.table for action in plan.actions if isinstance(action, ApplyElems | FillTable)}
    for unit in units:
        named.update(unit.tables[index] for index in _touched(unit.code.kinds, unit.code.indices))
    named |= {chunk.table for each in adapted.functions for chunk in each.body if isinstance(chunk, TableRef)}
    named |= {arg for instance in adapted.runtime for arg in instance.args if isinstance(arg, TableId)}
    for builtin in graph.builtins:
        if isinstance(builtin, AsyncBuiltin) and isinstance(builtin.immediates, ThreadStart):
            named.update(each for each in (builtin.immediates.table,) if each is not None)
    return named


def _touched(kinds: Sequence[int], indices: Sequence[int]) -> Iterable[int]:
    wanted = {int(RefKind.TABLE_READ), int(RefKind.TABLE_WRITE)}
    if wanted.isdisjoint(kinds):
        return ()
    return {index for kind, index in zip(kinds, indices, strict=True) if kind in wanted}
