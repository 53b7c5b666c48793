"""The instruction table: for every opcode of core WebAssembly, which immediates follow it.

An instruction's *shape* is the sequence of its immediates, at most four, one byte each, the first in the lowest
byte. The kernel walks a shape without knowing the opcode, so this table is all that tells one instruction from
another, and an opcode that is not in it is refused. Covered: WebAssembly 3.0 (SIMD and relaxed SIMD, bulk memory,
references, tail calls, typed function references, GC, exceptions, multi-memory, memory64), legacy exceptions,
threads, wide arithmetic. Not covered, and refused by name of the opcode: stack switching, shared-everything
threads, custom descriptors, `memory.discard`.

What an immediate means for reachability is part of the table as well: the codes 1 to 15 are `RefKind` plus one.

Spec: core, binary format, "Instructions"; threads and wide-arithmetic proposals, "Binary format".
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from enum import IntEnum, unique
from typing import Final

from meldpy.model.facts import RefKind


@unique
class Immediate(IntEnum):
    """One step of a shape. The numbers are those of the kernel's `br_table`s."""

    NONE = 0  # the shape ends here
    CALL = RefKind.CALL + 1
    REF_FUNC = RefKind.REF_FUNC + 1
    CALL_INDIRECT = RefKind.CALL_INDIRECT + 1
    CALL_REF = RefKind.CALL_REF + 1  # no byte: a remark for the scan
    THROWS = RefKind.THROWS + 1  # no byte: a remark for the scan
    TABLE_READ = RefKind.TABLE_READ + 1
    TABLE_WRITE = RefKind.TABLE_WRITE + 1
    MEMORY_READ = RefKind.MEMORY_READ + 1
    MEMORY_WRITE = RefKind.MEMORY_WRITE + 1
    GLOBAL_GET = RefKind.GLOBAL_GET + 1
    GLOBAL_SET = RefKind.GLOBAL_SET + 1
    ELEM = RefKind.ELEM + 1
    DATA = RefKind.DATA + 1
    TAG = RefKind.TAG + 1
    TYPE = RefKind.TYPE + 1
    U32 = 16  # label, local, field, length: copied
    S32 = 17
    S64 = 18
    BYTE = 19  # a lane
    BYTES4 = 20
    BYTES8 = 21
    BYTES16 = 22
    MEMARG_READ = 23
    MEMARG_WRITE = 24
    BLOCK = 25  # block type; opens a block
    HEAP = 26  # heap type
    END = 27  # no byte: closes a block
    DELEGATE = 28  # label; closes a block
    LABELS = 29  # br_table: a vector of labels and one more
    CATCHES = 30  # try_table: a vector of catch clauses
    TYPES = 31  # select: a vector of value types
    CAST_FLAGS = 32  # one byte, 0 to 3
    ZERO = 33  # one byte, 0
    PREFIX = 34  # u32 sub-opcode, with a shape of its own
    UNKNOWN = 35
    THROUGH = 36  # type and table of an indirect call, where tables may be parts of one: while a run says so


@unique
class TypeCode(IntEnum):
    """What one byte of a value type, heap type or block type can be."""

    UNKNOWN = 0
    NUMBER = 1
    ABSTRACT = 2  # an abstract heap type; alone it is a nullable reference to it
    REFERENCE = 3  # a heap type follows
    EMPTY = 4  # only as a block type


SPACES: Final = (
    (Immediate.TYPE,),
    (Immediate.CALL, Immediate.REF_FUNC),
    (Immediate.CALL_INDIRECT, Immediate.TABLE_READ, Immediate.TABLE_WRITE),
    (Immediate.MEMORY_READ, Immediate.MEMORY_WRITE),
    (Immediate.GLOBAL_GET, Immediate.GLOBAL_SET),
    (Immediate.TAG,),
    (Immediate.ELEM,),
    (Immediate.DATA,),
)
"""The immediates of each index space, in the order of the fields of IndexMaps and IndexCounts."""

REMARKS: Final = (Immediate.CALL_REF, Immediate.THROWS)

Imm = Immediate
PREFIXES = range(0xFB, 0xFF)
SUB_OPCODES = 512
"""Entries of each prefix's table; every known sub-opcode is below."""


def _shape(*immediates: Immediate) -> int:
    assert len(immediates) <= 4
    return sum(int(immediate) << (8 * i) for i, immediate in enumerate(immediates))


def _each(opcodes: Iterable[int], *immediates: Immediate) -> dict[int, tuple[Immediate, ...]]:
    return dict.fromkeys(opcodes, immediates)


_ONE_BYTE: dict[int, tuple[Immediate, ...]] = {
    **_each((0x00, 0x01, 0x05, 0x0F, 0x19, 0x1A, 0x1B, *range(0x45, 0xC5), 0xD1, 0xD3, 0xD4)),
    **_each((0x02, 0x03, 0x04, 0x06), Imm.BLOCK),  # block, loop, if, try
    0x07: (Imm.TAG,),  # catch
    0x08: (Imm.THROWS, Imm.TAG),
    0x09: (Imm.THROWS, Imm.U32),  # rethrow
    0x0A: (Imm.THROWS,),  # throw_ref
    0x0B: (Imm.END,),
    0x0C: (Imm.U32,),
    0x0D: (Imm.U32,),
    0x0E: (Imm.LABELS,),
    0x10: (Imm.CALL,),
    0x11: (Imm.TYPE, Imm.CALL_INDIRECT),
    0x12: (Imm.CALL,),
    0x13: (Imm.TYPE, Imm.CALL_INDIRECT),
    0x14: (Imm.CALL_REF, Imm.TYPE),
    0x15: (Imm.CALL_REF, Imm.TYPE),
    0x18: (Imm.DELEGATE,),
    0x1C: (Imm.TYPES,),
    0x1F: (Imm.BLOCK, Imm.CATCHES),
    **_each((0x20, 0x21, 0x22), Imm.U32),
    0x23: (Imm.GLOBAL_GET,),
    0x24: (Imm.GLOBAL_SET,),
    0x25: (Imm.TABLE_READ,),
    0x26: (Imm.TABLE_WRITE,),
    **_each(range(0x28, 0x36), Imm.MEMARG_READ),
    **_each(range(0x36, 0x3F), Imm.MEMARG_WRITE),
    0x3F: (Imm.MEMORY_READ,),
    0x40: (Imm.MEMORY_WRITE,),
    0x41: (Imm.S32,),
    0x42: (Imm.S64,),
    0x43: (Imm.BYTES4,),
    0x44: (Imm.BYTES8,),
    0xD0: (Imm.HEAP,),
    0xD2: (Imm.REF_FUNC,),
    0xD5: (Imm.U32,),  # br_on_null
    0xD6: (Imm.U32,),
    **_each(PREFIXES, Imm.PREFIX),
}

_GC: dict[int, tuple[Immediate, ...]] = {
    **_each((0x00, 0x01, 0x06, 0x07, 0x0B, 0x0C, 0x0D, 0x0E, 0x10), Imm.TYPE),
    **_each((0x02, 0x03, 0x04, 0x05, 0x08), Imm.TYPE, Imm.U32),  # struct.get…set, array.new_fixed
    **_each((0x09, 0x12), Imm.TYPE, Imm.DATA),
    **_each((0x0A, 0x13), Imm.TYPE, Imm.ELEM),
    0x0F: (),
    0x11: (Imm.TYPE, Imm.TYPE),  # array.copy
    **_each(range(0x14, 0x18), Imm.HEAP),  # ref.test, ref.cast
    **_each((0x18, 0x19), Imm.CAST_FLAGS, Imm.U32, Imm.HEAP, Imm.HEAP),
    **_each(range(0x1A, 0x1F)),
}

_MISC: dict[int, tuple[Immediate, ...]] = {
    **_each(range(0x08)),  # saturating truncations
    0x08: (Imm.DATA, Imm.MEMORY_WRITE),
    0x09: (Imm.DATA,),
    0x0A: (Imm.MEMORY_WRITE, Imm.MEMORY_READ),
    0x0B: (Imm.MEMORY_WRITE,),
    0x0C: (Imm.ELEM, Imm.TABLE_WRITE),
    0x0D: (Imm.ELEM,),
    0x0E: (Imm.TABLE_WRITE, Imm.TABLE_READ),
    0x0F: (Imm.TABLE_WRITE,),
    0x10: (Imm.TABLE_READ,),
    0x11: (Imm.TABLE_WRITE,),
    **_each(range(0x13, 0x17)),  # wide arithmetic
}

_VECTOR_HOLES = frozenset(
    {0x9A, 0xA2, 0xA5, 0xA6, 0xAF, 0xB0, 0xB2, 0xB3, 0xB4, 0xBB, 0xC2, 0xC5, 0xC6, 0xCF, 0xD0, 0xD2, 0xD3, 0xD4}
    | {0xE2, 0xEE}
)
_VECTOR: dict[int, tuple[Immediate, ...]] = {
    **{op: () for op in range(0x0E, 0x114) if op not in _VECTOR_HOLES},
    **_each((*range(0x0B), 0x5C, 0x5D), Imm.MEMARG_READ),
    0x0B: (Imm.MEMARG_WRITE,),
    0x0C: (Imm.BYTES16,),  # v128.const
    0x0D: (Imm.BYTES16,),  # i8x16.shuffle
    **_each(range(0x15, 0x23), Imm.BYTE),  # extract_lane, replace_lane
    **_each(range(0x54, 0x58), Imm.MEMARG_READ, Imm.BYTE),
    **_each(range(0x58, 0x5C), Imm.MEMARG_WRITE, Imm.BYTE),
}

_ATOMIC: dict[int, tuple[Immediate, ...]] = {
    **_each((0x00, 0x01, 0x02, *range(0x10, 0x4F)), Imm.MEMARG_WRITE),
    0x03: (Imm.ZERO,),  # atomic.fence
}


def _table(instructions: dict[int, tuple[Immediate, ...]], size: int) -> bytes:
    unknown = _shape(Imm.UNKNOWN)
    return array("I", [_shape(*instructions[op]) if op in instructions else unknown for op in range(size)]).tobytes()


def shapes() -> bytes:
    """The one-byte table (256 entries), then one table of SUB_OPCODES entries per prefix; entries are u32."""
    sub_tables = [_table(group, SUB_OPCODES) for group in (_GC, _MISC, _VECTOR, _ATOMIC)]
    return b"".join([_table(_ONE_BYTE, 256), *sub_tables])


INDIRECT_CALLS: Final = (0x11, 0x13)
"""call_indirect and return_call_indirect."""


def indirect_shape(through_parts: bool) -> bytes:
    """The entry of an indirect call in the one-byte table."""
    shape = _shape(Imm.THROUGH) if through_parts else _shape(*_ONE_BYTE[INDIRECT_CALLS[0]])
    return shape.to_bytes(4, "little")


def type_codes() -> bytes:
    """`TypeCode` of each byte value."""
    codes = bytearray(256)
    for byte in range(0x7B, 0x80):
        codes[byte] = TypeCode.NUMBER
    for byte in range(0x69, 0x75):
        codes[byte] = TypeCode.ABSTRACT
    codes[0x63] = codes[0x64] = TypeCode.REFERENCE
    codes[0x40] = TypeCode.EMPTY
    return bytes(codes)


# --- accesses to memory, for rebase.wat ----------------------------------------------------------------------------
ACCESSES: Final = 0x2680
"""Where the table of accesses lies in the rebasing kernel's memory."""
ACCESSES_END: Final = ACCESSES + 2 * (256 + 2 * SUB_OPCODES)
_ACCESS, _IS_ATOMIC = 0x8000, 0x4000


@unique
class Above(IntEnum):
    """What lies on the address of an access: a stored value, or two operands."""

    NOTHING = 0
    I32 = 1
    I64 = 2
    F32 = 3
    F64 = 4
    V128 = 5
    TWO_I32 = 6
    TWO_I64 = 7
    I32_I64 = 8


_NOTHING, _I32, _I64 = Above.NOTHING, Above.I32, Above.I64
# by opcode: log2 of the size, and what lies on the address
_PLAIN_ACCESSES: dict[int, tuple[int, Above]] = {
    **dict(enumerate([(s, _NOTHING) for s in (2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2)], 0x28)),
    **dict(enumerate([(2, _I32), (3, _I64), (2, Above.F32), (3, Above.F64), (0, _I32), (1, _I32)], 0x36)),
    **dict(enumerate([(0, _I64), (1, _I64), (2, _I64)], 0x3C)),
}
_VECTOR_ACCESSES: dict[int, tuple[int, Above]] = {
    0x00: (4, _NOTHING),
    **dict.fromkeys(range(0x01, 0x07), (3, _NOTHING)),
    **dict(enumerate([(s, _NOTHING) for s in (0, 1, 2, 3)], 0x07)),
    0x0B: (4, Above.V128),
    **dict(enumerate([(s, Above.V128) for s in (0, 1, 2, 3)], 0x54)),
    **dict(enumerate([(s, Above.V128) for s in (0, 1, 2, 3)], 0x58)),
    0x5C: (2, _NOTHING),
    0x5D: (3, _NOTHING),
}
_ATOMIC_SIZES = ((2, _I32), (3, _I64), (0, _I32), (1, _I32), (0, _I64), (1, _I64), (2, _I64))
"""Of each group of seven from 0x10 on: i32, i64, i32 8, i32 16, i64 8, i64 16, i64 32."""
_ATOMIC_ACCESSES: dict[int, tuple[int, Above]] = {
    0x00: (2, _I32),
    0x01: (2, Above.I32_I64),
    0x02: (3, Above.TWO_I64),
    **dict(enumerate([(size, _NOTHING) for size, _ in _ATOMIC_SIZES], 0x10)),
    **dict(enumerate([(size, value) for size, value in _ATOMIC_SIZES * 7], 0x17)),
    **dict(
        enumerate(
            [(size, Above.TWO_I32 if value is _I32 else Above.TWO_I64) for size, value in _ATOMIC_SIZES],
            0x48,
        )
    ),
}


def accesses() -> bytes:
    """The table of accesses: u16 each; 256 without prefix, SUB_OPCODES behind 0xFD, as many behind 0xFE."""
    entries = array("H", bytes(ACCESSES_END - ACCESSES))
    groups = ((0, _PLAIN_ACCESSES, 0), (256, _VECTOR_ACCESSES, 0), (768, _ATOMIC_ACCESSES, _IS_ATOMIC))
    for first, group, atomic in groups:
        for op, (size, above) in group.items():
            entries[first + op] = size | above << 3 | atomic | _ACCESS
    return entries.tobytes()
