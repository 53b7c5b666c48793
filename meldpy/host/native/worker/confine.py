"""Limits that this process puts on itself before the library is loaded; none can be lifted again.

Memory is what the module may have beyond what the process has already, so that the limit means the module's own. The
process also dies with its host: the kernel kills it when the last write end of the host's pipe closes. (A parent-death
signal would come when the *thread* that started the process ends.)
"""

from __future__ import annotations

import fcntl
import os
import resource

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Final

_F_SETSIG: Final = 10
_SIGKILL: Final = 9
_STACK: Final = 8 << 20


def die_with(life: int) -> None:
    """life: the read end of a pipe that the host alone holds open. Opened anew: the owner belongs to the open file."""
    own = os.open(f"/proc/self/fd/{life}", os.O_RDONLY | os.O_NONBLOCK)
    os.close(life)
    fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own, _F_SETSIG, _SIGKILL)
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    try:
        gone = os.read(own, 1) == b""
    except BlockingIOError:
        gone = False
    if gone:
        os._exit(1)


def limit(memory: int, cpu: int, files: int, file_size: int) -> None:
    """memory, file_size: bytes; cpu: seconds of the whole life; files: open at once. -1: no limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_STACK, _STACK)
    if memory >= 0:
        with open("/proc/self/statm") as lines:
            now = int(lines.read().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, now + memory)
    if cpu >= 0:
        _lower(resource.RLIMIT_CPU, cpu)
    if files >= 0:
        _lower(resource.RLIMIT_NOFILE, files)
    if file_size >= 0:
        _lower(resource.RLIMIT_FSIZE, file_size)


def _lower(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))
