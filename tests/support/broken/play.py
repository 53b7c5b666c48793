"""Run in a process of its own, with a broken meldpy on its path: what it makes of some fixtures, as JSON on stdout.

    python play.py ROOT FORM NAME...

ROOT is the repository; "scene NAME" is one of `asyncwebs.scenes`. For each: whether the output is valid and of right
shape, and what is wrong with it or with what it does. A fixture is fused from its first input form; the forms differ in
linking only. FORM is `component`, or how the memories of core outputs lie that are made of fixtures: `separate` or
`single`. These are played through `meldpy.core`, whose code is the copy's too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from meldpy import core
from meldpy.errors import MeldError
from meldpy.fixture import Fixture, Form, load
from meldpy.fixture.prove import fuse, show_runtime
from meldpy.fixture.shape import shape_faults
from meldpy.pipeline import FuseOptions


def play(fixture: Fixture) -> tuple[bool, str]:
    """(the output is valid, the fault or nothing)."""
    form = fixture.forms[0]
    try:
        show_runtime(fixture, form)
    except MeldError as error:
        return _is_valid(fixture, form), error.render()
    return True, ""


def play_core(fixture: Fixture, memory: str) -> tuple[bool, str]:
    """The same for a core output."""
    from tests.support.core_scenario import Player

    try:
        module = fuse(fixture, fixture.forms[0], options=FuseOptions(core=True, memory=memory)).bytes
    except MeldError as error:
        return False, error.render()
    try:
        return True, "; ".join(Player(module, fixture).play())
    except (AssertionError, LookupError, MeldError, core.GuestTrap) as error:
        return True, f"{type(error).__name__}: {error}"


def _is_valid(fixture: Fixture, form: Form) -> bool:
    try:
        return not shape_faults(fuse(fixture, form).bytes)
    except MeldError:
        return False


def play_scene(name: str) -> tuple[bool, str]:
    """The same of the first call of a web."""
    from meldpy.pipeline import FuseOptions
    from meldpy.pipeline import fuse as fuse_inputs
    from tests.differential.divergences import load as divergences
    from tests.support.asyncwebs import Likeness, composition, likeness
    from tests.support.asyncwebs import play as calls
    from tests.support.asyncwebs.scenes import SCENES

    composed = composition(SCENES[name])
    try:
        output = fuse_inputs([composed], FuseOptions(flat=True)).bytes
    except MeldError as error:
        return False, error.render()
    try:
        same = likeness(calls(composed)[:1], calls(output)[:1], divergences()) is Likeness.SAME
    except AssertionError as error:
        return True, str(error)
    return True, "" if same else "a difference that is known elsewhere"


if __name__ == "__main__":
    root, form, *names = sys.argv[1:]
    sys.path.append(root)
    scenes = {name: play_scene(name.removeprefix("scene ")) for name in names if name.startswith("scene ")}
    fixtures = {name: load(Path(root, "fixtures", name)) for name in names if name not in scenes}
    played = {n: play(f) if form == "component" else play_core(f, form) for n, f in fixtures.items()}
    json.dump(played | scenes, sys.stdout)
