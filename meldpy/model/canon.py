"""Canonical definitions as read from bytes. Spec: Binary.md "Canonical Definitions".

The five that exist without async have a class each. All others share `OtherBuiltin`: an opcode of the closed set
`BuiltinOp` and its immediates in binary order, so that a new built-in is one line in a table of `binary/`.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final, TypeAlias, final

from meldpy.model.core import CoreValType
from meldpy.model.ids import CoreFuncIndex, CoreMemoryIndex, FuncIndex, TypeIndex
from meldpy.model.valtype import ValTypeRef
from meldpy.records import dataclass


@unique
class StringEncoding(Enum):
    """The value is the `canonopt` opcode."""

    UTF8 = 0x00
    UTF16 = 0x01
    LATIN1_UTF16 = 0x02


ENCODING_WORDS: Final = {
    StringEncoding.UTF8: "utf8",
    StringEncoding.UTF16: "utf16",
    StringEncoding.LATIN1_UTF16: "latin1+utf16",
}
"""What the text format calls them."""


@final
@dataclass(frozen=True, slots=True)
class CanonOpt:
    """One canonical option as written: its opcode (0x00–0x09) and its index, if it has one.

    A tuple of these keeps presence and order; `resolve` turns it into `linked.CanonicalOptions`.
    """

    opcode: int
    index: int | None = None


OPT_UTF8, OPT_UTF16, OPT_LATIN1_UTF16 = 0x00, 0x01, 0x02
OPT_MEMORY, OPT_REALLOC, OPT_POST_RETURN, OPT_ASYNC, OPT_CALLBACK = 0x03, 0x04, 0x05, 0x06, 0x07
OPT_CORE_TYPE, OPT_GC = 0x08, 0x09


@final
@dataclass(frozen=True, slots=True)
class Lift:
    core_func: CoreFuncIndex
    options: tuple[CanonOpt, ...]
    type: TypeIndex


@final
@dataclass(frozen=True, slots=True)
class Lower:
    func: FuncIndex
    options: tuple[CanonOpt, ...]


@final
@dataclass(frozen=True, slots=True)
class ResourceNew:
    resource: TypeIndex


@final
@dataclass(frozen=True, slots=True)
class ResourceDrop:
    resource: TypeIndex


@final
@dataclass(frozen=True, slots=True)
class ResourceRep:
    resource: TypeIndex


@unique
class BuiltinOp(Enum):
    """Built-ins of async, threads and error-context; value is (opcode, name in the text format)."""

    TASK_CANCEL = (0x05, "task.cancel")
    SUBTASK_CANCEL = (0x06, "subtask.cancel")
    TASK_RETURN = (0x09, "task.return")
    CONTEXT_GET = (0x0A, "context.get")
    CONTEXT_SET = (0x0B, "context.set")
    THREAD_YIELD = (0x0C, "thread.yield")
    SUBTASK_DROP = (0x0D, "subtask.drop")
    STREAM_NEW = (0x0E, "stream.new")
    STREAM_READ = (0x0F, "stream.read")
    STREAM_WRITE = (0x10, "stream.write")
    STREAM_CANCEL_READ = (0x11, "stream.cancel-read")
    STREAM_CANCEL_WRITE = (0x12, "stream.cancel-write")
    STREAM_DROP_READABLE = (0x13, "stream.drop-readable")
    STREAM_DROP_WRITABLE = (0x14, "stream.drop-writable")
    FUTURE_NEW = (0x15, "future.new")
    FUTURE_READ = (0x16, "future.read")
    FUTURE_WRITE = (0x17, "future.write")
    FUTURE_CANCEL_READ = (0x18, "future.cancel-read")
    FUTURE_CANCEL_WRITE = (0x19, "future.cancel-write")
    FUTURE_DROP_READABLE = (0x1A, "future.drop-readable")
    FUTURE_DROP_WRITABLE = (0x1B, "future.drop-writable")
    ERROR_CONTEXT_NEW = (0x1C, "error-context.new")
    ERROR_CONTEXT_DEBUG_MESSAGE = (0x1D, "error-context.debug-message")
    ERROR_CONTEXT_DROP = (0x1E, "error-context.drop")
    WAITABLE_SET_NEW = (0x1F, "waitable-set.new")
    WAITABLE_SET_WAIT = (0x20, "waitable-set.wait")
    WAITABLE_SET_POLL = (0x21, "waitable-set.poll")
    WAITABLE_SET_DROP = (0x22, "waitable-set.drop")
    WAITABLE_JOIN = (0x23, "waitable.join")
    BACKPRESSURE_INC = (0x24, "backpressure.inc")
    BACKPRESSURE_DEC = (0x25, "backpressure.dec")
    THREAD_INDEX = (0x26, "thread.index")
    THREAD_NEW_INDIRECT = (0x27, "thread.new-indirect")
    THREAD_RESUME_LATER = (0x28, "thread.resume-later")
    THREAD_SUSPEND = (0x29, "thread.suspend")
    THREAD_SUSPEND_THEN_RESUME = (0x2A, "thread.suspend-then-resume")
    THREAD_YIELD_THEN_RESUME = (0x2B, "thread.yield-then-resume")
    THREAD_SUSPEND_THEN_PROMOTE = (0x2C, "thread.suspend-then-promote")
    THREAD_YIELD_THEN_PROMOTE = (0x2D, "thread.yield-then-promote")
    THREAD_SPAWN_REF = (0x40, "thread.spawn-ref")
    THREAD_SPAWN_INDIRECT = (0x41, "thread.spawn-indirect")
    THREAD_AVAILABLE_PARALLELISM = (0x42, "thread.available-parallelism")


@final
@dataclass(frozen=True, slots=True)
class ResultList:
    """`resultlist`: one result type, or none."""

    type: ValTypeRef | None


Immediate: TypeAlias = "int | bool | CoreValType | ResultList | tuple[CanonOpt, ...]"
"""Indices and u32 as int, `async?`/`cancel?`/`sh?` bytes as bool."""


@final
@dataclass(frozen=True, slots=True)
class OtherBuiltin:
    op: BuiltinOp
    immediates: tuple[Immediate, ...] = ()


Canon: TypeAlias = "Lift | Lower | ResourceNew | ResourceDrop | ResourceRep | OtherBuiltin"

__all__ = [
    "OPT_ASYNC",
    "OPT_CALLBACK",
    "OPT_CORE_TYPE",
    "OPT_GC",
    "OPT_LATIN1_UTF16",
    "OPT_MEMORY",
    "OPT_POST_RETURN",
    "OPT_REALLOC",
    "OPT_UTF8",
    "OPT_UTF16",
    "BuiltinOp",
    "Canon",
    "CanonOpt",
    "CoreMemoryIndex",
    "Immediate",
    "Lift",
    "Lower",
    "OtherBuiltin",
    "ResourceDrop",
    "ResourceNew",
    "ResourceRep",
    "ResultList",
    "StringEncoding",
]
