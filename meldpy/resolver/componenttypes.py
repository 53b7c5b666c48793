"""Does a component fit a component type?

It does if it can be instantiated with what the type says it is given, and the instance then has what the type says it
exports: which is subtyping, contravariant in imports and covariant in exports, and what a resource type is on either
side follows from it. So a component is evaluated, as any other, in a builder of its own whose contents are thrown
away; of what it is given only the types exist. One that was bound to a type on its way is no more than that type.

Spec: Explainer.md "Type Checking", "Instance Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.model.component import Import
from meldpy.model.extern import ComponentType, ExternName, ExternType
from meldpy.resolver.describe import Describer
from meldpy.resolver.evaluate import Evaluator
from meldpy.resolver.frame import Frame
from meldpy.resolver.outer import assumed_import
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.values import ComponentScope, ComponentValue, InstanceValue, Item, instance_value


def subtyping(evaluator: Evaluator) -> Subtyping:
    """What compares all that `evaluator` makes, components too."""
    builder = evaluator.builder
    return Subtyping(
        Describer(builder.resource_name, builder.resource_origin),
        builder.module_type,
        lambda declared, actual: check_component(declared, actual, evaluator),
    )


def check_component(declared: ComponentType, actual: ComponentValue, evaluator: Evaluator) -> None:
    """Mismatch unless `actual` fits `declared`, whose types from outside are the actual ones already."""
    known = evaluator.builder
    scratch = Evaluator(known.scratch(), evaluator.types.nodes)
    scratch.types.where = evaluator.types.where
    try:
        _Fit(scratch).check(declared, actual)
    except Mismatch as mismatch:
        # The resource types of a scratch builder mean nothing outside.
        raise Mismatch(*mismatch.reasons) from None
    finally:
        known.count(scratch.builder.definitions - known.definitions)


@final
class _Fit:
    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.types = evaluator.types
        self.builder = evaluator.builder
        self.subtyping = subtyping(evaluator)

    def check(self, declared: ComponentType, actual: ComponentValue) -> None:
        assert self.types.where is not None
        given = {
            import_.name.name: assumed_import(import_.name, import_.type, self.types.where, self.builder)
            for import_ in declared.imports
        }
        try:
            made = self._instance(actual, given)
        except Mismatch as mismatch:
            raise mismatch.within("the component needs more than the importer would give it") from None
        try:
            self.subtyping.check(self.types.nodes.instance(declared.exports), made, self.types.substitution())
        except Mismatch as mismatch:
            raise mismatch.within("an instance of the component has not what the importer expects") from None

    def _instance(self, component: ComponentValue, given: Mapping[str, Item]) -> InstanceValue:
        """The instance of `component` that gets `given`. Mismatch if these do not fit its imports."""
        if component.views:
            return self._of_type(component.views[-1], given)
        instance = self.builder.instance(None, "", None, component.place.at(None))

        def bind(import_: Import, scope: ComponentScope) -> Item:
            name = import_.name.name
            self._fits(name, self.types.extern(import_.desc, scope, name), given, self.types.substitution())
            return self.evaluator.bind_argument(import_, scope, given)

        frame = self.evaluator.run(Frame(self.evaluator, component, instance, bind))
        return instance_value(frame.exports, most=self.builder.caps.items)

    def _of_type(self, type_: ComponentType, given: Mapping[str, Item]) -> InstanceValue:
        """An instance of any component of type `type_`."""
        substitution = self.types.substitution()
        for import_ in type_.imports:
            self._fits(import_.name.name, import_.type, given, substitution)
        assert self.types.where is not None
        exports = self.types.fresh(self.types.nodes.instance(type_.exports), "instance", substitution)
        made = assumed_import(ExternName("instance"), exports, self.types.where, self.builder)
        assert isinstance(made, InstanceValue)
        return made

    def _fits(self, name: str, wanted: ExternType, given: Mapping[str, Item], substitution: Substitution) -> None:
        if name not in given:
            raise Mismatch(f"it imports `{name}`, and gets {', '.join(given) or 'nothing'}")
        try:
            self.subtyping.check(wanted, given[name], substitution)
        except Mismatch as mismatch:
            raise mismatch.within(f"`{name}` differs") from None
