"""What a file says of its functions, module by module."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, final

from meldpy.binary.decode import decode_component, decode_module
from meldpy.binary.encode import encode_module
from meldpy.binary.sections import MODULE_VERSION
from meldpy.debug.cursor import Malformed
from meldpy.debugging import modules_of
from meldpy.errors import DecodeError, Location, UsageError
from meldpy.model.component import Component, CustomSection
from meldpy.model.core import CoreModule, FuncImportType, NameKind, NameSection, RawCustom
from meldpy.provenance.section import ROOT, SECTION, InputOrigin, Origin, read
from meldpy.records import dataclass, replace

SCHEMA: Final = "meld.provenance/1"


@final
@dataclass(frozen=True, slots=True)
class FunctionOrigin:
    """A function of a fused module. input: its number, None for one that meldpy made; then the rest is None too.

    index: in the input's module.
    """

    function: int
    name: str | None
    input: int | None
    component: str | None
    module: str | None
    index: int | None


@final
@dataclass(frozen=True, slots=True)
class ModuleOrigin:
    """A core module of the file. origin: None if it says nothing of the file's fuse: it is a carrier, or stayed as it
    was in an input."""

    number: int
    sha256: str
    functions: int
    origin: Origin | None
    traced: tuple[FunctionOrigin, ...] = ()

    @property
    def by_unit(self) -> list[tuple[str, int]]:
        """How many functions came from where, in words; the most first."""
        counts = Counter(
            "made by meldpy" if each.input is None else f"{each.component}, {each.module}" for each in self.traced
        )
        return counts.most_common()


@final
@dataclass(frozen=True, slots=True)
class Trace:
    """A file's provenance. source: what the file is called."""

    source: str
    sha256: str
    size: int
    tool: str
    options: dict[str, Any]
    inputs: tuple[InputOrigin, ...]
    modules: tuple[ModuleOrigin, ...]


def trace(data: bytes, source: str) -> Trace:
    """Raises UsageError for a file that does not say where it came from, and DecodeError for one that says nonsense.

    What a part says that was kept in the fuse is of an earlier one, and no part of this file's provenance.
    """
    if data[4:8] == MODULE_VERSION:
        found = [_module(0, decode_module(data, source), source)]
        fuse = None if found[0].origin is None else found[0].origin.fuse
    else:
        component = decode_component(data, source)
        found = [_module(number, module, source) for number, module in enumerate(modules_of(component))]
        fuse = _root(component)
    ours = [module.origin for module in found if module.origin is not None and module.origin.fuse == fuse]
    if not ours:
        causes = ("parts of it do, of an earlier fuse",) if any(module.origin for module in found) else ()
        raise UsageError(f"{source} does not say where it came from", causes=causes, remedy="fuse it with --provenance")
    modules = tuple(
        module if module.origin is None or module.origin.fuse == fuse else replace(module, origin=None, traced=())
        for module in found
    )
    origin, sum_ = ours[0], sha256(data).hexdigest()
    return Trace(source, sum_, len(data), origin.tool, origin.options, origin.inputs, modules)


def _root(component: Component) -> bytes | None:
    """Which fuse the component came from, if it says so."""
    for section in component.sections:
        if isinstance(section, CustomSection) and section.section.name == ROOT:
            return bytes(section.section.data)
    return None


def _module(number: int, module: CoreModule, source: str) -> ModuleOrigin:
    imported = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
    count = len(module.funcs)
    sum_ = sha256(encode_module(module)).hexdigest()
    found = [c.section.data for c in module.customs if isinstance(c.section, RawCustom) and c.section.name == SECTION]
    if not found:
        return ModuleOrigin(number, sum_, count, None)
    try:
        origin = read(found[0])
    except Malformed as error:
        where = Location(source, path=(f"core module {number}", f"custom section {SECTION}"))
        raise DecodeError("the section cannot be read", where, remedy="fuse the inputs again") from error
    return ModuleOrigin(number, sum_, count, origin, tuple(_functions(module, origin, imported, count)))


def _functions(module: CoreModule, origin: Origin, imported: int, count: int) -> Iterator[FunctionOrigin]:
    names = _names(module)
    whence: dict[int, FunctionOrigin] = {}
    for unit in origin.units:
        for at, index in enumerate(unit.funcs):
            if index is not None:
                whence[index] = FunctionOrigin(
                    index, names.get(index), unit.input, unit.component, unit.module, unit.first + at
                )
    for index in range(imported, imported + count):
        yield whence.get(index) or FunctionOrigin(index, names.get(index), None, None, None, None)


def _names(module: CoreModule) -> dict[int, str]:
    for custom in module.customs:
        if isinstance(custom.section, NameSection):
            return {
                index: name for kind, map_ in custom.section.maps if kind is NameKind.FUNCTION for index, name in map_
            }
    return {}


def as_json(found: Trace, *, functions: bool) -> str:
    """The whole, by the schema `meld.provenance/1`."""
    told = {
        "schema": SCHEMA,
        "file": {"name": found.source, "sha256": found.sha256, "size": found.size},
        "tool": found.tool,
        "options": found.options,
        "inputs": [{"name": each.name, "sha256": each.sha256, "size": each.size} for each in found.inputs],
        "modules": [_module_told(module, functions) for module in found.modules],
    }
    return json.dumps(told, indent=2) + "\n"


def _module_told(module: ModuleOrigin, functions: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"number": module.number, "sha256": module.sha256, "functions": module.functions}
    told["fused"] = module.origin is not None
    if module.origin is not None:
        told["from"] = [{"unit": unit, "functions": count} for unit, count in module.by_unit]
    if functions:
        told["trace"] = [
            {
                "function": each.function,
                "name": each.name,
                "input": each.input,
                "component": each.component,
                "module": each.module,
                "index": each.index,
            }
            for each in module.traced
        ]
    return told
