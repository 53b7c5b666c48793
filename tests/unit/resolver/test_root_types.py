"""Types at the root of inputs: those that equal another are no demands, and stay only where something mentions them."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.engine.run import Environment, invoke
from meldpy.errors import LinkError
from meldpy.model.component import Component, ExportSection, ImportSection
from meldpy.pipeline import FuseInput, FuseOptions, fuse

TYPES = """(component
  (type $pen (resource (rep i32)))
  (type $pt (record (field "x" u32) (field "y" u32)))
  (core func $new (canon resource.new $pen))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) local.get 0 call $new)
    (func (export "width") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $make (param "w" u32) (result (own $pen)) (canon lift (core func $i "make")))
  (func $width (param "self" (borrow $pen)) (result u32) (canon lift (core func $i "width")))
  (component $names
    (import "pen" (type $r (sub resource)))
    (import "make" (func $make (param "w" u32) (result (own $r))))
    (import "width" (func $width (param "self" (borrow $r)) (result u32)))
    (type $p (record (field "x" u32) (field "y" u32)))
    (export "pt" (type $p))
    (export $pen "pen" (type $r))
    (export "[constructor]pen" (func $make) (func (param "w" u32) (result (own $pen))))
    (export "[method]pen.width" (func $width) (func (param "self" (borrow $pen)) (result u32))))
  (instance $names (instantiate $names (with "pen" (type $pen)) (with "make" (func $make))
    (with "width" (func $width))))
  (export "g:p/types" (instance $names)))"""

USE = """(import "g:p/types" (instance $types
    (export "pt" (type $pt' (eq $local-pt)))
    (export "pen" (type $pen' (sub resource)))
    (export "[constructor]pen" (func (param "w" u32) (result (own $pen'))))
    (export "[method]pen.width" (func (param "self" (borrow $pen')) (result u32)))))
  (alias export $types "pt" (type $types-pt)) (import "pt" (type $pt (eq $types-pt)))
  (alias export $types "pen" (type $types-pen)) (import "pen" (type $pen (eq $types-pen)))
  (type $dir' (enum "north" "south")) (import "dir" (type $dir (eq $dir')))
  (type $leg' (record (field "a" $pt) (field "d" $dir))) (import "leg" (type $leg (eq $leg')))"""
USE = '(type $local-pt (record (field "x" u32) (field "y" u32)))' + USE.replace(
    '(export "pt" (type $pt\' (eq $local-pt)))',
    '(alias outer 1 $local-pt (type $outer-pt)) (export "pt" (type $pt\' (eq $outer-pt)))',
)

LIB = f"""(component {USE}
  (core func $drop (canon resource.drop $pen))
  (core module $m (func (export "far") (param i32 i32 i32) (result i32)
      (i32.add (i32.mul (local.get 0) (i32.const 100))
        (i32.add (i32.mul (local.get 1) (i32.const 10)) (local.get 2))))
    (func (export "keep") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m))
  (func $far (param "l" $leg) (result u32) (canon lift (core func $i "far")))
  (func $keep (param "p" (own $pen)) (result (own $pen)) (canon lift (core func $i "keep")))
  (export "far" (func $far)) (export "keep" (func $keep)))"""

APP = f"""(component {USE}
  (import "far" (func $far (param "l" $leg) (result u32)))
  (import "keep" (func $keep (param "p" (own $pen)) (result (own $pen))))
  (alias export $types "[constructor]pen" (func $make)) (alias export $types "[method]pen.width" (func $width))
  (core func $far' (canon lower (func $far))) (core func $keep' (canon lower (func $keep)))
  (core func $make' (canon lower (func $make))) (core func $width' (canon lower (func $width)))
  (core module $m
    (import "" "far" (func $far (param i32 i32 i32) (result i32)))
    (import "" "keep" (func $keep (param i32) (result i32)))
    (import "" "make" (func $make (param i32) (result i32))) (import "" "width" (func $width (param i32) (result i32)))
    (func (export "run") (param i32 i32 i32) (result i32)
      (i32.add
        (call $far (local.get 0) (local.get 1) (local.get 2))
        (i32.mul (i32.const 1000) (call $width (call $keep (call $make (i32.const 7))))))))
  (core instance $i (instantiate $m (with "" (instance (export "far" (func $far')) (export "keep" (func $keep'))
    (export "make" (func $make')) (export "width" (func $width'))))))
  (func $run (param "l" $leg) (result u32) (canon lift (core func $i "run")))
  (export "run" (func $run)))"""


def fused(inputs: dict[str, str], **options: object) -> bytes:
    given = [FuseInput(name, f"{name}.wasm", bytes(wat2wasm(text))) for name, text in inputs.items()]
    return fuse(given, FuseOptions(**options)).bytes  # type: ignore[arg-type]  # each test names its options


def world(data: bytes) -> tuple[list[str], list[str]]:
    """The names of imports and of exports at the root."""
    component: Component = decode_component(data, "fused")
    imports = [item.name.name for s in component.sections if isinstance(s, ImportSection) for item in s.items]
    exports = [item.name.name for s in component.sections if isinstance(s, ExportSection) for item in s.items]
    return imports, exports


def called(data: bytes, call: str) -> str | None:
    outcome = invoke(data, (call.partition("(")[0],), call, Environment(("fused",)))
    return outcome.result or outcome.trap


# --- linked through ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", [("types", "lib", "app"), ("app", "lib", "types"), ("lib", "app", "types")])
def test_functions_over_used_types_link_in_any_order(order: tuple[str, ...]) -> None:
    texts = {"types": TYPES, "lib": LIB, "app": APP}
    data = fused({name: texts[name] for name in order})
    assert called(data, "run({a: {x: 2, y: 3}, d: south})") == "7231"
    assert world(data) == (["pt", "dir", "leg"], ["run"])


def test_types_that_nothing_mentions_are_no_imports_of_the_whole() -> None:
    app = APP.replace('(func $run (param "l" $leg)', '(func $run (param "x" u32) (param "y" u32) (param "d" u32)')
    data = fused({"types": TYPES, "lib": LIB, "app": app})
    assert world(data) == ([], ["run"])
    assert called(data, "run(1, 2, 1)") == "7121"


def test_a_resource_type_that_an_export_mentions_is_exported_where_it_is_defined() -> None:
    data = fused({"types": TYPES, "lib": LIB, "app": APP}, exports=("keep",))
    assert world(data) == (["pt", "dir", "leg"], ["g:p/types", "keep", "run"])


HOLDS = f"""(component {USE}
  (type $holder' (record (field "p" (own $pen)) (field "at" $pt)))
  (import "holder" (type $holder (eq $holder')))
  (core func $drop (canon resource.drop $pen))
  (core module $m (import "" "drop" (func $drop (param i32)))
    (func (export "take") (param i32 i32 i32) (result i32)
      (call $drop (local.get 0)) (i32.add (local.get 1) (local.get 2))))
  (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
  (func $take (param "h" $holder) (result u32) (canon lift (core func $i "take")))
  (func $many (param "h" (tuple $holder)) (result u32) (canon lift (core func $i "take")))
  (export "take" (func $take)) (export "many" (func $many)))"""


def test_a_record_with_a_handle_of_a_resource_inside_is_exported_by_its_name() -> None:
    data = fused({"types": TYPES, "holds": HOLDS})
    assert world(data) == (["pt"], ["g:p/types", "holder", "take", "many"])


def test_a_record_with_a_handle_stays_inside_where_another_input_takes_it() -> None:
    user = f"""(component {USE}
      (type $holder' (record (field "p" (own $pen)) (field "at" $pt)))
      (import "holder" (type $holder (eq $holder')))
      (import "take" (func $take (param "h" $holder) (result u32)))
      (alias export $types "[constructor]pen" (func $make))
      (core func $take' (canon lower (func $take))) (core func $make' (canon lower (func $make)))
      (core module $m (import "" "take" (func $take (param i32 i32 i32) (result i32)))
        (import "" "make" (func $make (param i32) (result i32)))
        (func (export "go") (result i32) (call $take (call $make (i32.const 1)) (i32.const 20) (i32.const 22))))
      (core instance $i (instantiate $m
        (with "" (instance (export "take" (func $take')) (export "make" (func $make'))))))
      (func (export "go") (result u32) (canon lift (core func $i "go"))))"""
    data = fused({"types": TYPES, "holds": HOLDS, "user": user})
    assert world(data) == ([], ["go"])
    assert called(data, "go()") == "42"


# --- no conflicts ------------------------------------------------------------------------------------------------
def exporter(name: str, type_: str, export: str, flat: str) -> str:
    """Exports one function over a type of its own, imported as `name`."""
    return f"""(component (type $t' {type_}) (import "{name}" (type $t (eq $t')))
      (core module $m (func (export "f") (param {flat}) (result i32) i32.const 1)) (core instance $i (instantiate $m))
      (func $f (param "x" $t) (result u32) (canon lift (core func $i "f"))) (export "{export}" (func $f)))"""


def test_unrelated_types_of_one_name_are_no_conflict_and_equal_ones_are_one() -> None:
    data = fused({
        "one": exporter("leg", '(record (field "a" u8))', "f", "i32"),
        "two": exporter("leg", '(record (field "b" u8))', "g", "i32"),
        "three": exporter("leg", '(record (field "a" u8))', "h", "i32"),
        "four": exporter("l-eg", '(enum "x")', "k", "i32"),
    })  # fmt: skip
    assert world(data) == (["leg", "leg-2", "l-eg-3"], ["f", "g", "h", "k"])


def test_a_type_gives_way_to_what_the_whole_imports_under_its_name() -> None:
    user = '(component (import "leg" (func (param "x" u8))) (import "LEG-2" (func)))'
    data = fused({"one": exporter("leg", '(record (field "a" u8))', "f", "i32"), "user": user})
    assert world(data) == (["leg", "LEG-2", "leg-3"], ["f"])


def test_another_input_that_exports_the_name_does_not_provide_the_type() -> None:
    provider = '(component (type $t (enum "z")) (export "leg" (type $t)))'
    data = fused({"one": exporter("leg", '(record (field "a" u8))', "f", "i32"), "other": provider})
    assert world(data) == (["leg"], ["f", "leg"])


# --- beside open imports -------------------------------------------------------------------------------------------
def importer(name: str, type_: str, function: str, flat: str = "i32") -> str:
    """Imports one function over a type of its own, imported as `name`, and calls it."""
    return f"""(component (type $t' {type_}) (import "{name}" (type $t (eq $t')))
      (import "{function}" (func $f (param "x" $t)))
      (core func $f' (canon lower (func $f)))
      (core module $m (import "" "f" (func (param {flat})))) (core instance $i
        (instantiate $m (with "" (instance (export "f" (func $f')))))))"""


def test_open_functions_over_unrelated_types_of_one_name_stay_apart() -> None:
    data = fused({
        "one": importer("leg", '(record (field "a" u8))', "f"),
        "two": importer("leg", '(record (field "b" u8))', "g"),
        "three": importer("leg", '(record (field "b" u8))', "h"),
    })  # fmt: skip
    assert world(data) == (["leg", "f", "leg-2", "g", "h"], [])


def test_an_open_import_and_an_export_share_one_name_of_their_type() -> None:
    data = fused({
        "one": importer("leg", '(record (field "a" u8))', "f"),
        "two": exporter("leg", '(record (field "a" u8))', "g", "i32"),
    })  # fmt: skip
    assert world(data) == (["leg", "f"], ["g"])


def test_an_open_import_of_a_resource_that_another_input_provides_is_refused() -> None:
    with pytest.raises(LinkError, match="`keep` is left to be imported, but uses resource types of `g:p/types`"):
        fused({"types": TYPES, "app": APP})


def test_an_open_function_keeps_the_interface_that_its_value_types_are_used_from() -> None:
    app = f"""(component {USE} (import "far" (func $far (param "l" $leg) (result u32)))
      (core func $f' (canon lower (func $far)))
      (core module $m (import "" "f" (func (param i32 i32 i32) (result i32)))) (core instance $i
        (instantiate $m (with "" (instance (export "f" (func $f')))))))"""
    assert world(fused({"types": TYPES, "app": app})) == (["g:p/types", "pt", "dir", "leg", "far"], [])


def test_an_open_interface_keeps_its_use_of_an_interface_that_is_provided_inside() -> None:
    app = """(component
      (type $local-pt (record (field "x" u32) (field "y" u32)))
      (import "g:p/types" (instance $types (alias outer 1 $local-pt (type $o)) (export "pt" (type (eq $o)))))
      (alias export $types "pt" (type $pt))
      (import "g:p/handler" (instance $h (alias outer 1 $pt (type $o)) (export "pt" (type $pt' (eq $o)))
        (export "handle" (func (param "p" $pt'))))))"""
    data = fused({"types": TYPES, "app": app})
    assert world(data) == (["g:p/types", "g:p/handler"], [])


def test_what_another_input_merely_passes_on_comes_from_where_that_has_it() -> None:
    """The resource type is the host's, so an import that stays open may go on to use it."""
    base = """(import "h:h/base" (instance $base (export "r" (type (sub resource)))))"""
    passer = f'(component {base} (export "h:h/again" (instance $base)))'
    user = """(component
      (import "h:h/again" (instance $again (export "r" (type (sub resource)))))
      (alias export $again "r" (type $r)) (import "f" (func $f (param "x" (own $r))))
      (core func $f' (canon lower (func $f)))
      (core module $m (import "" "f" (func (param i32)))) (core instance $i
        (instantiate $m (with "" (instance (export "f" (func $f')))))))"""
    assert world(fused({"user": user, "passer": passer})) == (["h:h/base", "f"], [])


# --- what is imported for its names only gives way -----------------------------------------------------------------
HANDLER = """(component
  (type $local-pt (record (field "{field}" u32)))
  (import "g:p/types" (instance $types (alias outer 1 $local-pt (type $o)) (export "pt" (type (eq $o)))))
  (alias export $types "pt" (type $pt))
  (import "{name}" (func $f (param "p" $pt)))
  (core func $f' (canon lower (func $f)))
  (core module $m (import "" "f" (func (param i32)))) (core instance $i
    (instantiate $m (with "" (instance (export "f" (func $f')))))))"""


def handlers(field: str, provider: str) -> dict[str, str]:
    """`one` uses a record of an interface that is provided inside."""
    types = f"""(component
      (component $c (type $p (record (field "{field}" u32))) (export "pt" (type $p))) (instance $i (instantiate $c))
      (export "{provider}" (instance $i)))"""
    return {"types": types, "one": HANDLER.format(field=field, name="one")}


def test_an_interface_kept_for_its_names_gives_way_to_one_that_is_asked_for() -> None:
    inputs = handlers("x", "g:p/types")
    inputs["two"] = '(component (import "g:p/TYPES" (instance (export "h" (func)))))'
    assert world(fused(inputs))[0] == ["types-2", "one", "g:p/TYPES"]


def test_views_of_an_interface_that_are_there_for_names_only_need_not_agree() -> None:
    """Each input may get its types from another provider, under one name."""
    inputs = handlers("x", "g:p/types")
    other = handlers("y", "g:p/other")
    inputs |= {"other": other["types"], "two": other["one"].replace('"one"', '"two"')}
    names = world(fused(inputs, links=("two:g:p/types=other:g:p/other",)))[0]
    assert names == ["g:p/types", "types-2", "one", "two"]


def test_a_view_that_is_there_for_names_only_need_not_agree_with_what_is_asked_for() -> None:
    inputs = handlers("x", "g:p/other")
    inputs["two"] = """(component (type $p (record (field "z" u32)))
      (import "g:p/types" (instance (alias outer 1 $p (type $o)) (export "pt" (type $pt (eq $o)))
        (export "g" (func (param "p" $pt))))))"""
    names = world(fused(inputs, links=("one:g:p/types=types:g:p/other",)))[0]
    assert sorted(names) == ["g:p/types", "one", "types-2"]


def test_a_view_that_takes_any_resource_type_takes_the_one_that_another_view_uses() -> None:
    """As the validator has it: an instance whose `r` is another's fits where any `r` does."""
    any_ = '(component (import "h:h/shop" (instance (export "r" (type (sub resource))))))'
    used = """(component
      (import "h:h/base" (instance $b (export "r" (type (sub resource))))) (alias export $b "r" (type $r))
      (import "h:h/shop" (instance (alias outer 1 $r (type $o)) (export "r" (type (eq $o))))))"""
    for inputs in ({"one": any_, "two": used}, {"two": used, "one": any_}):
        assert sorted(world(fused(inputs))[0]) == ["h:h/base", "h:h/shop"]
