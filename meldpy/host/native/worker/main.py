"""The program of a worker: `boot(arguments)`, where the arguments are what `meldpy.host.native.process` passes."""

from __future__ import annotations

import sys

from . import confine
from .link import Link
from .serve import run


def boot() -> None:
    """Never returns while the host lives."""
    library, granted, *numbers = sys.argv[1:]
    socket, memory, life, payload, most_memory, cpu, files, file_size = (int(number) for number in numbers)
    confine.die_with(life)
    link = Link(socket, memory, payload)
    confine.limit(most_memory, cpu, files, file_size)
    run(link, library, granted.split(",") if granted else [], payload)
