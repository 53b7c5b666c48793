"""Initialisation, in the order in which the composition does it, before anything has an index.

Instantiating a core module applies its active element segments, then its active data segments, then calls its
start function. In one merged module all active segments come first. So a segment may stay active (it is *hoisted*)
only if nobody can tell: it is provably in bounds, so that it cannot trap; no start function runs between the
instantiation that made its table or memory and its own; and no segment of the same table or memory before it had
to wait. The others become passive and wait for their turn in the merged start function.

Offsets are always known here (see `consts`). A segment of a dead table or memory is dropped if it is in bounds;
otherwise it is *doomed*: nothing can have grown its target, so it will trap, and must still do so in its turn.

Design section 4; spec: core, "Instantiation".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias, final

from meldpy.merger.consts import Constants
from meldpy.merger.reach import Kept
from meldpy.merger.units import Symbols, Unit, symbol_at
from meldpy.model.code import FuncSymbol
from meldpy.model.core import MemoryType, SegmentMode, TableType
from meldpy.model.ids import MemoryId, TableId
from meldpy.records import dataclass

_PAGE_LOG2 = 16


@final
@dataclass(frozen=True, slots=True)
class ApplyElems:
    """Element segment `index` of `unit` goes to `table`, at `offset` (elements); `length` items."""

    unit: Unit
    index: int
    table: TableId
    offset: int
    length: int
    doomed: bool = False


@final
@dataclass(frozen=True, slots=True)
class ApplyData:
    """Data segment `index` of `unit` goes to `memory`, at `offset` (bytes); `length` bytes."""

    unit: Unit
    index: int
    memory: MemoryId
    offset: int
    length: int
    doomed: bool = False


@final
@dataclass(frozen=True, slots=True)
class CallStart:
    func: FuncSymbol


@final
@dataclass(frozen=True, slots=True)
class FillTable:
    """The whole of a new table gets its initialiser's value, which takes a global that tables cannot refer to.

    In bytes, tables come before globals: an initialiser can name imported globals only, and those are definitions now.
    """

    unit: Unit
    table: TableId


Action: TypeAlias = "ApplyElems | ApplyData | CallStart | FillTable"


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """elems, data: hoisted segments in program order. actions: what the merged start function does, in order."""

    elems: tuple[ApplyElems, ...]
    data: tuple[ApplyData, ...]
    actions: tuple[Action, ...]


def plan_initialisation(units: Sequence[Unit], kept: Kept, constants: Constants, symbols: Symbols) -> Plan:
    """The plan; a dead table or memory that a doomed segment needs is added to `kept`."""
    planner = _Planner(units, kept, constants, symbols)
    for unit in planner.ordered:
        planner.instantiate(unit)
    return Plan(tuple(planner.elems), tuple(planner.data), tuple(planner.actions))


@final
class _Planner:
    def __init__(self, units: Sequence[Unit], kept: Kept, constants: Constants, symbols: Symbols) -> None:
        self.units = units
        self.kept = kept
        self.constants = constants
        self.symbols = symbols
        self.ordered = sorted(units, key=lambda unit: unit.order)
        self.live: frozenset[TableId | MemoryId] = frozenset(kept.tables | kept.memories)
        starts = [self._starts(unit) for unit in self.ordered]
        self.starts_before = [0, *accumulate(starts)]
        self.waiting: set[TableId | MemoryId] = set()
        self.elems: list[ApplyElems] = []
        self.data: list[ApplyData] = []
        self.actions: list[Action] = []

    def _starts(self, unit: Unit) -> bool:
        """Whether `unit` has a start function to call; the runtime library's instances exist only if used."""
        return unit.module.start is not None and (not unit.runtime or bool(self.kept.funcs[unit.id]))

    def instantiate(self, unit: Unit) -> None:
        for table, defined in zip(unit.tables[unit.own_tables :], unit.module.tables, strict=True):
            if table in self.live and defined.init is not None and self.constants.needs_global(unit, defined.init):
                self.waiting.add(table)
                self.actions.append(FillTable(unit, table))
        for index, elems in enumerate(unit.module.elements):
            if elems.mode is SegmentMode.ACTIVE:
                assert elems.table is not None
                assert elems.offset is not None
                offset = self.constants.offset(unit, elems.offset)
                self._elems(ApplyElems(unit, index, unit.tables[elems.table], offset, len(elems.items)))
        for index, data in enumerate(unit.module.data):
            if data.mode is SegmentMode.ACTIVE:
                assert data.memory is not None
                assert data.offset is not None
                offset = self.constants.offset(unit, data.offset)
                self._data(ApplyData(unit, index, unit.memories[data.memory], offset, len(data.data)))
        if self._starts(unit):
            assert unit.module.start is not None
            func = symbol_at(unit, unit.module.start)
            assert func is not None, "a start function is live, so its lower is implemented"
            self.actions.append(CallStart(self.symbols.need(func)))

    def _elems(self, segment: ApplyElems) -> None:
        safe = segment.offset + segment.length <= table_type(self.units, segment.table).limits.min
        if segment.table not in self.live:
            if not safe:
                self.kept.tables.add(segment.table)
                self.actions.append(
                    ApplyElems(segment.unit, segment.index, segment.table, segment.offset, segment.length, doomed=True)
                )
        elif safe and self._unobservable(segment.unit, segment.table):
            self.elems.append(segment)
        else:
            self.waiting.add(segment.table)
            self.actions.append(segment)

    def _data(self, segment: ApplyData) -> None:
        safe = segment.offset + segment.length <= memory_bytes(memory_type(self.units, segment.memory))
        if segment.memory not in self.live:
            if not safe:
                self.kept.memories.add(segment.memory)
                self.actions.append(
                    ApplyData(segment.unit, segment.index, segment.memory, segment.offset, segment.length, doomed=True)
                )
        elif safe and self._unobservable(segment.unit, segment.memory):
            self.data.append(segment)
        else:
            self.waiting.add(segment.memory)
            self.actions.append(segment)

    def _unobservable(self, unit: Unit, target: TableId | MemoryId) -> bool:
        """Whether the segment may be applied before every start function without anyone noticing."""
        if target in self.waiting:
            return False
        # Nothing that starts before its instance exists can know the target, so only later starts count.
        definer = self.units[target.instance]
        return self.starts_before[unit.order] == self.starts_before[definer.order]


def table_type(units: Sequence[Unit], table: TableId) -> TableType:
    """The type of a table by its definition, with heap types in its module's type space."""
    unit = units[table.instance]
    return unit.module.tables[table.index - unit.own_tables].type


def memory_type(units: Sequence[Unit], memory: MemoryId) -> MemoryType:
    unit = units[memory.instance]
    return unit.module.memories[memory.index - unit.own_memories]


def memory_bytes(type_: MemoryType) -> int:
    """What a memory holds at least, in bytes."""
    log2 = _PAGE_LOG2 if type_.limits.page_size_log2 is None else type_.limits.page_size_log2
    return type_.limits.min << log2
