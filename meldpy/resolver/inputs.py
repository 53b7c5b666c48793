"""What `resolve` takes: decoded inputs and the options that say how to link them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.errors import UsageError
from meldpy.model.component import Component
from meldpy.records import dataclass
from meldpy.resolver.builder import Caps
from meldpy.resolver.values import InstanceValue, Item, NamedItem


@final
@dataclass(frozen=True, slots=True)
class ResolverInput:
    """One decoded input. `name` is its display name, `source` the path as given, `size` in bytes.

    given: the name was given, rather than taken from the file. sha256: of the file, if somebody wants it.
    """

    name: str
    source: str
    size: int
    component: Component
    given: bool = True
    sha256: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Link:
    """A link decided by hand: `importer`'s import `import_` is satisfied by `provider`'s export `export`."""

    importer: str
    import_: str
    provider: str
    export: str


@final
@dataclass(frozen=True, slots=True)
class Provision:
    """Export `export` of input number `provider`, or what is at `path` inside the instance that it is."""

    provider: int
    export: str
    path: tuple[str, ...] = ()

    def find(self, exports: Mapping[str, NamedItem]) -> Item | None:
        """The item, among the exports of the provider; None if there is no such thing."""
        found = exports.get(self.export)
        for name in self.path:
            found = found[1].exports.get(name) if found is not None and isinstance(found[1], InstanceValue) else None
        return None if found is None else found[1]

    def __str__(self) -> str:
        return ".".join((self.export, *self.path))


@final
@dataclass(frozen=True, slots=True)
class ResolveOptions:
    """How to link.

    strict: refuse imports left open, except `wasi:*` and those that an `allow_imports` pattern (shell style) matches.
    links: decisions by hand, `IMPORTER:IMPORT=PROVIDER:EXPORT`.
    opens: imports left to the host on purpose, `INPUT:IMPORT`.
    chain: each import is satisfied by the next input to its right that exports it, and by none to its left.
    roots: inputs (by name; "all": every input) whose exports the result has; empty: those that satisfy no import.
    exports: names (NAME or INPUT:NAME) exported besides; hides: names that are not exported after all.
    renames: `NAME=NEW`, what exports are called otherwise.
    max_*: how far nested instantiation may expand.
    check_arguments: compare what instantiations inside are given, too; it always fits in a valid component.
    """

    strict: bool = False
    allow_imports: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    chain: bool = False
    roots: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    max_instances: int = 10_000
    max_core_instances: int = 10_000
    max_definitions: int = 200_000
    check_arguments: bool = False

    @property
    def caps(self) -> Caps:
        return Caps(self.max_instances, self.max_core_instances, self.max_definitions)


def parse_link(text: str) -> Link:
    """`IMPORTER:IMPORT=PROVIDER:EXPORT`, split at the first `=` and each side at its first `:`; else UsageError."""
    left, equals, right = text.partition("=")
    importer, colon, import_ = left.partition(":")
    provider, other_colon, export = right.partition(":")
    if not (equals and colon and other_colon and importer and import_ and provider and export):
        raise UsageError(f"`{text}` is not of the form IMPORTER:IMPORT=PROVIDER:EXPORT")
    return Link(importer, import_, provider, export)
