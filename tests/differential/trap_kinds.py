"""Traps by kind, as the observer knows them (meldpy/engine/traps.py)."""

from __future__ import annotations

from meldpy.engine.traps import ENGINE_TEXTS, same_trap, trap_kind

__all__ = ["ENGINE_TEXTS", "same_trap", "trap_kind"]
