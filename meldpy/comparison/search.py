"""Random calls of the exported functions, on both components, until they differ or the time is over; then made small.

A case is a handful of calls on one fresh instance, so that state and handles matter. Each case follows from the seed
and its number alone; how many there are, from the time. The original chooses: its handles are there when the next call
is made up. The other gets the calls as they were.

Shrinking drops calls, then makes arguments smaller, as long as a difference stays; it ends in calls none of which can
be left out and none of whose arguments can be made smaller in one step.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias, final

from meldpy.comparison.judge import judge
from meldpy.comparison.scenario import Scenario
from meldpy.engine.arbitrary import arbitrary, smaller
from meldpy.engine.capture import WasiInput
from meldpy.engine.exports import Exported, exported
from meldpy.engine.observe import INSTANTIATE, Call, Observed, Returned, play, session
from meldpy.engine.prepare import Prepared, prepare
from meldpy.engine.wavecodec import WaveCodec, tree_text
from meldpy.errors import EngineError, Location, MeldError, UsageError
from meldpy.fixture.compare import Difference, outcome_words
from meldpy.records import dataclass

if TYPE_CHECKING:
    from meldpy.engine.wave import Tree

_LONGEST = 6
"""Calls in one case."""
_DEADLINE = 2.0
"""Seconds that one call may take, whatever its arguments."""
_SHRINKING = 2_000
"""Runs that making a case small may take."""
_TIDY = 32
"""Cases between two collections: an instance holds much address space, and its cycles go only then."""

_Calls: TypeAlias = "tuple[tuple[Exported, tuple[Tree, ...]], ...]"


@final
@dataclass(frozen=True, slots=True)
class Fuzzed:
    """cases, calls: how many were tried; inconclusive: cases that ran out of stack or time. skipped: functions that
    could not be called, each with why. If a difference was found: its case, the smallest calls with it, as WAVE, and
    what differs there."""

    seed: int
    cases: int
    calls: int
    inconclusive: int
    skipped: tuple[str, ...]
    case: int | None = None
    smallest: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.differences


def fuzz(
    original: bytes,
    fused: bytes,
    seconds: float,
    *,
    seed: int = 0,
    scenario: Scenario | None = None,
    cases: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Fuzzed:
    """Look for a difference for `seconds`, or for so many `cases`.

    scenario: its host is used, its calls are not. progress: told the number of each case. Raises UsageError if there is
    no function that can be called, and EngineError if a component cannot be run, or no case has a call.
    """
    left, right = prepare(original, deadline=_DEADLINE), prepare(fused, deadline=_DEADLINE)
    functions = exported(left)
    callable_ = [function for function in functions if function.obstacle is None]
    skipped = tuple(f"{each.name}: {each.obstacle}" for each in functions if each.obstacle is not None)
    if not callable_:
        raise UsageError(
            "the component exports no function that can be called with random arguments",
            causes=skipped,
            remedy="play a --scenario with calls of your own",
        )
    sides = _Sides(left, right, Scenario((), {}) if scenario is None else scenario)
    until = monotonic() + seconds
    case = calls = unsure = 0
    while monotonic() < until if cases is None else case < cases:
        if progress is not None:
            progress(case)
        tried, seen = sides.made_up(callable_, Random(f"{seed}:{case}"))
        differences, doubtful = sides.judged(tried, seen)
        calls += len(tried)
        unsure += doubtful
        if differences:
            least, final_ = _shrunk(sides, tried, differences)
            texts = tuple(f"{each.name}({', '.join(map(tree_text, trees))})" for each, trees in least)
            return Fuzzed(seed, case + 1, calls, unsure, skipped, case, texts, tuple(final_))
        case += 1
        if case % _TIDY == 0:
            gc.collect()
    if case and not calls:
        raise EngineError(
            "no call could be made in any case, so nothing was compared",
            Location("the original"),
            causes=sides.obstacles(),
            remedy="`meld run` shows how it starts; --scenario and --stub give it a host",
        )
    return Fuzzed(seed, case, calls, unsure, skipped)


@final
@dataclass(frozen=True, slots=True)
class _Sides:
    left: Prepared
    right: Prepared
    scenario: Scenario

    def made_up(self, functions: Sequence[Exported], random: Random) -> tuple[_Calls, Observed]:
        """Calls chosen while the original runs, and what it did; a trap ends the case."""
        codec = WaveCodec()
        tried: list[tuple[Exported, tuple[Tree, ...]]] = []
        with session(self.left, codec, self.scenario.whole_host) as run:
            steps = [run.step(INSTANTIATE, partial(run.start, WasiInput()))]
            for _ in range(random.randrange(1, _LONGEST + 1)):
                if run.instance is None:
                    break
                function = random.choice(functions)
                trees = [arbitrary(of, random, codec.fitting) for of in function.params_in(run.guest)]
                if any(tree is None for tree in trees):
                    continue  # no handle is at hand
                tried.append((function, tuple(tree for tree in trees if tree is not None)))
                call = Call(function.name, tried[-1][1])
                steps.append(run.step(f"call {len(tried) - 1}, {call.func}", partial(run.call, call)))
        return tuple(tried), Observed(steps, {})

    def obstacles(self) -> tuple[str, ...]:
        """Why the original takes no call: how its start ends, else that every function wants a handle."""
        match self.played(self.left, ()).steps[0].outcome:
            case Returned():
                return ("every function wants a handle, and none gives one out",)
            case other:
                return (f"its instantiation {outcome_words(other)}",)

    def played(self, side: Prepared, calls: Sequence[Call]) -> Observed:
        """The steps alone: the types are the same in each case. Without calls the instance is started all the same."""
        if calls:
            return Observed(play(side, calls, WaveCodec(), host=self.scenario.whole_host).steps, {})
        with session(side, WaveCodec(), self.scenario.whole_host) as run:
            return Observed([run.step(INSTANTIATE, partial(run.start, WasiInput()))], {})

    def judged(self, calls: _Calls, original: Observed | None = None) -> tuple[list[Difference], bool]:
        """What differs, and whether the case shows nothing."""
        told = [Call(function.name, trees) for function, trees in calls]
        if original is None:
            original = self.played(self.left, told)
        try:
            other = self.played(self.right, told)
        except MeldError as error:
            return [Difference("(run)", "what can be called", "all of it", error.reason)], False
        differences, doubtful = judge(original, other)  # without a call too: one may start, and the other not
        return differences, bool(doubtful)


def _shrunk(sides: _Sides, calls: _Calls, differences: list[Difference]) -> tuple[_Calls, list[Difference]]:
    budget = _SHRINKING
    found = True
    while found and budget > 0:
        found = False
        for candidate in _candidates(calls):
            budget -= 1
            if budget < 0:
                break
            try:
                now, _ = sides.judged(candidate)
            except MeldError:
                continue  # it names a handle that was not given out
            if now:
                calls, differences, found = candidate, now, True
                break
    return calls, differences


def _candidates(calls: _Calls) -> Iterator[_Calls]:
    """Fewer calls first (from the end, where a difference does not need them), then smaller arguments."""
    for at in reversed(range(len(calls))):
        if len(calls) > 1:
            yield calls[:at] + calls[at + 1 :]
    for at, (function, trees) in enumerate(calls):
        for which, (tree, of) in enumerate(zip(trees, function.params, strict=True)):
            for less in smaller(tree, of):
                yield (*calls[:at], (function, (*trees[:which], less, *trees[which + 1 :])), *calls[at + 1 :])
