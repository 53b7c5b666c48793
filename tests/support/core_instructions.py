"""The instructions of core WebAssembly as the spec's index lists them: name, opcode, immediates.

Written apart from the kernel's table, to be held against it. Sources: WebAssembly 3.0 core, appendix "Index of
Instructions"; the threads, wide-arithmetic and legacy exception-handling proposals.

A line of `_TABLE` is an opcode (a prefix and a sub-opcode are two numbers) and then either one instruction with its
immediates, or, after `..`, the names of several from that opcode on, without immediates or all with those in
brackets; `-` leaves an opcode out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """`immediates`: words that `reference_decoder` explains, one per immediate."""

    name: str
    prefix: int | None
    opcode: int
    immediates: tuple[str, ...]


_TABLE = """
00 .. unreachable nop
02 block block
03 loop block
04 if block
05 else
06 try block
07 catch tag
08 throw throws tag
09 rethrow throws label
0a throw_ref throws
0b end end
0c br label
0d br_if label
0e br_table labels
0f return
10 call func:call
11 call_indirect type table:call
12 return_call func:call
13 return_call_indirect type table:call
14 call_ref callref type
15 return_call_ref callref type
18 delegate label end
19 catch_all
1a drop
1b select
1c select types
1f try_table block catches
20 .. [local] local.get local.set local.tee
23 global.get global:get
24 global.set global:set
25 table.get table:read
26 table.set table:write
28 .. [memarg:read] i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u
2e .. [memarg:read] i32.load16_s i32.load16_u i64.load8_s i64.load8_u
32 .. [memarg:read] i64.load16_s i64.load16_u i64.load32_s i64.load32_u
36 .. [memarg:write] i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32
3f memory.size memory:read
40 memory.grow memory:write
41 i32.const i32
42 i64.const i64
43 f32.const f32
44 f64.const f64
45 .. i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
50 .. i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
5b .. f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge
67 .. i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u
71 .. i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr
79 .. i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u
83 .. i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr
8b .. f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt
92 .. f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign
99 .. f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt
a0 .. f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign
a7 .. i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u
ac .. i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u
b2 .. f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64
b7 .. f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32
bc .. i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64
c0 .. i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s
d0 ref.null heap
d1 ref.is_null
d2 ref.func func:ref
d3 .. ref.eq ref.as_non_null
d5 br_on_null label
d6 br_on_non_null label
fb 00 .. [type] struct.new struct.new_default
fb 02 .. [type,field] struct.get struct.get_s struct.get_u struct.set
fb 06 .. [type] array.new array.new_default
fb 08 array.new_fixed type length
fb 09 array.new_data type data
fb 0a array.new_elem type elem
fb 0b .. [type] array.get array.get_s array.get_u array.set
fb 0f array.len
fb 10 array.fill type
fb 11 array.copy type type
fb 12 array.init_data type data
fb 13 array.init_elem type elem
fb 14 .. [heap] ref.test ref.test_null ref.cast ref.cast_null
fb 18 br_on_cast castflags label heap heap
fb 19 br_on_cast_fail castflags label heap heap
fb 1a .. any.convert_extern extern.convert_any ref.i31 i31.get_s i31.get_u
fc 00 .. i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u
fc 04 .. i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u
fc 08 memory.init data memory:write
fc 09 data.drop data
fc 0a memory.copy memory:write memory:read
fc 0b memory.fill memory:write
fc 0c table.init elem table:write
fc 0d elem.drop elem
fc 0e table.copy table:write table:read
fc 0f table.grow table:write
fc 10 table.size table:read
fc 11 table.fill table:write
fc 13 .. i64.add128 i64.sub128 i64.mul_wide_s i64.mul_wide_u
fd 00 .. [memarg:read] v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s
fd 06 .. [memarg:read] v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat
fd 0b v128.store memarg:write
fd 0c v128.const v128
fd 0d i8x16.shuffle lanes16
fd 0e .. i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat
fd 15 .. [lane] i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s i16x8.extract_lane_u
fd 1a .. [lane] i16x8.replace_lane i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane
fd 1f .. [lane] f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane
fd 23 .. i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s i8x16.ge_u
fd 2d .. i16x8.eq i16x8.ne i16x8.lt_s i16x8.lt_u i16x8.gt_s i16x8.gt_u i16x8.le_s i16x8.le_u i16x8.ge_s i16x8.ge_u
fd 37 .. i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s i32x4.gt_u i32x4.le_s i32x4.le_u i32x4.ge_s i32x4.ge_u
fd 41 .. f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge
fd 4d .. v128.not v128.and v128.andnot v128.or v128.xor v128.bitselect v128.any_true
fd 54 .. [memarg:read,lane] v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane
fd 58 .. [memarg:write,lane] v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane
fd 5c .. [memarg:read] v128.load32_zero v128.load64_zero
fd 5e .. f32x4.demote_f64x2_zero f64x2.promote_low_f32x4
fd 60 .. i8x16.abs i8x16.neg i8x16.popcnt i8x16.all_true i8x16.bitmask i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u
fd 67 .. f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest i8x16.shl i8x16.shr_s i8x16.shr_u
fd 6e .. i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u
fd 74 .. f64x2.ceil f64x2.floor i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u f64x2.trunc i8x16.avgr_u
fd 7c .. i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u
fd 7e .. i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u
fd 80 .. i16x8.abs i16x8.neg i16x8.q15mulr_sat_s i16x8.all_true i16x8.bitmask i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u
fd 87 .. i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u
fd 8b .. i16x8.shl i16x8.shr_s i16x8.shr_u i16x8.add i16x8.add_sat_s i16x8.add_sat_u
fd 91 .. i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u f64x2.nearest i16x8.mul
fd 96 .. i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u - i16x8.avgr_u
fd 9c .. i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u
fd a0 .. i32x4.abs i32x4.neg - i32x4.all_true i32x4.bitmask
fd a7 .. i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u
fd ab .. i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add
fd b1 .. i32x4.sub - - - i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s
fd bc .. i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u
fd c0 .. i64x2.abs i64x2.neg - i64x2.all_true i64x2.bitmask
fd c7 .. i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u
fd cb .. i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add
fd d1 .. i64x2.sub - - - i64x2.mul i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s
fd dc .. i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u
fd e0 .. f32x4.abs f32x4.neg - f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div
fd e8 .. f32x4.min f32x4.max f32x4.pmin f32x4.pmax
fd ec .. f64x2.abs f64x2.neg - f64x2.sqrt f64x2.add f64x2.sub f64x2.mul f64x2.div
fd f4 .. f64x2.min f64x2.max f64x2.pmin f64x2.pmax
fd f8 .. i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u
fd fc .. i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u
fd 100 .. i8x16.relaxed_swizzle i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u
fd 103 .. i32x4.relaxed_trunc_f64x2_s_zero i32x4.relaxed_trunc_f64x2_u_zero
fd 105 .. f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd
fd 109 .. i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect
fd 10d .. f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max
fd 111 .. i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s i32x4.relaxed_dot_i8x16_i7x16_add_s
fe 00 .. [memarg:write] memory.atomic.notify memory.atomic.wait32 memory.atomic.wait64
fe 03 atomic.fence zero
fe 10 .. [memarg:write] i32.atomic.load i64.atomic.load i32.atomic.load8_u i32.atomic.load16_u
fe 14 .. [memarg:write] i64.atomic.load8_u i64.atomic.load16_u i64.atomic.load32_u
fe 17 .. [memarg:write] i32.atomic.store i64.atomic.store i32.atomic.store8 i32.atomic.store16
fe 1b .. [memarg:write] i64.atomic.store8 i64.atomic.store16 i64.atomic.store32
"""


def _parse() -> dict[tuple[int | None, int], Instruction]:
    found: dict[tuple[int | None, int], Instruction] = {}

    def add(prefix: int | None, opcode: int, name: str, immediates: tuple[str, ...]) -> None:
        assert (prefix, opcode) not in found, f"{opcode:#x} listed twice"
        found[prefix, opcode] = Instruction(name, prefix, opcode, immediates)

    for line in _TABLE.strip().splitlines():
        words = line.split()
        prefix = int(words.pop(0), 16) if words[0] in ("fb", "fc", "fd", "fe") else None
        opcode = int(words.pop(0), 16)
        if words[0] != "..":
            add(prefix, opcode, words[0], tuple(words[1:]))
            continue
        shared = tuple(words.pop(1)[1:-1].split(",")) if words[1].startswith("[") else ()
        for i, name in enumerate(words[1:]):
            if name != "-":
                add(prefix, opcode + i, name, shared)
    # read-modify-write: seven widths per operation
    opcode = 0x1E
    for operation in ("add", "sub", "and", "or", "xor", "xchg", "cmpxchg"):
        for width in ("i32.atomic.rmw", "i64.atomic.rmw", "i32.atomic.rmw8", "i32.atomic.rmw16"):
            suffix = "_u" if width[-1] in "68" else ""
            add(0xFE, opcode, f"{width}.{operation}{suffix}", ("memarg:write",))
            opcode += 1
        for width in ("8", "16", "32"):
            add(0xFE, opcode, f"i64.atomic.rmw{width}.{operation}_u", ("memarg:write",))
            opcode += 1
    return found


INSTRUCTIONS = _parse()
"""By (prefix or None, opcode)."""
