"""The two guests of a random test, as component text: a caller and a callee that do just what their memory says.

Both are the same kit around imported or exported functions; `web.py` makes compositions of more guests with it. A
guest's memory starts as its pattern and an image that the host loads; from it come the core arguments of a call
(caller), the core result (callee) and the moods of realloc. What arrives is written back: core values into their
slots, realloc, call and post-return events into a log. The host reads the whole memory at the end. Images travel as
latin1 strings through a relay with a memory of its own; so the outer boundary is crossed by strings only, whatever the
functions under test exchange.

Addresses: see the constants. Core arguments and the core result of a function have their place at its port; the two
guests have one port for all of them, as one call is made at a time. `Guest.wide` selects a 64-bit memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.support.gen.layout import core_result, flat_params, pointer_type, spills_params, spills_result
from tests.support.gen.types import EXPORTED, IMPORTED, Type, TypeText, has_pointer

PAGE: Final = 65536
DUMP_AREA, RELAY = 16, 64
"""Of the relay's memory: what `dump` returns, and where images lie."""
FAIL_AT: Final = 32
FAIL_VALUE: Final = 40
MOVES: Final = 48
GROWS_AT: Final = 56
ARGS: Final = 64
RESULT: Final = 208
PORT: Final = 160
"""Bytes of a port: the first is at `ARGS` and has its result at `RESULT`."""
LOG: Final = 2304
IMAGE: Final = 12288
HEAP: Final = 28672
"""Blocks of realloc lie from here on; the image ends before it."""
TOP: Final = 4096
"""Bytes at the end of a memory that realloc leaves to the image."""
EVENT: Final = 48
"""Bytes of a log entry: six 64-bit numbers."""
REALLOC, CALLED, POST_RETURN = 1, 2, 3

ENCODINGS: Final = ("utf8", "utf16", "latin1+utf16")


@dataclass(frozen=True, slots=True)
class Func:
    """One function between the guests. encodings: the caller's and the callee's; lean: no needless options."""

    params: tuple[Type, ...]
    result: Type | None
    encodings: tuple[str, str]
    post_return: bool
    lean: bool = False


@dataclass(frozen=True, slots=True)
class Guest:
    wide: bool
    pages: int
    pattern: int


def composition(funcs: list[Func], caller: Guest, callee: Guest) -> str:
    """A component that holds both and exports run0…, caller-load, caller-dump, callee-load, callee-dump."""
    callee_text, types = callee_component(funcs, callee)
    caller_text = caller_component(funcs, caller)
    links = [f'(with "{name}" (type $callee "{name}"))' for name in types]
    links += [f'(with "f{i}" (func $callee "f{i}"))' for i in range(len(funcs))]
    exports = [f'(export "run{i}" (func $caller "run{i}"))' for i in range(len(funcs))]
    for side in ("caller", "callee"):
        exports += [f'(export "{name}" (func ${side} "{name}"))' for name in (f"{side}-load", f"{side}-dump")]
    return f"""(component
  {callee_text}
  {caller_text}
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller {" ".join(links)}))
  {" ".join(exports)})"""


def callee_component(funcs: list[Func], guest: Guest) -> tuple[str, list[str]]:
    """The text, and the names of the types that it exports."""
    types = TypeText(EXPORTED)
    signatures = [signature_text(func, types) for func in funcs]
    cores = [callee_func(i, func, guest.wide) for i, func in enumerate(funcs)]
    lifts = []
    for i, func in enumerate(funcs):
        post = f'(post-return (core func $i "post{i}"))' if func.post_return else ""
        options = canon_options(func, guest.wide, "$i", lift=True)
        lifts.append(f'(func (export "f{i}") {signatures[i]} (canon lift (core func $i "f{i}") {options} {post}))')
    text = f"""(component $callee
    {" ".join(types.lines)}
    (core module $m {kit_text(guest)} {" ".join(cores)})
    (core instance $i (instantiate $m))
    (alias core export $i "mem" (core memory $mem))
    {" ".join(lifts)}
    {host_functions(guest, "$i", "callee")})"""
    return text, [*types.named.values()]


def caller_component(funcs: list[Func], guest: Guest) -> str:
    types = TypeText(IMPORTED)
    imports = []
    for i, func in enumerate(funcs):
        signature = signature_text(func, types)
        imports.append(f'(import "f{i}" (func $f{i} {signature}))')
    lowers = [
        f"(core func $l{i} (canon lower (func $f{i}) {canon_options(func, guest.wide, '$k', lift=False)}))"
        for i, func in enumerate(funcs)
    ]
    given = " ".join(f'(export "f{i}" (func $l{i}))' for i in range(len(funcs)))
    declared = "\n".join(core_import(i, func, guest.wide) for i, func in enumerate(funcs))
    runs = " ".join(run_func(i, outgoing(i, func, guest.wide)) for i, func in enumerate(funcs))
    lifts = " ".join(f'(func (export "run{i}") (canon lift (core func $i "run{i}")))' for i in range(len(funcs)))
    memory = f'(import "kit" "mem" (memory {"i64 " if guest.wide else ""}{guest.pages}))'
    return f"""(component $caller
    {" ".join(types.lines)}
    {" ".join(imports)}
    (core module $kit {kit_text(guest)})
    (core instance $k (instantiate $kit))
    (alias core export $k "mem" (core memory $mem))
    {" ".join(lowers)}
    (core module $m {memory} {declared} {runs})
    (core instance $i (instantiate $m (with "" (instance {given})) (with "kit" (instance $k))))
    {lifts}
    {host_functions(guest, "$k", "caller")})"""


def canon_options(func: Func, wide: bool, kit: str, lift: bool) -> str:
    """The canonical options but post-return; a lift allocates for its parameters, a lower for its result."""
    inward = func.params if lift else tuple(t for t in (func.result,) if t is not None)
    everything = [*func.params, *([] if func.result is None else [func.result])]
    spills = spills_params(func.params, wide) or spills_result(func.result, wide)
    realloc = any(map(has_pointer, inward)) or (lift and spills_params(func.params, wide))
    found = [f"string-encoding={func.encodings[lift]}"]
    if spills or any(map(has_pointer, everything)) or not func.lean:
        found.append("(memory $mem)")
    if realloc or not func.lean:
        found.append(f'(realloc (core func {kit} "realloc"))')
    return " ".join(found)


def signature_text(func: Func, types: TypeText) -> str:
    params = " ".join(f'(param "p{i}" {types.use(t)})' for i, t in enumerate(func.params))
    return params if func.result is None else f"{params} (result {types.use(func.result)})"


def host_functions(guest: Guest, kit: str, side: str) -> str:
    """`load` and `dump`, with options of their own."""
    return f"""{_relay(guest)}
    (core instance $r (instantiate $relay (with "kit" (instance {kit}))))
    (alias core export $r "relay-mem" (core memory $relay-mem))
    (func (export "{side}-load") (param "image" string)
      (canon lift (core func $r "load") string-encoding=latin1+utf16 (memory $relay-mem)
        (realloc (core func $r "boot"))))
    (func (export "{side}-dump") (result string)
      (canon lift (core func $r "dump") string-encoding=latin1+utf16 (memory $relay-mem)))"""


def kit_text(guest: Guest) -> str:
    """Memory, realloc with its log, and the host's functions."""
    p = pointer_type(guest.wide)

    def wide(name: str) -> str:
        return f"(local.get {name})" if guest.wide else f"(i64.extend_i32_u (local.get {name}))"

    copy = """(memory.copy (call $at (local.get $to)) (call $at (local.get $old)) (call $at
        (select (local.get $size) (local.get $new) (i64.lt_u (local.get $size) (local.get $new)))))"""
    pages = "(memory.size)" if guest.wide else "(i64.extend_i32_u (memory.size))"
    old, size, align, new = map(wide, ("$old", "$size", "$align", "$new"))
    return f"""
    (memory $mem (export "mem") {"i64 " if guest.wide else ""}{guest.pages})
    (global $heap (mut i64) (i64.const {HEAP}))
    (global $log (mut i64) (i64.const {LOG}))
    (global $calls (mut i64) (i64.const 0))
    (func $size (result i64) (i64.shl {pages} (i64.const 16)))
    (func $at (param i64) (result {p}) {"(local.get 0)" if guest.wide else "(i32.wrap_i64 (local.get 0))"})
    (func $log (export "log") (param i64 i64 i64 i64 i64 i64)
      (local $at {p})
      (if (i64.gt_u (i64.add (global.get $log) (i64.const {EVENT})) (i64.const {IMAGE})) (then unreachable))
      (local.set $at (call $at (global.get $log)))
      (global.set $log (i64.add (global.get $log) (i64.const {EVENT})))
      (i64.store (local.get $at) (local.get 0))
      (i64.store offset=8 (local.get $at) (local.get 1))
      (i64.store offset=16 (local.get $at) (local.get 2))
      (i64.store offset=24 (local.get $at) (local.get 3))
      (i64.store offset=32 (local.get $at) (local.get 4))
      (i64.store offset=40 (local.get $at) (local.get 5)))
    (func (export "realloc") (param $old {p}) (param $size {p}) (param $align {p}) (param $new {p}) (result {p})
      (local $to i64)
      (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
      (local.set $to (call $choose {old} {size} {align} {new}))
      (call $log (i64.const {REALLOC}) {old} {size} {align} {new} (local.get $to))
      (call $at (local.get $to)))
    (func $choose (param $old i64) (param $size i64) (param $align i64) (param $new i64) (result i64)
      (local $to i64)
      (if (i64.eq (global.get $calls) (i64.load offset={GROWS_AT} ({p}.const 0)))
        (then
          (global.set $heap (call $size))
          (drop (memory.grow ({p}.const 1)))))
      (if (i64.eq (global.get $calls) (i64.load offset={FAIL_AT} ({p}.const 0)))
        (then
          (local.set $to (i64.load offset={FAIL_VALUE} ({p}.const 0)))
          (if (i32.and (i64.lt_u (local.get $to) (i64.const {guest.pages * PAGE}))
                (i64.le_u (i64.add (local.get $to) (local.get $new)) (i64.const {guest.pages * PAGE})))
            (then {copy}))
          (return (local.get $to))))
      (if (i32.and (i32.and (i64.ne (local.get $size) (i64.const 0)) (i64.le_u (local.get $new) (local.get $size)))
            (i64.eqz (i64.load offset={MOVES} ({p}.const 0))))
        (then (return (local.get $old))))
      (local.set $to (i64.mul (i64.div_u
        (i64.sub (i64.add (global.get $heap) (local.get $align)) (i64.const 1)) (local.get $align))
        (local.get $align)))
      (if (i64.gt_u (i64.add (local.get $to) (local.get $new)) (i64.sub (call $size) (i64.const {TOP})))
        (then unreachable))
      (global.set $heap (i64.add (local.get $to) (local.get $new)))
      {copy}
      (local.get $to))
    (func (export "reset")
      (global.set $heap (i64.const {HEAP}))
      (global.set $log (i64.const {LOG}))
      (global.set $calls (i64.const 0))
      (memory.fill ({p}.const 0) (i32.const {guest.pattern}) ({p}.const {guest.pages * PAGE})))"""


def _relay(guest: Guest) -> str:
    """What the host calls: it has a 32-bit memory of its own, as engines lack strings in 64-bit ones at their edge."""
    i, pages = pointer_type(guest.wide), "(memory.size $guest)"
    if guest.wide:
        pages = f"(i32.wrap_i64 {pages})"
    return f"""(core module $relay
      (import "kit" "mem" (memory $guest {"i64 " if guest.wide else ""}{guest.pages}))
      (import "kit" "reset" (func $reset))
      (memory $own (export "relay-mem") {2 * guest.pages + 2})
      (func (export "boot") (param i32 i32 i32 i32) (result i32) (i32.const {RELAY}))
      (func (export "load") (param i32 i32)
        (call $reset)
        (memory.copy $guest $own ({i}.const 0) (local.get 0) (local.get 1)))
      (func (export "dump") (result i32)
        (local $size i32)
        (local.set $size (i32.shl {pages} (i32.const 16)))
        (i32.store $own (i32.const {DUMP_AREA}) (i32.const {RELAY}))
        (i32.store $own offset=4 (i32.const {DUMP_AREA}) (local.get $size))
        (memory.copy $own $guest (i32.const {RELAY}) ({i}.const 0) (local.get $size))
        (i32.const {DUMP_AREA})))"""


def callee_func(i: int, func: Func, wide: bool, port: int = 0, inside: str = "") -> str:
    """The exported core function f`i`, and post`i`; inside: what it does between taking its arguments and returning."""
    p, shift = pointer_type(wide), PORT * port
    params = flat_params(func.params, wide)
    stores = " ".join(
        f"({core}.store offset={ARGS + shift + 8 * n} ({p}.const 0) (local.get {n}))" for n, core in enumerate(params)
    )
    result = core_result(func.result, wide)
    declared = " ".join(["(param " + " ".join(params) + ")"] * bool(params) + [f"(result {result})"] * bool(result))
    text = f'(func (export "f{i}") {declared} {_event(CALLED, i)} {stores} {inside} '
    text += f"({result}.load offset={RESULT + shift} ({p}.const 0)))" if result else ")"
    if func.post_return:
        got = {
            None: "(i64.const 0)",
            "i32": "(i64.extend_i32_u (local.get 0))",
            "i64": "(local.get 0)",
            "f32": "(i64.extend_i32_u (i32.reinterpret_f32 (local.get 0)))",
            "f64": "(i64.reinterpret_f64 (local.get 0))",
        }[result]
        declared = f"(param {result})" if result else ""
        text += f'(func (export "post{i}") {declared} {_event(POST_RETURN, i, got)})'
    return text


def _event(kind: int, i: int, value: str = "(i64.const 0)") -> str:
    rest = "(i64.const 0) (i64.const 0) (i64.const 0)"
    return f"(call $log (i64.const {kind}) (i64.const {i}) {value} {rest})"


def lowered_params(func: Func, wide: bool) -> tuple[str, ...]:
    """The core parameters of the lowered function, with its result pointer."""
    params = flat_params(func.params, wide)
    return (*params, pointer_type(wide)) if spills_result(func.result, wide) else params


def lowered_result(func: Func, wide: bool) -> str | None:
    return None if spills_result(func.result, wide) else core_result(func.result, wide)


def core_import(i: int, func: Func, wide: bool) -> str:
    """The core import of lowered function `i`."""
    params, result = lowered_params(func, wide), lowered_result(func, wide)
    written = f"(param {' '.join(params)})" if params else ""
    return f'(import "" "f{i}" (func $f{i} {written} {f"(result {result})" if result else ""}))'


def outgoing(i: int, func: Func, wide: bool, port: int = 0) -> str:
    """A call of lowered function `i`, with what its port holds."""
    p, shift = pointer_type(wide), PORT * port
    loads = " ".join(
        f"({core}.load offset={ARGS + shift + 8 * n} ({p}.const 0))"
        for n, core in enumerate(lowered_params(func, wide))
    )
    result = lowered_result(func, wide)
    call = f"(call $f{i} {loads})"
    return f"({result}.store offset={RESULT + shift} ({p}.const 0) {call})" if result else call


def run_func(i: int, body: str) -> str:
    return f'(func (export "run{i}") {body})'
