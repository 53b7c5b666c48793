"""Random function bodies, encoded as a careless producer might: LEB128 padded here and there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.support.code_samples import SPACES
from tests.support.core_instructions import INSTRUCTIONS, Instruction
from tests.support.reference_decoder import encode_s, encode_u

_KEYS = sorted(INSTRUCTIONS, key=lambda key: (key[0] or 0, key[1]))
_EDGES = (0, 1, 63, 64, 127, 128, 8191, 8192, 16383, 16384, 2**20, 2**21 - 1, 2**21, 2**27, 2**28, 2**31 - 1)
_ABSTRACT = range(0x69, 0x75)


@dataclass
class Generator:
    """`sizes`: of the index spaces, none of them empty. `padded`: whether encodings may be longer than they must."""

    random: Random
    sizes: dict[str, int]
    padded: bool = True

    def pad(self, plain: bytes, bits: int, fill: int) -> bytes:
        """`plain` with some bytes more that add only `fill` bits (0x00, or 0x7F behind a negative number)."""
        longest = -(-bits // 7)
        if not self.padded or len(plain) == longest or self.random.random() < 0.7:
            return plain
        more = self.random.randint(1, longest - len(plain))
        last = fill if len(plain) + more < longest or fill == 0 else 0x7F
        return plain[:-1] + bytes([plain[-1] | 0x80]) + bytes([fill | 0x80] * (more - 1)) + bytes([last])

    def unsigned(self, value: int, bits: int = 32) -> bytes:
        return self.pad(encode_u(value), bits, 0)

    def signed(self, value: int, bits: int) -> bytes:
        return self.pad(encode_s(value), bits, 0x7F if value < 0 else 0)

    def edge(self, bits: int) -> int:
        if self.random.random() < 0.5:
            return self.random.choice(_EDGES)
        return self.random.getrandbits(self.random.randint(1, bits))

    def index(self, space: str) -> int:
        return self.random.randrange(self.sizes[space])

    def heap_type(self) -> bytes:
        if self.random.random() < 0.5:
            return bytes([self.random.choice(_ABSTRACT)])
        return self.signed(self.index("type"), 33)

    def value_type(self) -> bytes:
        byte = self.random.choice([*range(0x7B, 0x80), *_ABSTRACT, 0x63, 0x64, 0x63, 0x64])
        return bytes([byte]) + (self.heap_type() if byte in (0x63, 0x64) else b"")

    def block_type(self) -> bytes:
        match self.random.randrange(3):
            case 0:
                return b"\x40"
            case 1:
                return self.value_type()
            case _:
                return self.signed(self.index("type"), 33)

    def vector(self, longest: int, element: Callable[[], bytes]) -> bytes:
        count = self.random.randint(0, longest)
        return self.unsigned(count) + b"".join(element() for _ in range(count))

    def label(self) -> bytes:
        return self.unsigned(self.edge(32))

    def catch(self) -> bytes:
        kind = self.random.randrange(4)
        return bytes([kind]) + (self.unsigned(self.index("tag")) if kind < 2 else b"") + self.label()

    def memarg(self) -> bytes:
        flags = self.random.randrange(64)
        offset = self.unsigned(self.edge(64), 64)
        memory = self.index("memory")
        if memory == 0 and (not self.padded or self.random.random() < 0.5):
            return self.unsigned(flags) + offset
        return self.unsigned(flags | 64) + self.unsigned(memory) + offset

    def immediate(self, word: str) -> bytes:
        kind = word.split(":")[0]
        if kind in SPACES:
            return self.unsigned(self.index(kind))
        match kind:
            case "throws" | "callref" | "end":
                return b""
            case "local" | "label" | "field" | "length":
                return self.label()
            case "i32":
                return self.signed(self.random.choice([-1, 1]) * self.edge(31), 32)
            case "i64":
                return self.signed(self.random.choice([-1, 1]) * self.edge(63), 64)
            case "lane":
                return self.random.randbytes(1)
            case "f32":
                return self.random.randbytes(4)
            case "f64":
                return self.random.randbytes(8)
            case "v128" | "lanes16":
                return self.random.randbytes(16)
            case "castflags":
                return bytes([self.random.randrange(4)])
            case "zero":
                return b"\0"
            case "heap":
                return self.heap_type()
            case "block":
                return self.block_type()
            case "labels":
                return self.vector(20, self.label) + self.label()
            case "catches":
                return self.vector(4, self.catch)
            case "types":
                return self.vector(3, self.value_type)
            case "memarg":
                return self.memarg()
        raise AssertionError(word)

    def instruction(self, instruction: Instruction) -> bytes:
        immediates = b"".join(map(self.immediate, instruction.immediates))
        if instruction.prefix is None:
            return bytes([instruction.opcode]) + immediates
        return bytes([instruction.prefix]) + self.unsigned(instruction.opcode) + immediates

    def body(self, length: int) -> bytes:
        """Local declarations and about `length` instructions, well nested, with the size in front."""
        out = self.vector(4, lambda: self.label() + self.value_type())
        depth = 1
        for _ in range(length):
            instruction = INSTRUCTIONS[self.random.choice(_KEYS)]
            if "end" in instruction.immediates and depth == 1:
                continue
            depth += ("block" in instruction.immediates) - ("end" in instruction.immediates)
            out += self.instruction(instruction)
        out += b"\x0b" * depth
        return self.unsigned(len(out)) + out

    def maps(self) -> dict[str, list[int]]:
        """Any index to one of some sixty."""
        return {
            space: self.random.choices([self.edge(31) for _ in range(64)], k=size) for space, size in self.sizes.items()
        }
