"""What the assembler writes is what the engine runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import wasmtime

from meldpy.asm import FuncBuilder, Load, Op, Store
from meldpy.model.code import Adapted, EmittedFunc, Flag
from meldpy.model.core import CoreFuncType, Limits, NumType
from meldpy.model.ids import CoreInstanceId, CoreMemoryIndex, EmittedId, FlagId, MemoryId
from tests.support.link_emitted import ENGINE, Linked, link, make_memory

I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64
MEMORIES = [MemoryId(CoreInstanceId(i), CoreMemoryIndex(0)) for i in range(2)]


def linked(*builders: FuncBuilder, flags: int = 0) -> Linked:
    functions = tuple(b.finish(EmittedId(i)) for i, b in enumerate(builders))
    made = tuple(Flag(FlagId(i), f"flag {i}", 7) for i in range(flags))
    adapted = Adapted(functions, made, (), (), {}, {}, (), (), (), ())
    store = wasmtime.Store(ENGINE)
    memories = {id: (Limits(1, 1), make_memory(store, Limits(1, 1))) for id in MEMORIES}
    return link(store, adapted, memories, {})


Types = tuple[NumType, ...]


def run(params: Types, results: Types, body: Callable[[FuncBuilder], None], *args: Any) -> Any:
    b = FuncBuilder("f", CoreFuncType(params, results))
    body(b)
    return linked(b).call(EmittedFunc(EmittedId(0)), *args)


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, -64, -65, (1 << 31) - 1, -(1 << 31), 0xFFFF_FFFF, 0x8000_0000])
def test_constants_signed_and_unsigned(value: int) -> None:
    assert run((), (I32,), lambda b: b.i32(value)) == [value % (1 << 32)]
    assert run((), (I64,), lambda b: b.i64(value)) == [value % (1 << 64)]


def test_zeros_of_every_type() -> None:
    def body(b: FuncBuilder) -> None:
        for type in (I32, I64, F32, F64):
            b.const(type, 0)

    assert run((), (I32, I64, F32, F64), body) == [0, 0, 0.0, 0.0]


def test_locals_are_reused_by_type_and_distinct_while_held() -> None:
    b = FuncBuilder("f", CoreFuncType((I32,), ()))
    first, other = b.local(I32), b.local(I64)
    assert (first.index, other.index) == (1, 2)
    b.free(first)
    with b.scratch(I32, I32) as (again, new):
        assert again == first
        assert new.index == 3
    assert b.local(F32).index == 4
    assert b.finish(EmittedId(0)).locals == (I32, I64, I32, F32)


def test_freeing_twice_is_our_bug() -> None:
    b = FuncBuilder("f", CoreFuncType((), ()))
    local = b.local(I32)
    b.free(local)
    with pytest.raises(AssertionError, match="freed twice"):
        b.free(local)


def test_set_pops_in_reverse() -> None:
    def body(b: FuncBuilder) -> None:
        x, y = b.local(I32), b.local(I32)
        b.get(*b.params)
        b.set(x, y)
        b.get(y, x)

    assert run((I32, I32), (I32, I32), body, 1, 2) == [2, 1]


def test_br_table_selects_and_defaults() -> None:
    def body(b: FuncBuilder) -> None:
        with b.block() as other:
            with b.block() as two:
                with b.block() as one:
                    b.get(b.params[0])
                    b.br_table([one, two, one], other)
                b.i32(1)
                b.return_()
            b.i32(2)
            b.return_()
        b.i32(3)

    assert [run((I32,), (I32,), body, i) for i in (0, 1, 2, 3, 1 << 31)] == [[1], [2], [1], [3], [3]]


def test_loops_and_ifs() -> None:
    def factorial(b: FuncBuilder) -> None:
        (n,) = b.params
        product = b.local(I64)
        b.i64(1)
        b.set(product)
        with b.loop() as again:
            b.get(n)
            with b.if_():
                b.get(product, n)
                b.op(Op.I64_EXTEND_I32_U, Op.I64_MUL)
                b.set(product)
                b.get(n)
                b.i32(1)
                b.op(Op.I32_SUB)
                b.set(n)
                b.br(again)
        b.get(product)
        b.op(Op.I64_EQZ)
        with b.if_(I64):
            b.i64(0)
            b.else_()
            b.get(product)

    assert run((I32,), (I64,), factorial, 20) == [2432902008176640000]


def test_blocks_with_several_results_use_a_type() -> None:
    def body(b: FuncBuilder) -> None:
        with b.block(I32, I64):
            b.i32(1)
            b.i64(2)

    assert run((), (I32, I64), body) == [1, 2]


def test_branching_to_a_closed_block_is_our_bug() -> None:
    b = FuncBuilder("f", CoreFuncType((), ()))
    with b.block(), b.block() as inner:
        pass
    with pytest.raises(AssertionError, match="closed block"):
        b.br(inner)


def test_memories_keep_apart() -> None:
    def body(b: FuncBuilder) -> None:
        one, two = MEMORIES
        b.i32(8)
        b.i64(0x1122_3344_5566_7788)
        b.store(Store.I64, one, 300)
        b.i32(16)
        b.i32(308)
        b.i32(8)
        b.memory_copy(two, one)
        b.i32(16)
        b.load(Load.I32_16U, two, 2)
        b.i32(308)
        b.load(Load.I32_8S, two)
        b.memory_size(two)

    assert run((), (I32, I32, I32), body) == [0x5566, 0, 1]


def test_functions_call_each_other_by_symbol() -> None:
    a = FuncBuilder("a", CoreFuncType((), (I32,)))
    a.call(EmittedFunc(EmittedId(1)))
    b = FuncBuilder("b", CoreFuncType((), (I32,)))
    b.i32(41)
    assert linked(a, b).call(EmittedFunc(EmittedId(0))) == [41]


def test_flags_are_globals() -> None:
    b = FuncBuilder("f", CoreFuncType((), (I32, I32)))
    b.get_flag(FlagId(1))
    b.i32(5)
    b.set_flag(FlagId(1))
    b.get_flag(FlagId(1))
    code = linked(b, flags=2)
    assert code.call(EmittedFunc(EmittedId(0))) == [7, 5]
    assert code.call(EmittedFunc(EmittedId(0))) == [5, 5]


def test_adjacent_bytes_are_one_chunk() -> None:
    b = FuncBuilder("f", CoreFuncType((), ()))
    b.i32(1)
    b.drop()
    b.call(EmittedFunc(EmittedId(0)))
    b.op(Op.NOP, Op.NOP)
    body = b.finish(EmittedId(0)).body
    assert [chunk for chunk in body if isinstance(chunk, bytes)] == [b"\x41\x01\x1a\x10", b"\x01\x01"]
    assert len(body) == 3
