"""What a run of many flows was made of, so that a run that tests little shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, final

from tests.support.flows.flow import Flow
from tests.support.flows.state import BREACHES

LONG: Final = 10
"""Operations before a trap."""
KINDS: Final = (
    "create",
    "rep",
    "drop own",
    "drop borrow",
    "give",
    "lend",
    "lend several",
    "lend and give",
    "return",
    "give and return inside values",
    "call without handles",
)
CROSSINGS: Final = ("none", "inside", "to the host", "from the host")


@final
@dataclass(slots=True)
class Tally:
    flows: int = 0
    long: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    crossings: Counter[str] = field(default_factory=Counter)
    traps: Counter[str] = field(default_factory=Counter)
    topologies: Counter[str] = field(default_factory=Counter)

    def add(self, flow: Flow) -> None:
        self.flows += 1
        self.long += flow.operations.total() >= LONG
        self.operations += flow.operations
        self.crossings += flow.crossings
        self.traps["no trap" if flow.trap is None else flow.trap] += 1
        self.topologies[flow.topology.name] += 1

    def shares(self) -> dict[str, dict[str, float]]:
        """Percentages: of operations by kind and by crossing, and of flows by the trap that ends them."""
        tables = {
            "operation": (KINDS, self.operations),
            "crossing": (CROSSINGS, self.crossings),
            "trap": (("no trap", *BREACHES), self.traps),
        }
        for kinds, counter in tables.values():
            assert set(counter) <= set(kinds), sorted(set(counter) - set(kinds))
        return {
            title: {kind: 100 * counter[kind] / counter.total() for kind in kinds}
            for title, (kinds, counter) in tables.items()
        }

    def __str__(self) -> str:
        lines = [
            f"{self.flows} flows with {self.operations.total()} operations; "
            f"{100 * self.long / self.flows:.1f}% of the flows have at least {LONG}"
        ]
        for title, shares in self.shares().items():
            lines += [f"  {title:10} {kind:36} {share:5.1f}%" for kind, share in shares.items()]
        return "\n".join(lines)
