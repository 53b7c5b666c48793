"""A module with several memories as one with a single memory; it behaves the same.

Bodies are rewritten by the kernel (handed in), the helper functions are put behind the others, data segments move to
their regions' places, and the exported memory is the one there is. Everything else keeps its index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.core_output.helpers import (
    OUT_OF_BOUNDS,
    Helpers,
    base_global,
    copy_name,
    fill_name,
    grow_name,
    helpers,
    init_name,
    length_global,
)
from meldpy.core_output.regions import Region, RegionPlan, plan_regions
from meldpy.model.core import (
    Code,
    ConstOp,
    CoreFuncType,
    CoreMemoryIndex,
    CoreModule,
    CoreSort,
    CoreTypeIndex,
    DataSegment,
    FuncImportType,
    Global,
    GlobalType,
    Limits,
    MemoryType,
    NameKind,
    NameMap,
    NameSection,
    NumType,
    Op,
    SegmentMode,
)
from meldpy.model.regions import MemoryUses, RegionCode, RegionMap
from meldpy.model.reindexed import IndexMaps, Positions, Rewritten
from meldpy.records import dataclass, replace

Survey: TypeAlias = "Callable[[CoreModule], MemoryUses]"
Rebase: TypeAlias = "Callable[[CoreModule, Sequence[int], RegionMap], Rewritten]"
Reindexed: TypeAlias = "Callable[[CoreModule, IndexMaps], bytes]"
Assemble: TypeAlias = "Callable[[str], CoreModule]"


@final
@dataclass(frozen=True, slots=True)
class Tools:
    """What this stage is handed: the kernel's loops, and the assembler of text."""

    survey: Survey
    rebase: Rebase
    reindex: Reindexed
    assemble: Assemble


@final
@dataclass(frozen=True, slots=True)
class OneMemory:
    """regions: by the index of the memory that each one was; none if nothing had to be done. positions: where each byte
    of the bodies went, if that was asked for."""

    module: CoreModule
    regions: tuple[RegionCode, ...] = ()
    positions: Positions | None = None


def in_one_memory(module: CoreModule, names: Sequence[str], limits: Mapping[str, int], tools: Tools) -> OneMemory:
    """`names`: what the user calls the memories; `limits`: most pages by name. At most one memory is exported.

    Raises UsageError, LimitError and UnsupportedError as `plan_regions` does.
    """
    if not module.memories or (len(module.memories) == 1 and not limits):
        return OneMemory(module)
    exported = [export.index for export in module.exports if export.sort is CoreSort.MEMORY]
    uses = tools.survey(module)
    plan = plan_regions(module.memories, names, uses, exported[0] if exported else None, limits)
    made = helpers(plan, uses)
    helper = tools.assemble(made.text)
    first = _first(module)
    mapped = _region_map(plan, uses, made, first)
    moved = tools.rebase(module, _params(module), mapped)
    added = tools.reindex(helper, _maps(helper, first))
    starts = {region.memory: region.start for region in plan.regions}
    joined = replace(
        module,
        types=(*module.types, *helper.types),
        funcs=(*module.funcs, *(CoreTypeIndex(first.types + type_) for type_ in helper.funcs)),
        memories=(MemoryType(Limits(plan.pages, plan.most)),),
        globals=(*module.globals, *(_global(value) for _, value in made.globals)),
        exports=tuple(replace(e, index=0) if e.sort is CoreSort.MEMORY else e for e in module.exports),
        code=Code(module.code.count + helper.code.count, moved.bodies + added),
        data=tuple(_moved(segment, starts) for segment in module.data),
        customs=tuple(
            replace(each, section=_named(each.section, made, first)) if isinstance(each.section, NameSection) else each
            for each in module.customs
        ),
    )
    return OneMemory(joined, tuple(mapped.regions), moved.positions)


@final
@dataclass(frozen=True, slots=True)
class _First:
    """The indices of what is added."""

    types: int
    funcs: int
    globals: int


def _first(module: CoreModule) -> _First:
    imported = Counter(type(import_.type) for import_ in module.imports)
    return _First(
        sum(len(group.types) for group in module.types),
        imported[FuncImportType] + len(module.funcs),
        imported[GlobalType] + len(module.globals),
    )


def _params(module: CoreModule) -> list[int]:
    types = [type_.comp for group in module.types for type_ in group.types]
    counts: list[int] = []
    for index in module.funcs:
        type_ = types[index]
        assert isinstance(type_, CoreFuncType)
        counts.append(len(type_.params))
    return counts


def _region_map(plan: RegionPlan, uses: MemoryUses, made: Helpers, first: _First) -> RegionMap:
    funcs = {name: first.funcs + i for i, name in enumerate(made.funcs)}
    globals_ = {name: first.globals + i for i, (name, _) in enumerate(made.globals)}

    def code(region: Region) -> RegionCode:
        length, base = length_global(region), base_global(region)
        return RegionCode(
            region.is64,
            region.page_log2,
            0 if base is not None else region.start,
            None if base is None else globals_[base],
            region.size if length is None and not region.unchecked else None,
            None if length is None else globals_[length],
            region.size,
            funcs.get(grow_name(region)),
            funcs.get(fill_name(region)),
            funcs.get(init_name(region)),
        )

    by_memory = {region.memory: region for region in plan.regions}
    copies = {(d, s): funcs[copy_name(by_memory[d], by_memory[s])] for d, s in uses.copied}
    ordered = tuple(code(by_memory[memory]) for memory in sorted(by_memory))
    return RegionMap(ordered, copies, funcs[OUT_OF_BOUNDS])


def _maps(helper: CoreModule, first: _First) -> IndexMaps:
    def behind(start: int, count: int) -> range:
        return range(start, start + count)

    types = sum(len(group.types) for group in helper.types)
    return IndexMaps(
        types=behind(first.types, types),
        funcs=behind(first.funcs, len(helper.funcs)),
        tables=(),
        memories=(0,),
        globals=behind(first.globals, len(helper.globals)),
        tags=(),
        elems=(),
        data=(),
    )


def _global(value: int) -> Global:
    return Global(GlobalType(NumType.I32, True), _offset(value))


def _offset(value: int) -> tuple[ConstOp]:
    return (ConstOp(Op.I32_CONST, value - (1 << 32) if value >> 31 else value),)


def _moved(segment: DataSegment, starts: Mapping[int, int]) -> DataSegment:
    if segment.mode is not SegmentMode.ACTIVE:
        return segment
    assert segment.memory is not None
    assert segment.offset is not None
    (op,) = segment.offset  # the merger knows all offsets
    assert isinstance(op.operand, int)
    bits = 64 if op.opcode == Op.I64_CONST else 32
    at = starts[segment.memory] + op.operand % (1 << bits)
    return replace(segment, memory=CoreMemoryIndex(0), offset=_offset(at), explicit_memory=False)


def _named(section: NameSection, made: Helpers, first: _First) -> NameSection:
    """With names for what was added; the memories' own names mean nothing any more."""
    added = {
        NameKind.FUNCTION: [(first.funcs + i, name) for i, name in enumerate(made.funcs)],
        NameKind.GLOBAL: [(first.globals + i, name) for i, (name, _) in enumerate(made.globals)],
    }
    maps: dict[NameKind, NameMap] = {kind: names for kind, names in section.maps if kind is not NameKind.MEMORY}
    for kind, names in added.items():
        if names:
            maps[kind] = (*maps.get(kind, ()), *names)
    kinds = sorted([*(kind.value for kind in maps), *(kind.value for kind, _ in section.indirect)])
    if section.module is not None:
        kinds = [0, *kinds]
    return replace(section, maps=tuple(sorted(maps.items(), key=lambda item: item[0].value)), order=tuple(kinds))
