"""Streams and futures that the host shares: their ends are the engine's, behind ends of ours (`runtime/ends.wat`).

Which they are shows at run time: a type that the world mentions has ends of both kinds. So a built-in of such a type
looks at the end, and asks the engine if the end is the engine's. Two forms of copies:

- *direct*: elements without handles. The engine reads and writes the guest's memory, with the guest's allocator.
- *translated*: elements with handles wait in the heap (`runtime/heap.wat`). What was read is translated when the engine
  tells. What is written is translated when it is offered, with its handles left where they are; when the engine tells
  how much was taken, the handles of that are taken from the guest. So do all elements where the edge has one memory.

Spec: CanonicalABI.md `stream_copy`, `future_copy`, `cancel_copy`, `drop`, `lift_async_value`, `lower_stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import final

from meldpy import runtime
from meldpy.adapter.boundary import OuterEdge
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Addr, Side
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.translate.copying import copy_bytes, is_plain
from meldpy.adapter.translate.lists import each_element
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Load, Local, Op, Store
from meldpy.cabi import Content
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import EmittedFunc, OuterAsyncFunc, RuntimeArg
from meldpy.model.core import CoreFuncType, CoreValType
from meldpy.model.ids import FuncId
from meldpy.model.valtype import DefinedType, FutureType, StreamType, ValType
from meldpy.records import dataclass

_HANDLE, _BUFFER, _COUNT = 40, 44, 32
"""Words of an end, see `ends.wat` and `streams.wat`."""
_AT, _GUESTS, _PARTY, _SIZE = 0, 8, 16, 24
"""Of a buffer in the heap: where it is, where the guest's is (64 bits), whose it is."""
_WHOLE = 1 << 40
_LARGEST = 0x7FFF_FFF0


@final
@dataclass(frozen=True, slots=True)
class Party:
    """A read or write built-in, as the other side sees it. number: what it leaves with a pending buffer."""

    number: int
    key: int
    writes: bool
    side: Side
    type: DefinedType

    @property
    def future(self) -> bool:
        return isinstance(self.type.definition, FutureType)

    @property
    def element(self) -> ValType | None:
        return element_of(self.type)

    @property
    def code(self) -> int:
        """The event code of its end."""
        return 2 + 2 * self.future + self.writes


def element_of(type: DefinedType) -> ValType | None:
    assert isinstance(type.definition, StreamType | FutureType)
    return type.definition.element


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
        self._translation = shop.functions.reserve()
        self._leaving: dict[int, tuple[DefinedType, EmittedFunc]] = {}
        self._translated: list[Party] = []

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
            self._translation,
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
            if self._is_translated(party.element):
                check()
                pointer, lengths = self._into_heap(em, party, (end, pointer, *lengths))
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
        b = FuncBuilder("elements translated", CoreFuncType((I32, I32), ()))
        em = Emitter(self._shop, b)
        self._write_translation(em)
        self._shop.functions.define(self._translation, b)
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
            if self._is_translated(party.element):
                pointer, lengths = self._into_heap(em, party, (writable, pointer, *lengths))
            b.get(writable)
            b.i32(party.code)
            b.get(handle, pointer, *lengths)
            b.call(self._engine_copy(party))
            b.call(self.func("copied"))

    # --- elements with handles --------------------------------------------------------------------------------
    def _is_translated(self, element: ValType | None) -> bool:
        return element is not None and (self._outside.one_memory or self._has_handles(element))

    def _has_handles(self, element: ValType) -> bool:
        return bool(self._shop.abi.contents.content(element) & (Content.HANDLE | Content.STREAM | Content.FUTURE))

    def _has_pointers(self, element: ValType) -> bool:
        """Whether something of an element is in the heap's chain."""
        return Content.POINTER in self._shop.abi.contents.content(element)

    def _into_heap(self, em: Emitter, party: Party, operands: tuple[Local, ...]) -> tuple[Local, list[Local]]:
        """A buffer in the heap in place of the guest's, with what is to be written in it: pointer and length."""
        b, element = em.b, party.element
        end, guests, *lengths = operands
        assert element is not None
        heap, outside = self._outside.heap, self._outside.side()
        memory, size = outside.needs_memory(), em.layouts(outside).elem_size(element)
        if party not in self._translated:
            self._translated.append(party)
        at, buffer, count, left = b.local(I32), b.local(I32), b.local(I32), b.local(I32)
        if lengths:
            b.get(lengths[0])
            if lengths[0].type is I64:
                b.op(Op.I32_WRAP_I64)
        else:
            b.i32(1)
        b.tee(count)
        b.op(Op.I64_EXTEND_I32_U)
        b.i64(size)
        b.op(Op.I64_MUL)
        b.i64(_LARGEST)
        b.op(Op.I64_GT_U)
        em.trap_if(Trap.BOUNDARY_FULL)
        b.get(count)
        b.i32(size)
        b.op(Op.I32_MUL)
        b.call(heap("block"))
        b.set(at)
        b.i32(_SIZE)
        b.call(heap("block"))
        b.set(buffer)
        b.get(buffer, at)
        b.store(Store.I32, memory.id, _AT)
        b.get(buffer)
        em.get_extended(guests)
        b.store(Store.I64, memory.id, _GUESTS)
        b.get(buffer)
        b.i32(party.number)
        b.store(Store.I32, memory.id, _PARTY)
        b.get(end, buffer)
        b.store(Store.I32, self._machinery.memory, _BUFFER)
        if self._has_pointers(element):
            b.call(heap("open"))
            if party.writes:
                # until it is taken, the chain is needed
                b.i32(1)
                b.call(heap("hold"))
        if party.writes:
            b.get(count)
            b.tee(left)
            with b.if_():
                em.peek, em.inline_cost = True, _WHOLE
                self._move(em, element, Addr(party.side, guests, 0), Addr(outside, at, 0), left)
                em.peek = False
        return at, [count] if lengths else []

    def _write_translation(self, em: Emitter) -> None:
        """The engine told of the end's buffer in the heap."""
        b, memory = em.b, self._machinery.memory
        if not self._translated:
            b.unreachable()
            return
        end, code = b.params
        heap, outside = self._outside.heap, self._outside.side()
        lodged = outside.needs_memory().id
        buffer, at, count, number = b.local(I32), b.local(I32), b.local(I32), b.local(I32)
        b.get(end)
        b.load(Load.I32, memory, _BUFFER)
        b.set(buffer)
        b.get(end)
        b.i32(0)
        b.store(Store.I32, memory, _BUFFER)
        for local, offset in ((at, _AT), (number, _PARTY)):
            b.get(buffer)
            b.load(Load.I32, lodged, offset)
            b.set(local)
        # how many elements went: of a future, one if it is completed
        b.get(end)
        b.load(Load.I32, memory, _COUNT)
        b.get(end)
        b.load(Load.I32, memory, 28)
        b.op(Op.I32_EQZ)
        b.get(code)
        b.i32(4)
        b.op(Op.I32_LT_U)
        b.op(Op.SELECT)
        b.set(count)
        for party in self._translated:
            element = party.element
            assert element is not None
            b.get(number)
            b.i32(party.number)
            b.op(Op.I32_EQ)
            with b.if_():
                if party.writes and self._has_pointers(element):
                    b.i32(-1)
                    b.call(heap("hold"))
                if not party.writes or self._has_handles(element):
                    b.get(count)
                    with b.if_(), b.scratch(party.side.pointer) as (guests,):
                        b.get(buffer)
                        b.load(Load.I64, lodged, _GUESTS)
                        if party.side.pointer is I32:
                            b.op(Op.I32_WRAP_I64)
                        b.set(guests)
                        here, there = Addr(outside, at, 0), Addr(party.side, guests, 0)
                        # of what was written, the guest's handles go; the copy that this makes is of no use
                        source, destination = (there, here) if party.writes else (here, there)
                        self._move(em, element, source, destination, count)
                if self._has_pointers(element):
                    b.call(heap("close"))
        for block in (at, buffer):
            b.get(block)
            b.call(heap("free"))

    def _move(self, em: Emitter, element: ValType, source: Addr, destination: Addr, count: Local) -> None:
        """At least one element. The count may be used up."""
        if not is_plain(self._shop, element):
            each_element(em, element, source, destination, count)
            return
        with em.b.scratch(I64) as (length,):
            em.b.get(count)
            em.b.op(Op.I64_EXTEND_I32_U)
            em.b.i64(em.layouts(source.side).elem_size(element))
            em.b.op(Op.I64_MUL)
            em.b.set(length)
            copy_bytes(em, source, destination, length)

    # --- the engine's -----------------------------------------------------------------------------------------
    def _engine_copy(self, party: Party) -> OuterAsyncFunc:
        op = {
            (False, False): BuiltinOp.STREAM_READ,
            (False, True): BuiltinOp.STREAM_WRITE,
            (True, False): BuiltinOp.FUTURE_READ,
            (True, True): BuiltinOp.FUTURE_WRITE,
        }[party.future, party.writes]
        element, side = party.element, party.side
        translated = self._is_translated(element)
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
