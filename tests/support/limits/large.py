"""Two components between which one very large value crosses; `f` says what arrived, as a checksum.

The sender's memory holds the value as the model of `canonical_model` stores it. The receiver walks a table of (offset,
size) pairs, made from the layout model of `tests.support.gen`, over what it got: two models that know nothing of each
other, and nothing of the code under test.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from tests.support.canonical_model import Heap, extent
from tests.support.gen.layout import (
    alignment,
    cases_of,
    discriminant_size,
    element_of,
    fields_of,
    flags_size,
    offsets,
    payload_offset,
    pointer_size,
    pointer_type,
    size,
)
from tests.support.gen.resolved import resolved
from tests.support.gen.types import STRING, Enum, Flags, ListOf, Option, Prim, Record, Result, TupleOf, Type, Variant

Where = Literal["param", "list", "result"]

IMAGE: Final = 0x1000
TABLE: Final = 0x40_0000
HEAP: Final = 0x80_0000
PAGES: Final = 0x100_0000 >> 16
Leaf = tuple[int, int, int]
"""(offset, bytes, their value)."""


@dataclass(frozen=True)
class Large:
    """type: of which the value is (for "list": of a list's elements); wide: caller's and callee's memory."""

    type: Type
    value: Any
    where: Where
    wide: tuple[bool, bool] = (False, False)

    @cached_property
    def crossing(self) -> Type:
        return ListOf(self.type) if self.where == "list" else self.type

    @cached_property
    def sender(self) -> tuple[bytes, int]:
        """The sender's memory from IMAGE on, and where in it (absolute) the value is, or its list's elements are."""
        wide = self.wide[self.where == "result"]
        heap = Heap(bytearray(TABLE), wide, IMAGE)
        node = resolved(self.type)
        elements = self.value if self.where == "list" else [self.value]
        stride, align = extent(node, wide)
        at = heap.alloc(stride * len(elements), align)
        for i, each in enumerate(elements):
            heap.store(node, each, at + i * stride)
        return bytes(heap.data[IMAGE : heap.next]), at

    @cached_property
    def leaves(self) -> list[Leaf]:
        wide = self.wide[self.where != "result"]
        elements = self.value if self.where == "list" else [self.value]
        stride, known = size(self.type, wide), Known(wide)
        return [leaf for i, each in enumerate(elements) for leaf in known.leaves(self.type, each, i * stride)]

    def expected(self) -> int:
        total = len(self.value) if self.where == "list" else 0
        for _, count, value in self.leaves:
            for byte in value.to_bytes(count, "little"):
                total = (total * 31 + byte) & 0xFFFF_FFFF
        return total


@dataclass(frozen=True)
class Known:
    """Where the values of types show in a memory. starts: of the payloads of variants, by the identity of the type."""

    wide: bool
    starts: dict[int, int] = field(default_factory=dict)

    def leaves(self, type: Type, value: Any, at: int) -> list[Leaf]:
        """The bytes in which a value shows, but for pointers: those depend on the receiver's allocator."""
        wide = self.wide
        if isinstance(type, Prim) and type != STRING:
            count = size(type, wide)
            return [(at, count, _bits(type, value) & ((1 << 8 * count) - 1))]
        if isinstance(type, Flags):
            return [(at, flags_size(type.count), value)]
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            placed = zip(fields, value, offsets(fields, wide), strict=True)
            return [leaf for t, v, o in placed for leaf in self.leaves(t, v, at + o)]
        if cases is not None:
            case, payload = value
            inner, found = cases[case], [(at, discriminant_size(len(cases)), case)]
            if inner is None:
                return found
            if id(type) not in self.starts:
                self.starts[id(type)] = payload_offset(cases, wide)
            return [*found, *self.leaves(inner, payload, at + self.starts[id(type)])]
        assert type == STRING or element_of(type) is not None
        assert alignment(type, wide) == pointer_size(wide)
        length = len(value.encode() if isinstance(value, str) else value)
        return [(at + pointer_size(wide), pointer_size(wide), length)]


def _bits(type: Prim, value: Any) -> int:
    if type.name in ("f32", "f64"):
        return int.from_bytes(struct.pack("<f" if type.name == "f32" else "<d", value), "little")
    return int(value)


@dataclass
class Names:
    """Definitions of the types that one component uses: the kinds that must have a name are imported or exported."""

    imported: bool
    lines: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    known: dict[int, str] = field(default_factory=dict)

    def use(self, type: Type) -> str:
        """What to write where the type is meant; `type` must live as long as this."""
        if isinstance(type, Prim):
            return type.name
        if id(type) not in self.known:
            text, number = self._text(type), len(self.known)
            self.known[id(type)] = f"$t{number}"
            if not isinstance(type, Record | Variant | Enum | Flags):
                self.lines.append(f"(type $t{number} {text})")
            elif self.imported:
                self.lines.append(f'(type $d{number} {text}) (import "t{number}" (type $t{number} (eq $d{number})))')
                self.named.append(f"t{number}")
            else:
                self.lines.append(f'(type $d{number} {text}) (export $t{number} "t{number}" (type $d{number}))')
                self.named.append(f"t{number}")
        return self.known[id(type)]

    def _text(self, type: Type) -> str:
        match type:
            case ListOf(element):
                return f"(list {self.use(element)})"
            case Record(fields):
                return "(record " + " ".join(f'(field "f{i}" {self.use(t)})' for i, t in enumerate(fields)) + ")"
            case TupleOf(fields):
                return f"(tuple {' '.join(map(self.use, fields))})"
            case Variant(cases):
                return "(variant " + " ".join(f'(case "c{i}" {self._maybe(t)})' for i, t in enumerate(cases)) + ")"
            case Enum(count) | Flags(count):
                word = "enum" if isinstance(type, Enum) else "flags"
                return f"({word} " + " ".join(f'"l{i}"' for i in range(count)) + ")"
            case Option(some):
                return f"(option {self.use(some)})"
            case Result(ok, error):
                return f"(result {self._maybe(ok)} {'' if error is None else f'(error {self.use(error)})'})"
        raise AssertionError(type)

    def _maybe(self, type: Type | None) -> str:
        return "" if type is None else self.use(type)


def composition(large: Large) -> str:
    caller, callee = (_side(large, receives) for receives in (large.where == "result", large.where != "result"))
    types, declared = Names(imported=False), Names(imported=True)
    reference = types.use(large.crossing)
    declared.use(large.crossing)
    signature = f"(result {reference})" if large.where == "result" else f'(param "x" {reference}) (result u32)'
    p, q = map(pointer_type, large.wide)
    at = large.sender[1]
    core = {"param": ("(param %) (result i32)"), "list": "(param % %) (result i32)"}
    lifted = "(result %)" if large.where == "result" else core[large.where]
    lowered = "(param %)" if large.where == "result" else core[large.where]
    body = {
        "param": "(call $sum (i32.const 0) (local.get 0))",
        "list": f"(call $sum ({'i32.wrap_i64 ' if large.wide[1] else ''}(local.get 1)) (local.get 0))"
        if large.wide[1]
        else "(call $sum (local.get 1) (local.get 0))",
        "result": f"({q}.const {at})",
    }[large.where]
    call = {
        "param": f"(call $g ({p}.const {at}))",
        "list": f"(call $g ({p}.const {at}) ({p}.const {len(large.value) if large.where == 'list' else 0}))",
        "result": f"(call $g ({p}.const {TABLE // 2})) (call $sum (i32.const 0) ({p}.const {TABLE // 2}))",
    }[large.where]
    options = '(memory (core memory $k "m")) (realloc (core func $k "r"))'
    links = " ".join(f'(with "{name}" (type $callee "{name}"))' for name in types.named)
    return f"""(component
      (component $callee
        {" ".join(types.lines)}
        (core module $m {callee} (func (export "g") {lifted.replace("%", q)} {body}))
        (core instance $k (instantiate $m))
        (func (export "g") {signature} (canon lift (core func $k "g") {options})))
      (component $caller
        {" ".join(declared.lines)}
        (import "g" (func $g {signature}))
        (core module $kit {caller})
        (core instance $k (instantiate $kit))
        (core func $g (canon lower (func $g) {options}))
        (core module $m (import "" "g" (func $g {lowered.replace("%", p)}))
          (import "k" "sum" (func $sum (param i32 {p}) (result i32)))
          (func (export "f") (result i32) {call}))
        (core instance $i (instantiate $m (with "" (instance (export "g" (func $g)))) (with "k" (instance $k))))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (instance $callee (instantiate $callee))
      (instance $caller (instantiate $caller {links} (with "g" (func $callee "g"))))
      (export "f" (func $caller "f")))"""


def _side(large: Large, receives: bool) -> str:
    """Memory with what the side begins with, an allocator that counts up, and the checksum."""
    wide = large.wide[receives == (large.where != "result")]
    p = pointer_type(wide)
    begin = "i64.const" if wide else "i32.const"
    if receives:
        pairs = b"".join(at.to_bytes(4, "little") + count.to_bytes(4, "little") for at, count, _ in large.leaves)
        data, count = f"(data ({begin} {TABLE}) {_quoted(pairs)})", len(large.leaves)
    else:
        data, count = f"(data ({begin} {IMAGE}) {_quoted(large.sender[0])})", 0
    address = "(i64.extend_i32_u (local.get $at))" if wide else "(local.get $at)"
    entry = "(i64.extend_i32_u (local.get $entry))" if wide else "(local.get $entry)"
    return f"""
    (memory (export "m") {"i64 " if wide else ""}{PAGES})
    {data}
    (global $heap (mut {p}) ({p}.const {HEAP}))
    (func (export "r") (param {p} {p} {p} {p}) (result {p})
      (global.set $heap ({p}.and
        ({p}.sub ({p}.add (global.get $heap) (local.get 2)) ({p}.const 1)) ({p}.sub ({p}.const 0) (local.get 2))))
      (global.get $heap)
      (global.set $heap ({p}.add (global.get $heap) (local.get 3))))
    (func $sum (export "sum") (param $total i32) (param $base {p}) (result i32)
      (local $entry i32) (local $at i32) (local $end i32)
      (local.set $entry (i32.const {TABLE}))
      (block $done (loop $next
        (br_if $done (i32.eq (local.get $entry) (i32.const {TABLE + 8 * count})))
        (local.set $at (i32.load {entry}))
        (local.set $end (i32.add (local.get $at) (i32.load offset=4 {entry})))
        (loop $bytes
          (local.set $total (i32.add
            (i32.mul (local.get $total) (i32.const 31))
            (i32.load8_u ({p}.add (local.get $base) {address}))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $bytes (i32.ne (local.get $at) (local.get $end))))
        (local.set $entry (i32.add (local.get $entry) (i32.const 8)))
        (br $next)))
      (local.get $total))"""


def _quoted(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:02x}" for byte in data) + '"'
