"""What `meld fuse` says of instances that are not fused: how many, and with -v which, why and where."""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.pipeline import FuseReport


def rest_words(report: FuseReport) -> str:
    """What the summary says of instances that are not fused; nothing if there are none."""
    kept = len(report.kept)
    if not kept:
        return ""
    share = "nothing fused" if not report.fused_instances else f"{_count(report.fused_instances, 'instance')} fused"
    return (
        f"; {share}, {kept} kept as {'it is' if kept == 1 else 'they are'}"
        f" ({_count(report.engine_call_sites, 'call site')} left to the engine; -v says why)"
    )


def kept_notes(report: FuseReport) -> Iterator[str]:
    """For each kept instance, why it is not fused, with the places."""
    for kept in report.kept:
        whose = "" if kept.input is None or kept.input == kept.label else f" of input `{kept.input}`"
        for reason in kept.reasons:
            where = "" if reason.location is None else f", at {reason.location}"
            remedy = "" if reason.remedy is None else f"; {reason.remedy}"
            yield f"kept: `{kept.label}`{whose}: {reason.feature}: {reason.text}{where}{remedy}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
