"""What an import that stays open could have meant."""

from __future__ import annotations

import pytest

from meldpy.errors import LinkError
from meldpy.model.bindings import NearMissKind as Kind
from tests.unit.resolver.build import link
from tests.unit.resolver.test_link import consumer, provider


def near(imported: str, exported: str) -> list[tuple[Kind, str, str]]:
    graph = link({"user": consumer(imported), "maker": provider(exported)})
    (open_,) = graph.open_imports
    assert (open_.importer, open_.name.name) == ("user", imported)
    assert open_.location.source == "user.wasm"
    return [(miss.kind, miss.provider, miss.export) for miss in open_.near]


@pytest.mark.parametrize(
    ("imported", "exported", "kind"),
    [
        ("demo:text/text@1.2.0", "demo:text/text@2.0.0", Kind.OTHER_TRACK),
        ("demo:text/text", "demo:text/text@2.0.0", Kind.OTHER_TRACK),
        ("demo:text/text@0.1.0", "demo:text/text@0.2.0", Kind.OTHER_TRACK),
        ("demo:text/text@1.0.0-rc.1", "demo:text/text@1.0.0", Kind.OTHER_TRACK),
        ("demo:text/text@1.0.0", "demo:text/TEXT@1.0.0", Kind.SPELLING),
        ("demo:text/te-xt", "demo:text/text@1.0.0", Kind.SPELLING),
        ("get-JSON", "get-json", Kind.SPELLING),
        ("foo-bar", "foobar", Kind.SPELLING),
        ("demo:text/text", "other:words/text@2.0.0", Kind.OTHER_PACKAGE),
    ],
)
def test_what_comes_near(imported: str, exported: str, kind: Kind) -> None:
    assert near(imported, exported) == [(kind, "maker", exported)]


@pytest.mark.parametrize(("imported", "exported"), [("a:b/c", "d:e/f"), ("c", "a:b/c"), ("a:b/c", "c"), ("one", "two")])
def test_what_is_merely_another_thing_is_no_near_miss(imported: str, exported: str) -> None:
    assert near(imported, exported) == []


def test_a_function_inside_an_instance_comes_near_an_import_of_its_name() -> None:
    user = '(component (import "f" (func (param "x" u32) (result u32))))'
    graph = link({"user": user, "maker": provider("a:b/c")})
    assert [(m.kind, m.export) for m in graph.open_imports[0].near] == [(Kind.INSIDE, "a:b/c.f")]


IMPLEMENTS = '(component (import "{name}" {attributes} (instance (export "f" (func (param "x" u32) (result u32))))))'


@pytest.mark.parametrize("exported", ["a:b/cache", "a:b/cache@1.2.0"])
def test_the_interface_that_an_import_implements_comes_near(exported: str) -> None:
    version = "@1.0.0" if "@" in exported else ""
    user = IMPLEMENTS.format(name="primary", attributes=f'(implements "a:b/cache{version}")')
    graph = link({"user": user, "maker": provider(exported)})
    assert [(m.kind, m.export) for m in graph.open_imports[0].near] == [(Kind.IMPLEMENTED, exported)]


def test_hits_are_ordered_by_kind_then_by_input() -> None:
    inputs = {
        "user": consumer("a:b/c@1.0.0"),
        "p": provider("x:y/c"),
        "q": provider("a:b/C@1.0.0"),
        "r": provider("a:b/c@2.0.0"),
    }
    (open_,) = link(inputs, roots=("user",)).open_imports
    assert [(m.kind, m.provider) for m in open_.near] == [
        (Kind.OTHER_TRACK, "r"), (Kind.SPELLING, "q"), (Kind.OTHER_PACKAGE, "p"),
    ]  # fmt: skip


def test_a_satisfied_import_is_not_open_and_a_lone_input_has_none() -> None:
    assert link({"user": consumer("a:b/c"), "maker": provider("a:b/c")}).open_imports == ()
    assert link({"user": consumer("a:b/c")}).open_imports == ()


def test_a_type_that_equals_another_is_never_open() -> None:
    user = """(component
      (type $u u32) (import "t" (type (eq $u))) (import "r" (type (sub resource))) (import "f" (func)))"""
    graph = link({"user": user, "maker": provider("a:b/c")})
    assert [i.name.name for i in graph.open_imports] == ["r", "f"]


def test_strict_says_what_came_near() -> None:
    with pytest.raises(LinkError) as error:
        link({"user": consumer("a:b/c@1.0.0"), "maker": provider("a:b/c@2.0.0")}, strict=True)
    assert error.value.causes == (
        "`a:b/c@1.0.0`, imported by `user`; `a:b/c@2.0.0` of input `maker` is another, incompatible version",
    )
