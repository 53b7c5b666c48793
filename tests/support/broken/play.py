"""Run in a process of its own, with a broken meldpy on its path: what it makes of some fixtures, as JSON on stdout.

    python play.py FIXTURES NAME...

FIXTURES is the folder with the fixtures. For each: whether the output is valid and of the right shape, and what is
wrong with it or with what it does. A fixture is fused from its first input form; the forms differ in linking only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from meldpy.errors import MeldError
from meldpy.fixture import Fixture, Form, load
from meldpy.fixture.prove import fuse, show_runtime
from meldpy.fixture.shape import shape_faults


def play(fixture: Fixture) -> tuple[bool, str]:
    """(the output is valid, the fault or nothing)."""
    form = fixture.forms[0]
    try:
        show_runtime(fixture, form)
    except MeldError as error:
        return _is_valid(fixture, form), error.render()
    return True, ""


def _is_valid(fixture: Fixture, form: Form) -> bool:
    try:
        return not shape_faults(fuse(fixture, form).bytes)
    except MeldError:
        return False


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    json.dump({name: play(load(Path(folder, name))) for name in names}, sys.stdout)
