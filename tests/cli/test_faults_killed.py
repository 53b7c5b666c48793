"""A `meld fuse` that is killed, wherever it is, and many at once: the output is the old or the new one, and whole.

A killed process cannot tidy up: it may leave a `.meld-*.tmp` beside the output, which nothing reads later. One that is
told to end (SIGTERM, SIGINT, SIGHUP) leaves nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from meldpy.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = [ROOT / "fixtures" / "hello" / name for name in ("greeter.wasm", "app.wasm")]
DEEP_KILLS = int(os.environ.get("FAULT_KILLS", "300"))
SIGKILL = -9


def drive(what: str, directory: Path, *rest: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.faults.driver", what, str(directory), *map(str, rest)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for path in FIXTURES:
        (folder / path.name).write_bytes(path.read_bytes())
    return [folder / path.name for path in FIXTURES]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "outputs"
    path.mkdir()
    return path


def assert_undamaged(inputs: list[Path], directory: Path) -> None:
    """Inputs are as they were, and what lies around is the output and temporary files that no run mistakes for it."""
    assert [path.read_bytes() for path in inputs] == [path.read_bytes() for path in FIXTURES]
    assert sorted(path.name for path in inputs[0].parent.iterdir()) == sorted(path.name for path in inputs)
    others = [path.name for path in directory.iterdir() if path.name != "out.wasm"]
    assert all(name.startswith(".meld-") and name.endswith(".tmp") for name in others)


@pytest.mark.parametrize("before", ["existing", "absent"])
def test_killed_at_any_line_of_writing_leaves_the_old_or_the_new_file(before: str, directory: Path) -> None:
    found = drive("lines", directory, before, "SIGKILL", 1)
    assert len(found) > 50
    assert {entry["code"] for entry in found} == {SIGKILL}
    old = "old" if before == "existing" else "absent"
    left = [entry["left"] for entry in found]
    switch = left.index("new")
    assert left == [old] * switch + ["new"] * (len(left) - switch), "old before one moment, new from then on"
    assert switch > 20
    assert {entry["later"] for entry in found} == {"new"}, "a later run is not confused by what lies around"
    if before == "existing":
        assert {entry["mode"] for entry in found} == {0o640}


@pytest.mark.parametrize(("number", "step"), [("SIGTERM", 3), ("SIGINT", 7), ("SIGHUP", 11)])
def test_told_to_end_at_any_line_of_writing_leaves_no_temporary_file(number: str, step: int, directory: Path) -> None:
    found = drive("lines", directory, "existing", number, step)
    assert len(found) > 150 // step
    ended = 99 if number == "SIGINT" else -signal.Signals[number]  # an interrupt is an exception
    assert {entry["code"] for entry in found} == {ended}
    assert {entry["litter"] for entry in found} == {0}
    left = [entry["left"] for entry in found]
    assert {"old", "new"} == set(left), "what has begun is finished"
    assert left == sorted(left, key="old new".index)


def test_a_signal_that_was_ignored_stays_so(directory: Path) -> None:
    """`nohup` is a way to say that a hangup must not end it."""
    code = f"""import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from meldpy.cli import io
replace = os.replace
def hang_up(*arguments):
    os.kill(os.getpid(), signal.SIGHUP)
    replace(*arguments)
os.replace = hang_up
io.write_output({str(directory / "out.wasm")!r}, b"new")
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert (directory / "out.wasm").read_bytes() == b"new"


def test_the_next_run_says_what_a_killed_one_left(
    inputs: list[Path], directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, young = directory / ".meld-abcdefgh.tmp", directory / ".meld-12345678.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert run(["fuse", *map(str, inputs), "-o", str(directory / "out.wasm")]) == 0
    err = capsys.readouterr().err
    assert f"{old} is what a run left that was killed; it can be deleted" in err
    assert str(young) not in err, "another run may be writing it"
    assert old.exists(), "it is said, not done"
    run(["-q", "fuse", *map(str, inputs), "-o", str(directory / "out.wasm")])
    assert capsys.readouterr().err == ""


def test_killed_at_any_time_leaves_inputs_whole_and_the_old_or_the_new_output(
    inputs: list[Path], directory: Path
) -> None:
    check_killed(drive("times", directory, 12, 1, *inputs))
    assert_undamaged(inputs, directory)


@pytest.mark.deep
def test_killed_very_often(inputs: list[Path], directory: Path) -> None:
    """FAULT_KILLS says how often; FAULT_SEED where to start."""
    found = drive("times", directory, DEEP_KILLS, os.environ.get("FAULT_SEED", "2"), *inputs)
    check_killed(found)
    check_killed(drive("large", directory, DEEP_KILLS, 2))
    assert_undamaged(inputs, directory)
    print(f"{len(found)} kills: {[e['left'] for e in found].count('old')} old, the others new")


def test_killed_while_a_large_file_is_written(directory: Path) -> None:
    check_killed(drive("large", directory, 12, 1))


def check_killed(found: list[dict[str, Any]]) -> None:
    assert any(entry["code"] == SIGKILL for entry in found)
    for entry in found:
        assert entry["code"] in (SIGKILL, 0)
        assert entry["left"] in ("old", "new")
        assert entry["code"] == SIGKILL or entry["left"] == "new"


def test_twenty_runs_at_once_into_one_file(inputs: list[Path], directory: Path) -> None:
    found = drive("together", directory, 20, *inputs)
    assert found == {"codes": [0] * 20, "left": "new"}
    assert_undamaged(inputs, directory)
    assert [path.name for path in directory.iterdir()] == ["out.wasm"]


def test_readers_see_whole_files_while_many_write(directory: Path) -> None:
    found = drive("mixed", directory, 8)
    assert found["codes"] == [0] * 8
    assert "torn" not in found["seen"]
    assert "absent" not in found["seen"]
    assert len(found["seen"]) > 1, "never read while somebody else's bytes were there"
    assert [path.name for path in directory.iterdir()] == ["out.wasm"]
