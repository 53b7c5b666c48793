"""The imports of the fused component: those of its inputs that nothing satisfied, merged where they agree.

Imports on one version track become one import under the highest version, with the union of what the inputs expect of
it, so that their resource types are the same. If the union does not type-check, versions stay apart; one name can only
be imported once, so a contradiction under the very same name is an error. Which import satisfies which is not decided
here (`match`), nor is anything instantiated (`link`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, final

from meldpy.errors import LinkError, Location
from meldpy.model.extern import ExternName, ExternType, FuncType, InstanceType, NamedExtern, TypeExtern, TypeNode
from meldpy.model.ids import ResourceId
from meldpy.model.linked import OuterImport
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.resolver.match import Matches
from meldpy.resolver.nodes import Nodes, node_of, reached
from meldpy.resolver.order import in_order
from meldpy.resolver.semver import Version, versioned
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.surface import Surface
from meldpy.resolver.types import TypeEvaluator

Key: TypeAlias = "tuple[int, int]"
"""An import: (input number, import number)."""


@final
@dataclass(frozen=True, slots=True)
class Merged:
    """One import of the fused component, and the inputs' imports that it stands for."""

    name: ExternName
    type: ExternType
    location: Location
    members: tuple[Key, ...]


@final
@dataclass(slots=True)
class _Exports:
    """The union of instance types so far."""

    exports: dict[str, tuple[ExternName, ExternType | _Exports]] = field(default_factory=dict)

    def freeze(self, nodes: Nodes) -> InstanceType:
        return nodes.instance(
            tuple(
                NamedExtern(name, type_.freeze(nodes) if isinstance(type_, _Exports) else type_)
                for name, type_ in self.exports.values()
            )
        )


def merge_imports(
    surfaces: Sequence[Surface], matches: Matches, types: TypeEvaluator, subtyping: Subtyping
) -> list[Merged]:
    """The outer imports, each after those whose types it mentions, otherwise in the order of the inputs."""
    return _Union(surfaces, matches, types, subtyping).run()


@final
class _Union:
    def __init__(
        self, surfaces: Sequence[Surface], matches: Matches, types: TypeEvaluator, subtyping: Subtyping
    ) -> None:
        self.surfaces = surfaces
        self.matches = matches
        self.types = types
        self.subtyping = subtyping
        self.substitution = types.substitution()
        self.importing = ""  # the import being merged, to name resource types after
        self.reduced: dict[Key, OuterImport] = {}
        """Satisfied imports that stay imports for the names of their value types, and have nothing else."""

    def run(self) -> list[Merged]:
        every = ((i, n) for i, s in enumerate(self.surfaces) for n in range(len(s.imports)))
        keys = [key for key in every if key not in self.matches]
        for key in keys:
            self._refuse_foreign(key)
        keys = sorted({*keys, *self._named_for(keys)})
        groups = self._ordered(_grouped(keys, self._track))
        if groups is None:
            # Tracks that need each other cannot merge as a whole; names can only be imported once in any case.
            groups = self._ordered(_grouped(keys, lambda key: self._import(key).name.name))
        if groups is None:
            raise LinkError("imports that are left open use each other's types in a circle")
        return [merged for group in groups for merged in self._merge(group)]

    def _import(self, key: Key) -> OuterImport:
        return self.reduced.get(key, self.surfaces[key[0]].imports[key[1]])

    def _track(self, key: Key) -> str:
        name = self._import(key).name
        found = versioned(name)
        return name.name if found is None else found.track

    # --- dependencies --------------------------------------------------------------------------------------------
    def _mentioned(self, key: Key, besides: frozenset[TypeNode] = frozenset()) -> Iterator[tuple[Key, bool]]:
        """Other imports of the same input whose types this one mentions, and whether as a resource type."""
        owners = self.surfaces[key[0]].owners
        for node in reached([node_of(self._import(key).type)]):
            owner = owners.get(node)
            if owner is not None and owner != key[1] and node not in besides:
                yield (key[0], owner), isinstance(node, ResourceType)

    def _named_for(self, keys: list[Key]) -> Iterator[Key]:
        """Value types that another input provides, and that open imports of functions and types mention.

        Such imports can only mention what an import names, so these stay imports as well; an instance type has its
        own names, and an imported type is one. A value type is the same whoever names it.
        """
        pending, seen = list(keys), set(keys)
        while pending:
            key = pending.pop()
            type_ = self._import(key).type
            if isinstance(type_, InstanceType):
                continue
            named = frozenset(_names(type_.type)) if isinstance(type_, TypeExtern) else frozenset()
            for other, _ in self._mentioned(key, named):
                if other not in seen:
                    seen.add(other)
                    pending.append(other)
                    self._reduce(other)
                    yield other

    def _reduce(self, key: Key) -> None:
        """An instance keeps its value types only: its functions, and resource types, are the provider's."""
        import_ = self._import(key)
        if isinstance(import_.type, InstanceType):
            kept = tuple(export for export in import_.type.exports if _is_value_type(export.type))
            self.reduced[key] = replace(import_, type=self.types.nodes.instance(kept))

    def _refuse_foreign(self, key: Key) -> None:
        """An import from outside cannot mention a resource type that another input defines."""
        for other, is_resource in self._mentioned(key):
            if is_resource and other in self.matches:
                import_, used = self._import(key), self._import(other).name.name
                provider = self.surfaces[self.matches[other].provider].input.name
                raise LinkError(
                    f"`{import_.name.name}` is left to be imported, but uses resource types of `{used}`,"
                    f" which input `{provider}` provides",
                    import_.location,
                    remedy=f"provide `{import_.name.name}` by an input too, or leave `{used}` open",
                )

    def _ordered(self, groups: list[list[Key]]) -> list[list[Key]] | None:
        """The groups so that each follows those whose types it mentions; None if that is impossible."""
        number = {key: i for i, group in enumerate(groups) for key in group}
        needs = {
            i: {number[other] for key in group for other, _ in self._mentioned(key) if other in number} - {i}
            for i, group in enumerate(groups)
        }
        order = in_order(len(groups), needs)
        return None if order is None else [groups[i] for i in order]

    # --- merging -------------------------------------------------------------------------------------------------
    def _merge(self, group: list[Key]) -> list[Merged]:
        by_name = _grouped(group, lambda key: self._import(key).name.name)
        if len(by_name) > 1:
            try:
                return [self._attempt(self._highest_first(group))]
            except Mismatch:
                pass  # The versions disagree, so each stays an import of its own.
        return [self._one_name(members) for members in by_name]

    def _one_name(self, members: list[Key]) -> Merged:
        try:
            return self._attempt(members)
        except Mismatch as mismatch:
            first = self._import(members[0])
            places = [f"`{self.surfaces[k[0]].input.name}` imports it at {self._import(k).location}" for k in members]
            raise LinkError(
                f"`{first.name.name}` is left to be imported, but the inputs expect different types of it",
                first.location,
                causes=(*places, *mismatch.reasons),
                remedy="rebuild the inputs against one version of it, or provide it by an input",
            ) from None

    def _highest_first(self, group: list[Key]) -> list[Key]:
        def version(key: Key) -> Version:
            found = versioned(self._import(key).name)
            assert found is not None
            return found.version

        return sorted(group, key=version, reverse=True)

    def _attempt(self, members: list[Key]) -> Merged:
        """One import for all of `members`, the first of which names it. Mismatch if they contradict each other."""
        trial = self.types.substitution()
        trial.map.update(self.substitution.map)
        first = self._import(members[0])
        self.types.where = first.location
        self.importing = first.name.name
        type_ = self._add(None, first.name, first.type, trial)
        for key in members[1:]:
            type_ = self._add(type_, first.name, self._import(key).type, trial)
        self.substitution = trial
        merged = type_.freeze(self.types.nodes) if isinstance(type_, _Exports) else type_
        return Merged(first.name, merged, first.location, tuple(members))

    def _add(
        self, known: ExternType | _Exports | None, name: ExternName, type_: ExternType, trial: Substitution
    ) -> ExternType | _Exports:
        """`known` with what `type_` adds to it; the nodes of `type_` become those of `known`."""
        match type_:
            case InstanceType():
                union = _Exports() if known is None else known
                if not isinstance(union, _Exports):
                    raise Mismatch(f"`{name.name}` is an instance on one side only")
                for export in type_.exports:
                    old = union.exports.get(export.name.name)
                    new = self._add(None if old is None else old[1], export.name, export.type, trial)
                    union.exports[export.name.name] = (export.name if old is None else old[0], new)
                return union
            case _ if known is None:
                return self._first(name, type_, trial)
            case TypeExtern() if isinstance(known, TypeExtern):
                return self._same_type(name, known, type_, trial)
            case FuncType() if isinstance(known, FuncType):
                self._within(name, lambda: self.subtyping.funcs(trial.func(type_), known))
                return known
            case _:
                raise Mismatch(f"`{name.name}` is of different sorts")

    def _first(self, name: ExternName, type_: ExternType, trial: Substitution) -> ExternType:
        """`type_` as an import of its own: types get new nodes, everything else is substituted."""

        def mint(inner: str) -> ResourceId:
            assert self.types.where is not None
            full = inner if inner == self.importing else f"{self.importing}.{inner}"
            return self.types.builder.resource(None, None, full, self.types.where)

        wrapped = self.types.nodes.instance((NamedExtern(name, type_),))
        return trial.fresh(wrapped, mint).exports[0].type

    def _same_type(self, name: ExternName, known: TypeExtern, type_: TypeExtern, trial: Substitution) -> TypeExtern:
        if known.bound_resource != type_.bound_resource:
            raise Mismatch(f"`{name.name}` is a new resource type on one side only")
        if not type_.bound_resource:
            self._within(name, lambda: self.subtyping.nodes(trial.node(type_.type), known.type))
        trial.map[type_.type] = known.type
        return known

    def _within(self, name: ExternName, check: Callable[[], None]) -> None:
        try:
            check()
        except Mismatch as mismatch:
            raise mismatch.within(f"`{name.name}` differs") from None


def _names(node: TypeNode) -> Iterator[TypeNode]:
    """`node` and what it is another name of."""
    yield node
    while isinstance(node, DefinedType | ResourceType) and node.alias_of is not None:
        node = node.alias_of
        yield node


def _is_value_type(type_: ExternType) -> bool:
    return isinstance(type_, TypeExtern) and not any(isinstance(node, ResourceType) for node in reached([type_.type]))


def _grouped(keys: Sequence[Key], by: Callable[[Key], str]) -> list[list[Key]]:
    """`keys` grouped, groups and members in order of appearance."""
    groups: dict[str, list[Key]] = {}
    for key in keys:
        groups.setdefault(by(key), []).append(key)
    return list(groups.values())
