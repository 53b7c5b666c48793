"""What `meld fuse` says on stderr about the linking: what people may not expect, and the option that changes it.

A line each. Nothing here is an error: what is said has been done.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.cli.settings import Settings
from meldpy.model.bindings import OpenImport
from meldpy.pipeline import FuseReport
from meldpy.resolver import near_miss_words

_MOST_LISTED = 8


def advise(settings: Settings, report: FuseReport, roots: Sequence[str]) -> None:
    """Says what was left open, left inside and exported besides, and what the engine cannot do with the output."""
    open_ = [import_ for import_ in report.open_imports if import_.near or not import_.name.name.startswith("wasi:")]
    if open_:
        settings.say(_left_open(open_))
    if report.kept_inside:
        settings.say(
            f"left inside, because other inputs import from these: {_listed(report.kept_inside)};"
            " to export them: --export NAME, --root INPUT or --root all; to leave them in silence: --hide NAME"
        )
    if report.exported_for_types:
        say = settings.say if roots else settings.note
        say(f"exported too, because other exports mention their types: {_listed(report.exported_for_types)}")
    for limit in report.engine_limits:
        settings.say(limit)


def _left_open(imports: Sequence[OpenImport]) -> str:
    """One word for each name that is imported; those that something comes near first: they are the likely slips."""
    importers: dict[str, list[OpenImport]] = {}
    for import_ in sorted(imports, key=lambda import_: not import_.near):
        importers.setdefault(import_.name.name, []).append(import_)
    line = f"left open, for the host to provide: {_listed([_words(i) for i in importers.values()])};"
    first = next(iter(importers.values()))[0]
    if first.near:
        near = first.near[0]
        line += f" to link all the same: --link {first.importer}:{first.name.name}={near.provider}:{near.export};"
    return f"{line} if it is meant so: --open INPUT:IMPORT"


def _words(imports: Sequence[OpenImport]) -> str:
    near = ", ".join(near_miss_words(miss, imports[0].name) for miss in imports[0].near[:2])
    by = ", ".join(import_.importer for import_ in imports)
    return f"{imports[0].name.name} (imported by {by}{'; but ' if near else ''}{near})"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
