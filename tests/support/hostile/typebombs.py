"""Types that cross from one component to another and are large for their description.

Two guests, one lifts, one lowers: every function takes and returns one value through memory, so that the core
signatures do not depend on the type. Adapters must be made for all of it, or be refused by a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from wasmtime import wat2wasm

_SPILLED = "(tuple u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 string)"
"""More than sixteen core values: params and results of this and of all around it travel in memory."""

_KIT = """(memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))"""


def crossing(types: list[str], options: str = "") -> bytes:
    """A composition in which `types[-1]` crosses, as parameter and result; each may name `$t0`, `$t1`, … before it."""
    text = "\n".join(f"(type $t{i} {type_})" for i, type_ in enumerate(types))
    last = f"$t{len(types) - 1}"
    return bytes(
        wat2wasm(
            f"""(component
  (component $callee {text}
    (core module $m {_KIT} (func (export "f") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "x" {last}) (result {last})
      (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) {options})))
  (component $caller {text}
    (import "f" (func $f (param "x" {last}) (result {last})))
    (core module $kit {_KIT})
    (core instance $k (instantiate $kit))
    (core func $l (canon lower (func $f) (memory (core memory $k "memory")) (realloc (core func $k "realloc"))))
    (core module $m (import "" "f" (func $f (param i32 i32)))
      (func (export "run") (call $f (i32.const 0) (i32.const 512))))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $l))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $a (instantiate $callee))
  (instance $b (instantiate $caller (with "f" (func $a "f"))))
  (export "run" (func $b "run")))"""
        )
    )


def doubling(rng: Random) -> bytes:
    """Each type twice the one before: 2^n values in all, each type small."""
    twice: Callable[[int], str] = rng.choice(
        (
            lambda i: f"(tuple $t{i} $t{i})",
            lambda i: f"(tuple $t{i} u8 (list $t{i}))",
            lambda i: f"(result $t{i} (error $t{i}))",
            lambda i: f"(tuple (option $t{i}) $t{i})",
            lambda i: f"(tuple (list $t{i}) (list $t{i}))",
            lambda i: f"(tuple $t{i} $t{i} $t{i} $t{i})",
        )
    )
    depth = rng.choice((1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 40, 64, 90))
    base = rng.choice((_SPILLED, _SPILLED, "(tuple u8)", "(list string)"))
    return crossing([_SPILLED, base, *(f"(tuple $t0 $t{i})" if i == 1 else twice(i) for i in range(1, depth + 1))])


def fixed(rng: Random) -> bytes:
    """Lists of fixed length, large ones and lists of lists."""
    lengths = rng.choice(
        (
            (1,),
            (16,),
            (17,),
            (1000,),
            (2**27,),
            (2**28,),
            (2**32 - 1,),
            (1000, 1000),
            (65536, 65536),
            (2,) * 30,
            (10,) * 9,
            (3,) * 60,
        )
    )
    element = rng.choice(("u8", "$t0", "string", "(option u32)", "bool"))
    types = [_SPILLED]
    for i, length in enumerate(lengths):
        types.append(f"(list {f'$t{i}' if i else element} {length})")
    return crossing([*types, f"(tuple $t0 $t{len(types) - 1})"])


def wide(rng: Random) -> bytes:
    """Many parts side by side, each with code of its own or alike."""
    count = rng.choice((16, 17, 100, 1000, 3000, 9_999))
    part = rng.choice(
        ("u8", "string", "(option string)", "(list (list u8))", "bool", "char", "(result u8 (error string))", "f32")
    )
    return crossing([_SPILLED, f"(tuple $t0 {' '.join([part] * count)})"])


def deep(rng: Random) -> bytes:
    """One inside the other, up to the engines' limit on nesting."""
    around = rng.choice(
        (
            "(list $t{})",
            "(option $t{})",
            "(tuple $t{})",
            "(result $t{})",
            "(tuple u8 $t{} u8)",
            "(result string (error $t{}))",
            "(option (list $t{}))",
        )
    )
    depth = rng.choice((1, 10, 50, 90, 95, 96, 97, 98, 99, 100, 120))
    return crossing([_SPILLED, *(around.format(i) for i in range(depth)), f"(tuple $t0 $t{depth})"])


def encodings(rng: Random) -> bytes:
    """Every option of a lift, with large types of strings."""
    option = rng.choice(("string-encoding=utf16", "string-encoding=latin1+utf16", "string-encoding=utf8"))
    return crossing([_SPILLED, *(f"(tuple $t{i} $t{i} string)" for i in range(rng.choice((1, 3, 6))))], option)


TYPE_BOMBS: tuple[Callable[[Random], bytes], ...] = (doubling, doubling, fixed, wide, deep, encodings)
