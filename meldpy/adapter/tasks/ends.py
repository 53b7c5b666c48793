"""Streams and futures that the host shares: their ends are the engine's, behind ends of ours (`runtime/ends.wat`).

Which they are shows at run time: a type that the world mentions has ends of both kinds. So a built-in of such a type
looks at the end, and asks the engine if the end is the engine's. Two forms of copies:

- *direct*: elements without handles. The engine reads and writes the guest's memory, with the guest's allocator.
- *translated*: elements with handles, and all elements where the edge has one memory, wait in the heap (`buffers`).

Spec: CanonicalABI.md `stream_copy`, `future_copy`, `cancel_copy`, `drop`, `lift_async_value`, `lower_stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import final

from meldpy import runtime
from meldpy.adapter.boundary import OuterEdge
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.tasks.buffers import Buffers
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.tasks.party import Party
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Load, Local, Op
from meldpy.cabi import Content
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import EmittedFunc, OuterAsyncFunc, RuntimeArg
from meldpy.model.core import CoreFuncType, CoreValType
from meldpy.model.ids import FuncId
from meldpy.model.valtype import DefinedType, FutureType

_HANDLE = 40
"""Word of an end, see `ends.wat`."""


@final
class Ends:
    """One for each adapt run that has tasks. hosted: the types, by key, of which an end can be the host's."""

    def __init__(
        self, shop: Workshop, machinery: Machinery, outside: Outside, edge: OuterEdge, hosted: frozenset[int]
    ) -> None:
        self._shop = shop
        self._machinery = machinery
        self._outside = outside
        self._edge = edge
        self._hosted = hosted
        self._buffers = Buffers(shop, machinery, outside)
        self._leaving: dict[int, tuple[DefinedType, EmittedFunc]] = {}

    def hosts(self, type: DefinedType) -> bool:
        return self._shop.abi.keys.key(type) in self._hosted

    @cached_property
    def func(self) -> Callable[[str], FuncId]:
        """The functions of `ends.wat`."""
        machinery, outside = self._machinery, self._outside
        outside.ends = self
        traps = (Trap.END_NOT_COPYING, Trap.SYNC_USE)
        args: tuple[RuntimeArg, ...] = (
            *(machinery.memory, self._shop.handles.func("rep")),
            *map(machinery.waitables, ("new-cell", "free-cell", "notify")),
            machinery.streams("put"),
            *map(outside.outer, ("find", "watch", "unwatch")),
            self._buffers.taken,
            *map(self._shop.functions.trap, traps),
        )
        return self._shop.library.funcs(runtime.ENDS, args)

    # --- built-ins --------------------------------------------------------------------------------------------
    def copy(
        self, em: Emitter, party: Party, operands: tuple[Local, ...], check: Callable[[], None], *, async_: bool
    ) -> None:
        """Return what the engine says, if the end is the engine's. operands: end, pointer, and length of a stream's;
        check: emits the checks of the buffer, which the engine makes only of one that it sees."""
        b = em.b
        end, pointer, *lengths = operands
        handle = b.local(I32)
        b.get(end)
        b.load(Load.I32, self._machinery.memory, _HANDLE)
        b.tee(handle)
        with b.if_():
            b.get(end)
            b.call(self.func("began"))
            if self._buffers.holds(party.element):
                check()
                pointer, lengths = self._buffers.offered(em, party, (end, pointer, *lengths))
            b.get(end)
            b.i32(party.code)
            b.get(handle, pointer, *lengths)
            b.call(self._engine_copy(party))
            b.call(self.func("copied"))
            b.get(end)
            b.call(self._machinery.streams("finish" if async_ else "finish-sync"))
            b.return_()

    def cancel(self, em: Emitter, type: DefinedType, end: Local, *, writes: bool, async_: bool) -> None:
        """The same for a cancel."""
        b, future = em.b, isinstance(type.definition, FutureType)
        code = 2 + 2 * future + writes
        stream, its_future = (
            (BuiltinOp.STREAM_CANCEL_WRITE, BuiltinOp.FUTURE_CANCEL_WRITE)
            if writes
            else (BuiltinOp.STREAM_CANCEL_READ, BuiltinOp.FUTURE_CANCEL_READ)
        )
        cancel = self._machinery.engine(
            OuterAsyncFunc(its_future if future else stream, CoreFuncType((I32,), (I32,)), type, async_=async_)
        )
        b.get(end)
        b.load(Load.I32, self._machinery.memory, _HANDLE)
        with b.if_(), b.scratch(I32) as (handle,):
            b.get(end)
            b.i32(code)
            b.i32(int(async_))
            b.call(self.func("cancelling"))
            b.tee(handle)
            with b.if_():
                if not async_:
                    self._machinery.check_may_block(em)
                b.get(end)
                b.i32(code)
                b.get(handle)
                b.call(cancel)
                b.call(self.func("copied"))
            b.get(end)
            b.call(self._machinery.streams("finish"))
            b.return_()

    def push_behind(self, em: Emitter) -> None:
        """Pops table, type and index of an end; pushes the engine's handle behind it, or 0."""
        em.b.call(self.func("behind"))

    def dropped(self, em: Emitter, type: DefinedType, handle: Local, *, writes: bool) -> None:
        """An end was dropped: so is the engine's, if there is one."""
        with_handle = self._dropping(type, writes=writes)
        em.b.get(handle)
        with em.b.if_():
            em.b.get(handle)
            em.b.call(with_handle)

    # --- crossing ---------------------------------------------------------------------------------------------
    def leaving(self, type: DefinedType) -> EmittedFunc:
        """From a readable end that has no handle any more to the engine's."""
        key = self._shop.abi.keys.key(type)
        if key not in self._leaving:
            self._leaving[key] = type, self._shop.functions.reserve()
        return self._leaving[key][1]

    def finish(self, parties: list[Party]) -> None:
        """Write what was handed out, when all that can read and write is known."""
        for key, (type, symbol) in self._leaving.items():
            writers = [each for each in parties if each.key == key and each.writes]
            self._write_leaving(type, symbol, writers)
        self._buffers.finish()
        self._shop.finish()

    def _write_leaving(self, type: DefinedType, symbol: EmittedFunc, writers: list[Party]) -> None:
        b = FuncBuilder("end leaves for the host", CoreFuncType((I32,), (I32,)))
        em = Emitter(self._shop, b)
        memory = self._machinery.memory
        (end,) = b.params
        handle, ends, next_ = b.local(I32), b.local(I64), b.local(I32)
        b.get(end)
        b.call(self.func("leaves"))
        b.tee(handle)
        with b.if_():
            b.get(handle)
            b.return_()

        # both ends are inside: from now on they are the engine's
        future = isinstance(type.definition, FutureType)
        op = BuiltinOp.FUTURE_NEW if future else BuiltinOp.STREAM_NEW
        b.call(self._machinery.engine(OuterAsyncFunc(op, CoreFuncType((), (I64,)), type)))
        b.set(ends)
        writable = b.local(I32)
        b.get(end)
        b.i32(48)
        b.op(Op.I32_ADD)
        b.set(writable)
        at, count, number = b.local(I64), b.local(I32), b.local(I32)
        for local, load, offset in ((at, Load.I64, 104), (count, Load.I32, 112), (number, Load.I32, 116)):
            b.get(end)
            b.load(load, memory, offset)
            b.set(local)
        b.get(end, ends)
        b.call(self.func("promote"))
        b.set(next_)
        b.get(ends)
        b.i64(32)
        b.op(Op.I64_SHR_U, Op.I32_WRAP_I64)
        b.set(handle)
        if not future:
            b.get(next_)
            b.i32(1)
            b.op(Op.I32_EQ)
            with b.if_():
                b.get(handle)
                b.call(self._dropping(type, writes=True))
        for party in writers:
            b.get(next_)
            b.i32(2)
            b.op(Op.I32_EQ)
            b.get(number)
            b.i32(party.number)
            b.op(Op.I32_EQ, Op.I32_AND)
            with b.if_():
                self._write_again(em, party, (writable, handle, at, count))
        b.get(ends)
        b.op(Op.I32_WRAP_I64)
        self._shop.functions.define(symbol, b)
        self._shop.finish()

    def _write_again(self, em: Emitter, party: Party, locals: tuple[Local, Local, Local, Local]) -> None:
        b = em.b
        writable, handle, at, count = locals
        with b.scratch(party.side.pointer, party.side.pointer) as (pointer, length):
            b.get(at)
            if party.side.pointer is I32:
                b.op(Op.I32_WRAP_I64)
            b.set(pointer)
            b.get(count)
            if party.side.pointer is I64:
                b.op(Op.I64_EXTEND_I32_U)
            b.set(length)
            lengths = [] if party.future else [length]
            if self._buffers.holds(party.element):
                pointer, lengths = self._buffers.offered(em, party, (writable, pointer, *lengths))
            b.get(writable)
            b.i32(party.code)
            b.get(handle, pointer, *lengths)
            b.call(self._engine_copy(party))
            b.call(self.func("copied"))

    # --- the engine's -----------------------------------------------------------------------------------------
    def _engine_copy(self, party: Party) -> OuterAsyncFunc:
        op = {
            (False, False): BuiltinOp.STREAM_READ,
            (False, True): BuiltinOp.STREAM_WRITE,
            (True, False): BuiltinOp.FUTURE_READ,
            (True, True): BuiltinOp.FUTURE_WRITE,
        }[party.future, party.writes]
        element, side = party.element, party.side
        translated = self._buffers.holds(element)
        if translated:
            side = self._outside.side()
        content = Content.NONE if element is None else self._shop.abi.contents.content(element)
        realloc = None
        if not party.writes and Content.POINTER in content:
            assert side.realloc is not None
            wrapped = side.realloc if translated else self._edge.guest_realloc(side)
            assert isinstance(wrapped, FuncId | EmittedFunc)
            realloc = wrapped
        params: tuple[CoreValType, ...] = (side.pointer,) if party.future else (side.pointer, side.pointer)
        return self._machinery.engine(
            OuterAsyncFunc(
                op,
                CoreFuncType((I32, *params), (I32,)),
                party.type,
                side.encoding if Content.STRING in content else StringEncoding.UTF8,
                None if side.memory is None else side.memory.id,
                realloc=realloc,
            )
        )

    def _dropping(self, type: DefinedType, *, writes: bool) -> OuterAsyncFunc:
        future = isinstance(type.definition, FutureType)
        op = {
            (False, False): BuiltinOp.STREAM_DROP_READABLE,
            (False, True): BuiltinOp.STREAM_DROP_WRITABLE,
            (True, False): BuiltinOp.FUTURE_DROP_READABLE,
            (True, True): BuiltinOp.FUTURE_DROP_WRITABLE,
        }[future, writes]
        return self._machinery.engine(OuterAsyncFunc(op, CoreFuncType((I32,), ()), type))
