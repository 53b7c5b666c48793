"""Where the types of an input's imports come from, across inputs, before anything is linked.

An input may import a resource type at its root and use it in other imports: a function whose parameter is `own<r>`, an
instance whose `r` equals it. Once something provides one of those, it has decided which resource type `r` is, whatever
it is called there: `r` *follows*. With it follow the functions whose names say that they belong to it
(`[method]r.m`): they are beside the resource type where that is exported. What follows from nothing is not guessed
from a name; `--link` can say it. Spec: Explainer.md "Type Checking" (a declared resource type stands for the provided).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.model.extern import ExternType, FuncType, InstanceType, TypeExtern, TypeNode
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.resolver.inputs import Provision
from meldpy.resolver.names import annotated, resource_label
from meldpy.resolver.nodes import func_mentions, mentions, names_of, node_of, reached
from meldpy.resolver.surface import Surface
from meldpy.resolver.values import FuncValue, InstanceValue, Item, TypeValue

Key: TypeAlias = "tuple[int, int]"
"""An import: (input number, import number)."""


def follow(
    surfaces: Sequence[Surface], matches: dict[Key, Provision], opened: frozenset[Key] = frozenset()
) -> dict[Key, tuple[Key, ...]]:
    """The root-level resource types that follow, and the satisfied imports that decide them.

    opened: imports that are left to the host, whatever decides about them. Adds to `matches` the functions that belong
    to such a type, or to one that is satisfied from inside an instance.
    """
    followed: dict[Key, tuple[Key, ...]] = {}
    while True:
        before = len(matches)
        for importer, surface in enumerate(surfaces):
            for number, import_ in enumerate(surface.imports):
                key = importer, number
                if isinstance(import_.type, TypeExtern) and import_.type.bound_resource:
                    unsatisfied = key not in matches and key not in opened
                    if unsatisfied and (deciders := _deciders(surface, importer, number, matches)):
                        followed[key] = deciders
                    _members(surfaces, key, matches, followed, opened)
        if len(matches) == before:
            return followed


def _deciders(surface: Surface, importer: int, number: int, matches: Mapping[Key, Provision]) -> tuple[Key, ...]:
    node = node_of(surface.imports[number].type)
    return tuple(
        (importer, n)
        for n, import_ in enumerate(surface.imports)
        if (importer, n) in matches and any(found is node for found in reached([node_of(import_.type)]))
    )


def _members(
    surfaces: Sequence[Surface],
    key: Key,
    matches: dict[Key, Provision],
    followed: Mapping[Key, tuple[Key, ...]],
    opened: frozenset[Key],
) -> None:
    """Matches the annotated functions of the resource type `key` with those beside what it is."""
    importer, number = key
    surface = surfaces[importer]
    label = surface.imports[number].name.name
    wanted = [n for n, i in enumerate(surface.imports) if resource_label(i.name.name) == label]
    wanted = [n for n in wanted if (importer, n) not in matches and (importer, n) not in opened]
    if not wanted:
        return
    found = matches.get(key)
    origins = Origins(surfaces, matches, followed)
    homes = [found] if found is not None else list(_homes(origins, importer, node_of(surface.imports[number].type)))
    for n in wanted:
        besides = (_beside(home, surface.imports[n].name.name) for home in homes)
        beside = next((b for b in besides if b.find(surfaces[b.provider].items) is not None), None)
        if beside is not None:
            matches[importer, n] = beside


def _homes(origins: Origins, importer: int, node: TypeNode) -> Iterator[Provision]:
    """Where the resource type that `node` is for `importer` is exported, by the input that it comes from first."""
    for provider, there in reversed(list(origins.steps(importer, node))):
        for name, (_, item) in origins.surfaces[provider].items.items():
            for path, type_ in _resources(item, ()):
                if isinstance(there, ResourceType) and type_.id == there.id:
                    yield Provision(provider, name, path)


def _beside(home: Provision, name: str) -> Provision:
    """The function that belongs to the resource type at `home` as the one called `name` does to its own."""
    if not home.path:
        return Provision(home.provider, annotated(name, home.export))
    return Provision(home.provider, home.export, (*home.path[:-1], annotated(name, home.path[-1])))


def _resources(item: Item, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ResourceType]]:
    match item:
        case TypeValue(type=ResourceType() as type_):
            yield path, type_
        case InstanceValue(exports=exports):
            for name, (_, inner) in exports.items():
                yield from _resources(inner, (*path, name))
        case _:
            return


@final
class Origins:
    """Which input a type that another one imports really comes from."""

    def __init__(
        self,
        surfaces: Sequence[Surface],
        matches: Mapping[Key, Provision],
        followed: Mapping[Key, tuple[Key, ...]],
    ) -> None:
        self.surfaces = surfaces
        self.matches = matches
        self.followed = followed

    def of(self, input_: int, node: TypeNode) -> tuple[int, TypeNode]:
        """(input, node there): the input defines the type, or an import of it that nothing satisfies introduces it."""
        for step in self.steps(input_, node):
            input_, node = step
        return input_, node

    def steps(self, input_: int, node: TypeNode) -> Iterator[tuple[int, TypeNode]]:
        """The inputs that the type comes through, from the one that provides it on, and its nodes there."""
        while (further := self._further(input_, node)) is not None:
            input_, node = further
            yield input_, node

    def open_import(self, input_: int, node: TypeNode) -> Key | None:
        """The open import that introduces `node`, or what it is a name of; None if the input defines it."""
        owner = self._owner(input_, node)
        return None if owner is None or self._is_satisfied(owner) else owner

    def _owner(self, input_: int, node: TypeNode) -> Key | None:
        owners = self.surfaces[input_].owners
        number = next((owners[name] for name in names_of(node) if name in owners), None)
        return None if number is None else (input_, number)

    def _is_satisfied(self, key: Key) -> bool:
        return key in self.matches or key in self.followed

    def _further(self, input_: int, node: TypeNode) -> tuple[int, TypeNode] | None:
        """One step closer to the origin; None there."""
        for name in names_of(node):
            number = self.surfaces[input_].owners.get(name)
            if number is None or not self._is_satisfied((input_, number)):
                continue
            for key in (input_, number), *self.followed.get((input_, number), ()):
                provision = self.matches.get(key)
                if provision is None:
                    continue
                item = provision.find(self.surfaces[provision.provider].items)
                found = None if item is None else counterpart(self.surfaces[input_].imports[key[1]].type, item, name)
                if found is not None:
                    return provision.provider, found
        return None


def counterpart(declared: ExternType, actual: Item, wanted: TypeNode) -> TypeNode | None:
    """What `actual` has where `declared` says `wanted`, a name of it included; None if it does not say so."""
    return _Walk(wanted).extern(declared, actual)


@final
class _Walk:
    def __init__(self, wanted: TypeNode) -> None:
        self.wanted = wanted
        self.seen: set[TypeNode] = set()

    def extern(self, declared: ExternType, actual: Item) -> TypeNode | None:
        match declared, actual:
            case TypeExtern(), TypeValue():
                return self.node(declared.type, actual.type)
            case FuncType(), FuncValue():
                return self.node(declared, actual.type)
            case InstanceType(), InstanceValue():
                for export in declared.exports:
                    inner = actual.exports.get(export.name.name)
                    found = None if inner is None else self.extern(export.type, inner[1])
                    if found is not None:
                        return found
                return None
            case _:
                return None

    def node(self, declared: TypeNode, actual: TypeNode) -> TypeNode | None:
        if self.wanted in names_of(declared):
            return actual if type(actual) is type(declared) else None
        if declared in self.seen:
            return None
        self.seen.add(declared)
        match declared, actual:
            case (DefinedType(), DefinedType()):
                inner = zip(mentions(declared.definition), mentions(actual.definition), strict=False)
            case (FuncType(), FuncType()):
                inner = zip(func_mentions(declared), func_mentions(actual), strict=False)
            case _:
                return None
        return next((found for a, b in inner if (found := self.node(a, b)) is not None), None)
