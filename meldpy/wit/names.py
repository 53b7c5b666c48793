"""What types are called, and where: a type has the name that an interface introduces it by.

Types are nodes that are compared by identity, and an export `(type (eq T))` is a new node that is an alias of T. So
a node's name is that of the nearest node on its chain that the scope at hand introduces; if another interface
introduces it, it is *used* from there. Resource types are found by identity too (`ResourceId`), since what an importer
and a provider call one resource type are different nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, final

from meldpy.model.extern import InstanceType, NamedExtern, TypeExtern
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, ResourceType

Named: TypeAlias = "DefinedType | ResourceType"

_KEYWORDS = frozenset(
    {
        "as",
        "async",
        "bool",
        "borrow",
        "char",
        "constructor",
        "enum",
        "error-context",
        "export",
        "f32",
        "f64",
        "flags",
        "from",
        "func",
        "future",
        "import",
        "include",
        "interface",
        "list",
        "map",
        "option",
        "own",
        "package",
        "record",
        "resource",
        "result",
        "s16",
        "s32",
        "s64",
        "s8",
        "static",
        "stream",
        "string",
        "tuple",
        "type",
        "u16",
        "u32",
        "u64",
        "u8",
        "use",
        "variant",
        "with",
        "world",
    }
)


def label(name: str) -> str:
    """A name where WIT wants an identifier: keywords are escaped."""
    return f"%{name}" if name in _KEYWORDS else name


@final
class Names:
    """The names of one interface's types (`inner`), and of what other interfaces introduce (`owners`)."""

    def __init__(self, owners: dict[Named, tuple[str, str]] | None = None) -> None:
        self.owners: dict[Named, tuple[str, str]] = {} if owners is None else owners
        self.inner: dict[Named, str] = {}
        self.resources: dict[ResourceId, str] = {}

    def own(self, interface: str, exports: Sequence[NamedExtern]) -> None:
        """`interface` introduces its types; who introduced a type first keeps it."""
        for name, node in introduced(exports):
            self.owners.setdefault(node, (interface, name))

    def scope(self) -> Names:
        """A new scope in which the same interfaces are known."""
        return Names(self.owners)

    def introduce(self, node: Named, name: str) -> None:
        """What the node is an alias of has this name too, unless it has one already: it can be used directly."""
        self.inner[node] = name
        for each in chain(node):
            self.inner.setdefault(each, name)
        if isinstance(node, ResourceType):
            self.resources.setdefault(node.id, name)

    def find(self, node: Named) -> str | None:
        """What the scope calls the type; None if it has no name there."""
        for each in chain(node):
            if each in self.inner:
                return self.inner[each]
        if isinstance(node, ResourceType):
            return self.resources.get(node.id)
        return None

    def resource(self, node: ResourceType) -> str:
        """What the scope calls a resource type, else what the interface does that introduced it."""
        found = self.find(node)
        if found is None and (owner := self.foreign(node, None)) is not None:
            return owner[1]
        return "resource" if found is None else found

    def foreign(self, node: Named, interface: str | None) -> tuple[str, str] | None:
        """Which other interface introduced the type that `node` is another name of, and as what."""
        for each in chain(node):
            owner = self.owners.get(each)
            if owner is not None and owner[0] != interface:
                return owner
        return None


def chain(node: Named) -> Iterator[Named]:
    """The node, and what it is an alias of."""
    at: Named | None = node
    while at is not None:
        yield at
        at = at.alias_of


def introduced(exports: Sequence[NamedExtern]) -> Iterator[tuple[str, Named]]:
    """The types that an interface gives names to, inner instances left out."""
    for export in exports:
        if isinstance(export.type, TypeExtern) and isinstance(export.type.type, DefinedType | ResourceType):
            yield export.name.name, export.type.type


def all_interfaces(externs: Sequence[NamedExtern]) -> Iterator[tuple[str, InstanceType]]:
    for extern in externs:
        if isinstance(extern.type, InstanceType):
            yield extern.name.name, extern.type
