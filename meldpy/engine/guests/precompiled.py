"""Machine code of components, kept on disk. It is run as it is, so the cache trusts nobody.

A file is its owner's alone, and its name is the digest of the component together with everything that decides how it is
compiled. A second file has the digest of what is in it, which is compared before the engine sees a byte: the engine
itself takes a file with flipped bits, and dies of it. Reading megabytes for their digest takes longer than mapping
them, so the second file also says which file, of which time and in which run of the system, was compared last: as long
as the system says that it is the same file, unchanged, it is not read again. Where anything does not fit, the component
is compiled again.
"""

from __future__ import annotations

import os
import platform
import tempfile
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import final

import wasmtime
from wasmtime import component as wc


@final
class Precompiled:
    """The file of one component, compiled for this engine on this processor."""

    def __init__(self, folder: Path, digest: str, fuel: bool) -> None:
        parts = (digest, _engine(), str(fuel), platform.machine(), _processor())
        name = sha256("\0".join(parts).encode()).hexdigest()
        self._code = folder / f"{name}.cwasm"
        self._sum = folder / f"{name}.sum"

    def load(self, engine: wasmtime.Engine) -> wc.Component | None:
        """The component, if a file is there that can be trusted."""
        try:
            if not _is_private(self._code) or not _is_private(self._sum):
                return None
            digest, _, identity = self._sum.read_text().partition("\n")
            if identity != _identity(self._code):
                with self._code.open("rb") as file:
                    if file_digest(file, "sha256").hexdigest() != digest:
                        return None
                self._write_sum(digest)
            return wc.Component.deserialize_file(engine, str(self._code))
        except (OSError, UnicodeError, wasmtime.WasmtimeError):
            return None

    def keep(self, component: wc.Component) -> None:
        """A cache that cannot be written is no error: the component is compiled already."""
        body = bytes(component.serialize())
        try:
            self._code.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # a file without its sum, or with another's, is as good as none
            _write(self._code, body)
            self._write_sum(sha256(body).hexdigest())
        except OSError:
            return

    def _write_sum(self, digest: str) -> None:
        _write(self._sum, f"{digest}\n{_identity(self._code)}".encode())


@cache
def _engine() -> str:
    return version("wasmtime")


@cache
def _processor() -> str:
    """What the processor can do: code may use all of it, and a folder may be shared between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process {os.getpid()}"  # then a file is compared once in every process


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{_boot()} {status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _is_private(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _write(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")  # 0600 from the start
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
