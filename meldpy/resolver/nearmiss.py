"""What an import that nothing satisfies could have meant.

Names decide what satisfies what, and an import left open is right in general; but where inputs are given together it
is often a slip. Nothing here links anything: `match` does that, and `--link` can. The hits go out with the graph, the
command line prints them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from meldpy.model.bindings import NearMiss, NearMissKind, OpenImport
from meldpy.model.extern import ExternName
from meldpy.resolver.attributes import contradiction, interface, same_interface
from meldpy.resolver.match import Matching, needs
from meldpy.resolver.names import strong
from meldpy.resolver.surface import Surface, is_demand
from meldpy.resolver.values import InstanceValue, Item

_ORDER = {kind: position for position, kind in enumerate(NearMissKind)}


def open_imports(surfaces: Sequence[Surface], matching: Matching) -> tuple[OpenImport, ...]:
    """The imports that nothing satisfies and that are not left to the host on purpose, and what comes near each."""
    needed = needs(matching.matches)

    def near(importer: int, name: ExternName) -> tuple[NearMiss, ...]:
        return (*_left(surfaces, importer, name, needed), *near_misses(surfaces, importer, name))

    return tuple(
        OpenImport(surface.input.name, import_.name, import_.location, near(i, import_.name))
        for i, surface in enumerate(surfaces)
        for n, import_ in enumerate(surface.imports)
        if not matching.satisfies((i, n)) and (i, n) not in matching.opened and is_demand(import_.type)
    )


def _left(
    surfaces: Sequence[Surface], importer: int, name: ExternName, needed: Mapping[int, Sequence[int]]
) -> Iterator[NearMiss]:
    """In a chain: who exports the very interface to the left of `importer`, and does not stand in front of it.

    Layers in front of the last one export what it leaves to the host; that is what a chain is.
    """
    for i, surface in enumerate(surfaces[:importer]):
        if importer not in _behind(i, needed):
            for export in surface.exports:
                if same_interface(name, export) and not contradiction(name, export):
                    yield NearMiss(NearMissKind.LEFT, surface.input.name, export.name)


def _behind(input_: int, needed: Mapping[int, Sequence[int]]) -> set[int]:
    """What `input_` needs, at any distance."""
    found: set[int] = set()
    work = [input_]
    while work:
        new = [i for i in needed.get(work.pop(), ()) if i not in found]
        found.update(new)
        work += new
    return found


def near_misses(surfaces: Sequence[Surface], importer: int, name: ExternName) -> tuple[NearMiss, ...]:
    """What the other inputs export that comes near `name`, by kind and then in the order of inputs and exports."""
    found = [
        NearMiss(kind, surface.input.name, path)
        for i, surface in enumerate(surfaces)
        if i != importer
        for export in surface.exports
        for kind, path in _near(name, export, surface.items[export.name][1])
    ]
    return tuple(sorted(found, key=lambda miss: _ORDER[miss.kind]))


def words(miss: NearMiss, name: ExternName) -> str:
    """`miss` as a clause about the import `name`: "`b:c/d@2.0.0` of input `x` is …"."""
    what = {
        NearMissKind.OTHER_TRACK: "is another, incompatible version",
        NearMissKind.SPELLING: "is spelled differently",
        NearMissKind.OTHER_PACKAGE: "is of another package",
        NearMissKind.ATTRIBUTES: "has the name, but implements another interface or has another external id",
        NearMissKind.IMPLEMENTED: "is of the same interface",
        NearMissKind.LEFT: "is to its left, and --chain looks to the right",
        NearMissKind.INSIDE: f"has the name of `{name.name}`, inside an instance",
    }[miss.kind]
    return f"`{miss.export}` of input `{miss.provider}` {what}"


def _near(name: ExternName, export: ExternName, item: Item) -> Iterator[tuple[NearMissKind, str]]:
    """In which ways `export` comes near `name`, if at all; the first that applies to the export itself, then inside."""
    kind = _kind(name, export)
    if kind is not None:
        yield kind, export.name
    elif ":" not in name.name and isinstance(item, InstanceValue) and name.name in item.exports:
        yield NearMissKind.INSIDE, f"{export.name}.{name.name}"


def _kind(name: ExternName, export: ExternName) -> NearMissKind | None:
    if same_interface(name, export):
        return NearMissKind.ATTRIBUTES if contradiction(name, export) else None
    if strong(_base(name)) == strong(_base(export)):
        return NearMissKind.OTHER_TRACK if _base(name) == _base(export) else NearMissKind.SPELLING
    if _implements(name, export) or _implements(export, name):
        return NearMissKind.IMPLEMENTED
    mine, its = _interface_name(name), _interface_name(export)
    return NearMissKind.OTHER_PACKAGE if mine is not None and mine == its else None


def _implements(name: ExternName, other: ExternName) -> bool:
    """Whether `name` says that it implements the interface `other`, or what that implements."""
    mine, its = interface(name), interface(other)
    return mine is not None and same_interface(mine, other if its is None else its)


def _base(name: ExternName) -> str:
    return name.name.partition("@")[0]


def _interface_name(name: ExternName) -> str | None:
    _, slash, projection = _base(name).partition("/")
    return strong(projection) if slash else None
