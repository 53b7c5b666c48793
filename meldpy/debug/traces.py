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
from meldpy.debug.values import Part, told_values, values
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

    @property
    def part(self) -> Part | None:
        """What the frame tells of a value, if it is there for that alone."""
        return self.frames[0].part if self.frames else None


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


@final
class _Parts:
    """Frames that stand for parts of values, until the frame behind them shows that no engine left out any."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._lines: list[str] = []

    def add(self, part: Part, lines: Iterable[str]) -> None:
        """lines: what is said of the frame if its values are not known."""
        self._parts.append(part)
        self._lines += lines

    def end(self, *, whole: bool) -> list[str]:
        """The line for their values, if they are all there and anything is."""
        found = values(self._parts) if whole else None
        lines = [f"      with {told_values(found)}"] if found else self._lines
        self._parts, self._lines = [], []
        return lines


def told_trace(frames: Iterable[TraceFrame]) -> Iterator[str]:
    """The lines for frames, innermost first; values that frames stand for are a line in place of theirs."""
    parts = _Parts()
    for frame in frames:
        if frame.part is not None:
            parts.add(frame.part, told(frame))
            continue
        yield from parts.end(whole=True)
        yield from told(frame) if frame.frames else (f"{frame.number:>4}: in a module that is not here",)
    yield from parts.end(whole=False)


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
    yield from told_trace(trace)


def rewritten(lines: Iterable[str], symbols: Symbolizer) -> Iterator[str]:
    """A trace of any engine, line by line, with what is known put in."""
    known = False
    parts = _Parts()
    for line in lines:
        line = line.rstrip("\n")
        match, browser = _WASMTIME.match(line), _BROWSER.search(line)
        if match is not None:
            frame = _frame(match, symbols)
            known = bool(frame.frames)
            if frame.part is not None:
                parts.add(frame.part, told(frame))
            else:
                yield from parts.end(whole=True)
                yield from told(frame) if known else (line,)
        elif browser is not None:
            found = symbols.frames_in_module(int(browser["offset"], 16), int(browser["index"]))
            if found and found[0].part is not None:
                parts.add(found[0].part, (line,))
            else:
                yield from parts.end(whole=True)
                yield line
            for function in found:
                if function.part is None:
                    place = "" if function.place is None else f" at {function.place}"
                    yield f"        {function}{place}"
        elif not (known and _DETAIL.match(line)):
            known = known and not line.strip()
            if not known:
                yield from parts.end(whole=False)
            yield line
    yield from parts.end(whole=False)
