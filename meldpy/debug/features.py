"""The `target_features` section: what the inputs were compiled for, together. Spec: tool conventions, "Linking".

It tells later tools what they may meet in the module, so it must not leave anything out: it is written only if every
module with code has one, and says what this tool's own code uses as well. What linkers of components put between
modules has none, and needs none: its functions do nothing but hand their parameters on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from meldpy.asm.leb import unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import Bytes, CoreFuncType, CoreModule, FuncImportType, NumType, RawCustom, TableType
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
_NUMBERS_BEHIND: Final = {0x0B: 0, 0x10: 1, 0x11: 2, 0x20: 1, 0x41: 1}
"""By opcode, for functions that hand on: end, call, call_indirect, local.get, i32.const."""


def joined_features(units: Sequence[MergedUnit], main: CoreModule, memories: int) -> bytes | None:
    """The union of the features in use; None if some module does not say, or nothing says."""
    used: set[str] = set()
    speaking = [unit for unit in units if not _only_hands_on(unit.module)]
    for unit in speaking:
        found = [c.section.data for c in unit.module.customs if isinstance(c.section, RawCustom) and _named(c.section)]
        if not found:
            return None
        try:
            used.update(_used(found[-1]))
        except Malformed:
            return None
    if not speaking:
        return None
    used.update(_OURS)
    if memories > 1:
        used.add("multimemory")
    return _written(sorted(used))


def _only_hands_on(module: CoreModule) -> bool:
    """Whether the module has functions and tables alone, of the first version, and its functions just call others."""
    limits = [table.type.limits for table in module.tables]
    limits += [import_.type.limits for import_ in module.imports if isinstance(import_.type, TableType)]
    types = [type_.comp for group in module.types for type_ in group.types]
    return (
        not (module.memories or module.globals or module.tags or module.elements or module.data)
        and all(isinstance(import_.type, FuncImportType | TableType) for import_ in module.imports)
        and not any(each.is64 or each.shared for each in limits)
        and all(isinstance(type_, CoreFuncType) and _of_numbers(type_) for type_ in types)
        and _just_calls(module.code.bodies)
    )


def _of_numbers(type_: CoreFuncType) -> bool:
    return all(isinstance(value, NumType) for value in (*type_.params, *type_.results))


def _just_calls(bodies: Bytes) -> bool:
    cursor = Cursor(bodies)
    try:
        while cursor.remaining:
            end = cursor.u32() + cursor.position
            if cursor.u32():
                return False  # it has locals of its own
            while cursor.position < end:
                behind = _NUMBERS_BEHIND.get(cursor.u8())
                if behind is None:
                    return False
                for _ in range(behind):
                    cursor.u32()
    except Malformed:
        return False
    return True


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
