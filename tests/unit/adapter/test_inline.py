"""Short functions in place of their calls do what the calls did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import wasmtime

from meldpy.adapter.functions import Functions
from meldpy.adapter.inline import GROWTH, SELDOM, inline
from meldpy.adapter.library import Instances
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder, Op
from meldpy.asm.instructions import Call, Return, decode
from meldpy.model.code import Adapted, Emitted, EmittedFunc, FuncRef
from meldpy.model.core import CoreFuncType
from tests.support.link_emitted import ENGINE, Linked, Trapped, link

UNARY = CoreFuncType((I32,), (I32,))
Write = Callable[[FuncBuilder], None]


class Sample:
    """A function `inner`, and `outer`, which may call it."""

    def __init__(self, inner: Write, outer: Callable[[FuncBuilder, EmittedFunc], None], seldom: bool = False) -> None:
        self.functions = Functions()
        self.inner = self.functions.reserve()
        builder = FuncBuilder("inner", UNARY)
        inner(builder)
        self.functions.define(self.inner, builder)
        builder = FuncBuilder("outer", UNARY)
        outer(builder, self.inner)
        self.outer = self.functions.add(builder)
        self.seldom = [self.outer] if seldom else []

    def trap(self) -> EmittedFunc:
        return self.functions.trap(Trap.INVALID_CHAR)

    def inlined(self) -> tuple[Emitted, ...]:
        return inline(self.functions.functions, Instances({}, 0, 0), [self.inner], seldom=self.seldom)

    def calls(self) -> list[EmittedFunc]:
        body = self.inlined()[self.outer.emitted].body
        return [c.func for c in body if isinstance(c, FuncRef) and isinstance(c.func, EmittedFunc)]

    def both(self, argument: int) -> list[list[int] | str]:
        """What `outer` gives as it was written and with `inner` in place."""
        return [_run(functions, self.outer, argument) for functions in (self.functions.functions, self.inlined())]


def _run(functions: tuple[Emitted, ...], func: EmittedFunc, argument: int) -> list[int] | str:
    adapted = Adapted(functions, (), (), (), {}, {}, (), (), (), ())
    linked: Linked = link(wasmtime.Store(ENGINE), adapted, {}, {})
    try:
        return linked.call(func, argument)
    except Trapped as trapped:
        return str(trapped.args[0])


def add(b: FuncBuilder, value: int) -> None:
    b.i32(value)
    b.op(Op.I32_ADD)


def three_times(b: FuncBuilder, inner: EmittedFunc) -> None:
    """The sum of inner(n) for n = argument, … 1."""
    (left,) = b.params
    total = b.local(I32)
    with b.loop() as again:
        b.get(total, left)
        b.call(inner)
        b.op(Op.I32_ADD)
        b.set(total)
        b.get(left)
        add(b, -1)
        b.tee(left)
        b.br_if(again)
    b.get(total)


def test_locals_are_zeros_every_time() -> None:
    def counts(b: FuncBuilder) -> None:
        count = b.local(I32)
        b.get(count)
        add(b, 1)
        b.tee(count)

    sample = Sample(counts, three_times)
    assert sample.calls() == []
    assert sample.both(3) == [[3], [3]]


def test_a_return_leaves_the_body_and_nothing_else() -> None:
    def early(b: FuncBuilder) -> None:
        (value,) = b.params
        with b.block() as done, b.loop():
            b.get(value)
            b.i32(2)
            b.op(Op.I32_EQ)
            with b.if_():
                b.i32(100)
                b.return_()
            b.br(done)
        b.get(value)

    sample = Sample(early, three_times)
    assert sample.calls() == []
    assert sample.both(3) == [[104], [104]]


def test_arguments_are_not_the_callers_locals() -> None:
    def writes(b: FuncBuilder) -> None:
        (value,) = b.params
        b.i32(7)
        b.set(value)
        b.get(value)

    sample = Sample(writes, three_times)
    assert sample.both(2) == [[14], [14]]


def test_a_call_behind_which_the_function_ends_stays() -> None:
    def fails(b: FuncBuilder, inner: EmittedFunc) -> None:
        b.get(*b.params)
        with b.if_():
            b.i32(1)
            b.call(inner)
            b.return_()
        b.i32(5)

    sample = Sample(lambda b: b.get(*b.params), fails)
    assert sample.calls() == [sample.inner]


def test_a_body_may_be_empty() -> None:
    functions = Functions()
    nothing = functions.add(FuncBuilder("nothing", CoreFuncType((I32,), ())))
    builder = FuncBuilder("f", UNARY)
    builder.get(*builder.params)
    builder.call(nothing)
    builder.get(*builder.params)
    func = functions.add(builder)
    inlined = inline(functions.functions, Instances({}, 0, 0), [nothing])
    assert nothing not in [chunk.func for chunk in inlined[func.emitted].body if isinstance(chunk, FuncRef)]
    assert _run(inlined, func, 3) == [3]


def test_trap_functions_keep_their_names() -> None:
    functions = Functions()
    trap = functions.trap(Trap.INVALID_CHAR)
    builder = FuncBuilder("f", UNARY)
    builder.call(trap)
    builder.i32(0)
    func = functions.add(builder)
    inlined = inline(functions.functions, Instances({}, 0, 0))
    assert _run(inlined, func, 0) == Trap.INVALID_CHAR.value


def test_a_function_that_calls_itself_is_placed_once() -> None:
    functions = Functions()
    self_ = functions.reserve()
    b = FuncBuilder("triangle", UNARY)
    b.get(*b.params)
    with b.if_(I32):
        b.get(*b.params)
        b.get(*b.params)
        add(b, -1)
        b.call(self_)
        b.op(Op.I32_ADD)
        b.else_()
        b.i32(0)
    functions.define(self_, b)
    builder = FuncBuilder("outer", UNARY)
    builder.get(*builder.params)
    builder.call(self_)
    outer = functions.add(builder)
    inlined = inline(functions.functions, Instances({}, 0, 0), [self_])
    assert _run(inlined, outer, 4) == [10]


@pytest.mark.parametrize(("seldom", "most"), [(False, GROWTH), (True, SELDOM)])
def test_no_function_grows_without_end(seldom: bool, most: int) -> None:
    def often(b: FuncBuilder, inner: EmittedFunc) -> None:
        b.get(*b.params)
        for _ in range(1000):
            b.call(inner)

    def long(b: FuncBuilder) -> None:
        b.get(*b.params)
        for _ in range(20):
            add(b, 1)

    sample = Sample(long, often, seldom)
    before, after = sample.functions.functions[sample.outer.emitted], sample.inlined()[sample.outer.emitted]
    size = [sum(len(c) if isinstance(c, bytes) else 2 for c in f.body) for f in (before, after)]
    assert size[0] + most // 4 < size[1] < size[0] + 2 * most
    assert sample.both(1) == [[20_001], [20_001]]


@pytest.mark.parametrize("body", [b"\xfb\x00\x00", b"\x06\x40", b"\x13\x00\x00", b"\xfe\x00\x02\x00", b"\x02\x05\x0b"])
def test_a_body_with_other_instructions_is_not_taken_apart(body: bytes) -> None:
    assert decode([body]) is None


def test_parts_of_a_body() -> None:
    b = FuncBuilder("f", UNARY)
    callee = EmittedFunc(Functions().reserve().emitted)
    with b.block(), b.block():
        b.i32(0x0F)
        b.call(callee)
        b.return_()
    parts = decode(b.finish(callee.emitted).body)
    assert parts is not None
    assert [part for part in parts if isinstance(part, Call | Return)] == [Call(callee), Return(2)]


def test_helpers_share_what_the_others_may_grow_by() -> None:
    functions = Functions()
    inner = functions.reserve()
    b = FuncBuilder("inner", UNARY)
    b.get(*b.params)
    for _ in range(30):
        add(b, 1)
    functions.define(inner, b)
    helpers = []
    for _ in range(200):
        b = FuncBuilder("helper", UNARY)
        b.get(*b.params)
        b.call(inner)
        helpers.append(functions.add(b))
    before = functions.functions
    after = inline(before, Instances({}, 0, 0), [inner], helpers)
    size = [sum(len(c) if isinstance(c, bytes) else 2 for f in each for c in f.body) for each in (before, after)]
    assert size[0] + GROWTH // 2 < size[1] < size[0] + 2 * GROWTH
    assert [_run(after, helper, 5) for helper in (helpers[0], helpers[-1])] == [[35], [35]]
