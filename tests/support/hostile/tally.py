"""The numbers of a search: inputs by stage and by mutator, times, memory, violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.hostile.stages import STAGES


@dataclass(slots=True)
class Tally:
    """rows: (mutator, command, deepest stage, seconds of processor time, bytes of peak memory) of each input."""

    rows: list[tuple[str, str, str, float, int]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Findings that `known` lists, by name."""

    def add(self, answer: dict[str, Any]) -> None:
        command = " ".join(answer["command"])
        self.rows.append((answer["mutator"], command, answer["stage"], answer["seconds"], answer["peak"]))
        self.violations += [f"{answer['seed']}/{answer['number']}: {text}" for text in answer["violations"]]
        self.known += [answer["known"]] if answer["known"] else []

    def data(self) -> dict[str, Any]:
        return {"rows": self.rows, "violations": self.violations, "known": self.known}

    def join(self, data: dict[str, Any]) -> None:
        self.rows += [tuple(row) for row in data["rows"]]
        self.violations += data["violations"]
        self.known += data.get("known", [])

    @property
    def stages(self) -> Counter[tuple[str, str]]:
        """By mutator and deepest stage."""
        return Counter((mutator, stage) for mutator, _, stage, _, _ in self.rows)

    @property
    def written(self) -> Counter[str]:
        """How many inputs each command wrote an output of."""
        return Counter(command for _, command, stage, *_ in self.rows if stage == "written")

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def decoded(self) -> int:
        return sum(n for (_, stage), n in self.stages.items() if STAGES.index(stage) > STAGES.index("decode"))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        share = self.decoded * 100 // max(1, self.count)
        yield f"{self.count} inputs, {self.decoded} ({share}%) decoded; deepest stage, seconds of processor time"
        stages = self.stages
        times: dict[str, list[float]] = {stage: [] for stage in STAGES}
        for _, _, stage, seconds, _ in self.rows:
            times[stage].append(seconds)
        yield _line("", [f"{stage:.8}" for stage in STAGES])
        for mutator in sorted({m for m, _ in stages}):
            yield _line(mutator, [str(stages[mutator, stage]) for stage in STAGES])
        yield _line("all", [str(len(times[stage])) for stage in STAGES])
        for percent in (50, 90, 99, 99.9, 100):
            yield _line(f"time p{percent:g}", [f"{_percentile(times[stage], percent):.3f}" for stage in STAGES])
        every = [seconds for _, _, _, seconds, _ in self.rows]
        yield "time, all: " + ", ".join(f"p{p:g} {_percentile(every, p):.3f}" for p in (50, 90, 99, 99.9, 100))
        yield f"commands: {dict(Counter(command for _, command, *_ in self.rows).most_common())}"
        yield f"written: {dict(self.written.most_common())}"
        peaks = [row[4] for row in self.rows]
        yield f"peak memory: {max(peaks, default=0) >> 20} MiB, p99 {_percentile(peaks, 99) / 2**20:.0f} MiB"
        yield f"known: {dict(Counter(self.known))}"
        yield f"violations: {len(self.violations)}"
        yield from self.violations


def _line(head: str, cells: Sequence[str]) -> str:
    return f"{head:16}" + "".join(f"{cell:>9}" for cell in cells)


def _percentile(values: list[Any], share: float) -> float:
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]) if ordered else 0.0
