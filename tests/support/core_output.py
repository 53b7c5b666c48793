"""Core outputs for tests: fused, and made a component again by `wasm-tools component new`."""

from __future__ import annotations

import subprocess
from functools import cache

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.fixture import Fixture, Form, Stage
from meldpy.fixture.files import outsiders
from meldpy.fixture.outside import surround
from meldpy.fixture.prove import fuse
from meldpy.model.core import CoreModule
from meldpy.pipeline import FuseOptions
from tests.support.asyncs import TOGETHER
from tests.support.fixtures import all_fixtures

ASYNC = {"async-c", "async-calls", "async-host", "async-python", "async-rust", "async-rust-chain"}
"""Fixtures whose worlds have async functions, which `meldpy.core` does not call."""
AT_RUNTIME = [f for f in all_fixtures() if f.stage is Stage.RUNTIME and not f.needs_build]


def core_of(
    fixture: Fixture,
    form: Form | None = None,
    *,
    memory: str = "separate",
    features: str = "",
    optimise: bool = False,
) -> bytes:
    options = FuseOptions(core=True, memory=memory, features=features, optimise=optimise)
    return fuse(fixture, form or fixture.forms[0], options=options).bytes


@cache
def beside() -> bytes:
    """Guests whose async emitted code carries. Whatever is fused with them crosses the edge in the heap."""
    return bytes(wat2wasm(TOGETHER))


def component_new(module: bytes) -> bytes:
    """The component that the ecosystem's own tool makes of a core module."""
    made = subprocess.run(
        ["wasm-tools", "component", "new", "-"], input=module, capture_output=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stderr.decode("utf-8", "replace")
    return made.stdout


def round_trip(fixture: Fixture, module: bytes) -> bytes:
    """The same, with what is outside of the fixture around it."""
    return surround(fixture, component_new(module), outsiders(fixture))


def module_of(data: bytes) -> CoreModule:
    return decode_module(data, "core output")
