"""A fused module without code, for tests of the outer component: every lift and every lower is there and traps.

One carrier holds the memory, the realloc and a dtor; the main module imports every imported function and every
resource built-in, so that the whole boundary is written and the engine's validator sees all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.cabi import Abi, Context
from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreFuncType, CoreModule, CoreSort, CoreValType, NumType
from meldpy.model.extern import ExternType, InstanceType, TypeExtern
from meldpy.model.fused import (
    Boundary,
    BoundBuiltin,
    BoundLift,
    BoundLower,
    BoundOptions,
    BoundResource,
    CoreExportRef,
    FusedModule,
    MainImport,
)
from meldpy.model.ids import LiftId
from meldpy.model.linked import FuncItem, InstanceItem, LiftFunc, LinkedGraph, OuterItem
from meldpy.model.valtype import ResourceType

CARRIER = """(module
  (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "post-return") unreachable)
  (func (export "dtor") (param i32) unreachable))"""

DTOR = CoreExportRef(0, "dtor", CoreSort.FUNC)
OPTIONS = BoundOptions(
    string_encoding=StringEncoding.UTF16,
    memory=CoreExportRef(0, "memory", CoreSort.MEMORY),
    realloc=CoreExportRef(0, "realloc", CoreSort.FUNC),
    post_return=None,
)


def stub_fused(graph: LinkedGraph) -> FusedModule:
    """A main module for the boundary of `graph`, and its carrier."""
    abi = Abi()
    texts: list[str] = []
    bindings: list[MainImport] = []
    for func in graph.import_funcs:
        texts.append(_import("host", f"f{func.id}", abi.func(func.type, Context.LOWER, False).core))
        bindings.append(BoundLower(func.id, OPTIONS))
    for op, params, resource in _builtins(graph):
        texts.append(f'(import "resource" "{op}{resource}" (func {params}))')
        bindings.append(BoundBuiltin(op, graph.resources[resource].id))
    texts.append('(import "carrier" "memory" (memory 1))')
    bindings.append(CoreExportRef(0, "memory", CoreSort.MEMORY))
    lifts = sorted(set(_exported_lifts(export.item for export in graph.exports)))
    texts += [_func(f"lift{i}", abi.func(graph.lifts[i].type, Context.LIFT, False).core) for i in lifts]
    boundary = Boundary(
        main_imports=tuple(bindings),
        lifts=tuple(BoundLift(i, CoreExportRef(None, f"lift{i}", CoreSort.FUNC), OPTIONS) for i in lifts),
        resources=tuple(
            BoundResource(r.id, CoreExportRef(0, "dtor", CoreSort.FUNC))
            for r in graph.resources
            if r.definer is not None
        ),
    )
    return FusedModule((_module(CARRIER),), _module(f"(module {' '.join(texts)})"), boundary)


def _builtins(graph: LinkedGraph) -> Iterator[tuple[str, str, int]]:
    """(op, signature, resource) of every built-in that the outer component can use."""
    imported = set(_imported_resources(graph))
    for resource in graph.resources:
        if resource.definer is not None:
            yield "new", "(param i32) (result i32)", resource.id
            yield "rep", "(param i32) (result i32)", resource.id
        if resource.definer is not None or resource.id in imported:
            yield "drop", "(param i32)", resource.id


def _imported_resources(graph: LinkedGraph) -> Iterator[int]:
    def of(type_: ExternType) -> Iterator[int]:
        if isinstance(type_, InstanceType):
            for export in type_.exports:
                yield from of(export.type)
        elif isinstance(type_, TypeExtern) and isinstance(type_.type, ResourceType):
            yield type_.type.id

    for import_ in graph.imports:
        yield from of(import_.type)


def _exported_lifts(items: Iterable[OuterItem]) -> Iterator[LiftId]:
    for item in items:
        match item:
            case FuncItem(func=LiftFunc(lift)):
                yield lift
            case InstanceItem(exports=exports):
                yield from _exported_lifts(inner for _, inner in exports)
            case _:
                pass


def _import(module: str, name: str, type_: CoreFuncType) -> str:
    return f'(import "{module}" "{name}" (func {_signature(type_)}))'


def _func(name: str, type_: CoreFuncType) -> str:
    return f'(func (export "{name}") {_signature(type_)} unreachable)'


def _signature(type_: CoreFuncType) -> str:
    params = [f"(param {_name(value)})" for value in type_.params]
    results = [f"(result {_name(value)})" for value in type_.results]
    return " ".join(params + results)


def _name(value: CoreValType) -> str:
    assert isinstance(value, NumType), "the Canonical ABI passes numbers"
    return value.name.lower()


def _module(text: str) -> CoreModule:
    return decode_module(bytes(wat2wasm(text)), "stub")
