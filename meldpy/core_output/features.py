"""What an engine has: features by name, named targets, and whether a module keeps to them.

`bulk-memory-opt` is memory.copy and memory.fill alone, as LLVM calls it. A target is what an engine has as it comes;
features can be added and taken away (`wazero,+tail-call`, `-simd`). Without a target everything is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meldpy.errors import UnsupportedError, UsageError
from meldpy.model.core import (
    FUNCREF,
    ArrayType,
    CoreFuncType,
    CoreModule,
    MemoryType,
    NameKind,
    NameSection,
    NumType,
    RefType,
    SegmentMode,
    StructType,
    TableType,
    TagType,
)
from meldpy.model.regions import Seen

_WASM2: Final = frozenset(
    {
        "sign-extension",
        "nontrapping-fptoint",
        "multi-value",
        "bulk-memory-opt",
        "bulk-memory",
        "reference-types",
        "simd",
    }
)
FEATURES: Final = _WASM2 | {
    "custom-page-sizes",
    "exceptions",
    "extended-const",
    "function-references",
    "gc",
    "legacy-exceptions",
    "memory64",
    "multi-memory",
    "relaxed-simd",
    "tail-call",
    "threads",
    "wide-arithmetic",
}
TARGETS: Final[Mapping[str, frozenset[str]]] = {
    "wasm1": frozenset(),
    "wasm2": _WASM2,
    "wazero": _WASM2,
    "wamr": _WASM2 - {"simd"},
    "wasm3": frozenset({"sign-extension", "nontrapping-fptoint", "multi-value", "bulk-memory-opt", "tail-call"}),
}


def parse_features(text: str) -> frozenset[str]:
    """The features that are allowed. Raises UsageError for an unknown name."""
    allowed = FEATURES
    for word in filter(None, (each.strip() for each in text.split(","))):
        if word in TARGETS:
            allowed = TARGETS[word]
        elif word[0] in "+-" and word[1:] in FEATURES:
            allowed = allowed | {word[1:]} if word[0] == "+" else allowed - {word[1:]}
        else:
            raise UsageError(
                f"--features: there is no {word}",
                remedy=f"targets: {', '.join(TARGETS)}; with + or -: {', '.join(sorted(FEATURES))}",
            )
    return allowed


def used_features(module: CoreModule, seen: Sequence[Seen]) -> list[str]:
    """What `module` needs beyond WebAssembly 1.0, sorted. `seen`: its instructions."""
    instructions = (instruction_feature(each.prefix, each.opcode) for each in seen)
    return sorted({feature for feature, _ in _structure(module)} | {each for each in instructions if each is not None})


def check_features(module: CoreModule, seen: Sequence[Seen], allowed: frozenset[str]) -> None:
    """Raise UnsupportedError for the first thing in `module` that is not allowed. `seen`: its instructions."""
    for feature, what in _structure(module):
        if feature not in allowed:
            raise _refusal(feature, what)
    names = _names(module)
    imported = len(module.imports)
    for each in sorted(seen, key=lambda item: item.offset):
        needed = instruction_feature(each.prefix, each.opcode)
        if needed is not None and needed not in allowed:
            index = imported + each.function
            opcode = f"{each.opcode:#04x}" if each.prefix == 0 else f"{each.prefix:#04x} {each.opcode:#x}"
            what = f"instruction {opcode} of function {names.get(index, index)}, at {each.offset:#x} in the code,"
            raise _refusal(needed, what)


_REMEDIES: Final = {
    "a second memory": "fuse with --memory single",
    "a second table": "fuse fewer components: each brings a table",
}


def _refusal(feature: str, what: str) -> UnsupportedError:
    remedy = _REMEDIES.get(what) or "build the guest without it"
    return UnsupportedError("by the target", f"{what} needs {feature}", remedy=f"{remedy}, or allow it: +{feature}")


def _names(module: CoreModule) -> Mapping[int, str]:
    for custom in module.customs:
        if isinstance(custom.section, NameSection):
            return dict(dict(custom.section.maps).get(NameKind.FUNCTION, ()))
    return {}


# --- instructions -----------------------------------------------------------------------------------------------------
TYPED_BLOCK: Final = 0xE0
"""Not an opcode: a block whose type is an index, as the kernel notes it."""
_ONE_BYTE: Final[Mapping[int, str]] = {
    **dict.fromkeys((0x06, 0x07, 0x09, 0x18, 0x19), "legacy-exceptions"),
    **dict.fromkeys((0x08, 0x0A, 0x1F), "exceptions"),
    **dict.fromkeys((0x12, 0x13), "tail-call"),
    **dict.fromkeys((0x14, 0x15, 0xD4, 0xD5, 0xD6), "function-references"),
    **dict.fromkeys((0x1C, 0x25, 0x26, 0xD0, 0xD1, 0xD2), "reference-types"),
    **dict.fromkeys(range(0xC0, 0xC5), "sign-extension"),
    0xD3: "gc",
    TYPED_BLOCK: "multi-value",
}


def instruction_feature(prefix: int, opcode: int) -> str | None:
    """The feature that an instruction belongs to; None for those of WebAssembly 1.0."""
    match prefix:
        case 0:
            return _ONE_BYTE.get(opcode)
        case 0xFB:
            return "gc"
        case 0xFC if opcode < 8:
            return "nontrapping-fptoint"
        case 0xFC if opcode in (0x0A, 0x0B):
            return "bulk-memory-opt"
        case 0xFC if opcode < 0x0F:
            return "bulk-memory"
        case 0xFC:
            return "reference-types" if opcode < 0x12 else "wide-arithmetic"
        case 0xFD:
            return "simd" if opcode < 0x100 else "relaxed-simd"
        case _:
            return "threads"


# --- everything else --------------------------------------------------------------------------------------------------
def _structure(module: CoreModule) -> Iterator[tuple[str, str]]:
    """What a module's other sections need: the feature, and for what."""
    for group in module.types:
        if len(group.types) > 1 or group.explicit:
            yield "gc", "a recursive type group"
        for type_ in group.types:
            match type_.comp:
                case StructType() | ArrayType():
                    yield "gc", "a struct or array type"
                case CoreFuncType(params, results):
                    if len(results) > 1:
                        yield "multi-value", "a function type with several results"
                    for each in (*params, *results):
                        yield from _value_type(each, "a function type")
            if type_.supertypes or not type_.final:
                yield "gc", "a subtype"
    memories = [*(each.type for each in module.imports if isinstance(each.type, MemoryType)), *module.memories]
    tables = [*(each.type for each in module.imports if isinstance(each.type, TableType))]
    tables += [each.type for each in module.tables]
    if len(memories) > 1:
        yield "multi-memory", "a second memory"
    for memory in memories:
        limits = memory.limits
        for present, feature in (
            (limits.is64, "memory64"),
            (limits.shared, "threads"),
            (limits.page_size_log2 is not None, "custom-page-sizes"),
        ):
            if present:
                yield feature, "a memory"
    if len(tables) > 1:
        yield "reference-types", "a second table"
    for table in tables:
        if table.element != FUNCREF:
            yield "reference-types", "a table of other things than functions"
        if table.limits.is64:
            yield "memory64", "a table"
    if module.tags or any(isinstance(each.type, TagType) for each in module.imports):
        yield "exceptions", "a tag"
    for global_ in module.globals:
        yield from _value_type(global_.type.value, "a global")
        if len(global_.init) > 1:
            yield "extended-const", "a global's initial value"
    for offset in (*(each.offset for each in module.elements), *(each.offset for each in module.data)):
        if offset is not None and len(offset) > 1:
            yield "extended-const", "the offset of a segment"
    for element in module.elements:
        if element.mode is SegmentMode.PASSIVE:
            yield "bulk-memory", "a passive element segment"
        elif element.mode is SegmentMode.DECLARATIVE or element.expressions:
            yield "reference-types", "an element segment"
    if module.data_count is not None or any(data.mode is SegmentMode.PASSIVE for data in module.data):
        yield "bulk-memory", "a passive data segment"


def _value_type(type_: object, what: str) -> Iterator[tuple[str, str]]:
    if isinstance(type_, RefType):
        yield "reference-types", what
    elif type_ is NumType.V128:
        yield "simd", what
