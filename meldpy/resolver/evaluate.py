"""Link-time evaluation: instantiating a component is calling a function.

A frame evaluates the definitions of one component instance, in order. Where a definition instantiates another
component, a new frame goes onto a stack (not onto Python's: chains of instantiations may be long), and its exports
become the new instance. Imports are bound by an *importer*: arguments for a nested instance; `outer` does it for the
root and `link` for one of several inputs. Spec: Explainer.md "Instance Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.errors import LinkError, MeldError
from meldpy.model.component import Import, TypeDesc
from meldpy.model.extern import ComponentType
from meldpy.model.valtype import ResourceType
from meldpy.resolver.arguments import REMEDY, ArgumentCheck, missing, unfit
from meldpy.resolver.builder import Builder
from meldpy.resolver.frame import Frame
from meldpy.resolver.nodes import Nodes
from meldpy.resolver.outer import imported_item
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.values import ComponentScope, ComponentValue, InstanceValue, Item, TypeValue


@final
class Evaluator:
    """Runs frames. One evaluator serves one link. check: compares arguments with what is declared."""

    def __init__(self, builder: Builder, nodes: Nodes) -> None:
        self.builder = builder
        self.check: ArgumentCheck | None = None
        self.types = TypeEvaluator(builder, nodes)

    def run(self, frame: Frame) -> Frame:
        """Evaluates `frame` and everything it instantiates; returns it, complete."""
        stack = [frame]
        while True:
            if (callee := stack[-1].advance()) is not None:
                stack.append(callee)
                continue
            done = stack.pop()
            if not stack:
                return done
            caller = stack[-1].scope
            try:
                caller.instances.add(done.complete(done.exports))
            except MeldError as error:
                raise error.at(caller.here) from None

    def instantiate(self, component: ComponentValue, caller: ComponentScope, args: Mapping[str, Item]) -> Frame:
        """The frame of a new instance of `component`, a child of the caller's."""
        label = component.place.path[-1] if component.place.path else component.place.source
        owner = self.builder.instances[caller.instance]
        instance = self.builder.instance(caller.instance, label, owner.input, caller.here)

        def bind(import_: Import, scope: ComponentScope) -> Item:
            return self.bind_argument(import_, scope, args)

        def finish(value: InstanceValue) -> InstanceValue:
            views = component.views
            if component.unknown is not None:
                value, views = self._assumed(component.unknown, views[0], args), views[1:]
            for view in views:
                value = self._seen(value, view, args)
            return value

        return Frame(self, component, instance, bind, finish)

    def bind_argument(self, import_: Import, scope: ComponentScope, args: Mapping[str, Item]) -> Item:
        """The argument for `import_`, under the declared type: what is not declared is not visible."""
        name = import_.name.name
        item = args.get(name)
        if isinstance(import_.desc, TypeDesc) and import_.desc.eq is None:
            # The argument *is* the resource type from here on; an abstract one is not even made.
            if item is None:
                raise missing(name, None, args)
            if not isinstance(item, TypeValue) or not isinstance(item.type, ResourceType):
                reason = f"a component imports `{name}` as a resource type, but the argument is none"
                raise LinkError(reason, remedy=REMEDY)
            return item
        declared = self.types.extern(import_.desc, scope, name)
        if item is None:
            raise missing(name, declared, args)
        if self.check is not None:
            self.check.check(name, declared, item, self.types.substitution())
        try:
            return self.types.substitution().bind(declared, item, f"argument `{name}`")
        except LinkError as error:
            raise unfit(error, name, declared, item) from None

    def _seen(self, value: InstanceValue, view: ComponentType, args: Mapping[str, Item]) -> InstanceValue:
        """The instance of a component that was itself an import of type `view`."""
        substitution = self._given(view, args)
        seen = substitution.bind(self.types.nodes.instance(view.exports), value, "the instance")
        assert isinstance(seen, InstanceValue)
        return seen

    def _assumed(
        self, origin: tuple[int, tuple[str, ...]], type_: ComponentType, args: Mapping[str, Item]
    ) -> InstanceValue:
        """An instance of a component of which only the type is known."""
        number, path = origin
        name = ".".join((self.builder.imports[number].name.name, *path))
        exports = self.types.nodes.instance(type_.exports)
        made = imported_item(self.types.fresh(exports, name, self._given(type_, args)), number, path, self.builder)
        assert isinstance(made, InstanceValue)
        return made

    def _given(self, type_: ComponentType, args: Mapping[str, Item]) -> Substitution:
        """What the types of the imports of a component of type `type_` stand for."""
        substitution = self.types.substitution()
        for import_ in type_.imports:
            name = import_.name.name
            if name not in args:
                raise missing(name, import_.type, args)
            substitution.bind(import_.type, args[name], f"argument `{name}`")
        return substitution
