"""Streams and futures that fused instances share with the host, and handles that cross with them, beside composed.

A component outside stands for the host (`support/asyncsplit`, and `HOST` here).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.engine.traps import same_trap
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions, fuse
from tests.differential.divergences import Divergences
from tests.support.asyncs import ENDLESS
from tests.support.asyncsplit import Halves
from tests.support.compose import Export, Wire, compose
from tests.support.core_output import component_new
from tests.support.harness import Call, Difference, Observed, Returned, Trap, observe
from tests.support.shape import assert_fused_shape


def flat(binary: bytes) -> bytes:
    fused = fuse([binary], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    return fused


def assert_same(composed: Observed, fused: Observed, what: str) -> Returned | Trap:
    """The outcome of the last call."""
    for one, two in zip(composed.steps, fused.steps, strict=True):
        assert one.host_calls == two.host_calls, what
        match one.outcome, two.outcome:
            case Trap(kind=kind), Trap(kind=others):
                assert same_trap(kind, others), what
            case expected, got:
                assert expected == got, what
    outcome = composed.steps[-1].outcome
    assert isinstance(outcome, Returned | Trap)
    return outcome


# --- random ----------------------------------------------------------------------------------------------------------
def core(binary: bytes) -> bytes:
    """The core output, with its memories in one, a component again. Emitted code carries it, since it is not alone."""
    options = FuseOptions(core=True, memory="single")
    return component_new(fuse([binary, bytes(wat2wasm(ENDLESS))], options).bytes)


def _search(seeds: Iterable[int], form: Callable[[bytes], bytes] = flat) -> dict[str, int]:
    """How often each outcome came, with one of the two fused and the other its host."""
    outcomes: dict[str, int] = {}
    for seed in seeds:
        halves = Halves(seed)
        composed = halves.play()
        for side in ("driver", "provider"):
            try:
                fused = form(getattr(halves, side))
            except UnsupportedError:
                outcomes["refused"] = outcomes.get("refused", 0) + 1
                continue
            outcome = assert_same(composed, halves.play(**{side: fused}), f"seed {seed}, {side}: {halves.what}")
            kind = outcome.kind if isinstance(outcome, Trap) else "returned"
            outcomes[kind] = outcomes.get(kind, 0) + 1
    return outcomes


def test_either_half_of_a_random_composition_may_be_the_host() -> None:
    """Among them tasks that yield to the host, and that it cancels."""
    outcomes = _search([2, 3, 8, 20])
    assert outcomes["returned"] > 0
    assert outcomes.get("refused", 0) < 6


@pytest.mark.toolchain
def test_either_half_may_be_the_host_of_a_core_output() -> None:
    """What the two share lies in the heap then."""
    outcomes = _search([2, 3, 9, 10], core)
    assert outcomes["returned"] > 0
    assert outcomes.get("refused", 0) < 6


@pytest.mark.deep
@pytest.mark.parametrize("form", [flat, core])
def test_many_halves(form: Callable[[bytes], bytes]) -> None:
    count = int(os.environ.get("ASYNC_HALVES", "1000"))
    first = int(os.environ.get("ASYNC_SEED", "1000"))
    print(_search(range(first, first + count), form))


# --- handles ---------------------------------------------------------------------------------------------------------
HOST: Final = """
(component
  (import "log" (func $log (param "x" u32)))
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core module $Dtor (import "" "log" (func $log (param i32)))
    (func (export "dtor") (param i32) (call $log (i32.add (i32.const 9000) (local.get 0)))))
  (core func $log (canon lower (func $log)))
  (core instance $dtor (instantiate $Dtor (with "" (instance (export "log" (func $log))))))
  (type $thing' (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (export $thing "thing" (type $thing'))
  (type $promise (future (own $thing)))
  (core func $new (canon resource.new $thing'))
  (core func $rep (canon resource.rep $thing'))
  (core func $drop (canon resource.drop $thing'))
  (core func $future-new (canon future.new $promise))
  (core func $future-read (canon future.read $promise async (memory (core memory $memory "m"))))
  (core func $future-write (canon future.write $promise async (memory (core memory $memory "m"))))
  (core func $drop-readable (canon future.drop-readable $promise))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "log" (func $log (param i32)))
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "future-new" (func $future-new (result i64)))
    (import "" "future-read" (func $future-read (param i32 i32) (result i32)))
    (import "" "future-write" (func $future-write (param i32 i32) (result i32)))
    (import "" "drop-readable" (func $drop-readable (param i32)))
    (global $kept (mut i32) (i32.const 0))
    (global $given (mut i32) (i32.const 0))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "look") (param i32) (result i32) (local.get 0))
    (func (export "promise") (param $x i32) (result i32) (local $ends i64)
      (local.set $ends (call $future-new))
      (global.set $given (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (i32.store (i32.const 64) (call $new (local.get $x)))
      (if (i32.eqz (i32.and (local.get $x) (i32.const 1)))
        (then (call $log (call $future-write (global.get $given) (i32.const 64)))))
      (i32.wrap_i64 (local.get $ends)))
    (func (export "fulfil")
      (call $log (call $future-write (global.get $given) (i32.const 64))))
    (func (export "keep") (param $end i32) (param $now i32)
      (global.set $kept (local.get $end))
      (if (local.get $now) (then (call $read))))
    (func $read (export "read")
      (i32.store (i32.const 32) (i32.const 0))
      (call $log (i32.add (i32.const 100) (call $future-read (global.get $kept) (i32.const 32))))
      (call $show))
    (func $show (export "show")
      (if (i32.load (i32.const 32))
        (then
          (call $log (i32.add (i32.const 200) (call $rep (i32.load (i32.const 32)))))
          (call $drop (i32.load (i32.const 32))))))
    (func (export "let-go") (call $drop-readable (global.get $kept))))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m")) (export "log" (func $log)) (export "new" (func $new)) (export "rep" (func $rep))
    (export "drop" (func $drop)) (export "future-new" (func $future-new)) (export "future-read" (func $future-read))
    (export "future-write" (func $future-write)) (export "drop-readable" (func $drop-readable))))))
  (func (export "make") (param "x" u32) (result (own $thing)) (canon lift (core func $m "make")))
  (func (export "look") (param "x" (borrow $thing)) (result u32) (canon lift (core func $m "look")))
  (func (export "promise") (param "x" u32) (result (future (own $thing))) (canon lift (core func $m "promise")))
  (func (export "fulfil") (canon lift (core func $m "fulfil")))
  (func (export "keep") (param "f" (future (own $thing))) (param "now" bool) (canon lift (core func $m "keep")))
  (func (export "read") (canon lift (core func $m "read")))
  (func (export "show") (canon lift (core func $m "show")))
  (func (export "let-go") (canon lift (core func $m "let-go"))))
"""
_HOSTS: Final = ("make", "look", "promise", "fulfil", "keep", "read", "show", "let-go")
_IMPORTS: Final = """
  (import "log" (func $log (param "x" u32)))
  (import "thing" (type $thing (sub resource)))
  (import "make" (func $make (param "x" u32) (result (own $thing))))
  (import "look" (func $look (param "x" (borrow $thing)) (result u32)))
  (import "promise" (func $promise (param "x" u32) (result (future (own $thing)))))
  (import "fulfil" (func $fulfil))
  (import "keep" (func $keep (param "f" (future (own $thing))) (param "now" bool)))
  (import "read" (func $read))
  (import "show" (func $show))
  (import "let-go" (func $let-go))
"""
_TYPES: Final = {
    "log": "(param i32)", "make": "(param i32) (result i32)", "look": "(param i32) (result i32)",
    "promise": "(param i32) (result i32)", "fulfil": "", "keep": "(param i32 i32)", "read": "", "show": "",
    "let-go": "",
}  # fmt: skip
_BUILTINS: Final = {
    "drop": ("resource.drop $thing", "(param i32)"),
    "future-new": ("future.new $f", "(result i64)"),
    "future-read": ('future.read $f async (memory (core memory $memory "m"))', "(param i32 i32) (result i32)"),
    "future-write": ('future.write $f async (memory (core memory $memory "m"))', "(param i32 i32) (result i32)"),
    "cancel-write": ("future.cancel-write $f", "(param i32) (result i32)"),
    "cancel-read": ("future.cancel-read $f", "(param i32) (result i32)"),
    "drop-readable": ("future.drop-readable $f", "(param i32)"),
    "drop-writable": ("future.drop-writable $f", "(param i32)"),
    "set-new": ("waitable-set.new", "(result i32)"),
    "poll": ('waitable-set.poll (memory (core memory $memory "m"))', "(param i32 i32) (result i32)"),
    "join": ("waitable.join", "(param i32 i32)"),
    "return": ("task.return (result u32)", "(param i32)"),
    "return-thing": (
        'task.return (result (option (own $thing))) (memory (core memory $memory "m"))', "(param i32 i32)",
    ),
}  # fmt: skip


def guest(body: str) -> bytes:
    """`run` does it, under a second instance that hands the call on; `swap` is an async export with handles."""
    lowers = " ".join(f"(core func ${name}' (canon lower (func ${name})))" for name in _TYPES)
    builtins = " ".join(f"(core func ${name}' (canon {text}))" for name, (text, _) in _BUILTINS.items())
    types = _TYPES | {name: type for name, (_, type) in _BUILTINS.items()}
    imports = " ".join(f'(import "" "{name}" (func ${name} {type}))' for name, type in types.items())
    given = " ".join(f'(export "{name}" (func ${name}\'))' for name in types)
    args = " ".join(f'(with "{name}" (func ${name}))' for name in ("log", *_HOSTS))
    return bytes(
        wat2wasm(f"""
(component
  {_IMPORTS}
  (component $Inner
    {_IMPORTS}
    (type $f (future (own $thing)))
    (core module $Memory (memory (export "m") 1)) (core instance $memory (instantiate $Memory))
    {lowers} {builtins}
    (core module $M
      (import "" "m" (memory 1))
      {imports}
      (func (export "run") (param $x i32) (result i32) (local $e i64) (local $r i32) (local $w i32) (local $t i32)
        {body}
        (call $return (i32.const 7)) (i32.const 0))
      (func (export "swap") (param $t i32) (param $end i32) (result i32)
        (call $log (call $look (local.get $t)))
        (call $log (call $future-read (local.get $end) (i32.const 16)))
        (call $log (call $look (i32.load (i32.const 16))))
        (call $drop-readable (local.get $end))
        (call $drop (local.get $t))
        (call $return-thing (i32.const 1) (i32.load (i32.const 16)))
        (i32.const 0))
      (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
    (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
    (func (export "run") async (param "x" u32) (result u32)
      (canon lift (core func $m "run") async (callback (core func $m "callback"))))
    (func (export "swap") async (param "t" (own $thing)) (param "f" (future (own $thing)))
      (result (option (own $thing)))
      (canon lift (core func $m "swap") async (callback (core func $m "callback")) (memory (core memory $memory "m")))))
  (component $Outer
    (import "run" (func $run async (param "x" u32) (result u32)))
    (core func $run' (canon lower (func $run)))
    (core module $M (import "" "run" (func $run (param i32) (result i32)))
      (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $run (local.get 0)))))
    (core instance $m (instantiate $M (with "" (instance (export "run" (func $run'))))))
    (func (export "run") async (param "x" u32) (result u32) (canon lift (core func $m "run"))))
  (instance $inner (instantiate $Inner (with "thing" (type $thing)) {args}))
  (instance $outer (instantiate $Outer (with "run" (func $inner "run"))))
  (export "run" (func $outer "run"))
  (export "swap" (func $inner "swap")))""")
    )


CALLER: Final = """
(component
  (import "log" (func $log (param "x" u32)))
  (import "thing" (type $thing (sub resource)))
  (import "make" (func $make (param "x" u32) (result (own $thing))))
  (import "look" (func $look (param "x" (borrow $thing)) (result u32)))
  (import "promise" (func $promise (param "x" u32) (result (future (own $thing)))))
  (import "run" (func $run async (param "x" u32) (result u32)))
  (import "swap" (func $swap async (param "t" (own $thing)) (param "f" (future (own $thing)))
    (result (option (own $thing)))))
  (core module $Memory (memory (export "m") 1)) (core instance $memory (instantiate $Memory))
  (core func $make' (canon lower (func $make))) (core func $look' (canon lower (func $look)))
  (core func $promise' (canon lower (func $promise)))
  (core func $run' (canon lower (func $run)))
  (core func $swap' (canon lower (func $swap) (memory (core memory $memory "m"))))
  (core func $drop (canon resource.drop $thing))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "make" (func $make (param i32) (result i32)))
    (import "" "look" (func $look (param i32) (result i32)))
    (import "" "promise" (func $promise (param i32) (result i32)))
    (import "" "run" (func $run (param i32) (result i32)))
    (import "" "swap" (func $swap (param i32 i32 i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (param i32) (result i32) (call $run (local.get 0)))
    (func (export "swap") (param $x i32) (result i32) (local $n i32)
      (call $swap (call $make (local.get $x)) (call $promise (i32.const 22)) (i32.const 64))
      (local.set $n (call $look (i32.load (i32.const 68))))
      (call $drop (i32.load (i32.const 68)))
      (i32.add (i32.mul (i32.load (i32.const 64)) (i32.const 1000)) (local.get $n))))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m")) (export "make" (func $make')) (export "look" (func $look'))
    (export "promise" (func $promise')) (export "run" (func $run')) (export "swap" (func $swap'))
    (export "drop" (func $drop))))))
  (func (export "run") async (param "x" u32) (result u32) (canon lift (core func $m "run")))
  (func (export "swap") async (param "x" u32) (result u32) (canon lift (core func $m "swap"))))
"""
"""Calls the guests' exports from outside, with handles."""


def around(form: bytes) -> bytes:
    """`form` of the guests between what calls them and the host."""
    wires = [Wire("guest", name, "host", name) for name in ("thing", *_HOSTS)]
    wires += [Wire("caller", name, "host", name) for name in ("thing", "make", "look", "promise")]
    wires += [Wire("caller", name, "guest", name) for name in ("run", "swap")]
    children = {"host": bytes(wat2wasm(HOST)), "guest": form, "caller": bytes(wat2wasm(CALLER))}
    return compose(children, wires, [Export("caller", name) for name in ("run", "swap")])


def both(body: str, *calls: Call) -> tuple[Observed, Observed]:
    form = guest(body)
    composed, fused = (observe(around(each), calls, host={"log": lambda *_: None}) for each in (form, flat(form)))
    return composed, fused


def assert_alike(body: str, *calls: Call) -> Returned | Trap:
    return assert_same(*both(body, *calls), body)


READ: Final = """
  (local.set $r (call $promise (local.get $x)))
  (call $log (call $future-read (local.get $r) (i32.const 16)))
"""
SHOW_READ: Final = """
  (call $log (i32.load (i32.const 16)))
  (call $log (call $look (i32.load (i32.const 16))))
  (call $drop (i32.load (i32.const 16)))
  (call $drop-readable (local.get $r))
"""
OFFER: Final = """
  (local.set $e (call $future-new))
  (local.set $r (i32.wrap_i64 (local.get $e)))
  (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
  (local.set $t (call $make (i32.const 6)))
  (i32.store (i32.const 24) (local.get $t))
"""


def test_a_future_of_the_host_gives_a_handle() -> None:
    assert assert_alike(READ + SHOW_READ, Call("run", [4]), Call("run", [8])) == Returned(8)


def test_a_future_of_the_host_gives_a_handle_later() -> None:
    body = f"""{READ}
      (local.set $t (call $set-new))
      (call $join (local.get $r) (local.get $t))
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $fulfil)
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $log (i32.load (i32.const 32))) (call $log (i32.load (i32.const 36)))
      (call $join (local.get $r) (i32.const 0))
      {SHOW_READ}"""
    assert assert_alike(body, Call("run", [5]), Call("run", [9])) == Returned(8)


def test_a_read_of_a_future_of_the_host_is_cancelled() -> None:
    body = f"""{READ}
      (call $log (call $cancel-read (local.get $r)))
      (call $drop-readable (local.get $r))"""
    assert assert_alike(body, Call("run", [5])) == Returned(8)


KEPT: Final = f"{OFFER} (call $keep (local.get $r) (i32.const 0))"
JOINED: Final = "(call $join (local.get $@) (call $set-new))"


@pytest.mark.parametrize(
    "body",
    [
        "(local.set $r (call $promise (local.get $x))) (call $log (call $cancel-read (local.get $r)))",
        f"{KEPT} (call $log (call $cancel-write (local.get $w)))",
        f"{READ} {JOINED.replace('@', 'r')} (call $log (call $cancel-read (local.get $r)))",
        f"""{KEPT} (call $log (call $future-write (local.get $w) (i32.const 24))) {JOINED.replace("@", "w")}
          (call $log (call $cancel-write (local.get $w)))""",
    ],
    ids=["no read", "no write", "read in a set", "write in a set"],
)
def test_what_cannot_be_cancelled_traps_at_the_edge_too(body: str) -> None:
    assert isinstance(assert_alike(body, Call("run", [5])), Trap)


def test_a_read_that_is_over_and_not_heard_of_is_not_cancelled() -> None:
    """The poll of another set lets the runtime hear of it, but not the guest."""
    body = f"""{READ}
      (local.set $t (call $set-new))
      (call $fulfil)
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $log (call $cancel-read (local.get $r)))
      {SHOW_READ}"""
    assert assert_alike(body, Call("run", [5])) == Returned(8)


def test_a_handle_is_written_to_the_host() -> None:
    """The readable end goes there while the write is pending, which is issued again."""
    body = f"""{OFFER}
      (call $log (call $future-write (local.get $w) (i32.const 24)))
      (call $keep (local.get $r) (i32.const 0))
      (call $read)
      (local.set $t (call $set-new))
      (call $join (local.get $w) (local.get $t))
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $log (i32.load (i32.const 36)))
      (call $join (local.get $w) (i32.const 0))
      (call $drop-writable (local.get $w))
      (call $log (call $make (i32.const 1)))"""
    assert assert_alike(body, Call("run", [4])) == Returned(8)


def test_a_handle_that_the_host_does_not_take_stays() -> None:
    body = f"""{OFFER}
      (call $log (call $future-write (local.get $w) (i32.const 24)))
      (call $keep (local.get $r) (i32.const 0))
      (call $log (call $cancel-write (local.get $w)))
      (call $log (call $look (local.get $t)))
      (call $log (call $future-write (local.get $w) (i32.const 24)))
      (call $let-go)
      (call $log (call $cancel-write (local.get $w)))
      (call $log (call $look (local.get $t)))
      (call $drop (local.get $t))
      (call $drop-writable (local.get $w))"""
    assert assert_alike(body, Call("run", [4])) == Returned(8)


WRITTEN: Final = "(call $log (call $future-write (local.get $w) (i32.const 24)))"


@pytest.mark.parametrize("none", ["0", "77"])
def test_what_is_no_handle_does_no_harm_until_it_is_taken(none: str) -> None:
    offered = f"{OFFER} (i32.store (i32.const 24) (i32.const {none})) (call $keep (local.get $r) (i32.const 0))"
    # nobody reads any more; or the write is taken back, and the next one is in order
    gone = f"{offered} (call $let-go) {WRITTEN} (call $drop-writable (local.get $w))"
    again = f"(call $log (call $cancel-write (local.get $w))) (i32.store (i32.const 24) (local.get $t)) {WRITTEN}"
    for body in (gone, f"{offered} {WRITTEN} {again} (call $read)"):
        assert assert_alike(body, Call("run", [4])) == Returned(8)
    trapped = assert_alike(f"{offered} {WRITTEN} (call $read)", Call("run", [4]))
    assert isinstance(trapped, Trap)
    assert trapped.kind.startswith("unknown handle index")


def test_the_host_takes_the_handle_that_was_offered(divergences: Divergences) -> None:
    """Whatever the guest has made of its buffer since: what it owns afterwards is the other thing, and that alone."""
    body = f"""{OFFER} {WRITTEN}
      (call $keep (local.get $r) (i32.const 0))
      (local.set $r (call $make (i32.const 9)))
      (i32.store (i32.const 24) (local.get $r))
      (call $read)
      (local.set $t (call $set-new))
      (call $join (local.get $w) (local.get $t))
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $log (call $make (i32.const 1)))
      (call $drop (local.get $@))"""
    composed, fused = both(body.replace("@", "r"), Call("run", [4]))
    assert isinstance(composed.steps[-1].outcome, Trap)
    assert fused.steps[-1].outcome == Returned(8)
    seen = [[args[0] for _, args in form.steps[-1].host_calls] for form in (composed, fused)]
    assert divergences.explains(Difference("run", "what the host read", *seen))


def test_a_handle_of_the_host_is_numbered_when_it_is_heard_of(divergences: Divergences) -> None:
    """The host has written it before the guest makes another one, and the guest looks afterwards."""
    body = f"""{READ}
      (local.set $t (call $set-new))
      (call $fulfil)
      (call $log (i32.add (i32.const 1000) (call $make (i32.const 9))))
      (call $join (local.get $r) (local.get $t))
      (call $log (call $poll (local.get $t) (i32.const 32)))
      (call $log (i32.add (i32.const 2000) (i32.load (i32.const 16))))
      (call $log (call $look (i32.load (i32.const 16))))"""
    numbered = []
    for form in both(body, Call("run", [5])):
        assert form.steps[-1].outcome == Returned(8)
        told = [args[0] for _, args in form.steps[-1].host_calls]
        assert told[-1] == 5
        numbered.append([int(str(each)) % 1000 for each in told if int(str(each)) // 1000 in (1, 2)])
    assert divergences.explains(Difference("run", "indices of what was made and what was read", *numbered))


def test_an_end_goes_to_the_host_and_comes_back_no_more() -> None:
    body = f"{OFFER} (call $keep (local.get $r) (i32.const 0)) (call $drop-readable (local.get $r))"
    assert isinstance(assert_alike(body, Call("run", [4])), Trap)


def test_an_async_export_takes_and_returns_handles() -> None:
    assert assert_alike("", Call("swap", [11]), Call("swap", [12])) == Returned(1022)
