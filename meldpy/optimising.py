"""What binaryen's `wasm-opt` makes of a finished module (`-O`), and what that means for what lies around it.

Which features may be used is read from the module itself, so an optimised output runs where the plain one runs. Only
code and names go through the program: custom sections that speak of the module as a whole are put back as they were,
and those that speak of places in the code go (`debug_options` of the pipeline drops DWARF and source maps,
`FuseOptions.check` refuses what would tell places). Imports that nothing uses any more go too, and with them what the
outer component would have bound to them.

What comes back is another program's work, so it is not trusted: the engine validates it, it uses no other feature, and
what it imports and exports is what was given. That it does the same is shown by differential tests and by nothing here.
Running the program is `engine.binaryen`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from meldpy.errors import DecodeError, ValidationError
from meldpy.handed import opcodes
from meldpy.model.core import (
    ArrayType,
    CoreExternType,
    CoreFuncType,
    CoreModule,
    CoreSort,
    CoreValType,
    FuncImportType,
    GlobalType,
    MemoryType,
    NameSection,
    PackedType,
    PlacedCustom,
    RawCustom,
    RefType,
    SegmentMode,
    StructType,
    TableType,
    TagType,
)
from meldpy.model.fused import FusedModule
from meldpy.records import replace

_OF_CODE = "metadata.code."
"""How names of custom sections begin that speak of single instructions."""

_SOURCE = "the output of wasm-opt"


def optimised_module(module: CoreModule, *, names: bool) -> tuple[CoreModule, list[str]]:
    """`module`, optimised, and notes for `-v`. names: keep its name section.

    Raises EngineError if wasm-opt is not there, fails, or gives something that cannot stand in for the module.
    """
    from meldpy.binary.decode import decode_module
    from meldpy.binary.encode import encode_module
    from meldpy.core_output import used_features
    from meldpy.engine.binaryen import optimised, unusable_here
    from meldpy.engine.validate import validate_module

    named = tuple(each for each in module.customs if isinstance(each.section, NameSection))
    features = used_features(module, opcodes(module))
    given = encode_module(replace(module, customs=named if names else ()))
    data = optimised(given, _told(module, features), names=names)
    try:
        validate_module(_SOURCE, data)
        made = decode_module(data, _SOURCE)
    except (ValidationError, DecodeError) as error:
        raise unusable_here("gives an invalid module", (error.reason, *error.causes)) from error
    if changed := [*_changes(module, made)]:
        raise unusable_here("changes what the module imports and exports", tuple(changed))
    if added := set(used_features(made, opcodes(made))) - set(features):
        raise unusable_here("uses what the module did without", tuple(sorted(added)))
    kept, gone = _customs(module)
    names_now = tuple(each for each in made.customs if isinstance(each.section, NameSection))
    notes = [f"dropped custom sections that -O would make stale: {', '.join(gone)}"] if gone else []
    return replace(made, customs=(*names_now, *kept)), notes


def _told(module: CoreModule, features: Iterable[str]) -> set[str]:
    """The features that wasm-opt wants for a module with these. It takes more into some than the proposals have in
    them; that it uses none of that is seen when it is done."""
    told = set(features)
    if "exceptions" in told or any(each.mode is SegmentMode.PASSIVE for each in module.elements):
        told.add("reference-types")  # for exnref, and for all such segments
    if "function-references" in told:
        told.add("tail-call")  # for return_call_ref
    return told


def optimised_fused(fused: FusedModule, *, names: bool) -> tuple[FusedModule, list[str]]:
    """The fused module with its main module optimised, and what binds that one's imports as they are now; notes."""
    main, notes = optimised_module(fused.main, names=names)
    bound = fused.boundary.main_imports
    by_name = {(each.module, each.name): what for each, what in zip(fused.main.imports, bound, strict=True)}
    assert len(by_name) == len(bound), "each import of the main module has a name of its own"
    main_imports = tuple(by_name[each.module, each.name] for each in main.imports)
    return replace(fused, main=main, boundary=replace(fused.boundary, main_imports=main_imports)), notes


def _customs(module: CoreModule) -> tuple[list[PlacedCustom], list[str]]:
    """The custom sections that hold of the optimised module too, and the names of those that do not."""
    kept: list[PlacedCustom] = []
    gone: list[str] = []
    for each in module.customs:
        if isinstance(each.section, RawCustom) and each.section.name.startswith(_OF_CODE):
            gone.append(each.section.name)
        elif not isinstance(each.section, NameSection):
            kept.append(each)
    return kept, gone


# --- the edge ---------------------------------------------------------------------------------------------------------
def _changes(before: CoreModule, after: CoreModule) -> Iterator[str]:
    """How the edge of `after` differs from that of `before`, beyond imports that are gone."""
    imports = {(each.module, each.name): _shape(before, each.type) for each in before.imports}
    for each in after.imports:
        if imports.pop((each.module, each.name), None) != _shape(after, each.type):
            yield f"the import `{each.module}` `{each.name}`"
    old, new = _exports(before), _exports(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"the export `{name}`"


def _exports(module: CoreModule) -> Mapping[str, object]:
    """By name, the sort and type of what is exported."""
    own: Mapping[CoreSort, Iterable[CoreExternType]] = {
        CoreSort.FUNC: map(FuncImportType, module.funcs),
        CoreSort.TABLE: (each.type for each in module.tables),
        CoreSort.MEMORY: module.memories,
        CoreSort.GLOBAL: (each.type for each in module.globals),
        CoreSort.TAG: module.tags,
    }
    spaces = {
        sort: [*(each.type for each in module.imports if isinstance(each.type, _OF_SORT[sort])), *types]
        for sort, types in own.items()
    }
    return {each.name: (each.sort, _shape(module, spaces[each.sort][each.index])) for each in module.exports}


_OF_SORT: Final[Mapping[CoreSort, type[CoreExternType]]] = {
    CoreSort.FUNC: FuncImportType,
    CoreSort.TABLE: TableType,
    CoreSort.MEMORY: MemoryType,
    CoreSort.GLOBAL: GlobalType,
    CoreSort.TAG: TagType,
}


def _shape(module: CoreModule, type_: CoreExternType) -> object:
    """What can be compared with a type of another module: definitions in place of their indices."""
    definitions = [each for group in module.types for each in group.types]

    def defined(index: int, around: tuple[int, ...]) -> object:
        """A definition; inside of itself (it is in `around`), how far out it is."""
        if index in around:
            return around[::-1].index(index)
        sub, inside = definitions[index], (*around, index)
        above = tuple(defined(each, inside) for each in sub.supertypes)
        match sub.comp:
            case CoreFuncType(params, results):
                parts = [tuple(value(each, inside) for each in params), tuple(value(each, inside) for each in results)]
            case StructType(fields):
                parts = [tuple((value(each.storage, inside), each.mutable) for each in fields)]
            case ArrayType(element):
                parts = [(value(element.storage, inside), element.mutable)]
        return type(sub.comp), sub.final, above, tuple(parts)

    def value(each: CoreValType | PackedType, around: tuple[int, ...]) -> object:
        if isinstance(each, RefType) and isinstance(each.heap, int):
            return each.nullable, defined(each.heap, around)
        return each

    match type_:
        case FuncImportType(index) | TagType(index):
            return type(type_), defined(index, ())
        case TableType(element, limits):
            return value(element, ()), limits
        case GlobalType(content, mutable):
            return value(content, ()), mutable
        case MemoryType():
            return type_
