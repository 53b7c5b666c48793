"""What the host lends a module: the tables of `meld_module.h` from the host's side, as callbacks.

A callback copies nothing it need not, asks the host through the link, and turns the answer into a code, a text in the
caller's room and owned bytes. It lets no exception out: ctypes would print it and return 0, which means that all went
well. Bytes that the module will own come from malloc, with free as their drop, so no Python runs when they are dropped.

The worker offers the tables that were granted; whether a single call is allowed is decided by the host, each time.
"""

from __future__ import annotations

import _thread
import ctypes
import struct
import time

from . import abi, wire
from .link import Link, Received, Span, TooLarge, libc

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_FREE = ctypes.cast(libc.free, ctypes.c_void_p).value
_ERROR_SIZE = ctypes.sizeof(abi.Error)


def put_error(error: Any, text: bytes) -> None:
    """Into the caller's room, if it gave any; cut between characters."""
    if not error or error.contents.size < _ERROR_SIZE or not error.contents.text:
        return
    room = min(error.contents.capacity, len(text))
    cut = text[:room].decode(errors="ignore").encode()
    ctypes.memmove(error.contents.text, cut, len(cut))
    error.contents.length = len(cut)


def give(target: Any, span: Span) -> bool:
    """A copy of the bytes, owned by whoever reads `target`. False if there is no memory."""
    owned = target.contents
    if span.length == 0:
        owned.ptr, owned.len, owned.ctx, owned.drop = None, 0, None, None
        return True
    address = libc.malloc(span.length)
    if not address:
        return False
    ctypes.memmove(address, span.address, span.length)
    owned.ptr, owned.len, owned.ctx, owned.drop = address, span.length, address, _FREE
    return True


def _span(text: abi.Bytes) -> Span:
    return Span(text.ptr or 0, text.len if text.ptr else 0)


class Lent:
    """The host's tables; `host` is what `create` gets. They must stay referenced as long as the library may call."""

    def __init__(self, link: Link, granted: Sequence[str]) -> None:
        self._link = link
        self._thread = _thread.get_ident()
        self.in_call = False
        makers = {"bus": self._bus, "jobs": self._jobs, "kv": self._kv, "clock": self._clock}
        self._tables: dict[bytes, ctypes.Structure] = {}
        for name in granted:
            self._tables[f"meld.{name}/1".encode()] = makers[name]()
        self.host = abi.Host(abi.head(abi.Host), None, abi.Log(self._log), abi.Extension(self._extension))

    def _log(self, _ctx: Any, level: int, text: Any) -> None:
        try:
            self._link.log(level, ctypes.string_at(text.ptr, min(text.len, wire.INLINE)) if text.ptr else b"")
        except BaseException:
            self._link.lost += 1

    def _extension(self, _ctx: Any, name: bytes | None) -> int | None:
        try:
            table = self._tables.get(name or b"")
            return None if table is None else ctypes.addressof(table)
        except BaseException:
            return None

    def _ask(
        self,
        error: Any,
        kind: int,
        parts: Sequence[bytes | Span],
        then: Callable[[Received], int | None],
        a: int = 0,
        b: int = 0,
    ) -> int:
        """One call of the host; `then` uses the reply if it is good, and may return a code of its own."""
        try:
            if _thread.get_ident() != self._thread or not self.in_call:
                put_error(error, b"the host can be called from within its own calls only, on their thread")
                return abi.E_STATE
            reply = self._link.ask(kind, parts, a, b)
            if reply.code != abi.OK:
                put_error(error, reply.parts[0].bytes() if reply.parts else b"")
                return reply.code
            return then(reply) or abi.OK
        except TooLarge as large:
            put_error(error, str(large).encode())
            return abi.E_ARGUMENT
        except BaseException as failure:
            put_error(error, repr(failure).encode())
            return abi.E_FAILED

    def _tell(self, kind: int, texts: int) -> Callable[..., int]:
        """A callback of so many byte strings and an error."""

        def callback(_ctx: Any, *given: Any) -> int:
            return self._ask(given[texts], kind, [_span(each) for each in given[:texts]], _nothing)

        return callback

    def _take(self, kind: int, texts: int, *, number: bool = False, found: bool = False) -> Callable[..., int]:
        """A callback of so many byte strings, perhaps a number, an owned result, perhaps *found, and an error."""

        def callback(_ctx: Any, *given: Any) -> int:
            target, error = given[texts + number], given[-1]

            def take(reply: Received) -> int | None:
                if found:
                    given[texts + number + 1][0] = reply.a
                if give(target, reply.parts[0] if reply.parts else Span(0, 0)):
                    return None
                put_error(error, b"no memory for the result")
                return abi.E_FAILED

            parts = [_span(each) for each in given[:texts]]
            return self._ask(error, kind, parts, take, given[texts] if number else 0)

        return callback

    def _bus(self) -> ctypes.Structure:
        return abi.Bus(
            abi.head(abi.Bus),
            abi.TwoTexts(self._tell(wire.PUBLISH, 2)),
            abi.ThreeTexts(self._tell(wire.SEND, 3)),
            abi.Request(self._take(wire.REQUEST, 3, number=True)),
        )

    def _jobs(self) -> ctypes.Structure:
        def is_cancelled(_ctx: Any, cancelled: Any, error: Any) -> int:
            def take(reply: Received) -> None:
                cancelled[0] = reply.a

            return self._ask(error, wire.IS_CANCELLED, (), take)

        def progress(_ctx: Any, done: int, total: int, text: Any, error: Any) -> int:
            return self._ask(error, wire.PROGRESS, (_span(text),), _nothing, done, total)

        def metric(_ctx: Any, name: Any, value: float, error: Any) -> int:
            parts = (_span(name), struct.pack("<d", value))
            return self._ask(error, wire.METRIC, parts, _nothing)

        return abi.Jobs(
            abi.head(abi.Jobs),
            abi.Progress(progress),
            abi.OneText(self._tell(wire.CHECKPOINT, 1)),
            abi.Last(self._take(wire.LAST_CHECKPOINT, 0, found=True)),
            abi.Flag(is_cancelled),
            abi.OneText(self._tell(wire.LOG_LINE, 1)),
            abi.Metric(metric),
        )

    def _kv(self) -> ctypes.Structure:
        def keys(_ctx: Any, prefix: Any, visit: int | None, visitor: int | None, error: Any) -> int:
            def take(reply: Received) -> int | None:
                if not visit:
                    return abi.E_ARGUMENT
                call = ctypes.cast(visit, abi.Visit)
                for key in wire.unpack_texts(reply.parts[0].bytes()):
                    place = ctypes.create_string_buffer(key, len(key) or 1)
                    call(visitor, abi.Bytes(ctypes.addressof(place), len(key)))
                return None

            return self._ask(error, wire.KV_KEYS, (_span(prefix),), take)

        return abi.Kv(
            abi.head(abi.Kv),
            abi.Get(self._take(wire.KV_GET, 1, found=True)),
            abi.TwoTexts(self._tell(wire.KV_SET, 2)),
            abi.OneText(self._tell(wire.KV_DELETE, 1)),
            abi.Keys(keys),
        )

    def _clock(self) -> ctypes.Structure:
        """Answered here: time is the same in every process, and any thread may ask."""
        return abi.Clock(
            abi.head(abi.Clock),
            abi.Time(lambda _ctx: time.time_ns()),
            abi.Time(lambda _ctx: time.monotonic_ns()),
        )


def _nothing(_reply: Received) -> None:
    """The reply says only that it was done."""
