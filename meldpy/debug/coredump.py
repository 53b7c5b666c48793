"""Core dumps: the stacks that an engine wrote down when a guest trapped.

A dump is a core module whose custom sections say which modules and instances there were and where each thread was:
function index and offset in the function's body. Values of locals and memories are not read here.

Spec: WebAssembly's tool conventions, "Coredump".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, final

from meldpy.debug.cursor import Cursor, Malformed
from meldpy.debug.symbols import Frame, Symbolizer
from meldpy.debug.traces import TraceFrame
from meldpy.model.core import Bytes, CoreModule, RawCustom
from meldpy.records import dataclass

_MODULES: Final = "coremodules"
_INSTANCES: Final = "coreinstances"
_STACK: Final = "corestack"
_SIZES: Final = {0x01: 0, 0x7D: 4, 0x7C: 8}
"""Bytes of a value: missing, f32, f64."""
_LEBS: Final = {0x7F: 5, 0x7E: 10}
"""The longest form of an i32 and of an i64."""


@final
@dataclass(frozen=True, slots=True)
class DumpFrame:
    """module: its name, if its instance is told. offset: in the body of the function, from behind its size."""

    module: str | None
    function: int
    offset: int


@final
@dataclass(frozen=True, slots=True)
class DumpThread:
    """frames: innermost first."""

    name: str
    frames: tuple[DumpFrame, ...]


def threads_of(dump: CoreModule) -> tuple[DumpThread, ...] | None:
    """The threads that the module tells of; None if it is no core dump. Raises Malformed."""
    sections = [c.section for c in dump.customs if isinstance(c.section, RawCustom)]
    stacks = [section.data for section in sections if section.name == _STACK]
    if not stacks:
        return None
    found = {section.name: section.data for section in sections}
    names = list(_modules(found.get(_MODULES)))
    owners = list(_instances(found.get(_INSTANCES)))
    instances = [names[owner] if owner < len(names) else None for owner in owners]
    return tuple(_thread(Cursor(stack), instances) for stack in stacks)


def told_threads(threads: Iterable[DumpThread], symbols: Symbolizer) -> Iterator[tuple[str, tuple[TraceFrame, ...]]]:
    """Each thread's name and frames; a frame that nothing is known of has no functions."""
    for thread in threads:
        yield thread.name, tuple(_told(number, frame, symbols) for number, frame in enumerate(thread.frames))


def _told(number: int, frame: DumpFrame, symbols: Symbolizer) -> TraceFrame:
    found: tuple[int, list[Frame]] | None = symbols.frames_in_function(frame.function, frame.offset, frame.module)
    offset, functions = found if found is not None else (frame.offset, [])
    return TraceFrame(number, offset, tuple(functions))


def _modules(data: Bytes | None) -> Iterator[str]:
    if data is not None:
        cursor = Cursor(data)
        for _ in range(cursor.u32()):
            _mark(cursor)
            yield cursor.name()


def _instances(data: Bytes | None) -> Iterator[int]:
    """The module of each."""
    if data is not None:
        cursor = Cursor(data)
        for _ in range(cursor.u32()):
            _mark(cursor)
            yield cursor.u32()
            for _ in ("memories", "globals"):
                for _ in range(cursor.u32()):
                    cursor.u32()


def _thread(cursor: Cursor, instances: list[str | None]) -> DumpThread:
    _mark(cursor)
    name = cursor.name()
    frames: list[DumpFrame] = []
    for _ in range(cursor.u32()):
        _mark(cursor)
        instance, function, offset = cursor.u32(), cursor.u32(), cursor.u32()
        for _ in ("locals", "stack"):
            for _ in range(cursor.u32()):
                _skip_value(cursor)
        frames.append(DumpFrame(instances[instance] if instance < len(instances) else None, function, offset))
    return DumpThread(name, tuple(frames))


def _mark(cursor: Cursor) -> None:
    if cursor.u8():
        raise Malformed


def _skip_value(cursor: Cursor) -> None:
    kind = cursor.u8()
    if kind in _SIZES:
        cursor.take(_SIZES[kind])
    elif kind in _LEBS:
        if not any(cursor.u8() < 0x80 for _ in range(_LEBS[kind])):
            raise Malformed
    else:
        raise Malformed
