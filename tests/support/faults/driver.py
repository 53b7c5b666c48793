"""Children that are killed, or that all write to one file: what they leave behind, as JSON on stdout.

    python -m tests.support.faults.driver lines DIRECTORY BEFORE SIGNAL STEP    ended at each STEP-th line written
    python -m tests.support.faults.driver times DIRECTORY COUNT SEED A.wasm B.wasm    killed at random times, fusing
    python -m tests.support.faults.driver large DIRECTORY COUNT SEED killed at random times, writing a large file
    python -m tests.support.faults.driver together DIRECTORY COUNT A.wasm B.wasm      all fuse into one file
    python -m tests.support.faults.driver mixed DIRECTORY COUNT      all write, each its own bytes, while we read

A process of its own, which forks before anything starts a thread: children share the imports and nothing else.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from meldpy.cli import io
from meldpy.cli.main import run

OLD, NEW = b"old " * 1000, b"new, and longer " * 1000
LARGE = 24 << 20
ROUNDS = 40


def spawn(action: Callable[[], object]) -> int:
    """A child that does `action` and exits with its result, or 99 if it raises."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        result = action()
        code = result if isinstance(result, int) else 0
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """The child's exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def content(path: Path, names: dict[bytes, str]) -> str:
    """What the file holds: "absent", one of `names`, or "torn"."""
    try:
        return names.get(path.read_bytes(), "torn")
    except FileNotFoundError:
        return "absent"


def die_at(line: int, target: Path, number: int) -> None:
    """Writes, and ends itself by signal `number` on the `line`-th line or return that Python executes for it."""
    left = line

    def trace(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal left
        if event in ("line", "return"):
            left -= 1
            if not left:
                os.kill(os.getpid(), number)
        return trace

    sys.settrace(trace)
    try:
        io.write_output(str(target), NEW)
    finally:
        sys.settrace(None)


def lines(directory: Path, existing: bool, number: int, step: int) -> list[dict[str, object]]:
    """One entry per line of the write path: what a child left that was killed there, and then what a whole run did."""
    target, found = directory / "out.wasm", []
    for line in range(1, 10_000, step):
        target.unlink(missing_ok=True)
        if existing:
            target.write_bytes(OLD)
            target.chmod(0o640)
        code = ended(spawn(lambda line=line: die_at(line, target, number)))  # type: ignore[misc]
        left = content(target, {OLD: "old", NEW: "new"})
        mode = target.stat().st_mode & 0o7777 if left != "absent" else None
        litter = len(list(directory.iterdir())) - target.exists()
        if code == 0:
            return found
        io.write_output(str(target), NEW)
        later = content(target, {NEW: "new"})
        found.append({"line": line, "code": code, "left": left, "mode": mode, "litter": litter, "later": later})
    raise AssertionError("the write path does not end")


def at_times(directory: Path, count: int, seed: int, action: Callable[[Path], object], whole: bytes) -> Any:
    """Kills children that do `action` at random times up to what one needs in peace."""
    target, rng = directory / "out.wasm", random.Random(seed)
    began = time.perf_counter()
    assert ended(spawn(lambda: action(target))) == 0
    needed = time.perf_counter() - began
    found = []
    for _ in range(count):
        target.write_bytes(OLD)
        pid = spawn(lambda: action(target))
        time.sleep(rng.uniform(0, needed * 1.1))
        os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        found.append({"code": code, "left": content(target, {OLD: "old", whole: "new"})})
    return found


def fusing(inputs: list[str]) -> Callable[[Path], object]:
    return lambda target: run(["-q", "fuse", *inputs, "-o", str(target)])


def fused(directory: Path, inputs: list[str]) -> bytes:
    """What `meld fuse` gives, made by a child so that this process stays without threads."""
    target = directory / "expected.wasm"
    assert ended(spawn(lambda: fusing(inputs)(target))) == 0
    data = target.read_bytes()
    target.unlink()
    return data


def together(directory: Path, count: int, inputs: list[str]) -> Any:
    whole, target = fused(directory, inputs), directory / "out.wasm"
    target.write_bytes(OLD)
    children = [spawn(lambda: fusing(inputs)(target)) for _ in range(count)]
    codes = [ended(pid) for pid in children]
    return {"codes": codes, "left": content(target, {whole: "new"})}


def mixed(directory: Path, count: int) -> Any:
    """Children that write over and over, each bytes of its own; every read in between must see one of them whole."""
    target = directory / "out.wasm"
    contents = [bytes([i + 1]) * (1000 * (i + 1)) for i in range(count)]
    names = {data: str(i) for i, data in enumerate(contents)}
    target.write_bytes(contents[0])

    def write(data: bytes) -> None:
        for _ in range(ROUNDS):
            io.write_output(str(target), data)

    children = [spawn(lambda data=data: write(data)) for data in contents]  # type: ignore[misc]
    seen, codes = [], []
    while len(codes) < count:
        seen.append(content(target, names))
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            children.remove(pid)
            codes.append(os.waitstatus_to_exitcode(status))
    return {"codes": codes, "seen": sorted(set(seen)), "reads": len(seen), "left": content(target, names)}


def main(what: str, directory: Path, *rest: str) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    match what:
        case "lines":
            return lines(directory, rest[0] == "existing", signal.Signals[rest[1]], int(rest[2]))
        case "times":
            inputs = list(rest[2:])
            return at_times(directory, int(rest[0]), int(rest[1]), fusing(inputs), fused(directory, inputs))
        case "large":
            data = random.Random(0).randbytes(1 << 20) * (LARGE >> 20)
            return at_times(
                directory, int(rest[0]), int(rest[1]), lambda target: io.write_output(str(target), data), data
            )
        case "together":
            return together(directory, int(rest[0]), list(rest[1:]))
        case "mixed":
            return mixed(directory, int(rest[0]))
    raise AssertionError(what)


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]), sys.stdout)
