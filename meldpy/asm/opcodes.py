"""The instructions that emitted code uses, as the core binary format encodes them.

`Op` holds instructions without immediates, `Load` and `Store` those with a memarg and their natural alignment.
Adding one is one line. Instructions with other immediates are methods of `FuncBuilder`.
"""

from __future__ import annotations

from enum import Enum, unique

from meldpy.model.core import NumType


@unique
class Op(Enum):
    """Instructions without immediates; the value is the encoding."""

    UNREACHABLE = b"\x00"
    NOP = b"\x01"
    RETURN = b"\x0f"
    DROP = b"\x1a"
    SELECT = b"\x1b"
    I32_EQZ = b"\x45"
    I32_EQ = b"\x46"
    I32_NE = b"\x47"
    I32_LT_S = b"\x48"
    I32_LT_U = b"\x49"
    I32_GT_S = b"\x4a"
    I32_GT_U = b"\x4b"
    I32_LE_U = b"\x4d"
    I32_GE_U = b"\x4f"
    I64_EQZ = b"\x50"
    I64_EQ = b"\x51"
    I64_NE = b"\x52"
    I64_LT_U = b"\x54"
    I64_GT_U = b"\x56"
    I64_LE_U = b"\x58"
    I64_GE_U = b"\x5a"
    I32_CLZ = b"\x67"
    I32_CTZ = b"\x68"
    I32_ADD = b"\x6a"
    I32_SUB = b"\x6b"
    I32_MUL = b"\x6c"
    I32_AND = b"\x71"
    I32_OR = b"\x72"
    I32_XOR = b"\x73"
    I32_SHL = b"\x74"
    I32_SHR_S = b"\x75"
    I32_SHR_U = b"\x76"
    I64_ADD = b"\x7c"
    I64_SUB = b"\x7d"
    I64_MUL = b"\x7e"
    I64_AND = b"\x83"
    I64_OR = b"\x84"
    I64_XOR = b"\x85"
    I64_SHL = b"\x86"
    I64_SHR_S = b"\x87"
    I64_SHR_U = b"\x88"
    I32_WRAP_I64 = b"\xa7"
    I64_EXTEND_I32_S = b"\xac"
    I64_EXTEND_I32_U = b"\xad"
    I32_REINTERPRET_F32 = b"\xbc"
    I64_REINTERPRET_F64 = b"\xbd"
    F32_REINTERPRET_I32 = b"\xbe"
    F64_REINTERPRET_I64 = b"\xbf"
    I32_EXTEND8_S = b"\xc0"
    I32_EXTEND16_S = b"\xc1"
    I32X4_GT_U = b"\xfd\x3c"
    V128_AND = b"\xfd\x4e"
    V128_OR = b"\xfd\x50"
    V128_XOR = b"\xfd\x51"
    V128_BITSELECT = b"\xfd\x52"
    V128_ANY_TRUE = b"\xfd\x53"
    I8X16_BITMASK = b"\xfd\x64"
    I8X16_SUB_SAT_U = b"\xfd\x73"
    I8X16_MIN_U = b"\xfd\x77"
    I16X8_SUB_SAT_U = b"\xfd\x93\x01"
    I32X4_SUB = b"\xfd\xb1\x01"
    I32X4_MAX_U = b"\xfd\xb9\x01"


@unique
class Load(Enum):
    """Loads: (opcode, natural alignment exponent, type on the stack)."""

    I32 = (0x28, 2, NumType.I32)
    I64 = (0x29, 3, NumType.I64)
    F32 = (0x2A, 2, NumType.F32)
    F64 = (0x2B, 3, NumType.F64)
    I32_8S = (0x2C, 0, NumType.I32)
    I32_8U = (0x2D, 0, NumType.I32)
    I32_16S = (0x2E, 1, NumType.I32)
    I32_16U = (0x2F, 1, NumType.I32)


@unique
class Store(Enum):
    """Stores: (opcode, natural alignment exponent, type on the stack)."""

    I32 = (0x36, 2, NumType.I32)
    I64 = (0x37, 3, NumType.I64)
    F32 = (0x38, 2, NumType.F32)
    F64 = (0x39, 3, NumType.F64)
    I32_8 = (0x3A, 0, NumType.I32)
    I32_16 = (0x3B, 1, NumType.I32)


I32 = NumType.I32
I64 = NumType.I64
V128 = NumType.V128
