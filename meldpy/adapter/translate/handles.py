"""Values that live in a handle table: own, borrow, and what async adds.

Crossing between two fused instances needs their handle tables, which are not built yet: `refusals` refuses every
call site whose type contains one before anything is emitted, so no such value can arrive here. The bridging
trampoline takes this module's place in the recursion; the rest of the adapter need not change for it.
"""

from __future__ import annotations

from typing import TypeAlias

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Place
from meldpy.errors import InternalError
from meldpy.model.valtype import BorrowType, FutureType, OwnType, PrimValType, ResourceType, StreamType, ValType

HandleType: TypeAlias = (
    "OwnType[ResourceType] | BorrowType[ResourceType] | StreamType[ValType] | FutureType[ValType] | PrimValType"
)
"""The one primitive among them is error-context."""


def translate_handle(em: Emitter, type: HandleType, src: Place, dst: Place) -> None:
    """Never reached: see above."""
    raise InternalError(f"a handle crosses in {em.b.name}, which should have been refused")
