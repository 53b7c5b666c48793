"""Small webs with a point each, for those who want to know what is seen where (`support/broken`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.support.asyncwebs.elements import ELEMENTS
from tests.support.asyncwebs.program import Instance, Step, Task, Web

_ELEMENTS: Final = {element.name: element for element in ELEMENTS}


def pair(element: str, main: str, *tasks: Task, poke: str = "", callback: bool = False) -> Web:
    """Two instances: the first does `main` in a task of one kind or the other, the second has the tasks."""
    first = Instance(0, (1,), (Task("number", callback, steps(main)),), (), plain=False)
    return Web(_ELEMENTS[element], (first, Instance(1, (), tasks, steps(poke), plain=False)))


def three(main: str, tasks: Sequence[Task], poke: str, last: Task, *, plain: bool = True) -> Web:
    """Three in a row, of which the one in the middle has `tasks` and `poke`, which is synchronous if `plain`."""
    first = Instance(0, (1,), (Task("number", False, steps(main)),), (), plain=False)
    middle = Instance(1, (2,), tuple(tasks), steps(poke), plain=plain)
    return Web(_ELEMENTS["u8"], (first, middle, Instance(2, (), (last,), (), plain=False)))


def task(kind: str, script: str) -> Task:
    return Task(kind, True, (*steps(script), ("exit",)))


def steps(script: str) -> tuple[Step, ...]:
    """As "word operand…, word…"."""
    found = [part.replace("!", "! ").split() for part in script.split(",") if part.strip()]
    return tuple(tuple(int(word) if word.isdecimal() else word for word in each) for each in found)


NOW: Final = task("number", "return")
LATER: Final = task("number", "yield, return")
LATER_STILL: Final = task("number", "yield, yield, return")
NEVER: Final = task("number", "loop 11, return")
DEAF: Final = task("number", "new 0, yield, yield, yield, return")
"""Is cancelled, and returns nevertheless."""

SCENES: Final = {
    "calls": pair(
        "u8",
        "call 6 1 0 1, call 7 1 1 2, call 8 1 2 3, await 8, call-drop 8, call 6 1 1 4, join 7 10, "
        "await 6, poll 10, sync-call 12 1 1 5, sync-call 12 1 4 6, call 9 1 4 5, await 9, call-drop "
        "9, call-drop 6",
        NOW,
        LATER,
        task("number", "return, yield"),
        NEVER,
        task("text", "yield, return"),
    ),
    "order": pair(
        "u8",
        "call 6 1 0 1, call 7 1 1 2, call 8 1 0 3, join 8 10, join 7 10, join 6 10, sync-call 12 1 1 5, "
        "poll 10, poll 10, poll 10, poll 10",
        LATER,
        LATER_STILL,
    ),
    "yields": pair(
        "u8",
        "new 0, take 0 1, call 7 1 1 2, call 6 1 0 1, write 2 1, await 6, await 7",
        task("number", "read 0 1, join 0 10, loop 10, return"),
        LATER_STILL,
    ),
    "yields below a callback": pair(
        "u8",
        "new 0, take 0 1, call 7 1 1 2, call 6 1 0 1, write 2 1, settle 6, settle 7, return, exit",
        task("number", "read 0 1, join 0 10, loop 10, return"),
        LATER_STILL,
        callback=True,
    ),
    "pauses": pair(
        "u8",
        "pause, call 6 1 0 1, join 6 10, call 7 1 1 2, join 7 10, pause, poll 10, pause, poll 10, pause, "
        "pause, poll 10, call 8 1 2 3, pause, await 8, pause",
        LATER,
        LATER_STILL,
        NOW,
    ),
    "pauses of a callback": pair(
        "u8",
        "call 6 1 0 1, pause, settle 6, pause, call 7 1 1 2, yield, pause, settle 7, pause, return, pause, exit",
        LATER,
        LATER_STILL,
        callback=True,
    ),
    "cancels": pair(
        "u8",
        "call 6 1 0 1, cancel 6, call-drop 6, call 7 1 1 2, cancel 7, call-drop 7, call 8 1 2 3, "
        "cancel 8, call 9 1 3 2, cancel 9, call-drop 9",
        NEVER,
        LATER_STILL,
        task("number", "new 0, loop 10, return"),
        task("number", "return, loop 10"),
    ),
    "cancel above a wait": three(
        "call 6 1 0 1, await 6, call 7 1 1 3, call 8 1 1 3, await 7",
        [task("number", "yield, call 6 2 0 0, cancel 6, call-drop 6, return"), NEVER],
        "",
        DEAF,
    ),
    "lends": pair(
        "u8",
        "thing 12, call 6 1 0 2, call 7 1 0 4, await 6, await 7, thing-drop 12, thing 13, call 8 1 1 "
        "1, await 8, call-drop 8, sync-call 12 1 2 3",
        task("lend", "yield, return"),
        task("own", "yield, return"),
        LATER,
    ),
    "lent": pair(
        "u8",
        "thing 12, call 6 1 0 2, !thing-drop 12",
        task("lend", "yield, return"),
    ),
    "gates": pair(
        "u8",
        "call 6 1 0 1, poke 1, call 7 1 1 2, call 8 1 1 3, cancel 8, call-drop 8, await 6, await 7",
        task("number", "yield, yield, let-in, yield, return"),
        LATER,
        poke="hold",
    ),
    "gate and event": pair(
        "u8",
        "call 6 1 0 1, poke 1, call 7 1 1 2, await 6, await 7",
        task("number", "yield, let-in, return"),
        LATER,
        poke="hold",
    ),
    "copies": pair(
        "u16",
        "new 0, take 0 1, write 2 5, call 6 1 0 1, poll 10, join 2 10, call 7 1 0 1, poll 10, write 2 "
        "0, call 7 1 1 1, join 2 10, poll 10, write 2 4, call 7 1 0 1, cancel-write 2, write 2 1, "
        "call 7 1 2 1, join 2 10, poll 10, drop-writable 2",
        task("number", "read 0 3, return"),
        task("number", "read 0 0, return"),
        task("number", "cancel-read 0, drop-readable 0, return"),
    ),
    "empty": pair(
        "none",
        "new 0, take 0 1, call 6 1 0 1, write 2 0, write 2 0, cancel-write 2, poll 10",
        task("number", "read 0 0, return"),
    ),
    "reads": pair(
        "string",
        "give 0 1, read 0 2, join 0 10, call 6 1 0 1, poll 10, read 0 0, poll 10, call 6 1 0 1, poll "
        "10, read 0 4, cancel-read 0, read 0 1, call 6 1 1 1, cancel-read 0, join 0 10, poll 10, "
        "drop-readable 0",
        task("number", "write 2 1, write 2 1, return"),
        task("number", "cancel-write 2, drop-writable 2, return"),
    ),
    "futures": pair(
        "own",
        "fgive 4 1, fread 4, join 4 10, call 6 1 0 1, poll 10, fdrop-readable 4, fnew 5, ftake 4 1, "
        "fwrite 5, fcancel-write 5, fwrite 5, call 6 1 1 1, join 5 10, poll 10, fdrop-writable 5",
        task("number", "fwrite 5, fdrop-writable 5, return"),
        task("number", "fread 4, fdrop-readable 4, return"),
    ),
    "early drop": pair(
        "u8",
        "call 6 1 0 1, !call-drop 6",
        LATER,
    ),
    "drop in a set": pair(
        "u8",
        "call 6 1 0 1, await 6, call-drop 6, !forged 3 1",
        LATER,
    ),
    "twice": pair(
        "u8",
        "call 6 1 0 1",
        task("number", "return, return"),
    ),
    "no result": pair(
        "u8",
        "call 6 1 0 1, await 6",
        task("number", "yield"),
    ),
    "deadlock": pair(
        "u8",
        "call 6 1 0 1, await 6",
        NEVER,
    ),
    "busy": pair(
        "u8",
        "new 0, read 0 1, !drop-readable 0",
        NOW,
    ),
    "unwritten": pair(
        "u8",
        "fnew 5, !fdrop-writable 5",
        NOW,
    ),
    "full set": pair(
        "u8",
        "call 6 1 0 1, join 6 10, forged 3 1",
        LATER,
    ),
    "callback": pair(
        "u8",
        "call 6 1 0 1, settle 6, call 7 1 0 2, yield, call 8 1 1 3, settle 8, return, exit",
        LATER,
        LATER_STILL,
        callback=True,
    ),
}
