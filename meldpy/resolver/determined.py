"""Types at the root of inputs that equal another: determined by that, and kept only for their names.

`(import "t" (type (eq $u)))` gives the type `$u` a name that the input's other imports and its exports can mention; it
asks nobody for anything. So inside the composition it *is* `$u`, and the whole need not have it. Two cases need it:
an import that stays open mentions it (`worldunion`), or an export of the whole does (here). It is then imported, as it
was, or, if it has resource types of the composition inside, exported, because what defines those is in there.
Spec: Binary.md "Import and Export Definitions" (types that exports mention are named by imports or exports).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import final

from meldpy.errors import Location
from meldpy.model.extern import ExternName, TypeNode
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, EnumType, FlagsType, PrimValType, RecordType, ResourceType, VariantType
from meldpy.records import dataclass
from meldpy.resolver.nodes import mentions, names_of, reached
from meldpy.resolver.subtype import Mismatch, Subtyping


@final
@dataclass(frozen=True, slots=True, eq=False)
class Determined:
    """A type that equals another, as an input names it."""

    input: str
    name: ExternName
    type: TypeNode
    location: Location


@final
class DeterminedTypes:
    """Those of all inputs, in the order in which they were bound; equal ones of one name are one."""

    def __init__(self, subtyping: Subtyping) -> None:
        self.subtyping = subtyping
        self.all: list[Determined] = []
        self._known: dict[str, list[TypeNode]] = {}

    def imported(self, name: str, node: TypeNode) -> None:
        """The whole imports `node`, which inputs call `name`."""
        self._known.setdefault(name, []).append(node)

    def bind(self, found: Determined) -> TypeNode:
        """The node that stands for the type: that of an equal one of the same name, else its own."""
        known = self._known.setdefault(found.name.name, [])
        for node in known:
            if self._equal(found.type, node):
                return node
        known.append(found.type)
        self.all.append(found)
        return found.type

    def _equal(self, a: TypeNode, b: TypeNode) -> bool:
        try:
            self.subtyping.nodes(a, b)
        except Mismatch:
            return False
        return True


@final
class Importable:
    """Which determined types the whole can import: those with nothing inside that only the composition has.

    named: nodes that imports of the whole name already.
    """

    def __init__(
        self, types: Iterable[Determined], named: AbstractSet[TypeNode], is_defined: Callable[[ResourceId], bool]
    ) -> None:
        self.named = named
        self.is_defined = is_defined
        self.types: dict[TypeNode, Determined] = {}
        for type_ in types:  # each comes after those that it mentions
            if type_.type not in named and self._is_importable(type_.type):
                self.types[type_.type] = type_

    def _is_importable(self, node: TypeNode) -> bool:
        match node:
            case ResourceType():
                return not self.is_defined(node.id)
            case DefinedType():
                return all(self._has_name(inner) for inner in mentions(node.definition))
            case _:
                return False

    def _has_name(self, node: TypeNode) -> bool:
        """Whether an import may mention `node`."""
        if any(name in self.named or name in self.types for name in names_of(node)):
            return True
        if is_nominal(node):
            return False
        return isinstance(node, PrimValType) or self._is_importable(node)

    def needed(self, roots: Iterable[TypeNode]) -> list[Determined]:
        """The types that must be imported so that `roots` can be mentioned, each after those that it mentions."""
        mentioned = self.reached(roots)
        found = {node for node in mentioned if node in self.types}
        work = list(found)
        while work:
            node = work.pop()
            assert isinstance(node, DefinedType | ResourceType)
            inner: Sequence[TypeNode] = [] if node.alias_of is None else [node.alias_of]
            if isinstance(node, DefinedType):
                inner = [*inner, *mentions(node.definition)]
            for other in self.reached(inner):
                if other in self.types and other not in found:
                    found.add(other)
                    work.append(other)
        return [type_ for node, type_ in self.types.items() if node in found]

    def reached(self, roots: Iterable[TypeNode]) -> Iterator[DefinedType | ResourceType]:
        """What `roots` mention, no further than the types that can be imported."""
        return reached(roots, self.types.keys())


def is_nominal(node: TypeNode) -> bool:
    """Whether only a name lets an import or export mention the type."""
    return isinstance(node, DefinedType) and isinstance(
        node.definition, RecordType | VariantType | EnumType | FlagsType
    )
