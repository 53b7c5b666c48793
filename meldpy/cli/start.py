"""Where the `meld` command begins and ends: what can be said without loading anything, and leaving without delay.

`meld --version` is asked by scripts again and again, and click alone takes longer than the interpreter. Taking the
interpreter apart at the end costs as much, and nobody needs it: what is written is written, and the system frees the
rest.
"""

from __future__ import annotations

import os
import sys

# what a type checker takes for true, without an import that `--version` can do without
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import NoReturn

_VERSION = (["--version"], ["-V"])


def main() -> NoReturn:
    """Run the command line and exit; the codes are those of `meldpy.cli.main`."""
    if sys.argv[1:] in _VERSION and _say_version():
        leave(0)
    from meldpy.cli.main import main as command_line

    command_line()
    raise AssertionError("the command line exits")


def leave(code: int) -> NoReturn:
    """End the process at once. If a stream cannot take its last words, or somebody traces, in the usual way."""
    if sys.gettrace() is None and sys.getprofile() is None and _flushed():
        os._exit(code)
    sys.exit(code)


def _flushed() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _say_version() -> bool:
    """Whether it could be said; if not, the whole command line knows what to do about that."""
    from meldpy import __version__

    if sys.stdout is None:
        return False
    try:
        # past the stream's buffer, so that nothing is said twice
        os.write(sys.stdout.fileno(), f"meld {__version__}\n".encode())
    except (OSError, ValueError):
        return False
    return True
