"""The imports of the fused component: those of its inputs that nothing satisfied, merged where they agree.

Imports on one version track become one import under the highest version, with the union of what the inputs expect of
it, so that their resource types are the same. If the union does not type-check, versions stay apart; one name can only
be imported once, so a contradiction under the very same name is an error, and so are two names that are not strongly
unique. The order of the inputs decides nothing but the order of the imports.

A type that equals another is determined by that: nobody provides it, and it is imported only to have a name where an
import that stays open mentions it. So unrelated types of one name are no conflict: the later one gets a name that is
free. Which import satisfies which is not decided here (`match`), nor is anything instantiated (`link`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import reduce
from itertools import combinations
from typing import final

from meldpy.errors import LinkError, Location
from meldpy.model.extern import ExternName, ExternType, InstanceType, TypeExtern
from meldpy.model.valtype import ResourceType
from meldpy.records import dataclass, replace
from meldpy.resolver.attributes import contradiction, rank
from meldpy.resolver.follow import Key
from meldpy.resolver.match import Matching
from meldpy.resolver.names import clash, free, strong
from meldpy.resolver.nodes import node_of
from meldpy.resolver.openimports import OpenImports
from meldpy.resolver.order import cycle, in_order
from meldpy.resolver.outer import refuse_imported
from meldpy.resolver.sides import views_diff
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.surface import Surface, is_demand
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.union import Union, View, agreed


@final
@dataclass(frozen=True, slots=True)
class Merged:
    """One import of the fused component, and the inputs' imports that it stands for."""

    name: ExternName
    type: ExternType
    location: Location
    members: tuple[Key, ...]


def merge_imports(
    surfaces: Sequence[Surface], matching: Matching, types: TypeEvaluator, subtyping: Subtyping
) -> list[Merged]:
    """The outer imports, each after those whose types it mentions, otherwise in the order of the inputs."""
    return _Merger(surfaces, matching, types, subtyping).run()


@final
class _Merger:
    def __init__(
        self, surfaces: Sequence[Surface], matching: Matching, types: TypeEvaluator, subtyping: Subtyping
    ) -> None:
        self.surfaces = surfaces
        self.matching = matching
        self.types = types
        self.subtyping = subtyping
        self.substitution = types.substitution()
        self.open = OpenImports(surfaces, matching, types.nodes)
        self.merged: list[Merged] = []
        self.taken: set[str] = set()
        """Canonical names that the imports of the whole have; what nobody asks for gives way to them."""

    def run(self) -> list[Merged]:
        every = [(i, n) for i, s in enumerate(self.surfaces) for n in range(len(s.imports))]
        demands = [key for key in every if not self.matching.satisfies(key) and self.open.is_named(key)]
        for key in demands:
            import_ = self.open.import_of(key)
            refuse_imported(import_.name.name, import_.type, import_.location)
            self._refuse_foreign(key)
        keys = sorted({*demands, *self.open.named_for(demands)})
        fixed = {owner for key in keys if (owner := self.open.resource_of(key)) is not None}
        groups = self._ordered(self._grouped(keys, self.open.track_of))
        if groups is None:
            # Tracks that need each other cannot merge as a whole; names can only be imported once in any case.
            by_name = self._grouped(keys, lambda key: self.open.import_of(key).name.name)
            groups = self._ordered(by_name)
            if groups is None:
                raise self._circle(by_name)
        asked = [key for key in keys if (self.open.is_named(key) and key not in self.open.reduced) or key in fixed]
        self.taken = {strong(self.open.import_of(key).name.name) for key in asked}
        for group in groups:
            if self.open.is_named(group[0]):
                self.merged += self._merge(group)
            else:
                self._name_type(group[0], fixed)
        self._refuse_clash()
        return self.merged

    # --- which belong together, and in which order ---------------------------------------------------------------
    def _refuse_foreign(self, key: Key) -> None:
        """An import from outside cannot mention a resource type that another input defines."""
        for mention in self.open.mentioned(key):
            provider = self.matching.provider(mention.key)
            if isinstance(mention.node, ResourceType) and provider is not None:
                import_, used = self.open.import_of(key), self.open.import_of(mention.key).name.name
                raise LinkError(
                    f"`{import_.name.name}` is left to be imported, but uses resource types of `{used}`,"
                    f" which input `{self.surfaces[provider].input.name}` provides",
                    import_.location,
                    remedy=f"provide `{import_.name.name}` by an input too, or leave `{used}` to the host:"
                    f" --open {self.surfaces[key[0]].input.name}:{used}",
                )

    def _grouped(self, keys: Sequence[Key], by: Callable[[Key], str]) -> list[list[Key]]:
        """`keys` grouped, groups and members in order of appearance; a type that has no claim to its name is alone."""
        groups: dict[str | Key, list[Key]] = {}
        for key in keys:
            groups.setdefault(by(key) if self.open.is_named(key) else key, []).append(key)
        return list(groups.values())

    def _ordered(self, groups: list[list[Key]]) -> list[list[Key]] | None:
        """The groups so that each follows those whose types it mentions; None if that is impossible."""
        order = in_order(len(groups), self._needs(groups))
        return None if order is None else [groups[i] for i in order]

    def _needs(self, groups: list[list[Key]]) -> dict[int, set[int]]:
        """Of each group, by number, those whose types it mentions."""
        number = {key: i for i, group in enumerate(groups) for key in group}
        return {
            i: {number[m.key] for key in group for m in self.open.mentioned(key) if m.key in number} - {i}
            for i, group in enumerate(groups)
        }

    def _circle(self, groups: list[list[Key]]) -> LinkError:
        """What one input imports first, and another second, with types of the other import in it each time."""
        around = cycle(len(groups), self._needs(groups))
        causes = []
        for user, used in zip(around, (*around[1:], around[0]), strict=True):
            key = next(k for k in groups[user] for m in self.open.mentioned(k) if m.key in groups[used])
            import_, other = self.open.import_of(key), self.open.import_of(groups[used][0])
            place = f"as `{self.open.input_of(key)}` imports it at {import_.location}"
            causes.append(f"`{import_.name.name}` uses types of `{other.name.name}`, {place}")
        first = self.open.import_of(groups[around[0]][0])
        return LinkError(
            f"`{first.name.name}` is left to be imported, but it and other imports use each other's types in a circle",
            first.location,
            causes=tuple(causes),
            remedy="provide one of them by an input: a component imports a name once, after those whose types it uses",
        )

    # --- types that need a name only -----------------------------------------------------------------------------
    def _name_type(self, key: Key, fixed: AbstractSet[Key]) -> None:
        """Imports a type that equals another: as one with an equal type of that name, else under a free name."""
        import_ = self.open.import_of(key)
        self._adopt(key)
        node = node_of(import_.type)
        for position, other in enumerate(self.merged):
            if not is_demand(other.type) and self.open.import_of(other.members[0]).name.name == import_.name.name:
                try:
                    self.subtyping.nodes(self.substitution.node(node), node_of(other.type))
                except Mismatch:
                    continue
                self.substitution.map[node] = node_of(other.type)
                self.merged[position] = replace(other, members=(*other.members, key))
                return
        name = import_.name if key in fixed else self._free(import_.name)
        union = Union(name, self.types, self.subtyping, self.substitution)
        union.add(View(self.open.input_of(key), import_.type), import_.location)
        self.substitution = union.substitution
        self.merged.append(Merged(name, union.type(), import_.location, (key,)))

    def _adopt(self, key: Key) -> None:
        """Types that come from an import of another input are those of that import, which was merged before."""
        for mention in self.open.mentioned(key):
            if mention.origin is not mention.node:
                self.substitution.map[mention.node] = self.substitution.node(mention.origin)

    # --- merging -------------------------------------------------------------------------------------------------
    def _merge(self, group: list[Key]) -> list[Merged]:
        by_name: dict[str, list[Key]] = {}
        for key in group:
            by_name.setdefault(self.open.import_of(key).name.name, []).append(key)
        if len(by_name) > 1:
            try:
                return [self._attempt(group)]
            except Mismatch:
                pass  # The versions disagree, so each stays an import of its own.
        return [merged for members in by_name.values() for merged in self._one_name(members)]

    def _one_name(self, members: list[Key]) -> list[Merged]:
        self._refuse_contradiction([key for key in members if key not in self.open.reduced])
        try:
            return [self._attempt(members)]
        except Mismatch as mismatch:
            # What is there for names only need not be one with what is asked for, or with each other.
            asked = [key for key in members if key not in self.open.reduced]
            kept = [[key] for key in members if key in self.open.reduced]
            if kept:
                return [merged for part in ([asked] if asked else []) + kept for merged in self._one_name(part)]
            first = self.open.import_of(members[0])
            places = [f"`{self.open.input_of(k)}` imports it at {self.open.import_of(k).location}" for k in members]
            error = LinkError(
                f"`{first.name.name}` is left to be imported, but the inputs expect different types of it",
                first.location,
                causes=(*places, *mismatch.reasons),
                remedy="rebuild the inputs against one version of it, or provide it to one of them by an input:"
                f" --link {self.open.input_of(members[0])}:{first.name.name}=PROVIDER:EXPORT",
            )
            for a, b in combinations(members, 2):
                error.diff = views_diff(first.name.name, self.open.import_of(a).type, self.open.import_of(b).type)
                if error.diff:
                    error.diff_title = (
                        f"What `{self.open.input_of(a)}` imports (-) and what `{self.open.input_of(b)}` imports (+)"
                    )
                    break
            raise error from None

    def _refuse_contradiction(self, members: list[Key]) -> None:
        """LinkError if one name stands for different things, by its attributes; one component can import it once."""
        for a, b in combinations(members, 2):
            said = contradiction(self.open.import_of(a).name, self.open.import_of(b).name)
            if said is not None:
                name = self.open.import_of(b).name.name
                sides = zip((a, b), said, strict=True)
                one, other = self.open.input_of(a), self.open.input_of(b)
                raise LinkError(
                    f"`{name}` is left to be imported, but `{one}` and `{other}` mean different things by it",
                    self.open.import_of(b).location,
                    causes=tuple(
                        f"as `{self.open.input_of(k)}` imports it at {self.open.import_of(k).location}, it {what}"
                        for k, what in sides
                    ),
                    remedy="one component imports a name once: provide it to one of them by an input,"
                    f" --link {self.open.input_of(b)}:{name}=PROVIDER:EXPORT",
                )

    def _attempt(self, members: list[Key]) -> Merged:
        """One import for all of `members`, named as the highest version. Mismatch if they contradict each other."""
        ranked = sorted(members, key=lambda key: rank(self.open.import_of(key).name), reverse=True)
        first = self.open.import_of(ranked[0])
        asked = [self.open.import_of(key).name for key in ranked if key not in self.open.reduced]
        name = reduce(agreed, asked) if asked else self.open.import_of(ranked[0]).name
        for key in ranked:
            self._adopt(key)
        union = Union(name, self.types, self.subtyping, self.substitution)
        # A view that says which resource type it uses comes before one that takes any.
        for key in sorted(ranked, key=lambda key: _used_resources(self.open.import_of(key).type), reverse=True):
            union.add(View(self.open.input_of(key), self.open.import_of(key).type), first.location)
        self.substitution = union.substitution
        return Merged(name if asked else self._free(name), union.type(), first.location, tuple(members))

    def _free(self, name: ExternName) -> ExternName:
        """`name`, or another if an import that somebody asked for has it."""
        found = free(name, self.taken)
        self.taken.add(strong(found.name))
        return found

    def _refuse_clash(self) -> None:
        found = clash((merged.name.name, merged) for merged in self.merged)
        if found is None:
            return
        (name, one), (other_name, other) = found
        sides = [(name, one), (other_name, other)]
        raise LinkError(
            f"`{name}` and `{other_name}` are left to be imported, but one component cannot import both:"
            " case and hyphens do not tell names apart",
            other.location,
            causes=tuple(f"`{self.open.input_of(m.members[0])}` imports `{n}` at {m.location}" for n, m in sides),
            remedy="rename one of them, or provide it by an input:"
            f" --link {self.open.input_of(other.members[0])}:{other_name}=PROVIDER:EXPORT",
        )


def _used_resources(type_: ExternType) -> int:
    """How many resource types an instance declares to be others."""
    match type_:
        case InstanceType():
            return sum(_used_resources(export.type) for export in type_.exports)
        case TypeExtern():
            return isinstance(type_.type, ResourceType) and not type_.bound_resource
        case _:
            return 0
