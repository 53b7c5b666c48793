"""Traps by kind: one vocabulary for what the engine says and what the names of our trap functions say.

A kind is the name of our trap function (without `trap: `) if that is what trapped, else the engine's own text for the
cause. The engine tells fewer cases apart than we do: it knows one sort of misaligned pointer, and a realloc result out
of bounds is a string or list out of bounds to it. `ENGINE_TEXTS` lists, for each of our kinds, the engine texts of the
same trap: those of adapters, and those of the calls between host and guest, which word them differently.
"""

from __future__ import annotations

import re

UNALIGNED = "unaligned pointer"
STRING_BOUNDS = "string content out-of-bounds"
LIST_BOUNDS = "list content out-of-bounds"
HOST_STRING_BOUNDS = "string pointer/length out of bounds of memory"
HOST_LIST_BOUNDS = "list pointer/length out of bounds of memory"
HOST_POINTER_BOUNDS = "pointer out of bounds"
MEMORY_BOUNDS = "out of bounds memory access"
DEADLOCK = "deadlock detected"
"""A call whose tasks wait for what can never come: the engine alone can say so, of either form."""
SYNC_AND_ASYNC = "waitable cannot be used synchronously while added to a waitable set"
RETURNED_TWICE = "`task.return` or `task.cancel` called more than once for current task"
TASK_RETURN_INVALID = "invalid `task.return` signature and/or options for current task"
CONCURRENT_COPIES = "cannot have concurrent operations active on a future/stream"
BUFFER_BOUNDS = "read pointer out of bounds of memory"
"""Of writes too."""
UNREACHABLE = "wasm `unreachable` instruction executed"

ENGINE_TEXTS: dict[str, frozenset[str]] = {
    "invalid char": frozenset({"invalid `char` bit pattern", "converted integer out of range for `char`"}),
    "invalid variant discriminant": frozenset({"invalid variant discriminant"}),
    "invalid utf8": frozenset({"invalid utf8 encoding"}),
    "invalid utf16": frozenset({"invalid utf16 encoding"}),
    "string too long": frozenset({STRING_BOUNDS, HOST_STRING_BOUNDS}),
    "string out of bounds": frozenset({STRING_BOUNDS, HOST_STRING_BOUNDS}),
    "string pointer misaligned": frozenset({UNALIGNED}),
    "list too long": frozenset({LIST_BOUNDS, HOST_LIST_BOUNDS, "size overflow copying a list"}),
    "list out of bounds": frozenset({LIST_BOUNDS, HOST_LIST_BOUNDS}),
    "list pointer misaligned": frozenset({UNALIGNED, "list pointer is not aligned"}),
    "realloc returned a misaligned pointer": frozenset({UNALIGNED, "realloc return: result not aligned"}),
    "realloc result out of bounds": frozenset(
        {STRING_BOUNDS, LIST_BOUNDS, MEMORY_BOUNDS, "realloc return: beyond end of memory"}
    ),
    "parameters pointer misaligned": frozenset({UNALIGNED, "pointer not aligned"}),
    "parameters pointer out of bounds": frozenset({MEMORY_BOUNDS, HOST_POINTER_BOUNDS}),
    "result pointer misaligned": frozenset({UNALIGNED, "return pointer not aligned"}),
    "result pointer out of bounds": frozenset({MEMORY_BOUNDS, "pointer out of bounds of memory"}),
    "cannot leave component instance": frozenset({"cannot leave component instance"}),
    "cannot enter component instance": frozenset({"cannot enter component instance"}),
    "uncaught exception": frozenset({"thrown Wasm exception", "uncaught exception propagated out of component"}),
    "unknown handle index": frozenset({"unknown handle index _"}),
    "handle of the wrong resource type": frozenset(
        {
            "handle index _ used with the wrong type",
            "index _ is not a resource",
            "index is not a resource",
            "handle is not a subtask",
            "handle is not a waitable",
            "handle is not an waitable-set",
            "handle is not a waitable-set",
            "passed read end to `stream.drop-writable`",
            "passed write end to `{stream|future}.cancel-read`",
            "passed read end to `{stream|future}.cancel-write`",
            # a read of a writable end, or a write of a readable one
            CONCURRENT_COPIES,
        }
        | {f"handle is not a {what}" for what in ("stream", "future")}
        | {f"handle is a {what} of a different type" for what in ("stream", "future")}
        | {
            f"handle is not a {end} end of a {what}"
            for end in ("readable", "writable")
            for what in ("stream", "future")
        }
    ),
    "handle is lent": frozenset({"cannot remove owned resource while borrowed"}),
    "handle is not owned": frozenset({"cannot lift own resource from a borrow"}),
    "borrow still held": frozenset({"borrow handles still remain at the end of the call"}),
    "waitable set not empty": frozenset({"cannot drop waitable set with waiters", "resource has children"}),
    "waitable set has waiters": frozenset({"cannot drop waitable set with waiters"}),
    "waitable in synchronous use": frozenset({SYNC_AND_ASYNC}),
    "callback returned an unknown code": frozenset({"unsupported callback code"}),
    "task exited without a result": frozenset({"async-lifted export failed to produce a result"}),
    "task already resolved": frozenset({RETURNED_TWICE}),
    "task was not cancelled": frozenset({"`task.cancel` called by task which has not been cancelled", RETURNED_TWICE}),
    "task.return of another function": frozenset({TASK_RETURN_INVALID}),
    "subtask already resolved": frozenset({"`subtask.cancel` called after terminal status delivered"}),
    "subtask cancelled twice": frozenset({"`subtask.cancel` called after terminal status delivered"}),
    "subtask not resolved": frozenset({"cannot drop a subtask which has not yet resolved"}),
    "end is busy": frozenset(
        {CONCURRENT_COPIES, "cannot lift busy stream"}
        | {f"cannot {verb} busy {what}" for verb in ("remove", "drop") for what in ("stream", "future")}
    ),
    "end is done": frozenset(
        {
            f"cannot {verb} stream after being notified that the {end} end dropped"
            for verb, end in (("read from", "writable"), ("write to", "readable"), ("lift", "writable"))
        }
        | {
            "cannot read from future after previous read succeeded",
            "cannot lift future after previous read succeeded",
            "cannot write to future after previous write succeeded or readable end dropped",
        }
    ),
    "end is not copying": frozenset(
        {f"stream or future {op} cancelled when no {op} is pending" for op in ("read", "write")}
    ),
    "end is in a waitable set": frozenset(
        {f"cannot lift {what} while it's in a waitable set" for what in ("stream", "future")}
    ),
    "future dropped before it was written": frozenset({"cannot drop future write end without first writing a value"}),
    "copy inside one instance": frozenset(
        {"cannot read from and write to intra-component future/stream with non-numeric payload"}
    ),
    "buffer misaligned": frozenset({"read pointer not aligned", "write pointer not aligned", BUFFER_BOUNDS}),
    "buffer out of bounds": frozenset({BUFFER_BOUNDS}),
    "buffer too long": frozenset({"stream read/write count too large"}),
    "backpressure out of range": frozenset({"backpressure counter overflow"}),
    "a synchronous task cannot block": frozenset({"cannot block a synchronous task before returning"}),
}

_TRAP_FUNCTION = re.compile(r"wasm backtrace:\n\s*0:\s+0x[0-9a-f]+ - .*!(?:.*::)?trap: (?P<kind>.*?)\s*$", re.MULTILINE)
"""Only the innermost frame counts: a guest's own `unreachable` may lie beneath one of ours.

In an output that was fused again, the function has the component and module in front that it came from.
"""
_CAUSE = re.compile(r"Caused by:\n(?P<causes>.*)\Z", re.DOTALL)
_ALIGNED_TO = re.compile(r"string pointer not aligned to \d+")
_HANDLE_INDEX = re.compile(
    r"(unknown handle index|handle index|index(?= \d+ is not)) \d+( used with the wrong type| is not a resource)?.*"
)


def trap_kind(message: str) -> str:
    """The kind of the trap that an engine's error message tells of."""
    cause = _cause(message)
    function = _TRAP_FUNCTION.search(message) if cause == UNREACHABLE else None
    return function["kind"] if function else cause


def same_trap(composed: str, fused: str) -> bool:
    """Whether the fused form's kind may stand for the composition's, which the engine named."""
    return composed == fused or composed in ENGINE_TEXTS.get(fused, frozenset())


def _cause(message: str) -> str:
    """The innermost cause, without the engine's prefix and numbering; the whole text if it gives no causes."""
    causes = _CAUSE.search(message)
    text = (causes["causes"] if causes else message).strip().splitlines()[-1]
    text = re.sub(r"^\s*\d+:\s*", "", text).strip().removeprefix("wasm trap: ")
    text = _HANDLE_INDEX.sub(r"\1 _\2", text)
    if text.startswith(f"{DEADLOCK}:"):
        return DEADLOCK
    return UNALIGNED if _ALIGNED_TO.fullmatch(text) else text
