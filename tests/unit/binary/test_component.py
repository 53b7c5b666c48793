"""Components: exact round trips of every section and definition, what decoding gives, and what it refuses."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component, is_component, is_module
from meldpy.binary.encode import encode_component
from meldpy.errors import DecodeError
from meldpy.model.component import (
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    CoreInlineExports,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleSection,
    CustomSection,
    Export,
    ExportSection,
    FuncDesc,
    ImportSection,
    InstanceSection,
    InstanceTypeDef,
    OuterAlias,
    Sort,
    SortIndex,
    StartSection,
    TypeDecl,
    TypeSection,
    ValueSection,
)
from meldpy.model.core import RawCustom
from meldpy.model.extern import Attributes, ExternName
from meldpy.model.valtype import PrimValType

HEADER = b"\0asm\x0d\0\x01\0"

TEXTS = {
    "empty": "(component)",
    "a lifted function": """(component
        (core module $m (memory (export "mem") 1) (data (i32.const 0) "x")
          (func (export "f") (param i32 i32) (result i32) unreachable)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "post") (param i32)))
        (core instance $i (instantiate $m))
        (alias core export $i "mem" (core memory $mem)) (alias core export $i "realloc" (core func $realloc))
        (alias core export $i "post" (core func $post))
        (func (export "f") (param "s" string) (result string)
          (canon lift (core func $i "f") (memory $mem) (realloc $realloc) (post-return $post)
            string-encoding=latin1+utf16)))""",
    "a lowered import": """(component
        (import "wasi:io/streams@0.2.0" (instance $i (export "s" (type $s (sub resource)))
          (export "f" (func (param "s" (borrow $s)) (result (own $s))))))
        (core func $f (canon lower (func $i "f")))
        (alias export $i "s" (type $s))
        (core func $drop (canon resource.drop $s))
        (core module $m (import "a" "f" (func (param i32) (result i32))) (import "a" "d" (func (param i32))))
        (core instance (instantiate $m (with "a" (instance (export "f" (func $f)) (export "d" (func $drop)))))))""",
    "resources": """(component
        (core module $m (func (export "dtor") (param i32)) (func (export "new") (param i32) (result i32) unreachable))
        (core instance $i (instantiate $m))
        (alias core export $i "dtor" (core func $dtor))
        (type $r (resource (rep i32) (dtor $dtor)))
        (type $plain (resource (rep i32)))
        (core func (canon resource.new $r)) (core func (canon resource.rep $r)) (core func (canon resource.drop $r))
        (export $out "r" (type $r))
        (func (export "[constructor]r") (param "x" u32) (result (own $out)) (canon lift (core func $i "new"))))""",
    "nested components": """(component $outer
        (core module $m) (type $t (list u8))
        (component $c
          (import "m" (core module $x)) (core instance (instantiate $x))
          (alias outer $outer $t (type $u)) (alias outer $outer $m (core module $n))
          (component $d (alias outer $outer $m (core module))) (export "d" (component $d)))
        (instance $i (instantiate $c (with "m" (core module $m))))
        (alias export $i "d" (component $d))
        (instance $j (export "c" (component $d)) (export "t" (type $t)))
        (export "i" (instance $i)) (export "m" (core module $m)))""",
    "component and instance types": """(component
        (type $c (component (core type (module)) (type $t (record (field "a" u8)))
          (import "x" (func (param "t" bool))) (import "m" (core module (import "a" "b" (func)) (export "c" (func))))
          (import "i" (instance (export "r" (type (sub resource))))) (export "t2" (type (eq $t)))
          (export "c" (component))))
        (type (instance (type $t (enum "a" "b")) (export "e" (type $e (eq $t))) (export "f" (func (result $e)))
          (export "i" (instance (export "deep" (func async))))))
        (import "c" (component (type $c))))""",
    "value types": """(component
        (type (record (field "a" bool) (field "b" s8) (field "c" u8) (field "d" s16) (field "e" u16)))
        (type $v (variant (case "a" s32) (case "b") (case "c" u32)))
        (type (list $v)) (type (list u8 4)) (type (tuple s64 u64 f32 f64 char string)) (type (flags "a" "b"))
        (type (enum "x" "y")) (type (option $v)) (type (result)) (type (result u8)) (type (result (error u8)))
        (type (result u8 (error u16))) (type (map string u8)) (type (stream)) (type (stream u8)) (type (future))
        (type (future $v)) (type error-context) (type u8) (type (func)) (type (func (param "a" u8) (result $v)))
        (type (func async (param "a" $v))))""",
    "core types": """(component
        (core type (func (param i32))) (core type (sub (struct))) (core type (sub final 1 (struct)))
        (core rec (type (func)) (type (array i8)))
        (core type (module (type $t (func)) (type (sub (struct))) (import "a" "b" (func (type $t)))
          (import "a" "m" (memory 1 2)) (import "a" "t" (table 1 funcref)) (import "a" "g" (global (mut i64)))
          (import "a" "e" (tag)) (alias outer 1 0 (type)) (export "f" (func (type $t))) (export "m" (memory 1)))))""",
    "async built-ins": """(component
        (core module $mem (memory (export "m") 1) (table (export "t") 1 funcref)) (core instance $i (instantiate $mem))
        (alias core export $i "m" (core memory $m)) (alias core export $i "t" (core table $t))
        (type $s (stream u8)) (type $f (future u8)) (core type $ft (func (param i32)))
        (core func (canon task.return (result u8) (memory $m))) (core func (canon task.return))
        (core func (canon task.cancel)) (core func (canon subtask.cancel)) (core func (canon subtask.cancel async))
        (core func (canon subtask.drop)) (core func (canon backpressure.inc)) (core func (canon backpressure.dec))
        (core func (canon context.get i32 0)) (core func (canon context.set i32 1))
        (core func (canon stream.new $s)) (core func (canon stream.read $s async (memory $m)))
        (core func (canon stream.write $s (memory $m))) (core func (canon stream.cancel-read $s async))
        (core func (canon stream.cancel-write $s)) (core func (canon stream.drop-readable $s))
        (core func (canon stream.drop-writable $s)) (core func (canon future.new $f))
        (core func (canon future.read $f async (memory $m))) (core func (canon future.write $f (memory $m)))
        (core func (canon future.cancel-read $f)) (core func (canon future.cancel-write $f async))
        (core func (canon future.drop-readable $f)) (core func (canon future.drop-writable $f))
        (core func (canon error-context.new (memory $m))) (core func (canon error-context.drop))
        (core func (canon waitable-set.new)) (core func (canon waitable-set.drop)) (core func (canon waitable.join))
        (core func (canon thread.index)) (core func (canon thread.new-indirect $ft $t))
        (core func (canon thread.resume-later)) (core func (canon thread.suspend)) (core func (canon thread.yield)))""",
    "custom sections": """(component (@custom "first" "1") (type u8) (@custom "last" "2"))""",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_round_trips_exactly(name: str) -> None:
    data = bytes(wat2wasm(TEXTS[name]))
    assert encode_component(decode_component(data, name)) == data


def _decode(name: str) -> Component:
    return decode_component(bytes(wat2wasm(TEXTS[name])), name)


def test_sections_are_in_the_order_of_the_bytes() -> None:
    kinds = [type(section) for section in _decode("a lifted function").sections]
    assert kinds[:3] == [CoreModuleSection, CoreInstanceSection, AliasSection]
    assert kinds[-3:] == [CanonSection, ExportSection, CustomSection]


def test_core_instances_tell_instantiation_from_inline_exports() -> None:
    found = [
        item for s in _decode("a lowered import").sections if isinstance(s, CoreInstanceSection) for item in s.items
    ]
    assert found == [
        CoreInlineExports((("f", SortIndex(Sort.CORE_FUNC, 0)), ("d", SortIndex(Sort.CORE_FUNC, 1)))),
        CoreInstantiate(0, (("a", 0),)),
    ]


def test_outer_aliases_count_scopes() -> None:
    (nested,) = [s for s in _decode("nested components").sections if isinstance(s, ComponentSection)]
    outer = [
        item
        for section in nested.component.sections
        if isinstance(section, AliasSection)
        for item in section.items
        if isinstance(item, OuterAlias)
    ]
    assert outer == [OuterAlias(Sort.TYPE, 1, 0), OuterAlias(Sort.CORE_MODULE, 1, 0)]


def test_nested_parts_know_their_whole_file_offsets() -> None:
    data = bytes(wat2wasm(TEXTS["nested components"]))
    component = decode_component(data, "nested")
    (module,) = [s.module for s in component.sections if isinstance(s, CoreModuleSection)]
    assert data[module.offset : module.offset + 8] == b"\0asm\x01\0\0\0"
    assert data[module.offset - 2 : module.offset] == bytes((1, module.size))
    (nested,) = [s for s in component.sections if isinstance(s, ComponentSection)]
    assert nested.offset == nested.component.offset
    assert data[nested.offset : nested.offset + 8] == HEADER
    (inner,) = [s for s in nested.component.sections if isinstance(s, ComponentSection)]
    assert data[inner.offset : inner.offset + 8] == HEADER
    for section in component.sections:
        if isinstance(section, InstanceSection):
            assert len(section.offsets) == len(section.items)
            assert all(data[offset] in (0x00, 0x01) for offset in section.offsets)


def test_items_are_located() -> None:
    component = decode_component(HEADER + b"\x07\x05\x02\x70\x7d\x6b\x00", "types")
    (section,) = component.sections
    assert isinstance(section, TypeSection)
    assert section.offsets == (11, 13)


def test_the_three_name_forms_and_attribute_order_round_trip() -> None:
    attributes = b"\x02\x01a\x03" + b"\x02\x01x" + b"\x00\x03n:p" + b"\x01\x02.1"
    data = _section(10, b"\x03" + b"\x00\x01a\x01\x00" + b"\x01\x01b\x01\x00" + attributes + b"\x01\x00")
    component = decode_component(data, "names")
    assert encode_component(component) == data
    (section,) = component.sections
    assert isinstance(section, ImportSection)
    names = [item.name for item in section.items]
    assert names == [
        ExternName("a"),
        ExternName("b", Attributes(1)),
        ExternName("a", Attributes(2, "n:p", ".1", "x", (2, 0, 1))),
    ]


def test_exports_may_be_ascribed_a_type() -> None:
    data = _section(11, b"\x02" + b"\x00\x01a\x01\x00\x00" + b"\x00\x01b\x01\x00\x01\x01\x05")
    component = decode_component(data, "exports")
    assert encode_component(component) == data
    (section,) = component.sections
    assert isinstance(section, ExportSection)
    item = SortIndex(Sort.FUNC, 0)
    assert section.items == (Export(ExternName("a"), item), Export(ExternName("b"), item, FuncDesc(5)))


def test_values_and_starts_are_kept() -> None:
    data = HEADER + b"\x0c\x06\x02\x7d\x01\x2a\x05\x00" + b"\x09\x05\x07\x02\x00\x01\x03"
    component = decode_component(data, "values")
    assert encode_component(component) == data
    values, start = component.sections
    assert isinstance(values, ValueSection)
    assert [(value.type, value.data) for value in values.items] == [(PrimValType.U8, b"\x2a"), (5, b"")]
    assert isinstance(start, StartSection)
    assert (start.start.func, start.start.args, start.start.results) == (7, (0, 1), 3)


def test_custom_sections_stay_slices() -> None:
    data = HEADER + b"\x00\x0a\x04name\x01\x02\x03\x04\x05"
    (section,) = decode_component(data, "custom").sections
    assert isinstance(section, CustomSection)
    assert section.section == RawCustom("name", b"\x01\x02\x03\x04\x05")
    assert isinstance(section.section.data, memoryview)
    assert section.section.data.obj is data
    assert section.offset == 10


def test_large_type_indices_in_value_types_are_signed() -> None:
    data = HEADER + b"\x07\x04\x01\x70\xc0\x00"
    component = decode_component(data, "index 64")
    assert encode_component(component) == data


def test_preambles_are_told_apart() -> None:
    assert is_component(HEADER)
    assert not is_component(b"\0asm\x01\0\0\0")
    assert not is_component(b"\0asm")
    assert is_module(memoryview(b"\0asm\x01\0\0\0"))


def test_a_core_module_is_refused_with_advice() -> None:
    with pytest.raises(DecodeError, match="core module, not a component") as caught:
        decode_component(b"\0asm\x01\0\0\0", "core.wasm")
    assert caught.value.remedy is not None
    assert "wasm-tools component new" in caught.value.remedy


def _nested_components(levels: int) -> bytes:
    data = HEADER
    for _ in range(levels - 1):
        size = len(data)
        data = HEADER + b"\x04" + bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14)) + data
    return data


def _nested_types(levels: int) -> bytes:
    body = b"\x42\x01\x01" * (levels - 1) + b"\x42\x00"
    size = len(body) + 1
    return HEADER + b"\x07" + bytes((size & 0x7F | 0x80, size >> 7)) + b"\x01" + body


def test_nesting_is_bounded() -> None:
    assert decode_component(_nested_components(100), "deep")
    with pytest.raises(DecodeError, match="component is nested more than 100 levels deep"):
        decode_component(_nested_components(101), "too deep")
    component = decode_component(_nested_types(99), "deep")
    assert encode_component(component)[10:] == _nested_types(99)[10:]
    (section,) = component.sections
    assert isinstance(section, TypeSection)
    (outermost,) = section.items
    assert isinstance(outermost, InstanceTypeDef)
    assert isinstance(outermost.decls[0], TypeDecl)
    with pytest.raises(DecodeError, match="instance type is nested more than 100 levels deep"):
        decode_component(_nested_types(5000), "too deep")


def test_definitions_per_component_are_bounded() -> None:
    module = b"\x01\x08\0asm\x01\0\0\0"
    assert decode_component(HEADER + module * 1000, "many")
    with pytest.raises(DecodeError, match="1001 core modules in one component, more than 1000"):
        decode_component(HEADER + module * 1001, "too many")


def _section(section_id: int, content: bytes) -> bytes:
    assert len(content) < 0x80
    return HEADER + bytes((section_id, len(content))) + content


REFUSED = {
    "does not begin with \\0asm": (b"(component)", 0),
    "unknown WebAssembly version: 0c 00 01 00": (b"\0asm\x0c\0\x01\0", 4),
    "unknown WebAssembly version: 0d 00": (b"\0asm\x0d\0", 4),
    "unknown section id 0x0d": (_section(13, b""), 8),
    "not a core module of version 1": (_section(1, b"\0asm\x0d\0\x01\0"), 10),
    "not a component of version 0x0d, layer 1": (_section(4, b"\0asm\x01\0\0\0"), 10),
    "unknown core instance 0x02": (_section(2, b"\x01\x02"), 11),
    "sort of a core instantiation argument must be 0x12": (_section(2, b"\x01\x00\x00\x01\x00\x00\x00"), 15),
    "unknown core sort 0x10": (_section(2, b"\x01\x01\x01\x00\x10\x00"), 14),
    "unknown instance 0x02": (_section(5, b"\x01\x02"), 11),
    "unknown alias target 0x03": (_section(6, b"\x01\x01\x03\x00\x00"), 12),
    "unknown sort 0x06": (_section(6, b"\x01\x06\x00\x00\x00"), 11),
    "outer aliases cannot have the sort func": (_section(6, b"\x01\x01\x02\x00\x00"), 11),
    "export aliases cannot have the sort core func": (_section(6, b"\x01\x00\x00\x00\x00\x01a"), 11),
    "core export aliases cannot have the sort func": (_section(6, b"\x01\x01\x01\x00\x01a"), 11),
    "sort core func is not possible here": (_section(10, b"\x01\x00\x01a\x00\x00\x00"), 14),
    "unknown type 0x6c": (_section(7, b"\x01\x6c\x00"), 11),
    "unknown value type 0x40": (_section(7, b"\x01\x70\x40"), 12),
    "no record fields": (_section(7, b"\x01\x72\x00"), 12),
    "no flags": (_section(7, b"\x01\x6e\x00"), 12),
    "33 flags, more than 32": (_section(7, b"\x01\x6e\x21" + b"\x00" * 33), 12),
    "a list of fixed length 0": (_section(7, b"\x01\x67\x7d\x00"), 13),
    "the byte behind a case must be 0x00": (_section(7, b"\x01\x71\x01\x01a\x00\x01"), 16),
    "number of results must be 0x00": (_section(7, b"\x01\x40\x00\x01\x01"), 14),
    "unknown result list 0x02": (_section(7, b"\x01\x40\x00\x02"), 13),
    "unknown declarator 0x03": (_section(7, b"\x01\x42\x01\x03\x00\x01a\x01\x00"), 13),
    "unknown declarator 0x05": (_section(7, b"\x01\x41\x01\x05"), 13),
    "unknown destructor 0x02": (_section(7, b"\x01\x3f\x7f\x02"), 13),
    "a zero byte stands before something else": (_section(3, b"\x01\x00\x60\x00\x00"), 12),
    "target of an alias in a module type must be 0x01": (_section(3, b"\x01\x50\x01\x02\x10\x00\x00\x00"), 15),
    "unknown composite type 0x02": (_section(3, b"\x01\x50\x01\x01\x02"), 14),
    "unknown canonical definition 0x07": (_section(8, b"\x01\x07"), 11),
    "sort of a lifted item must be 0x00": (_section(8, b"\x01\x00\x01\x00\x00\x00"), 12),
    "unknown canonical option 0x0a": (_section(8, b"\x01\x01\x00\x00\x01\x0a\x00"), 15),
    "11 canonical options, more than 10": (_section(8, b"\x01\x01\x00\x00\x0b" + b"\x00" * 11), 14),
    "unknown flag of a built-in 0x02": (_section(8, b"\x01\x06\x02"), 12),
    "unknown name form 0x03": (_section(10, b"\x01\x03\x01a\x01\x00"), 11),
    "unknown attribute 0x03": (_section(10, b"\x01\x02\x01a\x01\x03\x00\x01\x00"), 15),
    "attribute 0x00 comes twice": (_section(10, b"\x01\x02\x01a\x02\x00\x00\x00\x00\x01\x00"), 17),
    "name is not valid UTF-8": (_section(10, b"\x01\x00\x02a\xff\x01\x00"), 14),
    "unknown type bound 0x02": (_section(10, b"\x01\x00\x01a\x03\x02"), 15),
    "unknown ascribed type 0x02": (_section(11, b"\x01\x00\x01a\x01\x00\x02"), 16),
    "1001 start results, more than 1000": (_section(9, b"\x00\x00\xe9\x07"), 12),
    "value has 2 bytes, 1 remain": (_section(12, b"\x01\x7d\x02\x00"), 13),
    "2 bytes too many at the end of section 7": (_section(7, b"\x00\x00\x00"), 11),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_malformed_components_are_refused_with_reason_and_place(reason: str) -> None:
    data, offset = REFUSED[reason]
    with pytest.raises(DecodeError) as caught:
        decode_component(data, "bad.wasm")
    assert reason in caught.value.reason
    assert caught.value.location is not None
    assert (caught.value.location.source, caught.value.location.offset) == ("bad.wasm", offset)


def test_errors_inside_say_which_part() -> None:
    inner = _section(1, b"\0asm\x02\0\0\0")
    data = HEADER + b"\x04" + bytes([len(inner)]) + inner
    with pytest.raises(DecodeError) as caught:
        decode_component(data, "bad.wasm")
    assert caught.value.location is not None
    assert caught.value.location.path == ("component 0", "core module 0")
    assert caught.value.location.offset == 20
