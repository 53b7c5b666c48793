"""`--link IMPORTER:IMPORT=PROVIDER:EXPORT`, and what of it means nothing."""

from __future__ import annotations

import pytest

from meldpy.errors import LinkError, UsageError
from meldpy.resolver import ResolveOptions, resolve
from meldpy.resolver.inputs import Link, parse_link
from tests.unit.resolver.build import link


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a:i=b:e", Link("a", "i", "b", "e")),
        (
            "app:demo:log/log@1.0.0=lib:demo:log/log@1.2.0",
            Link("app", "demo:log/log@1.0.0", "lib", "demo:log/log@1.2.0"),
        ),
        ("a:i=b:e=f", Link("a", "i", "b", "e=f")),
    ],
)
def test_the_first_separators_count(text: str, parsed: Link) -> None:
    assert parse_link(text) == parsed


@pytest.mark.parametrize("text", ["", "a:i", "a:i=", "=b:e", "a:i=b", "a=b:e", ":i=b:e", "a:=b:e", "a:i=:e", "a:i=b:"])
def test_every_part_must_be_there(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_link(text)
    assert f"`{text}`" in str(caught.value)


PROVIDER = """(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (export "e" (func $f)) (export "f" (func $f)))"""
USER = '(component (import "e" (func $e)) (export "again" (func $e)))'


def test_two_decisions_about_one_import_are_refused() -> None:
    with pytest.raises(LinkError, match="two links decide the import `e` of input `user`"):
        link({"user": USER, "lib": PROVIDER}, links=("user:e=lib:e", "user:e=lib:f"))
    assert link({"user": USER, "lib": PROVIDER}, links=("user:e=lib:f",)).imports == ()


@pytest.mark.parametrize("text", ["user:none=lib:e", "user:e=lib:none", "nobody:e=lib:e", "user:e=nobody:e"])
def test_what_a_link_names_must_exist(text: str) -> None:
    with pytest.raises((LinkError, UsageError)):
        link({"user": USER, "lib": PROVIDER}, links=(text,))


def test_a_single_input_has_nothing_to_link_with() -> None:
    with pytest.raises(LinkError, match="the only input"):
        link({"user": USER}, links=("user:e=lib:e",))


def test_no_input_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no input"):
        resolve([], ResolveOptions())
