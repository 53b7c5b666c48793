"""Which type index stands for which evaluated type, in one component or one declarator list.

After resolve a type is a node, compared by identity; bytes want an index of the enclosing scope. A scope remembers
the nodes it has written, knows which import or export can be aliased for others, and reaches into enclosing scopes by
outer aliases. It writes nothing but those aliases: definitions are `types`' job.

Two things are kept apart. A node that an import or export *named* may be mentioned by other imports and exports
(Binary.md, external visibility of types); one that was merely written down may not, if it is a record, variant, enum,
flags or resource. So references look for a name first: that of the node, then of the nodes it is an alias of, then any
name of the same underlying type, inner scopes before outer ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias, final

from meldpy.model.component import OuterAlias, Sort
from meldpy.model.extern import InstanceType, TypeExtern, TypeNode
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, EnumType, FlagsType, PrimValType, RecordType, ResourceType, VariantType
from meldpy.records import dataclass, field
from meldpy.wrapper.builder import ExportPath, Sink


@final
@dataclass(slots=True)
class Entry:
    """A type index of one scope, or the export to alias when it is first asked for."""

    _index: int | None = None
    _source: tuple[ExportPath, str] | None = None

    @classmethod
    def exported(cls, path: ExportPath, name: str) -> Entry:
        return cls(None, (path, name))

    def index(self) -> int:
        if self._index is None:
            assert self._source is not None, "an entry has an index or a source"
            path, name = self._source
            self._index = path.alias(Sort.TYPE, name)
        return self._index


class Introducer(Protocol):
    """What a scope asks when a type must be introduced by an import before it can be mentioned."""

    def nominal(self, node: DefinedType, index: int) -> int:
        """Import the nominal type just defined at `index`; the index of the import."""
        ...

    def resource(self, node: ResourceType) -> int:
        """Import a resource type; the index of the import."""
        ...


Names: TypeAlias = "dict[TypeNode, Entry]"


def chain(node: TypeNode) -> Iterator[TypeNode]:
    """`node` and the nodes it is an alias of, outermost name first."""
    step: TypeNode | None = node
    while step is not None:
        yield step
        step = step.alias_of if isinstance(step, DefinedType | ResourceType) else None


def underlying(node: TypeNode) -> TypeNode:
    """The last node of the chain: the definition itself."""
    *_, last = chain(node)
    return last


def is_nominal(node: TypeNode) -> bool:
    """May other imports and exports mention this type only by name? (Resource types aside.)"""
    return isinstance(node, DefinedType) and isinstance(
        node.definition, RecordType | VariantType | EnumType | FlagsType
    )


@final
@dataclass(slots=True)
class Scope:
    """One type index space.

    parent: the enclosing scope that outer aliases reach, None for a component's own.
    raw: resource types by identity, as defined or first imported; only the outermost scope's is used.
    introducer: set for a component in which every nominal type has to be imported.
    """

    sink: Sink
    parent: Scope | None = None
    raw: dict[ResourceId, Entry] = field(default_factory=dict)
    introducer: Introducer | None = None
    _written: Names = field(default_factory=dict)
    _named: Names = field(default_factory=dict)
    _named_definitions: Names = field(default_factory=dict)
    _named_resources: dict[ResourceId, Entry] = field(default_factory=dict)
    _outer: dict[tuple[int, int], int] = field(default_factory=dict)
    _bases: dict[TypeNode, TypeNode] = field(default_factory=dict)
    """Underlying nodes, remembered: names of names may be many, and each asks for its own."""

    # --- recording -----------------------------------------------------------------------------------------
    def wrote(self, node: TypeNode, index: int) -> None:
        """`node`, and with it whatever it is an alias of, was defined at `index`."""
        if isinstance(node, PrimValType):
            return
        for step in chain(node):
            if step in self._written:
                break  # and with it whatever it is an alias of
            self._written[step] = Entry(index)

    def name(self, node: TypeNode, entry: Entry) -> None:
        """An import or export introduced `node`. The first name of a node is the one that counts."""
        if isinstance(node, PrimValType):
            return
        self._named.setdefault(node, entry)
        if isinstance(node, ResourceType):
            self._named_resources.setdefault(node.id, entry)
            if self.parent is None:
                self.raw.setdefault(node.id, entry)
        elif is_nominal(node):
            self._named_definitions.setdefault(self._underlying(node), entry)

    def provide(self, path: ExportPath, type_: InstanceType) -> None:
        """An import or export introduced an instance: its types can be aliased from it."""
        for export in type_.exports:
            match export.type:
                case TypeExtern(type=node):
                    self.name(node, Entry.exported(path, export.name.name))
                case InstanceType() as inner:
                    self.provide(path.inner(export.name.name), inner)
                case _:
                    pass

    # --- finding -------------------------------------------------------------------------------------------
    def find(self, node: TypeNode) -> int | None:
        """The index to mention `node` by, None if it has to be defined first."""
        for step in chain(node):
            for level, scope in self._levels():
                if (entry := scope._named.get(step)) is not None:
                    return self._reach(level, entry)
        if (index := self._find_other_name(node)) is not None:
            return index
        return self._find_written(node)

    def find_target(self, node: TypeNode) -> int | None:
        """The index of exactly `node` or something it is an alias of: what a new name for it is equated with.

        Other names of the same definition do not count, else two independent names would turn into one that
        uses the other.
        """
        for step in chain(node):
            for level, scope in self._levels():
                entry = scope._named.get(step) or scope._written.get(step)
                if entry is not None:
                    return self._reach(level, entry)
        return self._find_raw(node)

    def _find_other_name(self, node: TypeNode) -> int | None:
        base = self._underlying(node)
        for level, scope in self._levels():
            if isinstance(node, ResourceType):
                entry = scope._named_resources.get(node.id)
            else:
                entry = scope._named_definitions.get(base)
            if entry is not None:
                return self._reach(level, entry)
        return None

    def _underlying(self, node: TypeNode) -> TypeNode:
        above = node.alias_of if isinstance(node, DefinedType | ResourceType) else None
        base = underlying(node) if above is None else self._bases.get(above) or underlying(above)
        self._bases[node] = base
        return base

    def _find_written(self, node: TypeNode) -> int | None:
        for step in chain(node):
            for level, scope in self._levels():
                if (entry := scope._written.get(step)) is not None:
                    return self._reach(level, entry)
        return self._find_raw(node)

    def _find_raw(self, node: TypeNode) -> int | None:
        if not isinstance(node, ResourceType):
            return None
        *_, (level, top) = self._levels()
        entry = top.raw.get(node.id)
        if entry is None and top.introducer is not None:
            entry = top.raw[node.id] = Entry(top.introducer.resource(node))
        return None if entry is None else self._reach(level, entry)

    def _levels(self) -> Iterator[tuple[int, Scope]]:
        level, scope = 0, self
        while True:
            yield level, scope
            if scope.parent is None:
                return
            level, scope = level + 1, scope.parent

    def _reach(self, level: int, entry: Entry) -> int:
        """The index here of a type that a scope `level` steps outwards has."""
        index = entry.index()
        if level == 0:
            return index
        if (level, index) not in self._outer:
            self._outer[level, index] = self.sink.alias(OuterAlias(Sort.TYPE, level, index))
        return self._outer[level, index]
