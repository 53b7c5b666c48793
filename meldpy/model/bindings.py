"""What became of the imports of inputs: what they are bound to, which stay open, and what came near them.

For people, and for `--strict`, which refuses what stays open. How inputs are linked is `resolver.match`'s.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import final

from meldpy.errors import Location
from meldpy.model.extern import ExternName
from meldpy.records import dataclass


@final
class NearMissKind(Enum):
    """In which way an export is almost what an import asks for."""

    OTHER_TRACK = "other track"
    """The same interface in a version that is compatible with none of the import's."""
    SPELLING = "spelling"
    """A name that differs by case, hyphens or annotation only."""
    OTHER_PACKAGE = "other package"
    """An interface of the same name in another package."""
    ATTRIBUTES = "attributes"
    """The same name, but it implements another interface, or has another external id."""
    IMPLEMENTED = "implemented"
    """The interface that a plainly named import implements, or an instance that implements the imported interface."""
    LEFT = "left"
    """The very interface, exported by an input to the left, where a chain looks only to the right."""
    INSIDE = "inside"
    """A function or type of that name inside an exported instance."""


@final
@dataclass(frozen=True, slots=True)
class NearMiss:
    """`export` (with a path, a dot between its parts, if it lies inside an instance) of input `provider`."""

    kind: NearMissKind
    provider: str
    export: str


@final
@dataclass(frozen=True, slots=True)
class OpenImport:
    """An import of one of several inputs that no other satisfies, and what could have been meant, best first."""

    importer: str
    name: ExternName
    location: Location
    near: tuple[NearMiss, ...] = ()


@final
@unique
class BindingKind(Enum):
    """Why an import is bound to what it is bound to; the value is for people."""

    BY_HAND = "decided by hand (--link)"
    SAME_NAME = "an export of that name"
    SAME_TRACK = "the highest version on the same track"
    NEXT_IN_CHAIN = "the next input to the right that exports it (--chain)"
    FOLLOWS = "follows from the types of other imports that are satisfied"
    EQUAL_TYPE = "a type that equals another: nothing is looked for"
    OPENED = "left to the host by hand (--open)"
    OPEN = "nothing satisfies it"


@final
@dataclass(frozen=True, slots=True)
class Binding:
    """One import of one input. provider, export: the input's name and its export, if one satisfies the import."""

    importer: str
    name: ExternName
    kind: BindingKind
    location: Location
    provider: str | None = None
    export: str | None = None
