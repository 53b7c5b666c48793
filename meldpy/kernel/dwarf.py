"""DWARF of one core module, rewritten for code that has moved: sections in, sections out.

The loops over bytes are written in WAT (dwarf.wat and the files beside it, where each section's rules are). Here is
what surrounds them: where each section lies, in which order the steps run, and the words for what goes wrong.

Not done here: joining the sections of several modules, and choosing where strings go (debug).

Spec: DWARF 5, DWARF 4, and WebAssembly's conventions for both (addresses count from the code section's content).
"""

from __future__ import annotations

from array import array
from functools import cache
from threading import Lock
from typing import Final, final

from wasmtime import Trap, WasmtimeError

from meldpy.errors import LimitError
from meldpy.kernel.dwarf_codes import effects, operands, roles
from meldpy.kernel.dwarf_frames import Place, UnknownFrames, moved_frames
from meldpy.kernel.dwarf_memory import widened
from meldpy.kernel.loader import Kernel, Layout, load, text_of
from meldpy.model.debug import DwarfInput, DwarfOutput, UnknownDwarf

_SOURCES: Final = (
    "dwarf.wat",
    "dwarf_expressions.wat",
    "dwarf_memory.wat",
    "dwarf_units.wat",
    "dwarf_lists.wat",
    "dwarf_lines.wat",
    "dwarf_tables.wat",
)
_OPERANDS_AT: Final = 0x200
_EFFECTS_AT: Final = 0x40300
_HEAP: Final = 0x40400
_LOCK: Final = Lock()

_EFFORT: Final = 16
"""Steps that reading may take for each byte; what compilers write takes two at most."""
_LEAST_EFFORT: Final = 1 << 20

_REASONS: Final = {
    1: "it ends inside of something",
    2: "reading it takes too long",
    3: "it grows too much",
    4: "malformed LEB128 integer",
    5: "64-bit DWARF",
    6: "addresses that are neither of 4 nor of 8 bytes, or segmented",
    7: "a moved length does not fit where it is written",
    8: "an offset or index that leads nowhere",
    9: "an unknown operation in an expression",
    10: "a version that is none of 2 to 5, or an unknown kind of unit",
    11: "split DWARF (.dwo), whose other half is not here",
    12: "an unknown or too large abbreviation code",
    13: "an unknown or supplementary form",
    14: "an offset into a section that is not rewritten (macros)",
    15: "a list that units with different bases share",
    16: "an unknown entry of a list",
    17: "a line program with an unusual header",
}


@cache
def _kernel() -> Kernel:
    loaded = load(text_of(_SOURCES), optimise=True)
    table = roles()
    loaded.view[: len(table)] = table
    loaded.view[_OPERANDS_AT : _OPERANDS_AT + 256] = operands()
    loaded.view[_EFFECTS_AT : _EFFECTS_AT + 256] = effects()
    return loaded


def rewrite_dwarf(given: DwarfInput) -> DwarfOutput | UnknownDwarf:
    """The sections of one module for its moved code; UnknownDwarf says why there is nothing that could be kept."""
    with _LOCK:
        try:
            run = _Run(given)
            return DwarfOutput(run.sections(), run.left_out)
        except _Failure as failure:
            reason = _REASONS[failure.code] if failure.code else "the rewriter trapped, a defect of meldpy"
            return UnknownDwarf(reason, failure.code)
        except LimitError:
            return UnknownDwarf("it is too large", 0)


class _Failure(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@final
class _Run:
    """One module's sections in the kernel's memory."""

    def __init__(self, given: DwarfInput) -> None:
        self.given = given
        self.loaded = _kernel()
        self.layout = Layout(_HEAP)
        self.results: dict[str, bytes] = {}
        self.given_sections = given.sections
        self.left_out: tuple[tuple[str, str], ...] = ()
        self.set("failure", 0)
        self.set("loaded", -1)
        self.set("widening", 0)
        self._fuel()

    def _fuel(self) -> None:
        self.set("fuel", _LEAST_EFFORT + _EFFORT * sum(map(len, self.given_sections.values())))

    # --- memory and calls
    def set(self, name: str, value: int) -> None:
        if name != "fuel":
            value = (value + 0x80000000) % 0x100000000 - 0x80000000
        self.loaded.globals[name].set_value(self.loaded.store, value)

    def get(self, name: str) -> int:
        value = self.loaded.globals[name].value(self.loaded.store)
        assert isinstance(value, int)
        return value & 0xFFFFFFFF

    def call(self, name: str, *args: int) -> None:
        try:
            self.loaded.functions[name](self.loaded.store, *args)
        except (Trap, WasmtimeError) as error:
            raise _Failure(self.get("failure")) from error

    def room(self, size: int) -> int:
        at = self.layout.take(size)
        self.loaded.reserve(self.layout.top)
        return at

    def put(self, data: bytes | memoryview) -> int:
        at = self.room(len(data))
        self.loaded.view[at : at + len(data)] = data
        return at

    def blank(self, size: int) -> int:
        at = self.room(size)
        self.call("clear", at, size)
        return at

    def bytes_of(self, start: int, end: int) -> bytes:
        return bytes(self.loaded.view[start:end])

    # --- sections
    def _section(self, name: str) -> bytes | memoryview:
        """The section, empty if there is none."""
        key = f".debug_{name}"
        return self.given_sections.get(key, b"")

    def _load(self, name: str) -> int:
        """Puts a section where the kernel finds it; its address."""
        data = self._section(name)
        at = self.put(data)
        self.set(name, at)
        if name != "info":
            self.set(f"{name}_size", len(data))
        return at

    def _base(self, name: str) -> None:
        self.set(f"{name}_base", self.given.bases[f".debug_{name}"])

    def sections(self) -> dict[str, bytes]:
        self._code()
        self._strings()
        for name in ("abbrev", "line", "addr", "ranges", "loc", "rnglists", "loclists"):
            self._load(name)
        self.set("records", self.room(8 * len(self._section("abbrev"))))
        region = self.given.region
        if region is not None and (region.base or region.base_global is not None):
            # What has moved in memory first: entries get longer.
            sections, indexes = widened(self, self.given_sections, region, len(self.given.globals))
            self.given_sections = sections
            self.left_out = tuple((name, "its entries moved with its memory") for name in indexes)
            self._load("loc")
            self._fuel()
        for name in ("abbrev", "info", "line", "addr", "str_offsets", "ranges", "loc", "rnglists", "loclists"):
            self._base(name)
        # Notes that units leave for what is written after them.
        self.set("addr_marks", self.blank(len(self._section("addr"))))
        for name in ("rnglists", "loclists"):
            self.set(f"{name}_notes", self.blank(16 * (len(self._section(name)) + 1)))
        references = self.room(3 * (len(self._section("info")) + len(self._section("types"))))
        self.set("fixups", references)
        self.set("fixups_end", references)
        # Lines first: units say where theirs begin. Units next: what they say of lists is needed to read those.
        self._lines()
        copies = {name: self.put(self._section(name)) for name in ("ranges", "loc")}
        for name, copy in copies.items():
            self.set(f"{name}_out", copy)
        copies |= {name: self._units(name) for name in ("info", "types")}
        for name in ("rnglists", "loclists"):
            self._lists(name)
        self.call("fix_all")
        copies["addr"] = self.put(self._section("addr"))
        self.call("addresses", copies["addr"])
        for name, copy in copies.items():
            self._keep(name, copy, copy + len(self._section(name)))
        self._keep_bytes("abbrev", bytes(self._section("abbrev")))
        self._tables()
        self._frames()
        return self.results

    def _keep(self, name: str, start: int, end: int) -> None:
        self._keep_bytes(name, self.bytes_of(start, end))

    def _keep_bytes(self, name: str, data: bytes) -> None:
        if data:
            self.results[f".debug_{name}"] = data

    def _code(self) -> None:
        given = self.given
        table = memoryview(given.positions).cast("B")
        self.set("positions", self.put(table))
        self.set("code_size", len(given.positions) - 1)
        self.set("lead", given.lead)
        self.set("code_base", given.code_base)
        indices = array("i", given.globals)
        if given.region is not None and given.region.base_global is not None:
            indices.append(given.region.base_global)
        self.set("globals", self.put(memoryview(indices).cast("B")))
        self.set("global_count", len(indices))

    def _strings(self) -> None:
        for name, moved in (("str", self.given.strings), ("line_str", self.given.line_strings)):
            old = self.put(memoryview(moved.old).cast("B"))
            new = self.put(memoryview(moved.new).cast("B"))
            size = moved.old[-1]
            table = self.room(4 * size)
            self.call("spread", old, new, len(moved.new), table)
            self.set(f"{name}_size", size)
            self.set(f"{name}_new", table)

    def _lines(self) -> None:
        size = len(self._section("line"))
        self.set("line_new", self.room(4 * size))
        start = self._writing(12 * size + 64)
        self.call("lines")
        self._keep("line", start, self.get("writing"))

    def _writing(self, size: int) -> int:
        start = self.room(size)
        self.set("writing", start)
        self.set("writing_end", start + size)
        return start

    def _units(self, name: str) -> int:
        data = self._section(name)
        at, out = self.put(data), self.put(data)
        self.call("units", at, len(data), out, int(name == "types"))
        return out

    def _lists(self, name: str) -> None:
        size = len(self._section(name))
        start = self._writing(8 * size + 64)
        self.call("lists", self.get(name), size, self.get(f"{name}_notes"), int(name == "loclists"))
        self._keep(name, start, self.get("writing"))

    def _frames(self) -> None:
        given = self.given
        if not self._section("frame"):
            return
        try:
            if self.get("widening"):
                raise UnknownFrames("what it finds in memory moved")
            place = Place(memoryview(given.positions), given.lead, given.code_base)
            self._keep_bytes("frame", moved_frames(self._section("frame"), place, given.bases[".debug_frame"]))
        except UnknownFrames as error:
            self.left_out += ((".debug_frame", str(error)),)

    def _tables(self) -> None:
        for name, function in (
            ("str_offsets", "string_offsets"),
            ("names", "names"),
            ("pubnames", "public_names"),
            ("pubtypes", "public_names"),
            ("gnu_pubnames", "public_names"),
            ("gnu_pubtypes", "public_names"),
        ):
            data = self._section(name)
            if data:
                at, out = self.put(data), self.put(data)
                self.call(function, at, len(data), out)
                self._keep(name, out, out + len(data))
        data = self._section("aranges")
        if data:
            at = self.put(data)
            start = self._writing(2 * len(data) + 64)
            self.call("address_ranges", at, len(data))
            self._keep("aranges", start, self.get("writing"))
