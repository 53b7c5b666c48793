"""The inputs of the table, each in any size; `f` returns 42 if what there is so much of does what it should."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.limits.texts import (
    COMPONENT,
    around_module,
    crossing,
    guest,
    imported,
    leb,
    module_with_body,
    repeat,
    sized,
    twice,
)


def data_text(count: int, kind: str = "") -> str:
    return "(memory 1)" + repeat(count, lambda i: f'(data {kind or f"(i32.const {i % 60_000})"} "*")')


def elements_text(count: int) -> str:
    slot = "(elem (i32.const 1) func $x)"
    return f"(table 9 funcref) (type $t (func (result i32))) (func $x (result i32) (i32.const 21)) {slot * count}"


def added_text(count: int, size: str) -> str:
    """A sum over things that all are 1, brought to 42."""
    return f"(i32.const {42 - count}) " + repeat(count, lambda i: f"(i32.add ({size} {i}))")


def nops_text(count: int) -> bytes:
    """A body of that size: no locals, nops, `i32.const 42`."""
    return around_module(module_with_body(b"\0" + b"\1" * (count - 4) + b"\x41\x2a\x0b"))


def growing_text(calls: int) -> str:
    """Two instances of a module whose body calls a function of low index: behind 127 others it takes a byte more."""
    body = f"(func $g0) (func $big {'(call $g0)' * calls}) {'(func)' * 130}"
    return twice(
        body + "(func $all " + repeat(132, lambda i: f"(call {i})") + ")", "(call $big) (call $all) (i32.const 21)"
    )


def br_table(targets: int) -> bytes:
    body = b"\0\x02\x40\x41\0\x0e" + leb(targets - 1) + bytes(targets) + b"\x0b\x41\x2a\x0b"
    return around_module(module_with_body(body))


def many_params(count: int) -> str:
    fields = f"(func $g (param {'i32 ' * count}) (result i32) (local.get {count - 1}))"
    return guest(fields, "(call $g " + repeat(count, lambda i: f"(i32.const {42 if i == count - 1 else 0})") + ")")


def many_results(count: int) -> str:
    results = repeat(count, lambda i: f"(i32.const {0 if i else 42})")
    return guest(f"(func $g (result {'i32 ' * count}) {results})", f"(call $g) {'drop ' * (count - 1)}")


def subtypes(depth: int) -> str:
    chain = repeat(depth, lambda i: f"(type $t{i + 1} (sub $t{i} (func)))")
    return guest(f"(type $t0 (sub (func))) {chain} (func $g (type $t{depth}))", "(call $g) (i32.const 42)")


def core_names(size: int) -> str:
    i, j = "i" * size, "j" * size
    return f"""(component
      (core module $p (func (export "{j}") (result i32) (i32.const 42)))
      (core instance $p (instantiate $p))
      (core module $m (import "{i}" "{j}" (func $g (result i32))) (memory (export "{i}") 1)
        (func (export "f") (result i32) (call $g)))
      (core instance $i (instantiate $m (with "{i}" (instance $p))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


def names_text(interface: int, function: int) -> str:
    short = "i" * (interface - 4)
    return guest(
        "", around=f"""(instance $e (export "{"f" * function}" (func $f))) (export "a:b/{short}" (instance $e))"""
    )


def labels_text(size: int) -> str:
    return imported(f"""(type $d (record (field "{"l" * size}" u8))) (import "t" (type $t (eq $d)))""", "$t")


def wrapped_text(levels: int) -> bytes:
    """`guest` inside so many components, and beside it an `f` of the outermost one's own, through a level of text."""
    inner = COMPONENT
    for _ in range(levels):
        inner = COMPONENT + b"\x04" + sized(inner)
    whole = around_module(module_with_body(b"\0\x41\x2a\x0b"))
    return whole + b"\x04" + sized(inner)


def exported_instances(count: int) -> str:
    exports = repeat(count, lambda i: f'(export "e{i}" (instance $e{i}))')
    return guest("", around=repeat(count, lambda i: f'(instance $e{i} (export "f" (func $f)))') + exports)


def inline_text(count: int) -> str:
    return f"""(component
      (core module $m (func (export "f") (result i32) (i32.const 42)))
      (core instance $p (instantiate $m))
      (alias core export $p "f" (core func $f))
      (core instance $b {repeat(count, lambda i: f'(export "{i}" (func $f))')})
      (core module $n (import "" "{count - 1}" (func $f (result i32))) (func (export "f") (result i32) (call $f)))
      (core instance $i (instantiate $n (with "" (instance $b))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


def core_arguments(count: int) -> str:
    return f"""(component
      (core module $m (func (export "f") (result i32) (i32.const 42)))
      (core instance $p (instantiate $m))
      (core module $n (import "{count - 1}" "f" (func $f (result i32))) (func (export "f") (result i32) (call $f)))
      (core instance $i (instantiate $n {repeat(count, lambda i: f'(with "{i}" (instance $p))')}))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


def arguments_text(count: int) -> str:
    return f"""(component
      (core module $m (func (export "f") (result i32) (i32.const 42)))
      (core instance $i (instantiate $m))
      (func $f (result u32) (canon lift (core func $i "f")))
      (component $c (import "x{count - 1}" (func $f (result u32))) (export "f" (func $f)))
      (instance $j (instantiate $c {repeat(count, lambda i: f'(with "x{i}" (func $f))')}))
      (export "f" (func $j "f")))"""


def options_text(each: int) -> str:
    """A lift with four options, one of them given so often."""
    options = f'(memory (core memory $i "m")) (realloc (core func $i "r")) {"string-encoding=utf8 " * each}'
    return f"""(component
      (core module $m (memory (export "m") 1)
        (func (export "f") (result i32) (i32.const 42))
        (func (export "post") (param i32))
        (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $m))
      (func (export "f") (result u32) (canon lift (core func $i "f") {options} (post-return (core func $i "post")))))"""


def lists_text(depth: int) -> str:
    return imported("(type $t0 (list u8))" + repeat(depth, lambda i: f"(type $t{i + 1} (list $t{i}))"), f"$t{depth}")


def instances_text(depth: int) -> str:
    nested = repeat(
        depth,
        lambda i: f'(type $i{i + 1} (instance (alias outer 1 $i{i} (type $a)) (export "x" (instance (type $a)))))',
    )
    return guest("", around=f'(type $i0 (instance)) {nested} (import "y" (instance (type $i{depth})))')


def large_type(tuples: int, name: str = "x") -> str:
    return imported(f"(type $t (tuple {'u8 ' * 998})) (type $u (tuple {'$t ' * tuples}))", "$u").replace(
        '(import "x"', f'(import "{name}"'
    )


def second_text(text: str) -> str:
    return text.replace('"f"', '"g"')


def named_text(keyword: str, item: Callable[[int], str], count: int) -> str:
    return imported(f'(type $d ({keyword} {repeat(count, item)})) (import "t" (type $t (eq $d)))', "$t")


def used_globals(count: int) -> str:
    """All of them exported from the core module, and so alive as long as it is."""
    every = repeat(count, lambda i: f"(drop (global.get {i}))")
    return twice("(global (mut i32) (i32.const 1))" * count, f"{every} (i32.const 21)")


def used_data(count: int) -> str:
    """Passive segments, each named by code."""
    every = repeat(count, lambda i: f"(data.drop {i})")
    return twice(f'(memory 1) {"""(data "*")""" * count} (func $drop {every})', "(call $drop) (i32.const 21)")


def imported_instances(count: int) -> str:
    return f"""(component {repeat(count, lambda i: f'(import "x{i}" (instance))')}
      (core module $m (func (export "f") (result i32) (i32.const 42)))
      (core instance $i (instantiate $m))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


# --- values that cross ------------------------------------------------------------------------------------------------
def flat_text(count: int) -> str:
    """A tuple of u8, flat or not: the sum of all that arrive is 42 in either form."""
    values = repeat(count, lambda i: f"(i32.const {42 if i == count - 1 else 0})")
    if count <= 16:
        core, call, body = "i32 " * count, f"(call $g {values})", f"(local.get {count - 1})"
    else:
        core = "i32"
        call = f"(i32.store8 (i32.const {64 + count - 1}) (i32.const 42)) (call $g (i32.const 64))"
        body = f"(i32.load8_u offset={count - 1} (local.get 0))"
    return crossing("", f"(tuple {'u8 ' * count})", core, call, body, result="u32", core_result="i32")


def result_text(count: int) -> str:
    """A result of so many bytes: one is a core value, two come through memory."""
    if count == 1:
        return crossing(
            "", "u8", "i32", "(call $g (i32.const 42))", "(local.get 0)", result="(tuple u8)", core_result="i32"
        )
    call = "(call $g (i32.const 42) (i32.const 64)) (i32.load8_u (i32.const 65))"
    body = "(i32.store8 offset=33 (i32.const 0) (local.get 0)) (i32.const 32)"
    text = crossing("", "u8", "i32", call, body, result="(tuple u8 u8)", core_result="i32")
    return text.replace(
        '(import "" "g" (func $g (param i32) (result i32)))', '(import "" "g" (func $g (param i32 i32)))'
    )


def long_text(type: str, encoding: str, length: int) -> str:
    """A list or a string of that length, all zeros, over the whole of a large memory; the callee says 42."""
    pages = (1 << 28) // 65536 + 1
    call = f"(call $g (i32.const 64) (i32.const {length}))"
    body = f"(i32.sub (local.get 1) (i32.const {length - 42}))"
    text = crossing("", type, "i32 i32", call, body, result="u32", core_result="i32", pages=(pages, pages))
    return text.replace("(memory (core", f"string-encoding={encoding} (memory (core") if encoding else text
