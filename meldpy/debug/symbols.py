"""Offsets in a component or module, told as component, function, file and line.

An offset counts from the start of the file, as engines for components print it, or from the start of a core module, as
browsers do; with the function's index beside it the module is found by that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, final

from meldpy.debug.aside import BUILD_ID, EXTERNAL
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.debug.demangle import demangled
from meldpy.debug.dwarf import debug_sections
from meldpy.debug.lines import Place
from meldpy.debug.origins import SECTION as ORIGINS
from meldpy.debug.origins import Origin, Origins
from meldpy.debug.reader import DwarfReader
from meldpy.debug.values import Part, part
from meldpy.model.core import Bytes, CoreModule, FuncImportType, NameKind, NameSection, RawCustom
from meldpy.model.debug import SEPARATOR, VALUE
from meldpy.records import dataclass

TRAP: Final = "trap: "


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """One function. component, module: where it comes from, if its name says so. rule: of the Canonical ABI, that the
    function stands for. origin: where its code came from, if that was asked for. part: what the frame tells of a value
    that broke a rule.
    """

    function: str
    component: str | None = None
    module: str | None = None
    place: Place | None = None
    inlined: bool = False
    rule: str | None = None
    origin: Origin | None = None
    part: Part | None = None

    def __str__(self) -> str:
        name = f"{self.component}: {self.function}" if self.component else self.function
        return f"{name} (inlined)" if self.inlined else name


class NoOrigins(Exception):
    """The file does not say where its code came from."""


Beside: TypeAlias = "Callable[[str], Sequence[CoreModule]]"


def _nothing(_: str) -> Sequence[CoreModule]:
    return ()


@final
class _Module:
    """A core module with its functions by offset in the file."""

    def __init__(self, module: CoreModule, beside: Beside, where_from: bool) -> None:
        self.module = module
        section = _raw(module, ORIGINS) if where_from else None
        self.origins = None if section is None else Origins(section)
        self.imported = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
        self.starts: list[int] = []
        cursor = Cursor(module.code.bodies)
        while cursor.remaining:
            size = cursor.u32()
            self.starts.append(module.code.offset + cursor.position)
            cursor.position += size
        self.end = module.code.offset + len(module.code.bodies)
        self.name: str | None = None
        self.names: dict[int, str] = {}
        for custom in module.customs:
            if isinstance(custom.section, NameSection):
                self.name = custom.section.module
                self.names = dict(dict(custom.section.maps)[NameKind.FUNCTION]) if _named(custom.section) else {}
        self.dwarf = DwarfReader(_dwarf(module, beside))

    def has(self, index: int, offset: int) -> bool:
        """Whether the function `index` is defined here and its body has a byte at `offset`."""
        position = index - self.imported
        if not 0 <= position < len(self.starts):
            return False
        start, end = self._extent(index)
        return start + offset < end

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
        came_from = None if self.origins is None else self.origins.find(offset - self.module.code.offset)
        found = [
            Frame(
                _shown(f.name, f.linkage, function),
                component or None,
                module or None,
                f.place,
                f.inlined,
                None,
                came_from,
            )
            for f in self.dwarf.frames(address)
        ]
        if found:
            return found
        # the last part: an output that was fused again has its origin in front of it
        last = function.rpartition(SEPARATOR)[2]
        rule = last.removeprefix(TRAP) if last.startswith(TRAP) else None
        told = self._part(last.removeprefix(VALUE), offset, index) if last.startswith(VALUE) else None
        shown = demangled(function) or function
        return [Frame(shown, component or None, module or None, rule=rule, origin=came_from, part=told)]

    def _part(self, name: str, offset: int, index: int) -> Part | None:
        start, end = self._extent(index)
        first = self.module.code.offset
        return part(name, self.module.code.bodies[start - first : end - first], offset - start)

    def _extent(self, index: int) -> tuple[int, int]:
        """The offsets in the file of a function's body, and of what is behind it (the next one's size, perhaps)."""
        position = index - self.imported
        end = self.starts[position + 1] if position + 1 < len(self.starts) else self.end
        return self.starts[position], end


def _named(section: NameSection) -> bool:
    return any(kind is NameKind.FUNCTION for kind, _ in section.maps)


def _shown(name: str | None, linkage: str | None, symbol: str) -> str:
    return (linkage and demangled(linkage)) or name or linkage or symbol


def _raw(module: CoreModule, name: str) -> Bytes | None:
    found = [c.section.data for c in module.customs if isinstance(c.section, RawCustom) and c.section.name == name]
    return found[-1] if found else None


def _dwarf(module: CoreModule, beside: Beside) -> dict[str, Bytes]:
    """The module's DWARF, or that of the file it names, if that has the same build id."""
    name, identity = _raw(module, EXTERNAL), _raw(module, BUILD_ID)
    if name is None or identity is None:
        return debug_sections(module)
    try:
        candidates = beside(Cursor(name).name())
    except Malformed:
        return {}
    for candidate in candidates:
        if _raw(candidate, BUILD_ID) == identity:
            return debug_sections(candidate)
    return {}


@final
class Symbolizer:
    """All core modules of a file, wherever they are nested. `beside`: the modules of a file that one of them names.

    where_from: look up where code came from; NoOrigins if the output does not say.
    """

    def __init__(self, modules: Iterable[CoreModule], beside: Beside = _nothing, where_from: bool = False) -> None:
        self._modules = [_Module(module, beside, where_from) for module in modules if module.code.count]
        if where_from and not any(module.origins for module in self._modules):
            raise NoOrigins

    def frames(self, offset: int, unnamed: int | None = None) -> list[Frame]:
        """The frames at an offset in the file, innermost first; none if no function is there.

        unnamed: an engine says that it is this function and has no name. If that is not so, the offset is one in code
        that the engine made itself (an adapter), and nothing is known of that.
        """
        for module in self._modules:
            index = module.function(offset)
            if index is not None:
                if unnamed is not None and (index != unnamed or index in module.names):
                    return []
                return module.frames(offset, index)
        return []

    def frames_in_function(self, index: int, offset: int, name: str | None = None) -> tuple[int, list[Frame]] | None:
        """The offset in the file of a byte in the body of the function `index`, and the frames there.

        name: of its module, if that is known; if it is not, the function must be in one module only, else None.
        """
        found = [each for each in self._modules if each.has(index, offset)]
        if len(found) > 1:
            found = [each for each in found if each.name is not None and each.name == name]
        if len(found) != 1:
            return None
        absolute = found[0].starts[index - found[0].imported] + offset
        return absolute, found[0].frames(absolute, index)

    def frames_in_module(self, offset: int, index: int) -> list[Frame]:
        """The frames at an offset in the core module whose function `index` lies there."""
        for module in self._modules:
            absolute = module.module.offset + offset
            if module.function(absolute) == index:
                return module.frames(absolute, index)
        return []
