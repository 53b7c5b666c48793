"""The narrated driver of `wrap`: what is written into the outer component, in which order.

Two scopes share the outer component's type index space. `world` holds types under the names that imports and exports
give them; `plain` holds the types of lifts and of what is gathered for an export, where only structure and resource
identity matter. Keeping them apart means that no type is ever mentioned before the export that names it.
"""

from __future__ import annotations

from meldpy.model.component import Component
from meldpy.model.fused import FusedModule
from meldpy.model.linked import LinkedGraph
from meldpy.wrapper.builder import ComponentBuilder
from meldpy.wrapper.exports import Exports
from meldpy.wrapper.imports import Imports
from meldpy.wrapper.knot import Knot
from meldpy.wrapper.modules import Modules
from meldpy.wrapper.scope import Scope


def wrap(graph: LinkedGraph, fused: FusedModule) -> Component:
    """The component with the world of `graph` and the code of `fused`.

    Raises InternalError if the world mentions a resource type that nothing imports or defines.
    """
    builder = ComponentBuilder()
    world = Scope(builder)
    plain = Scope(builder, raw=world.raw)
    imports = Imports(graph, builder, world)
    knot = Knot(graph, fused, builder, imports, plain)

    imports.write()
    knot.modules()
    knot.carriers()  # before everything that names a memory, realloc, post-return or dtor
    knot.resources()
    knot.main()
    knot.lift_all()
    Exports(graph, builder, imports, knot.lifts, world, plain, Modules(graph, builder, imports)).write()
    return builder.finish()
