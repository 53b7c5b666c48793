"""Tagged utf16 becomes latin1 exactly if every code unit is below 0x100, wherever in the string the others are."""

from __future__ import annotations

import pytest

from tests.support.string_harness import M32, M64, Crossing
from tests.support.string_model import Guest, bump

pytestmark = pytest.mark.usefixtures("flavour")

TAG = 1 << 31


@pytest.mark.parametrize("wide", [False, True])
def test_one_unit_decides(wide: bool) -> None:
    shape = M64 if wide else M32
    tag = 1 << 63 if wide else TAG
    crossing = Crossing(shape, shape)
    for length in (1, 2, 7, 8, 9, 16, 17, 31):
        for position in range(length):
            for odd, fits in (("\xff", True), ("\u0100", False), ("\u0101", False), ("\u01ff", False)):
                text = "a" * position + odd + "b" * (length - position - 1)
                guest = Guest(bytearray(65536), bump, True)
                made = crossing.run("latin1+utf16-to-latin1+utf16", text.encode("utf-16-le"), 0, 0, length | tag, guest)
                assert made.result is not None
                pointer, tagged = made.result
                assert tagged == (length if fits else length | tag)
                data = made.memory[pointer : pointer + (length if fits else 2 * length)]
                assert data.decode("latin-1" if fits else "utf-16-le") == text
