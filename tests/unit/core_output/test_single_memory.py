"""Several memories in one: no code can tell, whatever it accesses, wherever, and whatever moves meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.core_output import in_one_memory
from meldpy.core_output.regions import plan_regions
from meldpy.errors import LimitError, UnsupportedError, UsageError
from meldpy.kernel import chunks
from meldpy.kernel.opcodes import (
    _ATOMIC,
    _ATOMIC_ACCESSES,
    _ONE_BYTE,
    _PLAIN_ACCESSES,
    _VECTOR,
    _VECTOR_ACCESSES,
    Immediate,
)
from meldpy.model.core import Limits, MemoryType, NameKind, NameSection
from meldpy.model.regions import MemoryUses
from meldpy.pipeline import rebasing_tools
from tests.support.single_memory import (
    ATOMIC,
    PLAIN,
    VECTOR,
    Access,
    Pair,
    access_function,
    bulk_functions,
    hash_function,
)

PAGE = 65_536
OFFSETS = (0, 1, 2, 7, 16, PAGE - 8, PAGE - 1, PAGE, 3 * PAGE, 0x7FFF_FFFF, 0xFFFF_FFF0, 0xFFFF_FFFF)
WIDE_OFFSETS = (*OFFSETS, 0x1_0000_0000, 0xFFFF_FFFF_FFFF_FFF8)


def addresses(pages: int) -> list[int]:
    ends = [0, PAGE, pages * PAGE, 0x8000_0000, 0x1_0000_0000]
    return sorted({address for end in ends for address in near(end)})


def near(end: int) -> list[int]:
    by = (-17, -16, -9, -8, -7, -4, -2, -1, 0, 1, 2, 8)
    return [end + each for each in by if 0 <= end + each < 0x1_0000_0000]


def signed(value: int, wide: bool) -> int:
    bits = 64 if wide else 32
    return value - (1 << bits) if value >> (bits - 1) else value


def several(memories: Sequence[str], functions: Sequence[str], data: str = "") -> str:
    parts = [f"(memory {memory})" for memory in memories]
    return "(module\n" + "\n".join([*parts, *functions, data, '(data $bytes "0123456789abcdef")']) + ")"


# --- single accesses ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("memories", "limits"),
    [
        pytest.param(("2", "1", "3"), {}, id="nothing grows"),
        pytest.param(("2 4", "1", "i64 3"), {}, id="a wide one at the end"),
        pytest.param(("i64 2", "i64 1 2", "2"), {}, id="a narrow one at the end"),
    ],
)
@pytest.mark.parametrize("group", [PLAIN, VECTOR, ATOMIC], ids=["plain", "vector", "atomic"])
@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "growing"])
def test_each_access_is_exact(
    memories: tuple[str, ...], limits: dict[str, int], group: tuple[Access, ...], growing: bool
) -> None:
    wide = ["i64" in memory for memory in memories]
    functions: list[str] = []
    calls: list[tuple[str, int, int]] = []
    for memory, is64 in enumerate(wide):
        for access in group:
            for offset in WIDE_OFFSETS if is64 else OFFSETS:
                name, text = access_function(memory, is64, access, offset)
                functions.append(text)
                calls.append((name, memory, offset))
        functions.append(hash_function(memory, is64))
    if growing:
        functions += bulk_functions(wide)
    data = " ".join(
        f'(data (memory {i}) ({"i64" if w else "i32"}.const 65520) "seventeen of them")'[:200]
        for i, w in enumerate(wide)
        if i != 1
    )
    pair = Pair.of(several(memories, functions, data), limits)
    rng, traps = Random(1), set()
    pages = [int(memory.removeprefix("i64 ").split()[0]) for memory in memories]
    for name, memory, _ in calls:
        spots = addresses(pages[memory])
        spots += [0x1_0000_0000, 0xFFFF_FFFF_FFFF_FFFF] if wide[memory] else []
        for address in rng.sample(spots, 12):
            traps.add(str(pair.call(name, signed(address, wide[memory])))[:40])
    if growing:
        pages = [count + 1 for count in pages]
        for memory in range(len(memories)):
            pair.call(f"grow {memory}", 1)
        for name, memory, offset in calls:
            # what reached beyond the memory wherever it began may lie inside now
            if PAGE - 8 <= offset <= 3 * PAGE:
                spots = near(pages[memory] * PAGE - offset)
                for address in rng.sample(spots, min(6, len(spots))):
                    pair.call(name, signed(address, wide[memory]))
    for memory, count in enumerate(pages):
        pair.call(f"hash {memory}", count * PAGE)
    assert "trap: out of bounds memory access" in traps
    assert ("trap: unaligned atomic" in traps) == (group is ATOMIC)


def test_every_access_of_the_instruction_table_is_known() -> None:
    for table, known in ((_ONE_BYTE, _PLAIN_ACCESSES), (_VECTOR, _VECTOR_ACCESSES), (_ATOMIC, _ATOMIC_ACCESSES)):
        memargs = (Immediate.MEMARG_READ, Immediate.MEMARG_WRITE)
        assert {op for op, shape in table.items() if shape and shape[0] in memargs} == set(known)


# --- growth and bulk ------------------------------------------------------------------------------------------------
SHAPES = {
    "the first and all behind it": (("1", "2", "1"), {}),
    "the last alone": (("1 2", "1", "1"), {"m1": 3}),
    "with maxima": (("1 3", "1 40", "2 5"), {}),
    "wide ones": (("i64 1", "1", "i64 1 4", "0"), {}),
    "all given room": (("1", "2", "1"), {"m0": 5, "m1": 9, "m2": 4}),
    "pages of a byte": (("1", "100 (pagesize 1)", "1"), {}),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_growth_bulk_and_contents_are_exact(shape: str, seed: int) -> None:
    memories, limits = SHAPES[shape]
    wide = ["i64" in memory for memory in memories]
    unit = [1 if "pagesize" in memory else PAGE for memory in memories]
    functions = [*bulk_functions(wide), *(hash_function(i, w) for i, w in enumerate(wide))]
    pair = Pair.of(several(memories, functions), limits)
    rng = Random(seed)
    sizes = [int(memory.removeprefix("i64 ").split()[0]) for memory in memories]
    most = [limits.get(f"m{i}") for i in range(len(memories))]
    for _ in range(60):
        memory, other = rng.randrange(len(memories)), rng.randrange(len(memories))
        size, other_size = sizes[memory] * unit[memory], sizes[other] * unit[other]
        at, start = (max(0, rng.choice((0, 1, end // 2, end - 3, end, end + 1))) for end in (size, other_size))
        length = rng.choice((0, 1, 3, 700, min(size, other_size)))
        match rng.randrange(5):
            case 0:
                # a wide memory apart has more room than all together
                delta = rng.choice((0, 1, 2, -1 if wide[memory] else 70_000, -1))
                bound = most[memory]
                fits = bound is None or sizes[memory] + delta <= bound or delta > 65_536
                if (delta < 0 or fits) and int(str(pair.call(f"grow {memory}", delta))) >= 0:
                    sizes[memory] += delta
            case 1:
                pair.call(f"fill {memory}", at, rng.randrange(256), length)
            case 2:
                pair.call(f"init {memory}", at, rng.randrange(20), rng.randrange(20))
            case 3:
                pair.call(f"copy {memory} {other}", at, start, length)
            case _:
                pair.call(f"size {memory}")
        for each, count in enumerate(sizes):
            if rng.randrange(4) == 0:
                pair.call(f"hash {each}", count * unit[each])
    for each, count in enumerate(sizes):
        pair.call(f"hash {each}", count * unit[each])


def test_sizes_of_memories_of_more_than_half_of_all_are_exact() -> None:
    """Lengths and bases have their highest bit set, beside a wide memory that does not grow."""
    wide = [False, True, False]
    sizes = "".join(
        f'(func (export "size {i}") (result {"i64" if w else "i32"}) (memory.size {i}))' for i, w in enumerate(wide)
    )
    grow = '(func (export "grow") (result i32) (memory.grow 2 (i32.const 1)))'
    read = '(func (export "read") (param i32) (result i32) (i32.load 0 (local.get 0)))'
    data = '(data (memory 0) (i32.const 0x80800000) "beyond")'
    pair = Pair.of(f"(module (memory 33000) (memory i64 2) (memory 1) {sizes} {grow} {read} {data})")
    for _ in range(2):
        for memory in range(3):
            pair.call(f"size {memory}")
        for at in (0, 0x8080_0000, 33_000 * PAGE - 4, 33_000 * PAGE - 3, 0xFFFF_FFFF):
            pair.call("read", at - (1 << 32) if at >> 31 else at)
        pair.call("grow")


@pytest.mark.parametrize("piece", [40, 300])
def test_bodies_are_rewritten_alike_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = [*bulk_functions([False, True]), *(hash_function(i, w) for i, w in enumerate((False, True)))]
    module = decode_module(bytes(wat2wasm(several(("1", "i64 1"), functions))), "several")
    whole = in_one_memory(module, ["m0", "m1"], {}, rebasing_tools()).module
    monkeypatch.setattr(chunks, "_CHUNK", piece)
    assert in_one_memory(module, ["m0", "m1"], {}, rebasing_tools()).module == whole


# --- the plan -----------------------------------------------------------------------------------------------------
NOTHING = MemoryUses(frozenset(), frozenset(), frozenset(), frozenset())


def memories(*limits: Limits) -> list[MemoryType]:
    return [MemoryType(each) for each in limits]


def test_exported_memory_lies_at_0_and_the_last_with_a_fixed_base_is_not_checked() -> None:
    grown = MemoryUses(frozenset({0, 1, 2}), frozenset(), frozenset(), frozenset())
    types = memories(Limits(1), Limits(2), Limits(1, 3))
    plan = plan_regions(types, ["a", "b", "c"], grown, 1, {"b": 5})
    assert [(r.memory, r.start // PAGE, r.moves, r.unchecked) for r in plan.regions] == [
        (1, 0, False, False),
        (2, 5, False, False),
        (0, 8, False, True),
    ]
    assert plan.pages == 9


def test_behind_what_may_grow_without_end_regions_can_move() -> None:
    grown = MemoryUses(frozenset({0}), frozenset(), frozenset(), frozenset())
    plan = plan_regions(memories(Limits(1), Limits(1)), ["a", "b"], grown, 0, {})
    assert [(r.memory, r.moves, r.unchecked) for r in plan.regions] == [(0, False, False), (1, True, False)]


def test_a_length_that_cannot_change_is_a_constant() -> None:
    """Growth is asked for and does not come: by the memory's own maximum, and by the room it is given."""
    grow = "(func (export {}) (param i32) (result i32) (memory.grow {} (local.get 0)))"
    functions = [grow.format(f'"grow {i}"', i) for i in range(3)] + [hash_function(i, False) for i in range(3)]
    wat = f"(module (memory 2 2) (memory 1) (memory 1) {' '.join(functions)})"
    pair = Pair.of(wat, {"m1": 1})
    assert not pair.module.globals
    for memory, pages in enumerate((2, 1, 1)):
        for delta in (0, 1, -1, 0):
            if memory != 1 or delta != 1:  # with memories apart, that one grows
                pair.call(f"grow {memory}", delta)
        for end in (pages * PAGE, pages * PAGE + 1):
            pair.call(f"hash {memory}", end)


def test_a_module_with_one_memory_stays_as_it_is() -> None:
    module = decode_module(bytes(wat2wasm("(module (memory 1) (func (drop (i32.load (i32.const 0)))))")), "one")
    assert in_one_memory(module, ["m0"], {}, rebasing_tools()).module is module


@pytest.mark.parametrize(
    ("types", "limits", "error", "words"),
    [
        (memories(Limits(1, 2, shared=True), Limits(1)), {}, UnsupportedError, "the memory of m0 is shared"),
        (memories(Limits(40_000), Limits(30_000)), {}, LimitError, "70000 pages"),
        (memories(Limits(1), Limits(1)), {"x": 4}, UsageError, "names x, which no memory is called"),
        (memories(Limits(3), Limits(1)), {"m0": 2}, UsageError, "less than the 3 pages"),
    ],
)
def test_what_does_not_go_into_one_memory_is_refused(
    types: list[MemoryType], limits: dict[str, int], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plan_regions(types, [f"m{i}" for i in range(len(types))], NOTHING, None, limits)


def test_names_stay_and_what_is_added_has_its_own() -> None:
    wat = "(module $both (memory 1) (memory 1) (func $reads (drop (i32.load (i32.const 65536)))))"
    single = in_one_memory(decode_module(bytes(wat2wasm(wat)), "both"), ["m0", "m1"], {}, rebasing_tools()).module
    written = decode_module(encode_module(single), "single")
    (section,) = [each.section for each in written.customs if isinstance(each.section, NameSection)]
    names = dict(section.maps)
    assert section.module == "both"
    assert dict(names[NameKind.FUNCTION]) == {0: "reads", 1: "trap: out of bounds memory access"}
    assert NameKind.MEMORY not in names
