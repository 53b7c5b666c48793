"""The program of a worker: `boot(arguments)`, where the arguments are what `meldpy.host.native.process` passes."""

from __future__ import annotations

import os
import sys

from . import confine, landlock, seccomp, wire
from .link import Link
from .serve import run


def boot() -> None:
    """Never returns while the host lives."""
    library, granted, confined, *rest = sys.argv[1:]
    socket, memory, life, payload, most_memory, cpu, files, file_size = (int(number) for number in rest[:8])
    confine.die_with(life)
    link = Link(socket, memory, payload)
    size = os.open("/proc/self/statm", os.O_RDONLY)
    confine.limit(most_memory, cpu, files, file_size)
    try:
        if confined != "trusted":
            # "r/a/path" may be read, "w/a/path" written as well
            readable = [path[1:] for path in rest[8:] if path[0] == "r"]
            writable = [path[1:] for path in rest[8:] if path[0] == "w"]
            landlock.restrict([os.path.dirname(library), *readable], writable, network=confined == "network")
            seccomp.restrict(network=confined == "network")
    except landlock.Unconfined as lacking:
        link.send(wire.REFUSED, (f"this system cannot keep it to its grants: {lacking}".encode(),))
        return
    run(link, library, granted.split(",") if granted else [], payload, size)
