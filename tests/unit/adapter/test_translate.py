"""Any value of any type, either way, across any pair of pointer widths, arrives as it was sent."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.model.valtype import (
    Case,
    DefinedType,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.canonical_model import P
from tests.support.crossing import CALLEE, Crossing, F, GuestSide, func_of, limits
from tests.support.link_emitted import Guest
from tests.support.value_types import TYPES, values

WIDE = st.booleans()


@settings(max_examples=120, deadline=None)
@given(st.data(), st.lists(TYPES, max_size=4), WIDE, WIDE)
def test_parameters_arrive_as_they_were_sent(
    data: st.DataObject, types: list[ValType], caller: bool, callee: bool
) -> None:
    sent = [data.draw(values(t)) for t in types]
    crossing = Crossing(types, caller=GuestSide(limits(caller)), callee=GuestSide(limits(callee))).build()
    crossing.call(*sent)
    assert crossing.received == sent


@settings(max_examples=120, deadline=None)
@given(st.data(), TYPES, WIDE, WIDE)
def test_a_result_arrives_as_it_was_sent(data: st.DataObject, type: ValType, caller: bool, callee: bool) -> None:
    sent = data.draw(values(type))
    sides = {"caller": GuestSide(limits(caller)), "callee": GuestSide(limits(callee))}
    crossing = Crossing([], type, sent, post_return=True, **sides).build()
    assert crossing.call() == sent


@pytest.mark.parametrize("wide", [False, True])
def test_bits_above_the_type_are_dropped_between_locals(wide: bool) -> None:
    types = [P.U8, P.S8, P.U16, P.S16, P.BOOL, DefinedType(FlagsType(("a", "b", "c")))]
    crossing = Crossing(types, caller=GuestSide(limits(wide))).build()
    crossing.call_raw(0xFFFF_FF12, 0x0000_00FF, 0xFFFF_1234, 0x0000_8000, 0x8000_0000, 0xFFFF_FFFD)
    assert crossing.received == [0x12, -1, 0x1234, -0x8000, True, 0b101]


def test_any_nonzero_byte_is_true_and_unused_flag_bits_vanish_in_memory() -> None:
    element = DefinedType(TupleType((P.BOOL, DefinedType(FlagsType(("a", "b", "c"))))))
    crossing = Crossing([DefinedType(ListType(element))]).build()
    crossing.caller.heap.data[64:68] = bytes([0x80, 0xFF, 0x00, 0xF8])
    crossing.caller.push(crossing.store)
    crossing.call_raw(64, 2)
    assert crossing.received == [[[True, 7], [False, 0]]]
    crossing.callee.pull(crossing.store)
    assert crossing.callee.heap.data[64:68] == bytes([1, 7, 0, 0])


def test_padding_is_not_copied() -> None:
    element = DefinedType(TupleType((P.U8, P.U32)))
    crossing = Crossing([DefinedType(ListType(element))]).build()
    crossing.caller.heap.data[64:80] = b"\xaa" * 16
    crossing.caller.push(crossing.store)
    crossing.call_raw(64, 2)
    crossing.callee.pull(crossing.store)
    assert crossing.callee.heap.data[64:80] == b"\xaa\0\0\0\xaa\xaa\xaa\xaa" * 2


def test_unused_payload_bytes_are_not_written() -> None:
    crossing = Crossing([DefinedType(ListType(DefinedType(OptionType(P.U64))))]).build()
    crossing.callee.heap.data[64:96] = b"\xee" * 32
    crossing.callee.push(crossing.store)
    crossing.caller.heap.data[64:96] = struct.pack("<QQQQ", 0, 5, 1, 6)
    crossing.caller.push(crossing.store)
    crossing.call_raw(64, 2)
    crossing.callee.pull(crossing.store)
    assert crossing.callee.heap.data[64:80] == b"\0" + b"\xee" * 15
    assert crossing.callee.heap.data[80:96] == b"\1" + b"\xee" * 7 + struct.pack("<Q", 6)


def test_nan_bits_pass_through() -> None:
    crossing = Crossing([DefinedType(ListType(P.F32))]).build()
    crossing.caller.heap.data[64:68] = b"\x01\x00\xa0\x7f"
    crossing.caller.push(crossing.store)
    crossing.call_raw(64, 1)
    crossing.callee.pull(crossing.store)
    assert crossing.callee.heap.data[64:68] == b"\x01\x00\xa0\x7f"


def test_plain_lists_are_one_copy_and_others_are_not() -> None:
    def copies(element: ValType) -> int:
        adapted = Crossing([DefinedType(ListType(element))]).adapted()
        return sum(b"\xfc\x0a" in chunk for f in adapted.functions for chunk in f.body if isinstance(chunk, bytes))

    flags = lambda n: DefinedType(FlagsType(tuple(map(str, range(n)))))  # noqa: E731
    plain = [P.U8, P.S64, P.F32, flags(8), flags(32), DefinedType(TupleType((P.U32, P.S16, P.U16)))]
    plain += [DefinedType(ListType(P.U16, 3)), DefinedType(EnumType(tuple(map(str, range(256)))))]
    assert [copies(t) for t in plain] == [1] * len(plain)
    # an invalid bit pattern is possible, or padding would leak
    others = [P.BOOL, P.CHAR, flags(7), DefinedType(TupleType((P.U32, P.U8))), DefinedType(OptionType(P.U8))]
    assert [copies(t) for t in others] == [0] * len(others)


def test_unused_slots_are_zero_even_in_locals_that_were_used_before() -> None:
    pair = DefinedType(TupleType((P.U32, P.U32)))
    inner = DefinedType(VariantType((Case("pair", pair), Case("one", P.U8))))
    wide = DefinedType(TupleType((P.U64, P.U64, P.U64)))
    outer = DefinedType(VariantType((Case("inner", inner), Case("wide", wide))))
    crossing = Crossing([outer, outer]).build()
    raw: list[list[int]] = []
    crossing.guests[func_of(CALLEE, F)] = Guest(crossing.core_type(), lambda *args: raw.append(list(args)))
    crossing.build()
    # the model's own slots would be zero; these are not, and must not come through
    crossing.call_raw(0, 0, 77, 88, 0, 1, 5, 99)
    assert raw == [[0, 0, 77, 88, 0, 1, 5, 0]]
