"""What each import of an input is bound to, when the inputs are linked and evaluated.

To what another input exports, to an import of the whole, to the type that it equals, or to the resource type that other
imports decide. Whether the type fits is checked here: the providers have been evaluated by then, so that a resource
type is compared as what it really is. Which of these applies was decided before (`match`, `follow`, `worldunion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from meldpy.errors import LinkError
from meldpy.model.bindings import Binding, BindingKind
from meldpy.model.component import Import, TypeDesc
from meldpy.model.extern import TypeExtern
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import ResourceType
from meldpy.resolver.componenttypes import subtyping
from meldpy.resolver.determined import Determined, DeterminedTypes
from meldpy.resolver.evaluate import Evaluator
from meldpy.resolver.follow import Key, counterpart
from meldpy.resolver.frame import Frame
from meldpy.resolver.match import Matching
from meldpy.resolver.nodes import node_of
from meldpy.resolver.sides import type_diff
from meldpy.resolver.subtype import Mismatch
from meldpy.resolver.surface import Surface, is_demand
from meldpy.resolver.values import ComponentScope, Item, TypeValue
from meldpy.resolver.worldunion import Merged


def bindings(surfaces: Sequence[Surface], matching: Matching) -> Iterator[Binding]:
    """What became of every import of every input."""
    for importer, surface in enumerate(surfaces):
        for number, import_ in enumerate(surface.imports):
            key = importer, number
            kind, provider, export = matching.kinds.get(key), None, None
            if kind is not None:
                provision = matching.matches[key]
                provider, export = surfaces[provision.provider].input.name, str(provision)
            elif key in matching.followed:
                kind = BindingKind.FOLLOWS
                number_of = matching.provider(key)
                provider = None if number_of is None else surfaces[number_of].input.name
            elif key in matching.opened:
                kind = BindingKind.OPENED
            else:
                kind = BindingKind.OPEN if is_demand(import_.type) else BindingKind.EQUAL_TYPE
            yield Binding(surface.input.name, import_.name, kind, import_.location, provider, export)


@final
class Binder:
    """Binds imports; `frames` has the inputs that were evaluated, which providers always are."""

    def __init__(self, surfaces: Sequence[Surface], matching: Matching, evaluator: Evaluator) -> None:
        self.surfaces = surfaces
        self.matching = matching
        self.evaluator = evaluator
        self.builder = evaluator.builder
        self.subtyping = subtyping(evaluator)
        self.determined = DeterminedTypes(self.subtyping)
        self.outer: dict[Key, Item] = {}
        self.frames: dict[int, Frame] = {}

    def imported(self, merged: Merged, item: Item) -> None:
        """The whole imports `merged`, for which `item` stands."""
        self.outer.update((key, item) for key in merged.members)
        if isinstance(item, TypeValue) and not is_demand(merged.type):
            input_, number = merged.members[0]
            self.determined.imported(self.surfaces[input_].imports[number].name.name, item.type)

    def bind(self, import_: Import, scope: ComponentScope, key: Key) -> Item:
        """What import `key` is bound to, after its type was checked."""
        types, name = self.evaluator.types, import_.name.name
        if key in self.matching.followed:
            return self._followed(key, scope)
        if isinstance(import_.desc, TypeDesc) and import_.desc.eq is not None and key not in self.matching.matches:
            return self._determined(import_, scope, key)
        item = self._provided(key)
        declared = types.extern(import_.desc, scope, name)
        try:
            self.subtyping.check(declared, item, types.substitution())
        except Mismatch as mismatch:
            describe = self.subtyping.describe
            sides = (f"the importer declares {describe.extern(declared)}", f"provided is {describe.item(item)}")
            error = self._misfit(name, key, scope, (*sides, *mismatch.reasons), mismatch.resources)
            error.diff = type_diff(name, declared, item)
            raise error from None
        return self.evaluator.bind_argument(import_, scope, {name: item})

    def _provided(self, key: Key) -> Item:
        provision = self.matching.matches.get(key)
        if provision is None:
            return self.outer[key]
        found = provision.find(self.frames[provision.provider].exports)
        assert found is not None  # it was found in the surface
        return found

    def _determined(self, import_: Import, scope: ComponentScope, key: Key) -> Item:
        """A type that equals another is that type; if the whole imports it, by the node of that import."""
        declared = self.evaluator.types.extern(import_.desc, scope, import_.name.name)
        assert isinstance(declared, TypeExtern)
        imported = self.outer.get(key)
        if imported is not None:
            return imported
        found = Determined(self.surfaces[key[0]].input.name, import_.name, declared.type, scope.here)
        return TypeValue(self.determined.bind(found))

    def _followed(self, key: Key, scope: ComponentScope) -> Item:
        """A resource type that satisfied imports of the same input decide."""
        surface = self.surfaces[key[0]]
        wanted = surface.imports[key[1]]
        for decider in self.matching.followed[key]:
            type_ = surface.imports[decider[1]].type
            found = counterpart(type_, self._provided(decider), node_of(wanted.type))
            if isinstance(found, ResourceType):
                return TypeValue(found, bound_resource=True)
        deciders = ", ".join(f"`{surface.imports[n].name.name}`" for _, n in self.matching.followed[key])
        raise LinkError(
            f"`{wanted.name.name}`, a resource type that `{surface.input.name}` imports, follows from {deciders};"
            " but what is provided for that has no resource type there",
            scope.here,
            remedy="rebuild both against one version of the interface, or choose another provider with --link",
        )

    def _misfit(
        self,
        name: str,
        key: Key,
        scope: ComponentScope,
        reasons: tuple[str, ...],
        resources: tuple[ResourceId, ResourceId] | None,
    ) -> LinkError:
        importer = self.surfaces[key[0]].input.name
        provision = self.matching.matches.get(key)
        if provision is None:
            reason = f"`{name}`, imported by `{importer}`, does not fit the import that all inputs share"
            return LinkError(reason, scope.here, causes=reasons)
        provider = self.surfaces[provision.provider]
        place = f"`{provision}` is exported at {provider.locations[provision.export]}"
        inner = None if resources is None else self._inner(*resources)
        return LinkError(
            f"`{name}`, imported by `{importer}`, does not fit what `{provider.input.name}` exports",
            scope.here,
            causes=(place, *reasons),
            remedy="rebuild both against one version of the interface, choose another provider with --link, or leave"
            f" the import to the host: --open {importer}:{name}"
            if inner is None
            else f"`{inner}` has an instance inside that defines the resource type: compose it so that it exports the"
            f" interface with that type too, and let `{importer}` import both from `{inner}`",
        )

    def _inner(self, wanted: ResourceId, provided: ResourceId) -> str | None:
        """The input with an instance inside that defines one of two different resource types, if there is one."""
        inside = (self.builder.inner_definer(resource) for resource in (provided, wanted))
        return next((name for name in inside if name is not None), None)
