"""Resource types that are imported at the root: what decides which they are, and what comes with them."""

from __future__ import annotations

import pytest

from meldpy.errors import LinkError
from tests.unit.resolver.test_root_types import TYPES, called, fused, world

MAKER = """(component
  (import "g:p/types" (instance $types
    (export "pen" (type $pen (sub resource)))
    (export "[constructor]pen" (func (param "w" u32) (result (own $pen))))))
  (alias export $types "pen" (type $pen)) (alias export $types "[constructor]pen" (func $make))
  (core func $make' (canon lower (func $make)))
  (core module $m (import "" "make" (func $make (param i32) (result i32)))
    (func (export "some") (result i32) (call $make (i32.const 5))))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make'))))))
  (func $some (result (own $pen)) (canon lift (core func $i "some")))
  (export "some" (func $some)))"""
"""Exports a function whose result is a resource type of another input."""

BY_FUNCTION = """(component
  (import "r" (type $r (sub resource)))
  (import "some" (func $some (result (own $r))))
  {members}
  (core func $some' (canon lower (func $some))) (core func $drop (canon resource.drop $r))
  {lowers}
  (core module $m (import "" "some" (func $some (result i32))) {core}
    (func (export "run") (result i32) {body}))
  (core instance $i (instantiate $m (with "" (instance (export "some" (func $some')) {args}))))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))"""
PLAIN = BY_FUNCTION.format(members="", lowers="", core="", args="", body="call $some drop i32.const 1")
METHODS = BY_FUNCTION.format(
    members="""(import "[constructor]r" (func $make (param "w" u32) (result (own $r))))
      (import "[method]r.width" (func $width (param "self" (borrow $r)) (result u32)))""",
    lowers="(core func $make' (canon lower (func $make))) (core func $width' (canon lower (func $width)))",
    core="""(import "" "make" (func $make (param i32) (result i32)))
      (import "" "width" (func $width (param i32) (result i32)))""",
    args="""(export "make" (func $make')) (export "width" (func $width'))""",
    body="(i32.add (call $width (call $some)) (i32.mul (i32.const 10) (call $width (call $make (i32.const 3)))))",
)


def test_a_resource_type_follows_from_the_function_that_returns_it() -> None:
    data = fused({"types": TYPES, "maker": MAKER, "user": PLAIN})
    assert world(data) == ([], ["run"])
    assert called(data, "run()") == "1"


def test_its_methods_are_those_beside_it_where_it_is_exported_whatever_it_is_called() -> None:
    data = fused({"user": METHODS, "types": TYPES, "maker": MAKER})
    assert world(data) == ([], ["run"])
    assert called(data, "run()") == "35"


BY_INSTANCE = """(component
  (import "r" (type $r (sub resource)))
  (import "g:p/types" (instance $types
    (alias outer 1 $r (type $o)) (export "pen" (type $pen (eq $o)))
    (export "[constructor]pen" (func (param "w" u32) (result (own $pen))))))
  (alias export $types "[constructor]pen" (func $make))
  (core func $make' (canon lower (func $make)))
  (core module $m (import "" "make" (func $make (param i32) (result i32)))
    (func (export "some") (result i32) (call $make (i32.const 6))))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make'))))))
  (func $some (result (own $r)) (canon lift (core func $i "some")))
  (export "some" (func $some)))"""


def test_a_resource_type_follows_from_the_interface_that_is_said_to_have_it() -> None:
    data = fused({"types": TYPES, "again": BY_INSTANCE, "user": METHODS})
    assert world(data) == ([], ["run"])
    assert called(data, "run()") == "36"


ALONE = """(component
  (import "r" (type $r (sub resource)))
  (import "[constructor]r" (func $make (param "w" u32) (result (own $r))))
  (import "[method]r.width" (func $width (param "self" (borrow $r)) (result u32)))
  (core func $make' (canon lower (func $make))) (core func $width' (canon lower (func $width)))
  (core module $m (import "" "make" (func $make (param i32) (result i32)))
    (import "" "width" (func $width (param i32) (result i32)))
    (func (export "run") (result i32) (call $width (call $make (i32.const 8)))))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make')) (export "width" (func $width'))))))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))"""


def test_a_link_reaches_into_an_interface_and_brings_the_methods() -> None:
    data = fused({"user": ALONE, "types": TYPES}, links=("user:r=types:g:p/types.pen",))
    assert world(data) == ([], ["run"])
    assert called(data, "run()") == "8"


def test_nothing_is_guessed_from_a_name() -> None:
    renamed = ALONE.replace('"r"', '"pen"').replace("]r", "]pen")
    data = fused({"user": renamed, "types": TYPES})
    assert world(data)[0] == ["pen", "[constructor]pen", "[method]pen.width"]


def test_a_function_inside_an_interface_can_be_linked_by_hand() -> None:
    user = """(component
      (import "g:p/types" (instance $t (export "pen" (type (sub resource)))))
      (alias export $t "pen" (type $pen))
      (import "make" (func $make (param "w" u32) (result (own $pen))))
      (core func $make' (canon lower (func $make)))
      (core module $m (import "" "make" (func $make (param i32) (result i32)))
        (func (export "run") (result i32) (call $make (i32.const 8)) drop i32.const 4))
      (core instance $i (instantiate $m (with "" (instance (export "make" (func $make'))))))
      (func (export "run") (result u32) (canon lift (core func $i "run"))))"""
    data = fused({"user": user, "types": TYPES}, links=("user:make=types:g:p/types.[constructor]pen",))
    assert called(data, "run()") == "4"


@pytest.mark.parametrize("export", ["g:p/types.pencil", "g:p/types.pen.tip", "g:p", "g:p/types."])
def test_a_link_to_what_is_not_there_says_what_there_is(export: str) -> None:
    with pytest.raises(LinkError, match="input `types` exports no") as caught:
        fused({"user": ALONE, "types": TYPES}, links=(f"user:r=types:{export}",))
    assert caught.value.causes == ("there are: `g:p/types`",)


def test_a_resource_type_must_be_linked_to_a_resource_type() -> None:
    with pytest.raises(LinkError, match="does not fit what `types` exports") as caught:
        fused({"user": ALONE, "types": TYPES}, links=("user:r=types:g:p/types.pt",))
    assert "a resource type is declared, and another type is provided" in caught.value.causes


def test_what_follows_from_two_imports_must_be_one_type() -> None:
    """Two makers have two instances of a definer inside, so their resource types are two."""
    inner = TYPES.removeprefix("(component")
    maker = """(component (component $types {types}
      (instance $t (instantiate $types)) (alias export $t "g:p/types" (instance $i))
      (alias export $i "pen" (type $pen')) (export $pen "pen-{n}" (type $pen'))
      (alias export $i "[constructor]pen" (func $make))
      (export "make-{n}" (func $make) (func (param "w" u32) (result (own $pen)))))"""
    user = """(component
      (import "r" (type $r (sub resource)))
      (import "make-1" (func (param "w" u32) (result (own $r))))
      (import "make-2" (func (param "w" u32) (result (own $r)))))"""
    makers = {f"maker-{n}": maker.format(types=inner, n=n) for n in (1, 2)}
    with pytest.raises(LinkError, match="`make-2`, imported by `user`, does not fit what `maker-2` exports"):
        fused({**makers, "user": user})


def test_methods_of_an_open_resource_type_stay_open_with_it() -> None:
    statics = """(component
      (import "r" (type $r (sub resource)))
      (import "[static]r.none" (func $f)))"""
    with pytest.raises(LinkError, match=r"`\[static\]r.none` is left to be imported, but uses resource types of `r`"):
        fused({"user": statics, "types": TYPES}, links=("user:r=types:g:p/types.pen",))


def test_a_static_function_is_imported_after_the_type_that_its_name_belongs_to() -> None:
    user = """(component
      (import "h:h/base" (instance $b (export "q" (type (sub resource)))))
      (alias export $b "q" (type $q)) (import "r" (type $r (eq $q)))
      (import "[static]r.none" (func $f))
      (core func $f' (canon lower (func $f)))
      (core module $m (import "" "f" (func))) (core instance $i
        (instantiate $m (with "" (instance (export "f" (func $f')))))))"""
    assert world(fused({"user": user, "types": TYPES}))[0] == ["h:h/base", "r", "[static]r.none"]


def test_a_static_function_is_exported_beside_the_type_that_its_name_belongs_to() -> None:
    library = """(component
      (type $r' (resource (rep i32))) (export $r "r" (type $r'))
      (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f")))
      (export "[static]r.none" (func $f)) (export "other" (func $f)))"""
    user = '(component (import "other" (func)))'
    assert world(fused({"user": user, "lib": library}, exports=("[static]r.none",)))[1] == ["r", "[static]r.none"]
    with pytest.raises(LinkError, match="hide both or neither"):
        fused({"user": user, "lib": library}, exports=("[static]r.none",), hides=("r",))


# --- which is which ------------------------------------------------------------------------------------------------
SHOP = """(component (component $types {types}
  (instance $t (instantiate $types)) (alias export $t "g:p/types" (instance $i))
  (alias export $i "pen" (type $pen)) (alias export $i "[constructor]pen" (func $make))
  (component $names (import "pen" (type $r (sub resource)))
    (import "make" (func $make (param "w" u32) (result (own $r))))
    (export $pen "pen" (type $r)) (export "buy" (func $make) (func (param "w" u32) (result (own $pen)))))
  (instance $shop (instantiate $names (with "pen" (type $pen)) (with "make" (func $make))))
  {exports} (export "g:p/shop" (instance $shop)))"""
BUYER = """(component
  (import "g:p/types" (instance $t (export "pen" (type (sub resource)))))
  (alias export $t "pen" (type $pen))
  (import "g:p/shop" (instance $s (alias outer 1 $pen (type $p)) (export "pen" (type $q (eq $p)))
    (export "buy" (func (param "w" u32) (result (own $q)))))))"""


def test_two_resource_types_of_one_name_are_told_apart_by_their_definitions() -> None:
    inner = TYPES.removeprefix("(component")
    shop = SHOP.format(types=inner, exports="")
    with pytest.raises(LinkError, match="`g:p/shop`, imported by `buyer`, does not fit what `shop` exports") as caught:
        fused({"types": TYPES, "shop": shop, "buyer": BUYER})
    assert caught.value.causes[-1] == (
        "resource type `pen` (defined by input `types` as `pen`) is not resource type `pen` (defined as `pen` by an"
        " instance of `component 0` inside input `shop`): each instance that defines one has its own"
    )
    assert "compose it so that it exports the interface with that type too" in (caught.value.remedy or "")


def test_an_earlier_composition_that_exports_the_defining_interface_too_fits() -> None:
    shop = SHOP.format(types=TYPES.removeprefix("(component"), exports='(export "g:p/types" (instance $i))')
    assert world(fused({"shop": shop, "buyer": BUYER})) == ([], [])


# --- names for types that exports mention --------------------------------------------------------------------------
WRAPPER = """(component
  (import "g:p/types" (instance $types (export "pen" (type (sub resource)))))
  (alias export $types "pen" (type $types-pen)) (import "pen" (type $pen (eq $types-pen)))
  (core module $m (func (export "f") (result i32) unreachable)) (core instance $i (instantiate $m))
  (func $f (result u32) (canon lift (core func $i "f"))) (instance $own (export "f" (func $f)))
  (func $give (result (own $pen)) (canon lift (core func $i "f")))
  (export "{name}" (instance $own)) (export "give" (func $give)))"""


@pytest.mark.parametrize(
    ("name", "exports"),
    [
        ("h:h/other", ["h:h/other", "g:p/types", "give"]),
        ("g:p/types", ["g:p/types", "pen", "give"]),
        ("g:p/TYPES", ["g:p/TYPES", "pen", "give"]),
    ],
)
def test_a_type_is_exported_by_itself_where_the_name_of_its_interface_is_taken(name: str, exports: list[str]) -> None:
    """A component that wraps an interface exports it again, and may still pass on what is wrapped."""
    inputs = {"types": TYPES, "wrapper": WRAPPER.format(name=name)}
    assert world(fused(inputs)) == ([], exports)


def test_the_name_of_such_a_type_is_one_that_is_free() -> None:
    wrapper = WRAPPER.format(name="g:p/types").replace('"give"', '"PEN"')
    assert world(fused({"types": TYPES, "wrapper": wrapper}))[1] == ["g:p/types", "pen-2", "PEN"]


def test_a_record_of_an_interface_that_is_hidden_is_exported_by_itself() -> None:
    types = """(component
      (component $c (type $p (record (field "x" u32))) (export "pt" (type $p))) (instance $i (instantiate $c))
      (export "g:p/types" (instance $i)))"""
    user = """(component
      (import "g:p/types" (instance $t (type $p (record (field "x" u32))) (export "pt" (type (eq $p)))))
      (alias export $t "pt" (type $pt))
      (core module $m (func (export "f") (result i32) unreachable)) (core instance $i (instantiate $m))
      (func $f (result $pt) (canon lift (core func $i "f"))) (export "f" (func $f)))"""
    assert world(fused({"types": types, "user": user})) == ([], ["g:p/types", "f"])
    assert world(fused({"types": types, "user": user}, hides=("g:p/types",))) == ([], ["pt", "f"])
