"""Custom sections of the merged module: `name` and `producers` are merged, everything else is dropped and listed.

A section that holds offsets or indices would lie in the merged module, and of an unknown one nobody knows. What can be
moved with the code is put back by `debug`: DWARF, code metadata, target features. Design section 4.
"""

from __future__ import annotations

from collections.abc import Iterable

from meldpy.merger.units import Unit
from meldpy.model.core import ProducersSection, RawCustom


def merged_producers(units: Iterable[Unit], version: str) -> ProducersSection:
    """The union by field and value, in order of first occurrence, and this tool last.

    Versions of one value that differ are listed in one string, because a field names a value once.
    """
    fields: dict[str, dict[str, list[str]]] = {}
    for unit in units:
        if unit.runtime:
            continue
        for custom in unit.module.customs:
            if isinstance(custom.section, ProducersSection):
                for field, values in custom.section.fields:
                    for value, used_version in values:
                        _add(fields, field, value, used_version)
    _add(fields, "processed-by", "meldpy", version)
    return ProducersSection(
        tuple(
            (field, tuple((value, ", ".join(versions)) for value, versions in values.items()))
            for field, values in fields.items()
        )
    )


def _add(fields: dict[str, dict[str, list[str]]], field: str, value: str, version: str) -> None:
    versions = fields.setdefault(field, {}).setdefault(value, [])
    if version not in versions:
        versions.append(version)


def dropped_customs(units: Iterable[Unit]) -> tuple[str, ...]:
    """The names of all custom sections of the inputs that cannot come through, without duplicates, sorted."""
    return tuple(
        sorted(
            {
                custom.section.name
                for unit in units
                if not unit.runtime
                for custom in unit.module.customs
                if isinstance(custom.section, RawCustom)
            }
        )
    )
