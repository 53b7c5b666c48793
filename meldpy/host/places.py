"""Where a host's folders are if nobody says otherwise: MELD_HOST and MELD_MODULES, else where the system wants them."""

from __future__ import annotations

import os
from pathlib import Path

from meldpy.host.extra import need


def host_folder(given: str | None) -> Path:
    """For state, messages, jobs and the socket."""
    return _place(given, "MELD_HOST", "host")


def modules_folder(given: str | None) -> Path:
    """For installed modules."""
    return _place(given, "MELD_MODULES", "modules")


def _place(given: str | None, variable: str, name: str) -> Path:
    if given is not None:
        return Path(given)
    if os.environ.get(variable):
        return Path(os.environ[variable])
    need("platformdirs")
    from platformdirs import user_state_path

    return user_state_path("meldpy", appauthor=False) / name
