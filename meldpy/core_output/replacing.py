"""The functions that stand in for instructions which a target lacks, as text.

Each takes and gives what the instruction does, and traps where it does, before anything is written: an access out of
bounds for memory.copy and memory.fill, so that the kind of the trap is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, final

from meldpy.model.core import CoreModule, MemoryType
from meldpy.records import dataclass

Key: TypeAlias = "tuple[str, int | tuple[int, int]]"


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """truncations: by opcode behind 0xFC; copies: pairs of memories (destination, source); fills: memories."""

    truncations: tuple[int, ...]
    copies: tuple[tuple[int, int], ...]
    fills: tuple[int, ...]

    @property
    def something(self) -> bool:
        return bool(self.truncations or self.copies or self.fills)

    def order(self) -> list[Key]:
        """The functions of `replacing`, in order."""
        found: list[Key] = [("truncation", each) for each in self.truncations]
        found += [("copy", each) for each in self.copies]
        found += [("fill", each) for each in self.fills]
        return found


def replacing(wanted: Wanted, memories: Sequence[MemoryType], assemble: Callable[[str], CoreModule]) -> CoreModule:
    """A module of these functions. It defines as many memories as the one that it is for, of the same address types."""
    parts = [f"(memory {'i64 ' if each.limits.is64 else ''}1)" for each in memories]
    parts += [_truncation(each) for each in wanted.truncations]
    parts += [_copy(pair, memories) for pair in wanted.copies]
    parts += [_fill(memory, memories[memory]) for memory in wanted.fills]
    return assemble("(module\n" + "\n".join(parts) + ")")


# --- truncations ------------------------------------------------------------------------------------------------------
_LIMITS: Final = {
    ("i32", "s"): ("-2147483648", "2147483648", "0x80000000", "0x7fffffff"),
    ("i32", "u"): ("0", "4294967296", "0", "0xffffffff"),
    ("i64", "s"): ("-9223372036854775808", "9223372036854775808", "0x8000000000000000", "0x7fffffffffffffff"),
    ("i64", "u"): ("0", "18446744073709551616", "0", "0xffffffffffffffff"),
}
"""What is below the first is the third, and what is not below the second is the fourth. All are exact in f32."""


def _truncation(opcode: int) -> str:
    to, source, sign = "i64" if opcode & 4 else "i32", "f64" if opcode & 2 else "f32", "u" if opcode & 1 else "s"
    low, high, least, most = _LIMITS[to, sign]
    return f"""(func (param $x {source}) (result {to})
  (if ({source}.ne (local.get $x) (local.get $x)) (then (return ({to}.const 0))))
  (if ({source}.lt (local.get $x) ({source}.const {low})) (then (return ({to}.const {least}))))
  (if ({source}.ge (local.get $x) ({source}.const {high})) (then (return ({to}.const {most}))))
  ({to}.trunc_{source}_{sign} (local.get $x)))"""


# --- memory ---------------------------------------------------------------------------------------------------------
def _type(memory: MemoryType) -> str:
    return "i64" if memory.limits.is64 else "i32"


def _check(index: int, memory: MemoryType, at: str, length: str, length_type: str) -> str:
    """Trap unless the bytes lie in the memory; by subtraction, so that nothing wraps around."""
    type_, page_log2 = _type(memory), memory.limits.page_size_log2
    shift = 16 if page_log2 is None else page_log2
    size = f"(i64.shl {_wide(f'(memory.size {index})', type_)} (i64.const {shift}))"
    start, bytes_ = _wide(f"(local.get {at})", type_), _wide(f"(local.get {length})", length_type)
    never = f"(i64.load {index} offset=0xffffffff align=1 ({type_}.const -1))"
    return f"""(if (i32.or (i64.gt_u {start} {size}) (i64.gt_u {bytes_} (i64.sub {size} {start})))
    (then (drop {never})))"""


def _wide(value: str, type_: str) -> str:
    return value if type_ == "i64" else f"(i64.extend_i32_u {value})"


def _narrow(value: str, from_: str, to: str) -> str:
    return value if from_ == to else f"(i32.wrap_i64 {value})" if to == "i32" else f"(i64.extend_i32_u {value})"


def _copy(pair: tuple[int, int], memories: Sequence[MemoryType]) -> str:
    """Eight bytes at a time. Within one memory from the end, if the destination is the higher one."""
    d, s = (_type(memories[index]) for index in pair)
    n = "i64" if d == s == "i64" else "i32"
    to, from_ = pair

    def put(size: int) -> str:
        op = "i64.{}" if size == 8 else "i64.{}8{}"
        load = op.format("load", "_u") + f" {from_} align=1 (local.get $from)"
        return f"({op.format('store', '')} {to} align=1 (local.get $to) ({load}))"

    def step(size: int, op: str) -> str:
        moved = f"(local.set $to ({d}.{op} (local.get $to) ({d}.const {size})))"
        moved += f" (local.set $from ({s}.{op} (local.get $from) ({s}.const {size})))"
        return moved + f" (local.set $n ({n}.sub (local.get $n) ({n}.const {size})))"

    def loop(size: int, body: str) -> str:
        return (
            f"(block $done (loop $next (br_if $done ({n}.lt_u (local.get $n) ({n}.const {size}))) {body} (br $next)))"
        )

    up = " ".join(loop(size, put(size) + " " + step(size, "add")) for size in (8, 1))
    down = ""
    if to == from_:
        ends = " ".join(
            f"(local.set ${name} ({t}.add (local.get ${name}) {_narrow('(local.get $n)', n, t)}))"
            for name, t in (("to", d), ("from", s))
        )
        loops = " ".join(loop(size, step(size, "sub") + " " + put(size)) for size in (8, 1))
        down = f"(if ({d}.gt_u (local.get $to) (local.get $from)) (then {ends} {loops} (return)))"
    return f"""(func (param $to {d}) (param $from {s}) (param $n {n})
  {_check(to, memories[to], "$to", "$n", n)}
  {_check(from_, memories[from_], "$from", "$n", n)}
  {down}
  {up})"""


def _fill(index: int, memory: MemoryType) -> str:
    t = _type(memory)

    def loop(size: int, op: str) -> str:
        return (
            f"(block $done (loop $next (br_if $done ({t}.lt_u (local.get $n) ({t}.const {size})))"
            f" ({op} {index} align=1 (local.get $to) (local.get $bytes))"
            f" (local.set $to ({t}.add (local.get $to) ({t}.const {size})))"
            f" (local.set $n ({t}.sub (local.get $n) ({t}.const {size}))) (br $next)))"
        )

    return f"""(func (param $to {t}) (param $value i32) (param $n {t}) (local $bytes i64)
  {_check(index, memory, "$to", "$n", t)}
  (local.set $bytes
    (i64.mul (i64.extend_i32_u (i32.and (local.get $value) (i32.const 0xff))) (i64.const 0x0101010101010101)))
  {loop(8, "i64.store")} {loop(1, "i64.store8")})"""
