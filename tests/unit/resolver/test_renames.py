"""`--rename`: which export is meant, and what it may be called."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.errors import LinkError
from tests.unit.resolver.build import link
from tests.unit.resolver.test_link import provider

INIT = """(component
  (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "init") (canon lift (core func $i "f"))))"""
INTERFACE = provider("a:b/c@1.0.0")


def names(text: str, inputs: str, *renames: str) -> list[str]:
    """What the exports of these inputs are called, all of the same text; the engine takes them."""
    given = [meldpy.FuseInput(name, name, bytes(wat2wasm(text))) for name in inputs]
    meldpy.fuse(given, meldpy.FuseOptions(renames=renames))
    return [export.name.name for export in link(dict.fromkeys(inputs, text), renames=renames).exports]


def test_each_of_two_that_have_one_name_gets_its_own() -> None:
    assert names(INIT, "ab", "a:init=first", "b:init=second") == ["first", "second"]
    assert names(INIT, "ab", "b:init=second") == ["init", "second"]


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        (("init=first",), "`init=first` can mean `a:init` or `b:init`"),
        (("a:init=first", "a:init=other"), "`a:init` is to be called `first` and `other`"),
    ],
)
def test_what_is_meant_is_never_guessed(renames: tuple[str, ...], message: str) -> None:
    with pytest.raises(LinkError, match=message) as caught:
        names(INIT, "ab", *renames)
    assert caught.value.remedy


@pytest.mark.parametrize("new", ["x", "X-2a", "a:b/D", "a-2:b-c/d-E@1.0.0-rc.1+01", "a:b/c@0.0.0-0.0a"])
def test_names_of_the_binary_format(new: str) -> None:
    assert names(INTERFACE, "a", f"a:b/c@1.0.0={new}") == [new]


@pytest.mark.parametrize(
    "new",
    [
        *("", "2x", "x_y", "A:b/c", "a:B/c", "a:b-C/d", "a:b:c/d", "a:b/c/d", "a:b/2c", "a:b/c@1.0", "a:b/c@01.0.0"),
        *("a:b/c@1.0.0-01", "a:b/c@1.0.0-a..b", "a:b/c@1.0.0+", "a:b/c@18446744073709551616.0.0", "a:b/c@"),
    ],
)
def test_names_that_the_binary_format_has_not(new: str) -> None:
    with pytest.raises(LinkError, match="cannot be called"):
        names(INTERFACE, "a", f"a:b/c@1.0.0={new}")
