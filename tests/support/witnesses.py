"""The table `tests/errors/witnesses.toml`: for each site of an error the test that reaches it; and the check of it.

Whenever such a test runs, it must go through its sites, and each error made there must say where and what to do.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Generator, Mapping
from functools import cache
from typing import Any

import pytest

from meldpy.errors import InternalError, MeldError, UsageError
from meldpy.host.faults import StateError
from tests.support.errorsites import ROOT, Site, recorded

_OWN_PLACE = (UsageError, StateError, InternalError)
_HELP = "  help: "
_SHORTEST = len("write `;`")
TABLE = ROOT / "tests" / "errors" / "witnesses.toml"


@cache
def table() -> Mapping[str, Mapping[str, str]]:
    """By file, by name of the site: the test."""
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(TABLE.read_text())["reached"]
    return found


@cache
def exempt(what: str) -> Mapping[str, Mapping[str, str]]:
    """By file, by name of the site: why it is an exception."""
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(TABLE.read_text())[what]
    return found


@cache
def _by_test() -> Mapping[str, list[tuple[str, str]]]:
    tests: dict[str, list[tuple[str, str]]] = {}
    for file, rows in table().items():
        for name, test in rows.items():
            tests.setdefault(test, []).append((file, name))
    return tests


def is_there(test: str) -> bool:
    """Whether the test is in the tree, and no long search."""
    file, name = test.partition("[")[0].rsplit("::", 1)
    if not (ROOT / file).exists():
        return False
    functions = (each for each in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(each, ast.FunctionDef))
    found = [each for each in functions if each.name == name]
    return len(found) == 1 and "mark.deep" not in "".join(map(ast.unparse, found[0].decorator_list))


def is_placed(site: Site, error: MeldError) -> bool:
    """Whether the message says where: a location, or the input, option or file that it is about. A command line or a
    call that is wrong, or made at the wrong time, is its own place: whoever made it has it before them. A defect of
    ours has a place in our own code, which is among its causes."""
    return error.location is not None or not site.fixed or isinstance(error, _OWN_PLACE)


def faults(wanted: list[tuple[str, str]], seen: list[tuple[Site, MeldError]]) -> list[str]:
    """What is wrong with what a test has shown of the sites that it is the witness of."""
    found = []
    for file, name in wanted:
        here = [(site, error) for site, error in seen if (site.file, site.name) == (file, name)]
        if not here:
            found.append(f"{file}: {name}: was not reached")
            continue
        if name not in exempt("nowhere").get(file, ()) and not any(is_placed(*each) for each in here):
            found.append(f"{file}: {name}: the message names no place")
        for _, error in here:
            last = error.render().splitlines()[-1]
            if not last.startswith(_HELP) or len(last) < len(_HELP) + _SHORTEST:
                found.append(f"{file}: {name}: the message says nothing of what to do: {last}")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    wanted = _by_test().get(item.nodeid)
    if wanted is None:
        return (yield)
    with recorded() as seen:
        result = yield
    assert not (wrong := faults(wanted, seen)), "\n".join(wrong)
    return result
