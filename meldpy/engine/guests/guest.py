"""One guest: a store of its own with one instance in it, under limits, that can be interrupted and closed safely.

One call runs at a time, on any thread with a large enough stack; a second one, from elsewhere or from a host function
of the first, is refused. A call ends by itself, by a trap, by its deadline or by `interrupt`. After any but a proper
end the store is dead: the engine would refuse every instance in it. The time spent in host functions does not count
against the deadline: they have time-outs of their own.
"""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Any, final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.engine.guests.artefacts import Artefact
from meldpy.engine.guests.callbacks import HostWorld, attach, chosen, error_address
from meldpy.engine.guests.handles import Handle, arriving
from meldpy.engine.guests.memory import Borrowed
from meldpy.engine.guests.signatures import Signature
from meldpy.engine.guests.threads import TICK, Refused, check_process, check_stack
from meldpy.engine.guests.wasi import Wasi, configure
from meldpy.engine.words import causes_of
from meldpy.errors import EngineError
from meldpy.records import dataclass

_PATIENCE = 5
"""Epochs between two looks at the deadline: each needs the interpreter, which others may hold."""

_running: set[Guest] = set()


@final
@dataclass(frozen=True, slots=True)
class GuestLimits:
    """memory: bytes of each linear memory; fuel: instructions of one call, with an engine that counts them."""

    memory: int
    table_elements: int
    instances: int
    memories: int
    fuel: int | None = None


@final
class End(Enum):
    """How a call ended that did not return."""

    TRAP = "trap"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    HOST = "host function"
    EXIT = "exit"


class Ended(Exception):
    """A call that did not return: the guest is dead. causes: the engine's words; __cause__: what a host function
    raised."""

    def __init__(self, end: End, reason: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.end, self.causes = end, causes


@final
class Guest:
    """See the module. Ended if the instantiation runs code that does not return, EngineError if it is refused."""

    def __init__(
        self, artefact: Artefact, world: HostWorld, wasi: Wasi, limits: GuestLimits, *, deadline: float
    ) -> None:
        check_process()
        self._artefact = artefact
        self._limits = limits
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._deadline = 0.0
        self._stop: str | None = None
        self._raised: BaseException | None = None
        self._overran = False
        self._closing = False
        self._handles: list[Handle] = []
        self._funcs: dict[tuple[str, ...], tuple[wc.Func, Signature]] = {}
        engine = artefact.engine.engine
        self._store: wasmtime.Store | None = wasmtime.Store(engine)
        self._store.set_limits(
            memory_size=limits.memory,
            table_elements=limits.table_elements,
            instances=limits.instances,
            memories=limits.memories,
        )
        configure(self._store, artefact.wasi, wasi)
        self.functions = chosen(world, artefact.imports)
        attach(self._store, self)
        self._on_epoch = _EPOCH(self._at_epoch)
        ffi.wasmtime_store_epoch_deadline_callback(self._store.ptr(), self._on_epoch, None, _NOTHING)
        self.alive = True
        try:
            self._instance = self._run(lambda store: artefact.linker.instantiate(store, artefact.component), deadline)
        except BaseException:
            self.close()
            raise

    # --- calls -------------------------------------------------------------------------------------------------------
    def call(self, path: tuple[str, ...], *arguments: object, deadline: float) -> Any:
        """The result of the exported function at `path`, in the forms of `values`.

        deadline: seconds, time in host functions left out. Raises Ended; Refused if it cannot run here and now;
        KeyError if there is no such export; TypeError or ValueError for arguments that do not fit, before the call.
        """
        func, signature = self._find(path)
        arena = Borrowed()
        given = signature.write(arguments, arena)
        block = (ctypes.c_char).from_buffer(given) if given else None
        result = ffi.wasmtime_component_val_t()

        def run(store: wasmtime.Store) -> Any:
            error = ffi.wasmtime_component_func_call(
                ctypes.byref(func._func),
                store._context(),
                None if block is None else ctypes.cast(ctypes.byref(block), _VALS),
                len(arguments),
                None if signature.result is None else ctypes.byref(result),
                0 if signature.result is None else 1,
            )
            if error:
                raise wasmtime.WasmtimeError._from_ptr(error)
            if signature.result is None:
                return None
            try:
                with arriving(self._handles):
                    return signature.result.read(bytes(result), 0)
            finally:
                ffi.wasmtime_component_val_delete(ctypes.byref(result))

        return self._run(run, deadline)

    def call_with(self, path: tuple[str, ...], run: Callable[[wc.Func, wasmtime.Store], Any], deadline: float) -> Any:
        """Call the function at `path` by a way of `run`'s own, under the same rules."""
        func, _ = self._find(path)
        return self._run(lambda store: run(func, store), deadline)

    def _find(self, path: tuple[str, ...]) -> tuple[wc.Func, Signature]:
        found = self._funcs.get(path)
        if found is None:
            signature = self._artefact.exports[path]
            if signature.unknown is not None:
                raise EngineError(f"{signature.unknown} has values that a host cannot pass")
            store = self._open()
            index: wc.ExportIndex | None = None
            for name in path:
                index = self._instance.get_export_index(store, name, index)
                assert index is not None, "the component's type has it"
            func = self._instance.get_func(store, index) if index is not None else None
            assert func is not None, "the component's type has it"
            found = self._funcs[path] = (func, signature)
        return found

    def _run(self, run: Callable[[wasmtime.Store], Any], deadline: float) -> Any:
        """Run the guest's code, and say how it ended."""
        check_process()
        check_stack()
        if not self._lock.acquire(blocking=False):
            raise Refused("the guest is in a call: it cannot be entered again")
        try:
            store = self._open()
            self._owner = threading.get_ident()
            self._raised, self._overran = None, False
            self._deadline = monotonic() + deadline
            if self._limits.fuel is not None:
                store.set_fuel(self._limits.fuel)
            ffi.wasmtime_context_set_epoch_deadline(store._context(), self._ticks())
            try:
                _running.add(self)
                with self._artefact.engine.clock:
                    return run(store)
            except wasmtime.WasmtimeError as error:
                self.alive = False
                raise self._ended(error) from self._raised
        finally:
            self._owner = None
            _running.discard(self)
            self._lock.release()
            if self._closing:
                self.close()

    def _open(self) -> wasmtime.Store:
        if self._store is None or not self.alive:
            raise Refused("the guest is dead")
        return self._store

    def _ended(self, error: wasmtime.WasmtimeError) -> Exception:
        if self._raised is not None:
            return Ended(End.HOST, f"a host function raised {type(self._raised).__name__}: {self._raised}")
        if self._stop is not None:
            return Ended(End.INTERRUPTED, self._stop)
        if self._overran:
            return Ended(End.DEADLINE, "the call took longer than it may")
        if isinstance(error, wasmtime.ExitTrap):
            return Ended(End.EXIT, f"the guest exited with code {error.code}")
        causes = causes_of(error)
        if not self._funcs and not any("wasm" in cause for cause in causes):
            return EngineError("the component cannot be instantiated", causes=causes)
        return Ended(End.TRAP, "the guest trapped", causes)

    # --- what happens during a call ----------------------------------------------------------------------------------
    def host_call(self, run: Callable[[], None]) -> BaseException | None:
        """See `callbacks.Caller`."""
        start = monotonic()
        try:
            run()
        except BaseException as error:
            self._raised = error
            return error
        finally:
            self._deadline += monotonic() - start
        return None

    def _ticks(self) -> int:
        left = (self._deadline - monotonic()) / TICK
        return max(1, min(_PATIENCE, int(left) + 1))

    def _at_epoch(self, _context: object, _data: object, delta: Any, kind: Any) -> int:
        """The engine asks whether the guest may go on. Nothing may be raised from here."""
        try:
            if self._stop is not None:
                return error_address("interrupted")
            if monotonic() > self._deadline:
                self._overran = True
                return error_address("deadline")
            delta[0], kind[0] = self._ticks(), 0
            return 0
        except BaseException as error:
            self._raised = error
            return error_address("the host failed")

    # --- from any thread ---------------------------------------------------------------------------------------------
    def interrupt(self, reason: str) -> None:
        """The call that runs now, or the next one, ends with Ended(INTERRUPTED) as soon as guest code runs."""
        if self._stop is None:
            self._stop = reason

    def wait(self, seconds: float) -> None:
        """For a call that runs to end."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()

    def close(self) -> None:
        """Free everything. Waits for a call that runs; from inside that call, it happens at the call's end."""
        self._closing = True
        if self._owner == threading.get_ident():
            return
        with self._lock:
            if self._store is not None:
                self._drop_handles(self._store)
                self._store.close()
                self._store = None
            self._funcs.clear()
            self.alive = False

    def _drop_handles(self, store: wasmtime.Store) -> None:
        """The engine does not run destructors of what the host still holds; a guest that is dead cannot."""
        while self._handles:
            handle = self._handles.pop()
            if self.alive and handle.owned:
                self._deadline = monotonic() + 1.0
                ffi.wasmtime_context_set_epoch_deadline(store._context(), self._ticks())
                with self._artefact.engine.clock:
                    self.alive = handle.drop(store)
            handle.free()


@atexit.register
def _end_all() -> None:
    """A thread that still runs a guest when the interpreter goes would take the process down with it."""
    for guest in list(_running):
        guest.interrupt("the process ends")
    for guest in list(_running):
        guest.wait(5.0)


_VALS = ctypes.POINTER(ffi.wasmtime_component_val_t)
_EPOCH = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.POINTER(ffi.wasmtime_context_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ctypes.c_uint8),
)
_NOTHING = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
