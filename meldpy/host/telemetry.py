"""A host's numbers for OpenTelemetry (extra `meldpy[telemetry]`): read when they are asked for, nothing is counted
twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meldpy.host.core import Core
from meldpy.host.extra import need
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.lifecycle.life import Status


def instrument(core: Core) -> None:
    """Register instruments of the global meter provider: by module, messages handled, processor time, deaths, messages
    waiting, and whether it runs; and the number of jobs that run."""
    need("opentelemetry.metrics", "telemetry")
    from opentelemetry.metrics import CallbackOptions, Observation, get_meter

    def of_modules(read: Callable[[Hosted], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(read(each), {"module": each.name}) for each in core.all()]

    meter = get_meter("meldpy.host")
    meter.create_observable_counter("meld.messages.handled", [of_modules(lambda each: each.handled)])
    meter.create_observable_counter("meld.cpu", [of_modules(lambda each: each.used)], unit="s")
    meter.create_observable_counter("meld.deaths", [of_modules(lambda each: each.deaths)])
    meter.create_observable_gauge("meld.messages.waiting", [of_modules(lambda each: each.waiting)])
    meter.create_observable_gauge("meld.running", [of_modules(lambda each: int(each.status is Status.RUNNING))])
    meter.create_observable_gauge("meld.jobs.running", [lambda _: [Observation(core.jobs.running)]])
