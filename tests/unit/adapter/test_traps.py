"""Each named trap is reached by its own condition, and the neighbouring value does not trap."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from meldpy.adapter.traps import Trap
from meldpy.model.core import CoreFuncType
from meldpy.model.valtype import DefinedType, EnumType, ListType, OptionType, TupleType, ValType
from tests.support.canonical_model import P
from tests.support.crossing import CALLEE, CALLER, POST_RETURN, REALLOC, Crossing, F, GuestSide, func_of, limits
from tests.support.link_emitted import ENGINE, I32, I64, Guest, Trapped

U32S = DefinedType(ListType(P.U32))
THREE = DefinedType(EnumType(("a", "b", "c")))


def crossing(*types: ValType, wide: bool = False, **more: Any) -> Crossing:
    return Crossing(list(types), caller=GuestSide(limits(wide)), callee=GuestSide(limits()), **more).build()


def trap_of(crossing: Crossing, *args: Any) -> str | None:
    """The trap that a call with core values ends in; None if it returns."""
    try:
        crossing.call_raw(*args)
    except Trapped as trapped:
        return str(trapped.args[0])
    return None


@pytest.mark.parametrize("char", [0, 0xD7FF, 0xE000, 0x10FFFF])
def test_a_scalar_value_is_a_char(char: int) -> None:
    assert trap_of(crossing(P.CHAR), char) is None


@pytest.mark.parametrize("char", [0xD800, 0xDFFF, 0x110000, 0xFFFF_FFFF])
def test_surrogates_and_large_values_are_no_chars(char: int) -> None:
    assert trap_of(crossing(P.CHAR), char) == Trap.INVALID_CHAR.value


@pytest.mark.parametrize(("case", "trap"), [(2, None), (3, "invalid variant discriminant"), (1 << 31, ...)])
def test_a_flat_discriminant_names_a_case(case: int, trap: Any) -> None:
    expected = Trap.INVALID_DISCRIMINANT.value if trap is ... else trap
    assert trap_of(crossing(THREE), case) == expected
    assert trap_of(crossing(DefinedType(OptionType(P.U64))), case, 0) == (
        None if case < 2 else Trap.INVALID_DISCRIMINANT.value
    )


@pytest.mark.parametrize(("byte", "trap"), [(2, None), (3, Trap.INVALID_DISCRIMINANT.value), (255, ...)])
def test_a_discriminant_in_memory_names_a_case(byte: int, trap: Any) -> None:
    c = crossing(DefinedType(ListType(THREE)))
    c.caller.heap.data[64] = byte
    c.caller.push(c.store)
    assert trap_of(c, 64, 1) == (Trap.INVALID_DISCRIMINANT.value if trap is ... else trap)


def test_every_byte_is_a_case_of_a_full_enum() -> None:
    full = DefinedType(ListType(DefinedType(OptionType(DefinedType(EnumType(tuple(map(str, range(256)))))))))
    c = crossing(full)
    c.caller.heap.data[64:66] = b"\x01\xff"
    c.caller.push(c.store)
    assert trap_of(c, 64, 1) is None
    assert c.received == [[(1, (255, None))]]


@pytest.mark.parametrize("wide", [False, True])
def test_list_ranges(wide: bool) -> None:
    def outcome(element: ValType, pointer: int, length: int) -> str | None:
        return trap_of(crossing(DefinedType(ListType(element)), wide=wide), pointer, length)

    top = (1 << 64 if wide else 1 << 32) - 8
    # one byte more than 2^28 - 1 is too long; one less is only out of bounds
    assert outcome(P.U8, 64, 1 << 28) == Trap.LIST_TOO_LONG.value
    assert outcome(P.U8, 64, (1 << 28) - 1) == Trap.LIST_OUT_OF_BOUNDS.value
    assert outcome(P.U64, 64, 1 << 25) == Trap.LIST_TOO_LONG.value
    assert outcome(P.U64, 64, (1 << 25) - 1) == Trap.LIST_OUT_OF_BOUNDS.value
    assert outcome(P.U64, 64, top) == Trap.LIST_TOO_LONG.value
    # alignment counts for empty lists too
    assert outcome(P.U32, 66, 0) == Trap.LIST_MISALIGNED.value
    assert outcome(P.U32, 64, 0) is None
    assert outcome(P.U16, 66, 1) is None
    # the last element that fits, the first that does not, and sums that wrap
    assert outcome(P.U32, 65528, 2) is None
    assert outcome(P.U32, 65528, 3) == Trap.LIST_OUT_OF_BOUNDS.value
    assert outcome(P.U32, 65536, 0) is None
    assert outcome(P.U32, 65540, 0) == Trap.LIST_OUT_OF_BOUNDS.value
    assert outcome(P.U32, top, 16) == Trap.LIST_OUT_OF_BOUNDS.value


@pytest.mark.parametrize("wide", [False, True])
def test_what_realloc_returns_is_checked(wide: bool) -> None:
    def outcome(address: int) -> str | None:
        callee = GuestSide(limits(wide), realloc_result=lambda *_: address)
        return trap_of(Crossing([U32S], callee=callee).build(), 64, 2)

    assert outcome(66) == Trap.REALLOC_MISALIGNED.value
    assert outcome(68) is None
    assert outcome(65528) is None
    assert outcome(65532) == Trap.REALLOC_OUT_OF_BOUNDS.value
    assert outcome((1 << 64 if wide else 1 << 32) - 4) == Trap.REALLOC_OUT_OF_BOUNDS.value


@pytest.mark.parametrize("wide", [False, True])
def test_the_pointer_to_spilled_parameters_is_checked(wide: bool) -> None:
    def outcome(pointer: int) -> str | None:
        return trap_of(crossing(*[P.U32] * 17, wide=wide), pointer)

    assert outcome(62) == Trap.PARAMS_MISALIGNED.value
    assert outcome(64) is None
    assert outcome(65536 - 68) is None
    assert outcome(65536 - 64) == Trap.PARAMS_OUT_OF_BOUNDS.value
    assert outcome((1 << 64 if wide else 1 << 32) - 4) == Trap.PARAMS_OUT_OF_BOUNDS.value


PAIR = DefinedType(TupleType((P.U32, P.U32)))


@pytest.mark.parametrize("wide", [False, True])
def test_the_callers_result_pointer_is_checked(wide: bool) -> None:
    def outcome(pointer: int) -> str | None:
        return trap_of(crossing(wide=wide, result=PAIR, answer=[1, 2]), pointer)

    assert outcome(62) == Trap.RESULT_MISALIGNED.value
    assert outcome(64) is None
    assert outcome(65528) is None
    assert outcome(65532) == Trap.RESULT_OUT_OF_BOUNDS.value
    assert outcome((1 << 64 if wide else 1 << 32) - 4) == Trap.RESULT_OUT_OF_BOUNDS.value


@pytest.mark.parametrize("wide", [False, True])
def test_the_callees_result_pointer_is_checked(wide: bool) -> None:
    def outcome(pointer: int) -> str | None:
        core_type = CoreFuncType((), (I64 if wide else I32,))
        guests = {func_of(CALLEE, F): Guest(core_type, lambda: pointer)}
        callee = GuestSide(limits(wide))
        return trap_of(Crossing([], PAIR, callee=callee, guests=guests).build(), 64)

    assert outcome(62) == Trap.RESULT_MISALIGNED.value
    assert outcome(64) is None
    assert outcome(65528) is None
    assert outcome(65532) == Trap.RESULT_OUT_OF_BOUNDS.value
    assert outcome((1 << 64 if wide else 1 << 32) - 4) == Trap.RESULT_OUT_OF_BOUNDS.value


def thrower(store: wasmtime.Store, type: CoreFuncType) -> wasmtime.Func:
    params = " ".join(t.name.lower() for t in type.params)
    results = " ".join(t.name.lower() for t in type.results)
    text = f'(module (tag $e) (func (export "f") (param {params}) (result {results}) throw $e))'
    func = wasmtime.Instance(store, wasmtime.Module(ENGINE, wasmtime.wat2wasm(text)), []).exports(store)["f"]
    assert isinstance(func, wasmtime.Func)
    return func


REALLOC_TYPE = CoreFuncType((I32,) * 4, (I32,))


@pytest.mark.parametrize(
    ("who", "type"),
    [
        (func_of(CALLEE, F), CoreFuncType((I32, I32), (I32,))),
        (func_of(CALLEE, POST_RETURN), CoreFuncType((I32,), ())),
        (func_of(CALLEE, REALLOC), REALLOC_TYPE),
        (func_of(CALLER, REALLOC), REALLOC_TYPE),
    ],
)
def test_an_exception_stops_at_the_boundary(who: Any, type: CoreFuncType) -> None:
    def outcome(throws: bool) -> str | None:
        c = Crossing([U32S], U32S, [1, 2], post_return=True, may_throw=frozenset([who]))
        c.store = wasmtime.Store(ENGINE)
        if throws:
            c.guests[who] = Guest(type, thrower(c.store, type))
        return trap_of(c.build(), 64, 2, 128)

    assert outcome(throws=True) == Trap.UNCAUGHT_EXCEPTION.value
    assert outcome(throws=False) is None


def test_no_barrier_where_nothing_can_throw() -> None:
    adapted = Crossing([U32S], U32S, post_return=True).adapted()
    assert not any(function.name == Trap.UNCAUGHT_EXCEPTION.function_name for function in adapted.functions)


def string_trap(data: bytes, pointer: int, length: int) -> str | None:
    c = crossing(P.STRING)
    c.caller.heap.data[pointer : pointer + len(data)] = data
    c.caller.push(c.store)
    return trap_of(c, pointer, length)


def test_string_traps_carry_their_names() -> None:
    assert string_trap(b"abc", 64, 3) is None
    assert string_trap(b"a\xffc", 64, 3) == Trap.INVALID_UTF8.value
    assert string_trap(b"", 64, 1 << 28) == Trap.STRING_TOO_LONG.value
    assert string_trap(b"", 65536, 0) is None
    assert string_trap(b"", 65536, 1) == Trap.STRING_OUT_OF_BOUNDS.value
