"""Backtraces of engines, with our words in the place of theirs.

Two kinds of lines are known: those of wasmtime (`3:  0x1a2b - name`, an offset in the file) and those of browsers and
Node (`wasm-function[7]:0x1a2b`, an offset in the core module). What an engine itself says of file and line below its
frame is left out where we say it; every other line stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, final

from meldpy.debug.symbols import Frame, Symbolizer
from meldpy.records import dataclass

_WASMTIME: Final = re.compile(
    r"^\s*(?P<number>\d+):\s+0x(?P<offset>[0-9a-f]+) - .*?(<wasm function (?P<unnamed>\d+)>)?$"
)
_BROWSER: Final = re.compile(r"wasm-function\[(?P<index>\d+)\]:0x(?P<offset>[0-9a-f]+)")
_CAUSES: Final = re.compile(r"^Caused by:\n(?P<causes>.*)\Z", re.DOTALL | re.MULTILINE)
_DETAIL: Final = re.compile(r"^\s+(at .+:\d+|- .+|at <unknown>)")


@final
@dataclass(frozen=True, slots=True)
class TraceFrame:
    """A frame of the engine's: its offset in the file, and the functions there, innermost first."""

    number: int
    offset: int
    frames: tuple[Frame, ...]


def trace_frames(text: str, symbols: Symbolizer) -> list[TraceFrame]:
    """The frames of a backtrace of wasmtime's."""
    found: list[TraceFrame] = []
    for line in text.splitlines():
        match = _WASMTIME.match(line)
        if match is not None:
            found.append(_frame(match, symbols))
    return found


def _frame(match: re.Match[str], symbols: Symbolizer) -> TraceFrame:
    offset = int(match["offset"], 16)
    unnamed = None if match["unnamed"] is None else int(match["unnamed"])
    return TraceFrame(int(match["number"]), offset, tuple(symbols.frames(offset, unnamed)))


def told(frame: TraceFrame) -> Iterator[str]:
    """The lines for one frame."""
    head = f"{frame.number:>4}: "
    for function in frame.frames:
        yield f"{head}{function}"
        head = " " * len(head)
        if function.place is not None:
            yield f"{head}    at {function.place}"
    if frame.frames and frame.frames[-1].origin is not None:
        yield f"{head}    from {frame.frames[-1].origin}"


def trap_told(text: str, symbols: Symbolizer) -> Iterator[str]:
    """An engine's message about a trap: the causes, the rule that fired if one of ours did, and the backtrace."""
    trace = [frame for frame in trace_frames(text, symbols) if frame.frames]
    if not trace:
        yield from text.splitlines()
        return
    causes = _CAUSES.search(text)
    yield from (line.strip() for line in (causes["causes"] if causes else text.splitlines()[0]).splitlines())
    rule = trace[0].frames[0].rule
    if rule is not None:
        yield f"the call broke a rule of the Canonical ABI: {rule}"
    yield "backtrace:"
    for frame in trace:
        yield from told(frame)


def rewritten(lines: Iterable[str], symbols: Symbolizer) -> Iterator[str]:
    """A trace of any engine, line by line, with what is known put in."""
    known = False
    for line in lines:
        line = line.rstrip("\n")
        match = _WASMTIME.match(line)
        if match is not None:
            frame = _frame(match, symbols)
            known = bool(frame.frames)
            yield from told(frame) if known else (line,)
            continue
        browser = _BROWSER.search(line)
        if browser is not None:
            yield line
            for function in symbols.frames_in_module(int(browser["offset"], 16), int(browser["index"])):
                place = "" if function.place is None else f" at {function.place}"
                yield f"        {function}{place}"
            continue
        if known and _DETAIL.match(line):
            continue
        known = known and not line.strip()
        yield line
