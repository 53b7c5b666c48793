"""Which export satisfies which import: by name, by version track, or by hand. Types are checked later, in `link`.

An exact name wins; then the highest version on the same track. If two inputs export what would be chosen, the command
line must say which: nothing is ever decided by the order of inputs. A name whose attributes speak of another thing is
not the name that is meant (`attributes`). A type that equals another is no demand: nothing is looked for. What follows
from the types of what was found is `follow`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from meldpy.errors import LinkError
from meldpy.model.extern import ExternName, TypeExtern
from meldpy.model.valtype import ResourceType
from meldpy.resolver.attributes import contradiction
from meldpy.resolver.follow import Key, follow
from meldpy.resolver.inputs import Link, Provision, parse_link
from meldpy.resolver.order import cycle
from meldpy.resolver.semver import versioned
from meldpy.resolver.surface import Surface, is_demand
from meldpy.resolver.values import InstanceValue, Item, TypeValue


@final
@dataclass(frozen=True, slots=True)
class Matching:
    """What satisfies imports: `matches`, an export; `followed`, other satisfied imports of the input, which decide."""

    matches: Mapping[Key, Provision]
    followed: Mapping[Key, tuple[Key, ...]]

    def satisfies(self, key: Key) -> bool:
        return key in self.matches or key in self.followed

    def provider(self, key: Key) -> int | None:
        """The number of the input that import `key` is satisfied by; None if it stays open."""
        found = self.matches.get(self.followed[key][0] if key in self.followed else key)
        return None if found is None else found.provider


def match_imports(surfaces: Sequence[Surface], links: Iterable[str]) -> Matching:
    """What satisfies each import that something satisfies. LinkError for ambiguity, bad links, and cycles."""
    matches = _by_hand(surfaces, [parse_link(text) for text in links])
    for importer, surface in enumerate(surfaces):
        for number, import_ in enumerate(surface.imports):
            if (importer, number) not in matches and is_demand(import_.type):
                found = _by_name(surfaces, importer, number, import_.name)
                if found is not None:
                    matches[importer, number] = found
    matching = Matching(matches, follow(surfaces, matches))
    _refuse_cycles(surfaces, matching)
    return matching


# --- by name ---------------------------------------------------------------------------------------------------
def _by_name(surfaces: Sequence[Surface], importer: int, number: int, name: ExternName) -> Provision | None:
    others = [
        (Provision(i, export.name), export)
        for i, surface in enumerate(surfaces)
        if i != importer
        for export in surface.exports
        if contradiction(name, export) is None
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
        causes=tuple(f"`{c}` of input `{surfaces[c.provider].input.name}`" for c in candidates),
        remedy=f"say which, for example --link {example}:{candidates[0].export}",
    )


# --- by hand ---------------------------------------------------------------------------------------------------
def _by_hand(surfaces: Sequence[Surface], links: Sequence[Link]) -> dict[tuple[int, int], Provision]:
    decided: dict[tuple[int, int], Provision] = {}
    for link in links:
        importer, provider = find_input(surfaces, link.importer), find_input(surfaces, link.provider)
        imports = [import_.name.name for import_ in surfaces[importer].imports]
        if link.import_ not in imports:
            raise unknown(f"input `{link.importer}` imports no `{link.import_}`", imports)
        key = importer, imports.index(link.import_)
        if key in decided:
            raise LinkError(f"two links decide the import `{link.import_}` of input `{link.importer}`")
        decided[key] = _exported(surfaces[provider], provider, link.export)
        _refuse_no_resource(surfaces, key, decided[key])
    return decided


def _exported(surface: Surface, provider: int, text: str) -> Provision:
    """The export called `text`, or what `text` names inside an exported instance: INSTANCE.NAME."""
    names = [export.name for export in surface.exports]
    if text in names:
        return Provision(provider, text)
    for name in names:
        path = _path(surface.items[name][1], text[len(name) + 1 :]) if text.startswith(f"{name}.") else None
        if path is not None:
            return Provision(provider, name, path)
    raise unknown(f"input `{surface.input.name}` exports no `{text}`", names)


def _path(item: Item, text: str) -> tuple[str, ...] | None:
    """The path to what `text` names inside `item`; dots stand between instances, and in names of methods."""
    if not isinstance(item, InstanceValue):
        return None
    if text in item.exports:
        return (text,)
    for name, (_, inner) in item.exports.items():
        path = _path(inner, text[len(name) + 1 :]) if text.startswith(f"{name}.") else None
        if path is not None:
            return (name, *path)
    return None


def _refuse_no_resource(surfaces: Sequence[Surface], key: Key, provision: Provision) -> None:
    """LinkError if import `key` is a resource type and the export is none: what belongs to it would be misled."""
    importer, provider = surfaces[key[0]], surfaces[provision.provider]
    import_ = importer.imports[key[1]]
    item = provision.find(provider.items)
    is_resource = isinstance(item, TypeValue) and isinstance(item.type, ResourceType)
    if isinstance(import_.type, TypeExtern) and import_.type.bound_resource and not is_resource:
        raise LinkError(
            f"`{import_.name.name}`, imported by `{importer.input.name}`, does not fit what `{provider.input.name}`"
            f" exports as `{provision}`",
            import_.location,
            causes=(
                "a resource type is declared, and another type is provided"
                if isinstance(item, TypeValue)
                else "a resource type is declared, and no type is provided",
            ),
            remedy="link it to a resource type: one inside an interface is called INTERFACE.NAME",
        )


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
def needs(matching: Matching) -> dict[int, list[int]]:
    """Which inputs each input needs, in order of its imports."""
    found: dict[int, list[int]] = {}
    for (importer, _), provision in matching.matches.items():
        found.setdefault(importer, []).append(provision.provider)
    return found


def _refuse_cycles(surfaces: Sequence[Surface], matching: Matching) -> None:
    members = cycle(len(surfaces), needs(matching))
    if not members:
        return
    steps = []
    for importer, provider in zip(members, [*members[1:], members[0]], strict=True):
        number = next(k[1] for k, p in matching.matches.items() if k[0] == importer and p.provider == provider)
        name = surfaces[importer].imports[number].name.name
        steps.append(f"`{surfaces[importer].input.name}` imports `{name}` from `{surfaces[provider].input.name}`")
    raise LinkError(
        "the inputs import from each other in a circle: "
        + " → ".join(f"`{surfaces[m].input.name}`" for m in [*members, members[0]]),
        causes=tuple(steps),
        remedy="inputs are instantiated one after the other: break the circle, for example by --link",
    )
