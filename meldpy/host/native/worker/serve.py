"""The calls of the host, one by one: each becomes one call of the module's table, and its outcome one packet.

Whatever the module returns is looked at before it is used: a code, owned bytes, a handle. What breaks the contract is
BROKEN, after which the host ends this process. The library is never unloaded and the module's instance never made
twice: a new process is the only fresh start there is.
"""

from __future__ import annotations

import ctypes
import os

from . import abi, wire
from .lent import Lent
from .library import Refused, open_table, texts
from .link import Link, Received, Span

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

_ERROR_TEXT: Final = 4096
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Broken(Exception):
    """The module does not keep the contract."""


class Server:
    """One module in one process."""

    def __init__(self, link: Link, library: str, granted: Sequence[str], payload: int, size: int) -> None:
        """size: a descriptor of /proc/self/statm, opened while that was allowed."""
        self._size = size
        self._link = link
        self._lent = Lent(link, granted)
        self._payload = payload
        self._table = open_table(library)
        self._instance: int | None = None
        self._text = ctypes.create_string_buffer(_ERROR_TEXT)
        self._error = abi.Error(ctypes.sizeof(abi.Error), _ERROR_TEXT, 0, 0, ctypes.addressof(self._text))
        self._result = abi.Owned()
        self._calls: dict[int, Callable[[Received], None]] = {
            wire.CREATE: self._create,
            wire.EXECUTE: self._execute,
            wire.HANDLE: self._handle,
            wire.GET_STATE: self._get_state,
            wire.RESTORE: self._restore,
            wire.DESTROY: self._destroy,
            wire.PING: self._ping,
        }

    def introduce(self) -> None:
        """Say what the module says of itself."""
        table = self._table
        parts = [
            table.name,
            table.version,
            table.built_with or b"",
            wire.pack_texts(texts(table.commands)),
            wire.pack_texts(texts(table.topics)),
        ]
        self._link.send(wire.READY, parts, table.head.minor, table.flags, table.state_schema)

    def serve(self) -> None:
        """Until the host is gone, which ends the process."""
        while True:
            call = self._link.next_call()
            try:
                self._calls[call.kind](call)
            except Broken as broken:
                self._link.send(wire.BROKEN, (str(broken).encode(),))

    # --- calls ---
    def _create(self, call: Received) -> None:
        if self._instance is not None:
            raise Broken("a second instance was asked for")
        handle = ctypes.c_void_p()
        code = self._run(
            self._table.create, ctypes.byref(self._lent.host), _borrow(call.parts[0]), ctypes.byref(handle)
        )
        if code == abi.OK:
            if not handle.value:
                raise Broken("create returned MELD_OK and no instance")
            self._instance = handle.value
        self._answer(code)

    def _execute(self, call: Received) -> None:
        command, payload = call.parts
        result = ctypes.byref(self._result)
        self._answer(
            self._run(self._table.execute, self._instance, _borrow(command), _borrow(payload), result), self._result
        )

    def _handle(self, call: Received) -> None:
        topic, sender, payload = (_borrow(part) for part in call.parts)
        attempt, flags = call.b >> 32, call.b & 0xFFFF_FFFF
        size = ctypes.sizeof(abi.Message)
        message = abi.Message(size, call.code, call.a, topic, sender, payload, attempt, flags)
        result = ctypes.byref(self._result)
        code = self._run(self._table.handle_message, self._instance, ctypes.byref(message), result)
        self._answer(code, self._result)

    def _get_state(self, call: Received) -> None:
        result = ctypes.byref(self._result)
        self._answer(self._run(self._table.get_state, self._instance, result), self._result)

    def _restore(self, call: Received) -> None:
        self._answer(self._run(self._table.restore_state, self._instance, call.a, _borrow(call.parts[0])))

    def _destroy(self, call: Received) -> None:
        self._lent.in_call = True
        self._table.destroy(self._instance)
        self._lent.in_call = False
        self._instance = None
        self._answer(abi.OK)

    def _ping(self, call: Received) -> None:
        resident = int(os.pread(self._size, 200, 0).split()[1]) * _PAGE
        self._link.send(wire.PONG, (), a=resident, b=self._link.lost)

    # --- around every call ---
    def _run(self, function: Any, *given: Any) -> int:
        """One call of the module's code."""
        self._error.length = 0
        self._result.ptr = self._result.len = self._result.ctx = self._result.drop = 0
        self._lent.in_call = True
        code = function(*given, ctypes.byref(self._error))
        self._lent.in_call = False
        return int(code)

    def _answer(self, code: int, result: abi.Owned | None = None) -> None:
        """Send what became of the call. What the module gave is dropped before, so that a bad drop is this call's."""
        if code != abi.OK:
            length = min(self._error.length, _ERROR_TEXT)
            packet = self._link.pack(wire.RESULT, (self._text.raw[:length],), code)
        elif result is None:
            packet = self._link.pack(wire.RESULT, (b"",))
        else:
            packet = self._pack_result(result)
        if result is not None and result.drop:
            ctypes.cast(result.drop, abi.Drop)(result.ctx)
        self._link.post(packet)

    def _pack_result(self, result: abi.Owned) -> bytes:
        length = result.len
        if length and not result.ptr:
            raise Broken(f"a result of {length} bytes at a null pointer")
        if length > self._payload:
            text = f"the result has {length} bytes; the limit of payloads is {self._payload}"
            return self._link.pack(wire.RESULT, (text.encode(),), abi.E_FAILED)
        return self._link.pack(wire.RESULT, (Span(result.ptr or 0, length),))


def _borrow(span: Span) -> abi.Bytes:
    return abi.Bytes(span.address if span.length else None, span.length)


def run(link: Link, library: str, granted: Sequence[str], payload: int, size: int) -> None:
    """Load, introduce, serve; or say why not."""
    try:
        server = Server(link, library, granted, payload, size)
        server.introduce()
    except Refused as refusal:
        link.send(wire.REFUSED, (str(refusal).encode(errors="replace")[: wire.INLINE],))
        return
    server.serve()
