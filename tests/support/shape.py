"""The shape that the project promises of fused output (meldpy/fixture/shape.py), as an assertion."""

from __future__ import annotations

from meldpy.fixture.shape import scan, shape_faults

__all__ = ["assert_fused_shape", "scan"]


def assert_fused_shape(data: bytes) -> None:
    faults = shape_faults(data)
    assert not faults, "; ".join(faults)
