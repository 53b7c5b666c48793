"""Rewriting of function bodies: every instruction, keeping and dropping, chunks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import wasmtime

from meldpy.errors import DecodeError, InternalError, LimitError, Location, MeldError, UnsupportedError
from meldpy.kernel import chunks
from meldpy.kernel.reindex import reindex
from meldpy.model.reindexed import IndexMaps, TableParts
from tests.support.code_samples import code_bodies, full_engine, index_maps, sample, shift
from tests.support.reference_decoder import decode, encode_u

IDENTITY = IndexMaps(*[range(200)] * 8)


def body(code: bytes, local_declarations: bytes = b"\x00") -> bytes:
    content = local_declarations + code + b"\x0b"
    return encode_u(len(content)) + content


def moved(**spaces: list[int]) -> IndexMaps:
    """Identity but for the spaces given."""
    names = ("types", "funcs", "tables", "memories", "globals", "tags", "elems", "data")
    return IndexMaps(*(spaces[name] if name in spaces else range(200) for name in names))


def test_identity_leaves_canonical_bodies_as_they_are() -> None:
    for part in (sample(0), sample(0, legacy=True)):
        result = reindex(part.bodies, part.count, index_maps(shift(0)))
        assert result.bodies == part.bodies
        assert result.count == part.count


@pytest.mark.parametrize("by", [1, 60, 90])
def test_every_instruction_moves_as_the_assembler_would_have_it(by: int) -> None:
    # the same text assembled with `by` more items in front of every index space is the expected result
    expected = sample(by)
    wasmtime.Module.validate(full_engine(), expected.module)
    assert reindex(sample(0).bodies, sample(0).count, index_maps(shift(by))).bodies == expected.bodies


def test_legacy_exceptions_move() -> None:
    part, expected = sample(0, legacy=True), sample(90, legacy=True)
    assert reindex(part.bodies, part.count, index_maps(shift(90))).bodies == expected.bodies


def test_large_indices_take_up_to_five_bytes() -> None:
    maps = {space: [2**31 - 1 - i for i in old] for space, old in shift(0).items()}
    part = sample(0)
    assert reindex(part.bodies, part.count, index_maps(maps)).bodies == decode(part.bodies, part.count, maps).bodies


def test_padded_integers_come_out_short() -> None:
    padded = body(
        b"\x10\x81\x80\x80\x80\x00"  # call 1
        b"\x41\xff\xff\xff\xff\x7f"  # i32.const -1
        b"\x41\x80\x81\x80\x80\x00"  # i32.const 128
        b"\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"  # i64.const -1
        b"\x28\x82\x80\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"  # i32.load align=4 offset=0
        b"\xfc\x8b\x00\x80\x00"  # memory.fill 0
        b"\x20\x83\x80\x00"  # local.get 3
        b"\x02\x80\x80\x00\x0b",  # block (type 0)
        b"\x81\x00\x85\x00\x7f",  # five i32
    )
    short = body(b"\x10\x01\x41\x7f\x41\x80\x01\x42\x7f\x28\x02\x00\xfc\x0b\x00\x20\x03\x02\x00\x0b", b"\x01\x05\x7f")
    assert reindex(padded, 1, IDENTITY).bodies == short


def test_memory_zero_is_never_named() -> None:
    assert reindex(body(b"\x28\x42\x00\x05"), 1, IDENTITY).bodies == body(b"\x28\x02\x05")
    assert reindex(body(b"\x28\x42\x01\x05"), 1, moved(memories=[1, 0])).bodies == body(b"\x28\x02\x05")
    assert reindex(body(b"\x28\x02\x05"), 1, moved(memories=[1, 0])).bodies == body(b"\x28\x42\x01\x05")
    assert reindex(body(b"\x28\x02\x05"), 1, moved(memories=[300])).bodies == body(b"\x28\x42\xac\x02\x05")


def test_block_type_indices_from_64_on_take_a_sign_bit() -> None:
    assert reindex(body(b"\x02\x00\x0b"), 1, moved(types=[64])).bodies == body(b"\x02\xc0\x00\x0b")
    assert reindex(body(b"\xd0\x00\x1a"), 1, moved(types=[64])).bodies == body(b"\xd0\xc0\x00\x1a")
    assert reindex(body(b"\xfb\x00\x00"), 1, moved(types=[64])).bodies == body(b"\xfb\x00\x40")


def test_a_size_prefix_grows_and_shrinks_with_its_body() -> None:
    growing = body(b"\x10\x00" * 60)
    assert reindex(growing, 1, moved(funcs=[200])).bodies == body(b"\x10\xc8\x01" * 60)
    shrinking = body(b"\x10\xc8\x01" * 60)
    assert reindex(shrinking, 1, moved(funcs=[0] * 201)).bodies == growing
    padded_size = b"\x85\x80\x00" + body(b"\x10\x00\x01")[1:]
    assert reindex(padded_size, 1, IDENTITY).bodies == body(b"\x10\x00\x01")


def test_only_kept_bodies_are_read() -> None:
    bodies = body(b"\x10\x00") + body(b"\xff") + body(b"\x10\x01")
    result = reindex(bodies, 3, moved(funcs=[5, 6]), [True, False, True])
    assert (result.bodies, result.count) == (body(b"\x10\x05") + body(b"\x10\x06"), 2)
    assert reindex(bodies, 3, IDENTITY, [False] * 3).bodies == b""


def test_a_dropped_item_in_a_kept_body_is_our_defect() -> None:
    for code in (b"\x10\x01", b"\x10\x81\x80\x80\x00"):
        with pytest.raises(InternalError):
            reindex(body(code), 1, moved(funcs=[0, -1]))
    with pytest.raises(InternalError, match="memory 0"):
        reindex(body(b"\x28\x02\x00"), 1, moved(memories=[-1]))
    with pytest.raises(InternalError, match="type 0"):
        reindex(body(b"\x02\x00\x0b"), 1, moved(types=[-1]))


def positions(bodies: bytes, count: int, maps: IndexMaps, keep: list[bool] | None = None) -> list[int]:
    found = reindex(bodies, count, maps, keep, with_positions=True).positions
    assert found is not None
    return list(found.table)


@pytest.mark.parametrize("by", [0, 1, 60, 90])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_byte_has_a_position(by: int, legacy: bool) -> None:
    part = sample(0, legacy=legacy)
    for keep in (None, [i % 3 != 1 for i in range(part.count)], [i % 3 == 1 for i in range(part.count)]):
        plain = reindex(part.bodies, part.count, index_maps(shift(by)), keep)
        assert plain.positions is None
        traced = reindex(part.bodies, part.count, index_maps(shift(by)), keep, with_positions=True)
        assert traced.bodies == plain.bodies
        expected = decode(part.bodies, part.count, shift(by), keep).positions
        assert positions(part.bodies, part.count, index_maps(shift(by)), keep) == expected


def test_positions_are_total_and_never_go_back() -> None:
    dropped = 1 << 31
    wide = body(b"\x10\x80\x80\x00\x10\x01")  # a padded call of 0, which shrinks; a call of 1, which grows
    bodies = body(b"\x01") + wide + body(b"\x01" * 130)
    found = positions(bodies, 3, moved(funcs=[0, 500]), [False, True, False])
    assert found[:4] == [dropped] * 4
    #                     size locals  call 0       call 1  end
    assert found[4:13] == [0, 1, 2, 3, 3, 3, 4, 5, 7]
    assert found[13:] == [8 | dropped] * (len(bodies) - 13 + 1)
    where = reindex(bodies, 3, moved(funcs=[0, 500]), [False, True, False], with_positions=True).positions
    assert where is not None
    assert (where.new(10), where.new(2), where.new(10_000)) == (4, 0, 8)
    assert (where.kept(12), where.kept(13), where.kept(10_000)) == (True, False, False)


def test_positions_follow_a_size_that_grows() -> None:
    calls = body(b"\x10\x00" * 60)
    found = positions(calls, 1, moved(funcs=[200]))
    assert found == decode(calls, 1, {**shift(0), "func": [200]}).positions
    assert found[1:5] == [2, 3, 4, 6]


def test_the_largest_body_is_reported() -> None:
    bodies = body(b"\x10\x00" * 9) + body(b"\x01")
    assert reindex(bodies, 2, moved(funcs=[500])).largest == 1 + 27 + 1


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_chunks_make_no_difference(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    part = sample(0)
    keep = [i % 3 != 1 for i in range(part.count)]
    whole = reindex(part.bodies, part.count, index_maps(shift(90)), keep, with_positions=True)
    monkeypatch.setattr(chunks, "_CHUNK", chunk)
    pieces = reindex(part.bodies, part.count, index_maps(shift(90)), keep, with_positions=True)
    assert pieces.bodies == whole.bodies == decode(part.bodies, part.count, shift(90), keep).bodies
    assert pieces.positions is not None
    assert whole.positions is not None
    assert pieces.positions.table == whole.positions.table
    assert pieces.largest == whole.largest


def test_a_body_larger_than_a_chunk_is_rewritten_in_one_piece() -> None:
    big = body(b"\x10\x00" * 700_000)
    assert reindex(body(b"\x01") + big, 2, moved(funcs=[128])).bodies == body(b"\x01") + body(b"\x10\x80\x01" * 700_000)


def test_memoryviews_and_empty_sections_are_fine() -> None:
    assert reindex(memoryview(b"??" + body(b"\x10\x00"))[2:], 1, IDENTITY).bodies == body(b"\x10\x00")
    assert reindex(b"", 0, IndexMaps(*[[]] * 8)).bodies == b""


def failing_at(bodies: bytes, count: int = 1, maps: IndexMaps = IDENTITY) -> tuple[type[MeldError], int | None]:
    with pytest.raises(MeldError) as caught:
        reindex(bodies, count, maps)
    assert caught.value.location is not None
    return type(caught.value), caught.value.location.offset


@pytest.mark.parametrize(
    ("code", "offset"),
    [
        (b"\x10\x80\x80\x80\x80\x80\x00", 3),  # a sixth byte
        (b"\x10\x80\x80\x80\x80\x10", 3),  # bit 32
        (b"\x41\xff\xff\xff\xff\x0f", 3),  # sign bit and its copies differ
        (b"\x42" + b"\x80" * 9 + b"\x02", 3),
        (b"\x02\x80\x80\x80\x80\x20", 3),  # bit 33
        (b"\x02\xff\x7f", 3),  # a long negative block type
        (b"\x28\x80\x01\x00", 3),  # bit 7 of the flags
        (b"\x28\x02" + b"\x80" * 9 + b"\x02", 4),  # bit 64 of the offset
        (b"\x10\xc8\x01", 3),  # index 200 of 200
        (b"\x28\x42\xc8\x01\x00", 4),
        (b"\xd0\x7f", 3),  # i32 is no heap type
        (b"\x1c\x01\x40", 4),  # nothing is no value type
        (b"\x1c\x01\x05", 4),  # nor is an index
        (b"\x1f\x40\x01\x04\x00", 5),  # catch clause
        (b"\xfb\x18\x04\x00\x6e\x6e", 4),  # cast flags
        (b"\xfe\x03\x01", 4),  # fence
        (b"\x18\x00", 2),  # delegate closes the body
        (b"\x0b", 3),  # bytes behind the end
        (b"\x0e\xff\xff\xff\xff\x0f\x00", 10),  # more labels than bytes
        (b"\x02\x40", 5),  # an open block
        (b"\xfd\x0c\x00", 6),  # v128.const cut short
        (b"\x20\x80", 5),  # an integer that takes the final end with it
    ],
)
def test_malformed_code_is_refused_where_it_is(code: bytes, offset: int) -> None:
    # what follows the body must not change the answer
    for follower in (b"", body(b"\x01" * 40), b"\x7f" + b"\x00" * 127):
        assert failing_at(body(code) + follower, 2 if follower else 1) == (DecodeError, offset)


@pytest.mark.parametrize("code", [b"\x02\x65\x0b", b"\xd0\x68", b"\x1c\x01\x62"])
def test_types_of_proposals_are_refused_as_such(code: bytes) -> None:
    with pytest.raises(UnsupportedError) as caught:
        reindex(body(code), 1, IDENTITY)
    assert caught.value.feature == "core type"


@pytest.mark.parametrize(
    ("bodies", "count", "offset"),
    [
        (b"", 1, 0),
        (b"\x02\x00", 1, 0),
        (b"\x00", 1, 1),
        (b"\x02\x00\x0b\x00", 1, 3),
        (b"\x02\x00\x0b\x03\x00\x0b", 2, 3),
        (b"\x80\x80\x80\x80\x80\x00", 1, 0),
        (b"\x80\x80", 1, 0),
        (b"\xff\xff\xff\xff\x0f\x00\x0b", 1, 0),
    ],
)
def test_sections_that_do_not_fit_their_bodies_are_refused(bodies: bytes, count: int, offset: int) -> None:
    assert failing_at(bodies, count) == (DecodeError, offset)


def test_errors_are_placed_in_the_file() -> None:
    with pytest.raises(DecodeError) as caught:
        reindex(body(b"\x10\xc8\x01"), 1, IDENTITY, source_offset=0x100, source="a.wasm", path=("core module 2",))
    assert caught.value.location == Location("a.wasm", 0x103, ("core module 2",))


def test_a_body_cut_short_anywhere_is_refused_at_its_end() -> None:
    part = sample(0)
    bodies = code_bodies(part.bodies)
    assert len(bodies) == part.count
    for content in bodies[::5]:
        for left in range(max(0, len(content) - 12), len(content)):
            size = encode_u(left)
            assert failing_at(size + content[:left], 1, index_maps(shift(0))) == (DecodeError, len(size) + left)


# --- tables that are parts of one -----------------------------------------------------------------------------
CALL_BOTH = b"\x41\x05\x11\x00\x01\x41\x05\x13\x00\x02"
"""i32.const 5, call_indirect through table 1; the same as a tail call through table 2."""


def test_a_call_through_a_part_checks_its_slot_and_moves_it() -> None:
    parts = TableParts([0, 0, 300], [0, 300, 7], [2])
    maps = replace(moved(tables=[4, 6, 6]), parts=parts)
    expected = body(
        b"\x41\x05\x22\x05\x41\xac\x02\x4f\x04\x40\x41\x7f\x25\x06\x1a\x0b\x20\x05\x11\x00\x06"
        b"\x41\x05\x22\x05\x41\x07\x4f\x04\x40\x41\x7f\x25\x06\x1a\x0b\x20\x05\x41\xac\x02\x6a\x13\x00\x06",
        b"\x02\x03\x7e\x01\x7f",
    )
    source = body(CALL_BOTH, b"\x01\x03\x7e")
    assert reindex(source, 1, maps).bodies == expected
    plain = body(
        CALL_BOTH.replace(b"\x11\x00\x01", b"\x11\x00\x06").replace(b"\x13\x00\x02", b"\x13\x00\x06"), b"\x01\x03\x7e"
    )
    assert reindex(source, 1, moved(tables=[4, 6, 6])).bodies == plain, "nothing of the run before is left"


def test_without_table_get_a_slot_outside_of_the_part_is_called_to_trap() -> None:
    parts = TableParts([0, 0, 300], [0, 300, 7], [2], 200)
    maps = replace(moved(tables=[4, 6, 6]), parts=parts)
    trap = b"\x41\x7f\x11\xc8\x01\x06\x0b"
    expected = body(
        b"\x41\x05\x22\x05\x41\xac\x02\x4f\x04\x40" + trap + b"\x20\x05\x11\x00\x06"
        b"\x41\x05\x22\x05\x41\x07\x4f\x04\x40" + trap + b"\x20\x05\x41\xac\x02\x6a\x13\x00\x06",
        b"\x02\x03\x7e\x01\x7f",
    )
    assert reindex(body(CALL_BOTH, b"\x01\x03\x7e"), 1, maps).bodies == expected


def test_bodies_are_told_apart_where_some_call_through_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_CHUNK", 40)
    calling, plain = body(b"\x41\x05\x11\x00\x01"), body(b"\x41\x05\x11\x00\x00")
    kinds = [calling, plain, plain, calling] * 9
    maps = replace(
        moved(tables=[4, 6]), parts=TableParts([0, 9], [0, 3], [3 if each is calling else -1 for each in kinds])
    )
    result = reindex(b"".join(kinds), len(kinds), maps, with_positions=True)
    new_plain = plain.replace(b"\x11\x00\x00", b"\x11\x00\x04")
    new_calling = body(
        b"\x41\x05\x22\x03\x41\x03\x4f\x04\x40\x41\x7f\x25\x06\x1a\x0b\x20\x03\x41\x09\x6a\x11\x00\x06", b"\x01\x01\x7f"
    )
    assert result.bodies == b"".join(new_calling if each is calling else new_plain for each in kinds)
    assert result.positions is not None
    # the call goes to the first instruction that stands for it, its immediates to its own, what follows to what follows
    end = len(new_calling) - 1
    assert [result.positions.new(i) for i in range(8)] == [0, 1, 4, 5, 6, end - 2, end - 1, end]
    assert result.positions.new(len(b"".join(kinds))) == len(result.bodies)
    kept = [each is plain for each in kinds]
    assert reindex(b"".join(kinds), len(kinds), maps, kept).bodies == new_plain * 18


def test_a_function_that_has_no_room_for_a_local_is_refused() -> None:
    maps = replace(moved(tables=[4, 6]), parts=TableParts([0, 9], [0, 3], [1]))
    fits, full = (body(b"\x41\x05\x11\x00\x01", b"\x01" + encode_u(count) + b"\x7f") for count in (49_998, 49_999))
    assert reindex(fits, 1, maps).count == 1
    with pytest.raises(LimitError, match="50,000 locals"):
        reindex(full, 1, maps)
