"""Does a provided item fit what an importer declares, and if not, why?

An instance fits if it exports at least what is declared; functions and value types must be equal; a declared resource
type becomes, by its name, the provided one, consistently for everything behind it. Types are compared by structure,
resource types by identity, each pair of nodes once. Whether a component fits is found out by instantiating it
(`componenttypes`). Spec: Explainer.md "Type Checking".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never, final

from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    TypeNode,
    ValueExtern,
)
from meldpy.model.ids import ModuleId, ResourceId
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResourceType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)
from meldpy.resolver.describe import Describer
from meldpy.resolver.moduletypes import misfit
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.values import ComponentValue, FuncValue, InstanceValue, Item, ModuleValue, TypeValue, kind_of


@final
class Mismatch(Exception):
    """Why something does not fit, from the outside inwards. Never leaves the resolver.

    resources: the declared and the provided resource type, if it is because these are two.
    """

    def __init__(self, *reasons: str, resources: tuple[ResourceId, ResourceId] | None = None) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.resources = resources

    def within(self, reason: str) -> Mismatch:
        return Mismatch(reason, *self.reasons, resources=self.resources)


@final
class Subtyping:
    """Compares types. One per link: what was found equal stays equal.

    module_type: the type that a core module has by itself; without it, only modules with a declared type are compared.
    components: raises Mismatch unless a component fits a component type; without it, none does.
    """

    def __init__(
        self,
        describe: Describer,
        module_type: Callable[[ModuleId], CoreModuleType] | None = None,
        components: Callable[[ComponentType, ComponentValue], None] | None = None,
    ) -> None:
        self.describe = describe
        self.module_type = module_type
        self.components = components
        self._equal: set[tuple[DefinedType, DefinedType]] = set()

    # --- items ---------------------------------------------------------------------------------------------------
    def check(self, declared: ExternType, actual: Item, substitution: Substitution) -> None:
        """Mismatch unless `actual` fits `declared`, whose types become the actual ones in `substitution`."""
        match declared, actual:
            case FuncType(), FuncValue():
                self.funcs(substitution.func(declared), actual.type)
            case TypeExtern(), TypeValue():
                self._type(declared, actual, substitution)
            case InstanceType(), InstanceValue():
                for export in declared.exports:
                    self._export(export, actual, substitution)
            case CoreModuleType(), ModuleValue():
                type_ = actual.type
                if type_ is None:
                    assert self.module_type is not None
                    type_ = self.module_type(actual.module)
                self.modules(declared, type_)
            case ComponentType(), ComponentValue() if self.components is not None:
                self.components(substitution.component(declared), actual)
            case _:
                raise Mismatch(f"the importer declares a {_kind(declared)}, the provider has a {kind_of(actual)}")

    def modules(self, declared: CoreModuleType, actual: CoreModuleType) -> None:
        reason = misfit(declared, actual)
        if reason is not None:
            raise Mismatch(reason)

    def _export(self, export: NamedExtern, actual: InstanceValue, substitution: Substitution) -> None:
        name = export.name.name
        found = actual.exports.get(name)
        if found is None:
            raise Mismatch(f"`{name}` is not among what is provided: {', '.join(actual.exports) or 'nothing'}")
        try:
            self.check(export.type, found[1], substitution)
        except Mismatch as mismatch:
            raise mismatch.within(
                f"`{name}`: the importer declares {self.describe.extern(export.type)},"
                f" the provider has {self.describe.item(found[1])}"
            ) from None

    def _type(self, declared: TypeExtern, actual: TypeValue, substitution: Substitution) -> None:
        if declared.bound_resource:
            if not isinstance(actual.type, ResourceType):
                raise Mismatch("a resource type is declared, and another type is provided")
        else:
            self.nodes(substitution.node(declared.type), actual.type)
        substitution.map[declared.type] = actual.type

    def nodes(self, a: TypeNode, b: TypeNode) -> None:
        match a, b:
            case ResourceType(), ResourceType():
                self._resources(a, b)
            case ((PrimValType() | DefinedType()), (PrimValType() | DefinedType())):
                self.values(a, b)
            case FuncType(), FuncType():
                self.funcs(a, b)
            case _ if a is not b:
                raise Mismatch("types of different kinds")

    # --- functions -----------------------------------------------------------------------------------------------
    def funcs(self, a: FuncType, b: FuncType) -> None:
        """Mismatch unless equal: parameters by name, order and type, and the result."""
        if a is b:
            return
        if a.async_ != b.async_:
            raise Mismatch("one of the functions is async")
        names, other = [label for label, _ in a.params], [label for label, _ in b.params]
        if names != other:
            raise Mismatch(f"the parameters are ({', '.join(names)}) on one side, ({', '.join(other)}) on the other")
        for (label, first), (_, second) in zip(a.params, b.params, strict=True):
            self._part(f"parameter `{label}`", first, second)
        self._part("the result", a.result, b.result)

    # --- value types ---------------------------------------------------------------------------------------------
    def values(self, a: ValType, b: ValType) -> None:
        """Mismatch unless the types are equal by structure."""
        if a is b:
            return
        if isinstance(a, DefinedType) and isinstance(b, DefinedType):
            if (a, b) in self._equal:
                return
            self._definitions(a, b)
            self._equal.add((a, b))
            return
        # `(type u8)` is a definition of u8, and equal to it.
        first = a if isinstance(a, PrimValType) else a.definition
        second = b if isinstance(b, PrimValType) else b.definition
        if first is not second:
            raise self._differ(a, b)

    def _part(self, what: str, a: ValType | None, b: ValType | None) -> None:
        try:
            if a is None or b is None:
                if a is not b:
                    raise Mismatch(f"{self._or_none(a)} is not {self._or_none(b)}")
            else:
                self.values(a, b)
        except Mismatch as mismatch:
            raise mismatch.within(f"{what} differs") from None

    def _differ(self, a: ValType, b: ValType) -> Mismatch:
        return Mismatch(f"{self.describe.value(a)} is not {self.describe.value(b)}")

    def _or_none(self, type_: ValType | None) -> str:
        return "no type" if type_ is None else self.describe.value(type_)

    def _definitions(self, a: DefinedType, b: DefinedType) -> None:
        match a.definition, b.definition:
            case PrimValType() as x, PrimValType() as y if x is y:
                return
            case RecordType(fields), RecordType(others):
                self._labelled("field", fields, others)
            case VariantType(cases), VariantType(other_cases):
                self._labelled("case", cases, other_cases)
            case (FlagsType(labels), FlagsType(others)) | (EnumType(labels), EnumType(others)):
                self._labels("label", labels, others)
            case TupleType(types), TupleType(others) if len(types) == len(others):
                for i, (x, y) in enumerate(zip(types, others, strict=True)):
                    self._part(f"element {i}", x, y)
            case ListType(x, length), ListType(y, other) if length == other:
                self._part("the element type", x, y)
            case OptionType(x), OptionType(y):
                self._part("the option's type", x, y)
            case ResultType(), ResultType():
                self._part("the ok type", a.definition.ok, b.definition.ok)
                self._part("the error type", a.definition.error, b.definition.error)
            case MapType(), MapType():
                self._part("the key type", a.definition.key, b.definition.key)
                self._part("the value type", a.definition.value, b.definition.value)
            case (OwnType(x), OwnType(y)) | (BorrowType(x), BorrowType(y)):
                self._resources(x, y)
            case (StreamType(x), StreamType(y)) | (FutureType(x), FutureType(y)):
                self._part("the element type", x, y)
            case _:
                raise self._differ(a, b)

    def _labelled(
        self, what: str, a: tuple[Field[ValType] | Case[ValType], ...], b: tuple[Field[ValType] | Case[ValType], ...]
    ) -> None:
        self._labels(what, (x.label for x in a), (x.label for x in b))
        for x, y in zip(a, b, strict=True):
            self._part(f"{what} `{x.label}`", x.type, y.type)

    def _labels(self, what: str, a: Iterable[str], b: Iterable[str]) -> None:
        first, second = list(a), list(b)
        if first != second:
            raise Mismatch(f"the {what}s are {', '.join(first)} on one side, {', '.join(second)} on the other")

    def _resources(self, a: ResourceType, b: ResourceType) -> None:
        if a.id != b.id:
            one, other = (
                f"resource type `{self.describe.resource_name(id)}` ({self.describe.resource_origin(id)})"
                for id in (a.id, b.id)
            )
            reason = f"{one} is not {other}: each instance that defines one has its own"
            raise Mismatch(reason, resources=(a.id, b.id))


def _kind(type_: ExternType) -> str:
    match type_:
        case FuncType():
            return "func"
        case TypeExtern():
            return "type"
        case InstanceType():
            return "instance"
        case ComponentType():
            return "component"
        case CoreModuleType():
            return "core module"
        case ValueExtern():
            return "value"
        case _:
            assert_never(type_)
