"""The section `meld.provenance`, both ways.

Content: the length of a JSON text, that text, and runs. The JSON has the tool, the options that are not the default,
the inputs (name, if it was given; SHA-256; size) and the units: core instances of the inputs, each with the input, the
component in it, the module and the offset of the module's code section in the input, and how many functions the module
defines. The runs have for each function of each unit, in order, how much further its index in this module is than the
index after the one before it, or the integer -2^31 if it was left out: that integer as signed LEB128, and as unsigned
LEB128 for how many functions it holds. (Nothing is compressed: libraries for that give other bytes on other machines.)

A component that was fused may hold a part that was kept, and says where it came from by an earlier fuse. So the
component has a section `meld.provenance-root` of its own, 32 bytes that tell which fuse it came from: the SHA-256 of
tool, options and inputs as the head of each of its own modules has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, final

from meldpy.asm.leb import signed, unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import Bytes, FuncImportType
from meldpy.model.fused import MergedUnit
from meldpy.model.linked import Input
from meldpy.records import dataclass

SECTION: Final = "meld.provenance"
ROOT: Final = "meld.provenance-root"
VERSION: Final = 1
_LEFT_OUT: Final = -(1 << 31)
_MOST: Final = 1 << 24
"""Functions of all units, those that were left out too: a few bytes can say that there are many."""


@final
@dataclass(frozen=True, slots=True)
class UnitOrigin:
    """One core instance of an input: whose functions they are. funcs: index in the fused module of each function that
    the module defines, None if it was left out; first: the index of the first of them in the module itself."""

    input: int
    component: str
    module: str
    code: int
    first: int
    funcs: tuple[int | None, ...]


@final
@dataclass(frozen=True, slots=True)
class InputOrigin:
    """name: as somebody called it, else by its position."""

    name: str
    sha256: str
    size: int


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """What one fused module says."""

    tool: str
    options: dict[str, Any]
    inputs: tuple[InputOrigin, ...]
    units: tuple[UnitOrigin, ...]

    @property
    def fuse(self) -> bytes:
        """Which fuse the module came from."""
        return fuse_sum(self.tool, self.options, self.inputs)


def origins(inputs: Sequence[Input]) -> tuple[InputOrigin, ...]:
    """The inputs of a fuse as a section names them."""
    found = []
    for at, item in enumerate(inputs):
        assert item.sha256 is not None, "sums are taken where provenance is wanted"
        found.append(InputOrigin(item.name if item.given else f"input{at + 1}", item.sha256, item.size))
    return tuple(found)


def fuse_sum(tool: str, options: dict[str, Any], inputs: Sequence[InputOrigin]) -> bytes:
    """32 bytes that two fuses share only if they are one."""
    told = [tool, options, [[each.name, each.sha256, each.size] for each in inputs]]
    return sha256(json.dumps(told, separators=(",", ":"), sort_keys=True).encode()).digest()


def written(tool: str, options: dict[str, Any], inputs: Sequence[Input], units: Sequence[MergedUnit]) -> bytes:
    """The section's content."""
    stream = bytearray()
    described: list[dict[str, Any]] = []
    for unit in units:
        first = sum(isinstance(import_.type, FuncImportType) for import_ in unit.module.imports)
        for step, run in groupby(_steps(unit.funcs[first:])):
            stream += signed(step) + unsigned(sum(1 for _ in run))
        described.append(
            {
                "input": _position(unit, inputs),
                "component": unit.component,
                "module": unit.label,
                "code": unit.module.code.offset,
                "first": first,
                "funcs": len(unit.funcs) - first,
            }
        )
    head = {
        "version": VERSION,
        "tool": tool,
        "options": options,
        "inputs": [{"name": each.name, "sha256": each.sha256, "size": each.size} for each in origins(inputs)],
        "units": described,
    }
    text = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()
    return b"".join((unsigned(len(text)), text, stream))


def _steps(funcs: Sequence[int]) -> Iterator[int]:
    expected = 0
    for index in funcs:
        yield _LEFT_OUT if index < 0 else index - expected
        expected = expected if index < 0 else index + 1


def _position(unit: MergedUnit, inputs: Sequence[Input]) -> int:
    if unit.input is not None:
        return unit.input
    assert len(inputs) == 1, "only the only input goes without a number"
    return 0


def read(section: Bytes) -> Origin:
    """What the section says. Raises Malformed."""
    cursor = Cursor(section)
    try:
        head = json.loads(cursor.take(cursor.u32()))
        if head["version"] != VERSION:
            raise Malformed
        counts = [int(told["funcs"]) for told in head["units"]]
        if sum(counts) > _MOST or any(count < 0 for count in counts):
            raise Malformed
        units = tuple(_unit(told, cursor) for told in head["units"])
        inputs = tuple(
            InputOrigin(str(each["name"]), str(each["sha256"]), int(each["size"])) for each in head["inputs"]
        )
        if any(not 0 <= unit.input < len(inputs) for unit in units):
            raise Malformed
        return Origin(str(head["tool"]), dict(head["options"]), inputs, units)
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed from error


def _unit(told: dict[str, Any], stream: Cursor) -> UnitOrigin:
    count = int(told["funcs"])
    funcs: list[int | None] = []
    expected = 0
    while len(funcs) < count:
        step, times = _signed(stream), stream.u32()
        if not 0 < times <= count - len(funcs):
            raise Malformed
        for _ in range(times):
            funcs.append(None if step == _LEFT_OUT else expected + step)
            expected += 0 if step == _LEFT_OUT else step + 1
    return UnitOrigin(
        int(told["input"]), str(told["component"]), str(told["module"]), int(told["code"]), int(told["first"]),
        tuple(funcs),
    )  # fmt: skip


def _signed(cursor: Cursor) -> int:
    value = shift = 0
    while shift < 35:
        byte = cursor.u8()
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value - (1 << shift) if byte & 0x40 else value
    raise Malformed
