"""Components of a given size, as text where that is quick enough and as bytes where it is not.

Each exports `f: func() -> u32`, which returns 42 if the thing that there are so many of does what it should.
"""

from __future__ import annotations

from collections.abc import Callable

from wasmtime import wat2wasm

MODULE, COMPONENT = b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"
F = '(func (export "f") (result u32) (canon lift (core func $i "f")))'


def repeat(count: int, item: Callable[[int], str]) -> str:
    return " ".join(map(item, range(count)))


def leb(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def sized(data: bytes) -> bytes:
    return leb(len(data)) + data


# --- core modules -----------------------------------------------------------------------------------------------------
def guest(fields: str, body: str = "(i32.const 42)", around: str = "") -> str:
    """A component with one module of these fields, whose `f` has this body; around: other items, behind all these."""
    return f"""(component
      (core module $m {fields} (func $f (export "f") (result i32) {body}))
      (core instance $i (instantiate $m))
      (func $f (export "f") (result u32) (canon lift (core func $i "f")))
      {around})"""


def around_module(module: bytes) -> bytes:
    """The component around a module, given as bytes, that exports `f`."""
    made = bytes(wat2wasm("(component (core module $m) (core instance $i (instantiate $m)))"))
    whole = bytes(wat2wasm(guest("")))
    assert made[8] == whole[8] == 1, "the module is the first section"
    return COMPONENT + b"\x01" + sized(module) + whole[10 + whole[9] :]


def module_with_body(body: bytes) -> bytes:
    """Just `f`, with a body given as bytes (locals and `end` included)."""
    sections = ((1, b"\x01\x60\x00\x01\x7f"), (3, b"\x01\x00"), (7, b"\x01\x01f\x00\x00"), (10, b"\x01" + sized(body)))
    return MODULE + b"".join(bytes([number]) + sized(data) for number, data in sections)


def core_count(section: int, count: int) -> bytes:
    """A module whose section claims so many items, and has none of them: enough to be refused for the number."""
    return around_module(MODULE + bytes([section]) + sized(leb(count)))


def component_count(section: int, count: int) -> bytes:
    return COMPONENT + bytes([section]) + sized(leb(count))


def twice(fields: str, body: str, count: int = 2) -> str:
    """`count` instances of one component with a module of these fields, whose results `f` adds up."""
    each = range(count)
    return f"""(component
      (component $c
        (core module $m {fields} (func (export "g") (result i32) {body}))
        (core instance $i (instantiate $m))
        (func (export "g") (result u32) (canon lift (core func $i "g"))))
      {" ".join(f"(instance $c{i} (instantiate $c))" for i in each)}
      {" ".join(f'(core func $l{i} (canon lower (func $c{i} "g")))' for i in each)}
      (core module $top
        {" ".join(f'(import "" "{i}" (func $g{i} (result i32)))' for i in each)}
        (func (export "f") (result i32) (i32.const 0) {" ".join(f"(i32.add (call $g{i}))" for i in each)}))
      (core instance $i (instantiate $top
        (with "" (instance {" ".join(f'(export "{i}" (func $l{i}))' for i in each)}))))
      {F})"""


# --- value types between two components ------------------------------------------------------------------------------
def crossing(
    definitions: str,
    type: str,
    params: str,
    call: str,
    body: str,
    *,
    result: str = "",
    core_result: str = "",
    pages: tuple[int, int] = (1, 1),
    heap: int = 1024,
) -> str:
    """A caller and a callee with `g: func(x: type) -> result`.

    definitions: of types, named ones included, in both components; params: core parameters of g on both sides; call:
    what the caller's `f` does, to call `$g`; body: the callee's. pages: of the memories of both; heap: what realloc
    gives. The caller's result pointer, if it needs one, is part of `params` by the name of the call only.
    """
    caller_pages, callee_pages = pages
    options = '(memory (core memory $k "m")) (realloc (core func $k "r"))'
    kit = '(func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const {heap}))'.replace("{heap}", str(heap))
    signature = f'(param "x" {type}) {f"(result {result})" if result else ""}'
    core = f"(param {params}) {f'(result {core_result})' if core_result else ''}"
    return f"""(component
      (component $callee
        {definitions}
        (core module $m (memory (export "m") {callee_pages}) {kit} (func (export "g") {core} {body}))
        (core instance $k (instantiate $m))
        (func (export "g") {signature} (canon lift (core func $k "g") {options})))
      (component $caller
        {definitions}
        (import "g" (func $g {signature}))
        (core module $kit (memory (export "m") {caller_pages}) {kit})
        (core instance $k (instantiate $kit))
        (core func $g (canon lower (func $g) {options}))
        (core module $m (import "" "m" (memory {caller_pages})) (import "" "g" (func $g {core}))
          (func (export "f") (result i32) {call}))
        (core instance $i (instantiate $m
          (with "" (instance (export "m" (memory $k "m")) (export "g" (func $g))))))
        {F})
      (instance $callee (instantiate $callee))
      (instance $caller (instantiate $caller (with "g" (func $callee "g"))))
      (export "f" (func $caller "f")))"""


def imported(definitions: str, type: str) -> str:
    """A component that imports a function with a parameter of this type, and does not call it."""
    return guest("", around=f'{definitions} (import "x" (func (param "p" {type})))')
