"""What is inside a part of a graph, under new ids: a plain copy, in which nothing is decided.

What the part's world is (which functions it imports, which resource types the rest defines) is `restrict`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.model.builtins import Copy, EventPlace, TaskReturn, TextOptions, ThreadStart
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    FuncId,
    GlobalId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import (
    Builtin,
    BuiltinFunc,
    CanonicalOptions,
    ComponentFunc,
    CoreFunc,
    CoreInstance,
    CoreItem,
    ImportedFunc,
    ImportFunc,
    Lift,
    LiftFunc,
    Lower,
    LowerFunc,
    Module,
    ResourceBuiltin,
)
from meldpy.records import dataclass, replace


@final
@dataclass(frozen=True, slots=True)
class NewIds:
    """By the id in the whole graph. import_funcs: of functions of the rest; import_modules: number of the import."""

    modules: Mapping[ModuleId, ModuleId]
    core_instances: Mapping[CoreInstanceId, CoreInstanceId]
    lifts: Mapping[LiftId, LiftId]
    lowers: Mapping[LowerId, LowerId]
    builtins: Mapping[BuiltinId, BuiltinId]
    import_funcs: Mapping[ComponentFunc, ImportedFunc]
    import_modules: Mapping[ModuleId, int]

    # --- definitions ---------------------------------------------------------------------------------------------
    def module(self, module: Module, new: ModuleId) -> Module:
        imported = module.imported
        if imported is not None:
            imported = replace(imported, import_=self.import_modules[module.id], path=())
        return replace(module, id=new, imported=imported)

    def core_instance(self, old: CoreInstance) -> CoreInstance:
        args = tuple(self._core_item(arg) for arg in old.args)
        return replace(old, id=self.core_instances[old.id], module=self.modules[old.module], args=args)

    def _core_item(self, item: CoreItem) -> CoreItem:
        match item:
            case TableId() | MemoryId() | GlobalId() | TagId():
                return replace(item, instance=self.core_instances[item.instance])
            case FuncId() | LowerFunc() | BuiltinFunc():
                return self._core_func(item)

    def _core_func(self, func: CoreFunc) -> CoreFunc:
        match func:
            case FuncId():
                return replace(func, instance=self.core_instances[func.instance])
            case LowerFunc(lower):
                return LowerFunc(self.lowers[lower])
            case BuiltinFunc(builtin):
                return BuiltinFunc(self.builtins[builtin])

    def optional(self, func: CoreFunc | None) -> CoreFunc | None:
        return None if func is None else self._core_func(func)

    def _options(self, options: CanonicalOptions) -> CanonicalOptions:
        memory = options.memory
        return replace(
            options,
            memory=None if memory is None else self._memory(memory),
            realloc=self.optional(options.realloc),
            post_return=self.optional(options.post_return),
            callback=self.optional(options.callback),
        )

    def lift(self, lift: Lift) -> Lift:
        core_func = self._core_func(lift.core_func)
        return replace(lift, id=self.lifts[lift.id], core_func=core_func, options=self._options(lift.options))

    def lower(self, lower: Lower) -> Lower:
        callee: ComponentFunc
        if isinstance(lower.callee, LiftFunc) and lower.callee not in self.import_funcs:
            callee = LiftFunc(self.lifts[lower.callee.lift])
        else:
            callee = ImportFunc(self.import_funcs[lower.callee].id)
        return replace(lower, id=self.lowers[lower.id], callee=callee, options=self._options(lower.options))

    def builtin(self, builtin: Builtin) -> Builtin:
        new = self.builtins[builtin.id]
        if isinstance(builtin, ResourceBuiltin):
            return replace(builtin, id=new)
        immediates = builtin.immediates
        match immediates:
            case TaskReturn() | Copy() | TextOptions():
                immediates = replace(immediates, options=self._options(immediates.options))
            case EventPlace():
                immediates = replace(immediates, memory=self._memory(immediates.memory))
            case ThreadStart(table=TableId() as table):
                place = replace(table, instance=self.core_instances[table.instance])
                immediates = replace(immediates, table=place)
            case _:
                pass  # nothing in them is an identity of the graph
        return replace(builtin, id=new, immediates=immediates)

    def _memory(self, memory: MemoryId) -> MemoryId:
        return replace(memory, instance=self.core_instances[memory.instance])
