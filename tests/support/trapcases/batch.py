"""Many functions between two guests in one composition, so that it is compiled once for all their calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from tests.support.gen.calls import Expected, Ready, expect
from tests.support.gen.guests import Func, Guest
from tests.support.gen.run import COMPOSED, FUSED, differences
from tests.support.gen.scenario import PATTERNS, Built, Scenario


def guests(wide: bool) -> tuple[Guest, Guest]:
    return Guest(wide, 1, PATTERNS[0]), Guest(wide, 1, PATTERNS[1])


@dataclass
class Batch:
    """Functions are added while cases are made; the composition is built when the first of them is played."""

    wide: bool
    numbers: dict[Func, int] = field(default_factory=dict)

    def number(self, func: Func) -> int:
        return self.numbers.setdefault(func, len(self.numbers))

    @property
    def guests(self) -> tuple[Guest, Guest]:
        return guests(self.wide)

    @cached_property
    def built(self) -> Built:
        return Built.of(Scenario(list(self.numbers), self.guests))

    def problems(self, func: Func, calls: Callable[[], list[tuple[str, Ready, str | None]]]) -> list[str]:
        """calls: a name, the call, and the rule that breaks first, or None if it must return."""
        found = []
        for name, ready, trap in calls():
            expected = expect(ready, func, self.guests)
            if expected.traps[:1] != (() if trap is None else (trap,)):
                found.append(f"{name}: the model expects {expected.traps or 'a return'}, the table {trap}")
                continue
            # the fused form names the very rule; of several that are broken at once, the spec's first
            exact = Expected(expected.traps[:1], expected.sides)
            texts = differences(exact, self.built.fused.run(ready), PATTERNS, FUSED)
            if self.built.composed is None:
                texts.append("the engine does not compile the composition")
            else:
                quirky = expect(ready, func, self.guests, quirks=True)
                if quirky.sides is None:
                    quirky = Expected((*quirky.traps, *expected.traps))
                texts += differences(quirky, self.built.composed.run(ready), PATTERNS, COMPOSED)
            found += [f"{name}: {text}" for text in texts]
        return found
