"""Element and data segments of the merged module and of the carriers' memories, and the maps for the bodies.

A hoisted segment stays active, data beside its memory. A segment that has to wait for its turn becomes passive. An
active or declarative segment is empty once its instance exists (the engine drops it), so an instruction that still
names one gets an empty passive segment of the same type, one for all of them: that frees hoisted segments to live
in a carrier, or to be joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, final

from meldpy.errors import InternalError
from meldpy.merger.exprs import ExprWriter
from meldpy.merger.limits import SEGMENTS
from meldpy.merger.plan import ApplyData, ApplyElems, Plan, memory_type, table_type
from meldpy.merger.protocols import DROPPED
from meldpy.merger.references import References
from meldpy.merger.types import remap_ref
from meldpy.merger.units import Unit
from meldpy.model.core import (
    AbsHeapType,
    Bytes,
    ConstExpr,
    ConstOp,
    CoreDataIndex,
    CoreFuncIndex,
    CoreMemoryIndex,
    CoreTableIndex,
    DataSegment,
    ElementSegment,
    Op,
    RefType,
    SegmentMode,
)
from meldpy.model.ids import CoreInstanceId, MemoryId, ModuleId
from meldpy.records import replace

Home: TypeAlias = "tuple[CoreInstanceId, int]"
_FUNCS: Final = RefType(False, AbsHeapType.FUNC)
"""The element type of segments that list function indices."""


@final
class Segments:
    """elems, data: the main module's. carried: each carried memory's data. elem_maps, data_maps: per unit, for bodies.

    elem_homes, data_homes: (unit, its index) → index in main, for names; carried_homes: the same, in the order of
    `carried`. Segments that were joined have none.
    """

    def __init__(
        self,
        plan: Plan,
        writer: ExprWriter,
        main_memories: Sequence[MemoryId],
        references: Mapping[ModuleId, References],
    ) -> None:
        self.writer = writer
        self.layout = writer.layout
        self.elems: list[ElementSegment] = []
        self.data: list[DataSegment] = []
        self.carried: defaultdict[MemoryId, list[DataSegment]] = defaultdict(list)
        self.elem_maps: list[list[int]] = [[DROPPED] * len(unit.module.elements) for unit in self.layout.units]
        self.data_maps: list[list[int]] = [[DROPPED] * len(unit.module.data) for unit in self.layout.units]
        self.elem_homes: dict[Home, int] = {}
        self.data_homes: dict[Home, int] = {}
        self.carried_homes: defaultdict[MemoryId, list[Home]] = defaultdict(list)
        self._empty_elems: dict[RefType, int] = {}
        self._empty_data: int | None = None
        self._applied_elems: dict[tuple[CoreInstanceId, int], int] = {}
        self._applied_data: dict[tuple[CoreInstanceId, int], int] = {}
        self._hoist(plan, frozenset(main_memories))
        self._wait(plan)
        for unit in self.layout.units:
            self._map_elems(unit, references[unit.module_id])
            self._map_data(unit, references[unit.module_id])

    # --- active -------------------------------------------------------------------------------------------------
    def _hoist(self, plan: Plan, main_memories: frozenset[MemoryId]) -> None:
        for elems in plan.elems:
            if elems.length:
                table = CoreTableIndex(self.layout.table(elems.table))
                is64 = table_type(self.layout.units, elems.table).limits.is64
                offset = _offset(self.layout.parts.get(elems.table, range(0)).start + elems.offset, is64)
                items = self._items(elems.unit, elems.index)
                self.elem_homes[elems.unit.id, elems.index] = len(self.elems)
                self.elems.append(replace(items, mode=SegmentMode.ACTIVE, table=table, offset=offset))
        main: list[DataSegment] = []
        main_homes: list[Home] = []
        for data in plan.data:
            if data.length:
                own = data.memory in main_memories
                index = CoreMemoryIndex(self.layout.memory(data.memory) if own else 0)
                offset = _offset(data.offset, memory_type(self.layout.units, data.memory).limits.is64)
                segment = DataSegment(SegmentMode.ACTIVE, _bytes(data), index, offset)
                (main if own else self.carried[data.memory]).append(segment)
                (main_homes if own else self.carried_homes[data.memory]).append((data.unit.id, data.index))
        self.data += join_if_many(main)
        if len(self.data) == len(main_homes):
            self.data_homes.update((home, index) for index, home in enumerate(main_homes))
        for memory, segments in self.carried.items():
            self.carried[memory] = join_if_many(segments)
            if len(self.carried[memory]) != len(segments):
                del self.carried_homes[memory]

    def _items(self, unit: Unit, index: int) -> ElementSegment:
        """The segment with merged indices, as if it were passive."""
        segment = unit.module.elements[index]
        element = remap_ref(segment.element, self.layout.type_map(unit))
        if segment.expressions:
            exprs: list[ConstExpr] = []
            for item in segment.items:
                assert isinstance(item, tuple)
                exprs.append(self.writer.write(unit, item))
            return ElementSegment(SegmentMode.PASSIVE, element, tuple(exprs), expressions=True)
        funcs = self.layout.funcs[unit.id]
        items = tuple([CoreFuncIndex(funcs[item]) for item in segment.items if isinstance(item, int)])
        if items and min(items) == DROPPED:
            raise InternalError(f"element segment {index} of {unit.label} is live, but one of its functions is not")
        return ElementSegment(SegmentMode.PASSIVE, element, items)

    # --- passive ------------------------------------------------------------------------------------------------
    def _wait(self, plan: Plan) -> None:
        for action in plan.actions:
            match action:
                case ApplyElems(unit, index, doomed=False):
                    self._applied_elems[unit.id, index] = self._passive_elems(unit, index)
                case ApplyData(unit, index, doomed=False):
                    self.data_homes[unit.id, index] = len(self.data)
                    self._applied_data[unit.id, index] = self._passive_data(_bytes(action))
                case _:
                    pass

    def applied_elems(self, action: ApplyElems) -> int:
        """The segment that the start function applies; for a doomed one any that is too short to fit."""
        if action.doomed:
            element = action.unit.module.elements[action.index].element
            return self._empty_elem(remap_ref(element, self.layout.type_map(action.unit)))
        return self._applied_elems[action.unit.id, action.index]

    def applied_data(self, action: ApplyData) -> int:
        return self._no_data() if action.doomed else self._applied_data[action.unit.id, action.index]

    def _passive_elems(self, unit: Unit, index: int) -> int:
        self.elem_homes[unit.id, index] = len(self.elems)
        self.elems.append(self._items(unit, index))
        return len(self.elems) - 1

    def _passive_data(self, data: Bytes) -> int:
        self.data.append(DataSegment(SegmentMode.PASSIVE, data))
        return len(self.data) - 1

    def _empty_elem(self, element: RefType) -> int:
        if element not in self._empty_elems:
            self.elems.append(ElementSegment(SegmentMode.PASSIVE, element, (), expressions=True))
            self._empty_elems[element] = len(self.elems) - 1
        return self._empty_elems[element]

    def _no_data(self) -> int:
        if self._empty_data is None:
            self._empty_data = self._passive_data(b"")
        return self._empty_data

    # --- for the bodies -----------------------------------------------------------------------------------------
    def _map_elems(self, unit: Unit, references: References) -> None:
        for index in sorted(references.elems):
            segment = unit.module.elements[index]
            if (unit.id, index) in self._applied_elems:
                new = self._applied_elems[unit.id, index]
            elif segment.mode is not SegmentMode.PASSIVE:
                new = self._empty_elem(remap_ref(segment.element, self.layout.type_map(unit)))
            elif (unit.id, index) in self.layout.kept.elems:
                new = self._passive_elems(unit, index)
            else:
                continue
            self.elem_maps[unit.id][index] = new

    def _map_data(self, unit: Unit, references: References) -> None:
        for index in sorted(references.data):
            segment = unit.module.data[index]
            if (unit.id, index) in self._applied_data:
                new = self._applied_data[unit.id, index]
            elif segment.mode is not SegmentMode.PASSIVE:
                new = self._no_data()
            elif (unit.id, index) in self.layout.kept.data:
                new = self._passive_data(segment.data)
                self.data_homes[unit.id, index] = new
            else:
                continue
            self.data_maps[unit.id][index] = new

    # --- ours ---------------------------------------------------------------------------------------------------
    def fill_forwarders(self, funcs: Sequence[int]) -> None:
        """The forwarders' table, from slot 0."""
        if funcs:
            items = tuple(CoreFuncIndex(index) for index in funcs)
            table = CoreTableIndex(self.layout.forwarder_table)
            self.elems.append(ElementSegment(SegmentMode.ACTIVE, _FUNCS, items, table=table, offset=_offset(0, False)))

    def declare(self, funcs: set[int]) -> None:
        """Adds a declarative segment for functions that no segment names yet; must come last."""
        for segment in self.elems:
            if segment.expressions:
                for expr in segment.items:
                    assert isinstance(expr, tuple)
                    funcs -= {op.operand for op in expr if op.opcode == Op.REF_FUNC and isinstance(op.operand, int)}
            else:
                funcs.difference_update(item for item in segment.items if isinstance(item, int))
        if funcs:
            items = tuple(CoreFuncIndex(index) for index in sorted(funcs))
            self.elems.append(ElementSegment(SegmentMode.DECLARATIVE, _FUNCS, items))

    @property
    def has_passive_data(self) -> bool:
        return any(segment.mode is SegmentMode.PASSIVE for segment in self.data)


def _bytes(action: ApplyData) -> Bytes:
    return action.unit.module.data[CoreDataIndex(action.index)].data


def _offset(value: int, is64: bool) -> ConstExpr:
    """An offset as a constant: unsigned in meaning, signed in writing."""
    bits = 64 if is64 else 32
    signed = value - (1 << bits) if value >> (bits - 1) else value
    return (ConstOp(Op.I64_CONST if is64 else Op.I32_CONST, signed),)


# --- many segments --------------------------------------------------------------------------------------------
def join_if_many(segments: list[DataSegment]) -> list[DataSegment]:
    """Touching constant segments joined if there are too many for an engine; neighbours in program order only."""
    if len(segments) <= SEGMENTS // 2:
        return segments
    joined: list[DataSegment] = []
    run: list[DataSegment] = []
    end = -1
    for segment in segments:
        start = _start(segment)
        if run and (start != end or segment.memory != run[0].memory):
            joined.append(_joined(run))
            run = []
        run.append(segment)
        end = start + len(segment.data)
    if run:
        joined.append(_joined(run))
    return joined


def _start(segment: DataSegment) -> int:
    assert segment.offset is not None
    (op,) = segment.offset
    assert isinstance(op.operand, int)
    return op.operand % (1 << (64 if op.opcode == Op.I64_CONST else 32))


def _joined(run: list[DataSegment]) -> DataSegment:
    if len(run) == 1:
        return run[0]
    return DataSegment(SegmentMode.ACTIVE, b"".join(s.data for s in run), run[0].memory, run[0].offset)
