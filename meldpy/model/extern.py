"""Types and names of what components import and export, after resolve, and the attributes of names.

As read from bytes these are declarator lists (see `component`); here they are evaluated: value types are nodes,
resource types have identities. Spec: Explainer.md "Import and Export Definitions", "Type Definitions".
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.model.core import CoreModule
from meldpy.model.valtype import DefinedType, PrimValType, ResourceType, ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Attributes:
    """`nameattributes` of Binary.md. `form` is the leading byte (0x00, 0x01 or 0x02); attributes exist only with 0x02.

    `order`: the attribute opcodes in the order of the bytes (0 implements, 1 versionsuffix, 2 external-id).
    """

    form: int = 0x00
    implements: str | None = None
    version_suffix: str | None = None
    external_id: str | None = None
    order: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class ExternName:
    """An import or export name with its attributes. Matching and uniqueness look at `name` alone."""

    name: str
    attributes: Attributes = Attributes()


@final
@dataclass(frozen=True, slots=True, eq=False)
class FuncType:
    """A component function type. Params are (label, type) in order."""

    params: tuple[tuple[str, ValType], ...]
    result: ValType | None
    async_: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class InstanceType:
    """Exports in declaration order; later ones may refer to types that earlier ones introduced.

    `locals`: types the declarator list defines or aliases without exporting them are found through the nodes.
    """

    exports: tuple[NamedExtern, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ComponentType:
    """Imports and exports in declaration order. `interleaved` keeps the original order: True marks an import."""

    imports: tuple[NamedExtern, ...]
    exports: tuple[NamedExtern, ...]
    interleaved: tuple[bool, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoreModuleType:
    """A core module type: the imports and exports of `shape`, whose other parts are empty.

    Exports are looked up in `shape.exports`; their types are those of the (import-only) items they index:
    `export_types[i]` is the extern type of `shape.exports[i]`, against `shape.types`.
    """

    shape: CoreModule
    export_types: tuple[object, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class TypeExtern:
    """An imported or exported type. `bound_resource`: declared as `(sub resource)` rather than `(eq T)`."""

    type: TypeNode
    bound_resource: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class ValueExtern:
    type: ValType


TypeNode: TypeAlias = (
    "PrimValType | DefinedType | ResourceType | FuncType | InstanceType | ComponentType | CoreModuleType"
)
"""Whatever an index of the component type index space can stand for, once evaluated."""

ExternType: TypeAlias = "FuncType | InstanceType | ComponentType | CoreModuleType | TypeExtern | ValueExtern"


@final
@dataclass(frozen=True, slots=True, eq=False)
class NamedExtern:
    name: ExternName
    type: ExternType
