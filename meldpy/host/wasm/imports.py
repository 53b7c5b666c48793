"""The functions of `meld:host` as a guest imports them, made from a module's Services.

A host error becomes the `failure` that the interface has for it. Interrupted is the exception: it ends the guest's
call, because a paused or cancelled job must not go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from meldpy.engine.guests.artefacts import Artefact
from meldpy.engine.guests.values import Err, Ok
from meldpy.host.faults import Denied, HostError, Interrupted
from meldpy.host.limits import Grants
from meldpy.host.module import Level, Services

VERSION = "0.1.0"
PACKAGE = "meld:host"


def interface(name: str) -> str:
    """The full name of an interface of the package."""
    return f"{PACKAGE}/{name}@{VERSION}"


def failure_of(error: HostError) -> Err:
    """What the guest is told."""
    return Err({"code": error.code.value, "text": error.reason})


@final
class _Answering:
    """`run` as a function whose result is `result<_, failure>`."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def __call__(self, *arguments: Any) -> Ok | Err:
        try:
            return Ok(self._run(*arguments))
        except Interrupted:
            raise
        except HostError as error:
            return failure_of(error)


def world(services: Services) -> dict[str, dict[str, Callable[..., Any]]]:
    """Every interface of the package that a module can import."""
    return {
        interface("log"): {"log": lambda level, text: services.log(Level(level), text)},
        interface("bus"): {
            "publish": _Answering(services.publish),
            "send": _Answering(services.send),
            "request": _Answering(
                lambda to, topic, payload, millis: services.request(to, topic, payload, millis / 1000)
            ),
        },
        interface("jobs"): {
            "report-progress": services.report_progress,
            "checkpoint": _Answering(services.checkpoint),
            "last-checkpoint": services.last_checkpoint,
            "is-cancelled": services.is_cancelled,
            "log-line": services.log_line,
            "metric": services.metric,
        },
        interface("kv"): {
            "get": _Answering(services.kv_get),
            "set": _Answering(services.kv_set),
            "delete": _Answering(services.kv_delete),
            "keys": _Answering(lambda prefix: list(services.kv_keys(prefix))),
        },
        interface("clock"): {"now": services.now, "monotonic": services.monotonic},
    }


_NEEDS: dict[str, Callable[[Grants], bool]] = {
    interface("log"): lambda grants: grants.log,
    interface("bus"): lambda grants: grants.bus,
    interface("jobs"): lambda grants: grants.jobs,
    interface("kv"): lambda grants: grants.kv,
    interface("clock"): lambda grants: grants.clock,
}


def check_imports(module: str, artefact: Artefact, grants: Grants) -> None:
    """Raises Denied if the component imports an interface that was not granted, or that nobody has."""
    imports = artefact.imports
    unknown = [name for name in imports if name not in _NEEDS]
    if unknown:
        raise Denied(
            f"{module} imports {', '.join(unknown)}, which a host does not provide",
            remedy="name what provides it under [dependencies] in module.toml, and install that",
        )
    missing = [name for name in imports if not _NEEDS[name](grants)]
    missing += [name for name in artefact.wasi if name.startswith("wasi:http/") and not grants.network]
    if missing:
        raise Denied(
            f"{module} imports {', '.join(missing)}, and was not granted it",
            remedy="ask for it under [grants] in module.toml, and allow it where the host is started",
        )
