"""What fused tasks do otherwise than a composition, because the engine takes them for one instance (ADR-0059).

A component outside stands for the host (`support/asynctold`). Each test makes the two forms differ, and asks for the
entry that says so.
"""

from __future__ import annotations

from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.pipeline import FuseOptions, fuse
from tests.differential.divergences import Divergences
from tests.support.asyncs import ENDLESS
from tests.support.asynctold import DRIVER, HOST, NO_CALLBACK, RUN, TYPES, alone, component, given, instance
from tests.support.compose import Export, Wire, compose
from tests.support.core_output import component_new
from tests.support.harness import Call, Observed, Returned, compare, observe
from tests.support.shape import assert_fused_shape


def played(
    guests: bytes, call: Call, driver: bytes | None = None, fused: bytes | None = None
) -> tuple[Observed, Observed]:
    """Composed and fused, which is flat. driver: another component outside, which calls the guests. fused: it was
    fused otherwise."""
    if fused is None:
        fused = fuse([guests], FuseOptions(flat=True)).bytes
        assert_fused_shape(fused)
    seen = []
    for form in (guests, fused):
        children = {"host": bytes(wat2wasm(HOST)), "guests": form}
        wires = [Wire("guests", name, "host", name) for name in ("thing", *TYPES)]
        exporter = "guests"
        if driver is not None:
            exporter, children["driver"] = "driver", driver
            wires += [Wire("driver", "fulfil", "host", "fulfil")]
            wires += [Wire("driver", name, "guests", name) for name in ("start", "peek")]
        seen.append(observe(compose(children, wires, [Export(exporter, call.func)]), [call]))
    return seen[0], seen[1]


def assert_known(forms: tuple[Observed, Observed], id: str, divergences: Divergences) -> None:
    """They differ, by the entry `id` alone."""
    [difference] = compare(*forms)
    [entry] = [entry for entry in divergences.entries if entry.id == id]
    assert divergences.predicates[entry.predicate](difference), difference
    assert divergences.explains(difference)


# --- results ---------------------------------------------------------------------------------------------------------
def test_a_result_with_a_handle_is_there_when_its_call_is_heard_of(divergences: Divergences) -> None:
    code = f"""
      (func (export "start") (result i32)
        (drop (call $make (i32.const 7) (i32.const 32)))
        (call $return (i32.const 1)) (i32.const 0))
      (func (export "peek") (result i32) (i32.ne (i32.load (i32.const 32)) (i32.const 0)))
      {NO_CALLBACK}"""
    lifts = """
      (func (export "start") async (result u32)
        (canon lift (core func $m "start") async (callback (core func $m "callback"))))
      (func (export "peek") (result u32) (canon lift (core func $m "peek")))"""
    guests = component(f"""
      {instance("Guest", ["return", "make"], code, lifts)}
      (instance $guest (instantiate $Guest {given("make")}))
      (export "start" (func $guest "start")) (export "peek" (func $guest "peek"))""")
    forms = played(guests, Call("run"), bytes(wat2wasm(DRIVER)))
    assert_known(forms, "host-result-at-harvest", divergences)


# --- parameters ------------------------------------------------------------------------------------------------------
STARTING: Final = """
  (call $hold)
  (local.set $a (call $thing-now (i32.const 3)))
  (local.set $b (call $give (local.get $a) (i32.const 32)))
  (if (i32.and (local.get $b) (i32.const 15)) (then unreachable))
"""


@pytest.mark.parametrize(
    "used",
    [
        "(call $look (local.get $a))",
        "(call $cancel (i32.shr_u (local.get $b) (i32.const 4))) (call $drop (local.get $a))",
    ],
    ids=["while it waits", "when it was cancelled"],
)
def test_a_parameter_with_a_handle_of_a_call_that_has_not_started(used: str, divergences: Divergences) -> None:
    names = ["hold", "thing-now", "give", "look", "cancel", "drop"]
    forms = played(alone(names, f"(block (result i32) {STARTING} {used})"), Call("run"))
    assert forms[0].steps[-1].outcome == Returned(3)
    assert_known(forms, "host-parameter-at-the-call", divergences)


# --- cancels ---------------------------------------------------------------------------------------------------------
def test_a_synchronous_cancel_of_a_host_call_stops_the_others(divergences: Divergences) -> None:
    """The host needs what another guest does before it answers."""
    helper = """
      (func (export "help") (result i32) (i32.const 1))
      (func (export "callback") (param i32 i32 i32) (result i32)
        (call $fulfil) (call $return (i32.const 2)) (i32.const 0))"""
    help_ = """(func (export "help") async (result u32)
      (canon lift (core func $m "help") async (callback (core func $m "callback"))))"""
    code = f"""
      (func (export "run") (result i32)
        (drop (call $help (i32.const 16)))
        (call $return (call $cancel (i32.shr_u (call $slow) (i32.const 4))))
        (i32.const 0))
      {NO_CALLBACK}"""
    more = {"help": ("async (result u32)", "(param i32) (result i32)")}
    guests = component(f"""
      {instance("Helper", ["fulfil", "return"], helper, help_)}
      (instance $helper (instantiate $Helper {given("fulfil")}))
      {instance("Guest", ["slow", "return", "cancel"], code, RUN, more)}
      (instance $guest (instantiate $Guest {given("slow")} (with "help" (func $helper "help"))))
      (export "run" (func $guest "run"))""")
    forms = played(guests, Call("run"))
    assert forms[0].steps[-1].outcome == Returned(4)
    assert_known(forms, "host-cancel-stops-all", divergences)


# --- ends ------------------------------------------------------------------------------------------------------------
def test_a_partly_used_buffer_takes_no_more_once_heard_of(divergences: Divergences) -> None:
    body = """
      (block (result i32)
        (local.set $e (call $stream-new))
        (local.set $a (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
        (call $keep (i32.wrap_i64 (local.get $e)))
        (drop (call $stream-write (local.get $a) (i32.const 64) (i32.const 10)))
        (drop (call $read (i32.const 1)))
        ;; an event for somebody else is asked for
        (drop (call $poll (call $set-new) (i32.const 16)))
        (call $read (i32.const 2)))"""
    used = ["keep", "read", "stream-new", "stream-write", "set-new", "poll"]
    forms = played(alone(used, body), Call("run"))
    assert_known(forms, "host-buffer-heard-of", divergences)


@pytest.mark.toolchain
def test_a_buffer_beside_others_in_a_core_output_is_read_when_it_is_offered(divergences: Divergences) -> None:
    body = """
      (block (result i32)
        (local.set $e (call $stream-new))
        (local.set $a (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
        (call $keep (i32.wrap_i64 (local.get $e)))
        (i32.store8 (i32.const 64) (i32.const 7))
        (drop (call $stream-write (local.get $a) (i32.const 64) (i32.const 1)))
        (i32.store8 (i32.const 64) (i32.const 9))
        (drop (call $read (i32.const 1)))
        (call $byte))"""
    guests = alone(["keep", "read", "byte", "stream-new", "stream-write"], body)
    core = fuse([guests, bytes(wat2wasm(ENDLESS))], FuseOptions(core=True)).bytes
    forms = played(guests, Call("run"), fused=component_new(core))
    assert_known(forms, "core-buffer-when-offered", divergences)


def test_an_end_that_the_host_hands_back_meets_its_other_end(divergences: Divergences) -> None:
    """Between two instances in the composition, in one instance for the engine when they are fused."""
    reader = """
      (func (export "take") (result i32) (call $letter-read (call $letter-back) (i32.const 16)))"""
    take = '(func (export "take") (result u32) (canon lift (core func $m "take")))'
    code = f"""
      (func (export "run") (result i32) (local $e i64)
        (local.set $e (call $letter-new))
        (call $keep-letter (i32.wrap_i64 (local.get $e)))
        (drop (call $letter-write (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))) (i32.const 16)))
        (call $return (call $take))
        (i32.const 0))
      {NO_CALLBACK}"""
    more = {"take": ("(result u32)", "(result i32)")}
    guests = component(f"""
      {instance("Reader", ["letter-back", "letter-read"], reader, take)}
      (instance $reader (instantiate $Reader {given("letter-back")}))
      {instance("Guest", ["keep-letter", "letter-new", "letter-write", "return"], code, RUN, more)}
      (instance $guest (instantiate $Guest {given("keep-letter")} (with "take" (func $reader "take"))))
      (export "run" (func $guest "run"))""")
    forms = played(guests, Call("run"))
    assert forms[0].steps[-1].outcome == Returned(0)
    assert_known(forms, "host-hands-end-back", divergences)


# --- the engine ------------------------------------------------------------------------------------------------------
def test_a_value_is_read_by_a_task_that_is_over(divergences: Divergences) -> None:
    """No host is involved. The engine looks for the task that began to read, the spec for its instance's memory."""
    reader = """
      (func (export "take") (param i32) (result i32) (call $letter-read (local.get 0) (i32.const 16)))"""
    take = '(func (export "take") (param "f" (future char)) (result u32) (canon lift (core func $m "take")))'
    code = f"""
      (func (export "run") (result i32) (local $e i64)
        (local.set $e (call $letter-new))
        (drop (call $take (i32.wrap_i64 (local.get $e))))
        (call $return (call $letter-write (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))) (i32.const 16)))
        (i32.const 0))
      {NO_CALLBACK}"""
    more = {"take": ('(param "f" (future char)) (result u32)', "(param i32) (result i32)")}
    guests = component(f"""
      {instance("Reader", ["letter-read"], reader, take)}
      (instance $reader (instantiate $Reader {given()}))
      {instance("Guest", ["letter-new", "letter-write", "return"], code, RUN, more)}
      (instance $guest (instantiate $Guest {given()} (with "take" (func $reader "take"))))
      (export "run" (func $guest "run"))""")
    forms = played(guests, Call("run"))
    assert forms[1].steps[-1].outcome == Returned(0)
    assert_known(forms, "reader-has-exited", divergences)
