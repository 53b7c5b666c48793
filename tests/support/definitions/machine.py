"""A resolved composition, played by `definitions.py`: core code by the engine, everything canonical by the spec's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, final

import wasmtime

from meldpy.binary.encode import encode_module
from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    NoImmediates,
    TaskReturn,
)
from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreSort
from meldpy.model.ids import CoreInstanceId, FuncId, LiftId, MemoryId
from meldpy.model.linked import (
    AsyncBuiltin,
    Builtin,
    BuiltinFunc,
    CanonicalOptions,
    CoreFunc,
    CoreItem,
    FuncItem,
    ImportFunc,
    LiftFunc,
    LinkedGraph,
    Lower,
    LowerFunc,
    ResourceBuiltin,
)
from tests.support.definitions.types import Types

Flat = list[int]
Callee = Callable[[Flat], Flat]
Log = Callable[[list[Any]], None]

_ENCODINGS: Final = {
    StringEncoding.UTF8: "utf8",
    StringEncoding.UTF16: "utf16",
    StringEncoding.LATIN1_UTF16: "latin1+utf16",
}
_WIDTH: Final = {"i32": 32, "i64": 64}


@final
class Machine:
    """Instantiated when it is made. log: what the one host function does."""

    def __init__(self, defs: ModuleType, graph: LinkedGraph, log: Log) -> None:
        self.defs = defs
        self.graph = graph
        self.log = log
        self.store = defs.Store()
        self.instances: list[Any] = []
        for instance in graph.instances:
            parent = None if instance.parent is None else self.instances[instance.parent]
            self.instances.append(defs.ComponentInstance(self.store, parent))
        self.resources: dict[Any, Any] = {}
        for resource in graph.resources:
            assert resource.definer is not None, "the composition defines what it uses"
            self.resources[resource.id] = defs.ResourceType(self.instances[resource.definer])
        self.types = Types(defs, self.resources)
        self._engine = wasmtime.Engine()
        self._stores = [wasmtime.Store(self._engine) for _ in graph.instances]
        self._cores: dict[CoreInstanceId, wasmtime.Instance] = {}
        self._memories: dict[MemoryId, _Memory] = {}
        self._lifts: dict[LiftId, Any] = {}
        for core in graph.core_instances:
            module = graph.modules[core.module].module
            store = self._stores[core.instance]
            code = wasmtime.Module(self._engine, encode_module(module))
            types = [each.type for each in code.imports]
            made = [self._import(store, item, type) for item, type in zip(core.args, types, strict=True)]
            self._cores[core.id] = wasmtime.Instance(store, code, made)
        for resource in graph.resources:
            if resource.dtor is not None:
                self.resources[resource.id].dtor = self._callee(resource.dtor)

    def exported(self, name: str) -> Any:
        """A function for `Store.invoke`."""
        for export in self.graph.exports:
            if export.name.name == name:
                assert isinstance(export.item, FuncItem)
                assert isinstance(export.item.func, LiftFunc)
                return self._lift(export.item.func.lift)
        raise KeyError(name)

    # --- functions --------------------------------------------------------------------------------------------
    def _lift(self, id: LiftId) -> Any:
        if id not in self._lifts:
            lift = self.graph.lifts[id]
            opts = self._options(lift.options)
            callee = self._callee(lift.core_func)
            inst = self.instances[lift.instance]
            self._lifts[id] = self.store.lift(callee, self.types.func(lift.type), opts, inst)
        return self._lifts[id]

    def _lower(self, lower: Lower) -> Callee:
        match lower.callee:
            case LiftFunc(id):
                # what is lowered is lifted when it is called: instances come one after the other
                def callee(on_start: Any, on_resolve: Any, caller: Any) -> Any:
                    return self._lift(id)(on_start, on_resolve, caller)
            case ImportFunc():

                def callee(on_start: Any, on_resolve: Any, caller: Any) -> Any:
                    self.log(on_start())
                    on_resolve([])
                    return lambda caller: None

        opts, inst = self._options(lower.options), self.instances[lower.instance]
        result: Callee = self.store.lower(callee, self.types.func(lower.type), opts, inst)
        return result

    def _callee(self, func: CoreFunc) -> Callee:
        """A core function with flat values, as `definitions.py` calls it."""
        match func:
            case LowerFunc(id):
                return self._lower(self.graph.lowers[id])
            case BuiltinFunc(id):
                return self._builtin(self.graph.builtins[id])
            case FuncId(instance, index):
                return self._code(instance, index)

    def _code(self, instance: CoreInstanceId, index: int) -> Callee:
        store, name = self._place(instance, CoreSort.FUNC, index)

        def call(args: Flat) -> Flat:
            found = self._cores[instance].exports(store)[name]
            assert isinstance(found, wasmtime.Func)
            type = found.type(store)
            given = [_signed(value, str(of)) for value, of in zip(args, type.params, strict=True)]
            try:
                said = found(store, *given)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise self.defs.Trap(str(error)) from error
            return [_unsigned(said, str(type.results[0]))] if type.results else []

        return call

    def _import(self, store: wasmtime.Store, item: CoreItem, type: Any) -> Any:
        match item:
            case FuncId() | LowerFunc() | BuiltinFunc():
                callee = self._callee(item)

                def host(*args: int) -> int | None:
                    given = [_unsigned(value, str(of)) for value, of in zip(args, type.params, strict=True)]
                    said = callee(given)
                    return _signed(int(said[0]), str(type.results[0])) if said else None

                return wasmtime.Func(store, type, host)
            case MemoryId(instance, index):
                return self._cores[instance].exports(store)[self._place(instance, CoreSort.MEMORY, index)[1]]
            case _:
                raise AssertionError("guests import functions and memories")

    def _place(self, instance: CoreInstanceId, sort: CoreSort, index: int) -> tuple[wasmtime.Store, str]:
        """The store of a core instance, and the name by which it exports something."""
        core = self.graph.core_instances[instance]
        exports = self.graph.modules[core.module].module.exports
        [name, *_] = [each.name for each in exports if (each.sort, each.index) == (sort, index)]
        return self._stores[core.instance], name

    # --- built-ins --------------------------------------------------------------------------------------------
    def _builtin(self, builtin: Builtin) -> Callee:
        defs = self.defs
        if isinstance(builtin, ResourceBuiltin):
            canon, resource = getattr(defs, f"canon_resource_{builtin.op}"), self.resources[builtin.resource]
            return lambda args: canon(resource, *args)
        assert isinstance(builtin, AsyncBuiltin)
        name = builtin.op.value[1].replace(".", "_").replace("-", "_")
        canon = getattr(defs, f"canon_{name}")
        match builtin.immediates:
            case NoImmediates():
                return lambda args: canon(*args)
            case FlagImmediate(value):
                return lambda args: canon(value, *args)
            case ContextSlot(type, slot):
                return lambda args: canon(type.name.lower(), slot, *args)
            case TaskReturn(result, options):
                results, lifting = self.types.values(result), self._options(options)
                return lambda args: canon(results, lifting, args)
            case EndType(type):
                of = self.types.value(type)
                return lambda args: canon(of, *args)
            case Copy(type, options):
                of, lifting = self.types.value(type), self._options(options)
                return lambda args: canon(of, lifting, *args)
            case CancelCopy(type, async_):
                of = self.types.value(type)
                return lambda args: _cancelled(canon(of, async_, *args), stream="stream" in name)
            case EventPlace(cancellable, memory):
                place = self._memory(memory)
                return lambda args: canon(cancellable, place, *args)
            case other:
                raise AssertionError(other)

    # --- options ----------------------------------------------------------------------------------------------
    def _options(self, options: CanonicalOptions) -> Any:
        return self.defs.CanonicalOptions(
            memory=None if options.memory is None else self._memory(options.memory),
            string_encoding=_ENCODINGS[options.string_encoding],
            realloc=None if options.realloc is None else self._callee(options.realloc),
            post_return=None if options.post_return is None else self._callee(options.post_return),
            async_=options.async_,
            callback=None if options.callback is None else self._callee(options.callback),
        )

    def _memory(self, id: MemoryId) -> _Memory:
        if id not in self._memories:
            store, name = self._place(id.instance, CoreSort.MEMORY, id.index)
            self._memories[id] = _Memory(lambda: self._cores[id.instance].exports(store)[name], store)
        return self._memories[id]


def _cancelled(said: Flat, *, stream: bool) -> Flat:
    """ADR-0035: a stream's buffer that was partly used comes back as CANCELLED; `definitions.py` says COMPLETED."""
    return [said[0] | 2] if stream and said[0] & 15 == 0 else said


def _signed(value: int, type: str) -> int:
    bits = _WIDTH[type]
    return value - (1 << bits) if value >> (bits - 1) else value


def _unsigned(value: int, type: str) -> int:
    return value % (1 << _WIDTH[type])


@final
class _Memory:
    """A MemInst whose bytes are the engine's."""

    def __init__(self, find: Callable[[], Any], store: wasmtime.Store) -> None:
        self._find = find
        self._store = store

    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, int):
            return self._find().read(self._store, at, at + 1)[0]
        return self._find().read(self._store, at.start, at.stop)

    def __setitem__(self, at: int | slice, value: Any) -> None:
        if isinstance(at, int):
            self._find().write(self._store, bytes([value]), at)
        elif at.stop > at.start:
            self._find().write(self._store, bytes(value), at.start)

    def __len__(self) -> int:
        return int(self._find().data_len(self._store))

    def ptr_type(self) -> str:
        return "i32"

    def ptr_size(self) -> int:
        return 4
