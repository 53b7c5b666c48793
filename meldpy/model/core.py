"""Core WebAssembly modules, as read from bytes and as written to bytes.

Everything but function bodies, data bytes and unknown custom sections is model; those three stay slices of the
input (`memoryview`/`bytes`). Indices here are positions in this one module. The binary reader and writer
(`binary/decode/core.py`, `binary/encode/core.py`) are each other's inverse on canonical input.

Spec: WebAssembly 3.0 core, binary format; plus threads (shared, atomics), custom page sizes, wide arithmetic.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TypeAlias, final

from meldpy.model.ids import (
    CoreDataIndex,
    CoreElemIndex,
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    CoreTypeIndex,
)
from meldpy.records import dataclass, field

Bytes: TypeAlias = "bytes | memoryview"
"""A slice: read-only, compared by content."""


# --- types --------------------------------------------------------------------------------------------------
@unique
class NumType(Enum):
    """Number and vector types; the value is the binary opcode."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B


@unique
class AbsHeapType(Enum):
    """Abstract heap types; the value is the binary opcode."""

    NOEXN = 0x74
    NOFUNC = 0x73
    NOEXTERN = 0x72
    NONE = 0x71
    FUNC = 0x70
    EXTERN = 0x6F
    ANY = 0x6E
    EQ = 0x6D
    I31 = 0x6C
    STRUCT = 0x6B
    ARRAY = 0x6A
    EXN = 0x69


HeapType: TypeAlias = "AbsHeapType | int"
"""An abstract heap type, or a type index (`CoreTypeIndex`)."""


@final
@dataclass(frozen=True, slots=True)
class RefType:
    nullable: bool
    heap: HeapType


CoreValType: TypeAlias = "NumType | RefType"

FUNCREF = RefType(True, AbsHeapType.FUNC)
EXTERNREF = RefType(True, AbsHeapType.EXTERN)


@unique
class PackedType(Enum):
    """Storage types of fields that are not value types; the value is the binary opcode."""

    I8 = 0x78
    I16 = 0x77


@final
@dataclass(frozen=True, slots=True)
class FieldType:
    storage: CoreValType | PackedType
    mutable: bool


@final
@dataclass(frozen=True, slots=True)
class CoreFuncType:
    params: tuple[CoreValType, ...]
    results: tuple[CoreValType, ...]


@final
@dataclass(frozen=True, slots=True)
class StructType:
    fields: tuple[FieldType, ...]


@final
@dataclass(frozen=True, slots=True)
class ArrayType:
    element: FieldType


CompType: TypeAlias = "CoreFuncType | StructType | ArrayType"


@final
@dataclass(frozen=True, slots=True)
class SubType:
    """`sub final? supertypes* comp`. A plain type is final with no supertypes (the shorthand form in bytes)."""

    comp: CompType
    final: bool = True
    supertypes: tuple[CoreTypeIndex, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class RecGroup:
    """One recursion group. `explicit`: written with the 0x4e prefix (always so unless it has exactly one type)."""

    types: tuple[SubType, ...]
    explicit: bool = False


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in pages or elements. `page_size_log2` is set only where custom-page-sizes wrote it."""

    min: int
    max: int | None = None
    is64: bool = False
    shared: bool = False
    page_size_log2: int | None = None


@final
@dataclass(frozen=True, slots=True)
class TableType:
    element: RefType
    limits: Limits


@final
@dataclass(frozen=True, slots=True)
class MemoryType:
    limits: Limits


@final
@dataclass(frozen=True, slots=True)
class GlobalType:
    value: CoreValType
    mutable: bool


@final
@dataclass(frozen=True, slots=True)
class TagType:
    type: CoreTypeIndex


@final
@dataclass(frozen=True, slots=True)
class FuncImportType:
    type: CoreTypeIndex


CoreExternType: TypeAlias = "FuncImportType | TableType | MemoryType | GlobalType | TagType"


# --- constant expressions -----------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class ConstOp:
    """One instruction of a constant expression.

    opcode: the instruction's opcode; for the 0xFB and 0xFD prefixes `(prefix << 8) | sub-opcode`.
    operand: its immediate, by opcode: an int for i32/i64.const (signed), 4/8/16 raw little-endian bytes for
    f32/f64/v128.const, a CoreGlobalIndex for global.get, a CoreFuncIndex for ref.func, a HeapType for ref.null,
    a CoreTypeIndex for struct.new, struct.new_default, array.new, array.new_default,
    a (CoreTypeIndex, count) pair for array.new_fixed, None where there is none.
    """

    opcode: int
    operand: int | bytes | AbsHeapType | tuple[int, int] | None = None


ConstExpr: TypeAlias = "tuple[ConstOp, ...]"
"""Without the final `end`."""


class Op:
    """Opcodes that constant expressions use, as in `ConstOp.opcode`."""

    I32_CONST = 0x41
    I64_CONST = 0x42
    F32_CONST = 0x43
    F64_CONST = 0x44
    GLOBAL_GET = 0x23
    REF_NULL = 0xD0
    REF_FUNC = 0xD2
    I32_ADD = 0x6A
    I32_SUB = 0x6B
    I32_MUL = 0x6C
    I64_ADD = 0x7C
    I64_SUB = 0x7D
    I64_MUL = 0x7E
    V128_CONST = 0xFD0C
    STRUCT_NEW = 0xFB00
    STRUCT_NEW_DEFAULT = 0xFB01
    ARRAY_NEW = 0xFB06
    ARRAY_NEW_DEFAULT = 0xFB07
    ARRAY_NEW_FIXED = 0xFB08
    ANY_CONVERT_EXTERN = 0xFB1A
    EXTERN_CONVERT_ANY = 0xFB1B
    REF_I31 = 0xFB1C


# --- definitions --------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class CoreImport:
    module: str
    name: str
    type: CoreExternType


@unique
class CoreSort(Enum):
    """Sorts that a core module can import and export; the value is the binary opcode (of Binary.md too)."""

    FUNC = 0x00
    TABLE = 0x01
    MEMORY = 0x02
    GLOBAL = 0x03
    TAG = 0x04


@final
@dataclass(frozen=True, slots=True)
class CoreExport:
    name: str
    sort: CoreSort
    index: int


@final
@dataclass(frozen=True, slots=True)
class Table:
    type: TableType
    init: ConstExpr | None = None


@final
@dataclass(frozen=True, slots=True)
class Global:
    type: GlobalType
    init: ConstExpr


@unique
class SegmentMode(Enum):
    ACTIVE = 0
    PASSIVE = 1
    DECLARATIVE = 2


@final
@dataclass(frozen=True, slots=True)
class ElementSegment:
    """`items` are function indices, or constant expressions if `expressions` is set.

    `explicit_table`: an active segment whose bytes name its table even where the short form would do (flag bit 1).
    """

    mode: SegmentMode
    element: RefType
    items: tuple[CoreFuncIndex, ...] | tuple[ConstExpr, ...]
    expressions: bool = False
    table: CoreTableIndex | None = None
    offset: ConstExpr | None = None
    explicit_table: bool = False


@final
@dataclass(frozen=True, slots=True)
class DataSegment:
    """`memory` and `offset` are set exactly for active segments."""

    mode: SegmentMode
    data: Bytes
    memory: CoreMemoryIndex | None = None
    offset: ConstExpr | None = None
    explicit_memory: bool = False


@final
@dataclass(frozen=True, slots=True)
class Code:
    """The content of a code section behind its count: `count` bodies, each prefixed by its size.

    `offset`: file offset of `bodies[0]`, for messages. `lead`: bytes of the count in front of them as it was read
    (debugging information counts from there).
    """

    count: int
    bodies: Bytes
    offset: int = field(default=0, compare=False)
    lead: int = field(default=1, compare=False)


# --- custom sections ----------------------------------------------------------------------------------------
@unique
class NameKind(Enum):
    """Subsections of the `name` section that are plain name maps; the value is the subsection id."""

    FUNCTION = 1
    TYPE = 4
    TABLE = 5
    MEMORY = 6
    GLOBAL = 7
    ELEM = 8
    DATA = 9
    TAG = 11


@unique
class IndirectNameKind(Enum):
    """Subsections of the `name` section that map an outer index to a name map."""

    LOCAL = 2
    LABEL = 3
    FIELD = 10


NameMap: TypeAlias = "tuple[tuple[int, str], ...]"


@final
@dataclass(frozen=True, slots=True)
class NameSection:
    """The `name` custom section, well-formed. `order`: the subsection ids present, as in bytes (0 is `module`)."""

    module: str | None = None
    maps: tuple[tuple[NameKind, NameMap], ...] = ()
    indirect: tuple[tuple[IndirectNameKind, tuple[tuple[int, NameMap], ...]], ...] = ()
    order: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class ProducersSection:
    """The `producers` custom section: (field name, ((value, version), …)) in order."""

    fields: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@final
@dataclass(frozen=True, slots=True)
class RawCustom:
    """Any other custom section (or a `name`/`producers` section that is not well-formed): a slice."""

    name: str
    data: Bytes


CoreCustom: TypeAlias = "NameSection | ProducersSection | RawCustom"


@final
@dataclass(frozen=True, slots=True)
class PlacedCustom:
    """A custom section and the id of the known section it follows (0: before all of them)."""

    after: int
    section: CoreCustom


@final
@dataclass(frozen=True, slots=True)
class CoreModule:
    """One core module. `funcs[i]` is the type of the i-th *defined* function; its body is the i-th in `code`.

    `sections`: ids of the non-custom sections present, in order (needed to tell an empty section from none; an
    empty tuple means "those that are not empty"). `size` and `offset` locate the module's bytes in its file.
    """

    types: tuple[RecGroup, ...] = ()
    imports: tuple[CoreImport, ...] = ()
    funcs: tuple[CoreTypeIndex, ...] = ()
    tables: tuple[Table, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    tags: tuple[TagType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[CoreExport, ...] = ()
    start: CoreFuncIndex | None = None
    elements: tuple[ElementSegment, ...] = ()
    data_count: int | None = None
    code: Code = Code(0, b"")
    data: tuple[DataSegment, ...] = ()
    customs: tuple[PlacedCustom, ...] = ()
    sections: tuple[int, ...] = ()
    offset: int = field(default=0, compare=False)
    size: int = field(default=0, compare=False)


__all__ = [
    "EXTERNREF",
    "FUNCREF",
    "AbsHeapType",
    "ArrayType",
    "Bytes",
    "Code",
    "CompType",
    "ConstExpr",
    "ConstOp",
    "CoreCustom",
    "CoreDataIndex",
    "CoreElemIndex",
    "CoreExport",
    "CoreExternType",
    "CoreFuncIndex",
    "CoreFuncType",
    "CoreGlobalIndex",
    "CoreImport",
    "CoreMemoryIndex",
    "CoreModule",
    "CoreSort",
    "CoreTableIndex",
    "CoreTagIndex",
    "CoreTypeIndex",
    "CoreValType",
    "DataSegment",
    "ElementSegment",
    "FieldType",
    "FuncImportType",
    "Global",
    "GlobalType",
    "HeapType",
    "IndirectNameKind",
    "Limits",
    "MemoryType",
    "NameKind",
    "NameMap",
    "NameSection",
    "NumType",
    "Op",
    "PackedType",
    "PlacedCustom",
    "ProducersSection",
    "RawCustom",
    "RecGroup",
    "RefType",
    "SegmentMode",
    "StructType",
    "SubType",
    "Table",
    "TableType",
    "TagType",
]
