"""Mints identities and collects what `resolve` produces, under caps.

One builder serves one link. It knows nothing of scopes or indices: whoever evaluates a definition hands in what it
means. Nested instantiation can multiply without bound, so whatever multiplies is counted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.errors import LimitError, Location
from meldpy.model.bindings import Binding, OpenImport
from meldpy.model.core import CoreModule, CoreSort, CoreValType, NameSection, NumType
from meldpy.model.extern import CoreModuleType, ExternName, ExternType, FuncType
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    ImportFuncId,
    InstanceId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    ResourceId,
)
from meldpy.model.linked import (
    Builtin,
    CoreFunc,
    CoreInstance,
    CoreItem,
    ImportedFunc,
    ImportedModule,
    Input,
    Instance,
    Lift,
    LinkedGraph,
    Lower,
    Module,
    OuterExport,
    OuterImport,
    Resource,
)
from meldpy.records import dataclass, field, replace
from meldpy.resolver.coretypes import declared_module, type_of
from meldpy.resolver.corevalues import CoreModuleInstance, ModuleInfo, module_info
from meldpy.resolver.values import ITEMS_SHARE, MAX_ITEMS


@final
@dataclass(frozen=True, slots=True)
class Caps:
    """How far nested instantiation may expand before it is an error."""

    instances: int
    core_instances: int
    definitions: int

    @property
    def items(self) -> int:
        """In one instance: see `values.MAX_ITEMS`."""
        return max(MAX_ITEMS, self.definitions // ITEMS_SHARE)


@final
@dataclass(slots=True)
class _ResourceDraft:
    definer: InstanceId | None
    dtor: CoreFunc | None
    name: str | None
    location: Location
    rep: CoreValType = NumType.I32
    aliases: dict[str, None] = field(default_factory=dict)


@final
class Builder:
    """Everything minted so far. `graph` makes the result."""

    def __init__(self, inputs: tuple[Input, ...], caps: Caps) -> None:
        self.inputs = inputs
        self.caps = caps
        self.definitions = 0
        self.modules: list[Module] = []
        self.infos: list[ModuleInfo] = []
        self.instances: list[Instance] = []
        self.core_instances: list[CoreInstance] = []
        self.lifts: list[Lift] = []
        self.lowers: list[Lower] = []
        self.builtins: list[Builtin] = []
        self.imports: list[OuterImport] = []
        self.import_funcs: list[ImportedFunc] = []
        self.exports: list[OuterExport] = []
        self.open_imports: tuple[OpenImport, ...] = ()
        self.bindings: tuple[Binding, ...] = ()
        self.exported_for_types: tuple[str, ...] = ()
        self.kept_inside: tuple[str, ...] = ()
        self._resources: list[_ResourceDraft] = []
        self._module_ids: dict[int, ModuleId] = {}

    def scratch(self) -> Builder:
        """One that knows what this one knows, and of which this one learns nothing."""
        made = Builder(self.inputs, self.caps)
        made.definitions = self.definitions
        made.modules, made.infos = [*self.modules], [*self.infos]
        made.instances, made.core_instances = [*self.instances], [*self.core_instances]
        made.lifts, made.lowers, made.builtins = [*self.lifts], [*self.lowers], [*self.builtins]
        made.imports, made.import_funcs = [*self.imports], [*self.import_funcs]
        made._resources = [replace(each, aliases=dict(each.aliases)) for each in self._resources]
        made._module_ids = dict(self._module_ids)
        return made

    # --- caps -----------------------------------------------------------------------------------------------
    def count(self, definitions: int = 1) -> None:
        """Charges `definitions` to the cap on evaluated definitions."""
        self.definitions += definitions
        self._check(self.definitions, self.caps.definitions, "evaluated definitions", "--max-definitions")

    def _check(self, reached: int, cap: int, what: str, flag: str) -> None:
        if reached > cap:
            raise LimitError(f"the composition expands to more than {cap} {what}", remedy=f"raise the cap with {flag}")

    # --- minting --------------------------------------------------------------------------------------------
    def module(self, module: CoreModule, fallback: str, location: Location) -> ModuleId:
        """The id of `module`: one for one decoded definition, however often its component is instantiated."""
        found = self._module_ids.get(id(module))
        if found is not None:
            return found
        minted = ModuleId(len(self.modules))
        self._module_ids[id(module)] = minted
        self.modules.append(Module(minted, module, _label(module) or fallback, location))
        self.infos.append(module_info(module))
        return minted

    def imported_module(
        self, type_: CoreModuleType, import_: int, path: tuple[str, ...], location: Location
    ) -> ModuleId:
        """A core module that comes from outside."""
        minted = ModuleId(len(self.modules))
        label = ".".join((self.imports[import_].name.name, *path))
        module = declared_module(type_)
        self.modules.append(Module(minted, module, label, location, ImportedModule(import_, path, type_)))
        self.infos.append(module_info(module))
        return minted

    def instance(self, parent: InstanceId | None, label: str, input_: int | None, location: Location) -> InstanceId:
        self._check(len(self.instances) + 1, self.caps.instances, "component instances", "--max-instances")
        minted = InstanceId(len(self.instances))
        self.instances.append(Instance(minted, parent, label, input_, location))
        return minted

    def core_instance(
        self, owner: InstanceId, module: ModuleId, args: Callable[[CoreModule], tuple[CoreItem, ...]]
    ) -> CoreModuleInstance:
        """Instantiates `module`; `args` binds its imports."""
        self._check(len(self.core_instances) + 1, self.caps.core_instances, "core instances", "--max-core-instances")
        info = self.infos[module]
        bound = args(info.module)
        minted = CoreInstanceId(len(self.core_instances))
        self.core_instances.append(CoreInstance(minted, owner, module, bound))
        return CoreModuleInstance(minted, info, bound)

    def resource(
        self,
        definer: InstanceId | None,
        dtor: CoreFunc | None,
        name: str | None,
        location: Location,
        rep: CoreValType = NumType.I32,
    ) -> ResourceId:
        minted = ResourceId(len(self._resources))
        self._resources.append(_ResourceDraft(definer, dtor, name, location, rep))
        return minted

    def name_resource(self, resource: ResourceId, name: str) -> None:
        """Remembers the first name that a resource type is exported under."""
        draft = self._resources[resource]
        if draft.name is None:
            draft.name = name

    def alias_resource(self, resource: ResourceId, name: str) -> None:
        """Remembers a name that a resource type is exported or imported by: `interface.name` inside an instance."""
        self._resources[resource].aliases.setdefault(name)

    def lift(self, make: Callable[[LiftId], Lift]) -> LiftId:
        minted = LiftId(len(self.lifts))
        self.lifts.append(make(minted))
        return minted

    def lower(self, make: Callable[[LowerId], Lower]) -> LowerId:
        minted = LowerId(len(self.lowers))
        self.lowers.append(make(minted))
        return minted

    def builtin(self, make: Callable[[BuiltinId], Builtin]) -> BuiltinId:
        minted = BuiltinId(len(self.builtins))
        self.builtins.append(make(minted))
        return minted

    def outer_import(self, name: ExternName, type_: ExternType, location: Location) -> int:
        """Adds an import of the outer component; returns its number."""
        self.imports.append(OuterImport(name, type_, location))
        return len(self.imports) - 1

    def import_func(self, import_: int, path: tuple[str, ...], type_: FuncType) -> ImportFuncId:
        minted = ImportFuncId(len(self.import_funcs))
        self.import_funcs.append(ImportedFunc(minted, import_, path, type_))
        return minted

    # --- questions ------------------------------------------------------------------------------------------
    def memory64(self, memory: MemoryId) -> bool:
        """Whether the memory's address type is i64, by the module that defines it."""
        info = self.infos[self.core_instances[memory.instance].module]
        return info.module.memories[memory.index - len(info.imported[CoreSort.MEMORY])].limits.is64

    def module_type(self, module: ModuleId) -> CoreModuleType:
        """The type that a core module has by itself."""
        found = self.modules[module]
        return type_of(found.module) if found.imported is None else found.imported.type

    def resource_name(self, resource: ResourceId) -> str:
        """A name for messages."""
        name = self._resources[resource].name if resource < len(self._resources) else None
        return name or f"resource {resource}"

    def resource_origin(self, resource: ResourceId) -> str:
        """Which definition it is, in words: by which input, under which name, by which instance inside."""
        draft = self._resources[resource]
        name = next(iter(draft.aliases), None)
        if draft.definer is None:
            return "imported" if name is None else f"imported as `{name}`"
        called = "" if name is None else f" as `{name}`"
        instance = self.instances[draft.definer]
        if instance.input is None:
            return f"defined{called}"
        if (inner := self.inner_definer(resource)) is None:
            return f"defined by input `{instance.label}`{called}"
        return f"defined{called} by an instance of `{instance.label}` inside input `{inner}`"

    def inner_definer(self, resource: ResourceId) -> str | None:
        """The name of the input with an instance inside that defines the resource type; None if none is inside."""
        definer = self._resources[resource].definer
        if definer is None or self.instances[definer].input is None:
            return None
        instance = self.instances[definer]
        if instance.parent is None or self.instances[instance.parent].input is None:
            return None
        assert instance.input is not None
        return self.inputs[instance.input].name

    def is_defined(self, resource: ResourceId) -> bool:
        """Whether an instance defines the resource type, rather than the world outside."""
        return self._resources[resource].definer is not None

    def graph(self) -> LinkedGraph:
        return LinkedGraph(
            inputs=self.inputs,
            modules=tuple(self.modules),
            instances=tuple(self.instances),
            core_instances=tuple(self.core_instances),
            resources=tuple(
                Resource(
                    ResourceId(i),
                    d.definer,
                    d.dtor,
                    self.resource_name(ResourceId(i)),
                    d.location,
                    tuple(d.aliases),
                    d.rep,
                )
                for i, d in enumerate(self._resources)
            ),
            lifts=tuple(self.lifts),
            lowers=tuple(self.lowers),
            builtins=tuple(self.builtins),
            imports=tuple(self.imports),
            import_funcs=tuple(self.import_funcs),
            exports=tuple(self.exports),
            open_imports=self.open_imports,
            bindings=self.bindings,
            exported_for_types=self.exported_for_types,
            kept_inside=self.kept_inside,
        )


def _label(module: CoreModule) -> str | None:
    for placed in module.customs:
        if isinstance(placed.section, NameSection) and placed.section.module:
            return placed.section.module
    return None
