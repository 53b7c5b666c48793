"""Tasks, subtasks, streams, futures and cancels in a loop, in fused form: what they need does not grow."""

from __future__ import annotations

import pytest
from wasmtime import Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

from meldpy.engine.calls import call
from meldpy.engine.config import full_engine
from meldpy.engine.traps import trap_kind
from meldpy.pipeline import fuse
from tests.differential.test_async_ends import around, flat, guest
from tests.differential.test_async_host import BLOCKING
from tests.support.asynchosts import guests, second, with_host
from tests.support.shape import assert_fused_shape
from tests.support.trapcases.async_guests import (
    GIVEN_FUTURE,
    JOIN,
    NEW,
    SET,
    WAITED,
    cancel,
    composition,
    copy,
    drop,
    poke,
    subtask,
    t,
)

PAGE = 65_536
CYCLES = 2_000_000
"""Of three calls, two items and four cancels each."""
DROPPED = "(call $subtask-drop (local.get $h))"

BESIDE_A_HOST = {
    "from the host and back": "(call $keep (call $promise (i32.const 1)) (i32.const 0)) (call $let-go)",
    "to the host": """
      (local.set $e (call $future-new))
      (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
      (call $keep (i32.wrap_i64 (local.get $e)) (i32.const 0)) (call $let-go)
      (drop (call $future-write (local.get $w) (i32.const 24))) (call $drop-writable (local.get $w))""",
}
"""Ways of a readable end (`test_async_ends`)."""
REPEATED = """
  (loop $again
    @
    (br_if $again (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))"""


def cycle(count: int, dropped: str = DROPPED) -> str:
    """So many times: calls that return at once, later, and never; an element of a stream and of a future."""
    return f"""
      {SET}
      (local.set $other (i64.const {count}))
      (loop $again
        (drop {t("returns")})
        {subtask("yields")} {JOIN} {WAITED} {DROPPED}
        {subtask("waits")} (drop (call $subtask-cancel (local.get $h))) {dropped}
        {NEW["s"]} {copy("s", "read")} {copy("s", "write")} {cancel("s", "read")}
        {copy("s", "write")} {cancel("s", "write")} {drop("s", "readable")} {drop("s", "writable")}
        {GIVEN_FUTURE} {copy("f", "read")} {poke(5)} {poke(4)} {cancel("f", "read")} {drop("f", "readable")}
        (br_if $again
          (i32.wrap_i64 (local.tee $other (i64.sub (local.get $other) (i64.const 1))))))"""


def limited(form: bytes, name: str, *args: int, times: int = 1) -> object:
    """What an export returns the last time, in an instance whose memories may have four pages, as many as that of the
    handles has from the start."""
    engine = full_engine().engine
    store = Store(engine)
    store.set_limits(memory_size=4 * PAGE)
    linker = wc.Linker(engine)
    with linker.root() as root:
        root.add_func("log", lambda store, x: None)
    func = linker.instantiate(store, wc.Component(engine, form)).get_func(store, name)
    assert func is not None
    returned = None
    for _ in range(times):
        returned = call(func, store, list(args))
    return returned


def run(script: str) -> object:
    fused = fuse([bytes(wat2wasm(composition([script])))]).bytes
    assert_fused_shape(fused)
    return limited(fused, "run", 0)


def test_what_is_used_again_needs_no_memory() -> None:
    assert run(cycle(20_000)) == 1


@pytest.mark.parametrize("body", BESIDE_A_HOST)
def test_ends_that_leave_for_a_host_need_no_memory(body: str) -> None:
    """More of them than there are cells, or blocks of the heap, in all that memory."""
    assert limited(around(flat(guest(REPEATED.replace("@", BESIDE_A_HOST[body])))), "run", 30_000) == 8


def test_calls_of_a_host_that_wait_for_it_need_no_memory() -> None:
    """Each has a task of the engine's, with a set there, and two instances are in the midst of it."""
    form = guests(second({"double": BLOCKING["double"]}, lower="", more="(; ;)"), ["double"], lower="")
    assert limited(with_host(flat(form), ["double"]), "double", 1, 7, times=3_000) == 14


@pytest.mark.deep
def test_ten_million_calls_items_and_cancels_need_no_memory() -> None:
    assert run(cycle(CYCLES)) == 1


def test_a_leak_would_need_memory() -> None:
    with pytest.raises(WasmtimeError) as error:
        run(cycle(20_000, dropped=""))
    assert trap_kind(str(error.value)) == "handle table full"
