"""Where each memory and table lives: in the main module or in a carrier.

A host function's lower needs its memory before the main module (which imports that function) exists, so such a
memory must be in a carrier. Beyond that the main module defines at most one memory and one table, because pooling
allocators allow a module one of each, and a carrier holds at most one of each. The forwarders' table is a table of
its own in some carrier. What stays in the main module matters for the speed of instantiation. Engines map a module's
constant data copy on write, but not if the module imports a memory: then they copy it, page by page, at every start. So
a memory stays only if it is the only one, or has no data, as those of the runtime library. As for tables, the one in
the main module is one that as many as possible share (`shared_table`), or the fullest. ADR-0083 has the figures.

A table with an initialiser stays in the main module, where its functions are. Design section 7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar, final

from meldpy.merger.plan import Plan
from meldpy.merger.reach import Kept
from meldpy.merger.shared_table import SharedTable, filled_slots, share
from meldpy.merger.units import Unit
from meldpy.model.code import Adapted
from meldpy.model.core import Op
from meldpy.model.ids import MemoryId, TableId
from meldpy.model.linked import LinkedGraph
from meldpy.records import dataclass

T = TypeVar("T", MemoryId, TableId)


@final
@dataclass(frozen=True, slots=True)
class CarrierPlace:
    """What one carrier holds. `forwarders`: its table is the forwarders' private one."""

    memory: MemoryId | None
    table: TableId | None
    forwarders: bool


@final
@dataclass(frozen=True, slots=True)
class Placement:
    """main_*: what the main module defines, in index order (behind the carriers' items, which it imports).

    shared: tables that are parts of one more table of the main module, its only one then.
    """

    main_memories: tuple[MemoryId, ...]
    main_tables: tuple[TableId, ...]
    carriers: tuple[CarrierPlace, ...]
    shared: SharedTable = SharedTable()


def place(
    graph: LinkedGraph, units: Sequence[Unit], kept: Kept, plan: Plan, adapted: Adapted, forwarders: bool
) -> Placement:
    """`adapted.core`: everything stays in the main module, since nothing has to exist before it. Tables share one for
    an engine that has no more, if all of them can."""
    memories = [m for unit in units for m in unit.memories[unit.own_memories :] if m in kept.memories]
    tables = [t for unit in units for t in unit.tables[unit.own_tables :] if t in kept.tables]
    if adapted.core is not None:
        shared = share(units, kept, plan, adapted, graph) if adapted.core.one_table else SharedTable()
        if set(shared.parts) == set(tables):
            return Placement(tuple(memories), (), (), shared)
        return Placement(tuple(memories), tuple(tables), ())
    host_memories = {lower.options.memory for lower in adapted.outer_lowers}
    host_memories |= {func.memory for func in adapted.outer_async}
    main_memories = _kept_memory(memories, host_memories, plan)
    main_tables = [t for t in tables if _initialised(units, t)]
    shared = SharedTable()
    if not main_tables:
        filled = filled_slots(plan)
        main_tables = _favourite(tables, filled)
        shared = share(units, kept, plan, adapted, graph)
        if shared.parts and sum(filled[t] for t in shared.parts) >= sum(filled[t] for t in main_tables):
            main_tables = []
        else:
            shared = SharedTable()
    carried: list[TableId | None] = [t for t in tables if t not in main_tables and t not in shared.parts]
    if forwarders:
        carried.append(None)
    carriers: list[CarrierPlace] = []
    carried_memories = [m for m in memories if m not in main_memories]
    for number, (memory, table) in enumerate(zip_longest(carried_memories, carried)):
        carriers.append(CarrierPlace(memory, table, forwarders and number == len(carried) - 1))
    return Placement(tuple(main_memories), tuple(main_tables), tuple(carriers), shared)


def _kept_memory(memories: Sequence[MemoryId], host_memories: set[MemoryId | None], plan: Plan) -> list[MemoryId]:
    """The memory that stays in the main module, if one may: the first of them."""
    with_data = {segment.memory for segment in plan.data if segment.length}
    free = [m for m in memories if m not in host_memories and (len(memories) == 1 or m not in with_data)]
    return free[:1]


def _favourite(candidates: list[T], weights: Counter[T]) -> list[T]:
    """The heaviest candidate, the first of several; nothing if there is none."""
    return [max(candidates, key=lambda each: weights[each])] if candidates else []


def _initialised(units: Sequence[Unit], table: TableId) -> bool:
    """Whether a table's elements start as something else than null."""
    unit = units[table.instance]
    init = unit.module.tables[table.index - unit.own_tables].init
    return init is not None and [op.opcode for op in init] != [Op.REF_NULL]
