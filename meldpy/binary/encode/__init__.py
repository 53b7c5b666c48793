"""Encoding: `encode_component` and `encode_module`, the inverse of decoding on canonical input.

Integers are minimal, sections are those the model has, in its order. The model is ours, so what it cannot mean is an
assertion here, not an error. All slices are joined once, at the end.
"""

from __future__ import annotations

from meldpy.binary.encode.component import component
from meldpy.binary.encode.core import core_module
from meldpy.model.component import Component
from meldpy.model.core import CoreModule

__all__ = ["encode_component", "encode_module"]


def encode_component(item: Component) -> bytes:
    return component(item).join()


def encode_module(module: CoreModule) -> bytes:
    return core_module(module).join()
