"""Buffers of streams and futures in the heap (`runtime/heap.wat`), in place of the guests' own.

The engine reads and writes them where elements hold handles, or where its edge has one memory. What was read is
translated into the guest's buffer when the engine tells. What is written is translated when it is offered, with its
handles left where they are (0 stands for one that is none, so that the engine traps if it comes to that); when the
engine tells how much was taken, the handles of that are taken from the guest: those that were offered, whatever the
guest has made of its buffer, of which a copy is kept. Where elements have pointers as well the guest's own is read
again.

Which ends the engine has, and what it is asked, is in `ends`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Addr
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.tasks.party import Party
from meldpy.adapter.translate.copying import copy_bytes, is_plain
from meldpy.adapter.translate.lists import each_element
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Load, Local, Op, Store
from meldpy.cabi import Content
from meldpy.model.core import CoreFuncType
from meldpy.model.valtype import ValType
from meldpy.records import replace

_BUFFER, _COUNT, _STATE = 44, 32, 28
"""Words of an end, see `ends.wat` and `streams.wat`."""
_AT, _GUESTS, _PARTY, _SIZE = 0, 8, 16, 24
"""Of a buffer: where its elements are, where the guest's are, or their copy is (64 bits), whose it is."""
_WHOLE = 1 << 40
_LARGEST = 0x7FFF_FFF0


@final
class Buffers:
    """One for each adapt run that has tasks."""

    def __init__(self, shop: Workshop, machinery: Machinery, outside: Outside) -> None:
        self._shop = shop
        self._machinery = machinery
        self._outside = outside
        self._parties: list[Party] = []
        self.taken = shop.functions.reserve()
        """Called when the engine tells of the end's buffer: with the end, and the event's code."""

    def holds(self, element: ValType | None) -> bool:
        """Whether elements of a type lie in buffers of ours."""
        return element is not None and (self._outside.one_memory or self._has_handles(element))

    def offered(self, em: Emitter, party: Party, operands: tuple[Local, ...]) -> tuple[Local, list[Local]]:
        """A buffer in place of the guest's, with what is to be written in it: pointer and length. operands: end, the
        guest's pointer, and length of a stream's, which are checked."""
        b, element = em.b, party.element
        end, guests, *lengths = operands
        assert element is not None
        heap, outside = self._outside.heap, self._outside.side()
        memory, size = outside.needs_memory(), em.layouts(outside).elem_size(element)
        if party not in self._parties:
            self._parties.append(party)
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
        if self._keeps(party):
            self._push_copy(em, party, guests, count)
            b.op(Op.I64_EXTEND_I32_U)
        else:
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

    def finish(self) -> None:
        """Write what is called when the engine tells: all parties are known."""
        b = FuncBuilder("elements translated", CoreFuncType((I32, I32), ()))
        self._write_taken(Emitter(self._shop, b))
        self._shop.functions.define(self.taken, b)

    # --- inside -----------------------------------------------------------------------------------------------
    def _write_taken(self, em: Emitter) -> None:
        b, memory = em.b, self._machinery.memory
        if not self._parties:
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
        b.load(Load.I32, memory, _STATE)
        b.op(Op.I32_EQZ)
        b.get(code)
        b.i32(4)
        b.op(Op.I32_LT_U)
        b.op(Op.SELECT)
        b.set(count)
        for party in self._parties:
            element = party.element
            assert element is not None
            b.get(number)
            b.i32(party.number)
            b.op(Op.I32_EQ)
            with b.if_():
                if party.writes and self._has_pointers(element):
                    b.i32(-1)
                    b.call(heap("hold"))
                keeps = self._keeps(party)
                side = replace(party.side, memory=outside.needs_memory()) if keeps else party.side
                with b.scratch(side.pointer) as (guests,):
                    b.get(buffer)
                    b.load(Load.I64, lodged, _GUESTS)
                    if side.pointer is I32:
                        b.op(Op.I32_WRAP_I64)
                    b.set(guests)
                    if not party.writes or self._has_handles(element):
                        b.get(count)
                        with b.if_():
                            here, there = Addr(outside, at, 0), Addr(side, guests, 0)
                            # of what was written, the guest's handles go; the copy that this makes is of no use
                            source, destination = (there, here) if party.writes else (here, there)
                            self._move(em, element, source, destination, count)
                    if keeps:
                        b.get(guests)
                        b.call(heap("free"))
                if self._has_pointers(element):
                    b.call(heap("close"))
        for block in (at, buffer):
            b.get(block)
            b.call(heap("free"))

    def _keeps(self, party: Party) -> bool:
        """Whether a copy of the guest's elements is kept."""
        element = party.element
        return party.writes and element is not None and self._has_handles(element) and not self._has_pointers(element)

    def _push_copy(self, em: Emitter, party: Party, guests: Local, count: Local) -> None:
        """A block with the guest's elements. Nothing in them points, so they are as large here as there."""
        b, outside, element = em.b, self._outside.side(), party.element
        assert element is not None
        with b.scratch(I32, I64) as (kept, length):
            b.get(count)
            b.op(Op.I64_EXTEND_I32_U)
            b.i64(em.layouts(outside).elem_size(element))
            b.op(Op.I64_MUL)
            b.tee(length)
            b.op(Op.I32_WRAP_I64)
            b.call(self._outside.heap("block"))
            b.set(kept)
            b.get(count)
            with b.if_():
                copy_bytes(em, Addr(party.side, guests, 0), Addr(outside, kept, 0), length)
            b.get(kept)

    def _has_handles(self, element: ValType) -> bool:
        return bool(self._shop.abi.contents.content(element) & (Content.HANDLE | Content.STREAM | Content.FUTURE))

    def _has_pointers(self, element: ValType) -> bool:
        """Whether something of an element is in the heap's chain."""
        return Content.POINTER in self._shop.abi.contents.content(element)

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
