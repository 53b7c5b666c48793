"""The engine's own backtraces, with files and lines: of a fused output, and of one with a single memory, the same as of
the composition.

The engine reads whether it shows lines when a Config is made, so all pairs run in one process of their own. Frames of
guests are compared, with their inlined calls; between them may be adapters, which have no source.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import meldpy
from meldpy.debug.traces import trace_frames
from meldpy.debugging import symbolizer
from meldpy.fixture.compose import compose
from meldpy.fixture.model import Wire
from tests.debug.test_dwarf import SUFFIXES, given
from tests.debug.test_symbolize import trapping

WORK = "demo:debug/work@1.0.0"
CASES = [
    *((f"app-{suffix}", f"{provider}-{suffix}") for provider in ("lib", "shapes") for suffix in SUFFIXES),
    *(("app-4-1", provider) for provider in ("mixed", "types", "old", "older", "core-4-2", "core-5-1")),
]
_FRAME = re.compile(r"^ *\d+: +0x[0-9a-f]+ - (?P<name>.*)$")
_PLACE = re.compile(r"^ +at (?P<place>.*:\d+(:\d+)?)$")
_INLINED = re.compile(r"^ +- (?P<name>.*)$")


def guest_frames(text: str) -> list[tuple[str, str]]:
    """(function, place) of every frame with a source, innermost first."""
    found: list[tuple[str, str]] = []
    name = ""
    for line in text.splitlines():
        frame = _FRAME.match(line) or _INLINED.match(line)
        if frame is not None:
            name = frame["name"]
        elif (place := _PLACE.match(line)) is not None:
            found.append((name, place["place"]))
    return found


def both(app: str, provider: str) -> tuple[bytes, bytes]:
    parts = given(app, "app"), given(provider, "lib")
    composed = compose({part.name: part.data for part in parts}, [Wire("app", WORK, "lib", WORK)])
    return composed, meldpy.fuse(list(parts)).bytes


def in_one_memory(app: str, provider: str) -> bytes:
    """The core output with a single memory, as a component."""
    options = meldpy.FuseOptions(core=True, memory="single")
    core = meldpy.fuse([given(app, "app"), given(provider, "lib")], options).bytes
    with TemporaryDirectory() as work:
        module, out = Path(work) / "core.wasm", Path(work) / "out.wasm"
        module.write_bytes(core)
        subprocess.run(["wasm-tools", "component", "new", str(module), "-o", str(out)], check=True)
        return out.read_bytes()


def all_backtraces() -> list[list[str]]:
    """The messages of all cases: composed, fused, in one memory."""
    return [[trapping(form, "main-fail", 20) for form in (*both(*case), in_one_memory(*case))] for case in CASES]


def test_the_engine_shows_the_same_backtraces_with_lines() -> None:
    code = "import json; from tests.debug.test_backtraces import all_backtraces; print(json.dumps(all_backtraces()))"
    environment = {**os.environ, "WASMTIME_BACKTRACE_DETAILS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2], check=True,
    )  # fmt: skip
    messages = json.loads(done.stdout)
    assert len(messages) == len(CASES) >= 20
    for case, (composed, fused, single) in zip(CASES, messages, strict=True):
        assert guest_frames(composed) == guest_frames(fused), case
        assert guest_frames(composed) == guest_frames(single), case
        assert len(guest_frames(fused)) >= 2, case


def test_we_say_the_components_that_the_engine_leaves_out() -> None:
    for case in CASES:
        composed, fused = both(*case)
        before = symbolizer(composed, "composed")
        theirs = [
            str(f.place)
            for frame in trace_frames(trapping(composed, "main-fail", 20), before)
            for f in frame.frames
            if f.place is not None
        ]
        for form in (fused, in_one_memory(*case)):
            symbols = symbolizer(form, "fused")
            found = [f for frame in trace_frames(trapping(form, "main-fail", 20), symbols) for f in frame.frames]
            assert {f.component for f in found if f.place is not None} == {"app", "lib"}, case
            assert [str(f.place) for f in found if f.place is not None] == theirs, case
