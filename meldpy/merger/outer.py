"""The functions that the main module imports: lowers of host functions and resource built-ins.

Two imports that the outer component would define alike (same function, same options, same type) are one import.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias, final

from meldpy.errors import InternalError
from meldpy.merger.units import Symbols
from meldpy.model.code import Adapted, OuterAsyncFunc, OuterBuiltin, OuterBuiltinFunc, OuterLower, UncalledImport
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import ImportFuncId, LowerId
from meldpy.model.linked import ImportFunc, LinkedGraph
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class HostFunc:
    """An import that becomes `canon lower` of `func`; `module` and `name` are not yet made unique."""

    func: ImportFuncId
    lower: OuterLower
    module: str
    name: str


@final
@dataclass(frozen=True, slots=True)
class HostBuiltin:
    builtin: OuterBuiltin
    module: str
    name: str


@final
@dataclass(frozen=True, slots=True)
class HostUncalled:
    """An import that nothing calls; see `CoreEdge`."""

    uncalled: UncalledImport
    module: str
    name: str


@final
@dataclass(frozen=True, slots=True)
class HostAsync:
    func: OuterAsyncFunc
    module: str
    name: str


HostImport: TypeAlias = "HostFunc | HostBuiltin | HostAsync | HostUncalled"


@final
@dataclass(frozen=True, slots=True)
class HostImports:
    """The distinct imports, in order, and which of them stands for each lower and built-in."""

    imports: tuple[HostImport, ...]
    lowers: dict[LowerId, int]
    builtins: dict[OuterBuiltinFunc | OuterAsyncFunc, int]


def host_type(item: HostImport) -> CoreFuncType:
    match item:
        case HostFunc():
            return item.lower.core_type
        case HostBuiltin():
            return item.builtin.core_type
        case HostUncalled():
            return item.uncalled.core_type
        case HostAsync():
            return item.func.core_type


def host_imports(graph: LinkedGraph, adapted: Adapted, symbols: Symbols) -> HostImports:
    imports: list[HostImport] = []
    known: dict[Hashable, int] = {}
    lowers: dict[LowerId, int] = {}
    builtins: dict[OuterBuiltinFunc | OuterAsyncFunc, int] = {}

    def number(key: Hashable, item: HostImport) -> int:
        if key not in known:
            known[key] = len(imports)
            imports.append(item)
        return known[key]

    for lower in adapted.outer_lowers:
        callee = graph.lowers[lower.lower].callee
        if not isinstance(callee, ImportFunc):
            raise InternalError(f"{lower.lower} is lowered from outside, but it is no host function")
        options = lower.options
        realloc = None if options.realloc is None else symbols.need(options.realloc)
        same = (callee.func, options.string_encoding, options.memory, realloc, options.async_, lower.core_type)
        lowers[lower.lower] = number(same, HostFunc(callee.func, lower, *_function_name(graph, callee.func)))
    for builtin in adapted.outer_builtins:
        key = (builtin.op, builtin.resource, builtin.core_type)
        name = graph.resources[builtin.resource].name
        symbol = OuterBuiltinFunc(builtin.op, builtin.resource)
        builtins[symbol] = number(key, HostBuiltin(builtin, "canon", f"resource.{builtin.op} {name}"))
    for uncalled in () if adapted.core is None else adapted.core.uncalled:
        imports.append(HostUncalled(uncalled, *_import_name(graph, uncalled.import_, uncalled.path)))
    for func in adapted.outer_async:
        builtins[func] = number(func, HostAsync(func, "canon", func.op.value[1]))
    return HostImports(tuple(imports), lowers, builtins)


def _function_name(graph: LinkedGraph, func: ImportFuncId) -> tuple[str, str]:
    """A module and field name for readers; what is bound is in the boundary."""
    imported = graph.import_funcs[func]
    return _import_name(graph, imported.import_, imported.path)


def _import_name(graph: LinkedGraph, import_: int, path: tuple[str, ...]) -> tuple[str, str]:
    name = graph.imports[import_].name.name
    return (name, ".".join(path)) if path else ("import", name)
