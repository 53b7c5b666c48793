"""Component-level value types: one set of constructors for both sides of `resolve`.

The constructors are generic in how they refer to other types. As read from bytes, `T` is `ValTypeRef` (a
primitive or a type index) and `R` is `TypeIndex`. After resolve, `T` is `ValType` and `R` is `ResourceType`,
both of them nodes that are compared by identity: two records with equal fields are different *definitions* (a
world must name the right one), yet equal *types* (`cabi.key` gives the structural key that subtyping and adapters use).

Spec: Binary.md "Type Definitions"; Explainer.md "Fundamental value types".
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Generic, TypeAlias, TypeVar, final

from meldpy.model.ids import ResourceId, TypeIndex
from meldpy.records import dataclass, field

T = TypeVar("T")
R = TypeVar("R")


@unique
class PrimValType(Enum):
    """Primitive value types; the value is the binary opcode."""

    BOOL = 0x7F
    S8 = 0x7E
    U8 = 0x7D
    S16 = 0x7C
    U16 = 0x7B
    S32 = 0x7A
    U32 = 0x79
    S64 = 0x78
    U64 = 0x77
    F32 = 0x76
    F64 = 0x75
    CHAR = 0x74
    STRING = 0x73
    ERROR_CONTEXT = 0x64


@final
@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    label: str
    type: T


@final
@dataclass(frozen=True, slots=True)
class Case(Generic[T]):
    label: str
    type: T | None


@final
@dataclass(frozen=True, slots=True)
class RecordType(Generic[T]):
    fields: tuple[Field[T], ...]


@final
@dataclass(frozen=True, slots=True)
class VariantType(Generic[T]):
    cases: tuple[Case[T], ...]


@final
@dataclass(frozen=True, slots=True)
class ListType(Generic[T]):
    """`length` is set for fixed-length lists."""

    element: T
    length: int | None = None


@final
@dataclass(frozen=True, slots=True)
class TupleType(Generic[T]):
    types: tuple[T, ...]


@final
@dataclass(frozen=True, slots=True)
class FlagsType:
    labels: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class EnumType:
    labels: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class OptionType(Generic[T]):
    type: T


@final
@dataclass(frozen=True, slots=True)
class ResultType(Generic[T]):
    ok: T | None
    error: T | None


@final
@dataclass(frozen=True, slots=True)
class MapType(Generic[T]):
    key: T
    value: T


@final
@dataclass(frozen=True, slots=True)
class OwnType(Generic[R]):
    resource: R


@final
@dataclass(frozen=True, slots=True)
class BorrowType(Generic[R]):
    resource: R


@final
@dataclass(frozen=True, slots=True)
class StreamType(Generic[T]):
    element: T | None


@final
@dataclass(frozen=True, slots=True)
class FutureType(Generic[T]):
    element: T | None


DefValType: TypeAlias = (
    "PrimValType | RecordType[T] | VariantType[T] | ListType[T] | TupleType[T] | FlagsType | EnumType"
    " | OptionType[T] | ResultType[T] | MapType[T] | OwnType[R] | BorrowType[R] | StreamType[T] | FutureType[T]"
)

# --- as read from bytes -------------------------------------------------------------------------------------
ValTypeRef: TypeAlias = "PrimValType | TypeIndex"
"""How one type definition refers to another: a primitive, or an index into the enclosing type index space."""


# --- after resolve ------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True, eq=False)
class DefinedType:
    """A type definition, evaluated. Compared by identity.

    An export or import `(type (eq T))` makes a new node with the same definition and `alias_of=T`: it is the same
    type under another name, and only the outer world's writer cares which of the names was meant.
    """

    definition: (
        PrimValType
        | RecordType[ValType]
        | VariantType[ValType]
        | ListType[ValType]
        | TupleType[ValType]
        | FlagsType
        | EnumType
        | OptionType[ValType]
        | ResultType[ValType]
        | MapType[ValType]
        | OwnType[ResourceType]
        | BorrowType[ResourceType]
        | StreamType[ValType]
        | FutureType[ValType]
    )
    alias_of: DefinedType | None = None


ValType: TypeAlias = "PrimValType | DefinedType"


@final
@dataclass(frozen=True, slots=True, eq=False)
class ResourceType:
    """A name for a resource type. Nodes compare by identity; resource types by `id` (generative)."""

    id: ResourceId
    alias_of: ResourceType | None = field(default=None)
