"""`inspect` as data: its documented form holds for every kind of file, and facts are those of the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

import meldpy
from meldpy.pipeline import FuseInput, FuseOptions
from meldpy.report.tree import Node
from tests.support.core_output import core_of
from tests.support.fixtures import ROOT, load

GREETER, APP = ROOT / "hello" / "greeter.wasm", ROOT / "hello" / "app.wasm"
LIFTED = """(component
  (core module $m (memory (export "mem") 1 3) (func (export "f") (param i32 i32))
    (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "s") (drop (i32.extend8_s (i32.const 0)))))
  (core instance $i (instantiate $m))
  (alias core export $i "mem" (core memory $mem))
  (func (param "s" string)
    (canon lift (core func $i "f") (memory $mem) (realloc (func $i "r")) string-encoding=utf16)))"""
INPUTS: dict[str, FuseInput | bytes] = {
    "input": FuseInput("app", "app.wasm", APP.read_bytes()),
    "text": LIFTED.encode(),
    "composition": (ROOT / "errand-wac" / "composed.wasm").read_bytes(),
    "fused": meldpy.fuse([GREETER, APP]).bytes,
    "with rest": meldpy.fuse([GREETER, APP], FuseOptions(keeps=("greeter",))).bytes,
    "core module": b"(module (memory 1) (func))",
    "core output": core_of(load("hello")),
    "async": (ROOT / "async-c" / "consumer.wasm").read_bytes(),
}


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def nodes(name: str, kind: str) -> list[Node]:
    return [node for node in walk(meldpy.inspect(INPUTS[name]).root) if node.kind == kind]


@pytest.mark.parametrize("name", INPUTS)
def test_the_json_form_fits_the_schema_that_is_shipped(name: str) -> None:
    schema = json.loads((files("meldpy.report") / "schemas/inspect-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    data = json.loads(json.dumps([meldpy.inspect(INPUTS[name]).data()]))
    Draft202012Validator(schema).validate(data)
    for wrong in ({"kind": "potato"}, {"bytes": -1}, {"schema": "meld-inspect-2"}, {"wit": 1}):
        assert not Draft202012Validator(schema).is_valid([{**data[0], **wrong}])


@pytest.mark.parametrize("name", INPUTS)
def test_what_has_a_size_is_no_larger_than_what_it_lies_in(name: str) -> None:
    for node in walk(meldpy.inspect(INPUTS[name]).root):
        if node.size is not None:
            assert sum(child.size or 0 for child in node.children) <= node.size


def test_kept_instances_are_components_inside() -> None:
    assert len(nodes("fused", "component")) == 1
    assert len(nodes("with rest", "component")) > 1


def test_canonical_options_are_told_by_name() -> None:
    (lift,) = nodes("text", "lift")
    assert dict(lift.facts) == {
        "of": "core func 0 (f)",
        "memory": "core memory 0 (mem)",
        "realloc": "core func 1 (r)",
        "encoding": "utf16",
    }


def test_numbers_are_positions_in_index_spaces_and_have_the_names_that_imports_and_exports_give() -> None:
    text = """(component
      (type u32) (type (record (field "a" u8))) (core type (func))
      (import "theirs" (type $theirs (sub resource)))
      (type $mine (resource (rep i32)))
      (export $shown "mine" (type $mine))
      (core func (canon resource.new $mine)) (core func (canon resource.drop $theirs))
      (core func (canon resource.rep $shown)))"""
    found = [node for node in walk(meldpy.inspect(text.encode()).root) if node.kind == "built-in"]
    assert [(node.label, node.facts["what"], node.facts["of"]) for node in found] == [
        ("0", "resource.new", "type 3"),
        ("1", "resource.drop", "type 2 (theirs)"),
        ("2", "resource.rep", "type 4 (mine)"),
    ]


def test_a_type_that_is_exponentially_large_as_a_tree_is_cut() -> None:
    types = "".join(f"(type $t{i} (tuple {f'$t{i - 1} ' * 30}))" for i in range(1, 12))
    found = meldpy.inspect(f'(component (type $t0 u8) {types} (import "f" (func (param "x" $t11))))'.encode())
    assert found.wit is not None
    assert "…);" in found.wit
    assert len(found.wit) < 20_000


def test_features_are_those_that_the_instructions_need() -> None:
    assert [node.facts["names"] for node in nodes("text", "features")] == [("sign-extension",)]
    assert ("async",) in [node.facts["names"] for node in nodes("async", "features")]
    assert nodes("core module", "features") == []


def test_producers_are_named_with_versions() -> None:
    named = [name for node in nodes("input", "producers") for name in node.facts["names"]]  # type: ignore[union-attr]
    assert any(str(name).startswith("wit-component 0.") for name in named)


def test_a_core_output_has_its_world_and_encoding() -> None:
    found = meldpy.inspect(INPUTS["core output"])
    assert found.root.kind == "core module"
    assert [node.label for node in nodes("core output", "string encoding")] == ["utf8"]
    assert found.wit is not None
    assert "export greet: func(name: string) -> string;" in found.wit


def test_a_plain_core_module_has_no_world() -> None:
    assert meldpy.inspect(INPUTS["core module"]).wit is None


def test_a_world_that_cannot_be_read_is_told_from_none() -> None:
    section = b'(@custom "component-type" "nonsense")'
    found = meldpy.inspect(b"(module " + section + b")")
    assert found.wit is None
    (what,) = [node.facts["what"] for node in walk(found.root) if node.kind == "world"]
    assert str(what).startswith("unknown, the input is neither")


def test_a_component_that_cannot_be_linked_is_shown_all_the_same() -> None:
    instantiates_what_is_not_there = b"\x05\x04\x01\x00\x07\x00"
    found = meldpy.inspect(b"\0asm\x0d\0\1\0" + instantiates_what_is_not_there)
    assert [node.kind for node in walk(found.root)][-1] == "resources"
    assert found.wit is None
