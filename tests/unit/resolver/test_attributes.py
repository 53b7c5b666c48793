"""`implements` and `external-id`: what they tell apart, and that the order of inputs decides nothing."""

from __future__ import annotations

from itertools import permutations

import pytest

from meldpy.errors import LinkError
from meldpy.model.bindings import NearMissKind as Kind
from meldpy.model.extern import Attributes, ExternName
from meldpy.resolver.attributes import contradiction, joined
from tests.unit.resolver.build import link


def importer(attributes: str, function: str = "get", name: str = "primary") -> str:
    return f'(component (import "{name}" {attributes} (instance (export "{function}" (func (result u32))))))'


def exporter(attributes: str, name: str = "primary") -> str:
    return f"""(component
      (core module $m (func (export "f") (result i32) i32.const 1)) (core instance $i (instantiate $m))
      (func $f (result u32) (canon lift (core func $i "f")))
      (instance $s (export "get" (func $f))) (export "{name}" {attributes} (instance $s)))"""


CACHE, SECRETS = '(implements "a:b/cache")', '(implements "a:b/secrets")'
CACHE_1_0, CACHE_1_2, CACHE_2 = (f'(implements "a:b/cache@{v}")' for v in ("1.0.0", "1.2.0", "2.0.0"))
USERS, BOOKS = '(external-id "users")', '(external-id "books")'
DIFFERENT = [(CACHE, SECRETS), (CACHE, CACHE_1_0), (CACHE_1_0, CACHE_2), (USERS, BOOKS), (CACHE + USERS, CACHE + BOOKS)]
SAME = [(CACHE, CACHE), (CACHE, ""), ("", USERS), (CACHE_1_0, CACHE_1_2), (CACHE, USERS), (USERS, USERS)]


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_different_things_of_one_name_are_no_one_import(one: str, two: str) -> None:
    for first, second in permutations((one, two)):
        with pytest.raises(LinkError, match="`a` and `b` mean different things by it") as caught:
            link({"a": importer(first), "b": importer(second)})
        assert len(caught.value.causes) == 2
        assert "--link b:primary=PROVIDER:EXPORT" in (caught.value.remedy or "")


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_may_be_one_thing_is_one_import_in_either_order(one: str, two: str) -> None:
    names = []
    for first, second in permutations((one, two)):
        (import_,) = link({"a": importer(first), "b": importer(second)}).imports
        names.append(import_.name)
    assert names[0] == names[1]


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_different_things_do_not_link_by_name_but_by_hand(one: str, two: str) -> None:
    inputs = {"user": importer(one), "maker": exporter(two)}
    (open_,) = link(inputs).open_imports
    assert [(miss.kind, miss.export) for miss in open_.near] == [(Kind.ATTRIBUTES, "primary")]
    assert link(inputs, links=("user:primary=maker:primary",)).imports == ()


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_may_be_one_thing_links_by_name(one: str, two: str) -> None:
    for first, second in permutations((one, two)):
        assert link({"user": importer(first), "maker": exporter(second)}).imports == ()


def test_of_two_that_have_the_name_the_one_that_is_meant_is_taken() -> None:
    inputs = {"user": importer(SECRETS), "cache": exporter(CACHE), "secrets": exporter(SECRETS)}
    graph = link(inputs, hides=("primary",))
    assert graph.imports == ()
    assert [i.label for i in graph.instances][1:] == ["cache", "secrets", "user"]


def test_the_higher_version_gives_the_name_whichever_input_comes_first() -> None:
    for first, second in permutations((importer(CACHE_1_0, "get"), importer(CACHE_1_2, "peek"))):
        (import_,) = link({"a": first, "b": second}).imports
        assert import_.name.attributes.implements == "a:b/cache@1.2.0"


@pytest.mark.parametrize("name", ["a:b/c@1.0.0", "a:b/c"])
def test_interfaces_with_different_external_ids_are_different_things(name: str) -> None:
    with pytest.raises(LinkError, match="mean different things"):
        link({"a": importer(USERS, name=name), "b": importer(BOOKS, name=name)})
    assert len(link({"a": importer(USERS, name=name), "b": exporter(BOOKS, name=name)}).imports) == 1


def test_versions_with_different_external_ids_stay_two_imports() -> None:
    graph = link({"a": importer(USERS, name="a:b/c@1.0.0"), "b": importer(BOOKS, name="a:b/c@1.1.0")})
    assert [i.name.name for i in graph.imports] == ["a:b/c@1.0.0", "a:b/c@1.1.0"]


def test_functions_have_external_ids_too() -> None:
    function = '(component (import "slugify" (external-id "{}") (func)))'
    with pytest.raises(LinkError, match="has the external id `https://x`") as caught:
        link({"a": function.format("https://x"), "b": function.format("https://y")})
    assert "has the external id `https://y`" in str(caught.value)


def suffixed(interface: str, suffix: str | None) -> ExternName:
    return ExternName("primary", Attributes(2, interface, suffix, None, (0, 1)))


def test_a_version_suffix_belongs_to_the_interface_that_is_implemented() -> None:
    low, high = suffixed("a:b/cache@1", ".0.3"), suffixed("a:b/cache@1", ".2.0")
    assert contradiction(low, high) is None
    assert joined([low, high]) == joined([high, low]) == high
    assert contradiction(low, suffixed("a:b/cache@2", ".0.3")) is not None


def test_what_only_one_of_them_says_is_kept() -> None:
    implements = ExternName("x", Attributes(2, implements="a:b/c", order=(0,)))
    identified = ExternName("x", Attributes(2, external_id="id", order=(2,)))
    both = ExternName("x", Attributes(2, "a:b/c", None, "id", (0, 2)))
    for names in permutations((implements, identified, ExternName("x"))):
        assert joined(names) == both
