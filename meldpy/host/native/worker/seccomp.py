"""Sockets, and other processes: by a filter of system calls, for what landlock does not know in every version.

A module without the network opens no socket (of any family: a local one may be a door to anything), and no module
reaches processes but its own by number: no signal, no limit, no priority of another's. What is refused fails with
EPERM. The filter is a few dozen instructions, made here for the machine that this is.
"""

from __future__ import annotations

import ctypes
import os
import struct

from .landlock import Unconfined
from .link import libc

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import ClassVar, Final

    from .abi import Fields

    Instruction = tuple[int, int, int, int]

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# of a pair the number on x86_64 and on aarch64; None: there is no such call
_OPENS = ((41, 198), (425, 425))  # socket, io_uring_setup
_NEVER = ((200, 130), (424, 424), (101, 117), (310, 270), (311, 271))
# tkill, pidfd_send_signal, ptrace, process_vm_readv, process_vm_writev
_OWN = ((62, 129), (234, 131), (129, 138), (297, 240), (302, 261), (203, 122), (142, 118), (144, 119), (314, 274))
# kill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, prlimit64, sched_setaffinity, sched_setparam,
# sched_setscheduler, sched_setattr: their first argument is a process
_SECOND = ((141, 140), (251, 30))  # setpriority, ioprio_set: the second one is

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_X32: Final = 0x40000000
_PR_SET_SECCOMP, _FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_: ClassVar[Fields] = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def program(machine: str, process: int, *, network: bool) -> list[Instruction]:
    """The filter: (code, skipped if true, skipped if false, value). Raises Unconfined for a machine without numbers."""
    if machine not in _ARCHITECTURES:
        raise Unconfined(f"no numbers of system calls are known for {machine}")
    column, architecture = _ARCHITECTURES[machine]
    refuse: Instruction = (_RETURN, 0, 0, _REFUSE)
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        refuse,
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refuse,
    ]
    for pair in (*_NEVER, *(() if network else _OPENS)):
        made += [(_EQUAL, 0, 1, pair[column]), refuse]
    for pairs, argument in ((_OWN, _FIRST_ARGUMENT), (_SECOND, _SECOND_ARGUMENT)):
        for pair in pairs:
            made += [
                (_EQUAL, 0, 5, pair[column]),
                (_LOAD, 0, 0, argument),
                (_EQUAL, 2, 0, process),
                (_EQUAL, 1, 0, 0),
                refuse,
                (_RETURN, 0, 0, _ALLOW),
            ]
    return [*made, (_RETURN, 0, 0, _ALLOW)]


def restrict(*, network: bool) -> None:
    """From now on, for good. After `landlock.restrict`, which gives up new privileges. Raises Unconfined."""
    code = b"".join(struct.pack("<HBBI", *each) for each in program(os.uname().machine, os.getpid(), network=network))
    room = ctypes.create_string_buffer(code, len(code))
    filter_ = _Program(len(code) // 8, ctypes.addressof(room))
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(filter_)) != 0:
        raise Unconfined(f"seccomp: {os.strerror(ctypes.get_errno())}")
