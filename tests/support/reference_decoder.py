"""A slow and simple decoder of function bodies, to hold the kernel against.

It reads a body immediate by immediate from the bytes of that body alone, as the spec's grammar has it, and gives
back the body with mapped indices in the shortest encoding, and what the body refers to. Failures name the offset of
the immediate (or opcode) at fault; a body that ends too early fails at its end.

The words for immediates: `func:call` and the like are an index space and how it is used; `memarg:read` has the same
for a memory; `throws` and `callref` take no byte and only say something about the opcode; the rest is the spec's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from meldpy.model.facts import RefKind
from tests.support.core_instructions import INSTRUCTIONS

REF_KINDS = {
    "func:call": RefKind.CALL,
    "func:ref": RefKind.REF_FUNC,
    "table:call": RefKind.CALL_INDIRECT,
    "table:read": RefKind.TABLE_READ,
    "table:write": RefKind.TABLE_WRITE,
    "memory:read": RefKind.MEMORY_READ,
    "memory:write": RefKind.MEMORY_WRITE,
    "global:get": RefKind.GLOBAL_GET,
    "global:set": RefKind.GLOBAL_SET,
    "elem": RefKind.ELEM,
    "data": RefKind.DATA,
    "tag": RefKind.TAG,
    "type": RefKind.TYPE,
}


class Bad(Exception):
    """kind: "malformed", "unsupported" or "dropped"; offset: from the start of the bodies."""

    def __init__(self, kind: str, offset: int) -> None:
        super().__init__(f"{kind} at {offset}")
        self.kind = kind
        self.offset = offset


def encode_u(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_s(value: int) -> bytes:
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


@dataclass
class Body:
    """One body being read: `data[position:end]` is what is left of it."""

    data: bytes
    position: int
    end: int
    maps: Mapping[str, Sequence[int]]
    out: bytearray = field(default_factory=bytearray)
    references: dict[tuple[RefKind, int], None] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    """Where each instruction begins, in `data` and in `out`."""

    # --- reading
    def byte(self) -> int:
        if self.position >= self.end:
            raise Bad("malformed", self.end)
        self.position += 1
        return self.data[self.position - 1]

    def leb(self, bits: int) -> tuple[int, int]:
        """(value, number of its bits) before any sign is taken into account."""
        start = self.position
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, shift
            if shift >= bits:
                raise Bad("malformed", start)

    def unsigned(self, bits: int) -> int:
        start = self.position
        value, _ = self.leb(bits)
        if value >= 1 << bits:
            raise Bad("malformed", start)
        return value

    def signed(self, bits: int) -> int:
        start = self.position
        value, length = self.leb(bits)
        if value >> (length - 1):
            value -= 1 << length
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise Bad("malformed", start)
        return value

    # --- index immediates
    def mapped(self, word: str, index: int, start: int) -> int:
        space = self.maps[word.split(":")[0]]
        if index >= len(space):
            raise Bad("malformed", start)
        if space[index] == -1:
            raise Bad("dropped", start)
        self.references[REF_KINDS[word], index] = None
        return space[index]

    def index(self, word: str) -> None:
        start = self.position
        self.out += encode_u(self.mapped(word, self.unsigned(32), start))

    def type_s33(self) -> None:
        start = self.position
        index = self.signed(33)
        if index < 0:
            raise Bad("malformed", start)
        self.out += encode_s(self.mapped("type", index, start))

    # --- types
    def type_byte(self, allowed: Sequence[int]) -> int:
        start = self.position
        byte = self.byte()
        known = byte in (0x40, 0x63, 0x64) or 0x7B <= byte <= 0x7F or 0x69 <= byte <= 0x74
        if byte not in allowed:
            raise Bad("unsupported" if byte & 0xC0 == 0x40 and not known else "malformed", start)
        self.out.append(byte)
        return byte

    def peek(self) -> int:
        byte = self.byte()
        self.position -= 1
        return byte

    def heap_type(self) -> None:
        if self.peek() & 0xC0 == 0x40:
            self.type_byte(range(0x69, 0x75))
        else:
            self.type_s33()

    def value_type(self) -> None:
        if self.type_byte([*range(0x7B, 0x80), *range(0x69, 0x75), 0x63, 0x64]) in (0x63, 0x64):
            self.heap_type()

    def block_type(self) -> None:
        if self.peek() == 0x40:
            self.out.append(self.byte())
        elif self.peek() & 0xC0 == 0x40:
            self.value_type()
        else:
            self.type_s33()

    # --- the other immediates
    def copy(self, count: int) -> None:
        for _ in range(count):
            self.out.append(self.byte())

    def one_of(self, allowed: Sequence[int]) -> int:
        start = self.position
        byte = self.byte()
        if byte not in allowed:
            raise Bad("malformed", start)
        self.out.append(byte)
        return byte

    def u32(self) -> None:
        self.out += encode_u(self.unsigned(32))

    def vector(self, element: Callable[[], None]) -> None:
        count = self.unsigned(32)
        if count > self.end - self.position:
            raise Bad("malformed", self.end)
        self.out += encode_u(count)
        for _ in range(count):
            element()

    def catch(self) -> None:
        if self.one_of(range(4)) < 2:
            self.index("tag")
        self.u32()

    def local(self) -> None:
        self.u32()
        self.value_type()

    def memarg(self, use: str) -> None:
        start = self.position
        flags = self.unsigned(32)
        if flags >= 128:
            raise Bad("malformed", start)
        index = 0
        if flags & 64:
            start = self.position
            index = self.unsigned(32)
        memory = self.mapped(f"memory:{use}", index, start)
        self.out += bytes([flags & 63 | 64]) + encode_u(memory) if memory else bytes([flags & 63])
        self.out += encode_u(self.unsigned(64))

    def immediate(self, word: str) -> None:
        match word:
            case "throws":
                self.references[RefKind.THROWS, -1] = None
            case "callref":
                self.references[RefKind.CALL_REF, -1] = None
            case "local" | "label" | "field" | "length":
                self.u32()
            case "i32":
                self.out += encode_s(self.signed(32))
            case "i64":
                self.out += encode_s(self.signed(64))
            case "lane":
                self.copy(1)
            case "f32":
                self.copy(4)
            case "f64":
                self.copy(8)
            case "v128" | "lanes16":
                self.copy(16)
            case "castflags":
                self.one_of(range(4))
            case "zero":
                self.one_of([0])
            case "heap":
                self.heap_type()
            case "block":
                self.block_type()
            case "labels":
                self.vector(self.u32)
                self.u32()
            case "catches":
                self.vector(self.catch)
            case "types":
                self.vector(self.value_type)
            case "memarg:read" | "memarg:write":
                self.memarg(word.split(":")[1])
            case "end":
                pass
            case _:
                self.index(word)

    # --- the body
    def read(self) -> None:
        self.vector(self.local)
        depth = 1
        while depth:
            start = self.position
            self.starts.append((start, len(self.out)))
            opcode = self.byte()
            self.out.append(opcode)
            key: tuple[int | None, int] = (None, opcode)
            if opcode in (0xFB, 0xFC, 0xFD, 0xFE):
                key = (opcode, self.unsigned(32))
                self.out += encode_u(key[1])
            if key not in INSTRUCTIONS:
                raise Bad("unsupported", start)
            self.names.append(INSTRUCTIONS[key].name)
            words = INSTRUCTIONS[key].immediates
            for word in words:
                self.immediate(word)
            depth += ("block" in words) - ("end" in words)
            if depth == 0 and opcode != 0x0B:
                raise Bad("malformed", start)
        if self.position != self.end:
            raise Bad("malformed", self.position)


@dataclass(frozen=True)
class Decoded:
    bodies: bytes
    references: list[list[tuple[RefKind, int]]]
    names: list[list[str]]
    positions: list[int]
    """For each byte of the input, and for its end, where it went; bit 31 is set for what was left out."""


def _spans(starts: Sequence[tuple[int, int]], shift: int) -> list[int]:
    """The new offsets of all bytes from the first start to the last: as far behind the start as the new one goes."""
    positions = []
    for (old, new), (old_end, new_end) in pairwise(starts):
        positions += [min(new + i, new_end - 1) + shift for i in range(old_end - old)]
    return positions


def decode(bodies: bytes, count: int, maps: Mapping[str, Sequence[int]], keep: Sequence[bool] | None = None) -> Decoded:
    """The kept bodies with mapped indices, and the references and instructions of each."""
    out = bytearray()
    references = []
    names = []
    positions: list[int] = []
    section = Body(bodies, 0, len(bodies), maps)
    for i in range(count):
        start = section.position
        try:
            size = section.unsigned(32)
            if size > len(bodies) - section.position:
                raise Bad("malformed", start)
        except Bad as bad:
            raise Bad("malformed", start) from bad
        end = section.position + size
        if keep is None or keep[i]:
            body = Body(bodies, section.position, end, maps)
            body.read()
            size_length = len(encode_u(len(body.out)))
            positions += _spans([(start, 0), (section.position, size_length)], len(out))
            spans = [(section.position, 0), *body.starts, (end, len(body.out))]
            positions += _spans(spans, len(out) + size_length)
            out += encode_u(len(body.out)) + body.out
            references.append(list(body.references))
            names.append(body.names)
        else:
            positions += [len(out) | 1 << 31] * (end - start)
        section.position = end
    if section.position != len(bodies):
        raise Bad("malformed", section.position)
    return Decoded(bytes(out), references, names, [*positions, len(out) | 1 << 31])
