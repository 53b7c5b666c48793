"""The functions that go with a single memory, as text: traps, growth, and the operands of bulk instructions.

They are written as a module of their own, with the globals of regions, and indexed anew when they are put behind the
functions of the merged module. Growth follows `regions`: within the room; else the memory grows (by more than is
asked where others must move, so that they seldom do; by just that if there is no more) and everything behind moves up
in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.core_output.regions import PAGE, Region, RegionPlan
from meldpy.model.regions import MemoryUses
from meldpy.records import dataclass, field

OUT_OF_BOUNDS = "trap: out of bounds memory access"


@final
@dataclass(slots=True)
class Helpers:
    """text: the module. globals: names in order, with initial values. funcs: names in order."""

    text: str
    globals: list[tuple[str, int]] = field(default_factory=list)
    funcs: list[str] = field(default_factory=list)


def length_global(region: Region) -> str | None:
    """The global of a region's length in bytes, if it needs one."""
    return None if region.unchecked or not region.grows else f"length of memory {region.memory}"


def base_global(region: Region) -> str | None:
    return f"base of memory {region.memory}" if region.moves else None


def helpers(plan: RegionPlan, uses: MemoryUses) -> Helpers:
    made = Helpers("")
    for region in plan.regions:
        for name, value in ((length_global(region), region.size), (base_global(region), region.start)):
            if name is not None:
                made.globals.append((name, value))
    parts = list(_functions(plan, uses))
    made.funcs = [name for name, _ in parts]
    globals_ = "\n".join(f"(global {_id(name)} (mut i32) (i32.const {value}))" for name, value in made.globals)
    made.text = "(module (memory 1)\n" + globals_ + "\n" + "\n".join(text for _, text in parts) + ")"
    return made


def fill_name(region: Region) -> str:
    return f"operands of memory.fill {region.memory}"


def init_name(region: Region) -> str:
    """Of an i32 memory the operands have the types of memory.fill's."""
    return f"operands of memory.init {region.memory}" if region.is64 else fill_name(region)


def copy_name(destination: Region, source: Region) -> str:
    return f"operands of memory.copy {destination.memory} {source.memory}"


def grow_name(region: Region) -> str:
    return f"memory.grow {region.memory}"


# --- text ---------------------------------------------------------------------------------------------------------
def _functions(plan: RegionPlan, uses: MemoryUses) -> Iterator[tuple[str, str]]:
    by_memory = {region.memory: region for region in plan.regions}
    body = "(drop (i32.load8_u (i32.const -1)))"
    yield OUT_OF_BOUNDS, f"(func {_id(OUT_OF_BOUNDS)} {body})"
    for position, region in enumerate(plan.regions):
        if region.grows:
            yield grow_name(region), _grow(region, plan.regions[position + 1 :])
        elif region.memory in uses.grown:
            yield grow_name(region), _full(region)
    checked: dict[str, str] = {}
    for memory in sorted(uses.filled):
        checked.setdefault(fill_name(by_memory[memory]), _checked_fill(by_memory[memory], wide_length=True))
    for memory in sorted(uses.initialised):
        checked.setdefault(init_name(by_memory[memory]), _checked_fill(by_memory[memory], wide_length=False))
    yield from checked.items()
    for first, second in sorted(uses.copied):
        destination, source = by_memory[first], by_memory[second]
        yield copy_name(destination, source), _checked_copy(destination, source)


def _id(name: str) -> str:
    return "$" + name.replace(" ", "_")


def _length(region: Region) -> str:
    """In bytes, as i64."""
    if region.unchecked:
        return f"(i64.sub {_WHOLE} (i64.const {region.start}))"
    name = length_global(region)
    return f"(i64.const {region.size})" if name is None else f"(i64.extend_i32_u (global.get {_id(name)}))"


def _base(region: Region) -> str:
    name = base_global(region)
    return f"(i32.const {region.start})" if name is None else f"(global.get {_id(name)})"


_WHOLE = "(i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16))"


def _wide(local: str, is64: bool) -> str:
    return f"(local.get {local})" if is64 else f"(i64.extend_i32_u (local.get {local}))"


def _narrow(local: str, is64: bool) -> str:
    return f"(i32.wrap_i64 (local.get {local}))" if is64 else f"(local.get {local})"


def _type(is64: bool) -> str:
    return "i64" if is64 else "i32"


def _check(region: Region, address: str, length: str, wide_length: bool) -> str:
    """Trap unless the bytes lie in the region; two comparisons, so that no sum of i64 wraps."""
    at, bytes_ = _wide(address, region.is64), _wide(length, wide_length)
    outside = f"(i32.or (i64.gt_u {at} {_length(region)}) (i64.gt_u {bytes_} (i64.sub {_length(region)} {at})))"
    return f"(if {outside} (then (call {_id(OUT_OF_BOUNDS)}) unreachable))"


def _moved(region: Region, address: str) -> str:
    return f"(i32.add {_base(region)} {_narrow(address, region.is64)})"


def _checked_fill(region: Region, *, wide_length: bool) -> str:
    wide = region.is64 and wide_length
    name = fill_name(region) if wide_length else init_name(region)
    return (
        f"(func {_id(name)} (param $at {_type(region.is64)}) (param $value i32) (param $length {_type(wide)})"
        f" (result i32 i32 i32) {_check(region, '$at', '$length', wide)}"
        f" {_moved(region, '$at')} (local.get $value) {_narrow('$length', wide)})"
    )


def _checked_copy(destination: Region, source: Region) -> str:
    wide = destination.is64 and source.is64
    return (
        f"(func {_id(copy_name(destination, source))} (param $to {_type(destination.is64)})"
        f" (param $from {_type(source.is64)}) (param $length {_type(wide)}) (result i32 i32 i32)"
        f" {_check(destination, '$to', '$length', wide)} {_check(source, '$from', '$length', wide)}"
        f" {_moved(destination, '$to')} {_moved(source, '$from')} {_narrow('$length', wide)})"
    )


def _grow(region: Region, behind: tuple[Region, ...]) -> str:
    """memory.grow: the old size in pages, or -1."""
    type_ = _type(region.is64)
    old = f"(i64.shr_u {_length(region)} (i64.const {region.page_log2}))"
    old = old if region.is64 else f"(i32.wrap_i64 {old})"
    pages = f"(i64.shl {_wide('$delta', region.is64)} (i64.const {region.page_log2}))"
    lines = [
        f"(func {_id(grow_name(region))} (param $delta {type_}) (result {type_})",
        f"(local $old {type_}) (local $new i64) (local $end i64)",
        "(local $shift i64) (local $more i64) (local $moved i64)",
        # no sum wraps: a delta of 2^32 pages of one byte is too many for any region
        f"(if (i64.gt_u {_wide('$delta', region.is64)} (i64.const 0xFFFF_FFFF)) (then (return ({type_}.const -1))))",
        f"(local.set $old {old})",
        f"(local.set $new (i64.add {_length(region)} {pages}))",
        f"(if (i64.gt_u (local.get $new) (i64.const {region.most})) (then (return ({type_}.const -1))))",
    ]
    if region.unchecked:
        delta = _narrow("$delta", region.is64)
        lines.append(f"(if (i32.eq (memory.grow {delta}) (i32.const -1)) (then (return (i32.const -1))))")
    else:
        if region.room is None:
            lines.append(_make_room(region, behind, type_))
        name = length_global(region)
        assert name is not None
        lines.append(f"(global.set {_id(name)} (i32.wrap_i64 (local.get $new)))")
    return "\n".join([*lines, "(local.get $old))"])


def _full(region: Region) -> str:
    """memory.grow of what has all that it may have: only by nothing."""
    type_ = _type(region.is64)
    return (
        f"(func {_id(grow_name(region))} (param $delta {type_}) (result {type_}) (select"
        f" ({type_}.const {region.size >> region.page_log2}) ({type_}.const -1) ({type_}.eqz (local.get $delta))))"
    )


def _make_room(region: Region, behind: tuple[Region, ...], type_: str) -> str:
    """Unless the new length fits before what lies behind: grow the memory, and move that."""
    start = f"(i64.extend_i32_u {_base(region)})"
    end = _WHOLE if not behind else f"(i64.extend_i32_u {_base(behind[0])})"
    needed = f"(i64.add {start} (local.get $new))"
    up = f"(i64.and (i64.add (i64.sub {needed} (local.get $end)) (i64.const {PAGE - 1})) (i64.const {-PAGE}))"
    lines = [f"(local.set $end {end})", f"(if (i64.gt_u {needed} (local.get $end)) (then", f"(local.set $shift {up})"]
    grow = "(i32.eq (memory.grow (i32.wrap_i64 (i64.shr_u {} (i64.const 16)))) (i32.const -1))"
    fail = f"(then (return ({type_}.const -1)))"
    if not behind:
        lines.append(f"(if {grow.format('(local.get $shift)')} {fail})")
    else:
        # what lies behind, before anything grows
        moved = f"(i64.sub {_WHOLE} (local.get $end))"
        quarter = f"(i64.and (i64.shr_u (local.get $new) (i64.const 2)) (i64.const {-PAGE}))"
        room = f"(i64.sub (i64.const {region.most}) (local.get $new))"
        lines += [
            f"(local.set $more (i64.add (local.get $shift) (select {quarter} (i64.and {room} (i64.const {-PAGE}))"
            f" (i64.lt_u {quarter} {room}))))",
            f"(local.set $moved {moved})",
            f"(if {grow.format('(local.get $more)')}",
            f"(then (if {grow.format('(local.get $shift)')} {fail}))",
            "(else (local.set $shift (local.get $more))))",
            "(memory.copy (i32.wrap_i64 (i64.add (local.get $end) (local.get $shift)))"
            " (i32.wrap_i64 (local.get $end)) (i32.wrap_i64 (local.get $moved)))",
            "(memory.fill (i32.wrap_i64 (local.get $end)) (i32.const 0) (i32.wrap_i64"
            " (select (local.get $shift) (local.get $moved) (i64.lt_u (local.get $shift) (local.get $moved)))))",
        ]
        for each in behind:
            name = base_global(each)
            assert name is not None
            lines.append(
                f"(global.set {_id(name)} (i32.add (global.get {_id(name)}) (i32.wrap_i64 (local.get $shift))))"
            )
    return "\n".join([*lines, "))"])
