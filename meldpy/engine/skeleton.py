"""A component with the same outside and no insides, for checking a large component cheaply.

Compiling 18 MB of code to learn that it is valid costs seconds. Everything a component-level check looks at
(types, imports, exports, canonical definitions, instantiation) survives if each body becomes `unreachable` and each
data segment empty; the bodies themselves are checked module by module, without compiling them.
"""

from __future__ import annotations

from dataclasses import replace

from meldpy.model.component import Component, ComponentSection, CoreModuleSection, CustomSection, Section
from meldpy.model.core import Code, CoreModule

_UNREACHABLE_ENTRY = b"\x03\x00\x00\x0b"
"""A code section entry: size 3, no locals, unreachable, end."""


def skeleton(component: Component) -> Component:
    """`component` with stub bodies, empty data and no custom sections, at every depth (bounded by the decoder)."""
    kept = (s for s in component.sections if not isinstance(s, CustomSection))
    return replace(component, sections=tuple(_section(s) for s in kept))


def _section(section: Section) -> Section:
    match section:
        case CoreModuleSection(module=module):
            return replace(section, module=_module(module))
        case ComponentSection(component=component):
            return replace(section, component=skeleton(component))
        case _:
            return section


def _module(module: CoreModule) -> CoreModule:
    count = module.code.count
    return replace(
        module,
        code=Code(count, _UNREACHABLE_ENTRY * count),
        data=tuple(replace(segment, data=b"") for segment in module.data),
        customs=(),
    )
