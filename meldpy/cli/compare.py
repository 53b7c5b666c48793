"""`meld run --compare`: what was found, for people and as JSON; the exit code says equal (0) or not (1)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from meldpy.cli.io import read_input
from meldpy.cli.progress import Progress
from meldpy.cli.settings import Settings
from meldpy.comparison import Comparison, Fuzzed, Scenario, compare, fuzz, load
from meldpy.comparison.selfcheck import check
from meldpy.engine.text import assemble, is_text
from meldpy.errors import escape, shorten
from meldpy.fixture.compare import Difference, outcome_words
from meldpy.pipeline import FuseInput, FuseOptions

DIFFERENT: Final = 1
SCHEMA: Final = "meld.compare/1"


def compared(original: bytes, fused: bytes, scenario: Scenario, repeat: int, *, as_json: bool) -> int:
    """Compare by a scenario, print what was found, and return the exit code."""
    found = compare(original, fused, scenario, repeat=repeat)
    click.echo(json.dumps(_data(found), indent=2) if as_json else "\n".join(_lines(found)))
    return 0 if found.equal else DIFFERENT


def fuzzed(
    settings: Settings,
    original: tuple[str, bytes],
    fused: tuple[str, bytes],
    around: Scenario,
    scenario: str | None,
    seconds: float,
    seed: int,
    *,
    as_json: bool,
) -> int:
    """Look for a difference, print what was found, and return the exit code. The sides: names for messages, bytes.
    around: the host; scenario: the file that it came from."""
    with Progress(settings, "fuzzing") as progress:
        found = fuzz(
            original[1],
            fused[1],
            seconds,
            seed=seed,
            scenario=around,
            progress=lambda case: progress.say(f"{case} cases"),
        )
    for skipped in found.skipped:
        settings.say(f"not called: {skipped}")
    if as_json:
        click.echo(json.dumps(_fuzz_data(found), indent=2))
    else:
        click.echo("\n".join(_fuzz_lines(found, original[0], fused[0], scenario, around.stub)))
    return 0 if found.equal else DIFFERENT


def self_check(
    settings: Settings, inputs: Sequence[FuseInput], options: FuseOptions, fused: bytes, scenario: Path
) -> None:
    """Raise InternalError unless `fused` does what the inputs do that are linked and not fused."""
    found = check(inputs, options, fused, load(scenario), str(scenario))
    for label in found.inconclusive:
        settings.say(f"self-check: {label} ran out of stack or time; nothing follows from it")
    settings.note(f"self-check: {_counted(found)} did the same fused and unfused")


def side(argument: str) -> tuple[FuseInput, bytes]:
    """One of the two: as it is named, and its bytes in the binary format."""
    item = read_input(argument)
    return item, assemble(item.data, item.source) if is_text(item.data) else item.data


def said(differences: Sequence[Difference]) -> list[str]:
    """What differs, a line each and one for either side; safe for a terminal."""
    return [line for each in differences for line in _difference(each)]


# --- for people ------------------------------------------------------------------------------------------------------
def _lines(found: Comparison) -> Iterator[str]:
    counted = _counted(found)
    yield f"equal: {counted}" if found.equal else f"different: {len(found.differences)} in {counted}"
    yield from said(found.differences)
    for label in found.inconclusive:
        yield f"  {escape(label)}: ran out of stack or time; nothing follows from it"
    width = max((len(escape(step.label)) for step in found.steps), default=0)
    yield f"  {'':{width}}  {'original':>10}  {'fused':>10}  ratio"
    for step in found.steps:
        ratio = f"{step.fused / step.original:.2f}" if step.original else "-"
        yield (f"  {escape(step.label):{width}}  {_time(step.original):>10}  {_time(step.fused):>10}  {ratio:>5}")


def _counted(found: Comparison) -> str:
    """The calls that show something, and of how many if others do not."""
    of = "" if found.compared == found.calls else f"{found.compared} of "
    return f"{of}{found.calls} call{'s' * (found.calls != 1)}"


def _difference(each: Difference) -> Iterator[str]:
    yield f"  {escape(each.where)}: {each.aspect} differs"
    yield f"    original: {escape(shorten(outcome_words(each.composed)))}"
    yield f"    fused:    {escape(shorten(outcome_words(each.fused)))}"


def _fuzz_lines(found: Fuzzed, original: str, fused: str, scenario: str | None, stub: bool) -> Iterator[str]:
    unsure = f" ({found.inconclusive} ran out of stack or time)" if found.inconclusive else ""
    tried = f"{found.calls} calls in {found.cases} cases of seed {found.seed}{unsure}"
    if found.equal:
        yield f"equal: {tried}"
        return
    yield f"different: case {found.case} of seed {found.seed}, after {tried}; the smallest calls that show it:"
    yield from (f"  {escape(shorten(text))}" for text in found.smallest)
    yield from said(found.differences)
    again = ["meld", "run", "--compare", original, fused, *(["--stub"] if stub else [])]
    behind = ""
    if not found.smallest:  # they differ in how they start
        again += ["--fuzz", "1", *(["--scenario", scenario] if scenario is not None else [])]
    elif scenario is None:
        again += (word for text in found.smallest for word in ("--invoke", text))
    else:
        again += ["--scenario", scenario]
        behind = " with these calls in place of its own"
    yield f"again: {escape(shorten(shlex.join(again)))}{behind}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"


# --- for machines ----------------------------------------------------------------------------------------------------
def _data(found: Comparison) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "equal": found.equal,
        "differences": list(map(_difference_data, found.differences)),
        "calls": found.calls,
        "compared": found.compared,
        "inconclusive": list(found.inconclusive),
        "steps": [
            {"label": step.label, "original_seconds": step.original, "fused_seconds": step.fused}
            for step in found.steps
        ],
    }


def _fuzz_data(found: Fuzzed) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "equal": found.equal,
        "differences": list(map(_difference_data, found.differences)),
        "seed": found.seed,
        "cases": found.cases,
        "calls": found.calls,
        "inconclusive_cases": found.inconclusive,
        "skipped": list(found.skipped),
        "case": found.case,
        "smallest": list(found.smallest),
    }


def _difference_data(each: Difference) -> dict[str, str]:
    return {
        "where": each.where,
        "aspect": each.aspect,
        "original": outcome_words(each.composed),
        "fused": outcome_words(each.fused),
    }
