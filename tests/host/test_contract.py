"""The WIT package and the Python contracts say the same; grants mean what they say."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meldpy.host.faults import FailureCode
from meldpy.host.limits import Directory, Grants, allows
from meldpy.host.module import Level, ModuleInstance, Services

WIT = (Path(__file__).parents[2] / "meldpy" / "host" / "wit" / "host.wit").read_text()


def cases(kind: str, name: str) -> list[str]:
    body = re.search(rf"{kind} {name} \{{(.*?)\n?\s*\}}", WIT, re.DOTALL)
    assert body is not None
    lines = re.sub(r"///.*", "", body[1])
    return re.findall(r"[a-z][a-z-]*", lines)


def functions(interface: str) -> set[str]:
    body = re.search(rf"interface {interface} \{{(.*?)\n\}}", WIT, re.DOTALL)
    assert body is not None
    return set(re.findall(r"([a-z-]+): func\(", body[1]))


def test_failure_codes_are_those_of_the_interface() -> None:
    assert [code.value for code in FailureCode] == cases("enum", "failure-code")


def test_log_levels_are_those_of_the_interface() -> None:
    assert [level.value for level in Level] == cases("enum", "level")


def test_an_instance_has_every_function_of_the_module_interface() -> None:
    wanted = {name.replace("-", "_").removeprefix("get_") for name in functions("module")}
    offered = {name.removeprefix("get_") for name in vars(ModuleInstance)}
    assert wanted <= offered


def test_services_have_every_function_that_a_module_can_import() -> None:
    wanted = {name.replace("-", "_") for each in ("log", "bus", "jobs", "clock") for name in functions(each)}
    wanted |= {f"kv_{name}" for name in functions("kv")}
    assert wanted <= set(vars(Services))


@pytest.mark.parametrize(
    ("patterns", "topic", "allowed"),
    [
        ((), "a", False),
        (("a",), "a", True),
        (("a/*",), "a/b", True),
        (("a/*",), "b/a", False),
        (("*",), "meld/lifecycle", False),
        (("meld/*",), "meld/lifecycle", True),
        (("*/*",), "meld/lifecycle", False),
    ],
)
def test_a_pattern_reaches_reserved_topics_only_by_name(patterns: tuple[str, ...], topic: str, allowed: bool) -> None:
    assert allows(patterns, topic) is allowed


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a**c", "abbc", True),
        ("*b*b*", "b", False),
        ("*b*b*", "abcb", True),
        ("a/[bc]", "a/b", False),
        ("a/[bc]", "a/[bc]", True),
        ("a?", "ab", False),
        ("a?", "a?", True),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_only_a_star_stands_for_other_characters(pattern: str, name: str, fits: bool) -> None:
    assert allows((pattern,), name) is fits


_TEXTS = st.text("ab*", max_size=5)


@given(_TEXTS, _TEXTS, st.lists(st.text("ab", max_size=2), max_size=5))
def test_what_a_granted_pattern_reaches_was_allowed(asked: str, allowed: str, fillings: list[str]) -> None:
    """By an example of each pattern that comes out: its stars filled with anything."""
    for granted in Grants(publish=(asked,)).within(Grants(publish=(allowed,))).publish:
        name, *parts = granted.split("*")
        for part, filling in zip_longest(parts, fillings[: len(parts)], fillvalue=""):
            name += filling + part
        assert allows((asked,), name)
        assert allows((allowed,), name)


def test_nothing_is_granted_by_default() -> None:
    everything = Grants(log=True, kv=True, jobs=True, publish=("*",), network=True, scratch=True)
    assert everything.within(Grants()) == Grants()


def test_a_grant_is_what_is_both_asked_for_and_allowed() -> None:
    asked = Grants(log=True, publish=("a/*",), environment=("HOME", "SECRET"))
    allowed = Grants(log=True, kv=True, publish=("a/b",), environment=("HOME",))
    assert asked.within(allowed) == Grants(log=True, publish=("a/b",), environment=("HOME",))


def test_a_directory_is_granted_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "open" / "way-out").symlink_to(tmp_path / "closed")
    allowed = Grants(directories=(Directory(str(tmp_path / "open"), "/"),))

    def granted(host: str, write: bool = False) -> bool:
        asked = Grants(directories=(Directory(str(tmp_path / host), "/data", write),))
        return bool(asked.within(allowed).directories)

    assert granted("open")
    assert not granted("open", write=True)
    assert not granted("open/way-out")
    assert not granted("closed")
