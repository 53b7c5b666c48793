"""What a shared library says of itself, read from the file before anything of it is loaded.

Loading runs code (constructors), so what can be refused should be refused before: a file that is no ELF, another
machine's, a program instead of a library, one that does not export the entry. Read as the system's loader reads it, by
program headers and the dynamic section; section headers may have been stripped. Every offset comes from the file and
is checked against its length.
"""

from __future__ import annotations

import platform
import struct
from pathlib import Path
from typing import final

from meldpy.host.faults import HostError
from meldpy.host.native.worker.abi import ENTRY
from meldpy.records import dataclass

_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 21: "ppc64", 22: "s390x"}
_KINDS = {1: "an object file", 2: "a program", 4: "a core dump"}
_DYN, _PT_LOAD, _PT_DYNAMIC = 3, 1, 2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _GNU_HASH, _FLAGS_1 = 1, 4, 5, 6, 10, 0x6FFFFEF5, 0x6FFFFFFB
_PIE = 0x08000000
_FUNCTION, _GNU_IFUNC = 2, 10


@final
class LibraryRefused(HostError):
    """This file is no module that this host can load."""


@final
@dataclass(frozen=True, slots=True)
class Library:
    """needed: the libraries that it wants loaded; sanitized: it calls AddressSanitizer's runtime, which must be
    there first."""

    path: Path
    needed: tuple[str, ...]
    sanitized: bool


def inspect(path: Path) -> Library:
    """Raises LibraryRefused: what the file is, and what it had to be."""
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise LibraryRefused(f"{path} cannot be read: {failure.strerror}") from None
    try:
        return _Reader(path, data).library()
    except (struct.error, IndexError, OverflowError):
        raise _refuse(path, "it is cut off, or its headers say what is not so") from None


def _refuse(path: Path, reason: str, remedy: str | None = None) -> LibraryRefused:
    return LibraryRefused(f"{path.name} is not a native module: {reason}", remedy=remedy)


@final
class _Reader:
    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._data = data

    def library(self) -> Library:
        self._check_kind()
        (headers,) = struct.unpack_from("<Q", self._data, 32)
        size, count = struct.unpack_from("<HH", self._data, 54)
        self._loads: list[tuple[int, int, int]] = []
        dynamic: tuple[int, int] | None = None
        for index in range(count):
            kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", self._data, headers + index * size)
            if kind == _PT_LOAD:
                self._loads.append((address, length, offset))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, length)
        if dynamic is None:
            raise _refuse(self._path, "it has no dynamic section", "link it with -shared")
        needed, tags = self._dynamic(*dynamic)
        if tags.get(_FLAGS_1, None) is not None and tags[_FLAGS_1] & _PIE:
            raise _refuse(self._path, "it is a program", "link it with -shared")
        strings = self._at(tags[_STRTAB], tags[_STRSZ]) if _STRTAB in tags and _STRSZ in tags else b""
        names = self._symbols(tags, strings)
        if names.get(ENTRY) is not True:
            reason = f"it calls {ENTRY} and has none" if ENTRY in names else f"it does not export {ENTRY}"
            raise _refuse(self._path, reason, f"define {ENTRY} with default visibility and C linkage")
        return Library(self._path, tuple(_text(strings, each) for each in needed), names.get("__asan_init") is False)

    def _check_kind(self) -> None:
        data = self._data
        if data[:4] != b"\x7fELF":
            what = "WebAssembly" if data[:4] == b"\0asm" else "no ELF file"
            raise _refuse(self._path, f"it is {what}", "native modules are shared libraries (.so)")
        kind, machine = struct.unpack_from("<HH", data, 16)
        wanted = platform.machine()
        found = _MACHINES.get(machine, f"machine {machine}")
        bits, order = data[4], data[5]
        if bits != 2 or order != 1 or found != wanted:
            width = {1: "32", 2: "64"}.get(bits, "?")
            if order != 1:
                found = "a big-endian machine"
            raise _refuse(
                self._path, f"it is for {found} ({width} bits), and this is {wanted}", "build it for this one"
            )
        if kind != _DYN:
            raise _refuse(self._path, f"it is {_KINDS.get(kind, f'of type {kind}')}", "link it with -shared")

    def _dynamic(self, offset: int, length: int) -> tuple[list[int], dict[int, int]]:
        needed, tags = [], {}
        for place in range(offset, offset + length, 16):
            tag, value = struct.unpack_from("<QQ", self._data, place)
            if tag == 0:
                break
            if tag == _NEEDED:
                needed.append(value)
            else:
                tags[tag] = value
        return needed, tags

    def _at(self, address: int, length: int) -> bytes:
        """The bytes that will be at a virtual address."""
        for start, size, offset in self._loads:
            if start <= address and address + length <= start + size:
                found = self._data[offset + address - start : offset + address - start + length]
                if len(found) == length:
                    return found
        raise IndexError(address)

    def _symbols(self, tags: dict[int, int], strings: bytes) -> dict[str, bool]:
        """Names of the dynamic symbols: whether the library defines a function of that name."""
        names: dict[str, bool] = {}
        if _SYMTAB not in tags:
            return names
        for index in range(self._count(tags)):
            name, info, _, section = struct.unpack("<IBBH", self._at(tags[_SYMTAB] + 24 * index, 8))
            defined = section != 0 and info & 15 in (_FUNCTION, _GNU_IFUNC) and info >> 4 in (1, 2)
            names[_text(strings, name)] = defined
        return names

    def _count(self, tags: dict[int, int]) -> int:
        """How many dynamic symbols there are: only the hash tables say so."""
        if _HASH in tags:
            return int(struct.unpack("<II", self._at(tags[_HASH], 8))[1])
        if _GNU_HASH not in tags:
            return 0
        table = tags[_GNU_HASH]
        buckets, first, bloom, _ = struct.unpack("<IIII", self._at(table, 16))
        at_buckets = table + 16 + 8 * bloom
        highest = max(struct.unpack(f"<{buckets}I", self._at(at_buckets, 4 * buckets)), default=0)
        if highest < first:
            return int(first)
        chain = at_buckets + 4 * buckets
        while not struct.unpack("<I", self._at(chain + 4 * (highest - first), 4))[0] & 1:
            highest += 1
        return int(highest) + 1


def _text(strings: bytes, offset: int) -> str:
    end = strings.index(b"\0", offset) if b"\0" in strings[offset:] else len(strings)
    return strings[offset:end].decode(errors="replace")
