"""gdb and lldb over the engine's native debugging information: fused they show what they show composed.

The engine's transform reads memory 0 only, so values are compared where they live in locals of the wasm code (-O2), or
are of the component whose memory that is; functions, files, lines and inlined frames are compared everywhere. In a
single memory there is no other, and all values are compared, of all components. Frames without a source (the engine's,
and adapters) are not the guests'.

The engine puts what a call rarely needs (to find a function of a table for the first time) behind the end of the
calling function, with the line of the call. For lldb that is another place of the same breakpoint, unless the block of
the call reaches over it in the engine's code, which depends on what else is there. It is one stop, not two.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import wasmtime

import meldpy
from meldpy.fixture.compose import compose
from meldpy.fixture.model import Wire
from tests.debug.test_dwarf import fused as fuse_with_insides
from tests.debug.test_dwarf import given

pytestmark = pytest.mark.deep

RUN = Path(__file__).with_name("run_in_debugger.py")
WORK = "demo:debug/work@1.0.0"
HITS = 6
# In functions that are still there in a fused output: elsewhere gdb takes the next line that has code, another one.
PLACES = {
    "lib": ["lib.c:14", "lib.c:28", "other.c:17", "weak.c:3"],
    "shapes": ["shapes.cpp:16", "shapes.cpp:22", "shapes.cpp:30"],
}
# gdb does not show an inlined call at its very first instruction, so breakpoints lie behind it
PLACES_INSIDE = {**PLACES, "lib": ["lib.c:13", *PLACES["lib"][1:]]}


def forms(suffix: str, provider: str, work: Path) -> tuple[Path, Path]:
    """The composition and its fused form."""
    app, lib = given(f"app-{suffix}", "app"), given(f"{provider}-{suffix}", "lib")
    composed, fused = work / "composed.wasm", work / "fused.wasm"
    composed.write_bytes(compose({"app": app.data, "lib": lib.data}, [Wire("app", WORK, "lib", WORK)]))
    fused.write_bytes(meldpy.fuse([app, lib]).bytes)
    return composed, fused


def in_one_memory(suffix: str, provider: str, work: Path) -> Path:
    """The core output with a single memory, as a component."""
    app, lib = given(f"app-{suffix}", "app"), given(f"{provider}-{suffix}", "lib")
    core, single = work / "core.wasm", work / "single.wasm"
    core.write_bytes(meldpy.fuse([app, lib], meldpy.FuseOptions(core=True, memory="single")).bytes)
    subprocess.run(["wasm-tools", "component", "new", str(core), "-o", str(single)], check=True)
    return single


def debugged(command: list[str], path: Path) -> str:
    # without the launcher of a virtual environment, which debuggers would follow first
    python = os.path.realpath(sys.executable)
    site = Path(wasmtime.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [*command, python, str(RUN), str(path), "main-run", "9"],
        capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert "result" in done.stdout, done.stdout + done.stderr
    return done.stdout


def gdb(path: Path, places: list[str], work: Path) -> list[str]:
    """The backtraces at the first hits of breakpoints, a frame a line: function, arguments, file, line."""
    script = work / "gdb"
    lines = ["set pagination off", "set confirm off", "set breakpoint pending on", "set debuginfod enabled off"]
    lines += ["handle SIGSEGV SIGILL nostop noprint pass", *(f"break {place}" for place in places), "run"]
    lines += ["bt 12", "continue"] * HITS
    lines += ["delete", "continue"]
    script.write_text("\n".join(lines))
    text = debugged(["gdb", "-batch", "-nx", "-x", str(script), "--args"], path)
    frame = re.compile(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+ \(.*\) at \S+:\d+)$", re.MULTILINE)
    return of_guests(frame.findall(text))


def lldb(path: Path, places: list[str], work: Path) -> list[str]:
    script = work / "lldb"
    lines = ["settings set plugin.jit-loader.gdb.enable on"]
    lines += [f"breakpoint set -f {place.split(':')[0]} -l {place.split(':')[1]}" for place in places]
    lines += ["run", *["bt 12", "continue"] * (2 * HITS), "breakpoint disable", "continue", "quit"]
    script.write_text("\n".join(lines))
    text = debugged(["lldb-19", "-b", "-x", "-s", str(script), "--"], path)
    return [frame for stop in stops(text)[:HITS] for frame in stop]


STOP = re.compile(r"stop reason = breakpoint (\d+)\.(\d+)$", re.MULTILINE)
FRAME = re.compile(r"^ +\*? +frame #\d+: 0x[0-9a-f]+ [^`]*`(.* at \S+\.(?:c|cpp):\d+(?::\d+)?.*)$", re.MULTILINE)


def stops(text: str) -> list[list[str]]:
    """The guests' frames at each stop of lldb's; one in the engine's code behind the function is a part of the last."""
    found: list[list[str]] = []
    last = ("", "")
    for shown in text.split("(lldb) bt 12\n")[1:]:
        stop = STOP.search(shown)
        if stop is None:
            break  # it has run to its end
        breakpoint_, location = stop.groups()
        frames = of_guests(FRAME.findall(shown.partition("(lldb) continue")[0]))
        if not (found and breakpoint_ == last[0] and location != last[1] and frames == found[-1]):
            found.append(frames)
        last = breakpoint_, location
    return found


def of_guests(frames: Iterable[str]) -> list[str]:
    """Without those of the interpreter that the debugger runs."""
    return [frame for frame in frames if re.search(r" at (app|lib|other|weak)\.c:| at shapes\.cpp:", frame)]


def owner_of_memory_0(suffix: str, provider: str) -> str:
    (owner,) = (
        unit.component for unit in fuse_with_insides(f"app-{suffix}", f"{provider}-{suffix}").units if not unit.memory
    )
    return owner


def of_component(frames: list[str], component: str) -> list[str]:
    return [frame for frame in frames if (" at app.c:" in frame) == (component == "app")]


def without_values(frames: list[str]) -> list[str]:
    return [re.sub(r"\(.*\) at ", "() at ", frame) for frame in frames]


@pytest.mark.parametrize("debugger", [gdb, lldb])
@pytest.mark.parametrize("provider", ["lib", "shapes"])
@pytest.mark.parametrize("suffix", ["4-0", "5-0", "4-2", "5-2", "4-1"])
def test_debuggers_show_the_same(
    debugger: Callable[[Path, list[str], Path], list[str]], provider: str, suffix: str, tmp_path: Path
) -> None:
    composed, fused = (debugger(form, PLACES[provider], tmp_path) for form in forms(suffix, provider, tmp_path))
    assert len(composed) >= 2 * HITS
    assert without_values(fused) == without_values(composed)
    if suffix.endswith("2"):
        assert fused == composed
    else:
        owner = owner_of_memory_0(suffix, provider)
        assert of_component(fused, owner) == of_component(composed, owner)
        if suffix.endswith("0"):
            assert any(re.search(r"\(\w+=\d+", frame) for frame in of_component(fused, owner))


@pytest.mark.parametrize("debugger", [gdb, lldb])
@pytest.mark.parametrize("provider", ["lib", "shapes"])
@pytest.mark.parametrize("suffix", ["4-0", "5-0", "4-2"])
def test_debuggers_show_the_same_values_of_all_components_in_one_memory(
    debugger: Callable[[Path, list[str], Path], list[str]], provider: str, suffix: str, tmp_path: Path
) -> None:
    composed, _ = forms(suffix, provider, tmp_path)
    single = in_one_memory(suffix, provider, tmp_path)
    before, after = (debugger(form, PLACES_INSIDE[provider], tmp_path) for form in (composed, single))
    assert len(before) >= 2 * HITS
    assert after == before
    assert {re.sub(r".* at (\w+)\..*", r"\1", frame) for frame in after} >= {"app", provider}
    if suffix.endswith("0"):
        assert any(re.search(r"\(\w+=\d+", frame) for frame in after)
