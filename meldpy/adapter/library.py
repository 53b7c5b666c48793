"""Instances of the runtime library, made when emitted code first asks for one.

A module of the library (WAT, assembled by the pipeline) imports the memories and functions it works on. Each distinct
list of arguments is one more instance, merged like any core instance; ids continue those of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.adapter.bodies import bound, library_body
from meldpy.asm.instructions import Part
from meldpy.errors import Location
from meldpy.model.code import FlagRef, FuncSymbol, RuntimeArg, RuntimeInstance
from meldpy.model.core import CoreFuncType, CoreModule, CoreSort, CoreValType, FuncImportType, MemoryType
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, CoreMemoryIndex, FuncId, MemoryId, ModuleId, TableId
from meldpy.model.linked import Module
from meldpy.records import replace

Body: TypeAlias = "tuple[CoreFuncType, tuple[CoreValType, ...], Sequence[Part] | None]"
"""Type, locals and parts of a function; no parts if it cannot be taken apart."""

RuntimeLibrary: TypeAlias = "Mapping[str, CoreModule]"
"""The runtime library's modules by name, decoded."""


@final
class Instances:
    """The runtime instances of one adapt run."""

    def __init__(self, library: RuntimeLibrary, first_module: int, first_instance: int) -> None:
        self._library = library
        self._first_module = first_module
        self._first_instance = first_instance
        self._modules: dict[str, Module] = {}
        self._instances: dict[tuple[str, tuple[RuntimeArg, ...]], RuntimeInstance] = {}

    def func(self, module_name: str, args: tuple[RuntimeArg, ...], export: str) -> FuncId:
        """The function that `module_name`, instantiated with `args` (one per import, in order), exports as `export`."""
        return self.funcs(module_name, args)(export)

    def funcs(self, module_name: str, args: tuple[RuntimeArg, ...]) -> Callable[[str], FuncId]:
        """The functions that `module_name`, instantiated with `args`, exports, by name: for whoever asks often."""
        instance = self._instance(module_name, args)
        exports = self._module(module_name).module.exports
        found = {e.name: FuncId(instance.id, CoreFuncIndex(e.index)) for e in exports if e.sort is CoreSort.FUNC}

        def func(export: str) -> FuncId:
            assert export in found, f"runtime module {module_name} exports no function {export}"
            return found[export]

        return func

    def memory(self, module_name: str, args: tuple[RuntimeArg, ...]) -> MemoryId:
        """The memory that `module_name`, instantiated with `args`, defines; it imports none."""
        module = self._module(module_name)
        assert not any(isinstance(item.type, MemoryType) for item in module.module.imports)
        return MemoryId(self._instance(module_name, args).id, CoreMemoryIndex(0))

    def body(
        self, func: FuncId, most: int
    ) -> tuple[CoreFuncType, tuple[CoreValType, ...], Sequence[Part] | None] | None:
        """Type, locals and parts of a function of a runtime instance; None if it is another function, or larger."""
        position = func.instance - self._first_instance
        if position < 0:
            return None
        instance = self.instances[position]
        module = self.modules[instance.module - self._first_module].module
        imported = [item.type for item in module.imports]
        funcs = [arg for arg, type in zip(instance.args, imported, strict=True) if isinstance(type, FuncImportType)]
        memories = [arg for arg, type in zip(instance.args, imported, strict=True) if isinstance(type, MemoryType)]

        def func_at(index: int) -> FuncSymbol:
            if index >= len(funcs):
                return FuncId(instance.id, CoreFuncIndex(index))
            found = funcs[index]
            assert not isinstance(found, MemoryId | TableId | FlagRef)
            return found

        def memory_at(index: int) -> MemoryId:
            if index >= len(memories):
                return MemoryId(instance.id, CoreMemoryIndex(index))
            found = memories[index]
            assert isinstance(found, MemoryId)
            return found

        if func.index < len(funcs):
            return None
        body = library_body(module, func.index - len(funcs))
        if body.size > most:
            return None
        return body.type, body.locals, None if body.parts is None else bound(body.parts, func_at, memory_at)

    @property
    def modules(self) -> tuple[Module, ...]:
        return tuple(self._modules.values())

    def open(self, pages: Mapping[str, int]) -> None:
        """Let the memories of the modules named have so many pages from the start, not from the first use on."""
        for name in self._modules.keys() & pages.keys():
            module = self._modules[name]
            (memory,) = module.module.memories
            opened = replace(memory, limits=replace(memory.limits, min=pages[name]))
            self._modules[name] = replace(module, module=replace(module.module, memories=(opened,)))

    @property
    def instances(self) -> tuple[RuntimeInstance, ...]:
        return tuple(self._instances.values())

    def _instance(self, module_name: str, args: tuple[RuntimeArg, ...]) -> RuntimeInstance:
        module = self._module(module_name)
        key = (module_name, args)
        if key not in self._instances:
            assert len(args) == len(module.module.imports), f"{module_name}: wrong number of arguments"
            id = CoreInstanceId(self._first_instance + len(self._instances))
            self._instances[key] = RuntimeInstance(id, module.id, args)
        return self._instances[key]

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            id = ModuleId(self._first_module + len(self._modules))
            self._modules[name] = Module(id, self._library[name], f"runtime {name}", Location(f"runtime/{name}.wat"))
        return self._modules[name]
