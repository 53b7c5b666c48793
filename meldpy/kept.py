"""What follows from meldpy's own text alone, kept on disk between processes.

That is the kernel's machine code, and the runtime library. To make them takes a cold process as long as everything else
that it does for a small pair. What is kept is trusted as byte code of Python is: the file says which text it was made
from and which engine made it, by the hash that Python's own byte code files use, and has a checksum against accidents.
Machine code is run as it is, so a file counts only if it is the user's own and nobody else can write it; where an owner
cannot be asked for, nothing is kept. A cache that cannot be read or written is no error: then things are made again.

One file for each name, so that a new version takes the place of an old one. Nothing of a user's is in here; what is
made of inputs has caches of its own (`batch.cache`, `engine.guests.precompiled`), some of them beside this one.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from functools import cache
from importlib.util import find_spec, source_hash
from pathlib import Path
from typing import Final

_HEAD: Final = 12
"""Bytes in front of what is kept: the hash of its source, and its checksum."""
_WRITABLE_BY_OTHERS: Final = 0o022


def read(name: str, source: bytes) -> bytes | None:
    """What was kept as `name` and made from `source`; None if there is nothing that counts."""
    if not hasattr(os, "getuid"):
        return None
    try:
        with open(os.path.join(_folder(), name), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & _WRITABLE_BY_OTHERS:
                return None
            found = file.read()
    except OSError:
        return None
    data = found[_HEAD:]
    return data if found[:_HEAD] == _head(source, data) else None


def write(name: str, source: bytes, data: bytes) -> None:
    """Keep `data`, which was made from `source`, as `name`, or leave everything as it was."""
    if not hasattr(os, "getuid"):
        return
    folder = _folder()
    path = os.path.join(folder, name)
    mine = f"{path}.{os.getpid()}"
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        new = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return
    try:
        with open(new, "wb") as file:
            file.write(_head(source, data) + data)
        os.replace(mine, path)
    except OSError:
        with suppress(OSError):
            os.remove(mine)


def _head(source: bytes, data: bytes) -> bytes:
    return source_hash(_engine() + source) + zlib.crc32(data).to_bytes(4, "little")


@cache
def _engine() -> bytes:
    """Which engine is installed: it encodes text in its own way, and so decides bytes of outputs.

    To ask the installer for its version would take longer than all that is kept saves.
    """
    spec = find_spec("wasmtime")
    if spec is None or spec.origin is None:
        return b""
    libraries = sorted(Path(spec.origin).parent.glob("*/*wasmtime.*"))
    return b"".join(f"{each.stat().st_size} {each.stat().st_mtime_ns}\n".encode() for each in libraries)


def cache_folder() -> str:
    """Where all caches of meldpy are: $MELDPY_CACHE, else meldpy in the user's cache, $XDG_CACHE_HOME or ~/.cache."""
    given = os.environ.get("MELDPY_CACHE")
    return given or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "meldpy")


def _folder() -> str:
    return os.path.join(cache_folder(), "own")
