"""The imports of inputs that stay open, and which imports have to stay beside them because of the types they mention.

What an import mentions may be introduced by another import of the same input, which may be satisfied: then by an input
that merely passes it on, or by one that defines it. A type that nobody has to provide is imported all the same where an
open import needs a name for it. How open imports become imports of the whole is decided in `worldunion`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from meldpy.model.extern import ExternType, InstanceType, TypeExtern, TypeNode
from meldpy.model.linked import OuterImport
from meldpy.model.valtype import ResourceType
from meldpy.records import dataclass, replace
from meldpy.resolver.follow import Key, Origins
from meldpy.resolver.match import Matching
from meldpy.resolver.names import resource_label
from meldpy.resolver.nodes import Nodes, names_of, node_of, reached
from meldpy.resolver.semver import versioned
from meldpy.resolver.surface import Surface, is_demand


@final
@dataclass(frozen=True, slots=True)
class Mention:
    """A type that an import mentions: its node there, the import that introduces it, and its node in that."""

    node: TypeNode
    key: Key
    origin: TypeNode


@final
class OpenImports:
    """reduced: satisfied imports that stay imports for the names of their value types, and have nothing else."""

    def __init__(self, surfaces: Sequence[Surface], matching: Matching, nodes: Nodes) -> None:
        self.surfaces = surfaces
        self.matching = matching
        self.nodes = nodes
        self.origins = Origins(surfaces, matching.matches, matching.followed)
        self.reduced: dict[Key, OuterImport] = {}

    def import_of(self, key: Key) -> OuterImport:
        return self.reduced.get(key, self.surfaces[key[0]].imports[key[1]])

    def input_of(self, key: Key) -> str:
        return self.surfaces[key[0]].input.name

    def track_of(self, key: Key) -> str:
        name = self.import_of(key).name
        found = versioned(name)
        return name.name if found is None else found.track

    def is_named(self, key: Key) -> bool:
        """Whether the import's name is what identifies it: not so for a type that equals another."""
        return is_demand(self.import_of(key).type)

    def mentioned(self, key: Key) -> Iterator[Mention]:
        """The types that this import mentions and other imports introduce."""
        input_, number = key
        owners = self.surfaces[input_].owners
        for node in reached([node_of(self.import_of(key).type)]):
            owner = owners.get(node)
            if owner is None or owner == number:
                continue
            if self.matching.satisfies((input_, owner)):
                # What another input merely passes on comes from where that has it.
                origin, there = self.origins.of(input_, node)
                if (source := self.origins.open_import(origin, there)) is not None:
                    yield Mention(node, source, there)
                    continue
            yield Mention(node, (input_, owner), node)
        if (resource := self.resource_of(key)) is not None:
            named = node_of(self.surfaces[input_].imports[resource[1]].type)
            yield Mention(named, resource, named)

    def resource_of(self, key: Key) -> Key | None:
        """The import that names the resource type which the name of this one says it belongs to."""
        label = resource_label(self.import_of(key).name.name)
        imports = self.surfaces[key[0]].imports
        found = (n for n, import_ in enumerate(imports) if import_.name.name == label)
        number = next(found, None)
        return None if number is None else (key[0], number)

    def named_for(self, keys: list[Key]) -> Iterator[Key]:
        """Imports that nobody must provide, but whose names for value types the open ones use.

        Types that equal another; and interfaces that another input provides, of which only the value types stay: what
        is open goes on to use them by name. A value type is the same whoever names it.
        """
        pending, seen = list(keys), set(keys)
        while pending:
            key = pending.pop()
            type_ = self.import_of(key).type
            named = frozenset(names_of(type_.type)) if isinstance(type_, TypeExtern) else frozenset()
            for mention in self.mentioned(key):
                other = mention.key
                if other not in seen and mention.node not in named:
                    seen.add(other)
                    pending.append(other)
                    self._reduce(other)
                    yield other

    def _reduce(self, key: Key) -> None:
        """An instance keeps its value types only: its functions, and resource types, are the provider's."""
        import_ = self.import_of(key)
        if isinstance(import_.type, InstanceType):
            kept = tuple(export for export in import_.type.exports if _is_value_type(export.type))
            self.reduced[key] = replace(import_, type=self.nodes.instance(kept))


def _is_value_type(type_: ExternType) -> bool:
    return isinstance(type_, TypeExtern) and not any(isinstance(node, ResourceType) for node in reached([type_.type]))
