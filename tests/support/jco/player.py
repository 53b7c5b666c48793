"""The node process that plays components, and what its errors mean."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, Final, Self

from tests.differential.trap_kinds import trap_kind
from tests.support.gen.calls import Ready
from tests.support.gen.model import GUEST_TRAP
from tests.support.gen.run import SIDES, Seen
from tests.support.jco.install import installed

MOST_LOADED: Final = 400
"""Generated modules stay in a process for ever; after so many it makes room for a new one."""

PATIENCE: Final = 120.0
"""Seconds for one request."""

UNREACHABLE: Final = "RuntimeError: unreachable"
"""V8's words, where jco does not replace them by the other engine's."""

_TRAP_FUNCTION = re.compile(r"\A.*\n\s+at trap: (?P<kind>.*?) \(wasm://")
"""Only the innermost frame counts, as with the other engine."""


class PlayError(Exception):
    """jco could not transpile or instantiate a component, or its JavaScript failed outside of the call."""


@dataclass(frozen=True, slots=True)
class Part:
    """A component to be instantiated. uses: the part (by position) whose exports are its imports."""

    binary: bytes
    uses: int | None = None


@dataclass(slots=True)
class Player:
    """A node process; what is loaded into a slot can be called until `renew`."""

    process: subprocess.Popen[bytes] | None = None
    loaded: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process, self.loaded = None, 0

    def renew(self) -> None:
        """Forgets every slot, at times with a new process."""
        if self.loaded >= MOST_LOADED:
            self.close()

    def load(self, slot: str, parts: Sequence[Part], *, apart: bool = False) -> None:
        """apart: for flows, each in a new instance. Raises PlayError with jco's words if it cannot."""
        self.loaded += len(parts)
        request = {"op": "load", "slot": slot, "parts": [{"uses": part.uses} for part in parts], "apart": apart}
        reply, _ = self._ask(request, [part.binary for part in parts])
        if "error" in reply:
            raise PlayError(reply["error"])

    def run(self, slot: str, ready: Ready) -> Seen:
        images = dict(zip(SIDES, (ready.caller, ready.callee), strict=True))
        return self.play(slot, f"run{ready.func}", images, any(script.grows_at for script in ready.scripts))

    def play(self, slot: str, run: str, images: Mapping[str, bytes], grows: bool) -> Seen:
        """As the runner of the other engine does. grows: memories may, and they do not shrink."""
        request = {"op": "run", "slot": slot, "run": run, "guests": list(images), "fresh": grows}
        reply, memories = self._ask(request, [image.rstrip(image[:1]) for image in images.values()])
        if reply.get("broken"):
            raise PlayError(reply.get("stack", reply["error"]))
        if "error" in reply:
            return Seen(trap=kind(reply["error"], reply["stack"]), message=reply["stack"])
        return Seen(memories=tuple(memories))

    def flow(self, slot: str, flow: Mapping[str, Any]) -> list[list[Any]]:
        """The events, a trap with its error and its stack. flow: as flow.mjs takes it."""
        reply, _ = self._ask({"op": "flow", "slot": slot, **flow}, [])
        if reply.get("broken"):
            raise PlayError(reply.get("stack", reply["error"]))
        events: list[list[Any]] = reply["events"]
        return events

    def _ask(self, request: dict[str, Any], blobs: Sequence[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        header = json.dumps(request | {"sizes": [len(blob) for blob in blobs]}).encode() + b"\n"
        alarm = Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            process.stdin.write(b"".join((header, *blobs)))
            process.stdin.flush()
            reply = json.loads(process.stdout.readline() or '{"sizes": [], "error": "node ended", "broken": true}')
            return reply, [process.stdout.read(size) for size in reply["sizes"]]
        finally:
            alarm.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        tools = installed()
        command = [tools.node, Path(__file__).with_name("play.mjs"), tools.home]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self.process


def kind(error: str, stack: str) -> str:
    """The kind of a trap: one of ours by the function that it is in, else the engine's words, else the whole error."""
    words = GUEST_TRAP if error == UNREACHABLE else error.removeprefix("RuntimeError: wasm trap: ")
    function = _TRAP_FUNCTION.search(stack) if words == GUEST_TRAP else None
    return function["kind"] if function else trap_kind(words)
