"""A guest's short function in place of a last call does what the call did; where it cannot, the call stays."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from meldpy.kernel.reindex import reindex
from meldpy.merger import MergeOptions, merge
from meldpy.merger.endings import LARGE, LONGEST
from meldpy.model.code import EmittedFunc, FuncRef
from meldpy.model.core import CoreFuncType, CoreModule, FuncImportType, NumType
from meldpy.model.facts import RefKind
from tests.support.core_graph import CoreGraph, Run, scan_module

I32, I64 = NumType.I32, NumType.I64
BINARY = CoreFuncType((I32, I32), (I32,))
GET0, GET1 = b"\x20\x00", b"\x20\x01"
ADD, CALL = b"\x6a", b"\x10"

PLAIN = "(i32.sub (local.get 0) (local.get 1))"
CALLEES = {
    "plain": PLAIN,
    "locals are zeros": """(local i64 i32 f32 i32) (local.set 3 (i32.add (local.get 3) (i32.const 5)))
        (i32.add (local.get 3) (i32.add (local.get 5) (i32.wrap_i64 (i64.add (local.get 2) (i64.const 3)))))""",
    "parameters are set": """(local i32) (local.set 0 (local.tee 2 (i32.add (local.get 1) (i32.const 1))))
        (i32.mul (local.get 0) (local.get 2))""",
    "returns": """(block (br_if 0 (i32.gt_u (local.get 0) (i32.const 4))) (return (local.get 1)))
        (i32.const -1)""",
    "branches to its end": """(drop (br_if 0 (i32.const 11) (i32.eqz (local.get 0))))
        (block (result i32) (br_table 0 1 (local.get 1) (i32.and (local.get 0) (i32.const 1))))
        i32.const 100 i32.add""",
    "traps": "(i32.div_u (local.get 0) (local.get 1))",
    "loads and stores": """(i32.store offset=8 (i32.const 0) (i32.add (i32.load offset=8 (i32.const 0)) (local.get 0)))
        (i32.load offset=8 (i32.const 0))""",
    "globals": "(global.set $g (i32.add (global.get $g) (local.get 0))) (global.get $g)",
    "calls": "(i32.mul (call $other (local.get 1) (local.get 0)) (i32.const 3))",
    "calls through a table": """(call_indirect (type $t) (local.get 1) (local.get 0)
        (i32.and (local.get 0) (i32.const 3)))""",
    "ends in a call of its own": "(return_call $other (local.get 1) (local.get 0))",
    "never ends well": "unreachable",
}
CALLING = ("calls", "ends in a call of its own")
ARGUMENTS = [(0, 0), (1, 2), (2, 1), (9, 0), (5, 7), (4, 4)]


class Sample:
    """An export `run` whose emitted function ends in calling the guest's `f`, and the guest's own as `f`."""

    def __init__(self, body: str, *, type: str = "(param i32 i32) (result i32)") -> None:
        self.graph = CoreGraph()
        # what lies before it in every index space, so that nothing keeps its number
        first = self.graph.instance(
            """(module (memory 1) (global (mut i32) (i32.const 9)) (table 1 funcref)
              (func (export "use") (i32.store (global.get 0) (i32.const 1)) (drop (table.get (i32.const 0)))))"""
        )
        self.guest = self.graph.instance(
            f"""(module (type $t (func (param i32 i32) (result i32))) (memory 1) (global $g (mut i32) (i32.const 3))
              (table 3 funcref) (elem (i32.const 0) $other $other)
              (func $other (type $t) (i32.sub (local.get 0) (local.get 1)))
              (func (export "f") {type} {body}))"""
        )
        self.graph.export("use", first["use"])
        self.graph.export("f", self.guest["f"])
        self.graph.export("run", self.guest["f"])

    @property
    def callee(self) -> FuncRef:
        return FuncRef(self.guest["f"])  # type: ignore[arg-type]  # a function

    def emit(self, *body: object, type: CoreFuncType = BINARY, locals_: tuple[NumType, ...] = ()) -> EmittedFunc:
        return self.graph.emit("emitted", type, *body, locals_=locals_)

    def run(self, emitted: EmittedFunc) -> Run:
        return self.graph.merged(lifted={"run": emitted})


def still_calls(main: CoreModule | None) -> bool:
    """Whether the last function, which is the emitted one, has a call."""
    assert main is not None
    assert not any(isinstance(item.type, FuncImportType) for item in main.imports)
    facts = scan_module(main)
    return RefKind.CALL in facts.kinds[facts.spans[-2] : facts.spans[-1]]


def results(run: Run, name: str) -> list[object]:
    """Of calls in turn; what the guest remembers is seen by the next."""
    return [run.call(name, *arguments) for arguments in ARGUMENTS]


@pytest.mark.parametrize("name", [name for name in CALLEES if name not in CALLING])
@pytest.mark.parametrize("moved", [False, True])
def test_it_does_what_the_call_does(name: str, moved: bool) -> None:
    expected = results(Sample(CALLEES[name]).graph.separately(), "f")
    sample = Sample(CALLEES[name])
    if moved:
        # the arguments go through locals of ours, whose values must not be seen by the callee
        body = (b"\x42\x07\x21\x02" + GET0 + b"\x21\x03" + GET1 + b"\x21\x04\x20\x03\x20\x04" + CALL, sample.callee)
        run = sample.run(sample.emit(*body, locals_=(I64, I32, I32)))
    else:
        run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee))
    assert run.fused is not None
    assert not still_calls(run.fused.main)
    assert results(run, "run") == expected


@pytest.mark.parametrize("name", CALLING)
def test_what_it_calls_it_calls_still(name: str) -> None:
    expected = results(Sample(CALLEES[name]).graph.separately(), "f")
    sample = Sample(CALLEES[name])
    run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee))
    assert run.fused is not None
    assert still_calls(run.fused.main)
    assert results(run, "run") == expected


def test_arguments_in_another_order_are_passed_in_that_order() -> None:
    sample = Sample(PLAIN)
    run = sample.run(sample.emit(GET1 + GET0 + CALL, sample.callee))
    assert run.fused is not None
    assert not still_calls(run.fused.main)
    assert run.call("run", 5, 12) == 7


def test_a_return_of_ours_before_it_ends_both() -> None:
    sample = Sample(PLAIN)
    run = sample.run(sample.emit(GET0 + b"\x45\x04\x40\x41\x2a\x0f\x0b" + GET0 + GET1 + CALL, sample.callee))
    assert [run.call("run", 0, 1), run.call("run", 3, 1)] == [42, 2]


def test_calls_of_ours_before_it_stay() -> None:
    sample = Sample(PLAIN)
    twice = sample.emit(GET0 + GET1 + CALL, sample.callee, b"\x21\x00" + GET0 + GET1 + CALL, sample.callee)
    run = sample.run(twice)
    assert run.fused is not None
    assert still_calls(run.fused.main)
    assert run.call("run", 10, 3) == 4


def body_of(size: int) -> str:
    """A body of so many bytes: its locals' count, the parameter, and `nop`s."""
    return "nop " * (size - 4) + "(local.get 0)"


@pytest.mark.parametrize("size", [LONGEST, LONGEST + 1])
def test_a_long_body_stays_where_it_is(size: int) -> None:
    sample = Sample(body_of(size))
    run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee))
    assert run.fused is not None
    assert still_calls(run.fused.main) is (size > LONGEST)
    assert run.call("run", 6, 1) == 6


@pytest.mark.parametrize("locals_", [f"(local {'i32 ' * (LONGEST + 1)})", "(local funcref)", "(local i32 externref)"])
def test_a_body_with_many_locals_or_references_stays_where_it_is(locals_: str) -> None:
    sample = Sample(f"{locals_} (local.get 0)")
    run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee))
    assert run.fused is not None
    assert still_calls(run.fused.main)


def test_into_a_large_function_of_ours_nothing_goes() -> None:
    sample = Sample(PLAIN)
    run = sample.run(sample.emit(b"\x01" * LARGE + GET0 + GET1 + CALL, sample.callee))
    assert run.fused is not None
    assert still_calls(run.fused.main)
    sample = Sample(PLAIN)
    run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee, locals_=(I32,) * LARGE))
    assert run.fused is not None
    assert still_calls(run.fused.main)


def test_a_call_that_something_follows_stays() -> None:
    sample = Sample(PLAIN)
    run = sample.run(sample.emit(GET0 + GET1 + CALL, sample.callee, b"\x41\x01" + ADD))
    assert run.fused is not None
    assert still_calls(run.fused.main)
    assert run.call("run", 5, 2) == 4


def test_a_function_of_another_type_stays() -> None:
    sample = Sample("(local.get 0)", type="(param i32) (result i32)")
    run = sample.run(sample.emit(GET0 + CALL, sample.callee))
    assert run.fused is not None
    assert still_calls(run.fused.main)
    assert run.call("run", 5, 2) == 5


def test_what_is_named_last_but_not_called_stays() -> None:
    """ref.func of the callee, which is the result."""
    sample = Sample("(ref.func $other)", type="(result funcref)")
    funcref = sample.guest.module.types[sample.guest.module.funcs[-1]].types[0].comp
    assert isinstance(funcref, CoreFuncType)
    run = sample.run(sample.emit(b"\xd2", sample.callee, type=funcref))
    assert run.fused is not None
    facts = scan_module(run.fused.main)
    assert list(facts.kinds[facts.spans[-2] :]) == [RefKind.REF_FUNC]


def test_where_bytes_are_followed_there_are_no_endings() -> None:
    for positions in (False, True):
        sample = Sample(PLAIN)
        emitted = sample.emit(GET0 + GET1 + CALL, sample.callee)
        graph, adapted = sample.graph.graph(), sample.graph.adapted({"run": emitted})
        options = MergeOptions("0", positions=positions)
        fused = merge(graph, analyse(graph, scan_module), adapted, reindex, scan_module, options)
        assert still_calls(fused.main) is positions
