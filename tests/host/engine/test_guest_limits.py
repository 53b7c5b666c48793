"""Memory, time and instructions of a guest are bounded, and what passes a bound ends that guest alone."""

from __future__ import annotations

import time

import pytest

from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import End, Ended, Guest, GuestLimits
from meldpy.engine.guests.values import Case, Err, Ok, Some
from meldpy.engine.guests.wasi import Wasi
from meldpy.engine.text import assemble
from meldpy.errors import EngineError
from meldpy.records import replace
from tests.support.hosted import GUESTS, LIMITS, guest, on_guest_thread

HOST = {"test:host/calls": {"quiet": lambda _: None, "loud": lambda n: n + 1}}


def test_memory_beyond_the_limit_is_refused_and_the_guest_goes_on() -> None:
    def run() -> None:
        one = guest("hazards", HOST, replace(LIMITS, memory=4 << 16))
        assert one.call(("grow",), 3, deadline=5) == 1
        assert one.call(("grow",), 1, deadline=5) == -1
        assert one.call(("same-u8",), 7, deadline=5) == 7

    on_guest_thread(run)


def test_a_payload_for_which_there_is_no_memory_ends_the_guest() -> None:
    def run() -> None:
        one = guest("hazards", HOST, replace(LIMITS, memory=4 << 16))
        with pytest.raises(Ended) as ended:
            one.call(("echo-bytes",), bytes(1 << 20), deadline=30)
        assert ended.value.end is End.TRAP

    on_guest_thread(run)


@pytest.mark.parametrize("limits", [replace(LIMITS, instances=1), replace(LIMITS, memories=0)])
def test_more_instances_or_memories_than_allowed_are_refused(limits: GuestLimits) -> None:
    with pytest.raises(EngineError, match="cannot be instantiated"):
        on_guest_thread(lambda: guest("hazards", HOST, limits))


@pytest.mark.parametrize("function", ["spin", "spin-in-host"])
def test_a_loop_ends_at_its_deadline(function: str) -> None:
    def run() -> float:
        one = guest("hazards", HOST)
        start = time.monotonic()
        with pytest.raises(Ended) as ended:
            one.call((function,), deadline=0.1)
        assert ended.value.end is End.DEADLINE
        return time.monotonic() - start

    assert on_guest_thread(run) < 60


def test_time_in_host_functions_does_not_count() -> None:
    def run() -> None:
        world = {"test:host/calls": {"quiet": lambda _: time.sleep(0.5), "loud": lambda n: n}}
        guest("hazards", world).call(("call-quiet",), 1, deadline=0.3)

    on_guest_thread(run)


def test_fuel_bounds_the_instructions_of_each_call() -> None:
    data = assemble((GUESTS / "hazards.wat").read_bytes(), "hazards")

    def run() -> None:
        artefact = load(data, fuel=True)
        one = Guest(artefact, HOST, Wasi(), replace(LIMITS, fuel=10_000), deadline=5)
        for _ in range(100):
            one.call(("same-u32",), 1, deadline=5)
        with pytest.raises(Ended) as ended:
            one.call(("spin",), deadline=60)
        assert "all fuel consumed" in ended.value.causes[-1]

    on_guest_thread(run)


VALUES = """(component
  (core module $m (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3))))
    (func (export "same") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (type $deep (tuple bool s8 u8 s16 u16 s32 u32 s64 u64 f32 f64 char string (list u8) (list string)
    (option u8) (option (option u8)) (result u8 (error string)) (result)))
  (type $point' (record (field "x" s32) (field "label" string)))
  (export $point "point" (type $point'))
  (type $shape' (variant (case "none") (case "dot" $point)))
  (export $shape "shape" (type $shape'))
  (type $marks' (flags "a" "b" "c"))
  (export $marks "marks" (type $marks'))
  (type $side' (enum "left" "right"))
  (export $side "side" (type $side'))
  (type $both (tuple $deep (list $shape) $marks $side))
  (func (export "same") (param "it" $both) (result $both)
    (canon lift (core func $i "same") (memory $i "memory") (realloc (func $i "realloc")))))"""

DEEP = (
    True, -128, 255, -(1 << 15), (1 << 16) - 1, -(1 << 31), (1 << 32) - 1, -(1 << 63), (1 << 64) - 1,
    1.5, -2.25, "ß", "grüße\0", bytes(range(256)), ["", "a"], None, Some(None), Err("no"), Ok(),
)  # fmt: skip


def test_every_type_of_value_goes_there_and_comes_back() -> None:
    both = (DEEP, [Case("none"), Case("dot", {"x": -3, "label": "p"})], frozenset({"a", "c"}), "right")

    def run() -> object:
        one = Guest(load(assemble(VALUES.encode(), "values")), {}, Wasi(), LIMITS, deadline=5)
        return one.call(("same",), both, deadline=5)

    assert on_guest_thread(run) == both


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 1),
        (1, 128),
        (2, -1),
        (8, 1 << 64),
        (9, "x"),
        (11, "ab"),
        (12, b"x"),
        (13, "x"),
        (16, 5),
        (17, 5),
        (18, Ok(1)),
    ],
)
def test_a_part_that_does_not_fit_is_refused_before_the_call(at: int, value: object) -> None:
    deep = (*DEEP[:at], value, *DEEP[at + 1 :])

    def run() -> None:
        one = Guest(load(assemble(VALUES.encode(), "values")), {}, Wasi(), LIMITS, deadline=5)
        with pytest.raises((TypeError, ValueError)):
            one.call(("same",), (deep, [], frozenset(), "left"), deadline=5)
        assert one.alive

    on_guest_thread(run)


def test_a_host_functions_result_goes_through_the_engines_memory() -> None:
    text = """(component
      (import "test:host/calls" (instance $host (export "give" (func (result string)))))
      (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
      (core instance $i (instantiate $m))
      (core func $give (canon lower (func $host "give") (memory $i "memory") (realloc (func $i "realloc"))))
      (core module $c (import "" "give" (func $give (param i32))) (func (export "take") (result i32)
        (call $give (i32.const 0)) i32.const 0))
      (core instance $ci (instantiate $c (with "" (instance (export "give" (func $give))))))
      (func (export "take") (result string) (canon lift (core func $ci "take") (memory $i "memory"))))"""

    def run() -> list[object]:
        given = iter(["", "x", "gr\u00fc\u00dfe\0", "y" * 10_000])
        world = {"test:host/calls": {"give": lambda: next(given)}}
        one = Guest(load(assemble(text.encode(), "taker")), world, Wasi(), LIMITS, deadline=5)
        return [one.call(("take",), deadline=5) for _ in range(4)]

    assert on_guest_thread(run) == ["", "x", "gr\u00fc\u00dfe\0", "y" * 10_000]


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, 2049, 4096, 65536, 65537])
def test_bytes_of_any_length_come_back_as_they_were(length: int) -> None:
    """They are read in parts."""

    def run() -> None:
        data = bytes(each * 167 >> 3 & 255 for each in range(length))
        assert guest("hazards", HOST).call(("echo-bytes",), data, deadline=30) == data

    on_guest_thread(run)
