"""Small functions in place of their calls: in what we emit, after all of it is written.

A call costs as much as most of what an adapter does, and engines do not inline by themselves. So the library's short
functions (a handle lent, taken or dropped; a short string), and checked reallocs, go where they are called, with the
constants that they are called with. What is put in place is the very text that was written, tested and mutated as a
function: nothing is decided here but where. The named trap functions stay functions: their names are what a backtrace
shows.

Spec: core, "Function Calls"; a body becomes a block whose label takes the place of the function's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from typing import Final, final

from meldpy.adapter.library import Instances
from meldpy.asm.instructions import Call, Local, Part, Plain, Return, decode
from meldpy.asm.leb import unsigned
from meldpy.model.code import Chunk, Emitted, EmittedFunc, FuncRef, FuncSymbol, Target, TypeRef
from meldpy.model.core import CoreFuncType, CoreValType, NumType
from meldpy.model.ids import EmittedId, FuncId
from meldpy.model.marks import Inlined
from meldpy.records import dataclass, replace

_ANY: Final = Target()

SMALL: Final = 320
"""The size of a body, in bytes, that may be put in place of a call."""

GROWTH: Final = 1024
"""By how much one function may grow."""

SELDOM: Final = 128
"""By how much one may grow that is not called for each element, or each call."""

_UNREACHABLE: Final = b"\0"
_ZEROS: Final = {
    NumType.I32: b"\x41\0",
    NumType.I64: b"\x42\0",
    NumType.F32: b"\x43" + bytes(4),
    NumType.F64: b"\x44" + bytes(8),
    NumType.V128: b"\xfd\x0c" + bytes(16),
}


@final
@dataclass(frozen=True, slots=True)
class Body:
    """A function that can be put in place of its calls. locals: without the parameters."""

    type: CoreFuncType
    locals: tuple[CoreValType, ...]
    parts: tuple[Part, ...]
    size: int


def inline(
    functions: Sequence[Emitted],
    library: Instances,
    often: Collection[EmittedFunc] = (),
    helpers: Collection[EmittedFunc] = (),
    seldom: Collection[EmittedFunc] = (),
    target: Target = _ANY,
) -> tuple[Emitted, ...]:
    """The functions, with small ones of the library, and those of `often`, in place of their calls.

    helpers: functions that large types are made of. There may be thousands, so they share what they may grow by: as
    much as all the others together. seldom: functions that grow by less. target: a body of several results is a block
    of several.
    """
    bodies = _Bodies(functions, library, frozenset(often), target)
    shared = frozenset(helpers)
    left = GROWTH * sum(EmittedFunc(function.id) not in shared for function in functions)
    expanded = []
    for function in functions:
        is_helper = EmittedFunc(function.id) in shared
        own = SELDOM if EmittedFunc(function.id) in seldom else GROWTH
        new, grown = bodies.expanded(function, min(own, left) if is_helper else own)
        left -= grown if is_helper else 0
        expanded.append(new)
    return tuple(expanded)


@final
class _Bodies:
    """The bodies of functions that are called, each taken apart once."""

    def __init__(
        self, functions: Sequence[Emitted], library: Instances, often: frozenset[EmittedFunc], target: Target
    ) -> None:
        self._functions: dict[EmittedId, Emitted] = {function.id: function for function in functions}
        self._library = library
        self._often = often
        self._target = target
        self._known: dict[FuncSymbol, Body | None] = {}

    def expanded(self, function: Emitted, most: int) -> tuple[Emitted, int]:
        """The function, grown by at most `most`, and by how much."""
        called = [chunk.func for chunk in function.body if isinstance(chunk, FuncRef)]
        if not any(self.small(func) is not None for func in called):
            return function, 0
        parts = decode(function.body)
        if parts is None:
            return function, 0
        writer = _Writer(self, function, most)
        writer.write(parts)
        return (writer.finish(), writer.grown) if writer.grown else (function, 0)

    def small(self, symbol: FuncSymbol) -> Body | None:
        if symbol not in self._known:
            body = self._small(symbol)
            if body is not None and len(body.type.results) > 1 and not self._target.multi_value:
                body = None
            self._known[symbol] = body
        return self._known[symbol]

    def _small(self, symbol: FuncSymbol) -> Body | None:
        match symbol:
            case EmittedFunc(id):
                function = self._functions[id]
                if symbol not in self._often or _size(function.body) > SMALL:
                    return None
                return _body(function.type, function.locals, decode(function.body))
            case FuncId():
                found = self._library.body(symbol, SMALL)
                return None if found is None else _body(*found)
            case _:
                return None


def _body(type: CoreFuncType, locals_: tuple[CoreValType, ...], parts: Sequence[Part] | None) -> Body | None:
    if parts is None or not all(type in _ZEROS for type in (*type.params, *locals_)):
        return None
    # a block and its end, at least
    size = 3 + sum(_size(part.chunks) if isinstance(part, Plain) else 2 for part in parts)
    return Body(type, locals_, tuple(parts), size)


def _size(chunks: Sequence[Chunk]) -> int:
    return sum(len(chunk) if isinstance(chunk, bytes) else 2 for chunk in chunks)


@final
class _Writer:
    """One function, written anew."""

    def __init__(self, bodies: _Bodies, function: Emitted, most: int) -> None:
        self._bodies = bodies
        self._most = most
        self._function = function
        self._locals = list(function.locals)
        self._free: dict[CoreValType, list[int]] = {}
        self._chunks: list[Chunk] = []
        self._open: list[FuncSymbol] = [EmittedFunc(function.id)]
        self._inlined: dict[Inlined, None] = {}
        self.grown = 0

    def finish(self) -> Emitted:
        marks = (*self._function.marks, *self._inlined)
        return replace(self._function, locals=tuple(self._locals), body=tuple(self._chunks), marks=marks)

    def write(self, parts: Sequence[Part]) -> None:
        """The function's own parts."""
        for part, cold in _with_cold(parts):
            match part:
                case Local(opcode, index):
                    self._put(bytes((opcode,)) + unsigned(index))
                case Return():
                    self._put(b"\x0f")
                case Plain(chunks):
                    self._put(*chunks)
                case Call(func):
                    self._call(func, cold)

    def _call(self, func: FuncSymbol, cold: bool) -> None:
        body = None if cold or func in self._open else self._bodies.small(func)
        if body is None or self.grown + body.size > self._most:
            self._put(b"\x10", FuncRef(func))
            return
        self.grown += body.size
        self._inlined[Inlined(func)] = None
        self._open.append(func)
        self._place(body)
        self._open.pop()

    def _place(self, body: Body) -> None:
        """The body as a block; its arguments are on the stack."""
        locals_ = [self._local(type) for type in (*body.type.params, *body.locals)]
        params = len(body.type.params)
        for index in reversed(locals_[:params]):
            self._put(b"\x21" + unsigned(index))
        # a function's locals start as zeros; these may have been used before
        for index, type in zip(locals_[params:], body.locals, strict=True):
            assert isinstance(type, NumType)
            self._put(_ZEROS[type] + b"\x21" + unsigned(index))
        self._put(b"\x02", *_block_type(body.type.results))
        for part, cold in _with_cold(body.parts):
            match part:
                case Local(opcode, index):
                    self._put(bytes((opcode,)) + unsigned(locals_[index]))
                case Return(depth):
                    self._put(b"\x0c" + unsigned(depth))
                case Plain(chunks):
                    self._put(*chunks)
                case Call(func):
                    self._call(func, cold)
        self._put(b"\x0b")
        for index, type in zip(locals_, (*body.type.params, *body.locals), strict=True):
            self._free.setdefault(type, []).append(index)

    def _local(self, type: CoreValType) -> int:
        if free := self._free.get(type):
            return free.pop()
        self._locals.append(type)
        return len(self._function.type.params) + len(self._locals) - 1

    def _put(self, *chunks: Chunk) -> None:
        for chunk in chunks:
            last = self._chunks[-1] if self._chunks else None
            if isinstance(chunk, bytes) and isinstance(last, bytes):
                self._chunks[-1] = last + chunk
            else:
                self._chunks.append(chunk)


def _with_cold(parts: Sequence[Part]) -> Iterator[tuple[Part, bool]]:
    """Each part, and whether it is a call of what the library does seldom: one behind which the function ends."""
    for part, behind in zip_longest(parts, parts[1:]):
        ends = isinstance(behind, Return)
        if isinstance(behind, Plain):
            first = behind.chunks[0]
            ends = isinstance(first, bytes) and first[:1] == _UNREACHABLE
        yield part, isinstance(part, Call) and ends


def _block_type(results: tuple[CoreValType, ...]) -> Iterator[Chunk]:
    if not results:
        yield b"\x40"
    elif len(results) == 1 and isinstance(results[0], NumType):
        yield bytes((results[0].value,))
    else:
        yield TypeRef(CoreFuncType((), results))
