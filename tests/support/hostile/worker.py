"""A process that runs cases one after the other: `python -m tests.support.hostile.worker DIRECTORY FINDINGS`.

It reads orders from stdin, one JSON line each ({"seed", "generated", "numbers"}), and answers each case with two
lines: that it begins, when its files are written, and what came of it. Its corpus is that of the order's seed.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import IO, Any

from tests.support.hostile.cases import Case, draw
from tests.support.hostile.corpus import Corpus, load
from tests.support.hostile.judge import Run, violations
from tests.support.hostile.known import known
from tests.support.hostile.stages import Recorder

SAMPLE = 40
"""One in so many accepted inputs gets a second opinion on its output, one in so many refused ones on itself."""
_MUCH = 300 << 20


class Worker:
    def __init__(self, directory: Path, findings: Path, answers: IO[str]) -> None:
        self.directory = directory
        self.findings = findings
        self.answers = answers
        self.recorder = Recorder()
        self.recorder.install()
        self.native = open(directory.with_suffix(".native"), "w+b", buffering=0)  # noqa: SIM115 - as long as the process
        os.dup2(self.native.fileno(), 2)

    def serve(self, orders: IO[str]) -> None:
        corpora: dict[tuple[str, int], Corpus] = {}
        for line in orders:
            order = json.loads(line)
            key = (order["seed"], order["generated"])
            if key not in corpora:
                corpora = {key: load(*key)}
                gc.collect()
                gc.freeze()
                gc.set_threshold(20_000, 20, 20)
            for number in order["numbers"]:
                self._one(order["seed"], number, corpora[key])
            self._say({"done": True})

    def _say(self, answer: dict[str, Any]) -> None:
        self.answers.write(json.dumps(answer) + "\n")
        self.answers.flush()

    def _one(self, seed: str, number: int, corpus: Corpus) -> None:
        case = draw(seed, number, corpus)
        names = [self.directory / f"in{i}.wasm" for i in range(len(case.files))]
        for path, data in zip(names, case.files, strict=True):
            path.write_bytes(data)
        self._say({"begins": number, "mutator": case.mutator, "command": case.command})
        run = self._run(case, names)
        found = list(violations(run, "-q" in case.command))
        if not found:
            found += self._second_opinion(case, run, Random(f"opinion {seed}/{number}"))
        excuse = known(run, case.command, names) if found else None
        if excuse is not None:
            found = []
        for path in self.directory.iterdir():
            path.unlink()
        answer = {
            "seed": seed,
            "number": number,
            "mutator": case.mutator,
            "base": case.base,
            "command": case.command,
            "stage": self.recorder.reached,
            "code": run.code,
            "error": run.stderr.partition("\n")[0][:200] if run.code else "",
            "seconds": round(run.seconds, 4),
            "peak": run.peak,
            "violations": found,
            "known": excuse,
        }
        if found:
            keep(self.findings, answer, case.files)
        self._say(answer)

    def _run(self, case: Case, names: list[Path]) -> Run:
        from meldpy.cli.main import run
        from meldpy.engine import tools

        output = self.directory / "out.wasm"
        arguments = [*case.command, *map(str, names), *(("-o", str(output)) if case.fuses else ())]
        second = Random(str(len(case.files[0]))).randrange(SAMPLE) == 0
        tools.available = lambda: second  # a process per refusal would take most of the time
        self.recorder.reached = "read"
        written = self.native.tell()
        kept = sys.stdout, sys.stderr
        buffers = [io.BytesIO(), io.BytesIO()]
        streams = [io.TextIOWrapper(buffer, "utf-8", "backslashreplace", write_through=True) for buffer in buffers]
        sys.stdout, sys.stderr = streams
        reset_peak()
        began = _cpu()
        try:
            code = run(arguments)
        finally:
            sys.stdout, sys.stderr = kept
        seconds, most = _cpu() - began, peak()
        stdout, stderr = (buffer.getvalue().decode() for buffer in buffers)
        data = output.read_bytes() if output.exists() else None
        if code == 0:
            self.recorder.enter("written")
        if most > _MUCH:
            # What one input leaves in the allocator's hands must not count for the next.
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
        left = tuple(sorted(p.name for p in self.directory.iterdir() if p not in (output, *names)))
        self.native.seek(0, os.SEEK_END)
        native = os.pread(self.native.fileno(), 1000, written).decode(errors="replace")
        return Run(case.fuses, code, stdout, stderr, data, left, seconds, most, native)

    def _second_opinion(self, case: Case, run: Run, rng: Random) -> list[str]:
        """Of wasm-tools on a sample of outputs; of the engine where the tool was told not to ask it."""
        if run.output is None:
            return []
        found = []
        if "--no-validate" in case.command:
            if rng.randrange(8) == 0 and all(_is_valid(data) for data in case.files) and not _is_valid(run.output):
                found.append("an invalid output of valid inputs")
        elif rng.randrange(8) == 0 and any(_is_refused(data) for data in case.files):
            found.append("an input was accepted that the engine and wasm-tools refuse")
        elif rng.randrange(SAMPLE) == 0:
            objection = _objection(run.output)
            if objection is not None:
                found.append(f"wasm-tools refuses the output: {objection}")
        return found


def keep(findings: Path, answer: dict[str, Any], files: Iterable[bytes]) -> None:
    """The inputs of a case and what was found, in a folder of their own."""
    folder = findings / f"{answer['seed'].replace('/', '-')}-{answer['number']}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "found.json").write_text(json.dumps(answer, indent=1) + "\n")
    for i, data in enumerate(files):
        (folder / f"in{i}.wasm").write_bytes(data)


def _is_refused(data: bytes) -> bool:
    """Whether the engine refuses these bytes as they are, and the validator too; the tool shows the engine modules and
    skeletons instead. Of what is valid there is much that the engine cannot do yet; the tool accepts that with a note.
    """
    import wasmtime
    from wasmtime import component

    from meldpy.engine.config import full_engine
    from meldpy.engine.text import assemble, is_text

    if len(data) > 20_000:
        return False
    binary = assemble(data, "x") if is_text(data) else data
    try:
        component.Component(full_engine().engine, binary)
    except wasmtime.WasmtimeError:
        return _objection(binary) is not None
    return False


def _objection(data: bytes) -> str | None:
    """What wasm-tools says against `data`."""
    command = ["wasm-tools", "validate", "--features", "all", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.stderr.decode()[:300] if done.returncode else None


def _is_valid(data: bytes) -> bool:
    from meldpy.engine.validate import validate_module
    from meldpy.errors import MeldError
    from meldpy.pipeline import FuseInput, decode, validate

    try:
        if data[4:8] == b"\1\0\0\0":
            validate_module("x", data)
        else:
            validate("x", data, decode(FuseInput("x", "x", data)))
    except MeldError:
        return False
    return True


def _cpu() -> float:
    """Of all threads, and of processes that were waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return max(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 0.0)


def reset_peak() -> int:
    """From now on the peak is counted anew; returns what it is, the memory that is resident now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return peak()


def peak() -> int:
    """Bytes of the peak resident memory since it was reset."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise OSError("the system does not tell the peak of memory")


def main() -> None:
    directory, findings = map(Path, sys.argv[1:3])
    directory.mkdir(parents=True, exist_ok=True)
    worker = Worker(directory, findings, os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    worker.serve(sys.stdin)


if __name__ == "__main__":
    main()
