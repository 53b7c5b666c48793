"""Files: by landlock, so that the module reaches the directories it was granted, what its libraries need, and no more.

Rights are taken away from the process itself, for good, without privileges. System libraries can be read, and nothing
can be executed as a program. Version 3 of the interface is needed (Linux 6.2): before, files that cannot be opened for
writing could still be truncated.
"""

from __future__ import annotations

import ctypes
import os

from .link import libc

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar, Final

    from .abi import Fields

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_LEAST: Final = 3

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_ALL_OF_3: Final = (1 << 15) - 1
_IOCTL_DEV: Final = 1 << 15
_READ: Final = _READ_FILE | _READ_DIR
_OF_A_FILE: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | _IOCTL_DEV
_TCP, _SCOPES = 3, 3

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/locale", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


class Unconfined(Exception):
    """This system cannot keep a process to its grants; the text says what it lacks."""


class _Ruleset(ctypes.Structure):
    _fields_: ClassVar[Fields] = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_: ClassVar[Fields] = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _call(number: int, *arguments: object) -> int:
    return int(libc.syscall(ctypes.c_long(number), *arguments))


def restrict(readable: Sequence[str], writable: Sequence[str], *, network: bool) -> None:
    """Only what is beneath these paths, and what libraries need, from now on. Raises Unconfined."""
    version = _call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version < _LEAST:
        raise Unconfined(f"landlock has version {version} here; {_LEAST} is needed (Linux 6.2)")
    rights = _ALL_OF_3 | (_IOCTL_DEV if version >= 5 else 0)
    tcp = _TCP if version >= 4 and not network else 0
    ruleset = _Ruleset(rights, tcp, _SCOPES if version >= 6 else 0)
    known = 8 if version < 4 else 16 if version < 6 else 24
    rules = _call(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(known), ctypes.c_uint32(0))
    if rules < 0:
        raise Unconfined(f"landlock: {os.strerror(ctypes.get_errno())}")
    for path in (*SYSTEM, *readable):
        _allow(rules, path, _READ)
    for path in writable:
        _allow(rules, path, rights & ~_EXECUTE)
    for path in _DEVICES:
        _allow(rules, path, _READ_FILE | _WRITE_FILE)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if _call(_RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0)) < 0:
        raise Unconfined(f"landlock: {os.strerror(ctypes.get_errno())}")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    """A path that does not exist allows nothing."""
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= _OF_A_FILE
    beneath = _Beneath(rights, parent)
    done = _call(_ADD, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), ctypes.byref(beneath), ctypes.c_uint32(0))
    os.close(parent)
    if done < 0:
        raise Unconfined(f"landlock, {path}: {os.strerror(ctypes.get_errno())}")
