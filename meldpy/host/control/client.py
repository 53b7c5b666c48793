"""Asks a running host."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Any, final

import msgspec

from meldpy.errors import EngineError
from meldpy.host.control import protocol
from meldpy.host.control.server import SOCKET
from meldpy.host.faults import HostError

_ENDED = "what it said last is where `meld host run` was started; start it again there"


class HostSaid(HostError):
    """An error of the host's, as it said it; `exit_code` is the one that it has there."""

    def __init__(self, answer: protocol.Answer) -> None:
        super().__init__(answer.error or "", answer.location, causes=answer.causes, remedy=answer.remedy)
        self.exit_code = answer.exit_code


@final
class Client:
    """A connection to the host in `folder`. EngineError if none runs there, or it speaks another version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._channel.connect(str(folder / SOCKET))
            frame = protocol.receive(self._channel)
        except OSError as error:
            self._channel.close()
            raise EngineError(f"no host runs in {folder}: {error}", remedy="start one with `meld host run`") from None
        hello = msgspec.msgpack.decode(frame or b"", type=protocol.Hello) if frame else None
        if hello is None or hello.version != protocol.VERSION:
            self._channel.close()
            raise EngineError(
                f"the host in {folder} speaks another version of the protocol", remedy="use the meld that runs it"
            )

    def ask(self, ask: protocol.Ask) -> Any:
        """The answer. Raises HostSaid."""
        try:
            protocol.send(self._channel, ask)
            frame = protocol.receive(self._channel)
        except OSError as error:
            raise EngineError(f"the host in {self._folder} ended: {error}", remedy=_ENDED) from None
        if frame is None:
            raise EngineError(f"the host in {self._folder} ended before it answered", remedy=_ENDED)
        answer = msgspec.msgpack.decode(frame, type=protocol.Answer)
        if answer.error is not None:
            raise HostSaid(answer)
        return answer.value

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
