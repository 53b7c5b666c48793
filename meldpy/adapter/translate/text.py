"""Strings as values of a place: fetch pointer and length, hand over to `strings`, put the results where they belong."""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Place, StringDestination, StringSource
from meldpy.adapter.translate.pairs import pair_destination, pair_source
from meldpy.adapter.translate.strings import translate_string


def translate_text(em: Emitter, src: Place, dst: Place) -> None:
    """One string."""
    with pair_source(em, src) as (src_ptr, src_length), pair_destination(em, dst) as (dst_ptr, dst_length):
        translate_string(
            em, StringSource(src.side, src_ptr, src_length), StringDestination(dst.side, dst_ptr, dst_length)
        )
