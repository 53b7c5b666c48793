"""Which key of a manifest is which field of FuseOptions, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KEYS: Final[Mapping[str, str]] = {
    "link": "links",
    "open": "opens",
    "chain": "chain",
    "strict": "strict",
    "allow-import": "allow_imports",
    "root": "roots",
    "export": "exports",
    "hide": "hides",
    "rename": "renames",
    "keep": "keeps",
    "flat": "flat",
    "core": "core",
    "features": "features",
    "memory": "memory",
    "memory-max": "memory_max",
    "opaque-rep": "opaque_reps",
    "optimize": "optimise",
    "names": "names",
    "dwarf": "dwarf",
    "source-map": "source_map",
    "origins": "origins",
    "trap-values": "trap_values",
    "provenance": "provenance",
    "validate": "validate",
    "max-instances": "max_instances",
    "max-core-instances": "max_core_instances",
    "max-definitions": "max_definitions",
}
"""Not here: `file`, which follows from the output, and `record`, which is for one run."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "memory": ("separate", "single"),
    "names": ("full", "short", "none"),
    "dwarf": ("keep", "drop", "split"),
    "source-map": ("inline", "file", "drop"),
}
