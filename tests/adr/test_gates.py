"""Gating fixtures that are small enough to be text: what a design path must make run before its ADR is accepted."""

from __future__ import annotations

from pathlib import Path

from wasmtime import wat2wasm

import meldpy
from tests.differential.divergences import load
from tests.support.harness import Call, Returned, Trap, check

GATES = Path(__file__).with_name("gates")


def test_reexporter_chain() -> None:
    """Values, handle indices, destructors and a forged handle are the composition's."""
    composed = bytes(wat2wasm((GATES / "reexporter.wat").read_text()))
    calls = [
        Call("round", [20]),
        Call("alive"),
        Call("keep", [5]),
        Call("keep", [7]),
        Call("alive"),
        Call("look", [2]),
        Call("let-go", [1]),
        Call("alive"),
        Call("keep", [9]),
        Call("look", [1]),
        Call("look", [3]),
    ]
    fused = meldpy.fuse([composed]).bytes
    *values, forged = [step.outcome for step in check(composed, fused, calls, divergences=load()).steps[1:]]
    assert values == [Returned(value) for value in (42, 0, 1, 2, 2, 8, None, 1, 1, 10)]
    assert isinstance(forged, Trap)
    assert forged.kind.startswith("unknown handle index")
