"""What one run of the tool must not do, whatever the input is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SECONDS = 10.0
"""Of processor time, for one input."""
MEMORY = 1 << 30
"""Bytes of peak resident memory, for one input."""
WORDS = 20_000
"""Characters that a message may have: more is a flood, not a message."""
_OVERFLOW = "too large or too deep for this machine"
"""What the tool says when Python ran out of stack or memory: clean words for something that must not happen."""


@dataclass(frozen=True, slots=True)
class Run:
    """left: files in the directory that were not there before; native: what reached the process's own stderr."""

    fuses: bool
    code: int
    stdout: str
    stderr: str
    output: bytes | None
    left: tuple[str, ...]
    seconds: float
    peak: int
    native: str


def violations(run: Run, quiet: bool) -> Iterator[str]:
    if run.code not in (0, 1):
        yield f"exit code {run.code}: {_first(run.stderr)}"
    elif run.code == 1 and not run.stderr.startswith("error: "):
        yield f"exit code 1 without an error: {_first(run.stderr)}"
    elif run.code == 0 and quiet and run.stderr:
        yield f"words from a quiet run: {_first(run.stderr)}"
    if run.fuses and (run.output is None) == (run.code == 0):
        yield f"exit code {run.code} with {'no' if run.output is None else 'an'} output"
    if "Traceback" in run.stderr or 'File "' in run.stderr:
        yield "a traceback"
    if _OVERFLOW in run.stderr:
        yield f"an exhausted machine: {_first(run.stderr)}"
    for what, text in (("stderr", run.stderr), ("stdout", run.stdout)):
        raw = sorted({c for c in text if c != "\n" and not c.isprintable()})
        if raw:
            yield f"raw characters on {what}: {raw[:5]}"
    if len(run.stderr) > WORDS:
        yield f"{len(run.stderr)} characters of message"
    if run.left:
        yield f"files were left: {', '.join(run.left)}"
    if run.native:
        yield f"the process itself wrote {run.native[:300]!r}"
    if run.seconds > SECONDS:
        yield f"{run.seconds:.1f} s"
    if run.peak > MEMORY:
        yield f"{run.peak >> 20} MiB of memory"


def _first(stderr: str) -> str:
    return " | ".join(stderr.splitlines())[:500]
