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

    @property
    def function_name(self) -> str:
        return f"trap: {self.value}"
