"""What is copied: the guests' live items as analysis found them, and what emitted code needs of the runtime library.

Runtime instances exist only because emitted code refers to them, so their liveness starts there and stays inside
them: a function of theirs is copied exactly if emitted code, a start function or another copied function names it.
What emitted code refers to of a guest is live by analysis; a memory, table, global or tag that only emitted code
names is added here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

from meldpy.merger.units import Symbols, Unit, symbol_at
from meldpy.model.code import (
    Adapted,
    Chunk,
    FlagRef,
    FuncRef,
    FuncSymbol,
    GlobalRef,
    GlobalSymbol,
    MemArg,
    MemoryRef,
    TableRef,
    TagRef,
    TypeRef,
)
from meldpy.model.core import ConstExpr, Op, SegmentMode
from meldpy.model.facts import Live, RefKind
from meldpy.model.ids import CoreInstanceId, FuncId, MemoryId, TableId, TagId
from meldpy.records import dataclass

Segment: TypeAlias = tuple[CoreInstanceId, int]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """funcs: for each unit, the defined functions to copy, as ascending indices of its function space.

    elems, data: passive segments to copy. Active ones follow their table or memory.
    """

    funcs: dict[CoreInstanceId, list[int]]
    tables: set[TableId]
    memories: set[MemoryId]
    globals: set[GlobalSymbol]
    tags: set[TagId]
    elems: set[Segment]
    data: set[Segment]


def kept_items(units: Sequence[Unit], live: Live, adapted: Adapted, symbols: Symbols) -> Kept:
    reach = _Reach(units, live, {runtime.id for runtime in adapted.runtime}, symbols)
    reach.emitted(chunk for function in adapted.functions for chunk in function.body)
    for target in (*adapted.lowers.values(), *adapted.builtins.values()):
        reach.func(target)
    for options in (*(x.options for x in adapted.outer_lifts), *(x.options for x in adapted.outer_lowers)):
        if options.memory is not None:
            reach.memories.add(options.memory)
        for func in (options.realloc, options.post_return, options.callback):
            if func is not None:
                reach.func(func)
    reach.memories.update(each.memory for each in adapted.outer_async if each.memory is not None)
    for builtin in adapted.outer_async:
        if builtin.realloc is not None:
            reach.func(builtin.realloc)
    for lift in adapted.outer_lifts:
        reach.func(lift.core_func)
    for resource in adapted.outer_resources:
        if resource.dtor is not None:
            reach.func(resource.dtor)
    if adapted.core is not None:
        if adapted.core.memory is not None:
            reach.memories.add(adapted.core.memory)
        reach.func(adapted.core.realloc)
    reach.drain()
    by_unit: defaultdict[CoreInstanceId, list[int]] = defaultdict(list)
    for func in (*live.funcs, *reach.funcs):
        if not symbols.forwarded(func):
            by_unit[func.instance].append(func.index)
    return Kept(
        {unit.id: sorted(set(by_unit[unit.id])) for unit in units},
        reach.tables,
        reach.memories,
        reach.globals,
        reach.tags,
        reach.elems,
        reach.data,
    )


@final
class _Reach:
    def __init__(self, units: Sequence[Unit], live: Live, runtime: set[CoreInstanceId], symbols: Symbols) -> None:
        self.units = units
        self.runtime = runtime
        self.symbols = symbols
        self.funcs: set[FuncId] = set()
        self.tables = set(live.tables)
        self.memories = set(live.memories)
        self.globals: set[GlobalSymbol] = set(live.globals)
        self.tags = set(live.tags)
        self.elems = set(live.elems)
        self.data = set(live.data)
        self._started: set[CoreInstanceId] = set()
        self._pending: list[FuncId] = []

    def func(self, symbol: FuncSymbol | None) -> None:
        target = None if symbol is None else self.symbols.resolve(symbol)
        if isinstance(target, FuncId) and target.instance in self.runtime and target not in self.funcs:
            self.funcs.add(target)
            self._pending.append(target)

    def emitted(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            match chunk:
                case FuncRef(func):
                    self.func(func)
                case MemArg(memory=memory) | MemoryRef(memory):
                    self.memories.add(memory)
                case GlobalRef(target):
                    self._global(target)
                case TableRef(table):
                    self._table(table)
                case TagRef(tag):
                    self.tags.add(tag)
                case bytes() | TypeRef():
                    pass

    def drain(self) -> None:
        while self._pending:
            func = self._pending.pop()
            unit = self.units[func.instance]
            self._start(unit)
            self._body(unit, func.index - unit.own_funcs)

    def _start(self, unit: Unit) -> None:
        if unit.id not in self._started:
            self._started.add(unit.id)
            if unit.module.start is not None:
                self.func(symbol_at(unit, unit.module.start))

    def _body(self, unit: Unit, position: int) -> None:
        facts = unit.code
        span = slice(facts.spans[position], facts.spans[position + 1])
        for kind, index in zip(facts.kinds[span], facts.indices[span], strict=True):
            match kind:
                case RefKind.CALL | RefKind.REF_FUNC:
                    self.func(symbol_at(unit, index))
                case RefKind.CALL_INDIRECT | RefKind.TABLE_READ | RefKind.TABLE_WRITE:
                    self._table(unit.tables[index])
                case RefKind.MEMORY_READ | RefKind.MEMORY_WRITE:
                    self.memories.add(unit.memories[index])
                case RefKind.GLOBAL_GET | RefKind.GLOBAL_SET:
                    self._global(unit.globals[index])
                case RefKind.TAG:
                    self.tags.add(unit.tags[index])
                case RefKind.ELEM:
                    self._elem(unit, index)
                case RefKind.DATA:
                    self.data.add((unit.id, index))

    def _elem(self, unit: Unit, index: int) -> None:
        self.elems.add((unit.id, index))
        for item in unit.module.elements[index].items:
            if isinstance(item, tuple):
                self._expr(unit, item)
            else:
                self.func(symbol_at(unit, item))

    def _table(self, table: TableId) -> None:
        self.tables.add(table)
        if table.instance not in self.runtime:
            return
        unit = self.units[table.instance]
        init = unit.module.tables[table.index - unit.own_tables].init
        if init is not None:
            self._expr(unit, init)
        for index, segment in enumerate(unit.module.elements):
            if segment.mode is SegmentMode.ACTIVE and segment.table is not None and unit.tables[segment.table] == table:
                self._elem(unit, index)

    def _global(self, target: GlobalSymbol) -> None:
        if target in self.globals or isinstance(target, FlagRef):
            return
        self.globals.add(target)
        if target.instance in self.runtime:
            unit = self.units[target.instance]
            self._expr(unit, unit.module.globals[target.index - unit.own_globals].init)

    def _expr(self, unit: Unit, expr: ConstExpr) -> None:
        for op in expr:
            if op.opcode == Op.REF_FUNC and isinstance(op.operand, int):
                self.func(symbol_at(unit, op.operand))
            elif op.opcode == Op.GLOBAL_GET and isinstance(op.operand, int):
                self._global(unit.globals[op.operand])
