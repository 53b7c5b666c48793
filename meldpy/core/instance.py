"""A running core output: its exports as functions of Python values, its imports provided by Python functions.

Spec: CanonicalABI.md `canon_lift` and `canon_lower` with the host on the other side, and the resource built-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, final

from meldpy.cabi import Abi, Context
from meldpy.core.callside import CallSide, Guest
from meldpy.core.handles import Entry, GuestTrap, Scope, Table
from meldpy.core.pythonvalues import no_async
from meldpy.core.surface import Function, Resource, Surface, read_surface
from meldpy.core.values import Values
from meldpy.core.wasi import Wasi
from meldpy.engine.coreapi import CoreEngine, CoreInstance, CoreTrap, HostFunction, wasmtime_engine
from meldpy.errors import UsageError
from meldpy.model.core import CoreFuncType, FuncImportType, NumType
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, TupleType

__all__ = ["GuestTrap", "Host", "Instance", "load"]

Host: TypeAlias = "Mapping[str, Callable[..., Any]]"
"""By name: `interface#function`, or a root function's name. `interface#[resource-drop]r` is told of host resources that
the guest drops."""

_I32 = NumType.I32
_NEW = CoreFuncType((_I32,), (_I32,))
_DROP = CoreFuncType((_I32,), ())


def load(
    module: bytes | str | Path,
    host: Host | None = None,
    engine: CoreEngine = wasmtime_engine,
    *,
    wasi: Wasi | None = None,
) -> Instance:
    """Instantiates a core output, and calls its `_initialize` if it has one. wasi: for what is not in `host`.

    Raises DecodeError, EngineError, and GuestTrap.
    """
    data = module if isinstance(module, bytes) else Path(module).read_bytes()
    surface = read_surface(data)
    functions = {} if wasi is None else wasi.functions(surface.imports)
    return Instance(surface, data, functions | dict(host or {}), engine)


@final
class Instance:
    """One instance. After a GuestTrap, or an error of a host function that the guest called, it cannot be called any
    more; arguments that do not fit are refused before the guest is entered."""

    def __init__(self, surface: Surface, data: bytes, host: Host, engine: CoreEngine) -> None:
        self.surface = surface
        self._host = host
        self._abi = Abi()
        self._table = Table()
        self._dead = False
        self._exports = {function.label: function for function in surface.exports}
        self._resources = surface.resources
        self._guest = Guest(surface.encoding, self._running, self._table, surface.resources, self._destroy_from_host)
        self._core: CoreInstance | None = None
        with_trap = _trapping(self)
        with with_trap:
            self._core = engine(data, dict(self._imports()))
            if self._core.has("_initialize"):
                self._core.call("_initialize", ())

    @property
    def functions(self) -> tuple[str, ...]:
        """What can be called."""
        return tuple(self._exports)

    def call(self, name: str, *args: Any) -> Any:
        """Calls an export. Raises GuestTrap, UsageError for arguments that do not fit, and UnsupportedError for what
        takes its time: a function that is lifted with the option async, or where the guest asks for async."""
        if name not in self._exports:
            raise UsageError(f"there is no export {name}", remedy=f"there are: {', '.join(self._exports)}")
        if self._dead:
            raise GuestTrap("cannot enter component instance")
        function = self._exports[name]
        if function.context is not Context.LIFT:
            raise no_async(f"{name} is an async function")
        if len(args) != len(function.type.params):
            raise UsageError(
                f"{name} takes {len(function.type.params)} arguments, not {len(args)}",
                remedy="give as many as its type has: `meld inspect` shows it",
            )
        values = Values(self._abi, CallSide(self._guest, None, []))
        for (_, param), arg in zip(function.type.params, args, strict=True):
            values.check(param, arg)
        with _trapping(self):
            return self._call(function, args)

    # --- exports ------------------------------------------------------------------------------------------------
    def _call(self, function: Function, args: Sequence[Any]) -> Any:
        type_, scope = function.type, Scope()
        side = CallSide(self._guest, scope, None)
        values = Values(self._abi, side)
        flat = self._abi.func(type_, Context.LIFT, False)
        params = [param for _, param in type_.params]
        if flat.params is None:
            tuple_type = DefinedType(TupleType(tuple(params)))
            layouts = self._abi.layouts(False)
            at = side.allocate(layouts.alignment(tuple_type), layouts.elem_size(tuple_type))
            values.place(tuple_type, at)
            values.store(tuple_type, args, at)
            core_args = [at]
        else:
            core_args = [bits for param, arg in zip(params, args, strict=True) for bits in values.lower(param, arg)]
        core = self._running()
        results = core.call(function.field, core_args)
        result = None
        if type_.result is not None:
            if flat.result is None:
                result = values.load(type_.result, values.place(type_.result, results[0]))
            else:
                result = values.lift(type_.result, iter(results))
        if scope.borrows:
            raise GuestTrap("borrow still held")
        if core.has(f"cabi_post_{function.field}"):
            core.call(f"cabi_post_{function.field}", results)
        return result

    def _running(self) -> CoreInstance:
        if self._core is None:
            raise GuestTrap("the guest is called before it exists")
        return self._core

    # --- imports ------------------------------------------------------------------------------------------------
    def _imports(
        self,
    ) -> Iterator[tuple[tuple[str, str], tuple[CoreFuncType, HostFunction]]]:
        functions = {(each.module, each.field): each for each in self.surface.imports if not each.type.async_}
        types = [type_.comp for group in self.surface.module.types for type_ in group.types]
        builtins = {}
        for resource in self._resources.values():
            for op in ("new", "rep", "drop"):
                builtins[resource.builtins, f"[resource-{op}]{resource.name}"] = (op, resource)
        for import_ in self.surface.module.imports:
            assert isinstance(import_.type, FuncImportType)
            key = (import_.module, import_.name)
            if key in functions:
                yield key, self._host_call(functions[key])
            elif key in builtins:
                yield key, self._builtin(*builtins[key])
            else:
                core_type = types[import_.type.type]
                assert isinstance(core_type, CoreFuncType)
                yield key, (core_type, _refusing(" ".join(key)))

    def _host_call(self, function: Function) -> tuple[CoreFuncType, HostFunction]:
        type_ = function.type
        flat = self._abi.func(type_, Context.LOWER, False)
        params = [param for _, param in type_.params]

        def called(args: Sequence[int]) -> Sequence[int]:
            lent: list[Entry] = []
            values = Values(self._abi, CallSide(self._guest, None, lent))
            if flat.params is None:
                tuple_type = DefinedType(TupleType(tuple(params)))
                given = values.load(tuple_type, values.place(tuple_type, args[0]))
            else:
                core = iter(args)
                given = [values.lift(param, core) for param in params]
            if function.label not in self._host:
                raise UsageError(
                    f"the guest calls {function.label}, which nothing provides",
                    remedy="give a Python function of that name; for WASI give `wasi=core.Wasi()`, or make a component "
                    "of the module (`wasm-tools component new`) and run it with `meld run`",
                )
            result = self._host[function.label](*given)
            out: list[int] = []
            if type_.result is not None:
                if flat.result is None:
                    values.store(type_.result, result, values.place(type_.result, args[-1]))
                else:
                    out = values.lower(type_.result, result)
            for entry in lent:
                entry.lends -= 1
            return out

        return flat.core, called

    def _builtin(self, op: str, resource: Resource) -> tuple[CoreFuncType, HostFunction]:
        def new(args: Sequence[int]) -> Sequence[int]:
            return [self._table.add(Entry(resource.id, args[0], None))]

        def rep(args: Sequence[int]) -> Sequence[int]:
            found = self._table.get(args[0], resource.id).rep
            assert isinstance(found, int)
            return [found]

        def drop(args: Sequence[int]) -> Sequence[int]:
            entry = self._table.remove(args[0], resource.id)
            if entry.scope is not None:
                entry.scope.borrows -= 1
            else:
                self._destroy(resource.id, entry.rep)
            return []

        return {"new": (_NEW, new), "rep": (_NEW, rep), "drop": (_DROP, drop)}[op]

    def _destroy(self, resource: ResourceId, rep: object) -> None:
        """The last owner is gone."""
        info = self._resources[resource]
        prefix = "" if info.interface is None else f"{info.interface}#"
        if info.imported:
            told = self._host.get(f"{prefix}[resource-drop]{info.name}")
            if told is not None:
                told(rep)
            return
        dtor = f"{prefix}[dtor]{info.name}"
        core = self._running()
        if core.has(dtor):
            assert isinstance(rep, int)
            core.call(dtor, [rep])

    def _destroy_from_host(self, resource: ResourceId, rep: int) -> None:
        if self._dead:
            raise GuestTrap("cannot enter component instance")
        with _trapping(self):
            self._destroy(resource, rep)


def _refusing(name: str) -> HostFunction:
    def called(args: Sequence[int]) -> Sequence[int]:
        raise no_async(f"the guest calls {name}")

    return called


@final
class _trapping:
    """A trap inside kills the instance; the engine's traps become the guest's."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        self._instance._dead = True
        if isinstance(error, CoreTrap):
            raise GuestTrap(str(error)) from error
