"""Streams and futures: their built-ins, and one copy function for each pair of sides that can meet.

A read and a write of one type meet in the runtime library (`streams.wat`), which says how many elements to copy. The
side at hand is known when its built-in is written; the other one left a number with its pending buffer, and is one of
the built-ins with the same type and the other direction.

Elements cross by `translate` like everything else, plain ones by one `memory.copy`. An end that crosses itself is a
handle (`translate/handles`).

Spec: CanonicalABI.md `stream_copy`, `future_copy`, `cancel_copy`, `drop`, "Buffer State".
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.memories import memory_of
from meldpy.adapter.places import Addr, Side
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.ends import Ends
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.tasks.party import Party, element_of
from meldpy.adapter.translate.copying import copy_bytes, is_plain
from meldpy.adapter.translate.lists import each_element
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Local, Op
from meldpy.cabi import Content
from meldpy.model.builtins import CancelCopy, Copy, EndType
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.linked import AsyncBuiltin, LinkedGraph
from meldpy.model.valtype import DefinedType, FutureType, PrimValType, ValType

MAX_LENGTH = (1 << 28) - 1
"""Elements of one buffer. Spec: Buffer.MAX_LENGTH."""

_NUMBERS = frozenset(
    {
        PrimValType.S8,
        PrimValType.U8,
        PrimValType.S16,
        PrimValType.U16,
        PrimValType.S32,
        PrimValType.U32,
        PrimValType.S64,
        PrimValType.U64,
        PrimValType.F32,
        PrimValType.F64,
    }
)
_WRITES = frozenset(
    {
        BuiltinOp.STREAM_WRITE,
        BuiltinOp.FUTURE_WRITE,
        BuiltinOp.STREAM_CANCEL_WRITE,
        BuiltinOp.FUTURE_CANCEL_WRITE,
        BuiltinOp.STREAM_DROP_WRITABLE,
        BuiltinOp.FUTURE_DROP_WRITABLE,
    }
)
_NEW = frozenset({BuiltinOp.STREAM_NEW, BuiltinOp.FUTURE_NEW})


@final
class Copies:
    def __init__(self, shop: Workshop, graph: LinkedGraph, machinery: Machinery, ends: Ends, symbols: Symbols) -> None:
        self._shop = shop
        self._graph = graph
        self._machinery = machinery
        self._ends = ends
        self._symbols = symbols
        self._parties: dict[AsyncBuiltin, Party] = {}
        self._copiers: dict[tuple[int, Side, Side], EmittedFunc] = {}

    def know(self, builtin: AsyncBuiltin, copy: Copy) -> None:
        """One of those that can meet others."""
        side = self._side(builtin, copy)
        key = self._shop.abi.keys.key(copy.type)
        self._parties[builtin] = Party(len(self._parties), key, builtin.op in _WRITES, side, copy.type)

    def finish(self) -> None:
        """Everything that can read and write is known."""
        self._ends.finish(list(self._parties.values()))

    # --- built-ins --------------------------------------------------------------------------------------------
    def copy(self, symbol: EmittedFunc, builtin: AsyncBuiltin, copy: Copy) -> None:
        """{stream,future}.{read,write}."""
        party, element = self._parties[builtin], element_of(copy.type)
        future = isinstance(copy.type.definition, FutureType)
        pointer_type = I64 if copy.options.memory64 else I32
        lengths = () if future else (pointer_type,)
        em = self._emitter(builtin, CoreFuncType((I32, pointer_type, *lengths), (I32,)))
        b, machinery = em.b, self._machinery
        handle, pointer = b.params[:2]
        code = _code(builtin.op, future)
        em.check_may_leave(builtin.instance)
        end, count, amount = b.local(I32), b.local(I32), b.local(I32)
        self._push_end(em, builtin, copy.type, handle)
        b.i32(int(not copy.options.async_))
        b.call(machinery.streams("begin"))
        b.set(end)

        def check() -> None:
            if future:
                b.i32(1)
            else:
                b.get(b.params[2])
                b.const(pointer_type, MAX_LENGTH)
                b.op(Op.I64_GT_U if pointer_type is I64 else Op.I32_GT_U)
                em.trap_if(Trap.BUFFER_TOO_LONG, length=b.params[2])
                b.get(b.params[2])
                if pointer_type is I64:
                    b.op(Op.I32_WRAP_I64)
            b.set(count)
            if element is not None:
                self._check_buffer(em, party.side, element, pointer, count)

        if self._ends.hosts(copy.type):
            self._ends.copy(em, party, (end, *b.params[1:]), check, async_=copy.options.async_)
        check()
        size = 0 if element is None else em.layouts(party.side).elem_size(element)

        # what the other side left decides how much is copied now
        b.get(end)
        b.i32(code)
        em.get_extended(pointer)
        b.get(count)
        b.i32(party.number)
        b.i32(0 if element is None or self._shop.abi.shape(element) in _NUMBERS else builtin.instance + 1)
        b.i32(size)
        b.call(machinery.streams("offer"))
        b.tee(amount)
        with b.if_():
            if element is not None:
                self._meet(em, party, element, (end, pointer, amount), code)
            b.get(end)
            b.i32(code)
            b.get(amount)
            b.call(machinery.streams("copied"))
        b.get(end)
        b.call(machinery.streams("finish" if copy.options.async_ else "finish-sync"))
        self._shop.functions.define(symbol, b)

    def cancel(self, symbol: EmittedFunc, builtin: AsyncBuiltin, cancel: CancelCopy) -> None:
        """{stream,future}.cancel-{read,write}."""
        em = self._emitter(builtin, CoreFuncType((I32,), (I32,)))
        em.check_may_leave(builtin.instance)
        if self._ends.hosts(cancel.type):
            end = em.b.local(I32)
            self._push_end(em, builtin, cancel.type, em.b.params[0])
            em.b.call(self._shop.handles.func("rep"))
            em.b.set(end)
            self._ends.cancel(em, cancel.type, end, writes=builtin.op in _WRITES, async_=cancel.async_)
        self._push_end(em, builtin, cancel.type, em.b.params[0])
        em.b.i32(_code(builtin.op, isinstance(cancel.type.definition, FutureType)))
        em.b.i32(int(cancel.async_))
        em.b.call(self._machinery.streams("cancel"))
        self._shop.functions.define(symbol, em.b)
        self._shop.seldom.add(symbol)

    def end(self, symbol: EmittedFunc, builtin: AsyncBuiltin, end: EndType) -> None:
        """{stream,future}.{new,drop-readable,drop-writable}."""
        future = isinstance(end.type.definition, FutureType)
        if builtin.op in _NEW:
            em = self._emitter(builtin, CoreFuncType((), (I64,)))
            em.check_may_leave(builtin.instance)
            em.b.i32(self._shop.handles.table(builtin.instance))
            em.b.i32(self._shop.handles.end_tag(end.type, writable=False))
            em.b.i32(self._shop.handles.end_tag(end.type, writable=True))
            em.b.call(self._machinery.streams("new"))
        else:
            em = self._emitter(builtin, CoreFuncType((I32,), ()))
            em.check_may_leave(builtin.instance)
            hosted, handle, writes = self._ends.hosts(end.type), em.b.local(I32), builtin.op in _WRITES
            if hosted:
                self._push_end(em, builtin, end.type, em.b.params[0])
                self._ends.push_behind(em)
                em.b.set(handle)
            self._push_end(em, builtin, end.type, em.b.params[0])
            em.b.i32(_code(builtin.op, future))
            em.b.call(self._machinery.streams("drop"))
            if hosted:
                self._ends.dropped(em, end.type, handle, writes=writes)
        self._shop.functions.define(symbol, em.b)
        self._shop.seldom.add(symbol)

    # --- inside -----------------------------------------------------------------------------------------------
    def _emitter(self, builtin: AsyncBuiltin, type: CoreFuncType) -> Emitter:
        name = f"{builtin.op.value[1]} {builtin.id} in {self._shop.labels[builtin.instance]}"
        return Emitter(self._shop, FuncBuilder(name, type))

    def _side(self, builtin: AsyncBuiltin, copy: Copy) -> Side:
        options, element = copy.options, element_of(copy.type)
        memory, realloc = None, None
        if element is not None:
            assert options.memory is not None, "validation: elements lie in a memory"
            memory = memory_of(self._graph, options.memory)
            reads = builtin.op not in _WRITES
            if reads and options.realloc is not None and self._shop.abi.contents.content(element) & Content.POINTER:
                realloc = self._symbols.final(options.realloc)
        return Side(builtin.instance, options.string_encoding, memory, realloc)

    def _push_end(self, em: Emitter, builtin: AsyncBuiltin, type: DefinedType, handle: Local) -> None:
        em.b.i32(self._shop.handles.table(builtin.instance))
        em.b.i32(self._shop.handles.end_tag(type, writable=builtin.op in _WRITES))
        em.b.get(handle)

    def _check_buffer(self, em: Emitter, side: Side, element: ValType, pointer: Local, count: Local) -> None:
        """Nothing is checked of a buffer of no length."""
        b, layouts = em.b, em.layouts(side)
        b.get(count)
        with b.if_(), b.scratch(I64) as (length,):
            em.check_aligned(pointer, layouts.alignment(element), Trap.BUFFER_MISALIGNED)
            b.get(count)
            b.op(Op.I64_EXTEND_I32_U)
            b.i64(layouts.elem_size(element))
            b.op(Op.I64_MUL)
            b.set(length)
            em.check_bounds(side.needs_memory(), pointer, length, Trap.BUFFER_OUT_OF_BOUNDS)

    def _meet(
        self, em: Emitter, party: Party, element: ValType, operands: tuple[Local, Local, Local], code: int
    ) -> None:
        """Copy between the buffer at hand and the pending one, whoever left it."""
        b, machinery = em.b, self._machinery
        end, pointer, amount = operands
        others = [each for each in self._parties.values() if each.key == party.key and each.writes != party.writes]
        for other in others:
            with b.block() as next_:
                if len(others) > 1:
                    b.get(end)
                    b.i32(code)
                    b.call(machinery.streams("pending-options"))
                    b.i32(other.number)
                    b.op(Op.I32_NE)
                    b.br_if(next_)
                theirs = b.local(other.side.pointer)
                b.get(end)
                b.i32(code)
                b.call(machinery.streams("pending-at"))
                if theirs.type is I32:
                    b.op(Op.I32_WRAP_I64)
                b.set(theirs)
                src, dst = (pointer, theirs) if party.writes else (theirs, pointer)
                sides = (party.side, other.side) if party.writes else (other.side, party.side)
                b.get(src, dst, amount)
                b.call(self._copier(party.key, element, *sides))
                b.free(theirs)

    def _copier(self, key: int, element: ValType, source: Side, destination: Side) -> EmittedFunc:
        """A function that copies some elements (at least one) from one address to another."""
        shop = self._shop
        if (key, source, destination) not in self._copiers:
            name = f"copy elements from {shop.labels[source.instance]} to {shop.labels[destination.instance]}"
            b = FuncBuilder(name, CoreFuncType((source.pointer, destination.pointer, I32), ()))
            em = Emitter(shop, b)
            from_, to, count = b.params
            src, dst = Addr(source, from_, 0), Addr(destination, to, 0)
            if is_plain(shop, element):
                # one element is loaded and stored: the other way is a call into the engine
                b.get(count)
                b.i32(1)
                b.op(Op.I32_EQ)
                with b.if_():
                    em.translate(element, src, dst)
                    b.return_()
                length = b.local(I64)
                b.get(count)
                b.op(Op.I64_EXTEND_I32_U)
                b.i64(em.layouts(source).elem_size(element))
                b.op(Op.I64_MUL)
                b.set(length)
                copy_bytes(em, src, dst, length)
            else:
                each_element(em, element, src, dst, count)
            symbol = shop.functions.add(b)
            self._copiers[key, source, destination] = symbol
            shop.finish()
        return self._copiers[key, source, destination]


def _code(op: BuiltinOp, future: bool) -> int:
    """The event code of the end that a built-in is about."""
    return 2 + 2 * future + (op in _WRITES)
