"""Records and tuples: each field by itself. Spec: CanonicalABI.md `load_record`, `store_record`, flat twins."""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.translate.copying import copy_whole, worth_copying
from meldpy.model.valtype import DefinedType, ValType


def translate_record(em: Emitter, type: DefinedType, fields: Sequence[ValType], src: Place, dst: Place) -> None:
    """A record or tuple whose fields have the types `fields`."""
    if worth_copying(em, type, src, dst):
        copy_whole(em, type, src, dst)
        return
    sources, destinations = field_places(em, type, fields, src), field_places(em, type, fields, dst)
    for field, source, destination in zip(fields, sources, destinations, strict=True):
        em.translate(field, source, destination)


def field_places(em: Emitter, type: DefinedType, fields: Sequence[ValType], place: Place) -> list[Place]:
    """Where the fields of the record at `place` are."""
    match place:
        case Flat(side, locals):
            flattener = em.shop.abi.flattener(side.memory64)
            places: list[Place] = []
            start = 0
            for field in fields:
                flat = flattener.flat(field)
                assert flat is not None
                places.append(Flat(side, locals[start : start + len(flat)]))
                start += len(flat)
            assert start == len(locals)
            return places
        case Addr():
            return [place.at(offset) for offset in em.layouts(place.side).field_offsets(type)]
