"""The kernel as a loaded module: compiled once per user, one memory, the instruction table in place.

The kernel is a few kilobytes of text that wasmtime compiles in some milliseconds, and loads in a fraction of one from
a compiled copy on disk (`kept`). It runs in wasmtime's sandbox, so a defect in it can give a wrong answer or a trap,
but cannot reach outside its memory. A trap is a defect of ours and is reported as one.

Memory is used as one stack of regions that each run lays out anew behind the fixed part (see common.wat), and is
read and written through one `memoryview`, at memcpy speed.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple, final

from wasmtime import Config, Engine, Func, Global, Instance, Memory, Module, Store, Trap, WasmtimeError, wat2wasm
from wasmtime import _ffi as ffi

from meldpy import kept
from meldpy.errors import InternalError, LimitError
from meldpy.kernel.opcodes import ACCESSES, accesses, shapes, type_codes
from meldpy.records import dataclass, field

TYPE_CODES: Final = 0x2400
DESCRIPTORS: Final = 0x2500
STATE: Final = 0x2580
HEAP: Final = 0x2600
"""Start of the memory that each run lays out as it likes."""

SLACK: Final = 64
"""Bytes behind an input or output that the kernel may read or write without looking."""

_PAGE: Final = 0x10000
_SOURCES: Final = ("common.wat", "reindex_immediates.wat", "reindex.wat", "scan_immediates.wat", "scan.wat")
_TRACING_SOURCES: Final = ("common.wat", "reindex_immediates.wat", "reindex.wat", "positions.wat")
_REBASING_SOURCES: Final = ("common.wat", "scan_immediates.wat", "writing.wat", "bounds.wat", "rebase.wat", "scan.wat")
_LOWERING_SOURCES: Final = ("common.wat", "scan_immediates.wat", "writing.wat", "lower.wat", "scan.wat")
_POSITIONS: Final = "positions.wat"
_ZERO_SOURCES: Final = ("common.wat", "scan_immediates.wat", "zero.wat", "scan.wat")
_TRACING_MARK: Final = ";;@ "
"""In front of lines that are code in tracing kernels only, so that nobody pays who does not trace."""
_SEEING_MARK: Final = ";;! "
"""The same for lines of scan.wat in the kernels that look at each instruction: one rebases memories, one replaces
what a target lacks, one looks for functions that return 0."""

LOCK: Final = Lock()
"""Held while a run uses the memory, so that threads may fuse side by side."""


@final
@dataclass(slots=True)
class Layout:
    """Hands out addresses behind the fixed part, aligned to 16 bytes."""

    top: int = HEAP

    def take(self, size: int) -> int:
        start = self.top
        self.top = (start + size + SLACK + 15) & ~15
        return start


@final
class State(NamedTuple):
    """What a run leaves behind (addresses are the kernel's)."""

    failure: int
    at: int
    after: int
    detail: int
    consumed: int
    bodies: int
    output: int
    largest: int
    immediate: int


@final
@dataclass(slots=True)
class Kernel:
    """The instance and its memory. `view` is the whole memory, valid until the next `reserve`."""

    store: Store
    memory: Memory
    functions: dict[str, Func]
    globals: dict[str, Global]
    view: memoryview = field(init=False)
    _types: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._map()

    def _map(self) -> None:
        base = ctypes.addressof(self.memory.data_ptr(self.store).contents)
        size = self.memory.data_len(self.store)
        self.view = memoryview((ctypes.c_ubyte * size).from_address(base)).cast("B")

    def reserve(self, size: int) -> None:
        """Grows the memory to `size` bytes at least. Untouched pages cost nothing."""
        missing = size - len(self.view)
        if missing <= 0:
            return
        try:
            self.memory.grow(self.store, -(-missing // _PAGE))
        except (WasmtimeError, OverflowError) as error:
            raise LimitError(
                f"a function body too large to rewrite: {size} bytes of memory needed", remedy="split the function"
            ) from error
        self._map()

    def call(self, name: str, *args: int) -> int:
        """Call a function of i32 parameters, and of one i32 result or none (then 0).

        The binding's own call asks for the function's type, and converts through it, each time; that took a fifth of a
        small fuse.
        """
        count, answers = self._type(name)
        assert len(args) == count, f"{name} takes {count} arguments"
        raw = (ffi.wasmtime_val_raw_t * max(count, 1))()
        for slot, value in zip(raw, args, strict=False):
            slot.i32 = value
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        func = ctypes.byref(self.functions[name]._func)
        error = ffi.wasmtime_func_call_unchecked(self.store._context(), func, raw, len(raw), ctypes.byref(trap))
        if error or trap:
            failed = WasmtimeError._from_ptr(error) if error else Trap._from_ptr(trap)
            raise InternalError(f"the kernel's `{name}` trapped: {failed}") from failed
        return raw[0].i32 if answers else 0

    def _type(self, name: str) -> tuple[int, bool]:
        """How many parameters a function has, and whether it has a result; asked once."""
        if name not in self._types:
            type = self.functions[name].type(self.store)
            assert {str(each) for each in (*type.params, *type.results)} <= {"i32"}
            assert len(type.results) <= 1
            self._types[name] = len(type.params), bool(type.results)
        return self._types[name]

    def state(self) -> State:
        return State(*self.view[STATE : STATE + 36].cast("I"))

    def describe(self, code: int, address: int, count: int) -> None:
        """Says where the table of an index-carrying immediate is, and how many entries it has."""
        start = DESCRIPTORS + 8 * code
        self.view[start : start + 8] = array("I", [address, count]).tobytes()


@cache
def kernel() -> Kernel:
    """The kernel, compiled on first use."""
    return _with_tables(load(text_of(_SOURCES), name="kernel"))


@cache
def tracing_kernel() -> Kernel:
    """The kernel that notes where each byte of the bodies goes as it rewrites them; it cannot scan."""
    return _with_tables(load(text_of(_TRACING_SOURCES).replace(_TRACING_MARK, ""), name="tracing-kernel"))


@cache
def rebasing_kernel(tracing: bool = False) -> Kernel:
    """The kernel that moves all memories into one; it cannot reindex. tracing: it notes where each byte goes."""
    loaded = _with_tables(load(_seeing(_REBASING_SOURCES, tracing), name=_name("rebasing", tracing)))
    table = accesses()
    loaded.view[ACCESSES : ACCESSES + len(table)] = table
    return loaded


@cache
def zero_kernel() -> Kernel:
    """The kernel that finds out which functions return nothing but 0; it cannot reindex."""
    return _with_tables(load(text_of(_ZERO_SOURCES).replace(_SEEING_MARK, ""), name="zero-kernel"))


@cache
def lowering_kernel(tracing: bool = False) -> Kernel:
    """The kernel that replaces what a target lacks; it cannot reindex. tracing: it notes where each byte goes."""
    return _with_tables(load(_seeing(_LOWERING_SOURCES, tracing), name=_name("lowering", tracing)))


def _seeing(sources: Sequence[str], tracing: bool) -> str:
    text = text_of((*sources, _POSITIONS) if tracing else sources).replace(_SEEING_MARK, "")
    return text.replace(_TRACING_MARK, "") if tracing else text


def _name(kind: str, tracing: bool) -> str:
    return f"{kind}-tracing-kernel" if tracing else f"{kind}-kernel"


def text_of(sources: Sequence[str]) -> str:
    return "\n".join(Path(__file__).with_name(source).read_text("utf-8") for source in sources)


def load(text: str, optimise: bool = False, *, name: str | None = None) -> Kernel:
    """An instance of the module with these fields, which exports its memory. name: of the compiled copy."""
    config = Config()
    if not optimise:
        config.cranelift_opt_level = "none"
    engine = Engine(config)
    module = _compiled(engine, text) if name is None else _kept(engine, text, name)
    store = Store(engine)
    exports = Instance(store, module, []).exports(store)
    memory = exports["memory"]
    assert isinstance(memory, Memory)
    functions = {name: item for name, item in exports.items() if isinstance(item, Func)}
    globals_ = {name: item for name, item in exports.items() if isinstance(item, Global)}
    return Kernel(store, memory, functions, globals_)


def _compiled(engine: Engine, text: str) -> Module:
    return Module(engine, bytes(wat2wasm(f"(module\n{text})")))


def _kept(engine: Engine, text: str, name: str) -> Module:
    """The module from its copy on disk, if there is one and this version of the engine takes it."""
    source = text.encode()
    copy = kept.read(name, source)
    if copy is not None:
        try:
            return Module.deserialize(engine, copy)
        except WasmtimeError:
            pass
    module = _compiled(engine, text)
    kept.write(name, source, bytes(module.serialize()))
    return module


def _with_tables(loaded: Kernel) -> Kernel:
    table = shapes()
    loaded.view[: len(table)] = table
    loaded.view[TYPE_CODES : TYPE_CODES + 256] = type_codes()
    return loaded
