"""The instruction table against the engine's assembler, and the kernel against the instruction table."""

from __future__ import annotations

import pytest
import wasmtime

from meldpy.errors import UnsupportedError
from meldpy.kernel.opcodes import PREFIXES, SUB_OPCODES
from meldpy.kernel.reindex import reindex
from meldpy.kernel.scan import scan
from meldpy.model.reindexed import IndexCounts, IndexMaps
from tests.support.code_samples import full_engine, instruction_texts, sample, shift
from tests.support.core_instructions import INSTRUCTIONS
from tests.support.reference_decoder import decode, encode_u


def test_the_sample_is_valid_and_has_every_instruction() -> None:
    modern, legacy = sample(0), sample(0, legacy=True)
    wasmtime.Module.validate(full_engine(), modern.module)
    found: set[str] = set()
    for part in (modern, legacy):
        for names in decode(part.bodies, part.count, shift(0)).names:
            found.update(names)
    assert found == {instruction.name for instruction in INSTRUCTIONS.values()}


def test_each_instruction_has_the_opcode_that_the_assembler_gives_it() -> None:
    part = sample(0)
    functions = decode(part.bodies, part.count, shift(0)).names[2:]
    for (name, text), names in zip(instruction_texts(), functions, strict=False):
        assert name in names, text


def _unknown() -> list[bytes]:
    one_byte = [bytes([op]) for op in range(256) if (None, op) not in INSTRUCTIONS and op not in PREFIXES]
    prefixed = [
        bytes([prefix]) + encode_u(op)
        for prefix in PREFIXES
        for op in [*range(SUB_OPCODES + 2), 2**16, 2**31, 2**32 - 1]
        if (prefix, op) not in INSTRUCTIONS
    ]
    return one_byte + prefixed


def test_opcodes_outside_the_table_are_refused_where_they_are() -> None:
    maps, counts = IndexMaps(*[[0]] * 8), IndexCounts(*[1] * 8)
    unknown = _unknown()
    assert len(unknown) > 1000
    for opcode in unknown:
        body = b"\x00\x01" + opcode + b"\x0b"
        bodies = bytes([len(body)]) + body
        with pytest.raises(UnsupportedError) as caught:
            reindex(bodies, 1, maps, source_offset=1000)
        assert caught.value.feature == "core instruction"
        assert caught.value.location is not None
        assert caught.value.location.offset == 1003
        with pytest.raises(UnsupportedError):
            scan(bodies, 1, counts)


def test_the_message_names_prefix_and_sub_opcode() -> None:
    with pytest.raises(UnsupportedError, match="0xfd 0x9a"):
        reindex(b"\x05\x00\xfd\x9a\x01\x0b", 1, IndexMaps(*[[0]] * 8))
