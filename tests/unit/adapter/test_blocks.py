"""Lists of small checked elements go by vectors; each byte arrives, and each wrong one traps, as one by one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

import pytest

from meldpy.adapter.traps import Trap
from meldpy.cabi import Abi, discriminant_size, flags_size
from meldpy.model.valtype import (
    DefinedType,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    PrimValType,
    RecordType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.canonical_model import P
from tests.support.crossing import Crossing, GuestSide, limits
from tests.support.link_emitted import Trapped

ABI = Abi()
FROM, TO, ROOM, BEFORE = 64, 1024, 8192, 0xEE


def labels(count: int) -> tuple[str, ...]:
    return tuple(f"l{i}" for i in range(count))


def tuple_of(*types: ValType) -> DefinedType:
    return DefinedType(TupleType(types))


def enum(count: int) -> DefinedType:
    return DefinedType(EnumType(labels(count)))


def flags(count: int) -> DefinedType:
    return DefinedType(FlagsType(labels(count)))


ELEMENTS = {
    "bool": P.BOOL,
    "char": P.CHAR,
    "enum of 3": enum(3),
    "enum of 300": enum(300),
    "flags of 3": flags(3),
    "flags of 12": flags(12),
    "flags of 31": flags(31),
    "padded": tuple_of(P.U8, P.U32),
    "three bools": tuple_of(P.BOOL, P.BOOL, P.BOOL),
    "five bools in a list": DefinedType(ListType(P.BOOL, 5)),
    "number and bool": tuple_of(P.U32, P.BOOL),
    "four checks": tuple_of(P.U32, P.BOOL, P.CHAR, P.U8),
    "enum beside bool": tuple_of(enum(2), P.BOOL),
    "two enums and a char": tuple_of(enum(300), enum(5), P.CHAR),
    "24 bytes": tuple_of(P.U64, P.BOOL, P.CHAR, flags(9)),
    "nested": tuple_of(tuple_of(P.BOOL, P.U16), DefinedType(ListType(P.CHAR, 2))),
    "seven bytes": tuple_of(*[P.BOOL] * 7),
    "too many vectors": tuple_of(*[P.BOOL] * 13),
    "with a payload": DefinedType(OptionType(P.BOOL)),
}  # fmt: skip


def leaves(type: ValType, at: int) -> Iterator[tuple[ValType, int, int]]:
    """The scalars of a value at `at`: type, offset and size, in the order in which they cross."""
    layouts = ABI.layouts(False)
    shape = ABI.shape(type)
    match shape:
        case ListType(element, length):
            assert length is not None
            for index in range(length):
                yield from leaves(element, at + index * layouts.elem_size(element))
        case RecordType(fields):
            assert isinstance(type, DefinedType)
            for field, offset in zip(fields, layouts.field_offsets(type), strict=True):
                yield from leaves(field.type, at + offset)
        case VariantType(cases) if any(case.type is not None for case in cases):
            raise AssertionError("not modelled")
        case _:
            yield type, at, layouts.elem_size(type)


def crossed(element: ValType, data: bytes, count: int) -> bytes | str:
    """What the callee's memory holds afterwards, or the trap. The spec's rules, scalar by scalar."""
    size = ABI.layouts(False).elem_size(element)
    result = bytearray([BEFORE]) * (count * size)
    for index in range(count):
        for type, at, width in leaves(element, index * size):
            value = int.from_bytes(data[at : at + width], "little")
            match ABI.shape(type):
                case PrimValType.BOOL:
                    value = value != 0
                case PrimValType.CHAR:
                    if value >= 0x110000 or 0xD800 <= value < 0xE000:
                        return Trap.INVALID_CHAR.value
                case FlagsType(names):
                    assert width == flags_size(len(names))
                    value &= (1 << len(names)) - 1
                case VariantType(cases):
                    assert width == discriminant_size(len(cases))
                    if value >= len(cases):
                        return Trap.INVALID_DISCRIMINANT.value
                case _:
                    pass
            result[at : at + width] = value.to_bytes(width, "little")
    return bytes(result)


def random_bytes(rng: Random, element: ValType, count: int, wrong: int | None) -> bytes:
    """A list in memory, all bits random where they may be; element `wrong` has a value that is not allowed."""
    size = ABI.layouts(False).elem_size(element)
    data = bytearray(rng.randbytes(count * size))
    for index in range(count):
        checked = []
        for type, at, width in leaves(element, index * size):
            shape = ABI.shape(type)
            if shape is P.CHAR:
                good = rng.choice([0, 0x7F, 0xD7FF, 0xE000, 0xFFFF, 0x10FFFF, rng.randrange(0xD800)])
                bad = rng.choice([0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF, 0x8000_0041, rng.randrange(0xD800, 0xE000)])
            elif isinstance(shape, VariantType):
                good = rng.choice([0, len(shape.cases) - 1, rng.randrange(len(shape.cases))])
                bad = rng.choice([len(shape.cases), (1 << 8 * width) - 1])
            else:
                if shape is P.BOOL and rng.random() < 0.5:
                    data[at] = 0
                continue
            data[at : at + width] = good.to_bytes(width, "little")
            checked.append((at, bad.to_bytes(width, "little")))
        if index == wrong:
            at, worse = rng.choice(checked)
            data[at : at + len(worse)] = worse
    return bytes(data)


@cache
def crossing(name: str, caller: bool, callee: bool) -> Crossing:
    sides = {
        "caller": GuestSide(limits(caller)),
        "callee": GuestSide(limits(callee), realloc_result=lambda *_: TO),
    }
    return Crossing([DefinedType(ListType(ELEMENTS[name]))], **sides).build()


def outcome(name: str, data: bytes, count: int, caller: bool = False, callee: bool = False) -> bytes | str:
    """What the callee finds, or the trap; nothing may be written beside the list."""
    c = crossing(name, caller, callee)
    c.caller.heap.data[FROM : FROM + ROOM] = data.ljust(ROOM, b"\xff")
    c.caller.push(c.store)
    c.callee.heap.data[:] = bytes([BEFORE]) * len(c.callee.heap.data)
    c.callee.push(c.store)
    try:
        c.call_raw(FROM, count)
    except Trapped as trapped:
        return str(trapped.args[0])
    c.callee.pull(c.store)
    memory, end = bytes(c.callee.heap.data), TO + len(data)
    assert set(memory[:TO] + memory[end:]) == {BEFORE}
    return memory[TO:end]


@pytest.mark.parametrize("name", [name for name in ELEMENTS if name != "with a payload"])
def test_lists_of_every_length_arrive_as_they_would_one_by_one(name: str) -> None:
    rng = Random(name)
    for count in (*range(40), 63, 64, 65, 100):
        data = random_bytes(rng, ELEMENTS[name], count, None)
        assert outcome(name, data, count) == crossed(ELEMENTS[name], data, count), count


@pytest.mark.parametrize("name", [name for name in ELEMENTS if "char" in name or "enum" in name or "checks" in name])
def test_one_wrong_element_anywhere_is_the_trap_that_it_is_by_itself(name: str) -> None:
    rng = Random(name)
    for count in (1, 7, 16, 33, 70):
        for wrong in range(count):
            data = random_bytes(rng, ELEMENTS[name], count, wrong)
            expected = crossed(ELEMENTS[name], data, count)
            assert isinstance(expected, str)
            assert outcome(name, data, count) == expected, (count, wrong)


@pytest.mark.parametrize("caller", [False, True])
@pytest.mark.parametrize("callee", [False, True])
def test_either_side_may_have_wide_pointers(caller: bool, callee: bool) -> None:
    rng, name = Random(1), "four checks"
    for count in range(20):
        data = random_bytes(rng, ELEMENTS[name], count, None)
        assert outcome(name, data, count, caller, callee) == crossed(ELEMENTS[name], data, count)


@pytest.mark.parametrize("name", ELEMENTS)
def test_what_goes_by_blocks(name: str) -> None:
    adapted = Crossing([DefinedType(ListType(ELEMENTS[name]))]).adapted()
    stored = any(b"\xfd\x0b" in chunk for f in adapted.functions for chunk in f.body if isinstance(chunk, bytes))
    assert stored == (name not in ("too many vectors", "with a payload"))
