"""The `target_features` section: what the inputs were compiled for, together. Spec: tool conventions, "Linking".

It tells later tools what they may meet in the module, so it must not leave anything out: it is written only if every
module with code has one, and says what this tool's own code uses as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from meldpy.asm.leb import unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import Bytes, CoreModule, RawCustom
from meldpy.model.fused import MergedUnit

SECTION: Final = "target_features"
_USED: Final = "+"
_OURS: Final = (
    "bulk-memory",
    "exception-handling",
    "multivalue",
    "mutable-globals",
    "reference-types",
    "sign-ext",
    "simd128",
)
"""What adapters and the runtime library use."""


def joined_features(units: Sequence[MergedUnit], main: CoreModule, memories: int) -> bytes | None:
    """The union of the features in use; None if some module does not say, or nothing says."""
    used: set[str] = set()
    for unit in units:
        found = [c.section.data for c in unit.module.customs if isinstance(c.section, RawCustom) and _named(c.section)]
        if not found:
            return None
        try:
            used.update(_used(found[-1]))
        except Malformed:
            return None
    if not units:
        return None
    used.update(_OURS)
    if memories > 1:
        used.add("multimemory")
    return _written(sorted(used))


def _named(section: RawCustom) -> bool:
    return section.name == SECTION


def _used(data: Bytes) -> list[str]:
    cursor = Cursor(data)
    features = [(chr(cursor.u8()), cursor.name()) for _ in range(cursor.u32())]
    if cursor.remaining or any(prefix not in "+-=" for prefix, _ in features):
        raise Malformed
    # "-" forbids a feature to what is linked in; fusing is past that, and others may use it.
    return [name for prefix, name in features if prefix != "-"]


def _written(names: Iterable[str]) -> bytes:
    entries = [_USED.encode() + unsigned(len(name.encode())) + name.encode() for name in names]
    return unsigned(len(entries)) + b"".join(entries)
