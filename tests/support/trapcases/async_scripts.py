"""Traps of the built-ins of async: what two fused instances must do to meet each, and what comes close.

One composition (`async_guests`) serves all scripts; each is played in a store of its own. Where a script traps in the
provider, the driver only calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tests.support.trapcases.async_guests import (
    ENDS,
    GIVEN,
    GIVEN_FUTURE,
    JOIN,
    LAST_PAGE,
    NEW,
    SET,
    WAITED,
    YIELDED,
    R,
    Script,
    W,
    cancel,
    composition,
    copy,
    drop,
    join,
    poke,
    subtask,
    t,
)
from tests.support.trapcases.async_handles import handles
from tests.support.trapcases.case import Case, Played, Step


def _called(condition: str, position: str, trap: str, bad: str, good: str) -> Script:
    return Script(condition, position, trap, (f"(drop {t(bad)}) {YIELDED}",), (f"(drop {t(good)}) {YIELDED}",))


def _scripts() -> Iterator[Script]:
    yield from _tasks()
    yield from _subtasks()
    yield from _sets()
    yield from _buffers()
    yield from _ends()
    yield from handles()


def _tasks() -> Iterator[Script]:
    code = "callback returned an unknown code"
    yield _called("callback-code", "function", code, "unknown code", "returns, waits")
    yield _called("callback-code", "function, the highest", code, "unknown code, high", "returns")
    yield _called("callback-code", "callback", code, "unknown code later", "yields")
    unknown, kind = "unknown handle index", "handle of the wrong resource type"
    yield _called("callback-set-unknown", "function", unknown, "waits for nothing", "returns, waits")
    yield _called("callback-set-kind", "function", kind, "waits for an end", "returns, waits")
    none = "task exited without a result"
    yield _called("task-without-result", "function", none, "no result", "returns")
    yield _called("task-without-result", "callback", none, "no result later", "yields")
    twice = "task already resolved"
    yield _called("task-returns-twice", "function", twice, "returns twice", "returns")
    yield _called("task-returns-twice", "callback", twice, "returns later again", "yields")
    other = "task.return of another function"
    yield _called("task-return-type", "no result", other, "another result", "returns")
    yield _called("task-return-type", "another type", other, "another result, text", "returns")
    yield Script("task-return-type", "sync lift", other, (poke(7),), (poke(0),), "task-return-in-sync-lift")
    not_ = "task was not cancelled"
    yield _called("task-not-cancelled", "function", not_, "cancels", "returns")
    yield _called("task-not-cancelled", "callback", not_, "cancels later", "yields")
    yield Script("task-not-cancelled", "sync lift", not_, (poke(8),), (poke(0),))

    def cancelled(task: str) -> str:
        return f"{subtask(task)} (drop (call $subtask-cancel (local.get $h)))"

    good = (cancelled("waits"), cancelled("cancelled, returns"))
    yield Script("task-not-cancelled", "cancelled, twice", not_, (cancelled("cancelled, cancels twice"),), good)
    yield Script("task-not-cancelled", "after it returned", not_, (cancelled("cancelled, returns, cancels"),), good)


def _subtasks() -> Iterator[Script]:
    begun = f"{SET} {subtask('yields')} {JOIN}"
    over = f"{begun} {WAITED}"
    yield Script(
        "subtask-not-resolved", "subtask.drop", "subtask not resolved",
        (f"{subtask('waits')} (call $subtask-drop (local.get $h))", f"{begun} (call $subtask-drop (local.get $h))"),
        (f"{over} (call $subtask-drop (local.get $h))",),
    )  # fmt: skip
    cancel = "(drop (call $subtask-cancel (local.get $h)))"
    later = "(drop (call $subtask-cancel-async (local.get $h)))"
    yield Script(
        "subtask-resolved", "subtask.cancel", "subtask already resolved",
        (f"{over} (call $join (local.get $h) (i32.const 0)) {cancel}", f"{subtask('waits')} {cancel} {cancel}"),
        (f"{subtask('waits')} {cancel} (call $subtask-drop (local.get $h))",),
    )  # fmt: skip
    yield Script(
        "subtask-cancelled-twice", "subtask.cancel", "subtask cancelled twice",
        (f"{subtask('cancelled, waits')} {later} {later}",), (f"{subtask('cancelled, waits')} {later}",),
        "subtask-cancelled-twice",
    )  # fmt: skip
    yield Script(
        "sync-use", "subtask.cancel", "waitable in synchronous use",
        (f"{SET} {subtask('waits')} {JOIN} {cancel}",),
        (f"{SET} {subtask('waits')} {JOIN} (call $join (local.get $h) (i32.const 0)) {cancel}",),
    )  # fmt: skip


def _sets() -> Iterator[Script]:
    full = f"{SET} {subtask('waits')} {JOIN}"
    emptied = f"{full} (call $join (local.get $h) (i32.const 0)) (call $set-drop (local.get $s))"
    yield Script(
        "set-not-empty", "waitable-set.drop", "waitable set not empty",
        (f"{full} (call $set-drop (local.get $s))", f"{NEW['s']} {join(R)} (call $set-drop (local.get $s))"),
        (emptied, f"{SET} (call $set-drop (local.get $s))"),
    )  # fmt: skip
    yield Script(
        "set-has-waiters", "waitable-set.drop", "waitable set has waiters",
        (f"{subtask('waits')} {poke(1)}",),
        (f"{subtask('waits')} (drop (call $subtask-cancel (local.get $h))) {poke(1)}",),
    )  # fmt: skip


def _buffers() -> Iterator[Script]:
    for letter, what in (("s", "stream"), ("f", "future")):
        for op in ("read", "write"):
            position = f"{what}.{op}"
            yield Script(
                "buffer-misaligned", position, "buffer misaligned",
                tuple(f"{NEW[letter]} {copy(letter, op, at)}" for at in (1, 2)),
                (f"{NEW[letter]} {copy(letter, op, 4)}", *([f"{NEW['s']} {copy('s', op, 2, 0)}"] * (letter == "s"))),
                "buffer-misaligned",
            )  # fmt: skip
            yield Script(
                "buffer-outside", position, "buffer out of bounds",
                tuple(f"{NEW[letter]} {copy(letter, op, at)}" for at in (LAST_PAGE, -4)),
                (
                    f"{NEW[letter]} {copy(letter, op, LAST_PAGE - 4)}",
                    *([f"{NEW['s']} {copy('s', op, -4, 0)}"] * (letter == "s")),
                ),
            )  # fmt: skip
    for op in ("read", "write"):
        yield Script(
            "buffer-too-long", f"stream.{op}", "buffer too long",
            (f"{NEW['s']} {copy('s', op, 0, 1 << 28)}", f"{NEW['s']} {copy('s', op, 0, -1)}"),
            (f"{NEW['s']} {copy('s', op, 0, LAST_PAGE // 4)}",),
        )  # fmt: skip
        yield Script(
            "buffer-outside", f"stream.{op}, by its length", "buffer out of bounds",
            (f"{NEW['s']} {copy('s', op, 0, LAST_PAGE // 4 + 1)}", f"{NEW['s']} {copy('s', op, 0, (1 << 28) - 1)}"),
            (f"{NEW['s']} {copy('s', op, 0, LAST_PAGE // 4)}",),
        )  # fmt: skip


def _ends() -> Iterator[Script]:
    for first, second in (("read", "write"), ("write", "read")):
        for plain, other in (("s", "c"), ("f", "b")):
            yield Script(
                "same-instance",
                f"{ENDS[plain]}.{second}",
                "copy inside one instance",
                (f"{NEW[other]} {copy(other, first)} {copy(other, second)}",),
                (
                    f"{NEW[plain]} {copy(plain, first)} {copy(plain, second)}",
                    f"{NEW[other]} {copy(other, first)}",
                ),
            )
    for letter, what in (("s", "stream"), ("f", "future")):
        for op, end in (("read", "readable"), ("write", "writable")):
            new, busy = NEW[letter], f"{NEW[letter]} {copy(letter, op)}"
            yield Script(
                "end-busy", f"{what}.{op}", "end is busy",
                (f"{busy} {copy(letter, op)}",), (f"{busy} {cancel(letter, op)} {copy(letter, op)}",),
            )  # fmt: skip
            after = (
                f"{cancel(letter, op)} {drop(letter, end)}" if (letter, op) != ("f", "write") else cancel(letter, op)
            )
            yield Script(
                "end-busy", f"{what}.drop-{end}", "end is busy", (f"{busy} {drop(letter, end)}",), (f"{busy} {after}",)
            )
            yield Script(
                "end-not-copying", f"{what}.cancel-{op}", "end is not copying",
                (f"{new} {cancel(letter, op)}", f"{busy} {cancel(letter, op)} {cancel(letter, op)}"),
                (f"{busy} {cancel(letter, op)}",),
            )  # fmt: skip
            yield Script(
                "sync-use", f"{what}.cancel-{op}", "waitable in synchronous use",
                (f"{busy} {join(R if op == 'read' else W)} {cancel(letter, op)}",),
                (f"{busy} {join(R if op == 'read' else W)} (call $join {R if op == 'read' else W} (i32.const 0))"
                 f" {cancel(letter, op)}",),
            )  # fmt: skip
    for letter, take in (("s", "take"), ("f", "take-future")):
        new, what = NEW[letter], ENDS[letter]
        lift = f"(call ${take} {R})"
        yield Script(
            "end-busy", f"{what} lifted", "end is busy",
            (f"{new} {copy(letter, 'read')} {lift}",),
            (f"{new} {copy(letter, 'read')} {cancel(letter, 'read')} {lift}",),
        )  # fmt: skip
        yield Script(
            "end-in-set", f"{what} lifted", "end is in a waitable set",
            (f"{new} {join(R)} {lift}",), (f"{new} {join(R)} (call $join {R} (i32.const 0)) {lift}",),
        )  # fmt: skip
    read, dropped = copy("s", "read"), "(call $s-drop-readable (i32.wrap_i64 (local.get $e)))"
    yield Script(
        "end-done", "stream.read", "end is done",
        (f"{GIVEN} {poke(3)} {read} {read}",), (f"{GIVEN} {poke(3)} {read} {dropped}",),
    )  # fmt: skip
    yield Script(
        "end-done", "stream lifted", "end is done",
        (f"{GIVEN} {poke(3)} {read} (call $take {R})",), (f"{GIVEN} {poke(3)} (call $take {R})",),
    )  # fmt: skip
    write = copy("s", "write")
    yield Script(
        "end-done", "stream.write", "end is done",
        (f"{NEW['s']} (call $take {R}) {poke(6)} {write} {write}",),
        (f"{NEW['s']} (call $take {R}) {poke(6)} {write} {drop('s', 'writable')}",),
    )  # fmt: skip
    got = f"{GIVEN_FUTURE} {poke(5)} {copy('f', 'read')}"
    yield Script(
        "end-done", "future.read", "end is done",
        (f"{got} {copy('f', 'read')}",), (f"{got} {drop('f', 'readable')}",),
    )  # fmt: skip
    yield Script(
        "end-done", "future lifted", "end is done",
        (f"{got} (call $take-future {R})",), (f"{GIVEN_FUTURE} (call $take-future {R})",),
    )  # fmt: skip
    sent = f"{NEW['f']} (call $take-future {R})"
    yield Script(
        "end-done", "future.write", "end is done",
        (f"{sent} {poke(9)} {copy('f', 'write')} {copy('f', 'write')}",),
        (f"{sent} {poke(9)} {copy('f', 'write')} {drop('f', 'writable')}",),
    )  # fmt: skip
    yield Script(
        "future-unwritten", "future.drop-writable", "future dropped before it was written",
        (f"{GIVEN_FUTURE} {poke(4)}", f"{NEW['f']} {drop('f', 'writable')}",
         f"{NEW['f']} {copy('f', 'write')} {cancel('f', 'write')} {drop('f', 'writable')}"),
        (f"{GIVEN_FUTURE} {copy('f', 'read')} {poke(5)} {poke(4)}",),
    )  # fmt: skip


@cache
def scripts() -> tuple[Script, ...]:
    return tuple(_scripts())


@cache
def _text() -> str:
    """All scripts, in the order of their numbers."""
    return composition([text for script in scripts() for text in (*script.bad, *script.good)])


def cases() -> Iterator[Case]:
    number = 0
    for script in scripts():
        runs = []
        for _ in script.bad:
            runs.append((Step("run", (number,), trap=script.trap, divergence=script.divergence),))
            number += 1
        for _ in script.good:
            runs.append((Step("run", (number,), returns=1),))
            number += 1
        yield Played(_text(), tuple(runs)).case(script.condition, script.position, script.position)
