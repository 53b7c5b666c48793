"""The code section: guests' bodies through the kernel, emitted bodies resolved from symbols to indices.

Spec: core binary format, "Code Section".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import assert_never, final

from meldpy.asm.leb import signed, unsigned
from meldpy.merger.layout import Layout, space_map
from meldpy.merger.limits import check_body, check_locals
from meldpy.merger.protocols import DROPPED, Reindex
from meldpy.merger.references import References
from meldpy.merger.segments import Segments
from meldpy.merger.units import Unit
from meldpy.model.code import (
    Chunk,
    Emitted,
    FuncRef,
    GlobalRef,
    MemArg,
    MemoryRef,
    TableRef,
    TagRef,
    TypeRef,
)
from meldpy.model.core import AbsHeapType, Bytes, CoreFuncType, CoreValType, NumType
from meldpy.model.facts import RefKind
from meldpy.model.ids import CoreInstanceId, ModuleId
from meldpy.model.reindexed import IndexMaps, Positions, TableParts
from meldpy.records import dataclass, field

_END = b"\x0b"
_REF_FUNC = 0xD2
_MEMORY_INDEX_FOLLOWS = 0x40
_NON_NULLABLE = b"\x64"


@final
@dataclass(slots=True)
class CodeWriter:
    """Collects entries of the code section, each prefixed by its size; `size` is that of all of them."""

    count: int = 0
    size: int = 0
    parts: list[Bytes] = field(default_factory=list)

    def entry(self, name: str, locals_: Sequence[CoreValType], params: int, body: bytes) -> None:
        """One function of ours; `body` is without the final `end`."""
        check_locals(name, params + len(locals_))
        content = _locals(locals_) + body + _END
        check_body(name, len(content))
        self.put(1, unsigned(len(content)) + content)

    def put(self, count: int, bodies: bytes) -> None:
        self.count += count
        self.size += len(bodies)
        self.parts.append(bodies)

    def join(self) -> Bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


@final
@dataclass(frozen=True, slots=True)
class Moved:
    """base: where a unit's first body lies in the merged `bodies`; bodies: all of the unit's that were copied, each
    behind its size; positions: where each byte went from `base`."""

    base: int
    bodies: Bytes
    positions: Positions | None


def write_guests(
    layout: Layout, segments: Segments, reindex: Reindex, code: CodeWriter, with_positions: bool
) -> dict[CoreInstanceId, Moved]:
    """The functions of all units that are copied, in index order; where those of each unit went."""
    moved: dict[CoreInstanceId, Moved] = {}
    for unit in layout.units:
        own = layout.kept.funcs[unit.id]
        if not own:
            continue
        bodies = unit.module.code
        rewritten = reindex(
            bodies.bodies,
            bodies.count,
            _maps(unit, layout, segments),
            _keep(unit, own),
            source_offset=bodies.offset,
            source=unit.location.source,
            path=unit.location.path,
            with_positions=with_positions and not unit.runtime,
        )
        assert rewritten.count == len(own)
        check_body(unit.label, rewritten.largest)
        moved[unit.id] = Moved(code.size, rewritten.bodies, rewritten.positions)
        code.put(rewritten.count, rewritten.bodies)
    return moved


def _keep(unit: Unit, own: Sequence[int]) -> list[bool] | None:
    if len(own) == unit.module.code.count:
        return None
    keep = [False] * unit.module.code.count
    for index in own:
        keep[index - unit.own_funcs] = True
    return keep


def _maps(unit: Unit, layout: Layout, segments: Segments) -> IndexMaps:
    return IndexMaps(
        types=layout.module_types[unit.module_id],
        funcs=layout.funcs[unit.id],
        tables=space_map(layout.tables, unit.tables),
        memories=space_map(layout.memories, unit.memories),
        globals=space_map(layout.globals, unit.globals),
        tags=space_map(layout.tags, unit.tags),
        elems=segments.elem_maps[unit.id],
        data=segments.data_maps[unit.id],
        parts=_parts(unit, layout),
    )


def _parts(unit: Unit, layout: Layout) -> TableParts | None:
    """What the kernel must know of a unit whose bodies call through parts; None if none does."""
    through = {index for index, table in enumerate(unit.tables) if table in layout.parts}
    if not through:
        return None
    facts = unit.code
    params = [-1] * unit.module.code.count
    for at in _calls(facts.kinds):
        if facts.indices[at] in through:
            body = bisect_right(facts.spans, at) - 1
            type_ = unit.types[unit.func_types[unit.own_funcs + body]].comp
            assert isinstance(type_, CoreFuncType), "a function's type is a function type"
            params[body] = len(type_.params)
    slots = [layout.parts.get(table, range(0)) for table in unit.tables]
    return TableParts([each.start for each in slots], [len(each) for each in slots], params, layout.trap_type)


def _calls(kinds: Sequence[int]) -> Iterator[int]:
    """Where indirect calls are among the kinds of references."""
    at = -1
    raw = bytes(kinds)
    while (at := raw.find(RefKind.CALL_INDIRECT, at + 1)) >= 0:
        yield at


def write_emitted(functions: Iterable[Emitted], layout: Layout, code: CodeWriter) -> None:
    for function in functions:
        code.entry(function.name, function.locals, len(function.type.params), written(function.body, layout))


def written(body: Iterable[Chunk], layout: Layout) -> bytes:
    """A body with the merged module's indices in place of its symbols."""
    return b"".join([_chunk(chunk, layout) for chunk in body])


def _chunk(chunk: Chunk, layout: Layout) -> bytes:
    match chunk:
        case bytes():
            return chunk
        case FuncRef(func):
            return unsigned(layout.func(func))
        case MemArg(memory, align_log2, offset):
            index = layout.memory(memory)
            if index == 0:
                return unsigned(align_log2) + unsigned(offset)
            return unsigned(align_log2 | _MEMORY_INDEX_FOLLOWS) + unsigned(index) + unsigned(offset)
        case MemoryRef(memory):
            return unsigned(layout.memory(memory))
        case GlobalRef(target):
            return unsigned(layout.global_(target))
        case TypeRef(type_):
            # A signed LEB is a valid u32 LEB too: for a type index the two differ only by a padding byte.
            return signed(layout.types.func(type_))
        case TableRef(table):
            return unsigned(layout.table(table))
        case TagRef(tag):
            return unsigned(layout.tag(tag))
        case _:
            assert_never(chunk)


def _locals(types: Sequence[CoreValType]) -> bytes:
    runs = [(len(list(run)), type_) for type_, run in groupby(types)]
    return unsigned(len(runs)) + b"".join([unsigned(count) + _val_type(type_) for count, type_ in runs])


def _val_type(type_: CoreValType) -> bytes:
    if isinstance(type_, NumType):
        return bytes((type_.value,))
    assert isinstance(type_.heap, AbsHeapType), "emitted code has no locals of concrete reference types"
    heap = bytes((type_.heap.value,))
    return heap if type_.nullable else _NON_NULLABLE + heap


# --- functions behind ref.func --------------------------------------------------------------------------------
def referenced_functions(
    functions: Iterable[Emitted], layout: Layout, references: Mapping[ModuleId, References]
) -> set[int]:
    """The merged indices of all functions that some body names by ref.func, and which must therefore be declared."""
    found: set[int] = set()
    for unit in layout.units:
        if layout.kept.funcs[unit.id]:
            space = layout.funcs[unit.id]
            found.update([space[index] for index in references[unit.module_id].ref_funcs])
    for function in functions:
        for before, chunk in zip(function.body, function.body[1:], strict=False):
            if isinstance(chunk, FuncRef) and isinstance(before, bytes) and before[-1:] == bytes((_REF_FUNC,)):
                found.add(layout.func(chunk.func))
    found.discard(DROPPED)
    return found
