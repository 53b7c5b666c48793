"""The named trap functions: one per rule of the Canonical ABI that a fused call can break.

Every check fails by calling one shared function that does nothing but `unreachable`. Its name is what a backtrace
shows, so it says which rule fired, and the tests compare by it.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Trap(Enum):
    """The value follows `trap: ` in the function's name."""

    INVALID_CHAR = "invalid char"
    INVALID_DISCRIMINANT = "invalid variant discriminant"
    LIST_TOO_LONG = "list too long"
    LIST_MISALIGNED = "list pointer misaligned"
    LIST_OUT_OF_BOUNDS = "list out of bounds"
    STRING_TOO_LONG = "string too long"
    STRING_MISALIGNED = "string pointer misaligned"
    STRING_OUT_OF_BOUNDS = "string out of bounds"
    INVALID_UTF8 = "invalid utf8"
    INVALID_UTF16 = "invalid utf16"
    REALLOC_MISALIGNED = "realloc returned a misaligned pointer"
    REALLOC_OUT_OF_BOUNDS = "realloc result out of bounds"
    PARAMS_MISALIGNED = "parameters pointer misaligned"
    PARAMS_OUT_OF_BOUNDS = "parameters pointer out of bounds"
    RESULT_MISALIGNED = "result pointer misaligned"
    RESULT_OUT_OF_BOUNDS = "result pointer out of bounds"
    CANNOT_LEAVE = "cannot leave component instance"
    UNCAUGHT_EXCEPTION = "uncaught exception"
    UNKNOWN_HANDLE = "unknown handle index"
    WRONG_RESOURCE_TYPE = "handle of the wrong resource type"
    HANDLE_LENT = "handle is lent"
    HANDLE_NOT_OWNED = "handle is not owned"
    BORROW_HELD = "borrow still held"
    HANDLE_TABLE_FULL = "handle table full"
    BOUNDARY_FULL = "boundary memory full"
    SET_NOT_EMPTY = "waitable set not empty"
    SET_HAS_WAITERS = "waitable set has waiters"
    SYNC_USE = "waitable in synchronous use"
    CALLBACK_CODE = "callback returned an unknown code"
    NO_RESULT = "task exited without a result"
    TASK_RESOLVED = "task already resolved"
    TASK_NOT_CANCELLED = "task was not cancelled"
    WRONG_TASK_RETURN = "task.return of another function"
    SUBTASK_DELIVERED = "subtask already resolved"
    SUBTASK_NOT_DELIVERED = "subtask not resolved"
    CANCELLED_TWICE = "subtask cancelled twice"
    END_BUSY = "end is busy"
    END_DONE = "end is done"
    END_NOT_COPYING = "end is not copying"
    END_IN_SET = "end is in a waitable set"
    SAME_INSTANCE = "copy inside one instance"
    FUTURE_UNWRITTEN = "future dropped before it was written"
    BUFFER_TOO_LONG = "buffer too long"
    BUFFER_MISALIGNED = "buffer misaligned"
    BUFFER_OUT_OF_BOUNDS = "buffer out of bounds"
    CANNOT_BLOCK = "a synchronous task cannot block"
    CANCEL_WAITS = "synchronous cancel that has to wait"
    BACKPRESSURE = "backpressure out of range"

    @property
    def function_name(self) -> str:
        return f"trap: {self.value}"
