"""Many builds at once: on this machine's processes, or on a Dask cluster that is there already.

The job: name each build by its content (`jobs`), take what was done before from a cache (`cache`), have the rest fused
by processes (`local`) or by a cluster (`cluster`), hand results on as they come (`run`), and report them (`report`).
What one worker does is in `work`; it is the same function in either place, so the bytes are the same too.

Not the job: reading manifests (`manifest`), writing outputs, drawing progress (`cli`).

Nothing is lost when a worker dies: a local job is tried once more by itself, and fails alone if it takes its process
with it; a cluster does a dead worker's tasks again elsewhere. A run that is ended is resumed by running it again,
because what was done is in the cache.
"""

from __future__ import annotations

from meldpy.batch.cache import Cache
from meldpy.batch.jobs import planned
from meldpy.batch.model import Done, Failed, Job, Result
from meldpy.batch.run import Finished, run

__all__ = ["Cache", "Done", "Failed", "Finished", "Job", "Result", "planned", "run"]
