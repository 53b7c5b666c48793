"""One import of the whole for several imports of inputs: the union of what they expect of it.

Types of later views become those of the first; functions must be equal; an instance has whatever any view declares.
Names that come together in an instance must be strongly unique (`names`). Which imports come together is decided by
`worldunion`. Spec: Explainer.md "Type Checking", "Name Uniqueness".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.errors import Location
from meldpy.model.extern import CoreModuleType, ExternName, ExternType, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import ResourceType
from meldpy.records import dataclass, field
from meldpy.resolver.attributes import contradiction, joined
from meldpy.resolver.names import strong
from meldpy.resolver.nodes import Nodes
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.types import TypeEvaluator


@final
@dataclass(frozen=True, slots=True)
class View:
    """What one input, called `input`, expects of an import."""

    input: str
    type: ExternType


@final
@dataclass(slots=True)
class _Exports:
    """The union of instance types so far; `strong`: which export has a canonical name, and the view that brought it."""

    exports: dict[str, tuple[ExternName, ExternType | _Exports]] = field(default_factory=dict)
    strong: dict[str, tuple[str, str]] = field(default_factory=dict)

    def freeze(self, nodes: Nodes) -> InstanceType:
        return nodes.instance(
            tuple(
                NamedExtern(name, type_.freeze(nodes) if isinstance(type_, _Exports) else type_)
                for name, type_ in self.exports.values()
            )
        )

    def claim(self, name: str, input_: str) -> None:
        """Mismatch if the instance has another export whose name is not strongly unique beside `name`."""
        other, of = self.strong.setdefault(strong(name), (name, input_))
        if other != name:
            raise Mismatch(
                f"`{name}`, as `{input_}` has it, and `{other}`, as `{of}` has it, cannot be names in one instance:"
                " case and hyphens do not tell names apart"
            )


def agreed(a: ExternName, b: ExternName) -> ExternName:
    """The name for both; Mismatch if their attributes are about different things."""
    if (said := contradiction(a, b)) is not None:
        raise Mismatch(f"`{a.name}` {said[0]} on one side, and {said[1]} on the other")
    return joined([a, b])


@final
class Union:
    """The union of views of one import, made one view at a time.

    substitution: from the nodes of the views to those of the union; the caller keeps it if the union succeeds.
    """

    def __init__(self, name: ExternName, types: TypeEvaluator, subtyping: Subtyping, known: Substitution) -> None:
        self.name = name
        self.types = types
        self.subtyping = subtyping
        self.substitution = types.substitution()
        self.substitution.map.update(known.map)
        self._union: ExternType | _Exports | None = None
        self._input = ""

    def add(self, view: View, location: Location) -> None:
        """Mismatch if `view` contradicts what was added before."""
        if self._union is None:
            self.types.where = location
        self._input = view.input
        self._union = self._add(self._union, self.name, view.type)

    def type(self) -> ExternType:
        assert self._union is not None, "a union has a view"
        return self._union.freeze(self.types.nodes) if isinstance(self._union, _Exports) else self._union

    def _add(self, known: ExternType | _Exports | None, name: ExternName, type_: ExternType) -> ExternType | _Exports:
        """`known` with what `type_` adds to it; the nodes of `type_` become those of `known`."""
        match type_:
            case InstanceType():
                union = _Exports() if known is None else known
                if not isinstance(union, _Exports):
                    raise Mismatch(f"`{name.name}` is an instance on one side only")
                for export in type_.exports:
                    union.claim(export.name.name, self._input)
                    old = union.exports.get(export.name.name)
                    new = self._add(None if old is None else old[1], export.name, export.type)
                    named = export.name if old is None else agreed(old[0], export.name)
                    union.exports[export.name.name] = named, new
                return union
            case _ if known is None:
                return self._first(name, type_)
            case TypeExtern() if isinstance(known, TypeExtern):
                return self._same_type(name, known, type_)
            case FuncType() if isinstance(known, FuncType):
                self._within(name, lambda: self.subtyping.funcs(self.substitution.func(type_), known))
                return known
            case CoreModuleType() if isinstance(known, CoreModuleType):
                self._within(name, lambda: self.subtyping.modules(type_, known))
                self._within(name, lambda: self.subtyping.modules(known, type_))
                return known
            case _:
                raise Mismatch(f"`{name.name}` is of different sorts")

    def _first(self, name: ExternName, type_: ExternType) -> ExternType:
        """`type_` as an import of its own: types get new nodes, everything else is substituted."""

        def mint(inner: str) -> ResourceId:
            assert self.types.where is not None
            full = inner if inner == self.name.name else f"{self.name.name}.{inner}"
            return self.types.builder.resource(None, None, full, self.types.where)

        wrapped = self.types.nodes.instance((NamedExtern(name, type_),))
        return self.substitution.fresh(wrapped, mint).exports[0].type

    def _same_type(self, name: ExternName, known: TypeExtern, type_: TypeExtern) -> TypeExtern:
        if type_.bound_resource:
            if not isinstance(known.type, ResourceType):
                raise Mismatch(f"`{name.name}` is a resource type on one side only")
        else:
            if known.bound_resource:
                raise Mismatch(f"`{name.name}` is a new resource type on one side only")
            self._within(name, lambda: self.subtyping.nodes(self.substitution.node(type_.type), known.type))
        self.substitution.map[type_.type] = known.type
        return known

    def _within(self, name: ExternName, check: Callable[[], None]) -> None:
        try:
            check()
        except Mismatch as mismatch:
            raise mismatch.within(f"`{name.name}` differs") from None
