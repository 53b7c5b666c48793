"""`meld_module.h` for ctypes: its numbers and its structs, in its order and under its names.

A test compiles the header and compares every size, offset and number with what is here. Nothing else is decided here.
"""

from __future__ import annotations

import ctypes as c

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, ClassVar

    Fields = list[tuple[str, Any]]

MAJOR = 1
MINOR = 0
MAGIC = 0x444C454D
ENTRY = "meld_module_entry"

OK = 0
E_FAILED = 1
E_ARGUMENT = 2
E_STATE = 3
E_CANCELLED = 4
E_UNSUPPORTED = 5
E_SCHEMA = 6
E_DENIED = 7
E_BUSY = 8
E_TIMEOUT = 9
E_PANIC = 100

TRACE = 0
DEBUG = 1
INFO = 2
WARN = 3
ERROR = 4

MESSAGE_WANTS_REPLY = 1
MODULE_KEEPS_STATE = 1

BUS_1 = b"meld.bus/1"
JOBS_1 = b"meld.jobs/1"
KV_1 = b"meld.kv/1"
CLOCK_1 = b"meld.clock/1"


class Head(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("magic", c.c_uint32),
        ("major", c.c_uint32),
        ("minor", c.c_uint32),
        ("size", c.c_uint32),
    ]


class Bytes(c.Structure):
    """ptr is a plain number here: what it points to is read by address and length, never as Python's own."""

    _fields_: ClassVar[Fields] = [("ptr", c.c_void_p), ("len", c.c_uint64)]


class Owned(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("ptr", c.c_void_p),
        ("len", c.c_uint64),
        ("ctx", c.c_void_p),
        ("drop", c.c_void_p),
    ]


class Error(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("size", c.c_uint32),
        ("capacity", c.c_uint32),
        ("length", c.c_uint32),
        ("reserved", c.c_uint32),
        ("text", c.c_void_p),
    ]


class Message(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("size", c.c_uint32),
        ("version", c.c_uint32),
        ("id", c.c_uint64),
        ("topic", Bytes),
        ("sender", Bytes),
        ("payload", Bytes),
        ("attempt", c.c_uint32),
        ("flags", c.c_uint32),
    ]


Code = c.c_int32
_owned, _error, _found = c.POINTER(Owned), c.POINTER(Error), c.POINTER(c.c_int32)

Log = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, Bytes)
Extension = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p)


class Host(c.Structure):
    _fields_: ClassVar[Fields] = [("head", Head), ("ctx", c.c_void_p), ("log", Log), ("extension", Extension)]


OneText = c.CFUNCTYPE(Code, c.c_void_p, Bytes, _error)
TwoTexts = c.CFUNCTYPE(Code, c.c_void_p, Bytes, Bytes, _error)
ThreeTexts = c.CFUNCTYPE(Code, c.c_void_p, Bytes, Bytes, Bytes, _error)
Request = c.CFUNCTYPE(Code, c.c_void_p, Bytes, Bytes, Bytes, c.c_uint64, _owned, _error)


class Bus(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("head", Head),
        ("publish", TwoTexts),
        ("send", ThreeTexts),
        ("request", Request),
    ]


Progress = c.CFUNCTYPE(Code, c.c_void_p, c.c_uint64, c.c_uint64, Bytes, _error)
Last = c.CFUNCTYPE(Code, c.c_void_p, _owned, _found, _error)
Flag = c.CFUNCTYPE(Code, c.c_void_p, _found, _error)
Metric = c.CFUNCTYPE(Code, c.c_void_p, Bytes, c.c_double, _error)


class Jobs(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("head", Head),
        ("report_progress", Progress),
        ("checkpoint", OneText),
        ("last_checkpoint", Last),
        ("is_cancelled", Flag),
        ("log_line", OneText),
        ("metric", Metric),
    ]


Visit = c.CFUNCTYPE(None, c.c_void_p, Bytes)
Get = c.CFUNCTYPE(Code, c.c_void_p, Bytes, _owned, _found, _error)
Keys = c.CFUNCTYPE(Code, c.c_void_p, Bytes, c.c_void_p, c.c_void_p, _error)


class Kv(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("head", Head),
        ("get", Get),
        ("set", TwoTexts),
        ("remove", OneText),
        ("keys", Keys),
    ]


Time = c.CFUNCTYPE(c.c_uint64, c.c_void_p)


class Clock(c.Structure):
    _fields_: ClassVar[Fields] = [("head", Head), ("now", Time), ("monotonic", Time)]


Create = c.CFUNCTYPE(Code, c.c_void_p, Bytes, c.POINTER(c.c_void_p), _error)
Destroy = c.CFUNCTYPE(None, c.c_void_p)
Execute = c.CFUNCTYPE(Code, c.c_void_p, Bytes, Bytes, _owned, _error)
Handle = c.CFUNCTYPE(Code, c.c_void_p, c.POINTER(Message), _owned, _error)
GetState = c.CFUNCTYPE(Code, c.c_void_p, _owned, _error)
RestoreState = c.CFUNCTYPE(Code, c.c_void_p, c.c_uint32, Bytes, _error)
ModuleExtension = c.CFUNCTYPE(c.c_void_p, c.c_char_p)
Drop = c.CFUNCTYPE(None, c.c_void_p)


class Module(c.Structure):
    _fields_: ClassVar[Fields] = [
        ("head", Head),
        ("name", c.c_char_p),
        ("version", c.c_char_p),
        ("built_with", c.c_char_p),
        ("commands", c.POINTER(c.c_char_p)),
        ("topics", c.POINTER(c.c_char_p)),
        ("flags", c.c_uint32),
        ("state_schema", c.c_uint32),
        ("create", Create),
        ("destroy", Destroy),
        ("execute", Execute),
        ("handle_message", Handle),
        ("get_state", GetState),
        ("restore_state", RestoreState),
        ("extension", ModuleExtension),
    ]


def head(table: type[c.Structure]) -> Head:
    return Head(MAGIC, MAJOR, MINOR, c.sizeof(table))
