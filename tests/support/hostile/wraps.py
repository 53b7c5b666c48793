"""Compositions around a component: what surrounds it is valid if what it imports can be had from further out."""

from __future__ import annotations

from random import Random

from meldpy.model.component import (
    AliasSection,
    Component,
    ComponentSection,
    Export,
    ExportAlias,
    ExportSection,
    ImportSection,
    InlineExports,
    InstanceSection,
    Instantiate,
    OuterAlias,
    Section,
    Sort,
    SortIndex,
    TypeDef,
    TypeSection,
)
from meldpy.model.extern import ExternName
from meldpy.model.ids import ComponentIndex, InstanceIndex
from tests.support.hostile.names import hostile_name

_OUTPUTS = (Sort.FUNC, Sort.INSTANCE, Sort.TYPE)


def wrap(rng: Random, component: Component) -> Component:
    """`component` inside one to three more; whoever imports something is wrapped where it stays importable."""
    levels = rng.choice((1, 1, 1, 2, 2, 3, 20))
    for _ in range(levels):
        component = _around(
            rng, component, rng.choice((1, 1, 2, 3, 17)) if levels < 3 else 1 + (rng.randrange(20) == 0)
        )
    return component


def _around(rng: Random, inner: Component, copies: int) -> Component:
    imports = [item for s in inner.sections if isinstance(s, ImportSection) for item in s.items]
    if imports:
        return _beside(rng, inner)
    exports = [item for s in inner.sections if isinstance(s, ExportSection) for item in s.items]
    args = (("unused", SortIndex(Sort.COMPONENT, 0)),) if rng.randrange(3) == 0 else ()
    instances = InstanceSection((Instantiate(ComponentIndex(0), args),) * copies)
    sections: list[Section] = [ComponentSection(inner), instances]
    wanted = [item for item in exports if item.item.sort in (Sort.FUNC, Sort.INSTANCE)]
    rng.shuffle(wanted)
    counts = {sort: copies if sort is Sort.INSTANCE else 0 for sort in Sort}
    for item in wanted[: rng.choice((1, 2, 5))]:
        sort = item.item.sort
        copy = InstanceIndex(rng.randrange(copies))
        sections.append(AliasSection((ExportAlias(sort, copy, item.name.name),)))
        name = item.name if rng.randrange(10) else ExternName(hostile_name(rng, item.name.name))
        sections.append(ExportSection((Export(name, SortIndex(sort, counts[sort])),)))
        counts[sort] += 2
    return Component(tuple(sections))


def _beside(rng: Random, inner: Component) -> Component:
    """Something that nothing needs, before or behind everything: it may not change what the component is."""
    dead: tuple[Section, ...] = rng.choice(
        (
            (ComponentSection(Component(())), ComponentSection(Component((ComponentSection(Component(())),)))),
            (ComponentSection(Component(inner.sections)),),
            (InstanceSection((InlineExports(()),)),),
            (TypeSection(_types(inner)),),
            (AliasSection((OuterAlias(rng.choice(_OUTPUTS), 0, rng.randrange(3)),)),),
        )
    )
    return Component((*inner.sections, *dead) if rng.randrange(4) else (*dead, *inner.sections))


def _types(inner: Component) -> tuple[TypeDef, ...]:
    """Its first type section again; its indices mean what they meant if nothing was before it."""
    return next((s.items for s in inner.sections if isinstance(s, TypeSection)), ())
