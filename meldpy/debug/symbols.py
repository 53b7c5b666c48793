"""Offsets in a component or module, told as component, function, file and line.

An offset counts from the start of the file, as engines for components print it, or from the start of a core module, as
browsers do; with the function's index beside it the module is found by that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, final

from meldpy.debug.cursor import Cursor
from meldpy.debug.demangle import demangled
from meldpy.debug.dwarf import debug_sections
from meldpy.debug.lines import Place
from meldpy.debug.reader import DwarfReader
from meldpy.model.core import CoreModule, FuncImportType, NameKind, NameSection
from meldpy.model.debug import SEPARATOR
from meldpy.records import dataclass

TRAP: Final = "trap: "
ADAPTER: Final = "adapter "


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """One function. component, module: where it comes from, if its name says so. rule: of the Canonical ABI, that the
    function stands for. original: the offset in the input, if the output says.
    """

    function: str
    component: str | None = None
    module: str | None = None
    place: Place | None = None
    inlined: bool = False
    rule: str | None = None

    def __str__(self) -> str:
        name = f"{self.component}: {self.function}" if self.component else self.function
        return f"{name} (inlined)" if self.inlined else name


@final
class _Module:
    """A core module with its functions by offset in the file."""

    def __init__(self, module: CoreModule) -> None:
        self.module = module
        self.imported = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
        self.starts: list[int] = []
        cursor = Cursor(module.code.bodies)
        while cursor.remaining:
            size = cursor.u32()
            self.starts.append(module.code.offset + cursor.position)
            cursor.position += size
        self.end = module.code.offset + len(module.code.bodies)
        self.names: dict[int, str] = {}
        for custom in module.customs:
            if isinstance(custom.section, NameSection):
                self.names = dict(dict(custom.section.maps)[NameKind.FUNCTION]) if _named(custom.section) else {}
        self.dwarf = DwarfReader(debug_sections(module))

    def function(self, offset: int) -> int | None:
        """The index of the function that an offset in the file lies in."""
        if not self.starts or not self.starts[0] <= offset < self.end:
            return None
        return self.imported + bisect_right(self.starts, offset) - 1

    def frames(self, offset: int, index: int) -> list[Frame]:
        name = self.names.get(index, f"function {index}")
        origin, separator, function = name.partition(SEPARATOR)
        if not separator or "/" not in origin:
            origin, function = "", name
        component, _, module = origin.rpartition("/")
        address = offset - (self.module.code.offset - self.module.code.lead)
        found = [
            Frame(_shown(f.name, f.linkage, function), component or None, module or None, f.place, f.inlined)
            for f in self.dwarf.frames(address)
        ]
        if found:
            return found
        rule = name.removeprefix(TRAP) if name.startswith(TRAP) else None
        return [Frame(demangled(function) or function, component or None, module or None, rule=rule)]


def _named(section: NameSection) -> bool:
    return any(kind is NameKind.FUNCTION for kind, _ in section.maps)


def _shown(name: str | None, linkage: str | None, symbol: str) -> str:
    return (linkage and demangled(linkage)) or name or linkage or symbol


@final
class Symbolizer:
    """All core modules of a file, wherever they are nested."""

    def __init__(self, modules: Sequence[CoreModule]) -> None:
        self._modules = [_Module(module) for module in modules if module.code.count]

    def frames(self, offset: int) -> list[Frame]:
        """The frames at an offset in the file, innermost first; none if no function is there."""
        for module in self._modules:
            index = module.function(offset)
            if index is not None:
                return module.frames(offset, index)
        return []

    def frames_in_module(self, offset: int, index: int) -> list[Frame]:
        """The frames at an offset in the core module whose function `index` lies there."""
        for module in self._modules:
            absolute = module.module.offset + offset
            if module.function(absolute) == index:
                return module.frames(absolute, index)
        return []
