"""Which export satisfies which import: by name, by version track, or by hand. Types are checked later, in `link`.

An exact name wins; then the highest version on the same track. If two inputs export what would be chosen, the command
line must say which: nothing is ever decided by the order of inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from meldpy.errors import LinkError
from meldpy.model.extern import ExternName
from meldpy.resolver.inputs import Link, parse_link
from meldpy.resolver.order import cycle
from meldpy.resolver.semver import versioned
from meldpy.resolver.surface import Surface


@final
@dataclass(frozen=True, slots=True)
class Provision:
    """Export `export` of input number `provider`."""

    provider: int
    export: str


Matches: TypeAlias = "Mapping[tuple[int, int], Provision]"
"""By (input number, import number)."""


def match_imports(surfaces: Sequence[Surface], links: Iterable[str]) -> dict[tuple[int, int], Provision]:
    """What satisfies each import that something satisfies. LinkError for ambiguity, bad links, and cycles."""
    by_hand = _by_hand(surfaces, [parse_link(text) for text in links])
    matches: dict[tuple[int, int], Provision] = {}
    for importer, surface in enumerate(surfaces):
        for number, import_ in enumerate(surface.imports):
            found = by_hand.get((importer, number)) or _by_name(surfaces, importer, number, import_.name)
            if found is not None:
                matches[importer, number] = found
    _refuse_cycles(surfaces, matches)
    return matches


# --- by name ---------------------------------------------------------------------------------------------------
def _by_name(surfaces: Sequence[Surface], importer: int, number: int, name: ExternName) -> Provision | None:
    others = [
        (Provision(i, export.name), export)
        for i, surface in enumerate(surfaces)
        if i != importer
        for export in surface.exports
    ]
    candidates = [provision for provision, export in others if export.name == name.name]
    if not candidates and (wanted := versioned(name)) is not None:
        on_track = [(found.version, p) for p, e in others if (found := versioned(e)) and found.track == wanted.track]
        highest = max((version for version, _ in on_track), default=None)
        candidates = [provision for version, provision in on_track if version == highest]
    if len(candidates) > 1:
        raise _ambiguous(surfaces, importer, number, candidates)
    return candidates[0] if candidates else None


def _ambiguous(surfaces: Sequence[Surface], importer: int, number: int, candidates: Sequence[Provision]) -> LinkError:
    importing = surfaces[importer]
    import_ = importing.imports[number]
    example = f"{importing.input.name}:{import_.name.name}={surfaces[candidates[0].provider].input.name}"
    return LinkError(
        f"input `{importing.input.name}` imports `{import_.name.name}`, which more than one input exports",
        import_.location,
        causes=tuple(f"`{c.export}` of input `{surfaces[c.provider].input.name}`" for c in candidates),
        remedy=f"say which, for example --link {example}:{candidates[0].export}",
    )


# --- by hand ---------------------------------------------------------------------------------------------------
def _by_hand(surfaces: Sequence[Surface], links: Sequence[Link]) -> dict[tuple[int, int], Provision]:
    decided: dict[tuple[int, int], Provision] = {}
    for link in links:
        importer, provider = find_input(surfaces, link.importer), find_input(surfaces, link.provider)
        imports = [import_.name.name for import_ in surfaces[importer].imports]
        exports = [export.name for export in surfaces[provider].exports]
        if link.import_ not in imports:
            raise unknown(f"input `{link.importer}` imports no `{link.import_}`", imports)
        if link.export not in exports:
            raise unknown(f"input `{link.provider}` exports no `{link.export}`", exports)
        key = importer, imports.index(link.import_)
        if key in decided:
            raise LinkError(f"two links decide the import `{link.import_}` of input `{link.importer}`")
        decided[key] = Provision(provider, link.export)
    return decided


def find_input(surfaces: Sequence[Surface], name: str) -> int:
    """The number of the input called `name`; LinkError with the candidates if there is none."""
    names = [surface.input.name for surface in surfaces]
    if name not in names:
        raise unknown(f"no input is called `{name}`", names)
    return names.index(name)


def unknown(reason: str, candidates: Iterable[str]) -> LinkError:
    """An error for a name that means nothing; the candidates are listed as causes."""
    listed = tuple(f"`{candidate}`" for candidate in dict.fromkeys(candidates))
    return LinkError(reason, causes=("there are: " + (", ".join(listed) or "none"),))


# --- cycles ----------------------------------------------------------------------------------------------------
def needs(matches: Matches) -> dict[int, list[int]]:
    """Which inputs each input needs, in order of its imports."""
    found: dict[int, list[int]] = {}
    for (importer, _), provision in matches.items():
        found.setdefault(importer, []).append(provision.provider)
    return found


def _refuse_cycles(surfaces: Sequence[Surface], matches: Matches) -> None:
    members = cycle(len(surfaces), needs(matches))
    if not members:
        return
    steps = []
    for importer, provider in zip(members, [*members[1:], members[0]], strict=True):
        number = next(k[1] for k, p in matches.items() if k[0] == importer and p.provider == provider)
        name = surfaces[importer].imports[number].name.name
        steps.append(f"`{surfaces[importer].input.name}` imports `{name}` from `{surfaces[provider].input.name}`")
    raise LinkError(
        "the inputs import from each other in a circle: "
        + " → ".join(f"`{surfaces[m].input.name}`" for m in [*members, members[0]]),
        causes=tuple(steps),
        remedy="inputs are instantiated one after the other: break the circle, for example by --link",
    )
