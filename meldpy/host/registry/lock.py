"""`meld.lock`: what is active in a folder of modules, with the sums of its files and where it came from.

Written whole or not at all; a person can read it, and a version system can keep it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import final

import msgspec

from meldpy.errors import FileError, Location

FILE = "meld.lock"


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One version that is installed. sum: of its files; source: where it came from; digest: of an OCI manifest."""

    sum: str
    source: str
    digest: str | None = None


class Locked(msgspec.Struct, forbid_unknown_fields=True):
    """One module. history: versions that were active, oldest first, the active one last; dependencies: interface ->
    "module version", as the active version was resolved last."""

    history: list[str] = []
    versions: dict[str, Entry] = {}
    dependencies: dict[str, str] = {}

    @property
    def active(self) -> str | None:
        return self.history[-1] if self.history else None


class Lock(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: int = 1
    modules: dict[str, Locked] = {}


_LOCK = "put back the file as it was, or remove it and install the modules again"


@final
class LockFile:
    """Reads and writes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def read(self) -> Lock:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Lock)
        except FileNotFoundError:
            return Lock()
        except (OSError, msgspec.DecodeError) as error:
            raise FileError(
                f"the lock file cannot be read: {error}", Location(str(self._path)), remedy=_LOCK
            ) from error

    def write(self, lock: Lock) -> None:
        lock.modules = dict(sorted(lock.modules.items()))
        data = msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n"
        try:
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".meld-", suffix=".tmp")
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self._path)
        except OSError as error:
            raise FileError(f"the lock file cannot be written: {error}", Location(str(self._path))) from error
