"""Lists of small checked elements, several at a time in vectors.

An element without pointers has one layout on both sides. If each of its parts is copied, brought into range or checked
by itself (a bool, a char, an enum, flags, padding), then elements go by blocks: so many vectors that whole elements
fill them. A block is loaded, judged, brought into range and stored. Bytes of padding keep what the destination had
there, as they do when fields are stored one by one.

Nothing traps here. A block with something wrong in it, and what is left at the end, is the loop's over single elements,
which knows which rule is broken first. Spec: as in `scalars`, `variants` and `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lcm
from typing import Final, final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Addr
from meldpy.asm import I64, V128, Local, Op
from meldpy.cabi import discriminant_size, flags_size
from meldpy.model.valtype import DefinedType, FlagsType, ListType, PrimValType, RecordType, ValType, VariantType
from meldpy.records import dataclass

_VECTOR: Final = 16
_FULL: Final = b"\xff" * _VECTOR
_MOST_VECTORS: Final = 8
"""A block of more vectors is not worth its code."""
_UNROLLED: Final = 4
"""Vectors that one turn of the main loop takes, if a block has fewer."""

_MAX_CHAR: Final = 0x10F7FF
"""`(char ^ 0xD800) - 0x800` is at most this exactly for Unicode scalar values."""


@final
@dataclass(slots=True)
class _Bytes:
    """What happens to each byte of a run of elements.

    copied: 0 for padding, else 0xFF. known: the bits that survive. most: what it is brought down to (1 for bools).
    top, top16: the largest value that is allowed, for a byte and for two; char: 0xFF for the bytes of chars.
    """

    copied: bytearray
    known: bytearray
    most: bytearray
    top: bytearray
    top16: bytearray
    char: bytearray

    @classmethod
    def padding(cls, size: int) -> _Bytes:
        known, most, top, top16 = (bytearray(b"\xff" * size) for _ in range(4))
        return cls(bytearray(size), known, most, top, top16, bytearray(size))

    def repeated(self, times: int) -> _Bytes:
        return _Bytes(
            self.copied * times,
            self.known * times,
            self.most * times,
            self.top * times,
            self.top16 * times,
            self.char * times,
        )


@final
@dataclass(frozen=True, slots=True)
class Blocks:
    """elements: how many a block has; vectors: how many they fill; bytes: what happens to each of their bytes."""

    elements: int
    vectors: int
    bytes: _Bytes


def blocks_of(shop: Workshop, element: ValType) -> Blocks | None:
    """How elements of this type go by blocks; None if they do not, or if the target has no vectors."""
    size = shop.abi.layouts(False).elem_size(element)
    vectors = lcm(size, _VECTOR) // _VECTOR
    if not shop.vectors or vectors > _MOST_VECTORS:
        return None
    found = _Bytes.padding(size)
    if not _fill(shop, element, 0, found):
        return None
    elements = vectors * _VECTOR // size
    return Blocks(elements, vectors, found.repeated(elements))


def translate_blocks(em: Emitter, blocks: Blocks, src: Addr, dst: Addr, count: Local) -> None:
    """Move whole blocks from `src` to `dst`, whose locals go on, and take what was moved off `count`."""
    times = _UNROLLED // blocks.vectors
    if times > 1:
        many = Blocks(blocks.elements * times, blocks.vectors * times, blocks.bytes.repeated(times))
        _loop(em, many, src, dst, count)
    _loop(em, blocks, src, dst, count)


# --- what happens to bytes ----------------------------------------------------------------------------------------
def _fill(shop: Workshop, type: ValType, at: int, found: _Bytes) -> bool:
    """Describe the bytes of a value at offset `at`; False if its bytes cannot be judged one by one."""
    layouts = shop.abi.layouts(False)
    size = layouts.elem_size(type)
    match shop.abi.shape(type):
        case PrimValType.STRING | PrimValType.ERROR_CONTEXT:
            return False
        case PrimValType() as primitive:
            _copy(found, at, size)
            if primitive is PrimValType.BOOL:
                found.most[at] = 1
            elif primitive is PrimValType.CHAR:
                found.char[at : at + size] = b"\xff" * size
            return True
        case FlagsType(labels):
            _copy(found, at, size)
            assert size == flags_size(len(labels))
            found.known[at : at + size] = ((1 << len(labels)) - 1).to_bytes(size, "little")
            return True
        case ListType(element, length):
            if length is None:
                return False
            step = layouts.elem_size(element)
            return all(_fill(shop, element, at + index * step, found) for index in range(length))
        case RecordType(fields):
            assert isinstance(type, DefinedType)
            offsets = layouts.field_offsets(type)
            return all(_fill(shop, field.type, at + o, found) for field, o in zip(fields, offsets, strict=True))
        case VariantType(cases):
            if any(case.type is not None for case in cases) or size > 2:
                return False
            _copy(found, at, size)
            assert size == discriminant_size(len(cases))
            table = found.top if size == 1 else found.top16
            table[at : at + size] = (len(cases) - 1).to_bytes(size, "little")
            return True
        case _:
            return False


def _copy(found: _Bytes, at: int, size: int) -> None:
    found.copied[at : at + size] = b"\xff" * size


# --- code -----------------------------------------------------------------------------------------------------------
def _loop(em: Emitter, blocks: Blocks, src: Addr, dst: Addr, count: Local) -> None:
    """Blocks as long as there are enough elements, and nothing is wrong with them."""
    b = em.b
    with b.scratch(*([V128] * blocks.vectors)) as lanes, b.block() as done, b.loop() as again:
        b.get(count)
        b.i32(blocks.elements)
        b.op(Op.I32_LT_U)
        b.br_if(done)
        for number, lane in enumerate(lanes):
            b.get(src.base)
            b.load_v128(src.side.needs_memory().id, number * _VECTOR)
            b.set(lane)
        if _judge(em, blocks, lanes):
            b.br_if(done)
        for number, lane in enumerate(lanes):
            b.get(dst.base)
            _push_in_range(em, blocks.bytes, lane, dst, number * _VECTOR)
            b.store_v128(dst.side.needs_memory().id, number * _VECTOR)
        for place in (src, dst):
            b.get(place.base)
            b.const(place.base.type, blocks.vectors * _VECTOR)
            b.op(Op.I64_ADD if place.base.type is I64 else Op.I32_ADD)
            b.set(place.base)
        b.get(count)
        b.i32(blocks.elements)
        b.op(Op.I32_SUB)
        b.set(count)
        b.br(again)


def _judge(em: Emitter, blocks: Blocks, lanes: tuple[Local, ...]) -> bool:
    """Push whether something is wrong with the block in `lanes`; False if nothing can be."""
    b = em.b

    def char(lane: Local, mask: bytes) -> None:
        b.get(lane)
        b.v128(b"\0\xd8\0\0" * 4)
        b.op(Op.V128_XOR)
        b.v128(b"\0\x08\0\0" * 4)
        b.op(Op.I32X4_SUB)
        if mask != common:
            b.v128(mask)
            b.op(Op.V128_AND)

    def above(op: Op) -> Callable[[Local, bytes], None]:
        def push(lane: Local, top: bytes) -> None:
            b.get(lane)
            b.v128(top)
            b.op(op)

        return push

    judged = 0
    if any(blocks.bytes.char):
        chars = [(lane, mask) for lane, mask in _vectors(lanes, blocks.bytes.char) if any(mask)]
        # what all vectors mask alike is masked once
        common = chars[0][1] if len({mask for _, mask in chars}) == 1 else _FULL
        _gather(em, chars, char, Op.I32X4_MAX_U)
        if common != _FULL:
            b.v128(common)
            b.op(Op.V128_AND)
        b.v128(_MAX_CHAR.to_bytes(4, "little") * 4)
        b.op(Op.I32X4_GT_U)
        judged += 1
    for tops, op in ((blocks.bytes.top, Op.I8X16_SUB_SAT_U), (blocks.bytes.top16, Op.I16X8_SUB_SAT_U)):
        checked = [(lane, top) for lane, top in _vectors(lanes, tops) if top != _FULL]
        if checked:
            _gather(em, checked, above(op), Op.V128_OR)
            judged += 1
    if judged:
        b.op(*[Op.V128_OR] * (judged - 1), Op.V128_ANY_TRUE)
    return bool(judged)


def _gather(em: Emitter, lanes: list[tuple[Local, bytes]], push: Callable[[Local, bytes], None], op: Op) -> None:
    for number, (lane, constant) in enumerate(lanes):
        push(lane, constant)
        if number:
            em.b.op(op)


def _push_in_range(em: Emitter, bytes: _Bytes, lane: Local, dst: Addr, offset: int) -> None:
    """Push what the destination gets of one vector."""
    b, span = em.b, slice(offset, offset + _VECTOR)
    copied, known, most = bytes.copied[span], bytes.known[span], bytes.most[span]
    # padding becomes zero by whichever of the two is needed anyway
    if most != _FULL:
        most = bytearray(map(min, most, copied))
    else:
        known = bytearray(map(min, known, copied))
    b.get(lane)
    for constants, op in ((known, Op.V128_AND), (most, Op.I8X16_MIN_U)):
        if constants != _FULL:
            b.v128(constants)
            b.op(op)
    if copied != _FULL:
        b.get(dst.base)
        b.load_v128(dst.side.needs_memory().id, offset)
        b.v128(bytearray(0xFF - byte for byte in copied))
        b.op(Op.V128_AND, Op.V128_OR)


def _vectors(lanes: tuple[Local, ...], constants: bytearray) -> Iterator[tuple[Local, bytes]]:
    for number, lane in enumerate(lanes):
        yield lane, bytes(constants[number * _VECTOR : (number + 1) * _VECTOR])
