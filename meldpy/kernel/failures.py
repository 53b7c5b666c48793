"""The kernel's failure codes as errors with a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from meldpy.errors import DecodeError, InternalError, LimitError, Location, MeldError, UnsupportedError
from meldpy.kernel.opcodes import PREFIXES, SPACES
from meldpy.records import dataclass

if TYPE_CHECKING:
    from meldpy.kernel.loader import State


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bodies come from; `offset` is the file offset of their first byte."""

    source: str
    offset: int
    path: tuple[str, ...]

    def at(self, position: int) -> Location:
        return Location(self.source, self.offset + position, self.path)


_MALFORMED: Final = {
    1: "function body ends inside an instruction or before its final `end`",
    2: "malformed LEB128 integer",
    5: "malformed type",
    8: "function body goes on behind its final `end`",
    9: "malformed memory operand: alignment flags out of range",
    12: "`delegate` without `try`",
}

_SPACE_NAMES: Final = (
    "type",
    "function",
    "table",
    "memory",
    "global",
    "tag",
    "element segment",
    "data segment",
)


def _space(immediate: int) -> str:
    """The index space of an immediate's code; 0 is a type index written as s33."""
    for name, immediates in zip(_SPACE_NAMES, SPACES, strict=True):
        if immediate in immediates:
            return name
    return "type"


def failure(state: State, position: int, bodies: bytes | memoryview, origin: Origin) -> MeldError:
    """The error for the failure in `state` (codes: common.wat) at `position` of `bodies`."""
    location = origin.at(position)
    match state.failure:
        case code if code in _MALFORMED:
            return DecodeError(_MALFORMED[code], location)
        case 3:
            first = bodies[position]
            name = f"{first:#04x} {state.detail:#x}" if first in PREFIXES else f"{first:#04x}"
            return UnsupportedError(
                "core instruction", f"opcode {name} is not of WebAssembly 3.0, threads or wide arithmetic", location
            )
        case 4:
            return UnsupportedError("core type", f"type code {state.detail:#04x} is not of WebAssembly 3.0", location)
        case 6:
            return DecodeError(f"{_space(state.immediate)} index {state.detail} out of range", location)
        case 7:
            item = f"{_space(state.immediate)} {state.detail}"
            return InternalError(f"a kept function refers to {item}, which was dropped", location)
        case 10:
            return DecodeError(f"byte {state.detail:#04x} out of range", location)
        case 13:
            return LimitError(
                "a function that calls through a table has 50,000 locals, and engines accept no more",
                location,
                remedy="split the function",
            )
        case code:
            return InternalError(f"the kernel failed with code {code}", location)
