"""Pointer and length of a string or list, in locals, wherever the place has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.asm import I64, Load, Local, Store


@contextmanager
def pair_source(em: Emitter, place: Place) -> Iterator[tuple[Local, Local]]:
    """The locals that hold pointer and length of the source; each is loaded from memory exactly once."""
    match place:
        case Flat(_, locals):
            pointer, length = locals
            yield pointer, length
        case Addr(side, base, offset):
            memory = side.needs_memory()
            wide = memory.address is I64
            op, width = (Load.I64, 8) if wide else (Load.I32, 4)
            with em.b.scratch(memory.address, memory.address) as (pointer, length):
                for local, at in ((pointer, offset), (length, offset + width)):
                    em.b.get(base)
                    em.b.load(op, memory.id, at)
                    em.b.set(local)
                yield pointer, length


@contextmanager
def pair_destination(em: Emitter, place: Place) -> Iterator[tuple[Local, Local]]:
    """Locals for pointer and length of the destination; what they hold at the end of the block is stored."""
    match place:
        case Flat(_, locals):
            pointer, length = locals
            yield pointer, length
        case Addr(side, base, offset):
            memory = side.needs_memory()
            wide = memory.address is I64
            op, width = (Store.I64, 8) if wide else (Store.I32, 4)
            with em.b.scratch(memory.address, memory.address) as (pointer, length):
                yield pointer, length
                for local, at in ((pointer, offset), (length, offset + width)):
                    em.b.get(base, local)
                    em.b.store(op, memory.id, at)
