"""The narrated driver of `present`: the main module, with other names on its edge.

Nothing inside changes: no index moves, no body is touched. The start function becomes `_initialize`, because a start
function that calls an import may come too early for whoever ties the knot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from meldpy.cabi import Abi, Context
from meldpy.core_output.async_names import AsyncNames, callback_name, lifted_name, lowered_name
from meldpy.core_output.names import (
    INITIALIZE,
    MEMORY,
    REALLOC,
    SECTION,
    builtin_names,
    check_world,
    dtor_names,
    export_name,
    import_name,
    post_return,
)
from meldpy.errors import InternalError, Location, UnsupportedError
from meldpy.model.core import CoreExport, CoreImport, CoreModule, CoreSort, PlacedCustom, RawCustom
from meldpy.model.fused import (
    Boundary,
    BoundAsync,
    BoundBuiltin,
    BoundLower,
    BoundUncalled,
    CoreExportRef,
    FusedModule,
    MainImport,
)
from meldpy.model.linked import FuncItem, ImportFunc, InstanceItem, LinkedGraph
from meldpy.records import replace

_LAST_SECTION = 11


def present(graph: LinkedGraph, fused: FusedModule, world: bytes) -> CoreModule:
    """The core module; `world`: the component that `wrapper.world_type` makes, as bytes.

    Raises UnsupportedError for what the convention has no name for.
    """
    check_world(graph)
    main, boundary = fused.main, fused.boundary
    assert boundary.core is not None, "merged for a core output"
    assert not fused.carriers

    # Imports: the host's functions and the built-ins of resource types.
    imports = tuple(_imports(graph, main.imports, boundary.main_imports))
    _check_distinct([(each.module, each.name) for each in imports])

    # Exports: functions, their callbacks, post-returns and destructors, and what all of them share.
    exports = tuple(_exports(graph, main, boundary))
    _check_distinct([(each.name,) for each in exports])

    section = PlacedCustom(_LAST_SECTION, RawCustom(SECTION, world))
    return replace(main, imports=imports, exports=exports, start=None, customs=(*main.customs, section))


def _imports(graph: LinkedGraph, imports: Sequence[CoreImport], bindings: Sequence[MainImport]) -> Iterator[CoreImport]:
    resources = builtin_names(graph)
    async_names = AsyncNames(graph)
    for import_, binding in zip(imports, bindings, strict=True):
        match binding:
            case BoundLower(func, options):
                imported = graph.import_funcs[func]
                module, plain = import_name(graph, imported.import_, imported.path)
                name = lowered_name(plain, async_=options.async_)
            case BoundUncalled(number, path):
                module, name = import_name(graph, number, path)
            case BoundBuiltin(op, resource):
                if resource not in resources:
                    raise InternalError(f"resource type {resource} has a built-in, yet the world has no name for it")
                module, resource_name = resources[resource]
                name = f"[resource-{op}]{resource_name}"
            case CoreExportRef():
                raise InternalError("a core output has no carriers")
            case BoundAsync(func=builtin):
                module, name = async_names.name(builtin)
            case _:
                assert_never(binding)
        yield replace(import_, module=module, name=name)


def _exports(graph: LinkedGraph, main: CoreModule, boundary: Boundary) -> Iterator[CoreExport]:
    found = {export.name: export for export in main.exports}
    lifts = {lift.lift: lift for lift in boundary.lifts}

    def export(ref: CoreExportRef, name: str) -> CoreExport:
        return replace(found[ref.name], name=name)

    for name, item, location in _functions(graph):
        if isinstance(item.func, ImportFunc):
            yield CoreExport(name, CoreSort.FUNC, _passed_on(graph, boundary, item, item.func, name, location))
            continue
        lift = lifts[item.func.lift]
        yield export(lift.core_func, lifted_name(name, lift.options))
        if lift.options.callback is not None:
            yield export(lift.options.callback, callback_name(name))
        if lift.options.post_return is not None:
            yield export(lift.options.post_return, post_return(name))
    dtors = dtor_names(graph)
    for resource in boundary.resources:
        # without a name, no host ever has a handle to drop
        if resource.dtor is not None and resource.resource in dtors:
            yield export(resource.dtor, dtors[resource.resource])
    core = boundary.core
    assert core is not None
    if core.memory is not None:
        yield export(core.memory, MEMORY)
    if core.realloc is not None:
        yield export(core.realloc, REALLOC)
    if main.start is not None:
        yield CoreExport(INITIALIZE, CoreSort.FUNC, main.start)


def _functions(graph: LinkedGraph) -> Iterator[tuple[str, FuncItem, Location]]:
    """Every exported function by its name."""
    for outer in graph.exports:
        match outer.item:
            case FuncItem() as item:
                yield export_name(None, outer.name.name), item, outer.location
            case InstanceItem(exports=items):
                for name, inner in items:
                    if isinstance(inner, FuncItem):
                        yield export_name(outer.name.name, name.name), inner, outer.location
            case _:
                pass


def _passed_on(
    graph: LinkedGraph, boundary: Boundary, item: FuncItem, func: ImportFunc, name: str, location: Location
) -> int:
    """The core import that is an export as well: where all values are scalars, both sides of a core function agree."""
    abi, type_ = Abi(), item.type
    values = [*(param for _, param in type_.params), *([] if type_.result is None else [type_.result])]
    lifted, lowered = (abi.func(type_, context, False) for context in (Context.LIFT, Context.LOWER))
    if type_.async_ or lifted.core != lowered.core or abi.contents.of(values):
        raise UnsupportedError(
            "in a core output",
            f"the export `{name}` is an imported function, passed on with nothing in between to move its values",
            location,
            remedy="fuse without --core, or put a component in between that calls it",
        )
    imported = graph.import_funcs[func.func]
    for number, binding in enumerate(boundary.main_imports):
        match binding:
            case BoundLower(bound) if bound == func.func:
                return number
            case BoundUncalled(import_, path) if (import_, path) == (imported.import_, imported.path):
                return number
            case _:
                pass
    raise InternalError(f"the imported function behind the export `{name}` is not among the core imports")


def _check_distinct(names: Sequence[tuple[str, ...]]) -> None:
    """Component names can be such that the convention gives two things one name: `memory` at the root is one."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnsupportedError(
            "in a core output", f"two items would have the name `{' '.join(twice)}`", remedy="fuse without --core"
        )
