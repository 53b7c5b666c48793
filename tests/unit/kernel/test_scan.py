"""What function bodies refer to."""

from __future__ import annotations

import pytest

from meldpy.errors import DecodeError, Location
from meldpy.kernel import chunks
from meldpy.kernel.scan import scan
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.reindexed import IndexCounts
from tests.support.code_samples import instruction_texts, sample, shift
from tests.support.kernel_oracle import kernel_scan
from tests.support.reference_decoder import decode, encode_u

COUNTS = IndexCounts(*[200] * 8)


def body(code: bytes, local_declarations: bytes = b"\x00") -> bytes:
    content = local_declarations + code + b"\x0b"
    return encode_u(len(content)) + content


def references(facts: CodeFacts, function: int) -> list[tuple[RefKind, int]]:
    span = range(facts.spans[function], facts.spans[function + 1])
    return [(RefKind(facts.kinds[i]), facts.indices[i]) for i in span]


def test_every_instruction_is_listed_with_what_it_refers_to() -> None:
    for part in (sample(0), sample(0, legacy=True)):
        expected = decode(part.bodies, part.count, shift(0)).references
        assert kernel_scan(part.bodies, part.count, shift(0)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("call", {(RefKind.CALL, 1)}),
        ("return_call", {(RefKind.CALL, 0)}),
        ("ref.func", {(RefKind.REF_FUNC, 0)}),
        ("call_indirect", {(RefKind.TYPE, 1), (RefKind.CALL_INDIRECT, 0)}),
        ("return_call_ref", {(RefKind.CALL_REF, -1), (RefKind.TYPE, 0)}),
        ("throw", {(RefKind.THROWS, -1), (RefKind.TAG, 0)}),
        ("throw_ref", {(RefKind.THROWS, -1)}),
        ("try_table", {(RefKind.TAG, 0)}),
        ("table.get", {(RefKind.TABLE_READ, 0)}),
        ("table.set", {(RefKind.TABLE_WRITE, 1)}),
        ("table.grow", {(RefKind.TABLE_WRITE, 1)}),
        ("table.copy", {(RefKind.TABLE_WRITE, 1), (RefKind.TABLE_READ, 0)}),
        ("table.init", {(RefKind.TABLE_WRITE, 1), (RefKind.ELEM, 0)}),
        ("elem.drop", {(RefKind.ELEM, 0)}),
        ("array.init_elem", {(RefKind.TYPE, 6), (RefKind.ELEM, 0)}),
        ("memory.size", {(RefKind.MEMORY_READ, 1)}),
        ("memory.grow", {(RefKind.MEMORY_WRITE, 1)}),
        ("memory.copy", {(RefKind.MEMORY_WRITE, 1), (RefKind.MEMORY_READ, 0)}),
        ("memory.init", {(RefKind.MEMORY_WRITE, 1), (RefKind.DATA, 0)}),
        ("array.new_data", {(RefKind.TYPE, 5), (RefKind.DATA, 0)}),
        ("i32.load8_u", {(RefKind.MEMORY_READ, 1)}),
        ("f64.store", {(RefKind.MEMORY_WRITE, 0)}),
        ("i32.atomic.load", {(RefKind.MEMORY_WRITE, 0)}),
        ("v128.load16_lane", {(RefKind.MEMORY_READ, 1)}),
        ("v128.store", {(RefKind.MEMORY_WRITE, 0)}),
        ("global.get", {(RefKind.GLOBAL_GET, 0)}),
        ("global.set", {(RefKind.GLOBAL_SET, 0)}),
        ("struct.get_s", {(RefKind.TYPE, 3)}),
        ("ref.null", {(RefKind.TYPE, 2)}),
        ("block", {(RefKind.TYPE, 1)}),
        ("i32.add", set()),
    ],
)
def test_kinds_of_references(name: str, expected: set[tuple[RefKind, int]]) -> None:
    # the locals of each sample function name type 2; functions 0 and 1 of the sample are its callees
    part = sample(0)
    names = [other for other, _ in instruction_texts()]
    found = kernel_scan(part.bodies, part.count, shift(0))[2 + names.index(name)]
    assert isinstance(found, list)
    assert set(found) - {(RefKind.TYPE, 2)} == expected - {(RefKind.TYPE, 2)}
    assert (RefKind.TYPE, 2) in found


def test_each_function_has_a_reference_once_and_in_order() -> None:
    bodies = body(b"\x10\x05\x10\x03\x10\x05\xd2\x05\x1a") + body(b"") + body(b"\x10\x05\x10\x05")
    facts = scan(bodies, 3, COUNTS)
    assert references(facts, 0) == [(RefKind.CALL, 5), (RefKind.CALL, 3), (RefKind.REF_FUNC, 5)]
    assert references(facts, 1) == []
    assert references(facts, 2) == [(RefKind.CALL, 5)]


def test_one_scan_leaves_nothing_to_the_next() -> None:
    bodies = body(b"\x10\x05\x28\x00\x00")
    first, second = scan(bodies, 1, COUNTS), scan(bodies, 1, COUNTS)
    assert references(first, 0) == references(second, 0) == [(RefKind.CALL, 5), (RefKind.MEMORY_READ, 0)]


def test_bounds_are_those_of_whole_entries() -> None:
    parts = [body(b"\x01"), body(b"\x10\x00" * 100), body(b"")]
    facts = scan(b"".join(parts), 3, COUNTS)
    assert list(facts.bounds) == [0, len(parts[0]), len(parts[0] + parts[1]), len(b"".join(parts))]
    assert list(facts.spans) == [0, 0, 1, 1]


@pytest.mark.parametrize("chunk", [1, 50, 999])
def test_chunks_make_no_difference(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    part = sample(0)
    whole = kernel_scan(part.bodies, part.count, shift(0))
    monkeypatch.setattr(chunks, "_CHUNK", chunk)
    assert kernel_scan(part.bodies, part.count, shift(0)) == whole


def test_an_empty_section_has_no_references() -> None:
    facts = scan(b"", 0, IndexCounts(*[0] * 8))
    assert (list(facts.bounds), list(facts.spans), list(facts.kinds)) == ([0], [0], [])


def test_indices_out_of_range_are_refused() -> None:
    for code, offset in ((b"\x10\xc8\x01", 3), (b"\x28\x42\xc8\x01\x00", 4), (b"\x02\xc8\x01\x0b", 3)):
        with pytest.raises(DecodeError) as caught:
            scan(body(code), 1, COUNTS, source_offset=16, source="b.wasm")
        assert caught.value.location == Location("b.wasm", 16 + offset)


def test_a_memory_operand_without_a_memory_is_refused() -> None:
    with pytest.raises(DecodeError, match="memory index 0 out of range"):
        scan(body(b"\x28\x02\x00"), 1, IndexCounts(*[0] * 8))
