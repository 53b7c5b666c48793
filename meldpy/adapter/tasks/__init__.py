"""Tasks: calls of async functions, and the built-ins of async, between fused instances.

The job: trampolines for calls that become tasks (`calls`), the way back through `task.return` (`returns`), built-ins
(`builtins`, `copies`, `waits`), the async exports of the output (`roots`), calls of the host that take their time
(`hosts`, `outside`), the buffers that the host sees (`ends`, `buffers`), and what all of these share (`machinery`).
What cannot be done exactly is refused before (`refusals`). Not its job: moving values (`translate`), the state of tasks
and streams (`runtime/waitables.wat` and the files that it names), how far tasks can block (`analysis.blocking`).

A crossing that cannot become a task stays what it is without async: a sync-typed function, and a sync lift that is
certain to start at once and cannot block.

Spec: CanonicalABI.md `canon_lift`, `canon_lower` and the async built-ins; Concurrency.md.
"""

from meldpy.adapter.tasks.hosts import takes_time
from meldpy.adapter.tasks.tasks import Tasks, waiting_instances

__all__ = ["Tasks", "takes_time", "waiting_instances"]
