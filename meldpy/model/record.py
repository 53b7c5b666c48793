"""What the stages of one fuse found and did, kept together for whoever explains it.

It is what the stages hand on to each other anyway. A fuse keeps it only if it is asked to (`FuseOptions.record`),
because it holds on to the inputs.
"""

from __future__ import annotations

from typing import final

from meldpy.model.code import Adapted
from meldpy.model.facts import Facts
from meldpy.model.fused import FusedModule
from meldpy.model.linked import LinkedGraph
from meldpy.model.partition import Partition
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Stages:
    """One fused group. graph: a graph of its own if there are others, with the instance ids of the whole."""

    graph: LinkedGraph
    facts: Facts
    adapted: Adapted
    fused: FusedModule


@final
@dataclass(frozen=True, slots=True)
class FuseRecord:
    """graph: the whole. groups: one for each fused part of the partition, in its order."""

    graph: LinkedGraph
    partition: Partition
    groups: tuple[Stages, ...]
