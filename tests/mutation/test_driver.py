"""The driver of the mutation tests kills what it must, spares what nobody can kill, and reports both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meldpy import kept
from tests.mutation.apply import keep_nothing
from tests.mutation.model import PACKAGES, ROOT
from tests.mutation.operators import python_mutants
from tests.mutation.report import judged
from tests.mutation.wat import wat_mutants

MODULE = "meldpy/resolver/semver.py"
KILLED = f"{MODULE}:_track: major => (False)"
EQUIVALENT = f"{MODULE}:_canonical: 0 => (1) #2"
STATEMENTS = """
def first(items: list[int], limit: int = 3) -> int:
    \"\"\"What 1 + 1 is.\"\"\"
    assert limit > 0
    if not items or limit < len(items):
        raise ValueError("no more than 10")
    return items[
        0
    ]
"""
NO_HELP = """
from meldpy.resolver.semver import _track

def test_it_fails_as_things_are():
    assert _track("a", 1, 2, 3) == "b"
"""
"""Comes last, so that what it executes is nobody's."""
FUNCTION = """
(module
  (import "a" "b" (func $b (param i32)))
  ;; i32.add is a word here
  (func $f (param $x i32) (param $y i32) (result i32)
    (call $b (i32.load offset=8 (local.get $x)))
    (i32.add (local.get $x) (i32.const 4))))
"""


def mutants_of(package: str) -> Iterator[str]:
    for path in (ROOT / "meldpy" / package).rglob("*"):
        file = str(path.relative_to(ROOT))
        if path.suffix in (".py", ".wat"):
            find = python_mutants if path.suffix == ".py" else wat_mutants
            yield from (mutant.id for mutant in find(file, path.read_text(encoding="utf-8")))


def test_one_mutant_is_killed_and_one_does_the_same(tmp_path: Path) -> None:
    only = "|".join(f"^{re.escape(mutant)}$" for mutant in (KILLED, EQUIVALENT))
    failing = tmp_path / "test_fails.py"
    failing.write_text(NO_HELP, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.mutation", "--package", "resolver", "--only", only),
            *("--tests", "tests/unit/resolver/test_semver.py", "--tests", str(failing)),
            *("-o", str(tmp_path / "report.json")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    verdicts = {entry["mutant"]: entry["verdict"] for entry in report["mutants"]}
    assert verdicts == {KILLED: "killed", EQUIVALENT: "survived"}
    assert set(report["tests left out"].values()) == {"does not pass without a mutant"}
    (numbers,) = report["packages"]
    assert (numbers["killed"], numbers["equivalent"], numbers["raw"], numbers["adjusted"]) == (1, 1, 0.5, 1.0)


def test_every_judged_survivor_is_still_a_mutant() -> None:
    """Whoever rewrites a function judges its mutants again."""
    assert set(judged()) <= {mutant for package in PACKAGES for mutant in mutants_of(package)}


def test_statements_change_and_words_do_not() -> None:
    mutants = python_mutants("f.py", STATEMENTS)
    changed = {(mutant.old, mutant.new) for mutant in mutants}
    assert ("items", "(not (items)\0)") not in changed
    assert ("not items", "(items\0)") in changed
    assert ("limit < len(items)", "((limit) <= (len(items))\0)") in changed
    assert ('raise ValueError("no more than 10")', "pass\0") in changed
    assert ("0", "(1\0)") in changed
    assert not {old for old, _ in changed if "assert" in old or "limit > 0" in old or old in ("1", "10")}
    for mutant in mutants:
        text = mutant.applied(STATEMENTS)
        compile(text, "f.py", "exec")
        assert text != STATEMENTS
        assert text.count("\n") == STATEMENTS.count("\n"), "functions behind a change are found by their lines"
    assert {mutant.function for mutant in mutants if mutant.old == "3"} == {""}, "defaults are made at import"


def test_instructions_change_and_comments_do_not() -> None:
    mutants = wat_mutants("f.wat", FUNCTION)
    changed = {(mutant.old, mutant.new) for mutant in mutants}
    assert {("i32.add", "i32.sub"), ("offset=8", "offset=0"), ("4", "5"), ("4", "3"), ("$x", "$y")} <= changed
    assert ("(call $b (i32.load offset=8 (local.get $x)))", "") in changed
    comment = FUNCTION.index(";;")
    assert all(mutant.start > comment + 25 for mutant in mutants)
    assert len({mutant.id for mutant in mutants}) == len(mutants)


def test_the_library_is_made_anew_for_a_mutant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept on disk otherwise, as the text without a mutant has it."""
    monkeypatch.setenv("MELDPY_CACHE", str(tmp_path))
    for name in ("read", "write"):
        monkeypatch.setattr(kept, name, getattr(kept, name))
    kept.write("thing", b"source", b"data")
    assert kept.read("thing", b"source") == b"data"
    keep_nothing()
    assert kept.read("thing", b"source") is None
