"""What an input is made of: few things, all of which can come close to what another input has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["u32", "u8", "leg", "pt", "own r", "borrow r", "own q", "borrow q"]
"""A type in a signature: `leg` is a record of the input's own, `pt` and `r` are used from an interface, `q` is a
resource type that is imported at the root. Each is one i32 when it is flat."""


@dataclass(frozen=True)
class Sig:
    params: tuple[tuple[str, Kind], ...] = ()
    result: Kind | None = None


@dataclass(frozen=True)
class Name:
    """With attributes."""

    text: str
    implements: str | None = None
    external_id: str | None = None

    def __str__(self) -> str:
        found = f'"{self.text}"'
        if self.implements is not None:
            found += f' (implements "{self.implements}")'
        return found if self.external_id is None else f'{found} (external-id "{self.external_id}")'


@dataclass(frozen=True)
class Member:
    """One function of an interface."""

    name: str
    sig: Sig


@dataclass(frozen=True)
class Interface:
    """pt: the field of its record `pt`, None without one; r: it has a resource type.

    uses: number of the interface, among the input's imports, that `pt` and `r` are used from; None: its own.
    """

    name: Name
    pt: str | None
    r: bool
    members: tuple[Member, ...]
    uses: int | None = None


@dataclass(frozen=True)
class Func:
    name: Name
    sig: Sig


@dataclass(frozen=True)
class Root:
    """A resource type that is imported at the root, and functions that belong to it."""

    name: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Input:
    """used: number of the interface, among `interfaces`, whose `pt` and `r` have names at the root.

    leg: name and field of a record at the root. functions, exports: over `leg`, what is used, and `root`.
    """

    name: str
    interfaces: tuple[Interface, ...] = ()
    used: int | None = None
    leg: tuple[str, str] | None = None
    root: Root | None = None
    functions: tuple[Func, ...] = ()
    exported: tuple[Interface, ...] = ()
    exports: tuple[Func, ...] = ()

    def source(self) -> Interface | None:
        return None if self.used is None else self.interfaces[self.used]
