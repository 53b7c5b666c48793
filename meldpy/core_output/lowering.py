"""A module without what a target lacks, as far as the same can be said otherwise: in our code and in guests' alike.

Toolchains use sign extensions, saturating truncations, memory.copy, memory.fill and several results as a matter of
course, and an engine of WebAssembly 1.0 has none of them. They are replaced by shifts, by calls of functions that do
the same (`replacing`), and by globals in which all results but the first travel. Everything else that is missing is for
`check_features` to refuse; vectors never appear in our code for a target without them (adapter, runtime).

A function type of several results becomes one of a single result, so two types that were different may become
equal. Only a call through a table could tell, so results stay as they are if any function of such a type can be reached
through a reference, or if code names such a type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, final

from meldpy.core_output.features import instruction_feature
from meldpy.core_output.replacing import Wanted, replacing
from meldpy.model.core import (
    Code,
    ConstOp,
    CoreFuncType,
    CoreModule,
    CoreSort,
    CoreTypeIndex,
    CoreValType,
    FuncImportType,
    Global,
    GlobalType,
    NumType,
    Op,
    SegmentMode,
)
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.lowered import Replacements
from meldpy.model.regions import MemoryUses, Seen
from meldpy.model.reindexed import IndexMaps, Positions, Rewritten
from meldpy.records import dataclass, replace

Lower: TypeAlias = "Callable[[CoreModule, Replacements], Rewritten | None]"


@final
@dataclass(frozen=True, slots=True)
class LoweringTools:
    """What this stage is handed: the kernel's loops, and the assembler of text."""

    see: Callable[[CoreModule], Sequence[Seen]]
    survey: Callable[[CoreModule], MemoryUses]
    scan: Callable[[CoreModule], CodeFacts]
    lower: Lower
    reindex: Callable[[CoreModule, IndexMaps], bytes]
    assemble: Callable[[str], CoreModule]


LOWERABLE: Final = frozenset({"sign-extension", "nontrapping-fptoint", "bulk-memory-opt", "multi-value"})
"""The features whose instructions can be said otherwise; with all of them nothing in the code moves."""


@final
@dataclass(frozen=True, slots=True)
class Lowered:
    """positions: where each byte of the bodies went; None if none moved, or if nobody asked."""

    module: CoreModule
    positions: Positions | None = None


def lowered(module: CoreModule, allowed: frozenset[str], tools: LoweringTools) -> Lowered:
    """The module with what `allowed` lacks said otherwise, where that is possible."""
    seen = tools.see(module)
    used = {instruction_feature(each.prefix, each.opcode) for each in seen}
    lacking = used - allowed
    truncations = [each.opcode for each in seen if each.prefix == _MISC and each.opcode < _TRUNCATIONS]
    uses = tools.survey(module)
    wanted = Wanted(
        tuple(sorted(truncations)) if "nontrapping-fptoint" in lacking else (),
        tuple(sorted(uses.copied)) if "bulk-memory-opt" in lacking else (),
        tuple(sorted(uses.filled)) if "bulk-memory-opt" in lacking else (),
    )
    several = _several_results(module, tools) if "multi-value" not in allowed else {}
    signs = "sign-extension" in lacking
    result = Lowered(module)
    if signs or wanted.something or several:
        made = _replaced(module, wanted, several, signs, tools)
        # a branch out of a function with several results: then they stay
        result = made or _replaced(module, wanted, {}, signs, tools) or result
    return replace(result, module=_without_count(result.module, allowed))


_MISC: Final = 0xFC
_TRUNCATIONS: Final = 8
Results: TypeAlias = "Mapping[int, tuple[CoreValType, ...]]"
"""For each function of several results, all but the first."""


def _replaced(
    module: CoreModule, wanted: Wanted, several: Results, signs: bool, tools: LoweringTools
) -> Lowered | None:
    """None if a branch leaves a function of `several`."""
    types = [type_ for group in module.types for type_ in group.types]
    imported_funcs = sum(isinstance(each.type, FuncImportType) for each in module.imports)
    imported_globals = sum(isinstance(each.type, GlobalType) for each in module.imports)
    first_type, first_func = len(types), imported_funcs + len(module.funcs)
    first_global = imported_globals + len(module.globals)
    helper = replacing(wanted, module.memories, tools.assemble) if wanted.something else None
    carriers, extra = _carriers(several, first_global)
    names = wanted.order()
    made = tools.lower(
        module,
        Replacements(
            signs,
            {op: first_func + names.index(("truncation", op)) for op in wanted.truncations},
            {pair: first_func + names.index(("copy", pair)) for pair in wanted.copies},
            {memory: first_func + names.index(("fill", memory)) for memory in wanted.fills},
            extra,
        ),
    )
    if made is None:
        return None
    module = replace(
        module,
        code=Code(module.code.count, made.bodies),
        globals=(*module.globals, *(Global(GlobalType(type_, True), _zero(type_)) for type_ in carriers)),
    )
    if several:
        module = _single_results(module)
    if helper is None:
        return Lowered(module, made.positions)
    maps = IndexMaps(
        types=range(first_type, first_type + sum(len(group.types) for group in helper.types)),
        funcs=range(first_func, first_func + len(helper.funcs)),
        tables=(),
        memories=range(len(module.memories)),
        globals=(),
        tags=(),
        elems=(),
        data=(),
    )
    whole = replace(
        module,
        types=(*module.types, *helper.types),
        funcs=(*module.funcs, *(CoreTypeIndex(first_type + type_) for type_ in helper.funcs)),
        code=Code(module.code.count + helper.code.count, made.bodies + tools.reindex(helper, maps)),
    )
    return Lowered(whole, made.positions)


# --- several results --------------------------------------------------------------------------------------------------
def _several_results(module: CoreModule, tools: LoweringTools) -> Results:
    """Functions of several results; empty if something could tell that their types change."""
    types = [type_.comp for group in module.types for type_ in group.types]
    many = {i for i, type_ in enumerate(types) if isinstance(type_, CoreFuncType) and len(type_.results) > 1}
    imported = [each.type.type for each in module.imports if isinstance(each.type, FuncImportType)]
    funcs = [*imported, *module.funcs]
    facts = tools.scan(module)
    mentioned = set(zip(facts.kinds, facts.indices, strict=True))
    referred: set[object] = {index for kind, index in mentioned if kind == RefKind.REF_FUNC}
    referred |= {export.index for export in module.exports if export.sort is CoreSort.FUNC}
    referred |= set(range(len(imported)))
    referred |= {item for element in module.elements for item in element.items if isinstance(item, int)}
    expressions = [item for element in module.elements for item in element.items if not isinstance(item, int)]
    expressions += [each.init for each in module.globals]
    expressions += [each.init for each in module.tables if each.init is not None]
    referred |= {op.operand for each in expressions for op in each if op.opcode == Op.REF_FUNC}
    named = {index for kind, index in mentioned if kind == RefKind.TYPE}
    tagged = {tag.type for tag in module.tags}
    if many & (named | tagged | {funcs[index] for index in referred if isinstance(index, int)}):
        return {}
    found: dict[int, tuple[CoreValType, ...]] = {}
    for index, type_index in enumerate(funcs):
        if type_index in many:
            type_ = types[type_index]
            assert isinstance(type_, CoreFuncType)
            if any(not isinstance(each, NumType) or each is NumType.V128 for each in type_.results):
                return {}
            found[index] = type_.results[1:]
    return found


def _carriers(several: Results, first: int) -> tuple[list[CoreValType], dict[int, tuple[int, ...]]]:
    """Types of the globals that carry results, and which of them each function uses: one for each position and type."""
    places: dict[tuple[int, CoreValType], int] = {}
    for results in several.values():
        for place in enumerate(results):
            places.setdefault(place, first + len(places))
    extra = {func: tuple(places[place] for place in enumerate(results)) for func, results in several.items()}
    return [type_ for _, type_ in places], extra


def _single_results(module: CoreModule) -> CoreModule:
    groups = []
    for group in module.types:
        types = tuple(
            replace(each, comp=replace(each.comp, results=each.comp.results[:1]))
            if isinstance(each.comp, CoreFuncType)
            else each
            for each in group.types
        )
        groups.append(replace(group, types=types))
    return replace(module, types=tuple(groups))


def _zero(type_: CoreValType) -> tuple[ConstOp]:
    match type_:
        case NumType.I32:
            return (ConstOp(Op.I32_CONST, 0),)
        case NumType.I64:
            return (ConstOp(Op.I64_CONST, 0),)
        case NumType.F32:
            return (ConstOp(Op.F32_CONST, bytes(4)),)
        case NumType.F64:
            return (ConstOp(Op.F64_CONST, bytes(8)),)
    raise AssertionError(f"no global carries a {type_}")


def _without_count(module: CoreModule, allowed: frozenset[str]) -> CoreModule:
    """Without a data count section, where nothing asks for one."""
    if "bulk-memory" in allowed or any(segment.mode is SegmentMode.PASSIVE for segment in module.data):
        return module
    return replace(module, data_count=None)
