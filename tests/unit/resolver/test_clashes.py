"""Names that come together and are not strongly unique: a link error with both sides, wherever they meet."""

from __future__ import annotations

from itertools import permutations

import pytest

from meldpy.errors import LinkError
from tests.unit.resolver.build import link
from tests.unit.resolver.test_link import import_names, provider
from tests.unit.resolver.test_root_types import fused, world

CLASHES = [("foo-bar", "foobar"), ("http", "HTTP"), ("a:b/c-d", "a:b/cd"), ("a:b/c@1.0.0", "a:b/C@1.0.0"),
           ("a-b:c/d", "ab:c/d"), ("get-JSON", "get-json")]  # fmt: skip


def importer(*names: str) -> str:
    return "(component " + "".join(f'(import "{n}" (instance (export "f" (func))))' for n in names) + ")"


@pytest.mark.parametrize("names", CLASHES)
def test_exports_that_clash_name_both_inputs(names: tuple[str, str]) -> None:
    for one, two in permutations(names):
        with pytest.raises(LinkError) as caught:
            link({"left": provider(one), "right": provider(two)})
        assert f"input `left` exports `{one}` and input `right` exports `{two}`" in caught.value.reason
        assert "--root left" in (caught.value.remedy or "")
        assert f"--hide right:{two}" in (caught.value.remedy or "")


@pytest.mark.parametrize("names", CLASHES)
def test_hiding_one_of_them_is_a_way_out(names: tuple[str, str]) -> None:
    one, two = names
    graph = link({"left": provider(one), "right": provider(two)}, hides=(f"right:{two}",))
    assert [e.name.name for e in graph.exports] == [one]


@pytest.mark.parametrize("names", CLASHES)
def test_imports_that_clash_name_both_inputs(names: tuple[str, str]) -> None:
    for one, two in permutations(names):
        with pytest.raises(LinkError) as caught:
            link({"left": importer(one), "right": importer(two)})
        assert f"`{one}` and `{two}` are left to be imported" in caught.value.reason
        assert [cause.partition(" at ")[0] for cause in caught.value.causes] == [
            f"`left` imports `{one}`", f"`right` imports `{two}`",
        ]  # fmt: skip
        assert f"--link right:{two}=PROVIDER:EXPORT" in (caught.value.remedy or "")


def test_versions_tell_names_apart() -> None:
    assert import_names(link({"left": importer("a:b/c@1.0.0"), "right": importer("a:b/C@1.0.1")})) == [
        "a:b/c@1.0.0", "a:b/C@1.0.1",
    ]  # fmt: skip


def viewer(name: str, *exports: str) -> str:
    return f'(component (import "{name}" (instance {" ".join(exports)})))'


R = '(export "r" (type $r (sub resource)))'
METHOD, STATIC = '(export "[method]r.m-n" (func (param "self" (borrow $r))))', '(export "[static]r.MN" (func))'
VIEWS = [
    (['(export "foo-bar" (func))'], ['(export "foobar" (func))'], ("foo-bar", "foobar")),
    ([R, METHOD], [R, STATIC], ("[method]r.m-n", "[static]r.MN")),
    ([R], ['(export "R" (type (sub resource)))'], ("r", "R")),
    (['(export "q" (func))', R], [R, '(export "[static]r.r" (func))'], ("r", "[static]r.r")),
    (['(export "i" (instance (export "a" (func))))'], ['(export "i" (instance (export "A" (func))))'], ("a", "A")),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two", "names"), VIEWS[:3] + VIEWS[4:])
def test_two_views_of_one_interface_that_clash_name_both_inputs(
    one: list[str], two: list[str], names: tuple[str, str]
) -> None:
    with pytest.raises(LinkError, match="expect different types") as caught:
        link({"left": viewer("a:b/c", *one), "right": viewer("a:b/c", *two)})
    assert f"`{names[1]}`, as `right` has it, and `{names[0]}`, as `left` has it" in str(caught.value)


@pytest.mark.parametrize(("one", "two", "names"), VIEWS[:3] + VIEWS[4:])
def test_two_versions_whose_views_clash_stay_two_imports(
    one: list[str], two: list[str], names: tuple[str, str]
) -> None:
    for first, second in permutations((viewer("a:b/c@1.0.0", *one), viewer("a:b/c@1.1.0", *two))):
        found = import_names(link({"left": first, "right": second}))
        assert sorted(found) == ["a:b/c@1.0.0", "a:b/c@1.1.0"]


LABELS = [
    ('(record (field "a-b" u8))', '(record (field "ab" u8))'),
    ('(variant (case "a"))', '(variant (case "A"))'),
    ('(enum "a" "b")', '(enum "A" "b")'),
    ('(flags "a-b")', '(flags "ab")'),
]


@pytest.mark.parametrize(("one", "two"), LABELS)
def test_types_whose_labels_differ_are_different_types(one: str, two: str) -> None:
    """What the specification's validator says; that one spelling forbids the other beside it does not make them one."""
    view = '(type $t {0}) (export "t" (type $n (eq $t))) (export "f" (func (param "x" $n)))'
    with pytest.raises(LinkError, match="expect different types"):
        link({"left": viewer("a:b/c", view.format(one)), "right": viewer("a:b/c", view.format(two))})


def test_a_parameter_that_is_spelled_otherwise_does_not_fit() -> None:
    user = '(component (import "a:b/c" (instance (export "f" (func (param "X" u32) (result u32))))))'
    with pytest.raises(LinkError, match="does not fit"):
        link({"user": user, "maker": provider("a:b/c")})


def test_many_inputs_with_names_that_only_look_alike_fuse() -> None:
    data = fused({f"i{n}": provider(f"a:b/c{n}") for n in range(4)})
    assert world(data)[1] == [f"a:b/c{n}" for n in range(4)]
