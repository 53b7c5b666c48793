"""One scenario, two components: every difference, and how long each step took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import final

from meldpy.comparison.scenario import Scenario, invocations, load
from meldpy.engine.observe import INSTANTIATE, Observed, Step, Trap, play
from meldpy.engine.prepare import Prepared, prepare
from meldpy.engine.text import assemble, is_text
from meldpy.engine.wavecodec import WaveCodec
from meldpy.errors import EngineError, FileError, Location, MeldError, UsageError
from meldpy.fixture.compare import Difference
from meldpy.fixture.compare import compare as differences_of
from meldpy.fixture.scenario import same
from meldpy.records import dataclass

EXHAUSTED = frozenset({"call stack exhausted", "interrupt", "all fuel consumed by WebAssembly"})
"""Kinds of trap that two forms of one program may meet at different moments."""


@final
@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of the scenario, and the seconds that it took on either side: the median of all repetitions."""

    label: str
    original: float
    fused: float


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """differences: none if the two are equal. calls: how many were made; compared: how many of them show something.
    inconclusive: steps that ran out of stack or time on either side, and of which nothing follows, nor of later."""

    differences: tuple[Difference, ...]
    steps: tuple[StepTime, ...]
    calls: int
    compared: int
    inconclusive: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.differences


def compare(
    original: bytes | str | Path,
    fused: bytes | str | Path,
    scenario: Scenario | Sequence[str] | Path,
    *,
    repeat: int = 1,
) -> Comparison:
    """Play `scenario` on both components, and list every difference in results, traps, host calls, output and type.

    original, fused: paths or bytes, binary or text. scenario: a Scenario, calls in WAVE (`["greet(\\"world\\")"]`), or
    the path of a file with them. repeat: how often, for steadier times; each time counts for differences. Raises
    EngineError if either cannot be run at all, or if the first call ran out of stack or time so that nothing was
    compared; and UsageError for calls that the original does not have.
    """
    played = load(scenario) if isinstance(scenario, Path) else scenario
    if not isinstance(played, Scenario):
        played = invocations(played)
    if not played.calls or repeat < 1:
        raise UsageError("there is nothing to compare", remedy="give calls, or a scenario, and play it at least once")
    left, right = prepare(_binary(original)), prepare(_binary(fused))
    rounds = [(observed(left, played, "the original"), observed(right, played, "the other")) for _ in range(repeat)]
    differences, unsure, compared = [], [], []
    for composed, other in rounds:
        found, doubtful = judge(composed, other)
        differences += [difference for difference in found if difference not in differences]
        unsure += doubtful
        compared.append(_calls(composed.steps[: _first(composed, doubtful)]))
    if unsure and not differences and not min(compared):
        raise EngineError(
            f"nothing was compared: {unsure[0]} ran out of stack or time",
            remedy="begin with calls that end in either form, or give them less to do",
        )
    calls = max(_calls(composed.steps) for composed, _ in rounds)
    return Comparison(tuple(differences), tuple(_times(rounds)), calls, min(compared), tuple(dict.fromkeys(unsure)))


def _calls(steps: Sequence[Step]) -> int:
    """How many of the steps are calls: the others start an instance."""
    return sum(step.label != INSTANTIATE for step in steps)


def _first(seen: Observed, doubtful: Sequence[str]) -> int:
    """Where the first of the doubtful steps is; behind the last if there is none."""
    return next((at for at, step in enumerate(seen.steps) if step.label in doubtful), len(seen.steps))


def observed(prepared: Prepared, scenario: Scenario, which: str) -> Observed:
    """What one component does. EngineError if it does not start for want of something: that would compare nothing."""
    try:
        seen = play(prepared, scenario.calls, WaveCodec(), host=scenario.whole_host)
    except MeldError as error:
        raise error.at(Location(which)) from None
    match seen.steps[0].outcome:
        case Trap(message=message) if "wasm trap" not in message and "wasm backtrace" not in message:
            raise EngineError(
                "the component cannot be instantiated",
                Location(which),
                causes=(message,),
                remedy="`meld inspect` shows what it imports; --stub, or [[host]] of a scenario, stands for it",
            )
        case _:
            return seen


def judge(original: Observed, other: Observed) -> tuple[list[Difference], list[str]]:
    """The differences, and the labels of steps that show nothing, nor does anything after them in that run."""
    doubtful = [
        left.label
        for left, right in zip(original.steps, other.steps, strict=False)
        if any(isinstance(step.outcome, Trap) and step.outcome.kind in EXHAUSTED for step in (left, right))
    ]
    if doubtful:
        first = _first(original, doubtful)
        original, other = Observed(original.steps[:first], original.world), Observed(other.steps[:first], other.world)
    return differences_of(original, other, same), doubtful


def _times(rounds: Sequence[tuple[Observed, Observed]]) -> Iterator[StepTime]:
    """Of the steps that both sides have taken in every round."""
    count = min(len(side.steps) for pair in rounds for side in pair)
    for at in range(count):
        original, fused = (median(pair[side].steps[at].seconds for pair in rounds) for side in (0, 1))
        yield StepTime(rounds[0][0].steps[at].label, original, fused)


def _binary(given: bytes | str | Path) -> bytes:
    """The bytes of a component that is given by path or as bytes, in either format."""
    if isinstance(given, bytes):
        data, source = given, "the component"
    else:
        source = str(given)
        try:
            data = Path(given).read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {given}: {error.strerror or error}") from error
    return assemble(data, source) if is_text(data) else data
