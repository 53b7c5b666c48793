"""What a `.wac` file says, as it was written."""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.errors import Location, MeldError
from meldpy.records import dataclass


@final
class WacError(MeldError):
    """A `.wac` file that is wrong, or says what meldpy does not do; with file, line and column."""


@final
@dataclass(frozen=True, slots=True)
class New:
    """`new package { arguments }`. package: as written, with the version if there is one."""

    package: str
    arguments: tuple[Argument, ...]
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Ref:
    """The value that a `let` named."""

    name: str
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Access:
    """An export of an instance: `.name`, which may also be the last part of an interface's name, or `["name"]`."""

    of: Expression
    name: str
    exact: bool
    at: Location


Expression: TypeAlias = "New | Ref | Access"


@final
@dataclass(frozen=True, slots=True)
class Named:
    """`name: expression`; exact: the name was a string."""

    name: str
    exact: bool
    value: Expression
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Inferred:
    """A bare name: the import that it is for follows from it."""

    value: Ref
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Spread:
    """`...name`: whatever it exports that is wanted and not given yet."""

    value: Ref
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Rest:
    """`...`: what is not given stays open."""

    at: Location


Argument: TypeAlias = "Named | Inferred | Spread | Rest"


@final
@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Expression
    at: Location


@final
@dataclass(frozen=True, slots=True)
class Export:
    """spread: all that the instance exports, each by its name; as_: another name."""

    value: Expression
    spread: bool
    as_: str | None
    at: Location


Statement: TypeAlias = "Let | Export"
