"""Imports that stay open may use value types that another input provides: such a type is then imported as well."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.binary.decode import decode_component
from meldpy.model.component import Component, ExportDecl, ImportSection, InstanceTypeDef, TypeSection

PROVIDER = '(component (type $p {type}) (export "t" (type $p)))'
CONSUMER = """(component
  (type $p {type}) (import "t" (type $t (eq $p)))
  {between}
  (import "f" (func $f (param "x" {used}) (result {used})))
  (core module $kit (memory (export "m") 1)
    (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $k (instantiate $kit))
  (core func (canon lower (func $f) (memory (core memory $k "m")) (realloc (core func $k "r")))))"""


def imported(component: Component) -> list[str]:
    return [item.name.name for s in component.sections if isinstance(s, ImportSection) for item in s.items]


@pytest.mark.parametrize("type_", ['(flags "a" "b")', '(record (field "a" u8))', '(enum "a")', '(variant (case "a"))'])
@pytest.mark.parametrize(
    ("between", "used", "names"),
    [
        ("", "$t", ["t", "f"]),
        ('(import "u" (type $u (eq $t)))', "$u", ["t", "u", "f"]),
        ('(type $l (list $t)) (import "u" (type $u (eq $l)))', "$u", ["t", "u", "f"]),
    ],
    ids=["used", "renamed", "inside"],
)
def test_the_type_of_an_open_function_is_imported_too(type_: str, between: str, used: str, names: list[str]) -> None:
    """The fused component mentioned a type in an import that nothing had named: invalid, and an internal error."""
    consumer = CONSUMER.format(type=type_, between=between, used=used)
    inputs = [bytes(wat2wasm(text)) for text in (PROVIDER.format(type=type_), consumer)]
    assert imported(decode_component(meldpy.fuse(inputs).bytes, "fused")) == names


INTERFACE = """(component
  (type $p (record (field "a" u8)))
  (component $types (type $p (record (field "a" u8))) (export $t "t" (type $p)) (export "u" (type $t)))
  (instance $i (instantiate $types)) (export "demo:x/types" (instance $i)))"""
USER = """(component
  (import "demo:x/types" (instance $i
    (type $p (record (field "a" u8))) (export "t" (type $t (eq $p))) (export "u" (type (eq $t)))
    (export "r" (type (sub resource))) (export "make" (func (result $t)))))
  (alias export $i "t" (type $t))
  (import "f" (func $f (param "x" $t)))
  (core module $m (import "" "f" (func (param i32))))
  (core func $l (canon lower (func $f)))
  (core instance (instantiate $m (with "" (instance (export "f" (func $l)))))))"""


def test_a_type_of_a_provided_interface_is_imported_in_that_interface() -> None:
    """As WIT's `use` at the root of a world; the interface keeps nothing else. It was an internal error."""
    provider = INTERFACE.replace(
        '(export "u" (type $t))',
        """(export "u" (type $t))
        (type $r' (resource (rep i32))) (export "r" (type $r'))
        (core module $m (func (export "make") (result i32) i32.const 7)) (core instance $c (instantiate $m))
        (func (export "make") (result $t) (canon lift (core func $c "make")))""",
    )
    fused = decode_component(meldpy.fuse([bytes(wat2wasm(text)) for text in (provider, USER)]).bytes, "fused")
    assert imported(fused) == ["demo:x/types", "f"]
    [types] = [s for s in fused.sections if isinstance(s, TypeSection)][:1]
    [instance] = [item for item in types.items if isinstance(item, InstanceTypeDef)]
    assert [d.name.name for d in instance.decls if isinstance(d, ExportDecl)] == ["t", "u"]


def test_a_provided_type_that_no_open_import_uses_is_not_imported() -> None:
    consumer = '(component (type $p (enum "a")) (import "t" (type $t (eq $p))) (import "f" (func (param "x" u8))))'
    inputs = [bytes(wat2wasm(text)) for text in (PROVIDER.format(type='(enum "a")'), consumer)]
    assert imported(decode_component(meldpy.fuse(inputs).bytes, "fused")) == ["f"]
