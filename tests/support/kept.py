"""Fusing with chosen component instances kept: what `--keep` does for whole inputs, for any instances."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from meldpy.model.component import Component
from meldpy.model.core import CoreModule
from meldpy.model.ids import InstanceId
from meldpy.model.linked import LinkedGraph
from meldpy.model.partition import Partition, Reason
from meldpy.parts import Built, assemble
from meldpy.pipeline import FuseInput, FuseOptions, build, decode, encode, link, scan
from meldpy.validation import validate_output

Choose = Callable[[LinkedGraph], Collection[InstanceId]]


def linked(inputs: Sequence[FuseInput], options: FuseOptions) -> LinkedGraph:
    return link([(item, decode(item)) for item in inputs], options)


def fuse_keeping(
    inputs: Sequence[FuseInput], options: FuseOptions, choose: Choose, validate: bool = True
) -> tuple[bytes, Partition]:
    """The output in which the chosen instances are kept, and how the graph was cut."""
    graph = linked(inputs, options)
    outputs: list[bytes] = []

    def flat(part: LinkedGraph) -> Built:
        return Built(*build(part, options, {}))

    def check(output: Component | CoreModule) -> None:
        assert isinstance(output, Component)
        outputs.append(encode(output))
        if validate:
            validate_output(outputs[-1], output)

    reasons = {id_: Reason("test", "it was chosen") for id_ in choose(graph)}
    cut = assemble(graph, flat, scan, check, reasons).partition
    return outputs[-1], cut


def with_code(graph: LinkedGraph) -> list[InstanceId]:
    """The instances that own core instances, in order."""
    return list(dict.fromkeys(each.instance for each in sorted(graph.core_instances, key=lambda each: each.instance)))
