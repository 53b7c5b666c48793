"""Interleaved timing: measure two things in turn, so that a machine whose speed drifts treats both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def medians(first: Callable[[], None], second: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Median seconds of each of two actions over `rounds` interleaved runs, after one run of each as warm-up."""
    first()
    second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for action, series in ((first, times[0]), (second, times[1])):
            began = time.perf_counter()
            action()
            series.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def row(name: str, composed: float, fused: float, unit: str, scale: float) -> None:
    """One line: both figures and their ratio (above 1: the fused form is faster)."""
    print(f"{name:<28} {composed * scale:10.1f} {unit} {fused * scale:10.1f} {unit}   {composed / fused:6.2f} x")


def heading(what: str) -> None:
    print(f"{what:<28} {'composed':>13} {'fused':>13} {'ratio':>9}")
