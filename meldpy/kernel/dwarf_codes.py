"""What the DWARF kernel knows of attributes and of operations in expressions: its two tables.

Spec: DWARF 5 sections 7.5.4 and 7.7.1, with the vendor extensions that compilers for WebAssembly write.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, unique
from typing import Final


@unique
class Role(IntEnum):
    """What an attribute means for code that moves. The numbers are those of the kernel's `br_table`s."""

    NONE = 0
    LOW_PC = 1
    HIGH_PC = 2
    ENTRY_PC = 3
    LINES = 4
    RANGES = 5
    LOCATION = 6
    STR_OFFSETS_BASE = 7
    ADDR_BASE = 8
    RNGLISTS_BASE = 9
    LOCLISTS_BASE = 10
    MACROS = 11
    SPLIT = 12
    MEMBER = 13
    VALUE = 14


_ROLES: Final[dict[int, Role]] = {
    0x11: Role.LOW_PC,
    0x12: Role.HIGH_PC,
    0x52: Role.ENTRY_PC,
    0x10: Role.LINES,
    0x55: Role.RANGES,
    **dict.fromkeys(
        (
            0x02,  # location
            0x19,  # string_length
            0x2A,  # return_addr
        ),
        Role.LOCATION,
    ),
    **dict.fromkeys(
        (
            0x40,  # frame_base: as the code has it
            0x46,  # segment
            0x48,  # static_link
            0x4A,  # use_location
            0x4D,  # vtable_elem_location
            *range(0x7E, 0x87),  # call_value, call_target and their kin
            0x2111,  # GNU_call_site_value
            0x2112,  # GNU_call_site_data_value
            0x2113,  # GNU_call_site_target
            0x2114,  # GNU_call_site_target_clobbered
        ),
        Role.VALUE,
    ),
    0x38: Role.MEMBER,  # data_member_location
    0x50: Role.MEMBER,  # data_location
    0x72: Role.STR_OFFSETS_BASE,
    0x73: Role.ADDR_BASE,
    0x74: Role.RNGLISTS_BASE,
    0x8C: Role.LOCLISTS_BASE,
    0x43: Role.MACROS,
    0x79: Role.MACROS,
    0x2119: Role.MACROS,
    0x76: Role.SPLIT,  # dwo_name
    0x2130: Role.SPLIT,  # GNU_dwo_name
    0x2132: Role.SPLIT,  # GNU_ranges_base
    0x2133: Role.SPLIT,  # GNU_addr_base
}


def roles() -> bytes:
    """The role of each attribute below 0x100, then of 0x2100 to 0x21FF."""
    table = bytearray(0x200)
    for attribute, role in _ROLES.items():
        table[attribute if attribute < 0x100 else 0x100 + (attribute & 0xFF)] = role
    return bytes(table)


@unique
class Operands(IntEnum):
    """What follows the byte of an operation."""

    UNKNOWN = 0
    NONE = 1
    ONE = 2
    TWO = 3
    FOUR = 4
    EIGHT = 5
    LEB = 6
    TWO_LEBS = 7
    ADDRESS = 8  # in memory
    BLOCK = 9
    REFERENCE = 10
    POINTER = 11
    ENTRY = 12
    TYPE = 13
    WASM = 14


_OPERANDS: Final[dict[Operands, Iterable[int]]] = {
    Operands.NONE: (
        0x06,
        *range(0x12, 0x15),
        *range(0x16, 0x23),
        *range(0x24, 0x28),
        *range(0x29, 0x2F),
        *range(0x30, 0x70),
        *(0x96, 0x97, 0x9B, 0x9C, 0x9F, 0xE0, 0xF0),
    ),
    Operands.ONE: (0x08, 0x09, 0x15, 0x94, 0x95),
    Operands.TWO: (0x0A, 0x0B, 0x28, 0x2F, 0x98),
    Operands.FOUR: (0x0C, 0x0D, 0x99, 0xFA),
    Operands.EIGHT: (0x0E, 0x0F),
    Operands.LEB: (0x10, 0x11, 0x23, *range(0x70, 0x92), 0x93, 0xA1, 0xA2, 0xA8, 0xA9, 0xF7, 0xF9, 0xFB, 0xFC),
    Operands.TWO_LEBS: (0x92, 0x9D, 0xA5, 0xA6, 0xA7, 0xF5, 0xF6),  # a size of one byte is a LEB128, too
    Operands.ADDRESS: (0x03,),
    Operands.BLOCK: (0x9E,),
    Operands.REFERENCE: (0x9A, 0xFD),
    Operands.POINTER: (0xA0, 0xF2),
    Operands.ENTRY: (0xA3, 0xF3),
    Operands.TYPE: (0xA4, 0xF4),
    Operands.WASM: (0xED,),
}


def operands() -> bytes:
    """The operands of each operation."""
    table = bytearray(0x100)
    for kind, operations in _OPERANDS.items():
        for operation in operations:
            table[operation] = kind
    return bytes(table)


@unique
class Effect(IntEnum):
    """What an operation does to the stack; the numbers are those of dwarf_memory.wat. LOST: it is not followed."""

    LOST = 0
    PUSH = 1
    OBJECT = 2
    DUP = 3
    DROP = 4
    OVER = 5
    PICK = 6
    SWAP = 7
    ROT = 8
    DEREF = 9
    NONE = 10
    UNARY = 11
    BINARY = 12
    PLUS = 13
    MINUS = 14
    REGISTER = 15
    STACK_VALUE = 16
    IMPLICIT = 17
    PIECE = 18


_EFFECTS: Final[dict[Effect, Iterable[int]]] = {
    # addr, constants, literals, registers' values, fbreg, addrx and constx, typed constants, entry values, locals
    Effect.PUSH: (
        *(0x03, *range(0x08, 0x12), *range(0x30, 0x50), *range(0x70, 0x93)),
        *(0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xED, 0xF3, 0xF4, 0xF5, 0xFB, 0xFC),
    ),
    Effect.OBJECT: (0x97,),
    Effect.DUP: (0x12,),
    Effect.DROP: (0x13,),
    Effect.OVER: (0x14,),
    Effect.PICK: (0x15,),
    Effect.SWAP: (0x16,),
    Effect.ROT: (0x17,),
    Effect.DEREF: (0x06, 0x94, 0xA6, 0xF6),
    Effect.NONE: (0x23, 0x96, 0xA8, 0xA9, 0xF0, 0xF7, 0xF9),  # plus_uconst, nop, conversions
    Effect.UNARY: (0x19, 0x1F, 0x20),
    Effect.BINARY: (0x1A, 0x1B, 0x1D, 0x1E, 0x21, *range(0x24, 0x28), *range(0x29, 0x2F)),
    Effect.PLUS: (0x22,),
    Effect.MINUS: (0x1C,),
    Effect.REGISTER: (*range(0x50, 0x70), 0x90),
    Effect.STACK_VALUE: (0x9F,),
    Effect.IMPLICIT: (0x9E,),
    Effect.PIECE: (0x93, 0x9D),
}


def effects() -> bytes:
    """The effect of each operation."""
    table = bytearray(0x100)
    for effect, operations in _EFFECTS.items():
        for operation in operations:
            table[operation] = effect
    return bytes(table)
