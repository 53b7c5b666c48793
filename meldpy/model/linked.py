"""What `resolve` produces: the composition, evaluated at link time, with an identity for everything.

Instantiating a component is calling a function at link time. The result of evaluating all of it is a list of core
instances in instantiation order, with each core import bound to its definition, the canonical definitions that
were evaluated on the way, and the boundary to the outside. Nothing here is found by name or by position again.

Reading order: `LinkedGraph` at the end of the file, then upwards.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TypeAlias, final

from meldpy.errors import Location
from meldpy.model.builtins import CoreTypeDefinition, Immediates, NoImmediates
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.core import CoreModule, CoreValType, NumType
from meldpy.model.extern import CoreModuleType, ExternName, ExternType, FuncType, TypeNode
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    FuncId,
    GlobalId,
    ImportFuncId,
    InstanceId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    ResourceId,
    TableId,
    TagId,
)
from meldpy.records import dataclass


# --- functions, by where they come from ---------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class LowerFunc:
    """The core function that a `canon lower` makes."""

    lower: LowerId


@final
@dataclass(frozen=True, slots=True)
class BuiltinFunc:
    """The core function that a canon built-in makes."""

    builtin: BuiltinId


CoreFunc: TypeAlias = "FuncId | LowerFunc | BuiltinFunc"
"""Any core function: defined by a core module, or made by a canonical definition."""

CoreItem: TypeAlias = "CoreFunc | TableId | MemoryId | GlobalId | TagId"
"""Whatever a core import can be bound to."""


@final
@dataclass(frozen=True, slots=True)
class LiftFunc:
    """The component function that a `canon lift` makes."""

    lift: LiftId


@final
@dataclass(frozen=True, slots=True)
class ImportFunc:
    """A component function that the outer component imports."""

    func: ImportFuncId


ComponentFunc: TypeAlias = "LiftFunc | ImportFunc"


# --- canonical definitions, evaluated -----------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class CanonicalOptions:
    """`memory64`: the memory's address type is i64 (False without a memory). `gc`, `core_type`: values are references,
    and the core function has that type."""

    string_encoding: StringEncoding = StringEncoding.UTF8
    memory: MemoryId | None = None
    memory64: bool = False
    realloc: CoreFunc | None = None
    post_return: CoreFunc | None = None
    async_: bool = False
    callback: CoreFunc | None = None
    gc: bool = False
    core_type: CoreTypeDefinition | None = None


@final
@dataclass(frozen=True, slots=True)
class Lift:
    """`instance`: the component instance that evaluated the definition, which is the callee's side."""

    id: LiftId
    instance: InstanceId
    core_func: CoreFunc
    type: FuncType
    options: CanonicalOptions
    location: Location


@final
@dataclass(frozen=True, slots=True)
class Lower:
    """`instance`: the component instance that evaluated the definition, which is the caller's side.

    With a LiftFunc callee this is a call site; with an ImportFunc callee it is a host call. `type` is the callee's.
    `path`: what that component calls the function, for people: an import, then export names inside instances; without
    the import in instances that it made itself, and nothing for what it lifts itself.
    """

    id: LowerId
    instance: InstanceId
    callee: ComponentFunc
    type: FuncType
    options: CanonicalOptions
    location: Location
    path: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class ResourceBuiltin:
    """`resource.new`, `resource.drop` or `resource.rep` of one instance for one resource type."""

    id: BuiltinId
    instance: InstanceId
    op: ResourceOp
    resource: ResourceId
    location: Location


ResourceOp: TypeAlias = "str"
"""One of "new", "drop", "rep"."""


@final
@dataclass(frozen=True, slots=True)
class AsyncBuiltin:
    """Any other built-in, with all that its canon definition says."""

    id: BuiltinId
    instance: InstanceId
    op: BuiltinOp
    location: Location
    immediates: Immediates = NoImmediates()


Builtin: TypeAlias = "ResourceBuiltin | AsyncBuiltin"


# --- instances and resources --------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Module:
    """A core module definition. `label`: a short human name (name section or place), for names and messages.

    imported: set if it is not a definition but comes from outside; then `module` has the imports and exports that the
    type declares, and no code.
    """

    id: ModuleId
    module: CoreModule
    label: str
    location: Location
    imported: ImportedModule | None = None


@final
@dataclass(frozen=True, slots=True)
class ImportedModule:
    """A core module that the outer component imports: import number `import_`, then export names inside instances."""

    import_: int
    path: tuple[str, ...]
    type: CoreModuleType


@final
@dataclass(frozen=True, slots=True)
class CoreInstance:
    """One instantiation of a core module. `args[i]` is what `module.imports[i]` is bound to."""

    id: CoreInstanceId
    instance: InstanceId
    module: ModuleId
    args: tuple[CoreItem, ...]


@final
@dataclass(frozen=True, slots=True)
class Instance:
    """One component instance. `parent` is None for the root; `label` a human name; `input` which input it came from.

    With several inputs, the root is the composition itself (it has no code) and each input is a child of it, as if
    they had been composed by a tool.
    """

    id: InstanceId
    parent: InstanceId | None
    label: str
    input: int | None
    location: Location


@final
@dataclass(frozen=True, slots=True)
class Resource:
    """One resource type. `definer`: the instance whose definition minted it; None: the outer component imports it.

    `dtor` is set only with a definer. `name`: what it was first exported or imported as, for messages only. `aliases`:
    every name it is exported or imported by, `interface.name` inside an instance, in order of first mention; for users
    to point at it.
    """

    id: ResourceId
    definer: InstanceId | None
    dtor: CoreFunc | None
    name: str
    location: Location
    aliases: tuple[str, ...] = ()
    rep: CoreValType = NumType.I32


# --- the outer boundary -------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class OuterImport:
    """One import of the outer component, with its evaluated type (nodes shared with whatever uses it inside)."""

    name: ExternName
    type: ExternType
    location: Location


@final
@dataclass(frozen=True, slots=True)
class ImportedFunc:
    """A function that the outer component imports: import number `import_`, then export names inside instances."""

    id: ImportFuncId
    import_: int
    path: tuple[str, ...]
    type: FuncType


@final
@dataclass(frozen=True, slots=True, eq=False)
class FuncItem:
    func: ComponentFunc
    type: FuncType


@final
@dataclass(frozen=True, slots=True, eq=False)
class TypeItem:
    """`bound_resource`: the export was ascribed `(sub resource)`."""

    type: TypeNode
    bound_resource: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class InstanceItem:
    """An exported instance. `imported`: set if it is an imported instance itself: (import number, export path).

    `hidden`: functions that the instance has but its ascribed type does not declare. They are no part of the world;
    an engine that looks behind the ascription must find what it finds in the composition.
    """

    exports: tuple[tuple[ExternName, OuterItem], ...]
    imported: tuple[int, tuple[str, ...]] | None = None
    hidden: tuple[tuple[ExternName, FuncItem], ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class ModuleItem:
    """A core module that is handed on. `type`: its own, or what it was ascribed on its way."""

    module: ModuleId
    type: CoreModuleType


OuterItem: TypeAlias = "FuncItem | TypeItem | InstanceItem | ModuleItem"


@final
@dataclass(frozen=True, slots=True)
class OuterExport:
    name: ExternName
    item: OuterItem
    location: Location


# --- what stayed open ---------------------------------------------------------------------------------------
@final
class NearMissKind(Enum):
    """In which way an export is almost what an import asks for."""

    OTHER_TRACK = "other track"
    """The same interface in a version that is compatible with none of the import's."""
    SPELLING = "spelling"
    """A name that differs by case, hyphens or annotation only."""
    OTHER_PACKAGE = "other package"
    """An interface of the same name in another package."""
    ATTRIBUTES = "attributes"
    """The same name, but it implements another interface, or has another external id."""
    IMPLEMENTED = "implemented"
    """The interface that a plainly named import implements, or an instance that implements the imported interface."""
    LEFT = "left"
    """The very interface, exported by an input to the left, where a chain looks only to the right."""
    INSIDE = "inside"
    """A function or type of that name inside an exported instance."""


@final
@dataclass(frozen=True, slots=True)
class NearMiss:
    """`export` (with a path, a dot between its parts, if it lies inside an instance) of input `provider`."""

    kind: NearMissKind
    provider: str
    export: str


@final
@dataclass(frozen=True, slots=True)
class OpenImport:
    """An import of one of several inputs that no other satisfies, and what could have been meant, best first."""

    importer: str
    name: ExternName
    location: Location
    near: tuple[NearMiss, ...] = ()


@final
@unique
class BindingKind(Enum):
    """Why an import is bound to what it is bound to; the value is for people."""

    BY_HAND = "decided by hand (--link)"
    SAME_NAME = "an export of that name"
    SAME_TRACK = "the highest version on the same track"
    NEXT_IN_CHAIN = "the next input to the right that exports it (--chain)"
    FOLLOWS = "follows from the types of other imports that are satisfied"
    EQUAL_TYPE = "a type that equals another: nothing is looked for"
    OPENED = "left to the host by hand (--open)"
    OPEN = "nothing satisfies it"


@final
@dataclass(frozen=True, slots=True)
class Binding:
    """One import of one input. provider, export: the input's name and its export, if one satisfies the import."""

    importer: str
    name: ExternName
    kind: BindingKind
    location: Location
    provider: str | None = None
    export: str | None = None


# --- the whole ----------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Input:
    """One input file: display name (stem or NAME= of the command line), source as given, size in bytes.

    given: the name was given, rather than taken from the file; only then may it get into the output. sha256: of its
    bytes, where the output says what it was made of.
    """

    name: str
    source: str
    size: int
    given: bool = True
    sha256: str | None = None


@final
@dataclass(frozen=True, slots=True)
class LinkedGraph:
    """Each tuple is indexed by its id. `core_instances` is in instantiation order, across all inputs.

    Of several inputs, in order: `bindings`, what became of every import; `open_imports`, what none of them satisfies
    (no types: those follow from their bounds). As INPUT:NAME, `exported_for_types`: exports that are there because
    others mention their types; `kept_inside`: what libraries export besides what satisfied an import.
    """

    inputs: tuple[Input, ...]
    modules: tuple[Module, ...]
    instances: tuple[Instance, ...]
    core_instances: tuple[CoreInstance, ...]
    resources: tuple[Resource, ...]
    lifts: tuple[Lift, ...]
    lowers: tuple[Lower, ...]
    builtins: tuple[Builtin, ...]
    imports: tuple[OuterImport, ...]
    import_funcs: tuple[ImportedFunc, ...]
    exports: tuple[OuterExport, ...]
    open_imports: tuple[OpenImport, ...] = ()
    bindings: tuple[Binding, ...] = ()
    exported_for_types: tuple[str, ...] = ()
    kept_inside: tuple[str, ...] = ()
