"""Handles in the built-ins of async: none, one of another kind, the other end, an end of another type."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.trapcases.async_guests import JOIN, NEW, SET, R, Script, W, copy, subtask


def handles() -> Iterator[Script]:
    """Each built-in with a handle that is none, and with one of another kind."""
    set_ = "(local.get $s)"
    uses = {
        "waitable-set.wait": (f"{SET} {subtask('yields')} {JOIN}", "(drop (call $set-wait @ (i32.const 64)))", set_),
        "waitable-set.poll": (SET, "(drop (call $set-poll @ (i32.const 64)))", set_),
        "waitable-set.drop": (SET, "(call $set-drop @)", set_),
        "waitable.join": (f"{SET} {subtask('yields')}", f"(call $join @ {set_})", "(local.get $h)"),
        "waitable.join, the set": (f"{SET} {subtask('yields')}", "(call $join (local.get $h) @)", set_),
        "subtask.cancel": (subtask("waits"), "(drop (call $subtask-cancel @))", "(local.get $h)"),
        "subtask.drop": (
            f"{subtask('waits')} (drop (call $subtask-cancel (local.get $h)))",
            "(call $subtask-drop @)",
            "(local.get $h)",
        ),
    }
    for letter, what in (("s", "stream"), ("f", "future")):
        new, length = NEW[letter], "(i32.const 1)" if letter == "s" else ""
        for op, end, other in (("read", "readable", R), ("write", "writable", W)):
            uses[f"{what}.{op}"] = (new, f"(drop (call ${letter}-{op} @ (i32.const 64) {length}))", other)
            uses[f"{what}.cancel-{op}"] = (
                f"{new} {copy(letter, op)}",
                f"(drop (call ${letter}-cancel-{op} @))",
                other,
            )
            if (letter, end) != ("f", "writable"):
                uses[f"{what}.drop-{end}"] = (new, f"(call ${letter}-drop-{end} @)", other)
    uses["stream lifted"] = (NEW["s"], "(call $take @)", R)
    uses["future lifted"] = (NEW["f"], "(call $take-future @)", R)
    for position, (before, use, right) in uses.items():
        good = (f"{before} {use.replace('@', right)}",)
        bad = tuple(f"{before} {use.replace('@', f'(i32.const {index})')}" for index in (0, 77, -1))
        # joining no set is leaving the one that it is in
        bad = bad[1:] if position == "waitable.join, the set" else bad
        yield Script("async-handle-unknown", position, "unknown handle index", bad, good)
        wrong = f"(local.set $other (call $c-new)) {before}"
        kind = "(i32.wrap_i64 (local.get $other))"
        if position == "waitable.join":
            wrong, kind = f"(local.set $other (i64.extend_i32_u (call $set-new))) {before}", kind
        ends = [f"{wrong} {use.replace('@', kind)}"]
        if "read" in position or "lifted" in position:
            ends.append(f"{before} {use.replace('@', W)}")
        if "writ" in position:
            ends.append(f"{before} {use.replace('@', R)}")
        yield Script("async-handle-kind", position, "handle of the wrong resource type", tuple(ends), good)
