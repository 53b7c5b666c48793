"""`meld.toml` to builds. Faults name the line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from meldpy.errors import MeldError
from meldpy.manifest.keys import CHOICES, KEYS
from meldpy.manifest.model import Build, ManifestError
from meldpy.options import FuseOptions
from meldpy.records import replace
from meldpy.toml import Table, read_table

_OWN = ("inputs", "output", "self-check", "core-manifest", "wat", "dep")
_DEFAULTS = FuseOptions()


def load(file: Path) -> tuple[Build, ...]:
    """The builds of a manifest, in its order. Raises ManifestError."""
    table = read_table(file, ManifestError)
    table.only(*KEYS, *_OWN, "build")
    if "build" not in table:
        return (_build(table, Build((), directory=file.parent)),)
    for key in ("inputs", "output"):
        if key in table:
            raise table.fault(f"with [[build]], `{key}` belongs to each of them", key)
    common = _read(table, Build((), directory=file.parent))
    builds = []
    for row in table.rows("build"):
        row.only(*KEYS, *_OWN)
        builds.append(_build(row, common))
    seen: set[str] = set()
    for row, build in zip(table.rows("build"), builds, strict=True):
        for key, given in (("output", build.output), ("core-manifest", build.core_manifest)):
            if given is None:
                continue
            path = os.path.normpath(build.path(given))
            if path in seen:
                raise row.fault(f"two builds write {given}", key)
            seen.add(path)
    return tuple(builds)


def _build(table: Table, common: Build) -> Build:
    """A table with inputs and an output."""
    build = _read(table, common)
    if not build.inputs:
        raise table.fault("there are no `inputs`")
    if build.output in (None, "-", ""):
        raise table.fault("there is no `output`: a manifest names the file that is written")
    try:
        build.options.check()
    except MeldError as error:
        raise error.at(table.location()) from None
    return build


def _read(table: Table, common: Build) -> Build:
    """What the table says on top of what holds for all."""
    options = common.options
    changes = {field: _value(table, key, getattr(_DEFAULTS, field)) for key, field in KEYS.items() if key in table}
    output = table.optional("output") if "output" in table else common.output
    return replace(
        common,
        inputs=table.texts("inputs"),
        output=output,
        options=replace(options, **changes, file=None if output is None else Path(output).name),
        self_check=_optional(table, "self-check", common.self_check),
        core_manifest=_optional(table, "core-manifest", common.core_manifest),
        wat=table.take("wat", bool, common.wat),
        deps=table.texts("dep") if "dep" in table else common.deps,
        location=table.location(),
    )


def _optional(table: Table, key: str, other: str | None) -> str | None:
    return table.text(key) if key in table else other


def _value(table: Table, key: str, default: object) -> Any:
    """A value of the type that the option has."""
    match default:
        case bool():
            return table.take(key, bool)
        case int():
            found = table.take(key, int)
            if found < 1:
                raise table.fault(f"{key} must be at least 1", key)
            return found
        case str():
            text = table.text(key)
            if key in CHOICES and text not in CHOICES[key]:
                raise table.fault(f"{key} is one of {', '.join(CHOICES[key])}", key)
            return text
        case _:
            return table.texts(key)
