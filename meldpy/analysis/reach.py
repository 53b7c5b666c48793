"""What anything reaches: the roots are what the host can see or what instantiation runs.

From the exported lifts, the start functions, the destructors and the segments that instantiation applies to live
tables, everything that a live body, constant expression or canonical definition refers to is live. A lower makes
its lift live, a lift its core function: so reachability crosses component boundaries in both directions.

An active segment of a dead table or memory keeps it alive unless it provably lies in bounds, because applying it
may trap at instantiation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meldpy.analysis.bounds import Bounds
from meldpy.analysis.constants import Constants
from meldpy.analysis.spaces import Spaces
from meldpy.model.builtins import Copy, EventPlace, TaskReturn, TextOptions, ThreadStart
from meldpy.model.core import ConstExpr, ElementSegment, Op, SegmentMode
from meldpy.model.facts import CodeFacts, Live, RefKind
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    FuncId,
    GlobalId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    CanonicalOptions,
    CoreFunc,
    FuncItem,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    LowerFunc,
    OuterItem,
    TypeItem,
)


class Reach:
    """A work list over everything that can be live. `run` drains it; `live` is the result."""

    def __init__(
        self,
        graph: LinkedGraph,
        all_spaces: list[Spaces],
        code: Mapping[ModuleId, CodeFacts],
        forwards: Mapping[FuncId, CoreFunc],
        constants: Constants,
    ) -> None:
        self.graph = graph
        self.all_spaces = all_spaces
        self.code = code
        self.forwards = forwards
        self.bounds = Bounds(all_spaces, constants)
        self.funcs: set[FuncId] = set()
        self.tables: set[TableId] = set()
        self.memories: set[MemoryId] = set()
        self.globals: set[GlobalId] = set()
        self.tags: set[TagId] = set()
        self.elems: set[tuple[CoreInstanceId, int]] = set()
        self.data: set[tuple[CoreInstanceId, int]] = set()
        self.lifts: set[LiftId] = set()
        self.lowers: set[LowerId] = set()
        self.builtins: set[BuiltinId] = set()
        self.named: set[FuncId | LowerFunc | BuiltinFunc] = set()
        """Functions whose address is taken: by ref.func, or by a live segment."""
        self._pending: list[FuncId] = []
        self._table_elems, self._memory_data = self._active_segments()

    # --- roots -------------------------------------------------------------------------------------------------
    def run(self, called: Iterable[LiftId] = ()) -> Live:
        """`called`: lifts that something outside the graph calls, besides those that it exports."""
        for lift in called:
            self._lift(lift)
        for export in self.graph.exports:
            self._item(export.item)
        for spaces in self.all_spaces:
            if spaces.module.start is not None:
                self._func(spaces.func(spaces.module.start))
            self._uncertain_segments(spaces)
        for resource in self.graph.resources:
            if resource.dtor is not None:
                self._func(resource.dtor)
        while self._pending:
            self._body(self._pending.pop())
        return Live(
            frozenset(self.funcs),
            frozenset(self.tables),
            frozenset(self.memories),
            frozenset(self.globals),
            frozenset(self.tags),
            frozenset(self.elems),
            frozenset(self.data),
            frozenset(self.lifts),
            frozenset(self.lowers),
            frozenset(self.builtins),
        )

    def _item(self, item: OuterItem) -> None:
        match item:
            case FuncItem(func=LiftFunc(lift=lift)):
                self._lift(lift)
            case InstanceItem(exports=exports, hidden=hidden):
                for _, inner in (*exports, *hidden):
                    self._item(inner)
            case FuncItem() | TypeItem():
                pass

    def _active_segments(
        self,
    ) -> tuple[dict[TableId, list[tuple[Spaces, int]]], dict[MemoryId, list[tuple[Spaces, int]]]]:
        elems: dict[TableId, list[tuple[Spaces, int]]] = {}
        data: dict[MemoryId, list[tuple[Spaces, int]]] = {}
        for spaces in self.all_spaces:
            for i, element in enumerate(spaces.module.elements):
                if element.mode is SegmentMode.ACTIVE:
                    assert element.table is not None
                    elems.setdefault(spaces.table(element.table), []).append((spaces, i))
            for i, segment in enumerate(spaces.module.data):
                if segment.mode is SegmentMode.ACTIVE:
                    assert segment.memory is not None
                    data.setdefault(spaces.memory(segment.memory), []).append((spaces, i))
        return elems, data

    def _uncertain_segments(self, spaces: Spaces) -> None:
        """Keep what an active segment writes to unless the segment is certain not to trap."""
        for target in self.bounds.uncertain(spaces):
            if isinstance(target, TableId):
                self._table(target)
            else:
                self._memory(target)

    # --- edges ----------------------------------------------------------------------------------------------------
    def _func(self, func: CoreFunc) -> None:
        """A binding to `func` is live (jumps are looked through)."""
        match func:
            case FuncId():
                target = self.forwards.get(func, func)
                if isinstance(target, FuncId):
                    if target not in self.funcs:
                        self.funcs.add(target)
                        self._pending.append(target)
                else:
                    self._func(target)
            case LowerFunc(lower=lower):
                self._lower(lower)
            case BuiltinFunc(builtin=builtin):
                self._builtin(builtin)

    def _name(self, func: CoreFunc) -> None:
        self.named.add(func)
        self._func(func)

    def _lower(self, id_: LowerId) -> None:
        if id_ in self.lowers:
            return
        self.lowers.add(id_)
        lower = self.graph.lowers[id_]
        self._options(lower.options)
        if isinstance(lower.callee, LiftFunc):
            self._lift(lower.callee.lift)

    def _builtin(self, id_: BuiltinId) -> None:
        if id_ in self.builtins:
            return
        self.builtins.add(id_)
        builtin = self.graph.builtins[id_]
        if not isinstance(builtin, AsyncBuiltin):
            return
        match builtin.immediates:
            case TaskReturn(options=options) | Copy(options=options) | TextOptions(options=options):
                self._options(options)
            case EventPlace(memory=memory):
                self._memory(memory)
            case ThreadStart(table=TableId() as table):
                self._table(table)
            case _:
                pass

    def _lift(self, id_: LiftId) -> None:
        if id_ in self.lifts:
            return
        self.lifts.add(id_)
        lift = self.graph.lifts[id_]
        self._func(lift.core_func)
        self._options(lift.options)

    def _options(self, options: CanonicalOptions) -> None:
        if options.memory is not None:
            self._memory(options.memory)
        for func in (options.realloc, options.post_return, options.callback):
            if func is not None:
                self._func(func)

    def _memory(self, memory: MemoryId) -> None:
        if memory in self.memories:
            return
        self.memories.add(memory)
        for spaces, i in self._memory_data.get(memory, ()):
            self._data(spaces, i)

    def _table(self, table: TableId) -> None:
        if table in self.tables:
            return
        self.tables.add(table)
        owner = self.all_spaces[table.instance]
        init = owner.module.tables[table.index - len(owner.imported_tables)].init
        if init is not None:
            self._expr(owner, init)
        for spaces, i in self._table_elems.get(table, ()):
            self._elem(spaces, i)

    def _elem(self, spaces: Spaces, index: int) -> None:
        if (spaces.id, index) in self.elems:
            return
        self.elems.add((spaces.id, index))
        segment: ElementSegment = spaces.module.elements[index]
        if segment.mode is SegmentMode.ACTIVE:
            assert segment.table is not None
            assert segment.offset is not None
            self._table(spaces.table(segment.table))
            self._expr(spaces, segment.offset)
        for item in segment.items:
            if isinstance(item, tuple):
                self._expr(spaces, item)
            else:
                self._name(spaces.func(item))

    def _data(self, spaces: Spaces, index: int) -> None:
        if (spaces.id, index) in self.data:
            return
        self.data.add((spaces.id, index))
        segment = spaces.module.data[index]
        if segment.mode is SegmentMode.ACTIVE:
            assert segment.memory is not None
            assert segment.offset is not None
            self._memory(spaces.memory(segment.memory))
            self._expr(spaces, segment.offset)

    def _global(self, global_: GlobalId) -> None:
        if global_ in self.globals:
            return
        self.globals.add(global_)
        spaces = self.all_spaces[global_.instance]
        self._expr(spaces, spaces.module.globals[global_.index - len(spaces.imported_globals)].init)

    def _expr(self, spaces: Spaces, expr: ConstExpr) -> None:
        for op in expr:
            if op.opcode == Op.GLOBAL_GET and isinstance(op.operand, int):
                self._global(spaces.global_(op.operand))
            elif op.opcode == Op.REF_FUNC and isinstance(op.operand, int):
                self._name(spaces.func(op.operand))

    def _body(self, func: FuncId) -> None:
        spaces = self.all_spaces[func.instance]
        facts = self.code[spaces.module_id]
        i = func.index - len(spaces.imported_funcs)
        start, end = facts.spans[i], facts.spans[i + 1]
        for kind, index in zip(facts.kinds[start:end], facts.indices[start:end], strict=True):
            if kind == RefKind.CALL:
                self._func(spaces.func(index))
            elif kind == RefKind.GLOBAL_GET or kind == RefKind.GLOBAL_SET:
                self._global(spaces.global_(index))
            elif kind == RefKind.MEMORY_READ or kind == RefKind.MEMORY_WRITE:
                self._memory(spaces.memory(index))
            elif kind == RefKind.REF_FUNC:
                self._name(spaces.func(index))
            elif kind in (RefKind.CALL_INDIRECT, RefKind.TABLE_READ, RefKind.TABLE_WRITE):
                self._table(spaces.table(index))
            elif kind == RefKind.ELEM:
                self._elem(spaces, index)
            elif kind == RefKind.DATA:
                self._data(spaces, index)
            elif kind == RefKind.TAG:
                self.tags.add(spaces.tag(index))
