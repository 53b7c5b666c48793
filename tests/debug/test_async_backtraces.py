"""Backtraces of traps in async tasks, in their callbacks, and in what is put between them: composed beside fused.

The engine gives a task a stack of its own, so of a composition it shows the frames of the task that trapped, and none
where the trap is the engine's own. A fused output shows the same frames, with the same files and lines; below them are
those of whoever lets the task run, on whose stack it is. The guests are C compiled with -g (`guests/tasks.c`), and the
text of all traps that built-ins of async end in (`support/trapcases`), with the DWARF that wasm-tools writes for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from wasmtime import Engine, Store, WasmtimeError
from wasmtime import component as components

import meldpy
from meldpy.cli.main import run
from meldpy.debug.symbols import Frame
from meldpy.debug.traces import rewritten, trace_frames, trap_told
from meldpy.debugging import symbolizer
from meldpy.engine.calls import call
from meldpy.engine.config import full_engine
from meldpy.fixture.compose import compose
from meldpy.fixture.model import Wire
from tests.debug.test_backtraces import guest_frames
from tests.debug.test_dwarf import given
from tests.support.trapcases.async_guests import composition
from tests.support.trapcases.async_scripts import scripts

ROOT = Path(__file__).parents[2]
JOBS = "demo:debug/jobs@1.0.0"
SUFFIXES = ("4-0", "5-0", "4-2", "5-2")
EXPORTS = ("start", "start-blocking")
AT_ONCE, LATER, FINE, CODE, NO_RESULT, TWICE, AFTERWARDS = range(1, 8)
"""What makes the guests trap: the task of the callee at once and in its callback; not at all; the adapter between them,
in three ways; the caller, when it has the result."""
TRAPS = (AT_ONCE, LATER, CODE, NO_RESULT, TWICE, AFTERWARDS)
RULES = {
    CODE: "callback returned an unknown code",
    NO_RESULT: "task exited without a result",
    TWICE: "task already resolved",
}
Traps = list[str | None]


@cache
def forms(suffix: str) -> tuple[bytes, bytes]:
    """The composition of the guests in C, and its fused form."""
    parts = given(f"starts-{suffix}", "app"), given(f"tasks-{suffix}", "lib")
    composed = compose({part.name: part.data for part in parts}, [Wire("app", JOBS, "lib", JOBS)])
    return composed, meldpy.fuse(list(parts), meldpy.FuseOptions(flat=True)).bytes


@cache
def forms_in_text() -> tuple[bytes, bytes]:
    """The same of guests in text, of which `run(n)` does the n-th of the scripts that trap."""
    with TemporaryDirectory() as work:
        text, binary = Path(work) / "traps.wat", Path(work) / "traps.wasm"
        text.write_text(composition([bad for script in scripts() for bad in script.bad]))
        subprocess.run(["wasm-tools", "parse", "-g", text.name, "-o", binary.name], check=True, cwd=work)
        composed = binary.read_bytes()
    return composed, meldpy.fuse([composed], meldpy.FuseOptions(flat=True)).bytes


def traps_of(engine: Engine, data: bytes, calls: list[tuple[str, int]]) -> Traps:
    """What the engine says of each call, made in a store of its own; None if it returns."""
    component = components.Component(engine, data)
    told: Traps = []
    for name, argument in calls:
        store = Store(engine)
        func = components.Linker(engine).instantiate(store, component).get_func(store, name)
        assert func is not None
        try:
            call(func, store, (argument,))
            told.append(None)
        except WasmtimeError as error:
            told.append(str(error))
    return told


def all_traps() -> list[tuple[Traps, Traps]]:
    """The calls of all forms, composed and fused: in C, one for each suffix, then in text."""
    engine = full_engine().engine
    in_c = [(name, reason) for name in EXPORTS for reason in (FINE, *TRAPS)]
    in_text = [("run", number) for number in range(sum(len(script.bad) for script in scripts()))]
    pairs = [*((forms(suffix), in_c) for suffix in SUFFIXES), (forms_in_text(), in_text)]
    return [(traps_of(engine, composed, calls), traps_of(engine, fused, calls)) for (composed, fused), calls in pairs]


@cache
def with_lines() -> list[tuple[Traps, Traps]]:
    """`all_traps` of a process in which the engine shows lines (it looks when a Config is made)."""
    code = "import json; from tests.debug.test_async_backtraces import all_traps; print(json.dumps(all_traps()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, env={**os.environ, "WASMTIME_BACKTRACE_DETAILS": "1"}, cwd=ROOT, check=True,
    )  # fmt: skip
    return [(composed, fused) for composed, fused in json.loads(done.stdout)]


@pytest.mark.parametrize("number", range(len(SUFFIXES)))
def test_guests_called_async_show_the_frames_that_they_show_composed(number: int) -> None:
    composed, fused = with_lines()[number]
    assert len(composed) == len(EXPORTS) * (1 + len(TRAPS))
    shown = 0
    for before, after in zip(composed, fused, strict=True):
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            expected, found = guest_frames(before), guest_frames(after)
            assert found[: len(expected)] == expected
            assert found
            shown += bool(expected)
    assert shown == len(EXPORTS) * 4


def test_every_trap_of_a_built_in_shows_the_frames_that_it_shows_composed() -> None:
    composed, fused = with_lines()[-1]
    cases = [(script, bad) for script in scripts() for bad in script.bad]
    shown = silent = 0
    for (script, bad), before, after in zip(cases, composed, fused, strict=True):
        assert after is not None, bad
        if before is None:
            assert script.divergence is not None
            continue
        expected, found = guest_frames(before), guest_frames(after)
        assert found[: len(expected)] == expected, bad
        shown += bool(expected)
        silent += not expected
        assert found
    assert shown > 130
    assert silent < 30


def told(data: bytes, name: str, reason: int) -> tuple[str, list[Frame]]:
    """What the engine says of a call that traps, and our frames for it."""
    (text,) = traps_of(full_engine().engine, data, [(name, reason)])
    assert text is not None
    return text, [frame for each in trace_frames(text, symbolizer(data, "fused")) for frame in each.frames]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("reason", TRAPS)
def test_we_say_whose_task_it_was(suffix: str, name: str, reason: int) -> None:
    composed, fused = forms(suffix)
    _, theirs = told(composed, name, reason)
    text, ours = told(fused, name, reason)
    guests = [frame for frame in ours if frame.place is not None]
    expected = [str(frame.place) for frame in theirs if frame.place is not None]
    assert [str(frame.place) for frame in guests][: len(expected)] == expected
    assert [frame.component for frame in guests] == [
        "lib" if str(frame.place).startswith("guests/tasks.c") else "app" for frame in guests
    ]
    assert guests[0].component == ("lib" if reason in (AT_ONCE, LATER, TWICE) else "app")
    lines = list(trap_told(text, symbolizer(fused, "fused")))
    shown = [line.strip() for line in rewritten(text.splitlines(), symbolizer(fused, "fused"))]
    assert [line for line in shown if line.startswith("at guests/")] == [f"at {frame.place}" for frame in guests]
    assert all(any(line.endswith(f"{frame}") for line in shown) for frame in guests)
    rules = [line.rpartition(": ")[2] for line in lines if line.startswith("the call broke a rule")]
    assert rules == ([RULES[reason]] if reason in RULES else [])


def test_every_frame_has_a_name() -> None:
    for name in EXPORTS:
        for reason in TRAPS:
            _, frames = told(forms("4-0")[1], name, reason)
            assert not [frame.function for frame in frames if frame.function.startswith("function ")]


def test_run_says_component_function_file_and_line_of_a_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wasm"
    out.write_bytes(forms("4-0")[1])
    assert run(["run", str(out), "--invoke", f"start({LATER})"]) == 134
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    assert "0: lib: fail_in_an_inlined_call (inlined)" in lines
    assert "lib: go_on_with_the_task" in lines
    assert "at guests/tasks.c:32:9" in lines
