"""Components that no engine takes, fused with `validate=False`: our own words for what is wrong, with its place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import meldpy
from meldpy.adapter.tasks.machinery import MOST_CALLERS, MOST_LIFTS, LiftNumber, Machinery
from meldpy.errors import LimitError, MeldError, ValidationError
from meldpy.kernel.chunks import _LARGEST_CHUNK, in_chunks
from meldpy.kernel.failures import Origin
from meldpy.model.component import Import, ImportSection, ValueDesc
from meldpy.model.extern import ExternName
from meldpy.model.ids import InstanceId, LiftId, ValueIndex
from meldpy.model.valtype import PrimValType
from meldpy.pipeline import FuseOptions
from meldpy.runtime.handles import MAX_RESOURCE_TYPES, end_tag
from meldpy.validation import _our_output
from tests.unit.resolver.build import graph_of_sections

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "fixtures" / "hello" / "app.wasm"

PAIR = '(core module $n (memory (export "f") 1)) (core instance $n (instantiate $n))'
RESOURCES = """(component
  (type $mine (resource (rep i32)))
  (core func $drop (canon resource.drop $mine))
  (core module $m (func (export "new") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (export $r "r" (type $mine))
  (func $new (result (own $r)) (canon lift (core func $i "new")))
  (export "[constructor]r" (func $new)))"""

CASES: dict[str, str] = {
    "type 0 is not a value type": '(component (type $f (func)) (import "a" (func (param "x" $f))))',
    "type 0 is not a function type": '(component (type $l (list u8)) (import "a" (func (type $l))))',
    "type 0 is not a component type": '(component (type $l (list u8)) (import "a" (component (type $l))))',
    "type 0 is not an instance type": '(component (type $l (list u8)) (import "a" (instance (type $l))))',
    "argument `a` is given twice": f"""(component {PAIR} (core module $m)
      (core instance (instantiate $m (with "a" (instance $n)) (with "a" (instance $n)))))""",
    "imports `a` `f` as core func, but it is a core memory": f"""(component {PAIR}
      (core module $m (import "a" "f" (func))) (core instance (instantiate $m (with "a" (instance $n)))))""",
    "imports `a` `g`, which no argument provides": f"""(component {PAIR}
      (core module $m (import "a" "g" (func))) (core instance (instantiate $m (with "a" (instance $n)))))""",
    "a component imports `r`, which no argument provides": """(component
      (component $c (import "r" (type (sub resource)))) (instance (instantiate $c)))""",
    "imports `r` as a resource type, but the argument is none": """(component
      (component $c (import "r" (type (sub resource)))) (type $l (list u8))
      (instance (instantiate $c (with "r" (type $l)))))""",
    "argument `t` is another kind of type than the importer declares": """(component
      (component $c (type $l (list u8)) (import "t" (type (eq $l)))) (type $r (resource (rep i32)))
      (instance (instantiate $c (with "t" (type $r)))))""",
    "argument `i` does not export `f`, which the importer declares": """(component
      (component $c (import "i" (instance (export "f" (func))))) (instance $i)
      (instance (instantiate $c (with "i" (instance $i)))))""",
    "a component imports `x`, which no argument provides": """(component
      (component $impl)
      (component $user (import "c" (component $c (import "x" (func)))) (instance (instantiate $c)))
      (instance (instantiate $user (with "c" (component $impl)))))""",
    "exports func 7, which does not exist": """(component
      (core module $m (export "f" (func 7))) (core instance $i (instantiate $m))
      (alias core export $i "f" (core func $f)))""",
}


@pytest.mark.parametrize("words", CASES)
def test_it_is_told_in_our_words_too(words: str) -> None:
    with pytest.raises(MeldError) as caught:
        meldpy.fuse([CASES[words].encode()], FuseOptions(validate=False))
    assert words in caught.value.render()
    assert caught.value.location is not None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ValueDesc(ValueIndex(0), None), "`v` equals another value"),
        (ValueDesc(None, PrimValType.U8), "`v` is a value that the root component imports"),
    ],
)
def test_a_value_that_is_imported_is_told(value: ValueDesc, words: str) -> None:
    with pytest.raises(MeldError) as caught:
        graph_of_sections(ImportSection((Import(ExternName("v"), value),)))
    assert words in caught.value.render()
    assert caught.value.location is not None


def test_a_limit_that_only_the_whole_output_passes_is_no_defect_of_ours() -> None:
    with pytest.raises(LimitError, match="the fused component would pass a limit"), _our_output("component"):
        raise ValidationError("the component is invalid", causes=("memories count exceeds the limit of 100",))


def test_more_async_functions_than_there_are_numbers_for_are_told() -> None:
    full = SimpleNamespace(lifts=dict.fromkeys(range(MOST_LIFTS)))
    with pytest.raises(LimitError, match="async lifts are called inside"):
        Machinery.number(full, LiftId(-1), InstanceId(0), None)  # type: ignore[arg-type]
    lift = LiftNumber(0, InstanceId(0), None)
    lift.returns.extend([None] * MOST_CALLERS)  # type: ignore[list-item]
    with pytest.raises(LimitError, match="is called from more than"):
        Machinery.site(full, lift, None)  # type: ignore[arg-type]


def test_a_resource_types_name_cannot_be_changed_by_itself() -> None:
    with pytest.raises(MeldError, match="belongs to a resource type"):
        meldpy.fuse([RESOURCES.encode()], FuseOptions(renames=("[constructor]r=make",)))


def test_a_body_that_is_larger_than_any_chunk_is_told() -> None:
    length = _LARGEST_CHUNK * 5
    with pytest.raises(LimitError, match="function body too large"):
        in_chunks(length, 1, Origin("x.wasm", 0, ()), lambda *_: (0, 0))


def test_more_ends_than_there_are_numbers_for_are_told() -> None:
    with pytest.raises(LimitError, match="types"):
        end_tag(MAX_RESOURCE_TYPES, future=False, writable=False)


MODULES = {
    "the export `y` has an instance in an instance": (
        '(component (instance $a) (instance $b (export "x" (instance $a))) (export "y" (instance $b)))',
        {"core": True},
    ),
    "imported core module": (
        '(component (import "m" (core module $m (export "f" (func)))) (core instance $i (instantiate $m))'
        ' (func (export "f") (canon lift (core func $i "f"))))',
        {"flat": True},
    ),
    "exported core module": (
        '(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))'
        ' (func (export "f") (canon lift (core func $i "f"))) (export "m" (core module $m)))',
        {"core": True},
    ),
}


@pytest.mark.parametrize("words", MODULES)
def test_what_a_core_module_cannot_have_at_its_edge_is_told(words: str) -> None:
    text, options = MODULES[words]
    with pytest.raises(MeldError, match=words):
        meldpy.fuse([text.encode()], FuseOptions(**options))  # type: ignore[arg-type]
