"""Which export satisfies which import: by name, by version track, or by hand. Types are checked later, in `link`.

An exact name wins; then the highest version on the same track. If two inputs export what would be chosen, the command
line must say which: nothing is ever decided by the order of inputs, but in a chain, where each is satisfied by the next
to its right. A name whose attributes speak of another thing is
not the name that is meant (`attributes`). A type that equals another is no demand: nothing is looked for. What follows
from the types of what was found is `follow`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

from meldpy.errors import LinkError
from meldpy.model.bindings import BindingKind
from meldpy.model.extern import ExternName
from meldpy.records import dataclass, field
from meldpy.resolver.attributes import contradiction
from meldpy.resolver.byhand import linked_by_hand, opened_by_hand, refuse_both
from meldpy.resolver.follow import Key, follow
from meldpy.resolver.inputs import Provision, ResolveOptions
from meldpy.resolver.order import cycle
from meldpy.resolver.semver import versioned
from meldpy.resolver.surface import Surface, is_demand


@final
@dataclass(frozen=True, slots=True)
class Matching:
    """What satisfies imports: `matches`, an export; `followed`, other satisfied imports of the input, which decide.

    opened: those that the command line leaves to the host. kinds: why each of `matches` is what it is.
    """

    matches: Mapping[Key, Provision]
    followed: Mapping[Key, tuple[Key, ...]]
    opened: frozenset[Key] = frozenset()
    kinds: Mapping[Key, BindingKind] = field(default_factory=dict)

    def satisfies(self, key: Key) -> bool:
        return key in self.matches or key in self.followed

    def provider(self, key: Key) -> int | None:
        """The number of the input that import `key` is satisfied by; None if it stays open."""
        found = self.matches.get(self.followed[key][0] if key in self.followed else key)
        return None if found is None else found.provider


def match_imports(surfaces: Sequence[Surface], options: ResolveOptions) -> Matching:
    """What satisfies each import that something satisfies. LinkError for ambiguity, bad links, and cycles."""
    matches = linked_by_hand(surfaces, options.links)
    kinds = dict.fromkeys(matches, BindingKind.BY_HAND)
    opened = opened_by_hand(surfaces, options.opens)
    refuse_both(surfaces, matches, opened)
    by_name = _in_chain if options.chain else _by_name
    offers = _offers(surfaces)
    for importer, surface in enumerate(surfaces):
        for number, import_ in enumerate(surface.imports):
            if (importer, number) not in matches and (importer, number) not in opened and is_demand(import_.type):
                found = by_name(surfaces, offers, importer, number)
                if found is not None:
                    matches[importer, number] = found.provision
                    kinds[importer, number] = BindingKind.NEXT_IN_CHAIN if options.chain else found.kind
    _refuse_cycles(surfaces, matches, options.chain)
    return Matching(matches, follow(surfaces, matches, opened), opened, kinds)


# --- by name ---------------------------------------------------------------------------------------------------
Offers: TypeAlias = "Mapping[str, Sequence[tuple[int, int, ExternName]]]"
"""Exports by name and by version track: number of the input, position there, and name."""


def _offers(surfaces: Sequence[Surface]) -> Offers:
    found: dict[str, list[tuple[int, int, ExternName]]] = {}
    for provider, surface in enumerate(surfaces):
        for position, export in enumerate(surface.exports):
            version = versioned(export)
            # a track has a character that no name has
            for key in (export.name,) if version is None else (export.name, f"\0{version.track}"):
                found.setdefault(key, []).append((provider, position, export))
    return found


@final
@dataclass(frozen=True, slots=True)
class _Found:
    provision: Provision
    kind: BindingKind


def _in_chain(surfaces: Sequence[Surface], offers: Offers, importer: int, number: int) -> _Found | None:
    """The next input to the right that exports what is imported, and nothing to the left."""
    relevant = _relevant(surfaces, offers, importer, number)
    after = sorted({provider for provider, _, _ in relevant if provider > importer})
    found = (
        _named(surfaces, importer, number, [offer for offer in relevant if offer[0] == provider]) for provider in after
    )
    return next((each for each in found if each is not None), None)


def _by_name(surfaces: Sequence[Surface], offers: Offers, importer: int, number: int) -> _Found | None:
    relevant = _relevant(surfaces, offers, importer, number)
    return _named(surfaces, importer, number, [offer for offer in relevant if offer[0] != importer])


def _relevant(
    surfaces: Sequence[Surface], offers: Offers, importer: int, number: int
) -> list[tuple[int, int, ExternName]]:
    """The exports that have the import's name or are on its track, in the order of inputs and of what they export."""
    name = surfaces[importer].imports[number].name
    version = versioned(name)
    on_track = () if version is None else offers.get(f"\0{version.track}", ())
    return sorted({*offers.get(name.name, ()), *on_track}, key=lambda offer: offer[:2])


def _named(
    surfaces: Sequence[Surface], importer: int, number: int, offered: Sequence[tuple[int, int, ExternName]]
) -> _Found | None:
    """Of these exports the one that has the import's name, or the highest on its track."""
    name = surfaces[importer].imports[number].name
    others = [
        (Provision(provider, export.name), export)
        for provider, _, export in offered
        if contradiction(name, export) is None
    ]
    candidates, kind = [provision for provision, export in others if export.name == name.name], BindingKind.SAME_NAME
    if not candidates and (wanted := versioned(name)) is not None:
        on_track = [(found.version, p) for p, e in others if (found := versioned(e)) and found.track == wanted.track]
        highest = max((version for version, _ in on_track), default=None)
        candidates, kind = [p for version, p in on_track if version == highest], BindingKind.SAME_TRACK
    if len(candidates) > 1:
        raise _ambiguous(surfaces, importer, number, candidates)
    return _Found(candidates[0], kind) if candidates else None


def _ambiguous(surfaces: Sequence[Surface], importer: int, number: int, candidates: Sequence[Provision]) -> LinkError:
    importing = surfaces[importer]
    import_ = importing.imports[number]
    asked = f"{importing.input.name}:{import_.name.name}"
    return LinkError(
        f"input `{importing.input.name}` imports `{import_.name.name}`, which more than one input exports",
        import_.location,
        causes=tuple(f"`{c}` of input `{surfaces[c.provider].input.name}`" for c in candidates),
        remedy=f"say which, for example --link {asked}={surfaces[candidates[0].provider].input.name}:"
        f"{candidates[0].export}; or leave it to the host: --open {asked}; or let each input use the next one to its"
        " right: --chain",
    )


# --- cycles ----------------------------------------------------------------------------------------------------
def needs(matches: Mapping[Key, Provision]) -> dict[int, list[int]]:
    """Which inputs each input needs, in order of its imports."""
    found: dict[int, list[int]] = {}
    for (importer, _), provision in matches.items():
        found.setdefault(importer, []).append(provision.provider)
    return found


def _refuse_cycles(surfaces: Sequence[Surface], matches: Mapping[Key, Provision], chain: bool) -> None:
    members = cycle(len(surfaces), needs(matches))
    if not members:
        return
    steps = []
    asked = []
    for importer, provider in zip(members, [*members[1:], members[0]], strict=True):
        number = next(k[1] for k, p in matches.items() if k[0] == importer and p.provider == provider)
        input_, name = surfaces[importer].input.name, surfaces[importer].imports[number].name.name
        steps.append(f"`{input_}` imports `{name}` from `{surfaces[provider].input.name}`")
        asked.append(f"{input_}:{name}")
    raise LinkError(
        "the inputs import from each other in a circle: "
        + " → ".join(f"`{surfaces[m].input.name}`" for m in [*members, members[0]]),
        causes=tuple(steps),
        remedy=f"leave one of these imports to the host, for example --open {asked[-1]}, or "
        + ("link it otherwise" if chain else "let each input use the next one to its right: --chain"),
    )
