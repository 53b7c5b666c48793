"""Scalars: bool, integers, floats, char and flags.

Spec: CanonicalABI.md `load_int`, `convert_int_to_bool`, `convert_i32_to_char`, `lift_flat_{un,}signed`,
`{un,}pack_flags`. Floats keep their bits: any NaN is as good as the canonical one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, Load, Op, Store
from meldpy.cabi import flags_size
from meldpy.model.valtype import PrimValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """How a primitive is loaded and stored, and how a flat core value is brought into its range."""

    load: Load
    store: Store
    wrap: tuple[int | Op, ...] = ()


_SCALARS = {
    PrimValType.BOOL: Scalar(Load.I32_8U, Store.I32_8),
    PrimValType.S8: Scalar(Load.I32_8S, Store.I32_8, (Op.I32_EXTEND8_S,)),
    PrimValType.U8: Scalar(Load.I32_8U, Store.I32_8, (0xFF, Op.I32_AND)),
    PrimValType.S16: Scalar(Load.I32_16S, Store.I32_16, (Op.I32_EXTEND16_S,)),
    PrimValType.U16: Scalar(Load.I32_16U, Store.I32_16, (0xFFFF, Op.I32_AND)),
    PrimValType.S32: Scalar(Load.I32, Store.I32),
    PrimValType.U32: Scalar(Load.I32, Store.I32),
    PrimValType.S64: Scalar(Load.I64, Store.I64),
    PrimValType.U64: Scalar(Load.I64, Store.I64),
    PrimValType.F32: Scalar(Load.F32, Store.F32),
    PrimValType.F64: Scalar(Load.F64, Store.F64),
    PrimValType.CHAR: Scalar(Load.I32, Store.I32),
}

_UNSIGNED = {
    1: Scalar(Load.I32_8U, Store.I32_8),
    2: Scalar(Load.I32_16U, Store.I32_16),
    4: Scalar(Load.I32, Store.I32),
}
"""Unsigned integers by size in bytes: flags and discriminants."""


def translate_scalar(em: Emitter, type: PrimValType, src: Place, dst: Place) -> None:
    """Any primitive but string and error-context."""
    scalar = _SCALARS[type]
    with _written(em, scalar, dst):
        _read(em, scalar, src)
        if type is PrimValType.BOOL:
            # every bit pattern but zero is true
            em.b.i32(0)
            em.b.op(Op.I32_NE)
        elif type is PrimValType.CHAR:
            _check_char(em)
        elif isinstance(src, Flat) and isinstance(dst, Flat):
            # loads and stores are exact; between locals the bits above the type's width go here
            _apply(em, scalar.wrap)


def translate_flags(em: Emitter, labels: int, src: Place, dst: Place) -> None:
    """Flags: bits without a label do not survive."""
    size = flags_size(labels)
    scalar = _UNSIGNED[size]
    with _written(em, scalar, dst):
        _read(em, scalar, src)
        known = 32 if isinstance(src, Flat) else 8 * size
        if labels < known:
            em.b.i32((1 << labels) - 1)
            em.b.op(Op.I32_AND)


def read_unsigned(em: Emitter, size: int, src: Addr) -> None:
    """Push an unsigned integer of `size` bytes from memory."""
    _read(em, _UNSIGNED[size], src)


@contextmanager
def written_unsigned(em: Emitter, size: int, dst: Addr) -> Iterator[None]:
    """Store the i32 that the block pushes as an unsigned integer of `size` bytes."""
    with _written(em, _UNSIGNED[size], dst):
        yield


def read_word(em: Emitter, src: Place) -> None:
    """Push an i32: a handle, from wherever it is."""
    _read(em, _UNSIGNED[4], src)


@contextmanager
def written_word(em: Emitter, dst: Place) -> Iterator[None]:
    """Put the i32 that the block pushes where a handle goes."""
    with _written(em, _UNSIGNED[4], dst):
        yield


# --- inside -----------------------------------------------------------------------------------------------------
def _read(em: Emitter, scalar: Scalar, src: Place) -> None:
    match src:
        case Flat(_, (local,)):
            em.b.get(local)
        case Addr(side, base, offset):
            em.b.get(base)
            em.b.load(scalar.load, side.needs_memory().id, offset)
        case _:
            raise AssertionError(f"a scalar is one core value, not {src}")


@contextmanager
def _written(em: Emitter, scalar: Scalar, dst: Place) -> Iterator[None]:
    """The block pushes one value; it goes to `dst`. (An address must be on the stack before the value.)"""
    match dst:
        case Flat(_, (local,)):
            yield
            em.b.set(local)
        case Addr(side, base, offset):
            em.b.get(base)
            yield
            em.b.store(scalar.store, side.needs_memory().id, offset)
        case _:
            raise AssertionError(f"a scalar is one core value, not {dst}")


def _apply(em: Emitter, instructions: tuple[int | Op, ...]) -> None:
    for instruction in instructions:
        if isinstance(instruction, int):
            em.b.i32(instruction)
        else:
            em.b.op(instruction)


def _check_char(em: Emitter) -> None:
    """The i32 on the stack must be a Unicode scalar value; it stays there."""
    b = em.b
    with b.scratch(I32) as (char,):
        # too large, or a surrogate: 0xD800 to 0xDFFF share the bits above the lowest eleven
        b.tee(char)
        b.i32(0x110000)
        b.op(Op.I32_GE_U)
        b.get(char)
        b.i32(11)
        b.op(Op.I32_SHR_U)
        b.i32(0xD800 >> 11)
        b.op(Op.I32_EQ, Op.I32_OR)
        em.trap_if(Trap.INVALID_CHAR, char=char)
        b.get(char)
