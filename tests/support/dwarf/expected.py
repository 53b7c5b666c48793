"""What fused DWARF must say: every entry, attribute, list and row of every input, with addresses and globals moved.

Both sides are read by pyelftools; the map from old to new addresses is the merger's table (held against a reference of
its own by the kernel's tests). What differs is listed, with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from elftools.dwarf.dwarf_expr import DWARFExprOp, DWARFExprParser

from meldpy.model.fused import MergedUnit
from tests.support.dwarf.evaluate import Machine, pieces
from tests.support.dwarf.fused import Fused
from tests.support.dwarf.reader import dwarf_of

NOWHERE = (0, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF)
MINUS_TWO = (NOWHERE[1], NOWHERE[3])
DEAD = "dead"
SOMEWHERE = 0x50000
"""Where a region is taken to begin that can move."""
VALUES = (
    "DW_AT_frame_base",
    "DW_AT_call_value",
    "DW_AT_call_target",
    "DW_AT_vtable_elem_location",
    "DW_AT_count",
    "DW_AT_upper_bound",
)


@dataclass(frozen=True)
class Moves:
    """Old addresses of one unit to new ones, in plain Python."""

    unit: MergedUnit
    lead: int

    def kept(self, old: int) -> bool:
        assert self.unit.positions is not None
        return old >= self.unit.module.code.lead and self.unit.positions.kept(old - self.unit.module.code.lead)

    def place(self, old: int) -> int:
        assert self.unit.positions is not None
        return self.lead + self.unit.base + self.unit.positions.new(max(old - self.unit.module.code.lead, 0))

    def span(self, low: int, high: int) -> tuple[int, int] | None:
        """A range of old addresses, or None if nothing of it is left."""
        if low in NOWHERE or low < self.unit.module.code.lead or low >= high:
            return None
        new = self.place(low), self.place(high)
        return new if new[0] < new[1] else None


# --- rows ---------------------------------------------------------------------------------------------------------
Row = tuple[Any, ...]
_MARKS = ("line", "column", "is_stmt", "basic_block", "prologue_end", "epilogue_begin", "isa", "discriminator")


def _file_name(program: Any, index: int) -> tuple[Any, ...]:
    header = program.header
    version = header["version"]
    files = header["file_entry"]
    entry = files[index if version >= 5 else index - 1]
    directory = entry["dir_index"]
    if version < 5 and directory == 0:
        return (entry["name"],)
    return header["include_directory"][directory if version >= 5 else directory - 1], entry["name"]


def sequences(program: Any) -> Iterator[list[tuple[int, Row | None]]]:
    """(address, what the row says) in order; None ends a sequence."""
    rows: list[tuple[int, Row | None]] = []
    for entry in program.get_entries():
        if entry.state is None:
            continue
        state = entry.state
        if state.end_sequence:
            yield [*rows, (state.address, None)]
            rows = []
        else:
            rows.append((state.address, (_file_name(program, state.file), *(getattr(state, m) for m in _MARKS))))


def moved_sequences(program: Any, moves: Moves) -> Iterator[list[tuple[int, Row | None]]]:
    for sequence in sequences(program):
        if sequence[0][0] in NOWHERE:
            continue
        kept = [(moves.place(address), row) for address, row in sequence[:-1] if moves.kept(address)]
        if kept:
            yield [*kept, (moves.place(sequence[-1][0]), None)]


# --- entries --------------------------------------------------------------------------------------------------------
_LISTS = ("DW_FORM_sec_offset", "DW_FORM_loclistx", "DW_FORM_rnglistx")
_BASES = ("DW_AT_str_offsets_base", "DW_AT_addr_base", "DW_AT_rnglists_base", "DW_AT_loclists_base")
_ADDRESS_FORMS = ("DW_FORM_addr", "DW_FORM_addrx", *(f"DW_FORM_addrx{n}" for n in "1234"))


def _tombstone(cu: Any) -> int:
    return NOWHERE[2] if cu["address_size"] == 4 else NOWHERE[4]


def _is_local_alone(operations: Sequence[DWARFExprOp]) -> bool:
    return len(operations) == 1 and operations[0].op_name == "DW_OP_WASM_location" and operations[0].args[0] == 0


def _expression(cu: Any, data: Sequence[int], moves: Moves | None) -> object:
    """The operations, with globals moved; DEAD if one of them is gone."""
    operations: list[object] = []
    for operation in DWARFExprParser(cu.structs).parse_expr(list(data)):
        args = list(operation.args)
        if operation.op_name == "DW_OP_WASM_location" and args[0] in (1, 3) and moves is not None:
            args[1] = moves.unit.globals[args[1]]
            if args[1] == -1:
                return DEAD
        if operation.op_name in ("DW_OP_entry_value", "DW_OP_GNU_entry_value"):
            args = [str(args)]
        operations.append((operation.op_name, *args))
    if operations and all(op == ("DW_OP_nop",) for op in operations):
        return DEAD
    return operations


def _base_of(cu: Any) -> int:
    low = cu.get_top_DIE().attributes.get("DW_AT_low_pc")
    return 0 if low is None else int(low.value)


def _list(cu: Any, die: Any, attribute: Any, dwarf: Any) -> list[tuple[int, int, Any]]:
    """Absolute (low, high, expression or None) of a list of ranges or locations, tombstones as they are."""
    base = _base_of(cu)
    found: list[tuple[int, int, Any]] = []
    if attribute.name == "DW_AT_ranges":
        lists = dwarf.range_lists()
        entries = lists.get_range_list_at_offset(attribute.value, cu)
    else:
        entries = dwarf.location_lists().get_location_list_at_offset(attribute.value, die)
    for entry in entries:
        if hasattr(entry, "base_address"):
            base = entry.base_address
            continue
        low, high = entry.begin_offset, entry.end_offset
        expression = getattr(entry, "loc_expr", None)
        if low == -1:
            found.append((-1, -1, expression))
        elif entry.is_absolute:
            found.append((low, high, expression))
        elif base in NOWHERE[1:] or low in NOWHERE[1:]:
            found.append((NOWHERE[1], NOWHERE[1], expression))
        else:
            found.append((base + low, base + high, expression))
    return found


@dataclass
class Comparison:
    fused: Fused
    rows: int = 0
    entries: int = 0
    attributes: int = 0
    list_entries: int = 0
    moved_expressions: int = 0
    _entries: dict[int, int] = field(default_factory=dict)
    _references: list[tuple[str, int, int]] = field(default_factory=list)

    def differences(self) -> Iterator[str]:
        """How the fused DWARF differs from what it must be."""
        new = dwarf_of(self.fused.main)
        new_units = [] if new is None else list(new.iter_CUs())
        position = 0
        for unit in self.fused.units:
            old = dwarf_of(unit.module)
            if old is None:
                continue
            moves = Moves(unit, self.fused.lead)
            self._entries, self._references = {}, []
            for old_cu in old.iter_CUs():
                where = f"{unit.label} unit at {old_cu.cu_offset:#x}"
                if position >= len(new_units):
                    yield f"{where}: missing"
                    return
                new_cu = new_units[position]
                position += 1
                yield from self._lines(where, old, old_cu, new, new_cu, moves)
                yield from self._unit(where, old, old_cu, new, new_cu, moves)
            for place, before, after in self._references:
                if self._entries.get(before) != after:
                    yield f"{place}: leads to {after:#x} and not to {self._entries.get(before)}"
        if position != len(new_units):
            yield f"{len(new_units) - position} units too many"

    def _lines(self, where: str, old: Any, old_cu: Any, new: Any, new_cu: Any, moves: Moves) -> Iterator[str]:
        old_program, new_program = old.line_program_for_CU(old_cu), new.line_program_for_CU(new_cu)
        if old_program is None or new_program is None:
            if old_program is not new_program:
                yield f"{where}: line program only on one side"
            return
        pairs = zip_longest(moved_sequences(old_program, moves), sequences(new_program))
        for expected, found in pairs:
            if expected != found:
                yield f"{where}: rows {found} in place of {expected}"
                return
            self.rows += len(expected)

    def _unit(self, where: str, old: Any, old_cu: Any, new: Any, new_cu: Any, moves: Moves) -> Iterator[str]:
        dead: list[bool] = []
        depth = 0
        for old_die, new_die in zip_longest(old_cu.iter_DIEs(), new_cu.iter_DIEs()):
            if old_die is None or new_die is None:
                yield f"{where}: more entries on one side"
                return
            place = f"{where}: {old_die.tag} at {old_die.offset:#x}"
            if (old_die.tag, old_die.has_children) != (new_die.tag, new_die.has_children):
                yield f"{place}: {new_die.tag}"
                return
            if old_die.tag is None:
                depth -= 1
                del dead[depth:]
                continue
            self.entries += 1
            self._entries[old_die.offset] = new_die.offset
            below = any(dead)
            yield from self._entry(place, old, old_die, new, new_die, moves, below)
            if old_die.has_children:
                dead.append(self._buried(old_die, moves, depth))
                depth += 1

    def _extent(self, die: Any) -> tuple[int | None, int | None]:
        low, high = (die.attributes.get(f"DW_AT_{name}_pc") for name in ("low", "high"))
        if low is None:
            return None, None
        if high is None:
            return low.value, None
        return low.value, high.value if high.form in _ADDRESS_FORMS else low.value + high.value

    def _buried(self, die: Any, moves: Moves, depth: int) -> bool:
        low, high = self._extent(die)
        if low is None:
            return False
        if low in NOWHERE:
            return not (low == 0 and high is None and depth == 0)
        return not moves.kept(low) and (high is None or moves.span(low, high) is None)

    def _entry(
        self, place: str, old: Any, old_die: Any, new: Any, new_die: Any, moves: Moves, below: bool
    ) -> Iterator[str]:
        if list(old_die.attributes) != list(new_die.attributes):
            yield f"{place}: other attributes"
            return
        old_cu, new_cu = old_die.cu, new_die.cu
        buried = self._buried(old_die, moves, 0 if old_die.get_parent() is None else 1)
        for name, attribute in old_die.attributes.items():
            self.attributes += 1
            found = new_die.attributes[name]
            here = f"{place} {name}"
            if attribute.form != found.form:
                yield f"{here}: form {found.form}"
                continue
            if name in ("DW_AT_low_pc", "DW_AT_high_pc"):
                continue
            if name == "DW_AT_stmt_list" or name in _BASES:
                continue  # what they lead to is compared
            if attribute.form in _LISTS:
                yield from self._lists(here, old, old_die, attribute, new, new_die, found, moves, below)
            elif attribute.form == "DW_FORM_exprloc":
                expected = self._said(old, old_cu, name, attribute.value, moves)
                if (got := self._said(new, new_cu, name, found.value, None, moves)) != expected:
                    yield f"{here}: {got} in place of {expected}"
            elif attribute.form in _ADDRESS_FORMS:
                address = attribute.value
                if address not in NOWHERE:
                    address = moves.place(address) if moves.kept(address) else _tombstone(old_cu)
                if found.value != address:
                    yield f"{here}: {found.value:#x} in place of {address:#x}"
            elif attribute.form == "DW_FORM_ref_addr":
                self._references.append((here, attribute.value, found.value))
            elif attribute.form.startswith("DW_FORM_ref") and attribute.form != "DW_FORM_ref_sig8":
                self._references.append((here, attribute.value + old_cu.cu_offset, found.value + new_cu.cu_offset))
            elif attribute.value != found.value:
                yield f"{here}: {found.value!r} in place of {attribute.value!r}"
        low, high = self._extent(old_die)
        got = self._extent(new_die)
        if low is None:
            return
        if buried:
            if got[0] != _tombstone(new_die.cu) and low not in MINUS_TWO:
                yield f"{place}: dead, but at {got[0]:#x}"
        elif low == 0:
            if got != (low, high):
                yield f"{place}: moved from 0 to {got}"
        elif got != (moves.place(low), None if high is None else moves.place(high)):
            yield f"{place}: {got} in place of {moves.place(low):#x}"

    def _said(
        self, dwarf: Any, cu: Any, attribute: str, data: Sequence[int], moves: Moves | None, of: Moves | None = None
    ) -> object:
        """An expression as its operations; where its memory moved, what it comes to. moves: it is an old one."""
        unit = (moves or of).unit  # type: ignore[union-attr]
        region = unit.region
        plain = _expression(cu, data, moves)
        if plain is DEAD or region is None or not (region.base or region.base_global is not None):
            return plain
        self.moved_expressions += 1
        operations = DWARFExprParser(cu.structs).parse_expr(list(data))
        base, base_global = (0, None) if of is None else (region.base or SOMEWHERE, region.base_global)
        machine = Machine(
            base, lambda index: int(dwarf.get_addr(cu, index)), base_global, None if moves is None else unit.globals
        )
        if moves is not None and attribute not in VALUES and _is_local_alone(operations):
            return pieces([], machine)  # the engine's, and told by no place rather than by a wrong one (ADR-0096)
        start = base + 0x1234 if attribute == "DW_AT_data_member_location" else None
        if attribute in VALUES:
            # what is left on the stack, and no place
            operations = [*operations, DWARFExprOp(0x9F, "DW_OP_stack_value", [], 0)]
        return pieces(operations, machine, start)

    def _lists(
        self,
        here: str,
        old: Any,
        old_die: Any,
        attribute: Any,
        new: Any,
        new_die: Any,
        found: Any,
        moves: Moves,
        below: bool,
    ) -> Iterator[str]:
        name = attribute.name
        expected: list[object] = []
        for low, high, expression in _list(old_die.cu, old_die, attribute, old):
            span = (-1, -1) if low == -1 else moves.span(low, high)
            if span is not None and not below:
                moved = None if expression is None else self._said(old, old_die.cu, name, expression, moves)
                expected.append((*span, moved))
        got = [
            (low, high, None if expression is None else self._said(new, new_die.cu, name, expression, None, moves))
            for low, high, expression in _list(new_die.cu, new_die, found, new)
            if low not in NOWHERE
        ]
        self.list_entries += len(got)
        if got != expected:
            yield f"{here}: {got} in place of {expected}"
