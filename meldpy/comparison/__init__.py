"""Comparison: what two components were seen doing, side by side. The judge is the engine that runs both.

The job: play one scenario on a composition and on its fused form (or on any two components) and list every difference
in results, traps, host calls, output and type, with the times beside; look for a difference with random arguments, and
make what is found small; and have `meld fuse` do the first before it writes.

Not the job: to run one component (`engine.observe`), to say what differs in two runs (`fixture.compare`), to fuse. A
scenario is read as fixtures have it (`fixture.load`); what a fixture foretells is not looked at here, because the other
component says what must come out. `meld run --compare` and `meld fuse --self-check` are the commands.

Stack, fuel, memory and time run out at other moments in two forms of one program, and rightly so: a call that ends so
in either is no evidence. It is counted, and said.
"""

from __future__ import annotations

from meldpy.comparison.judge import Comparison, StepTime, compare
from meldpy.comparison.scenario import Scenario, command, invocations, load
from meldpy.comparison.search import Fuzzed, fuzz
from meldpy.comparison.selfcheck import unfused

__all__ = [
    "Comparison",
    "Fuzzed",
    "Scenario",
    "StepTime",
    "command",
    "compare",
    "fuzz",
    "invocations",
    "load",
    "unfused",
]
