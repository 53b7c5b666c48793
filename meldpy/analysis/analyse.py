"""The driver: spaces, then jumps, then reachability, then effects; each uses only what is before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meldpy.analysis.blocking import classify
from meldpy.analysis.constants import Constants
from meldpy.analysis.effects import CallGraph, effects
from meldpy.analysis.exits import Exits, ReturnsZero
from meldpy.analysis.forwards import find_forwards
from meldpy.analysis.passing import with_passing
from meldpy.analysis.reach import Reach
from meldpy.analysis.spaces import spaces_of, written_tables
from meldpy.analysis.synchronous import with_synchronous
from meldpy.analysis.work import with_work
from meldpy.model.core import CoreModule
from meldpy.model.facts import CodeFacts, Facts
from meldpy.model.ids import LiftId
from meldpy.model.linked import LinkedGraph


def analyse(
    graph: LinkedGraph,
    scan: Callable[[CoreModule], CodeFacts],
    called: Iterable[LiftId] = (),
    *,
    returns_zero: ReturnsZero | None = None,
) -> Facts:
    """Prove what can be proved about `graph`. `scan` tells what the bodies of one module refer to (the kernel does);
    `called`: lifts that something outside the graph calls, besides those that it exports. `returns_zero`: whether a
    function returns nothing but 0; None if that is not known of any."""
    instantiated = {core_instance.module for core_instance in graph.core_instances}
    code = {module.id: scan(module.module) for module in graph.modules if module.id in instantiated}
    all_spaces = [spaces_of(graph, instance) for instance in graph.core_instances]
    written = written_tables(all_spaces, code)
    constants = Constants(all_spaces)
    forwards = find_forwards(graph, all_spaces, code, written, constants)
    reach = Reach(graph, all_spaces, code, forwards, constants)
    live = reach.run(called)
    calls = CallGraph(reach, written)
    may_throw, may_leave = effects(calls)
    exiting = Exits(all_spaces, code, forwards, returns_zero)
    asynchrony = with_synchronous(graph, live, calls, exiting, classify(graph, live, exiting))
    asynchrony = with_work(graph, live, calls, exiting, asynchrony)
    asynchrony = with_passing(graph, live, calls, asynchrony)
    return Facts(code, forwards, live, may_throw, may_leave, asynchrony)
