"""Custom sections of core modules: what is read, what stays raw, what is normalised."""

from __future__ import annotations

import pytest

from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.model.core import (
    CoreCustom,
    CoreModule,
    IndirectNameKind,
    NameKind,
    NameSection,
    PlacedCustom,
    ProducersSection,
    RawCustom,
)

HEADER = b"\0asm\x01\0\0\0"


def _custom(content: bytes) -> CoreCustom:
    """What a module whose only section is a custom one with this content gives."""
    assert len(content) < 0x80
    (placed,) = decode_module(HEADER + bytes((0, len(content))) + content, "customs").customs
    return placed.section


def _content(section: CoreCustom) -> bytes:
    return encode_module(CoreModule(customs=(PlacedCustom(0, section),)))[len(HEADER) + 2 :]


def test_name_subsections_are_read() -> None:
    content = b"\x04name" + b"\x00\x02\x01m" + b"\x01\x07\x02\x00\x01f\x05\x01g" + b"\x02\x06\x01\x00\x01\x02\x01l"
    section = _custom(content)
    assert section == NameSection(
        module="m",
        maps=((NameKind.FUNCTION, ((0, "f"), (5, "g"))),),
        indirect=((IndirectNameKind.LOCAL, ((0, ((2, "l"),)),)),),
        order=(0, 1, 2),
    )
    assert _content(section) == content


def test_subsections_keep_their_order() -> None:
    content = b"\x04name" + b"\x0b\x04\x01\x00\x01t" + b"\x00\x01\x00" + b"\x01\x01\x00"
    section = _custom(content)
    assert isinstance(section, NameSection)
    assert section.order == (11, 0, 1)
    assert _content(section) == content


def test_a_built_name_section_is_written_by_id() -> None:
    section = NameSection("m", ((NameKind.TAG, ()), (NameKind.FUNCTION, ())))
    assert _content(section) == b"\x04name" + b"\x00\x02\x01m" + b"\x01\x01\x00" + b"\x0b\x01\x00"


def test_padded_integers_inside_are_normalised() -> None:
    section = _custom(b"\x04name" + b"\x01\x88\x80\x80\x80\x00\x81\x80\x80\x80\x00\x00\x01f")
    assert section == NameSection(maps=((NameKind.FUNCTION, ((0, "f"),)),), order=(1,))
    assert _content(section) == b"\x04name" + b"\x01\x04\x01\x00\x01f"


def test_producers_are_read() -> None:
    content = b"\x09producers" + b"\x01\x08language\x02\x01C\x0211\x04Rust\x00"
    section = _custom(content)
    assert section == ProducersSection((("language", (("C", "11"), ("Rust", ""))),))
    assert _content(section) == content


@pytest.mark.parametrize(
    "content",
    [
        b"\x04name\x01",
        b"\x04name\x01\x05\x01\x00\x01f",
        b"\x04name\x01\x05\x01\x00\x01ff",
        b"\x04name\x01\x04\x01\x00\x01\xff",
        b"\x04name\x0c\x01\x00",
        b"\x04name\x01\x01\x00\x01\x01\x00",
        b"\x04name\x01\x02\x01\x00",
        b"\x09producers",
        b"\x09producers\x00\x00",
        b"\x09producers\x05\x01a\x00",
        b"\x0dlinking-stuff\x01\x02\x03",
    ],
    ids=lambda content: content.hex(),
)
def test_whatever_does_not_fit_stays_raw(content: bytes) -> None:
    section = _custom(content)
    assert isinstance(section, RawCustom)
    assert isinstance(section.data, memoryview)
    assert _content(section) == content


def test_names_in_a_name_section_may_be_long() -> None:
    name = "x" * 200_000
    data = encode_module(CoreModule(customs=(PlacedCustom(0, NameSection(module=name, order=(0,))),)))
    (placed,) = decode_module(data, "long").customs
    assert placed.section == NameSection(module=name, order=(0,))
