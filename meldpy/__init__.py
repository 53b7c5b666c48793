"""meldpy fuses and links WebAssembly components into one component with one core module.

The Python API: `fuse(inputs, options)` gives a `FuseResult` with the output's bytes and a report, `inspect(file)` says
what is inside a file, `explain(inputs)` what a fuse decides and why, `graph(inputs)` draws it, and `compare(original,
fused, scenario)` runs two components and lists where they differ; every failure is a `MeldError`. `pipeline` narrates
how it works. Importing this package loads nothing heavy.
"""

from __future__ import annotations

# what a type checker takes for true, without the import that this module can do without
TYPE_CHECKING = False

if TYPE_CHECKING:
    from meldpy.comparison import Comparison, Scenario, compare
    from meldpy.errors import (
        DecodeError,
        EngineError,
        FileError,
        InternalError,
        LimitError,
        LinkError,
        Location,
        MeldError,
        UnsupportedError,
        UsageError,
        ValidationError,
    )
    from meldpy.model.bindings import NearMiss, NearMissKind, OpenImport
    from meldpy.pipeline import FuseInput, FuseOptions, FuseReport, FuseResult, fuse
    from meldpy.report.explain import AdapterClass, Explanation, explain
    from meldpy.report.graph import graph
    from meldpy.report.inspection import Inspection, Node, inspect

__version__ = "0.2.0"

__all__ = [
    "AdapterClass",
    "Comparison",
    "DecodeError",
    "EngineError",
    "Explanation",
    "FileError",
    "FuseInput",
    "FuseOptions",
    "FuseReport",
    "FuseResult",
    "Inspection",
    "InternalError",
    "LimitError",
    "LinkError",
    "Location",
    "MeldError",
    "NearMiss",
    "NearMissKind",
    "Node",
    "OpenImport",
    "Scenario",
    "UnsupportedError",
    "UsageError",
    "ValidationError",
    "__version__",
    "compare",
    "explain",
    "fuse",
    "graph",
    "inspect",
]

_PLACES = {
    **dict.fromkeys(("Comparison", "Scenario", "compare"), "meldpy.comparison"),
    **dict.fromkeys(("FuseInput", "FuseOptions", "FuseReport", "FuseResult", "fuse"), "meldpy.pipeline"),
    **dict.fromkeys(("NearMiss", "NearMissKind", "OpenImport"), "meldpy.model.linked"),
    **dict.fromkeys(("AdapterClass", "Explanation", "explain"), "meldpy.report.explain"),
    "graph": "meldpy.report.graph",
    **dict.fromkeys(("Inspection", "Node", "inspect"), "meldpy.report.inspection"),
}
"""Where each name is; all others are errors."""


def __getattr__(name: str) -> object:
    """Load what is asked for on first use: `meld --version` must not pay for it."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_PLACES.get(name, "meldpy.errors")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
