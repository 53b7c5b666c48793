"""Components as read from bytes: a list of sections, each a list of definitions, nested as they are nested.

Nothing is evaluated here; indices are positions in the index spaces of the enclosing component or type. Section
grouping and order are part of the model, so that `encode(decode(x)) == x` for canonical input. Every section
carries the whole-file offset of each of its items (not compared). Spec: Binary.md.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TypeAlias, final

from meldpy.model.canon import Canon
from meldpy.model.core import CoreExternType, CoreImport, CoreModule, CoreTypeIndex, CoreValType, RawCustom, RecGroup
from meldpy.model.extern import ExternName
from meldpy.model.ids import (
    ComponentIndex,
    CoreFuncIndex,
    CoreInstanceIndex,
    CoreModuleIndex,
    FuncIndex,
    InstanceIndex,
    TypeIndex,
    ValueIndex,
)
from meldpy.model.valtype import (
    BorrowType,
    EnumType,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValTypeRef,
    VariantType,
)
from meldpy.records import dataclass, field


@unique
class Sort(Enum):
    """All sorts of a component. The value is the encoding: (0x00, core sort) for core sorts, (sort,) otherwise."""

    CORE_FUNC = (0x00, 0x00)
    CORE_TABLE = (0x00, 0x01)
    CORE_MEMORY = (0x00, 0x02)
    CORE_GLOBAL = (0x00, 0x03)
    CORE_TAG = (0x00, 0x04)
    CORE_TYPE = (0x00, 0x10)
    CORE_MODULE = (0x00, 0x11)
    CORE_INSTANCE = (0x00, 0x12)
    FUNC = (0x01,)
    VALUE = (0x02,)
    TYPE = (0x03,)
    COMPONENT = (0x04,)
    INSTANCE = (0x05,)


@final
@dataclass(frozen=True, slots=True)
class SortIndex:
    sort: Sort
    index: int


# --- core instances -----------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class CoreInstantiate:
    """`args`: (import module name, core instance), in binary order."""

    module: CoreModuleIndex
    args: tuple[tuple[str, CoreInstanceIndex], ...]


@final
@dataclass(frozen=True, slots=True)
class CoreInlineExports:
    """`exports`: (name, item); sorts are core sorts."""

    exports: tuple[tuple[str, SortIndex], ...]


CoreInstanceDef: TypeAlias = "CoreInstantiate | CoreInlineExports"


# --- instances ----------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Instantiate:
    component: ComponentIndex
    args: tuple[tuple[str, SortIndex], ...]


@final
@dataclass(frozen=True, slots=True)
class InlineExports:
    exports: tuple[tuple[ExternName, SortIndex], ...]


InstanceDef: TypeAlias = "Instantiate | InlineExports"


# --- aliases ------------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class ExportAlias:
    sort: Sort
    instance: InstanceIndex
    name: str


@final
@dataclass(frozen=True, slots=True)
class CoreExportAlias:
    sort: Sort
    instance: CoreInstanceIndex
    name: str


@final
@dataclass(frozen=True, slots=True)
class OuterAlias:
    """`count`: enclosing scopes to go outwards (0 is this one); `index` in that scope's space of `sort`."""

    sort: Sort
    count: int
    index: int


Alias: TypeAlias = "ExportAlias | CoreExportAlias | OuterAlias"


# --- core types ---------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class CoreTypeAlias:
    """The outer alias declarator of a core module type (always of sort `type`)."""

    count: int
    index: CoreTypeIndex


@final
@dataclass(frozen=True, slots=True)
class CoreExportDecl:
    name: str
    type: CoreExternType


ModuleDecl: TypeAlias = "CoreImport | RecGroup | CoreTypeAlias | CoreExportDecl"


@final
@dataclass(frozen=True, slots=True)
class ModuleType:
    decls: tuple[ModuleDecl, ...]


CoreTypeDef: TypeAlias = "RecGroup | ModuleType"
"""A RecGroup adds one core type index per member."""


# --- types --------------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class FuncTypeDef:
    params: tuple[tuple[str, ValTypeRef], ...]
    result: ValTypeRef | None
    async_: bool = False


@final
@dataclass(frozen=True, slots=True)
class ResourceTypeDef:
    rep: CoreValType
    dtor: CoreFuncIndex | None = None


@final
@dataclass(frozen=True, slots=True)
class CoreModuleDesc:
    type: CoreTypeIndex


@final
@dataclass(frozen=True, slots=True)
class FuncDesc:
    type: TypeIndex


@final
@dataclass(frozen=True, slots=True)
class ValueDesc:
    """`(value (eq i))` or `(value t)`; exactly one of the two is set."""

    eq: ValueIndex | None
    type: ValTypeRef | None


@final
@dataclass(frozen=True, slots=True)
class TypeDesc:
    """`(type (eq i))`, or `(type (sub resource))` where `eq` is None."""

    eq: TypeIndex | None


@final
@dataclass(frozen=True, slots=True)
class ComponentDesc:
    type: TypeIndex


@final
@dataclass(frozen=True, slots=True)
class InstanceDesc:
    type: TypeIndex


ExternDesc: TypeAlias = "CoreModuleDesc | FuncDesc | ValueDesc | TypeDesc | ComponentDesc | InstanceDesc"
"""`externtype` of Binary.md, as read from bytes."""


@final
@dataclass(frozen=True, slots=True)
class ImportDecl:
    name: ExternName
    desc: ExternDesc


@final
@dataclass(frozen=True, slots=True)
class ExportDecl:
    name: ExternName
    desc: ExternDesc


@final
@dataclass(frozen=True, slots=True)
class CoreTypeDecl:
    type: CoreTypeDef


@final
@dataclass(frozen=True, slots=True)
class TypeDecl:
    type: TypeDef


@final
@dataclass(frozen=True, slots=True)
class AliasDecl:
    alias: Alias


Decl: TypeAlias = "CoreTypeDecl | TypeDecl | AliasDecl | ImportDecl | ExportDecl"


@final
@dataclass(frozen=True, slots=True)
class ComponentTypeDef:
    decls: tuple[Decl, ...]


@final
@dataclass(frozen=True, slots=True)
class InstanceTypeDef:
    """No ImportDecl among them."""

    decls: tuple[Decl, ...]


TypeDef: TypeAlias = (
    "PrimValType | RecordType[ValTypeRef] | VariantType[ValTypeRef] | ListType[ValTypeRef] | TupleType[ValTypeRef]"
    " | FlagsType | EnumType | OptionType[ValTypeRef] | ResultType[ValTypeRef] | MapType[ValTypeRef]"
    " | OwnType[TypeIndex] | BorrowType[TypeIndex] | StreamType[ValTypeRef] | FutureType[ValTypeRef]"
    " | FuncTypeDef | ResourceTypeDef | ComponentTypeDef | InstanceTypeDef"
)


# --- start, imports, exports, values ------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Start:
    func: FuncIndex
    args: tuple[ValueIndex, ...]
    results: int


@final
@dataclass(frozen=True, slots=True)
class Import:
    name: ExternName
    desc: ExternDesc


@final
@dataclass(frozen=True, slots=True)
class Export:
    """`desc`: the ascribed type, if any."""

    name: ExternName
    item: SortIndex
    desc: ExternDesc | None = None


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A value definition: its type and the encoded value (a slice)."""

    type: ValTypeRef
    data: bytes


# --- sections -----------------------------------------------------------------------------------------------
Offsets: TypeAlias = "tuple[int, ...]"
"""Whole-file byte offset of each item of a section, in order; empty in components that we build."""


@final
@dataclass(frozen=True, slots=True)
class CustomSection:
    section: RawCustom
    offset: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class CoreModuleSection:
    module: CoreModule
    offset: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class ComponentSection:
    component: Component
    offset: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class CoreInstanceSection:
    items: tuple[CoreInstanceDef, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class CoreTypeSection:
    items: tuple[CoreTypeDef, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class InstanceSection:
    items: tuple[InstanceDef, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class AliasSection:
    items: tuple[Alias, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class TypeSection:
    items: tuple[TypeDef, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class CanonSection:
    items: tuple[Canon, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class StartSection:
    start: Start
    offset: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class ImportSection:
    items: tuple[Import, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class ExportSection:
    items: tuple[Export, ...]
    offsets: Offsets = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class ValueSection:
    items: tuple[Value, ...]
    offsets: Offsets = field(default=(), compare=False)


Section: TypeAlias = (
    "CustomSection | CoreModuleSection | CoreInstanceSection | CoreTypeSection | ComponentSection | InstanceSection"
    " | AliasSection | TypeSection | CanonSection | StartSection | ImportSection | ExportSection | ValueSection"
)


@final
@dataclass(frozen=True, slots=True)
class Component:
    """`size` and `offset` locate the component's bytes in its file; 0 in components that we build."""

    sections: tuple[Section, ...]
    offset: int = field(default=0, compare=False)
    size: int = field(default=0, compare=False)
