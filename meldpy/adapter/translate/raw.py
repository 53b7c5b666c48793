"""Values that only change their place, on one side: from memory to flat values, as they are.

What a value points to stays where it is, and handles stay handles. Scalars, records and variants are translated as
always, since their checks are made again by whoever takes the flat values.
"""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Place
from meldpy.adapter.translate.pairs import pair_destination, pair_source
from meldpy.adapter.translate.scalars import read_word, written_word
from meldpy.model.valtype import (
    BorrowType,
    FutureType,
    ListType,
    OwnType,
    PrimValType,
    StreamType,
    ValType,
)


def translate_raw(em: Emitter, type: ValType, src: Place, dst: Place) -> bool:
    """Moves a string, a list or a handle; False for any other type."""
    match em.shop.abi.shape(type):
        case PrimValType.STRING | ListType(_, None):
            with pair_source(em, src) as pair, pair_destination(em, dst) as moved:
                em.b.get(*pair)
                em.b.set(*moved)
        case OwnType() | BorrowType() | StreamType() | FutureType() | PrimValType.ERROR_CONTEXT:
            with written_word(em, dst):
                read_word(em, src)
        case _:
            return False
    return True
