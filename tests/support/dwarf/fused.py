"""A fuse with its insides kept: the merged units with where their code went, and the main module as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import meldpy
from meldpy import debugging, pipeline
from meldpy.debugging import modules_in
from meldpy.model.core import CoreModule
from meldpy.model.fused import FusedModule, MergedUnit


@dataclass(frozen=True)
class Fused:
    """data: the output. main: its module with the guests' code, as decoded. units: where their code lies in the end."""

    data: bytes
    main: CoreModule
    units: tuple[MergedUnit, ...]
    notes: tuple[str, ...]

    @property
    def lead(self) -> int:
        return self.main.code.lead


def fuse(inputs: Sequence[Path | pipeline.FuseInput], options: meldpy.FuseOptions | None = None) -> Fused:
    seen: list[FusedModule] = []
    real = debugging.carry_customs

    def carry(fused: FusedModule, *rest: object, **more: object) -> object:
        seen.append(fused)
        return real(fused, *rest, **more)  # type: ignore[arg-type]

    with mock.patch.object(debugging, "carry_customs", carry):
        result = meldpy.fuse(list(inputs), options)
    (fused,) = seen
    main = max(modules_in(result.bytes, "fused"), key=lambda module: module.size)
    return Fused(result.bytes, main, fused.units, result.report.notes)
