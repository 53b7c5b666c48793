"""Tables and memories of ours that cannot grow any further.

The spec's limit of a handle table is 2^28 - 1 entries: 4 GiB of ours. Here the host lets no memory grow instead, so
that the same check fails soon. Only the fused form has these memories, so the composition goes on where it traps;
without the host's limit, both do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wasmtime import Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

from tests.differential.divergences import Divergences
from tests.differential.trap_kinds import trap_kind
from tests.support.resource_host import Session, run
from tests.support.trapcases.case import Case, Step, engine, forms, fused_form, play

PAGES_NOW: Final = 4 * 65536
"""No memory may become larger than this, the first size of the one that holds the handle tables."""
MOST: Final = 16_000
TOO_MANY: Final = 70_000

COMPOSITION: Final = """
(component
  (component $Definer
    (type $r (resource (rep i32)))
    (core func $new (canon resource.new $r))
    (core module $M
      (import "" "new" (func $new (param i32) (result i32)))
      (func (export "many") (param i32)
        (loop $again
          (if (local.get 0)
            (then
              (drop (call $new (i32.const 1)))
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br $again))))))
    (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
    (export $x "r" (type $r))
    (func (export "many") (param "n" u32) (canon lift (core func $m "many")))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new))))
  (component $Borrower
    (import "r" (type $r (sub resource)))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "drop" (func $drop (param i32)))
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
      (func (export "take") (param $at i32) (param $n i32)
        (loop $again
          (if (local.get $n)
            (then
              (call $drop (i32.load (local.get $at)))
              (local.set $at (i32.add (local.get $at) (i32.const 4)))
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (br $again))))))
    (core instance $m (instantiate $M (with "" (instance (export "drop" (func $drop))))))
    (func (export "take") (param "them" (list (borrow $r)))
      (canon lift (core func $m "take") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))
  (instance $definer (instantiate $Definer))
  (alias export $definer "r" (type $r))
  (instance $borrower (instantiate $Borrower (with "r" (type $r))))
  (component $User
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "rep" u32) (result (own $r))))
    (import "many" (func $many (param "n" u32)))
    (import "take" (func $take (param "them" (list (borrow $r)))))
    (core module $Memory (memory (export "memory") 1))
    (core instance $memory (instantiate $Memory))
    (core func $make (canon lower (func $make)))
    (core func $many (canon lower (func $many)))
    (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "many" (func $many (param i32)))
      (import "" "take" (func $take (param i32 i32)))
      (import "m" "memory" (memory 1))
      (func (export "new") (param i32) (result i32) (call $many (local.get 0)) (i32.const 1))
      (func (export "own") (param i32) (result i32)
        (loop $again
          (if (local.get 0)
            (then
              (drop (call $make (i32.const 1)))
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br $again))))
        (i32.const 1))
      (func (export "borrow") (param i32) (result i32)
        (local $h i32) (local $at i32)
        (local.set $h (call $make (i32.const 1)))
        (loop $again
          (i32.store (local.get $at) (local.get $h))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br_if $again (i32.lt_u (local.get $at) (i32.const 65536))))
        (call $take (i32.const 0) (local.get 0))
        (i32.const 1)))
    (core instance $m (instantiate $M
      (with "m" (instance $memory))
      (with "" (instance (export "make" (func $make)) (export "many" (func $many)) (export "take" (func $take))))))
    (func (export "new") (param "n" u32) (result u32) (canon lift (core func $m "new")))
    (func (export "own") (param "n" u32) (result u32) (canon lift (core func $m "own")))
    (func (export "borrow") (param "n" u32) (result u32) (canon lift (core func $m "borrow"))))
  (instance $user (instantiate $User
    (with "r" (type $r)) (with "make" (func $definer "make")) (with "many" (func $definer "many"))
    (with "take" (func $borrower "take"))))
  (export "new" (func $user "new"))
  (export "own" (func $user "own"))
  (export "borrow" (func $user "borrow")))
"""

WITH_HANDLE: Final = """
(component
  (component $Definer
    (type $r (resource (rep i32)))
    (core func $new (canon resource.new $r))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new))))
  (component $Taker
    (import "r" (type $r (sub resource)))
    (core module $M
      (memory (export "memory") 3)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
      (func (export "take") (param i32 i32 i32) (result i32) (local.get 2)))
    (core instance $m (instantiate $M))
    (func (export "take") (param "it" (tuple (own $r) string)) (result u32)
      (canon lift (core func $m "take") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))
  (instance $d (instantiate $Definer))
  (export $definer "d" (instance $d))
  (alias export $definer "r" (type $r))
  (instance $x (instantiate $Taker (with "r" (type $r))))
  (export "x" (instance $x)))
"""


def cases() -> Iterator[Case]:
    for export, position in (("new", "resource.new"), ("own", "result: own"), ("borrow", "params: borrow")):
        yield Case("table-full", position, position, 1, 1, lambda _, export=export: _table(export))  # type: ignore[misc]
    yield Case("boundary-full", "host: handles in values", "a long string beside handles", 1, 1, _boundary)


def _table(export: str) -> list[str]:
    """The greatest number of handles that there is room for, and one more."""
    built = forms(COMPOSITION)

    def outcome(n: int) -> str | None:
        store = Store(engine())
        instance = wc.Linker(engine()).instantiate(store, built.fused)
        store.set_limits(memory_size=PAGES_NOW)
        func = instance.get_func(store, export)
        assert func is not None
        try:
            func(store, n)
        except WasmtimeError as error:
            return trap_kind(str(error))
        return None

    found = _edge(outcome, "handle table full")
    for component in (built.composed, built.fused):
        [free] = play(component, (), [Step(export, (MOST,))])
        if getattr(free, "value", None) != 1:
            found.append(f"{export}: {free} without the limit")
    return found


def _boundary(divergences: Divergences) -> list[str]:
    """A handle and a string go from the host to a guest, through the boundary memory, which holds one string."""
    composed = bytes(wat2wasm(WITH_HANDLE))
    fused = fused_form(composed)

    def scenario(s: Session, n: int, limit: bool) -> None:
        handle = s.call("d", "make", 1)
        if limit:
            assert isinstance(s.store, Store)
            s.store.set_limits(memory_size=PAGES_NOW)
        s.call("x", "take", (handle, "n" * n))

    def outcome(n: int, form: bytes = fused, limit: bool = True) -> str | None:
        match run(form, lambda s: scenario(s, n, limit))[-1]:
            case ("trap", str(kind)):
                return kind
        return None

    found = _edge(outcome, "boundary memory full")
    return found + [f"{kind} without the limit" for form in (composed, fused) if (kind := outcome(MOST, form, False))]


def _edge(outcome: Callable[[int], str | None], trap: str) -> list[str]:
    low, high = 0, TOO_MANY
    if (first := outcome(0)) is not None or outcome(high) is None:
        return [f"none: {first}; {high}: {outcome(high)}"]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if outcome(middle) is None else (low, middle)
    kind = outcome(high)
    return [] if low > 100 and kind == trap else [f"{low} returns, {high}: {kind}, expected {trap}"]
