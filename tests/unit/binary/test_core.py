"""Core modules: exact round trips of every section, what decoding gives, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.errors import DecodeError
from meldpy.model.core import (
    FUNCREF,
    AbsHeapType,
    Code,
    ConstOp,
    CoreFuncType,
    CoreModule,
    CoreSort,
    Limits,
    NumType,
    Op,
    PlacedCustom,
    RawCustom,
    RefType,
    SegmentMode,
    SubType,
)

HEADER = b"\0asm\x01\0\0\0"
FUNC_ITEMS = RefType(False, AbsHeapType.FUNC)

TEXTS = {
    "empty": "(module)",
    "functions": """(module (import "a" "f" (func (param i32) (result i64 f32)))
        (func (export "g") (result i32) i32.const 1) (func $start) (start $start))""",
    "types": """(module (type (func)) (rec (type (func))) (rec (type $s (sub (struct (field i8) (field (mut i16)
        (ref null $s))))) (type (sub final $s (struct (field i8) (field (mut i16)) (field (ref null $s))))))
        (type (array (mut v128))) (type (func (param anyref eqref i31ref structref arrayref exnref (ref func)
        (ref null extern) nullref nullfuncref nullexternref nullexnref))) (rec))""",
    "tables": """(module (table 1 funcref) (table 0 10 externref) (table i64 1 funcref)
        (table 2 (ref func) (ref.func 0)) (func))""",
    "memories": """(module (memory 1) (memory 1 2) (memory i64 1 5) (memory 1 2 shared) (memory i64 1 2 shared)
        (memory 1 (pagesize 1)) (memory 0 65536 (pagesize 65536)))""",
    "tags": """(module (tag (param i32)) (import "a" "t" (tag (param f64))) (export "t" (tag 0)) (global i32
        (i32.const 0)))""",
    "globals": """(module (import "a" "g" (global i32)) (import "a" "m" (global (mut i64)))
        (global i32 (i32.add (global.get 0) (i32.mul (i32.const -7) (i32.sub (i32.const 1) (i32.const 2)))))
        (global (mut i64) (i64.const 0x7fffffffffffffff)) (global f32 (f32.const nan:0x200000))
        (global f64 (f64.const -1.5)) (global v128 (v128.const i32x4 1 2 3 4))
        (global externref (ref.null extern)) (global funcref (ref.func 0)) (func))""",
    "gc constants": """(module (type $s (struct (field i32))) (type $a (array i32)) (type $f (func))
        (global (ref $s) (struct.new $s (i32.const 1))) (global (ref $s) (struct.new_default $s))
        (global (ref $a) (array.new $a (i32.const 1) (i32.const 2)))
        (global (ref $a) (array.new_default $a (i32.const 2)))
        (global (ref $a) (array.new_fixed $a 2 (i32.const 1) (i32.const 2)))
        (global i31ref (ref.i31 (i32.const 5))) (global (ref null $f) (ref.null $f))
        (global anyref (any.convert_extern (ref.null extern)))
        (global externref (extern.convert_any (ref.null any))))""",
    "elements": """(module (table $t 10 funcref) (table $u 10 externref) (func $f)
        (elem (i32.const 0) $f) (elem (table $u) (i32.const 0) externref (ref.null extern))
        (elem (table 0) (i32.const 1) func $f $f) (elem func $f) (elem declare func $f)
        (elem (i32.const 0) funcref (ref.func $f) (ref.null func)) (elem externref (ref.null extern))
        (elem declare funcref (ref.func $f)))""",
    "data": """(module (memory 1) (memory 1) (data (i32.const 0) "abc") (data (memory 1) (i32.const 8) "d")
        (data "passive") (data (i32.const 3)) (func (memory.init 2 (i32.const 0) (i32.const 0) (i32.const 1))))""",
    "names": """(module $m (func $f (param $p i32) (local $l i64)) (memory $mem 1) (table $t 1 funcref)
        (global $g i32 (i32.const 0)) (type $ty (func)) (data $d "x") (elem $e func) (tag $tag))""",
    "customs": """(module (@custom "first" (before first) "1") (func) (@custom "middle" (after func) "2")
        (@producers (language "wat" "1") (processed-by "a" "2") (processed-by "b" "3")) (@custom "last" "3"))""",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_round_trips_exactly(name: str) -> None:
    data = bytes(wat2wasm(TEXTS[name]))
    module = decode_module(data, name)
    assert encode_module(module) == data
    assert (module.offset, module.size) == (0, len(data))


def _module(name: str) -> CoreModule:
    return decode_module(bytes(wat2wasm(TEXTS[name])), name)


def test_limits_keep_what_was_written() -> None:
    found = [memory.limits for memory in _module("memories").memories]
    assert found == [
        Limits(1),
        Limits(1, 2),
        Limits(1, 5, is64=True),
        Limits(1, 2, shared=True),
        Limits(1, 2, is64=True, shared=True),
        Limits(1, page_size_log2=0),
        Limits(0, 65536, page_size_log2=16),
    ]


def test_rec_groups_keep_their_form() -> None:
    types = _module("types").types
    assert [(len(group.types), group.explicit) for group in types] == [
        (1, False),
        (1, True),
        (2, True),
        (1, False),
        (1, False),
        (0, True),
    ]
    assert types[0].types == (SubType(CoreFuncType((), ())),)
    first, second = types[2].types
    assert (first.final, first.supertypes) == (False, ())
    assert (second.final, second.supertypes) == (True, (2,))


def test_constant_expressions_are_instructions() -> None:
    module = _module("globals")
    assert module.globals[0].init == (
        ConstOp(Op.GLOBAL_GET, 0),
        ConstOp(Op.I32_CONST, -7),
        ConstOp(Op.I32_CONST, 1),
        ConstOp(Op.I32_CONST, 2),
        ConstOp(Op.I32_SUB),
        ConstOp(Op.I32_MUL),
        ConstOp(Op.I32_ADD),
    )
    assert module.globals[2].init == (ConstOp(Op.F32_CONST, bytes.fromhex("0000a07f")),)
    assert module.globals[5].init == (ConstOp(Op.REF_NULL, AbsHeapType.EXTERN),)
    assert _module("gc constants").globals[4].init[2] == ConstOp(Op.ARRAY_NEW_FIXED, (1, 2))


def test_element_segments_tell_their_forms() -> None:
    segments = _module("elements").elements
    assert [(s.mode, s.expressions, s.table, s.element) for s in segments] == [
        (SegmentMode.ACTIVE, False, 0, FUNC_ITEMS),
        (SegmentMode.ACTIVE, True, 1, RefType(True, AbsHeapType.EXTERN)),
        (SegmentMode.ACTIVE, False, 0, FUNC_ITEMS),
        (SegmentMode.PASSIVE, False, None, FUNC_ITEMS),
        (SegmentMode.DECLARATIVE, False, None, FUNC_ITEMS),
        (SegmentMode.ACTIVE, True, 0, FUNCREF),
        (SegmentMode.PASSIVE, True, None, RefType(True, AbsHeapType.EXTERN)),
        (SegmentMode.DECLARATIVE, True, None, FUNCREF),
    ]
    assert segments[5].items == ((ConstOp(Op.REF_FUNC, 0),), (ConstOp(Op.REF_NULL, AbsHeapType.FUNC),))


def test_bodies_and_data_are_slices_of_the_input() -> None:
    data = bytes(wat2wasm(TEXTS["data"]))
    module = decode_module(data, "data")
    assert isinstance(module.code.bodies, memoryview)
    assert module.code.bodies.obj is data
    assert data[module.code.offset : module.code.offset + len(module.code.bodies)] == module.code.bodies
    assert [bytes(segment.data) for segment in module.data] == [b"abc", b"d", b"passive", b""]
    assert all(isinstance(s.data, memoryview) and s.data.obj is data for s in module.data)
    assert module.data_count == 4


def test_sections_record_empty_ones() -> None:
    data = HEADER + b"\x01\x01\x00" + b"\x0a\x01\x00" + b"\x0b\x01\x00"
    module = decode_module(data, "empty sections")
    assert module.sections == (1, 10, 11)
    assert encode_module(module) == data
    assert encode_module(replace(module, sections=())) == HEADER


def test_a_built_module_writes_what_is_not_empty_in_order() -> None:
    module = _module("data")
    assert encode_module(replace(module, sections=(), customs=())) == encode_module(replace(module, customs=()))


def test_customs_stay_where_they_are() -> None:
    data = HEADER + b"\0\x02\x01a" + b"\x01\x01\x00" + b"\0\x03\x01b!" + b"\0\x02\x01c" + b"\x03\x01\x00"
    module = decode_module(data, "customs")
    assert module.customs == (
        PlacedCustom(0, RawCustom("a", b"")),
        PlacedCustom(1, RawCustom("b", b"!")),
        PlacedCustom(1, RawCustom("c", b"")),
    )
    assert encode_module(module) == data


def test_offsets_are_those_of_the_file() -> None:
    data = bytes(wat2wasm(TEXTS["functions"]))
    module = decode_module(data, "functions", offset=1000)
    assert (module.offset, module.size) == (1000, len(data))
    with pytest.raises(DecodeError) as caught:
        decode_module(data[:-1], "functions", offset=1000)
    assert caught.value.location is not None
    assert caught.value.location.offset is not None
    assert 1000 < caught.value.location.offset < 1000 + len(data)


def test_many_functions_keep_their_types() -> None:
    funcs = tuple(index % 300 for index in range(50_000))
    module = CoreModule(funcs=funcs, code=Code(50_000, b"\x02\x00\x0b" * 50_000), sections=(3, 10))
    data = encode_module(module)
    assert decode_module(data, "many") == module


def _section(section_id: int, content: bytes) -> bytes:
    assert len(content) < 0x80
    return bytes((section_id, len(content))) + content


TYPE = _section(1, b"\x01\x60\0\0")

REFUSED = {
    "not a core module": (b"\0asm\x02\0\0\0", 0),
    "this is a component": (b"\0asm\x0d\0\x01\0", 0),
    "unknown section id 0x0e": (HEADER + b"\x0e\x00", 8),
    "section 1 is out of order or comes twice": (HEADER + TYPE + TYPE, 14),
    "section 2 is out of order": (HEADER + _section(3, b"\0") + _section(2, b"\0"), 11),
    "section 13 is out of order": (HEADER + _section(6, b"\0") + _section(13, b"\0"), 11),
    "section has 9 bytes, 1 remain": (HEADER + b"\x01\x09\x00", 10),
    "1 bytes too many at the end of section 1": (HEADER + _section(1, b"\0\0"), 11),
    "1 functions are declared, 0 have a body": (HEADER + TYPE + _section(3, b"\x01\0"), 18),
    "0 functions are declared, 1 have a body": (HEADER + _section(10, b"\x01\x02\0\x0b"), 14),
    "function body has 9 bytes, 2 remain": (HEADER + _section(10, b"\x01\x09\0\x0b"), 12),
    "data count section says 1, there are 0": (HEADER + _section(12, b"\x01"), 11),
    "unknown composite type 0x5d": (HEADER + _section(1, b"\x01\x5d\0"), 11),
    "unknown composite type 0x65": (HEADER + _section(1, b"\x01\x65\x60\0\0"), 11),
    "unknown reference type 0x40": (HEADER + _section(1, b"\x01\x60\x01\x40\0"), 13),
    "unknown heap type 0x40": (HEADER + _section(1, b"\x01\x60\x01\x64\x40\0"), 14),
    "2 supertypes, more than 1": (HEADER + _section(1, b"\x01\x50\x02\0\0\x60\0\0"), 12),
    "unknown limits flags 0x10": (HEADER + _section(5, b"\x01\x10\0"), 11),
    "unknown limits flags 0x02": (HEADER + _section(4, b"\x01\x70\x02\0"), 12),
    "page size 2^64 is too large": (HEADER + _section(5, b"\x01\x08\0\x40"), 13),
    "101 memories, more than 100": (HEADER + _section(5, b"\x65"), 10),
    "tag attribute must be 0x00, not 0x01": (HEADER + _section(13, b"\x01\x01\0"), 11),
    "unknown mutability 0x02": (HEADER + _section(6, b"\x01\x7f\x02\x41\0\x0b"), 12),
    "instruction 0x20 is not allowed in a constant expression": (HEADER + _section(6, b"\x01\x7f\0\x20\0\x0b"), 13),
    "instruction 0xfb 256 is not": (HEADER + _section(6, b"\x01\x7f\0\xfb\x80\x02\x0b"), 13),
    "instruction expected": (HEADER + _section(6, b"\x01\x7f\0\x41\0"), 15),
    "unknown kind of import or export 0x7f": (HEADER + _section(2, b"\x01\x01a\0\x7f\0"), 14),
    "unknown flags 0x8 of an element segment": (HEADER + _section(9, b"\x01\x08"), 11),
    "element kind must be 0x00, not 0x01": (HEADER + _section(9, b"\x01\x01\x01\0"), 12),
    "unknown flags 0x3 of a data segment": (HEADER + _section(11, b"\x01\x03\0"), 11),
    "data segment has 5 bytes, 1 remain": (HEADER + _section(11, b"\x01\x01\x05a"), 13),
    "a table's 0x40 must be 0x00": (HEADER + _section(4, b"\x01\x40\x01\x70\0\0"), 12),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_malformed_modules_are_refused_with_reason_and_place(reason: str) -> None:
    data, offset = REFUSED[reason]
    with pytest.raises(DecodeError) as caught:
        decode_module(data, "bad.wasm")
    assert reason in caught.value.reason
    assert caught.value.location is not None
    assert (caught.value.location.source, caught.value.location.offset) == ("bad.wasm", offset)


def test_imported_and_defined_memories_share_a_limit() -> None:
    imports = b"\x01" + b"\x00\x00\x02\x00\x00"
    data = HEADER + _section(2, imports) + b"\x05\xc9\x01\x64" + b"\x00\x00" * 100
    with pytest.raises(DecodeError, match="101 memories, more than 100"):
        decode_module(data, "memories")


def test_exports_name_their_sort() -> None:
    (export,) = _module("tags").exports
    assert (export.name, export.sort, export.index) == ("t", CoreSort.TAG, 0)


def test_padded_integers_come_out_minimal() -> None:
    padded = HEADER + b"\x01\x84\x80\x80\x80\x00\x01\x60\x00\x00"
    module = decode_module(padded, "padded")
    assert encode_module(module) == HEADER + b"\x01\x04\x01\x60\x00\x00"
    assert module.types[0].types[0].comp == CoreFuncType((), ())
    assert NumType.I32.value == 0x7F
