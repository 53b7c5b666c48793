"""Answers what other processes ask of a host. A connection has a thread, and what it asks is done in order."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import msgspec

from meldpy.errors import FileError, InternalError, MeldError
from meldpy.host.control import protocol
from meldpy.host.faults import defect
from meldpy.host.host import Host
from meldpy.host.jobs.store import JobRow
from meldpy.host.module import Envelope
from meldpy.records import fields

SOCKET = "control.sock"


@final
class ControlServer:
    """Listens in `folder` until `close`; `ended` is set when a client asks the host to end.

    The socket has the mode 0600 before anybody can connect: the owner's processes can, and root's. FileError if it
    cannot be made.
    """

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self.ended = threading.Event()
        self._path = folder / SOCKET
        self._path.unlink(missing_ok=True)  # the store's lock says that no other host lives here
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(self._path))
        except OSError as error:
            self._listener.close()
            raise FileError(f"cannot make {self._path}: {error}", remedy="use a folder with a shorter path") from None
        finally:
            os.umask(before)
        self._listener.listen(16)
        threading.Thread(target=self._accept, name="meld-control", daemon=True).start()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in `accept` wakes of it
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(channel,), name="meld-control-client", daemon=True).start()

    def _serve(self, channel: socket.socket) -> None:
        with channel:
            try:
                protocol.send(channel, protocol.Hello(protocol.VERSION, os.getpid()))
                while (frame := protocol.receive(channel)) is not None:
                    channel.sendall(self._answer(frame))
            except OSError:
                return

    def _answer(self, frame: bytes) -> bytes:
        """The frame of the answer. What is no MeldError is a defect of ours: the log has it, and the client is told."""
        try:
            ask = msgspec.msgpack.decode(frame, type=protocol.Ask)
        except msgspec.DecodeError as error:
            return protocol.pack(protocol.Answer(error=f"not understood: {error}", exit_code=2))
        try:
            return protocol.pack(protocol.Answer(self._do(ask)))
        except MeldError as error:
            if isinstance(error, InternalError):
                defect(error)
            return protocol.pack(_failure(error))
        except Exception as error:
            return protocol.pack(_failure(defect(error)))

    def _do(self, ask: protocol.Ask) -> Any:
        host = self._host
        match ask:
            case protocol.Load():
                return host.load(ask.source, ask.version).name
            case protocol.Reload():
                return host.reload(ask.name, ask.version, upgrade=ask.upgrade)
            case protocol.Unload():
                return host.unload(ask.name)
            case protocol.Rollback():
                return host.rollback(ask.name)
            case protocol.Modules():
                return [plain(each) for each in host.modules()]
            case protocol.Inspect():
                return plain(host.inspect(ask.name)) | {"capabilities": plain(host.module(ask.name).capabilities())}
            case protocol.Execute():
                return host.module(ask.name).execute(ask.command, ask.payload)
            case protocol.Call():
                return host.module(ask.name).call_text(ask.call)
            case protocol.Send():
                return self._send(ask)
            case protocol.End():
                return self.ended.set()
            case protocol.Letters():
                return [plain(each) for each in host.dead_letters(ask.name)]
            case _:
                return self._jobs(ask)

    def _send(self, ask: protocol.Send) -> bytes | None:
        bus = self._host.bus
        if ask.to is None:
            bus.publish(ask.topic, ask.payload)
            return None
        if ask.reply is None:
            bus.send(ask.to, ask.topic, ask.payload)
            return None
        return bus.request(ask.to, ask.topic, ask.payload, timeout=ask.reply)

    def _jobs(self, ask: protocol.Begin | protocol.BeginCall | protocol.Jobs | protocol.Show | protocol.Act) -> Any:
        host = self._host
        match ask:
            case protocol.Begin():
                return host.module(ask.name).job(ask.command, ask.payload).id
            case protocol.BeginCall():
                return host.module(ask.name).call_job(ask.call).id
            case protocol.Jobs():
                return [plain(row) for row in host.jobs()]
            case protocol.Show():
                job = host.job(ask.id)
                runs_now = job.runs_now  # asked first: what ends in between has its row by then
                said = {"runs_now": runs_now, "result": job.result, "lines": job.lines, "metrics": job.metrics}
                return plain(job.row()) | said
            case protocol.Act():
                job = host.job(ask.id)
                acts: dict[str, Callable[[], None]] = {"pause": job.pause, "resume": job.resume, "cancel": job.cancel}
                acts[ask.what]()
                return None


def _failure(error: MeldError) -> protocol.Answer:
    return protocol.Answer(None, error.reason, error.location, error.causes, error.advice, error.exit_code)


def plain(record: Any) -> dict[str, Any]:
    """A record as a dictionary of what msgpack has."""
    return {each.name: _plain(getattr(record, each.name)) for each in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Envelope | JobRow):
        return plain(value)
    return getattr(value, "value", value)
