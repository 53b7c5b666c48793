"""WAVE text to engine values and back, over random types and by hand."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import component as wt

from meldpy.engine.config import plain_engine
from meldpy.engine.values import to_text, to_value
from meldpy.engine.wave import parse_call
from meldpy.errors import UsageError


def engine_type(wit: str) -> wt.ValType:
    """The engine's type for a parameter type in text; the engine makes such types only from components."""
    text = f"""(component (core module $m (memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 64))
        (func (export "f") (param i32) (result i32) (i32.const 0)))
      (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $mem))
      {wit}
      (func $f (param "x" $t) (param "pad" (tuple u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64 u64))
        (result (tuple u32 u32))
        (canon lift (core func $i "f") (memory $mem) (realloc (core func $i "r"))))
      (export "f" (func $f)))"""
    engine = plain_engine()
    store = wasmtime.Store(engine)
    instance = wt.Linker(engine).instantiate(store, wt.Component(engine, text))
    index = instance.get_export_index(store, "f")
    assert index is not None
    func = instance.get_func(store, index)
    assert func is not None
    params: list[tuple[str, wt.ValType]] = func.type(store).params
    return params[0][1]


def read(text: str, type_: wt.ValType) -> Any:
    name, trees = parse_call(f"f({text})")
    assert name == "f"
    assert trees is not None
    assert len(trees) == 1
    return to_value(trees[0], type_)


SCALARS = {
    "bool": st.booleans(),
    "u8": st.integers(0, 255),
    "s8": st.integers(-128, 127),
    "u16": st.integers(0, 65535),
    "s16": st.integers(-32768, 32767),
    "u32": st.integers(0, 2**32 - 1),
    "s32": st.integers(-(2**31), 2**31 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "s64": st.integers(-(2**63), 2**63 - 1),
    "f64": st.floats(),
    "f32": st.floats(width=32),
    "char": st.characters(exclude_categories=("Cs",)),
    "string": st.text(st.characters(exclude_categories=("Cs",))),
}


@pytest.fixture(scope="module", params=SCALARS)
def scalar(request: pytest.FixtureRequest) -> tuple[wt.ValType, st.SearchStrategy[Any]]:
    return engine_type(f"(type $t {request.param})"), SCALARS[request.param]


def test_scalars_round_trip(scalar: tuple[wt.ValType, st.SearchStrategy[Any]]) -> None:
    type_, values = scalar

    @given(values)
    def check(value: Any) -> None:
        back = read(to_text(value, type_), type_)
        if isinstance(value, float):
            bits = "<f" if isinstance(type_, wt.F32) else "<d"
            assert struct.pack(bits, back) == struct.pack(bits, value) or (math.isnan(back) and math.isnan(value))
        else:
            assert back == value

    check()


COMPOUND = [
    ("(type $t (list u8))", b"\x00\xff", "[0, 255]"),
    ("(type $t (list string))", ["a", '"\\\n\u202e'], r'["a", "\"\\\n\u{202e}"]'),
    ("(type $t (tuple u8 string))", (1, "x"), '(1, "x")'),
    ("(type $t (option u32))", None, "none"),
    ("(type $t (option u32))", 7, "some(7)"),
    ("(type $t (result u8 (error string)))", 1, "ok(1)"),
    ("(type $t (result u8 (error string)))", "no", 'err("no")'),
    ("(type $t (result))", wt.Variant("ok"), "ok"),
    ("(type $t (result))", wt.Variant("err"), "err"),
    ("(type $t (result u8 (error u16)))", wt.Variant("err", 9), "err(9)"),
    ("(type $t (option (option u8)))", wt.Variant("some", None), "some(none)"),
    ('(type $t (variant (case "a" u8) (case "b" u16) (case "none")))', wt.Variant("b", 3), "b(3)"),
    ('(type $t (variant (case "a" u8) (case "b" u16) (case "none")))', wt.Variant("none"), "%none"),
    ('(type $t (variant (case "n" u8) (case "s" string)))', "text", 's("text")'),
    ('(type $t (enum "true" "ok"))', "true", "%true"),
    ('(type $t (enum "red" "inf"))', "red", "red"),
    ('(type $t (flags "a" "b" "none"))', {"b", "none"}, "{b, %none}"),
    ('(type $t (flags "a"))', set(), "{}"),
]


@pytest.mark.parametrize(("wit", "value", "text"), COMPOUND, ids=[text for _, _, text in COMPOUND])
def test_compound_values_round_trip(wit: str, value: Any, text: str) -> None:
    prefix, _, rest = wit.partition("(type $t")
    exported = any(word in wit for word in ("variant", "enum", "flags"))
    type_ = engine_type(f'{prefix}(type $d{rest} (export $t "t" (type $d))' if exported else wit)
    assert to_text(value, type_) == text
    back = read(text, type_)
    if isinstance(value, wt.Variant):
        assert (back.tag, back.payload) == (value.tag, value.payload)
    else:
        assert back == value


RECORD = '(type $d (record (field "a" u8) (field "b" (option string)))) (export $t "t" (type $d))'


def test_records() -> None:
    type_ = engine_type(RECORD)
    value = read('{b: some("x"), a: 1}', type_)
    assert (value.a, value.b) == (1, "x")
    assert to_text(value, type_) == '{a: 1, b: some("x")}'
    assert read("{a: 1}", type_).b is None, "an option may be left out"
    for wrong in ("{a: 1, c: 2}", "{b: none}", "{a}", "[1]", "1"):
        with pytest.raises(UsageError):
            read(wrong, type_)


@pytest.mark.parametrize(
    ("wit", "text"),
    [
        ("u8", "256"),
        ("u8", "-1"),
        ("u8", "1.0"),
        ("u8", "1e2"),
        ("u8", '"1"'),
        ("bool", "1"),
        ("bool", "true(1)"),
        ("char", '"a"'),
        ("string", "'a'"),
        ("string", '"\\q"'),
        ("char", "'\\u{d800}'"),
        ("char", "'\\u{110000}'"),
        ("(list u8)", "(1)"),
        ("(tuple u8 u8)", "(1)"),
        ("(option u8)", "some"),
        ("(result u8)", "err(1)"),
        ("(list u8)", "[" * 200 + "]" * 200),
    ],
)
def test_values_that_do_not_fit(wit: str, text: str) -> None:
    with pytest.raises(UsageError):
        read(text, engine_type(f"(type $t {wit})"))


@pytest.mark.parametrize("text", ["f(", "f(1", "f(1,,2)", "f(1) 2", "f({a 1})", 'f("x)', "f(#)", "f('ab')", "f([1)"])
def test_text_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError):
        parse_call(text)


@given(st.text(alphabet="f()[]{},:%\"'\\u1-. e_nisome", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_call("f(" + text)
    except UsageError:
        return


def test_the_greatest_single_float_is_written_as_it_is_read() -> None:
    assert to_text(3.4028234663852886e38, wt.F32()) == "3.4028235e+38"
