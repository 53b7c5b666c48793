"""A small composer of components, for tests only: the other way to make one component out of several.

It nests the children byte for byte in an outer component, instantiates them in dependency order, feeds each wired
import from the provider's export and re-exports what the test asks for. The outer component's own sections are
written here by hand, so that a mistake in the project's encoder cannot hide in its own test inputs.

Imports that no wire satisfies become imports of the outer component. Their types are taken over verbatim: the
sections up to a child's last import are copied, which keeps every type index as it was, and only the instance
that an alias names is re-indexed. For that reason at most one child may have such imports, and imports must come
before everything that is not a type, an alias or an import, as in what wit-component writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from tests.support.sections import (
    ALIAS,
    COMPONENT,
    CUSTOM,
    EXPORT,
    IMPORT,
    INSTANCE,
    PREAMBLE,
    SORT_COMPONENT,
    SORT_CORE,
    SORT_INSTANCE,
    SORT_TYPE,
    TYPE,
    Reader,
    leb,
    read_externs,
    root_exports,
    root_imports,
    sections,
    string,
    vec,
)


class ComposeError(Exception):
    """The composition asks for something that this composer does not do."""


@dataclass(frozen=True, slots=True)
class Wire:
    """`importer`'s import `import_name` is satisfied by `provider`'s export `export_name`."""

    importer: str
    import_name: str
    provider: str
    export_name: str


@dataclass(frozen=True, slots=True)
class Export:
    """`child`'s export `name`, re-exported by the outer component under the same name."""

    child: str
    name: str


def compose(children: Mapping[str, bytes], wires: Sequence[Wire], exports: Sequence[Export] | None = None) -> bytes:
    """The composition of `children`; without `exports`, every export that satisfies no import is re-exported."""
    outer = _Outer()
    order: TopologicalSorter[str] = TopologicalSorter({name: [] for name in children})
    for wire in wires:
        order.add(wire.importer, wire.provider)
    importers = [child for child in children if _open_imports(child, children[child], wires)]
    if len(importers) > 1:
        raise ComposeError(f"only one child may have imports left open, not {importers}")
    for child in order.static_order():
        own = {wire.import_name: wire for wire in wires if wire.importer == child}
        outer.add_child(child, children[child], own, copy_prologue=child in importers)
    for export in _unconsumed(children, wires) if exports is None else exports:
        outer.reexport(export)
    return outer.finish()


def _open_imports(child: str, data: bytes, wires: Sequence[Wire]) -> set[str]:
    return {item.name for item in root_imports(data)} - {wire.import_name for wire in wires if wire.importer == child}


def _unconsumed(children: Mapping[str, bytes], wires: Sequence[Wire]) -> list[Export]:
    consumed = {(wire.provider, wire.export_name) for wire in wires}
    return [
        Export(child, item.name)
        for child, data in children.items()
        for item in root_exports(data)
        if (child, item.name) not in consumed
    ]


@dataclass(slots=True)
class _Outer:
    """The outer component while it is written: its sections, and how many items each index space holds."""

    chunks: list[bytes] = field(default_factory=lambda: [PREAMBLE])
    counts: dict[int, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    exported: dict[str, dict[str, int]] = field(default_factory=dict)
    aliased: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def add_child(self, child: str, data: bytes, wires: Mapping[str, Wire], *, copy_prologue: bool) -> None:
        """Nests and instantiates one child whose providers are there already."""
        if copy_prologue:
            arguments = self._copy_prologue(data, wires)
        else:
            arguments = {item.name: self._wired(wires[item.name], item.sort) for item in root_imports(data)}
        self._section(COMPONENT, data)
        component = self._new(SORT_COMPONENT)
        body = b"\0" + leb(component)
        body += vec(string(name) + bytes([sort]) + leb(index) for name, (sort, index) in arguments.items())
        self._section(INSTANCE, vec([body]))
        self.instances[child] = self._new(SORT_INSTANCE)
        self.exported[child] = {item.name: item.sort for item in root_exports(data)}

    def reexport(self, export: Export) -> None:
        sort, index = self._alias(export.child, export.name)
        self._section(EXPORT, vec([b"\0" + string(export.name) + bytes([sort]) + leb(index) + b"\0"]))
        self._new(sort)

    def finish(self) -> bytes:
        return b"".join(self.chunks)

    def _copy_prologue(self, data: bytes, wires: Mapping[str, Wire]) -> dict[str, tuple[int, int]]:
        """Repeats the child's types and open imports; the arguments for its instantiation, wired ones included."""
        if SORT_TYPE in self.counts:
            raise ComposeError("type indices are taken already")
        arguments: dict[str, tuple[int, int]] = {}
        instances: list[int] = []  # the child's instance index -> ours
        head = [(section, body) for section, body in sections(data) if section != CUSTOM]
        last = max(i for i, (section, _) in enumerate(head) if section == IMPORT)
        for section, body in head[: last + 1]:
            if section == TYPE:
                self._section(TYPE, body)
                for _ in range(Reader(body).u32()):
                    self._new(SORT_TYPE)
            elif section == ALIAS:
                for sort, alias in _rebase_aliases(body, instances):
                    self._section(ALIAS, vec([alias]))
                    index = self._new(sort)
                    if sort == SORT_INSTANCE:
                        instances.append(index)
            elif section == IMPORT:
                for item in read_externs(body, exports=False):
                    if item.name in wires:
                        sort, index = self._wired(wires[item.name], item.sort)
                    else:
                        self._section(IMPORT, vec([item.raw]))
                        sort, index = item.sort, self._new(item.sort)
                    if sort == SORT_INSTANCE:
                        instances.append(index)
                    arguments[item.name] = sort, index
            else:
                raise ComposeError(f"section {section} before an import")
        return arguments

    def _wired(self, wire: Wire, sort: int) -> tuple[int, int]:
        found = self._alias(wire.provider, wire.export_name)
        if found[0] != sort:
            raise ComposeError(f"{wire} joins different sorts")
        return found

    def _alias(self, child: str, name: str) -> tuple[int, int]:
        """(sort, index) of a child's export, aliased once."""
        if (child, name) not in self.aliased:
            sort = self.exported[child][name]
            self._section(ALIAS, vec([bytes([sort, 0]) + leb(self.instances[child]) + string(name)]))
            self.aliased[child, name] = sort, self._new(sort)
        return self.aliased[child, name]

    def _section(self, section: int, body: bytes) -> None:
        self.chunks += [bytes([section]), leb(len(body)), body]

    def _new(self, sort: int) -> int:
        index = self.counts.get(sort, 0)
        self.counts[sort] = index + 1
        return index


def _rebase_aliases(body: bytes, instances: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """(sort, bytes) of each export alias of a section, the instance that it names re-indexed."""
    reader = Reader(body)
    for _ in range(reader.u32()):
        sort, target = reader.byte(), reader.byte()
        if sort == SORT_CORE or target != 0:
            raise ComposeError("only aliases of an instance's exports may come before an import")
        instance = reader.u32()
        yield sort, bytes([sort, 0]) + leb(instances[instance]) + string(reader.name())
