"""WASI for a guest under test, as the observer gives it (meldpy/engine/capture.py)."""

from __future__ import annotations

from meldpy.engine.capture import WasiInput, WasiOutput, set_wasi

__all__ = ["WasiInput", "WasiOutput", "set_wasi"]
