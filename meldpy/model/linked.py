"""What `resolve` produces: the composition, evaluated at link time, with an identity for everything.

Instantiating a component is calling a function at link time. The result of evaluating all of it is a list of core
instances in instantiation order, with each core import bound to its definition, the canonical definitions that
were evaluated on the way, and the boundary to the outside. Nothing here is found by name or by position again.

Reading order: `LinkedGraph` at the end of the file, then upwards.
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.errors import Location
from meldpy.model.bindings import Binding, OpenImport
from meldpy.model.builtins import Immediates, NoImmediates
from meldpy.model.canon import BuiltinOp
from meldpy.model.core import CoreModule, CoreValType, NumType
from meldpy.model.extern import CoreModuleType, ExternName, ExternType, FuncType, TypeNode
from meldpy.model.functions import (
    BuiltinFunc,
    CanonicalOptions,
    ComponentFunc,
    CoreFunc,
    CoreItem,
    ImportFunc,
    LiftFunc,
    LowerFunc,
)
from meldpy.model.ids import BuiltinId, CoreInstanceId, ImportFuncId, InstanceId, LiftId, LowerId, ModuleId, ResourceId
from meldpy.records import dataclass


# --- canonical definitions, evaluated -----------------------------------------------------------------------
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


__all__ = [
    "AsyncBuiltin",
    "Builtin",
    "BuiltinFunc",
    "CanonicalOptions",
    "ComponentFunc",
    "CoreFunc",
    "CoreInstance",
    "CoreItem",
    "FuncItem",
    "ImportFunc",
    "ImportedFunc",
    "ImportedModule",
    "Input",
    "Instance",
    "InstanceItem",
    "Lift",
    "LiftFunc",
    "LinkedGraph",
    "Lower",
    "LowerFunc",
    "Module",
    "ModuleItem",
    "OuterExport",
    "OuterImport",
    "OuterItem",
    "Resource",
    "ResourceBuiltin",
    "ResourceOp",
    "TypeItem",
]
