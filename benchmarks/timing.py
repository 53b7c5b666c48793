"""Interleaved timing: measure two things in turn, so that a machine whose speed drifts treats both alike.

Time is the thread's own, so that what else runs on the machine shows only through the caches that it shares.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 15
"""At least this many pairs of runs stand behind every ratio."""


@dataclass(frozen=True)
class Comparison:
    """Median seconds of two actions, and the quartiles of first over second, taken pair by pair."""

    first: float
    second: float
    low: float
    ratio: float
    high: float


def compare(first: Callable[[], None], second: Callable[[], None], rounds: int = ROUNDS) -> Comparison:
    """Two actions in `rounds` interleaved runs, after one run of each as warm-up."""
    first()
    second()
    pairs = []
    for number in range(rounds):
        # who goes first changes, so that neither always finds the caches as the other left them
        if number % 2:
            after = _seconds(second)
            pairs.append((_seconds(first), after))
        else:
            pairs.append((_seconds(first), _seconds(second)))
    low, ratio, high = statistics.quantiles([a / b for a, b in pairs], n=4)
    return Comparison(statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), low, ratio, high)


def _seconds(action: Callable[[], None]) -> float:
    began = time.thread_time()
    action()
    return time.thread_time() - began


def row(name: str, found: Comparison, unit: str, scale: float) -> None:
    """One line: both figures and their ratio with its quartiles (above 1: the second one is faster)."""
    print(
        f"{name:<44} {found.first * scale:10.1f} {unit} {found.second * scale:10.1f} {unit}"
        f"   {found.ratio:6.2f} x  [{found.low:.2f}, {found.high:.2f}]",
        flush=True,
    )


def heading(what: str, first: str = "composed", second: str = "fused") -> None:
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"{what:<44} {first:>13} {second:>13} {'ratio':>9}  [quartiles]  {load}")
