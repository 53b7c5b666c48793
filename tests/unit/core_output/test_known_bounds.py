"""Checks of a single memory that are left out: which ones, and that no program can tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.core_output import in_one_memory
from meldpy.model.core import Code
from meldpy.pipeline import rebasing_tools
from meldpy.records import replace
from tests.support.single_memory import Pair, bulk_functions, hash_function

PAGE = 65_536
LOAD = "(drop (i32.load (local.get 0)))"
GROWS = "(func (drop (memory.grow 0 (i32.const 1))) (drop (memory.grow 1 (i32.const 1))))"
CHECK = bytes([0x10, 2, 0x00, 0x0B])
"""A check ends in `call 2 unreachable end`: the function that traps is put behind the two that there are."""


# --- which ones -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param(f"{LOAD} {LOAD}", 1, id="the same again"),
        pytest.param(
            "(drop (i64.load offset=8 (local.get 0))) (drop (i32.load offset=12 (local.get 0)))", 1, id="less"
        ),
        pytest.param(f"{LOAD} (drop (i64.load (local.get 0)))", 2, id="more"),
        pytest.param(f"{LOAD} (drop (i32.load offset=1 (local.get 0)))", 2, id="further on"),
        pytest.param(f"{LOAD} (drop (i32.load 1 (local.get 0)))", 2, id="another memory"),
        pytest.param(f"{LOAD} (i32.store (local.get 0) (local.get 1))", 1, id="a store"),
        pytest.param(f"(i32.store (local.get 0) (local.get 1)) {LOAD}", 1, id="behind a store"),
        pytest.param(
            f"{LOAD} (i32.store (local.get 0) (i32.mul (i32.load (local.get 0)) (i32.clz (local.get 1))))",
            1,
            id="a store of what is computed",
        ),
        pytest.param(f"{LOAD} (i32.store (local.get 1) (local.get 0))", 2, id="a store of the address"),
        pytest.param(
            f"{LOAD} (i32.store (local.get 0) (select (local.get 1) (global.get 0) (i32.eqz (local.get 0))))",
            1,
            id="a store of what is chosen",
        ),
        pytest.param(f"{LOAD} (f64.store (i32.const 8) (f64.neg (f64.const 1))) {LOAD}", 1, id="floats"),
        pytest.param("(drop (i32.load (i32.const 65532)))", 0, id="a constant inside"),
        pytest.param("(drop (i32.load (i32.const 65533)))", 1, id="a constant that reaches outside"),
        pytest.param("(drop (i32.load offset=4 (i32.const -4)))", 1, id="a constant at the end of addresses"),
        pytest.param(f"{LOAD} (local.set 0 (local.get 1)) {LOAD}", 2, id="assigned"),
        pytest.param("(drop (i32.load (local.tee 0 (i32.load (local.get 1)))))" + LOAD, 2, id="assigned in passing"),
        pytest.param(
            f"{LOAD} (local.get 0) (local.set 0 (local.get 1)) (drop (i32.load))", 2, id="assigned above the operand"
        ),
        pytest.param(f"{LOAD} (local.set 1 (local.get 0)) (drop (i32.load (local.get 1)))", 1, id="a copy"),
        pytest.param(
            "(drop (i32.load offset=8 (local.get 0))) (drop (i32.load (i32.add (local.get 0) (i32.const 8))))",
            1,
            id="a sum within",
        ),
        pytest.param(
            "(drop (i32.load offset=8 (local.get 0))) (drop (i32.load (i32.add (local.get 0) (i32.const 9))))",
            2,
            id="a sum beyond",
        ),
        pytest.param(
            f"{LOAD} (local.set 1 (i32.add (local.get 0) (i32.const 8))) (drop (i32.load (local.get 1)))",
            2,
            id="a sum beyond in another local",
        ),
        pytest.param(
            "(drop (i64.load (local.get 0))) (drop (i32.load (local.tee 1"
            " (i32.add (i32.add (local.get 0) (i32.const 8)) (i32.const -4)))))",
            1,
            id="sums of sums",
        ),
        pytest.param(f"{LOAD} (drop (i32.load (i32.add (local.get 0) (i32.const -4))))", 2, id="a difference"),
        pytest.param(
            "(drop (i32.load (i32.add (local.get 0) (i32.const 4))))" * 2, 2, id="a sum that was checked: it may wrap"
        ),
        pytest.param(
            f"(drop (i32.load offset=8 (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 8))) {LOAD}",
            1,
            id="moved on",
        ),
        pytest.param(f"{LOAD} (local.set 0 (i32.add (local.get 0) (i32.const 1))) {LOAD}", 2, id="moved on beyond"),
        pytest.param(f"{LOAD} (block {LOAD} (br_if 0 (local.get 1)) {LOAD}) {LOAD}", 1, id="through a block"),
        pytest.param(f"(block (br_if 0 (local.get 1)) {LOAD}) {LOAD}", 2, id="behind a block that may be left"),
        pytest.param(f"(if (local.get 1) (then {LOAD}) (else {LOAD})) {LOAD}", 3, id="arms"),
        pytest.param(f"{LOAD} (if (local.get 1) (then {LOAD}) (else {LOAD})) {LOAD}", 1, id="around arms"),
        pytest.param(
            f"{LOAD} (if (local.get 1) (then (local.set 0 (local.get 1)))) {LOAD}", 2, id="assigned in an arm"
        ),
        pytest.param(f"{LOAD} (loop {LOAD} (br_if 0 (local.get 1))) {LOAD}", 1, id="a loop"),
        pytest.param(
            f"{LOAD} (loop {LOAD} (local.set 0 (i32.add (local.get 0) (i32.const 4))) (br_if 0 (local.get 1))) {LOAD}",
            3,
            id="a loop that assigns",
        ),
        pytest.param(
            f"(local.set 0 (local.get 1)) {LOAD} (loop {LOAD} (br_if 0 (local.get 1)))", 1, id="assigned before a loop"
        ),
        pytest.param(
            f"{LOAD} (drop (i32.load (local.get 1))) (loop (drop (i32.load (local.get 1)))"
            " (local.set 1 (local.get 0)) (br_if 0 (local.get 1)))",
            3,
            id="a loop that assigns another",
        ),
        pytest.param(f"(loop {LOAD} (br_if 0 (local.get 1))) {LOAD}", 2, id="behind a loop"),
        pytest.param(
            f"{LOAD} (block (try_table (catch_all 0) (drop (i32.load (local.get 1))))) {LOAD} (drop (i32.load"
            " (local.get 1)))",
            3,
            id="what may be thrown out of",
        ),
        pytest.param(f"{LOAD} (drop (memory.grow (i32.const 1))) {LOAD}", 1, id="a memory that grew"),
        pytest.param(
            f"{LOAD} (i32.store (local.get 0) (call 0 (local.get 0) (local.get 1)))", 2, id="under a call: not followed"
        ),
        pytest.param("(drop (v128.load (local.get 0)))" * 2, 1, id="vectors"),
        pytest.param(f"{LOAD} (drop (v128.load32_lane 0 (local.get 0) (global.get 1)))", 1, id="a lane"),
        pytest.param(
            f"{LOAD} (v128.store (local.get 0) (i32x4.splat (local.get 1)))", 2, id="under a vector instruction"
        ),
        pytest.param("(drop (i32.atomic.rmw.cmpxchg (local.get 0) (local.get 1) (local.get 1)))" * 2, 1, id="atomics"),
    ],
)
def test_what_was_checked_is_not_checked_again(body: str, left: int) -> None:
    function = f"(func (param i32 i32) (result i32) {body} (i32.const 0))"
    globals_ = "(global i32 (i32.const 0)) (global v128 (v128.const i64x2 0 0))"
    pair = Pair.of(f"(module (memory 1) (memory 1) {globals_} {function} {GROWS})")
    assert bytes(pair.module.code.bodies).count(CHECK) == left


TRY, CATCH, CATCH_ALL, DELEGATE, END = b"\x06\x40", b"\x07\x00", b"\x19", b"\x18\x00", b"\x0b"
LOAD_BYTES = bytes([0x20, 0, 0x28, 2, 0, 0x1A])


@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param(TRY + LOAD_BYTES + CATCH + LOAD_BYTES + END + LOAD_BYTES, 3, id="catch"),
        pytest.param(TRY + LOAD_BYTES + CATCH_ALL + LOAD_BYTES + END + LOAD_BYTES, 3, id="catch_all"),
        pytest.param(TRY + LOAD_BYTES * 2 + DELEGATE + LOAD_BYTES, 2, id="delegate"),
        pytest.param(LOAD_BYTES + TRY + LOAD_BYTES + CATCH + LOAD_BYTES + END + LOAD_BYTES, 1, id="around"),
    ],
)
def test_legacy_exceptions_may_leave_a_block_anywhere(body: bytes, left: int) -> None:
    """The engine's assembler does not know them, nor does the engine: what comes out is only looked at."""
    module = decode_module(bytes(wat2wasm(f"(module (memory 1) (memory 1) (tag) (func (param i32)) {GROWS})")), "both")
    content = bytes([0]) + body + END
    empty = bytes([2, 0, 0x0B])
    bodies = bytes(module.code.bodies)
    assert bodies.startswith(empty)
    code = Code(module.code.count, bytes([len(content)]) + content + bodies[len(empty) :])
    single = in_one_memory(replace(module, code=code), ["m0", "m1"], {}, rebasing_tools()).module
    assert bytes(single.code.bodies).count(CHECK) == left


def load(local: int) -> str:
    return f"(drop (i32.load (local.get {local})))"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param(load(8191) * 2, 1, id="the last local that is followed"),
        pytest.param(load(8192) * 2, 2, id="the first that is not"),
        pytest.param(f"(local.set 8192 (local.get 0)) {load(0)} {load(8192)}", 2, id="a copy in it"),
        pytest.param(f"{load(8192)} (local.set 0 (local.get 8192)) {load(0)}", 2, id="a copy of it"),
        pytest.param(
            f"{load(8191)} (loop {load(8191)} (local.set 8191 (local.get 0)) (br_if 0 (local.get 1)))", 2, id="a loop"
        ),
        pytest.param("".join(map(load, [*range(2, 34)] * 2)), 32, id="as many facts as are kept"),
        pytest.param("".join(map(load, [*range(2, 42)] * 2)), 48, id="more facts"),
        pytest.param(
            "".join(map(load, range(2, 42))) + f"(local.set 2 (local.get 0)) {load(41)} {load(41)}",
            41,
            id="a fact in the place of one that ended",
        ),
        pytest.param(
            f"{load(0)} {'(i32.const 0)' * 62} (i32.store (local.get 0) (local.get 1)) {'(drop)' * 62}",
            1,
            id="as many operands as are followed",
        ),
        pytest.param(
            f"{load(0)} {'(i32.const 0)' * 63} (i32.store (local.get 0) (local.get 1)) {'(drop)' * 63}",
            2,
            id="an address under more",
        ),
        pytest.param(
            f"{load(0)} {'(i32.const 0)' * 64} {load(0)} {'(drop)' * 64} {load(0)}", 1, id="an address above more"
        ),
    ],
)
def test_what_is_followed_has_limits_beyond_which_all_is_checked(body: str, left: int) -> None:
    function = f"(func (param i32 i32) (result i32) (local {'i32 ' * 8200}) {body} (i32.const 0))"
    pair = Pair.of(f"(module (memory 1) (memory 1) {function} {GROWS})")
    assert bytes(pair.module.code.bodies).count(CHECK) == left


@pytest.mark.parametrize("base", ["in a global", "constant"])
def test_an_unchecked_access_finds_its_operands_under_a_base(base: str) -> None:
    """A wide address, and one that a base in a global is added to, lie under the value that is stored."""
    memory = 1 if base == "in a global" else 0
    a = ("i64", "i32")[memory]
    function = f"""(func (export "f") (param {a} i32) (result i32)
      (drop (i32.load {memory} offset=4 (local.get 0)))
      (i32.store {memory} (local.get 0) (local.get 1))
      (drop (i32.atomic.rmw.cmpxchg {memory} offset=4 (local.get 0) (i32.const 0) (local.get 1)))
      (i32.add (i32.load {memory} (local.get 0)) (i32.load {memory} offset=4 (local.get 0))))"""
    functions = [function, GROWS.replace("0 (i32.const", "0 (i64.const"), *map(hash_function, (0, 1), (True, False))]
    pair = Pair.of(f"(module (memory i64 1) (memory 1) {' '.join(functions)})")
    assert bytes(pair.module.code.bodies).count(bytes([0x10, 4, 0x00, 0x0B])) >= 1
    for address in (0, 8, PAGE - 8, PAGE - 4, PAGE):
        pair.call("f", address, 7)
        for each in (0, 1):
            pair.call(f"hash {each}", PAGE)


# --- no program can tell ----------------------------------------------------------------------------------------------
INSIDE, OUTSIDE, BITS, A, B, FUEL, SEEN = range(7)
"""Three parameters and four locals: an address that lies in the memory and one that may not, what decides where code
goes, two addresses that begin inside, how often loops go round, and a hash of what was read."""


class Program:
    """A random body of accesses by a few locals at a memory's end, and of assignments to them on some ways only."""

    def __init__(self, rng: Random, memories: int) -> None:
        self._rng, self._memories = rng, memories

    def body(self) -> str:
        start = f"(local.set {A} (local.get {INSIDE})) (local.set {FUEL} (i32.const 6))"
        return f"{start} {' '.join(self._statement(3) for _ in range(4))} (local.get {SEEN})"

    def _condition(self) -> str:
        return f"(i32.and (local.tee {BITS} (i32.rotl (local.get {BITS}) (i32.const 1))) (i32.const 1))"

    def _memarg(self) -> str:
        offset = self._rng.choice((0, 0, 0, 4, 4, 8, PAGE - 4, 0xFFFF_FFFF)[: 8 if self._rng.randrange(20) == 0 else 6])
        return f"{self._rng.randrange(self._memories)} offset={offset}"

    def _sum(self) -> str:
        by = (-8, 0x7FFF_FFFF) if self._rng.randrange(12) == 0 else (1, 4, 4, 8)
        return f"(i32.add (local.get {self._rng.choice((A, B))}) (i32.const {self._rng.choice(by)}))"

    def _address(self) -> str:
        match self._rng.randrange(12):
            case 0:
                return self._sum()
            case 1:
                return f"(local.tee {self._rng.choice((A, B))} (local.get {self._rng.choice((INSIDE, A, B))}))"
            case 2:
                return f"(i32.const {self._rng.choice((0, 8, PAGE - 8, PAGE - 4, PAGE - 3))})"
            case _:
                return f"(local.get {self._rng.choice((A, A, B, INSIDE))})"

    def _value(self) -> str:
        match self._rng.randrange(5):
            case 0:
                return f"(i32.load8_u {self._memarg()} {self._address()})"
            case 1:
                return f"(local.tee {self._rng.choice((A, B))} (local.get {self._rng.choice((A, B, OUTSIDE))}))"
            case 2:
                return f"(select (local.get {A}) (local.get {SEEN}) {self._condition()})"
            case _:
                return f"(local.get {self._rng.choice((SEEN, BITS, A, OUTSIDE))})"

    def _assignment(self) -> str:
        value = self._sum() if self._rng.randrange(2) else f"(local.get {self._rng.choice((OUTSIDE, A, B, INSIDE))})"
        return f"(local.set {self._rng.choice((A, B))} {value})"

    def _statement(self, depth: int) -> str:
        some = " ".join(self._statement(depth - 1) for _ in range(self._rng.randrange(1, 4))) if depth else ""
        match self._rng.randrange(14 if depth else 8):
            case 0 | 1 | 2 | 3:
                wide = self._rng.choice(("i32.load", "i32.load8_s", "i32.load16_u"))
                load = f"({wide} {self._memarg()} {self._address()})"
                return f"(local.set {SEEN} (i32.add (i32.mul (local.get {SEEN}) (i32.const 31)) {load}))"
            case 4 | 5:
                narrow = self._rng.choice(("", "", "8", "16"))
                return f"(i32.store{narrow} {self._memarg()} {self._address()} {self._value()})"
            case 6:
                return self._assignment()
            case 7:
                grow = f"(drop (memory.grow {self._rng.randrange(self._memories)} (i32.const 1)))"
                grow = grow if self._rng.randrange(6) == 0 else ""
                return f"(if {self._condition()} (then {self._assignment()} {grow}))"
            case 8 | 9:
                return f"(block (br_if 0 {self._condition()}) {some})"
            case 10 | 11:
                return f"(if {self._condition()} (then {some}) (else {self._statement(depth - 1)}))"
            case _:
                turns = f"(local.tee {FUEL} (i32.sub (local.get {FUEL}) (i32.const 1)))"
                again = f"(br_if 0 (i32.gt_s {turns} (i32.const 0)))"
                return f"(block (loop {some} (br_if 1 {self._condition()}) {self._statement(depth - 1)} {again}))"


def programs(rng: Random, count: int, memories: Sequence[str]) -> Pair:
    wide = [False] * len(memories)
    made = [Program(rng, len(memories)).body() for _ in range(count)]
    locals_ = "(param i32 i32 i32) (result i32) (local i32 i32 i32 i32)"
    functions = [f'(func (export "f{i}") {locals_} {body})' for i, body in enumerate(made)]
    functions += [*bulk_functions(wide), *(hash_function(i, False) for i in range(len(memories)))]
    parts = [f"(memory {memory})" for memory in memories]
    return Pair.of("(module " + "\n".join([*parts, *functions, '(data $bytes "0123456789abcdef")']) + ")")


def search(seed: int, count: int) -> tuple[int, int]:
    """How many calls of `count` programs trapped, and how many there were."""
    rng = Random(seed)
    memories = rng.choice((("1 2", "1", "1"), ("1", "1"), ("1 1", "1 1"), ("1 3", "1 4")))
    pair = programs(rng, count, memories)
    trapped = calls = 0
    for i in range(count):
        for _ in range(8):
            inside, outside = (
                PAGE - rng.choice((4, 8, 12, 16, 20, 24, 40)),
                PAGE + rng.choice((-5, -3, -1, 0, 4, 1 << 20)),
            )
            calls += 1
            trapped += "trap" in str(pair.call(f"f{i}", inside, outside, rng.randrange(1 << 31)))
        for each in range(len(memories)):
            pair.call(f"hash {each}", int(str(pair.call(f"size {each}"))) * PAGE)
    return trapped, calls


@pytest.mark.parametrize("seed", range(12))
def test_no_program_can_tell(seed: int) -> None:
    trapped, calls = search(seed, 40)
    assert 0 < trapped < calls


@pytest.mark.deep
def test_no_program_of_many_can_tell() -> None:
    """BOUNDS_PROGRAMS programs from BOUNDS_SEED on."""
    first, wanted = int(os.environ.get("BOUNDS_SEED", "1000")), int(os.environ.get("BOUNDS_PROGRAMS", "2000"))
    found = [search(first + number, 100) for number in range(-(-wanted // 100))]
    trapped, calls = (sum(each) for each in zip(*found, strict=True))
    print(f"{calls} calls of {len(found) * 100} programs, {trapped} trapped")
    assert 0 < trapped < calls
