"""The small composer that fixtures and tests share (meldpy/fixture/compose.py)."""

from __future__ import annotations

from meldpy.fixture.compose import ComposeError, compose
from meldpy.fixture.model import Export, Wire

__all__ = ["ComposeError", "Export", "Wire", "compose"]
