"""Strong uniqueness, beside what the engine says about two names in one scope."""

from __future__ import annotations

from itertools import combinations

import pytest
import wasmtime
from wasmtime import component

from meldpy.resolver.names import clash, strong

PLAIN = ["foo", "FOO", "f-oo", "foo-bar", "foobar", "fo-OB-ar", "foo-baz", "f1-2", "f12"]
INTERFACES = ["a:b/c", "a:b/C", "a:b/c-d", "a:b/cd", "a-x:b/c", "ax:b/c", "a:b/c@1.0.0", "a:b/C@1.0.0", "a:b/c@1.0.1",
              "a:b/c@1.0.0-rc", "a:b/c@1.0.0-RC"]  # fmt: skip
ANNOTATED = ["[constructor]r", "[method]r.a", "[static]r.A", "[method]r.a-b", "[static]r.ab", "[method]r.r",
             "[method]r.q", "[static]r.a-c", "a", "q", "ra"]  # fmt: skip


def engine_accepts(text: str) -> bool:
    try:
        component.Component(wasmtime.Engine(), text)
    except wasmtime.WasmtimeError as error:
        words = str(error)
    else:
        return True
    assert "conflicts with previous name" in words
    return False


@pytest.mark.parametrize(("a", "b"), list(combinations([*PLAIN, *INTERFACES], 2)))
def test_two_imports_are_unique_as_the_engine_has_it(a: str, b: str) -> None:
    text = f'(component (import "{a}" (instance)) (import "{b}" (instance)))'
    assert engine_accepts(text) == (strong(a) != strong(b))


@pytest.mark.parametrize(("a", "b"), list(combinations(ANNOTATED, 2)))
def test_two_annotated_names_are_unique_as_the_engine_has_it(a: str, b: str) -> None:
    def declared(name: str) -> str:
        result = "(result (own $t))" if name.startswith("[constructor]") else ""
        self_ = '(param "self" (borrow $t))' if name.startswith("[method]") else ""
        return f'(export "{name}" (func {self_} {result}))'

    text = f"""(component (import "i" (instance
      (export "r" (type $t (sub resource))) {declared(a)} {declared(b)})))"""
    unique = clash((name, None) for name in ("r", a, b)) is None
    assert engine_accepts(text) == unique


def test_names_that_the_format_does_not_structure_are_compared_whole() -> None:
    assert strong("url=<http://a-b>") != strong("url=<http://ab>")


def test_a_setter_is_not_its_getter() -> None:
    assert strong("[method][get]r.x") == strong("[method]r.x")
    assert strong("[method][set]r.x") not in (strong("[method]r.x"), strong("[constructor]r"))


def test_the_first_clash_is_found_with_what_belongs_to_it() -> None:
    assert clash([("a", 1), ("b-c", 2), ("BC", 3), ("A", 4)]) == (("b-c", 2), ("BC", 3))
    assert clash([("a", 1), ("b", 2)]) is None
