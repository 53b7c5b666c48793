"""The judges of hostile runs see what they must see: every rule fires, and the watchdog ends what does not end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import pool
from tests.support.hostile.judge import Run, violations

GOOD = Run(True, 0, "", "", b"output", (), 0.1, 50 << 20, "")
REFUSED = replace(GOOD, code=1, stderr="error: no\n  at in.wasm\n", output=None)


@pytest.mark.parametrize("run", [GOOD, REFUSED, replace(GOOD, fuses=False, output=None)])
def test_a_clean_run_is_no_violation(run: Run) -> None:
    assert not list(violations(run, quiet=True))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (replace(REFUSED, code=70), "exit code 70"),
        (replace(REFUSED, code=2), "exit code 2"),
        (replace(REFUSED, stderr="no\n"), "without an error"),
        (replace(GOOD, stderr="by the way\n"), "words from a quiet run"),
        (replace(GOOD, output=None), "no output"),
        (replace(REFUSED, output=b"x"), "an output"),
        (replace(REFUSED, stderr="error: x\nTraceback (most recent call last):\n"), "a traceback"),
        (replace(REFUSED, stderr="error: it is too large or too deep for this machine\n"), "an exhausted machine"),
        (replace(REFUSED, stderr="error: \x1b[31m\n"), "raw characters on stderr"),
        (replace(REFUSED, stderr="error: a\u202eb\n"), "raw characters on stderr"),
        (replace(GOOD, stdout="\x07"), "raw characters on stdout"),
        (replace(REFUSED, stderr="error: " + "a" * 30_000), "characters of message"),
        (replace(GOOD, left=(".meld-x.tmp",)), "files were left"),
        (replace(GOOD, native="thread panicked"), "the process itself wrote"),
        (replace(GOOD, seconds=10.1), "10.1 s"),
        (replace(GOOD, peak=2 << 30), "2048 MiB"),
    ],
)
def test_every_rule_fires(run: Run, words: str) -> None:
    found = list(violations(run, quiet=True))
    assert any(words in text for text in found), found


# --- the watchdog -----------------------------------------------------------------------------------------------
BEGIN = """
import json, os, sys, time
place = sys.argv[-2]
os.makedirs(place)
open(place + "/in0.wasm", "wb").write(b"hostile")
sys.stdin.readline()
print(json.dumps({"begins": 7, "mutator": "m", "command": ["fuse"]}), flush=True)
"""


@contextmanager
def answered(directory: Path, program: str) -> Iterator[dict[str, Any]]:
    """What the pool reports of a worker that runs `program` for its only case."""
    process = pool.Process(directory / "worker", directory / "findings", ("-c", BEGIN + program))
    try:
        (answer,) = process.order("s", 0, [7])
        assert process.process.poll() is not None
        yield answer
    finally:
        process.close()


def check(answer: dict[str, Any], words: str, directory: Path) -> None:
    assert answer["number"] == 7
    assert words in answer["violations"][0], answer
    assert (directory / "findings" / "s-7" / "in0.wasm").read_bytes() == b"hostile"


def test_a_case_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SECONDS", 0.3)
    with answered(tmp_path, "while True: pass") as answer:
        check(answer, "of processor time", tmp_path)


@pytest.mark.parametrize(("limit", "program"), [("_MAKING", "while True: pass"), ("_PATIENCE", "time.sleep(1000)")])
def test_a_worker_that_makes_no_case_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, program: str
) -> None:
    """By processor time if it works, by the clock only if it does not: others may have the processor for long."""
    monkeypatch.setattr(pool, limit, 0.3)
    process = pool.Process(tmp_path / "worker", tmp_path / "findings", ("-c", f"import time\n{program}"))
    try:
        with pytest.raises(RuntimeError, match="no case was made"):
            list(process.order("s", 0, [7]))
        assert process.process.poll() is not None
    finally:
        process.close()


def test_a_case_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", 0.5)
    with answered(tmp_path, "time.sleep(1000)") as answer:
        check(answer, "ended after 0", tmp_path)


def test_a_case_that_takes_too_much_memory_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MEMORY", 60 << 20)
    with answered(tmp_path, "kept = b'x' * (100 << 20)\ntime.sleep(1000)") as answer:
        check(answer, "MiB", tmp_path)


def test_a_worker_that_dies_answers_for_its_case(tmp_path: Path) -> None:
    with answered(tmp_path, "os.abort()") as answer:
        check(answer, "the process died with -6", tmp_path)
