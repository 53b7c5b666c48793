"""What a file says of its functions, module by module."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, final

from meldpy.binary.encode import encode_module
from meldpy.debug.cursor import Malformed
from meldpy.debugging import modules_in
from meldpy.errors import DecodeError, Location, UsageError
from meldpy.model.core import CoreModule, FuncImportType, NameKind, NameSection, RawCustom
from meldpy.provenance.section import SECTION, InputOrigin, Origin, read
from meldpy.records import dataclass

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
    """A core module of the file. origin: None if it says nothing: it is a carrier, or stayed as it was in an input."""

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
    """Raises UsageError for a file that does not say where it came from, and DecodeError for one that says nonsense."""
    modules = tuple(_module(number, module, source) for number, module in enumerate(modules_in(data, source)))
    origin = next((module.origin for module in modules if module.origin is not None), None)
    if origin is None:
        raise UsageError(f"{source} does not say where it came from", remedy="fuse it with --provenance")
    sum_ = sha256(data).hexdigest()
    return Trace(source, sum_, len(data), origin.tool, origin.options, origin.inputs, modules)


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
