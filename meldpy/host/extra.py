"""What the host needs beyond the fuser's own packages, and what to say where it is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from meldpy.errors import UsageError


def need(package: str, extra: str = "host") -> ModuleType:
    """The imported package. UsageError that names the extra if it is not installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package.partition(".")[0]:
            raise
        raise UsageError(
            f"this needs the package {package}, which is not installed", remedy=f"pip install 'meldpy[{extra}]'"
        ) from None
