"""Modules with every instruction of core WebAssembly in them, assembled from text by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import wasmtime

from meldpy.model.reindexed import IndexCounts, IndexMaps
from tests.support.core_instructions import INSTRUCTIONS

SPACES = ("type", "func", "table", "memory", "global", "tag", "elem", "data")

_LEGACY = ("try", "catch", "rethrow", "delegate", "catch_all")
_WITHIN_OTHERS = ("else", "end")

_OPERANDS = {
    "throws": "",
    "callref": "",
    "type": "$sig",
    "func:call": "$callee",
    "func:ref": "$nop",
    "table:call": "$table",
    "table:read": "$table",
    "table:write": "$other",
    "memory:read": "$n",
    "memory:write": "$n",
    "memarg:read": "$n offset=300",
    "memarg:write": "$m offset=3",
    "global:get": "$g",
    "global:set": "$g",
    "tag": "$tag",
    "elem": "$elem",
    "data": "$data",
    "local": "200",
    "label": "0",
    "labels": "0 0 0",
    "field": "0",
    "length": "3",
    "types": "(result i32)",
    "lane": "1",
    "lanes16": " ".join(str(31 - i) for i in range(16)),
    "i32": "-123456",
    "i64": "-8000000000000000000",
    "f32": "1.5",
    "f64": "-0x1.23456789abcdep3",
    "v128": "i64x2 0x1122334455667788 0x99aabbccddeeff00",
    "heap": "$struct",
    "zero": "",
}

_TEXTS = {
    "block": "block (type $sig) unreachable end",
    "loop": "loop (type $sig) unreachable end",
    "if": "if (type $sig) unreachable else unreachable end",
    "call_indirect": "call_indirect $table (type $sig)",
    "return_call": "return_call $nop",
    "return_call_indirect": "return_call_indirect $table (type $void)",
    "return_call_ref": "return_call_ref $void",
    "try_table": "block (result i32) try_table (result i32) (catch $tag 0) (catch_all 1) unreachable end end",
    "br_on_non_null": "block (result (ref func)) unreachable br_on_non_null 0 unreachable end",
    "ref.test": "ref.test (ref $struct)",
    "ref.test_null": "ref.test (ref null $array)",
    "ref.cast": "ref.cast (ref $array)",
    "ref.cast_null": "ref.cast (ref null i31)",
    "br_on_cast": "block (result anyref) unreachable br_on_cast 0 anyref (ref $struct) unreachable end",
    "br_on_cast_fail": "block (result anyref) unreachable br_on_cast_fail 0 structref (ref $struct) unreachable end",
    "table.init": "table.init $other $elem",
    "memory.init": "memory.init $n $data",
    "memory.copy": "memory.copy $n $m",
    "table.copy": "table.copy $other $table",
    "array.new_data": "array.new_data $bytes $data",
    "array.init_data": "array.init_data $bytes $data",
    "array.new_elem": "array.new_elem $refs $elem",
    "array.init_elem": "array.init_elem $refs $elem",
    "array.copy": "array.copy $array $array",
}

_MORE = (
    "i32.const 0 i32.const 63 i32.const 64 i32.const -64 i32.const -65 i32.const 0x7fffffff i32.const 0x80000000",
    "i64.const 0 i64.const 0x7fffffffffffffff i64.const 0x8000000000000000 i64.const -1",
    "block unreachable end block (result i32) unreachable end block (result (ref null $struct)) unreachable end",
    "block (result externref) unreachable end block (result (ref any)) unreachable end",
    "block (result v128) unreachable end",
    "block (result (ref null $struct)) unreachable br_on_cast_fail 0 (ref null $struct) (ref $struct) unreachable end",
    "select (result (ref null $array))",
    "select (result funcref)",
    "ref.null func ref.null extern ref.null any ref.null none ref.null nofunc ref.null noextern ref.null exn",
    "ref.null eq ref.null i31 ref.null struct ref.null array ref.null noexn ref.null $sig",
    "block (result i32 exnref) try_table (catch_ref $tag 0) unreachable end unreachable end",
    "block (result exnref) try_table (catch_all_ref 0) (catch_all 1) unreachable end unreachable end",
    "i32.load $m i32.load8_u $n offset=0xffffffff align=1 i64.load $m offset=128 align=4 i64.store $n offset=127",
    "i64.load $wide offset=0xfffffffffffffff0 i64.atomic.rmw.add $wide offset=0x100000000",
    "br_table " + " 0" * 300,
)

_LEGACY_MORE = (
    "try i32.const 1 drop catch $tag drop rethrow 0 catch_all end",
    "try (result i32) try (result i32) i32.const 1 delegate 0 catch_all i32.const 2 end drop",
)

_LOCALS = "(local i32 i32 i64) (local funcref) (local (ref null $struct)) (local v128) (local (ref null extern)) " + (
    "(local i32)" * 200
)


def _text(name: str, immediates: tuple[str, ...]) -> str:
    if name in _TEXTS:
        return _TEXTS[name]
    operands = [_OPERANDS[word] for word in immediates]
    if immediates[:1] == ("type",):
        if name.startswith("struct"):
            operands[0] = "$packed" if name.endswith(("_s", "_u")) else "$struct"
        elif name.startswith("array"):
            operands[0] = "$bytes" if name.endswith(("_s", "_u")) else "$array"
    return " ".join([name, *operands])


def instruction_texts() -> list[tuple[str, str]]:
    """(name, text of some instructions with that one among them) for all that the engine validates."""
    return [
        (instruction.name, _text(instruction.name, instruction.immediates))
        for instruction in INSTRUCTIONS.values()
        if instruction.name not in (*_LEGACY, *_WITHIN_OTHERS)
    ]


@dataclass(frozen=True)
class Sample:
    module: bytes
    count: int
    bodies: bytes


def code_section(module: bytes) -> tuple[int, bytes]:
    """(count, bodies) of a core module's code section."""
    position = 8
    while True:
        section = module[position]
        size, start = _leb(module, position + 1)
        if section == 10:
            count, first = _leb(module, start)
            return count, module[first : start + size]
        position = start + size


def code_bodies(bodies: bytes) -> list[bytes]:
    """The bodies of a code section, without the sizes in front."""
    found = []
    position = 0
    while position < len(bodies):
        size, start = _leb(bodies, position)
        position = start + size
        found.append(bodies[start:position])
    return found


def _leb(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def assemble(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


@cache
def sample(extra: int, *, legacy: bool = False) -> Sample:
    """Every instruction in a function of its own, with `extra` unused items in front of every index space.

    The bodies of those extra functions are left out of `bodies` and `count`.
    """
    texts = list(_LEGACY_MORE) if legacy else [*(text for _, text in instruction_texts()), *_MORE]
    functions = "\n".join(f"(func {_LOCALS} unreachable {text} unreachable)" for text in texts)
    module = assemble(f"""(module
        {"(type (func))" * extra}
        (type $void (func)) (type $sig (func (param i32) (result i32)))
        (type $struct (struct (field (mut i32)))) (type $packed (struct (field (mut i8))))
        (type $array (array (mut i32))) (type $bytes (array (mut i8))) (type $refs (array (mut funcref)))
        {"(func (type $void))" * extra}
        (func $nop (type $void)) (func $callee (type $sig) unreachable)
        {"(table 1 funcref)" * extra} (table $table 1 funcref) (table $other 1 funcref)
        {"(memory 1)" * extra} (memory $m 1) (memory $n 1) (memory $wide i64 1)
        {"(global i32 (i32.const 1))" * extra} (global $g (mut i32) (i32.const 1))
        {"(tag)" * extra} (tag $tag (param i32))
        {"(elem func)" * extra} (elem $elem func $nop $callee)
        {'(data "")' * extra} (data $data "abc")
        {functions})""")
    count, bodies = code_section(module)
    return Sample(module, count - extra, bodies[3 * extra :])


def counts(extra: int) -> IndexCounts:
    """The sizes of the sample's index spaces; types and functions are a bound."""
    return IndexCounts(40 + extra, 1000 + extra, 2 + extra, 3 + extra, 1 + extra, 1 + extra, 1 + extra, 1 + extra)


def shift(by: int) -> dict[str, list[int]]:
    """Maps from the sample with 0 extra items to that with `by`."""
    spaces = counts(0)
    return {
        space: list(range(by, by + getattr(spaces, name)))
        for space, name in zip(
            SPACES, ("types", "funcs", "tables", "memories", "globals", "tags", "elems", "data"), strict=True
        )
    }


def index_maps(maps: dict[str, list[int]]) -> IndexMaps:
    return IndexMaps(*(maps[space] for space in SPACES))


@cache
def full_engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_wide_arithmetic = True
    config.wasm_threads = True
    config.wasm_relaxed_simd = True
    config.wasm_memory64 = True
    config.wasm_gc = True
    config.wasm_exceptions = True
    config.wasm_function_references = True
    return wasmtime.Engine(config)
