"""Walking the definitions of a component, and where each one is."""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.model.component import (
    Component,
    ComponentSection,
    CoreModuleSection,
    CustomSection,
    Section,
    StartSection,
)


def definitions(component: Component) -> Iterator[tuple[Section, int]]:
    """Each definition, as its section and its position in it."""
    for section in component.sections:
        match section:
            case CoreModuleSection() | ComponentSection() | StartSection() | CustomSection():
                yield section, 0
            case _:
                yield from ((section, i) for i in range(len(section.items)))


def offset_of(section: Section, position: int) -> int | None:
    """The whole-file offset of a definition, if known."""
    match section:
        case CoreModuleSection() | ComponentSection() | StartSection() | CustomSection():
            return section.offset
        case _:
            return section.offsets[position] if position < len(section.offsets) else None
