"""Whether a function returns nothing but the constant 0, so that a task whose function it is exits at once.

A callback lift's function answers with a code, and 0 is EXIT. If it can answer nothing else, a call of it never waits.
The walk is that of scan.wat, with the functions of zero.wat. What the walk cannot follow is not 0.

Spec: CanonicalABI.md, `canon_lift` with `callback`; core, "Instructions".
"""

from __future__ import annotations

from meldpy.kernel.loader import LOCK, Layout, zero_kernel
from meldpy.kernel.scan import clear_stamps
from meldpy.model.reindexed import IndexCounts


def returns_zero(body: bytes | memoryview, counts: IndexCounts) -> bool:
    """Whether the function with this body (its size in front) and one i32 result returns nothing but 0.

    counts: the sizes of the module's index spaces, imports included. False for a body that is not well-formed.
    """
    size = len(body)
    with LOCK:
        loaded = zero_kernel()
        layout = Layout()
        source = layout.take(size)
        kinds = layout.take(size)
        indices = layout.take(4 * size)
        loaded.reserve(layout.top)
        clear_stamps(loaded, counts, layout)
        loaded.view[source : source + size] = body
        return bool(loaded.call("zero", source, source + size, kinds, indices))
