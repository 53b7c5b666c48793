"""Strings: one call of the runtime library per string, for all nine pairs of string encodings.

Here only the binding is decided: which modules of the library serve the two memories, and which of their functions
the pair of encodings needs. The checks of the source, the transcoding and the sequence of reallocs are written in
WAT (`runtime/string_source.wat`, `runtime/strings.wat`); the realloc they call is the adapter's checked one
(`Emitter.realloc_symbol`), which is where may_leave, the exception barrier and the checks of its result are.

Spec: load_string_from_range, store_string_into_range. What is stored in memory around a string (its pointer and
length) is the business of the places it travels between.
"""

from __future__ import annotations

from meldpy import runtime
from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Memory, StringDestination, StringSource
from meldpy.adapter.translate.telling import telling_check
from meldpy.adapter.traps import Trap
from meldpy.model.canon import ENCODING_WORDS
from meldpy.model.code import FuncSymbol, RuntimeArg
from meldpy.model.ids import FuncId
from meldpy.model.marks import Transcoded

# Arguments are bound by position: these follow the imports of the two WAT files, each behind its memories.
_SOURCE_TRAPS = (
    Trap.STRING_TOO_LONG,
    Trap.STRING_MISALIGNED,
    Trap.STRING_OUT_OF_BOUNDS,
    Trap.INVALID_UTF8,
    Trap.INVALID_UTF16,
)
_SOURCE_CHECKS = ("utf8", "utf16", "latin1")


def translate_string(em: Emitter, src: StringSource, dst: StringDestination) -> None:
    """Lift the string at `src` and lower it to `dst`: reads the locals of `src`, sets those of `dst`.

    Lengths are code units, tagged where the encoding is latin1+utf16.
    """
    em.b.mark(Transcoded(src.encoding, dst.encoding))
    em.b.get(src.ptr, src.length)
    em.b.call(_string_function(em, src, dst))
    em.b.set(dst.ptr, dst.length)


def _string_function(em: Emitter, src: StringSource, dst: StringDestination) -> FuncId:
    """The function of the library that carries strings from `src` to `dst`."""
    module = runtime.strings(_shape(src.memory), _shape(dst.memory))
    checks = tuple(_source_check(em, src, export) for export in _SOURCE_CHECKS)
    args: tuple[RuntimeArg, ...] = (src.memory.id, dst.memory.id, em.realloc_symbol(dst.side), *checks)
    export = f"{ENCODING_WORDS[src.encoding]}-to-{ENCODING_WORDS[dst.encoding]}"
    return em.library.func(module, args, export)


def _source_check(em: Emitter, src: StringSource, export: str) -> FuncSymbol:
    """The function of the library that checks a string in a source memory."""
    # Canonical options take no shared memory, so what was checked stays so until it has been copied.
    memory = src.memory
    assert not memory.shared
    args: tuple[RuntimeArg, ...] = (memory.id, *(em.trap_symbol(trap) for trap in _SOURCE_TRAPS))
    check = em.library.func(runtime.string_source(_shape(memory)), args, export)
    return telling_check(em.shop, src.side, export, check) if em.shop.tell_values else check


def _shape(memory: Memory) -> runtime.MemoryShape:
    return runtime.MemoryShape(memory.memory64, memory.page_log2)
