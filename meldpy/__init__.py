"""meldpy fuses and links WebAssembly components into one component with one core module.

The Python API in its first form: `fuse(inputs, options)` gives a `FuseResult` with the output's bytes and a report;
every failure is a `MeldError`. `pipeline` narrates how it works. Importing this package loads nothing heavy.
"""

from __future__ import annotations

# what a type checker takes for true, without the import that this module can do without
TYPE_CHECKING = False

if TYPE_CHECKING:
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
    from meldpy.model.linked import NearMiss, NearMissKind, OpenImport
    from meldpy.pipeline import FuseInput, FuseOptions, FuseReport, FuseResult, fuse

__version__ = "0.1.0"

__all__ = [
    "DecodeError",
    "EngineError",
    "FileError",
    "FuseInput",
    "FuseOptions",
    "FuseReport",
    "FuseResult",
    "InternalError",
    "LimitError",
    "LinkError",
    "Location",
    "MeldError",
    "NearMiss",
    "NearMissKind",
    "OpenImport",
    "UnsupportedError",
    "UsageError",
    "ValidationError",
    "__version__",
    "fuse",
]

_LINKED = ("NearMiss", "NearMissKind", "OpenImport")
_PIPELINE = ("FuseInput", "FuseOptions", "FuseReport", "FuseResult", "fuse")


def __getattr__(name: str) -> object:
    """Load what is asked for on first use: `meld --version` must not pay for it."""
    if name in _PIPELINE:
        from meldpy import pipeline

        return getattr(pipeline, name)
    if name in _LINKED:
        from meldpy.model import linked

        return getattr(linked, name)
    if name in __all__:
        from meldpy import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
