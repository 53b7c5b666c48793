"""DWARF in a file of its own, which the module names and which has the same build id.

Spec: WebAssembly's tool conventions, "External DWARF" (`external_debug_info`) and "Build ID".
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from meldpy.asm.leb import unsigned
from meldpy.debug.dwarf import SECTIONS
from meldpy.model.core import CoreModule, PlacedCustom, RawCustom
from meldpy.model.debug import LAST_SECTION
from meldpy.records import replace

EXTERNAL: Final = "external_debug_info"
BUILD_ID: Final = "build_id"
_ID_BYTES: Final = 16


def set_aside(main: CoreModule, name: str) -> tuple[CoreModule, CoreModule | None]:
    """`main` without its DWARF, naming the file `name`; and the whole module for that file. None if there is no DWARF.

    The file is a whole module because its readers want the sections that DWARF speaks of.
    """
    debug = [custom for custom in main.customs if _is_dwarf(custom)]
    if not debug:
        return main, None
    identity = _custom(BUILD_ID, build_id(main, debug))
    rest = tuple(custom for custom in main.customs if not _is_dwarf(custom))
    return (
        replace(main, customs=(*rest, identity, _custom(EXTERNAL, name.encode()))),
        replace(main, customs=(*main.customs, identity)),
    )


def build_id(main: CoreModule, debug: Sequence[PlacedCustom]) -> bytes:
    digest = sha256(main.code.bodies)
    for custom in debug:
        if isinstance(custom.section, RawCustom):
            digest.update(custom.section.data)
    return digest.digest()[:_ID_BYTES]


def _is_dwarf(custom: PlacedCustom) -> bool:
    return isinstance(custom.section, RawCustom) and custom.section.name in SECTIONS


def _custom(name: str, content: bytes) -> PlacedCustom:
    return PlacedCustom(LAST_SECTION, RawCustom(name, unsigned(len(content)) + content))
