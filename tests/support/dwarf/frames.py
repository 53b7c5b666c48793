"""Frames by address, inlined ones included, as `wasm-tools addr2line` reads them: an independent reader in bulk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from meldpy.model.core import CoreModule
from meldpy.pipeline import FuseInput
from tests.support.code_samples import SPACES
from tests.support.dwarf.expected import Moves
from tests.support.dwarf.fused import Fused
from tests.support.reference_decoder import Body

_AT_ONCE = 2000
_ENDLESS = {space: range(1 << 20) for space in SPACES}


def instructions(module: CoreModule) -> list[int]:
    """The address of every instruction, from the content of the code section."""
    return [address for body in instructions_by_body(module) for address in body]


def instructions_by_body(module: CoreModule) -> list[list[int]]:
    bodies = bytes(module.code.bodies)
    found: list[list[int]] = []
    section = Body(bodies, 0, len(bodies), _ENDLESS)
    for _ in range(module.code.count):
        size = section.unsigned(32)
        body = Body(bodies, section.position, section.position + size, _ENDLESS)
        body.read()
        found.append([module.code.lead + start for start, _ in body.starts])
        section.position += size
    return found


def shared_instructions(fused: Fused) -> list[tuple[int, int, int]]:
    """(unit, old address, new address) of every instruction that is still there."""
    pairs: list[tuple[int, int, int]] = []
    for number, unit in enumerate(fused.units):
        moves = Moves(unit, fused.lead)
        pairs += [(number, old, moves.place(old)) for old in instructions(unit.module) if moves.kept(old)]
    return pairs


def shared_bodies(fused: Fused, pairs: Sequence[tuple[int, int, int]]) -> list[list[tuple[int, int]]]:
    """Per function of the output that is a guest's, its instructions: (address, position in `pairs`).

    What was put before an instruction, and what it was replaced by, have its position. -1: before the first.
    """
    position = {new: index for index, (_, _, new) in enumerate(pairs)}
    found: list[list[tuple[int, int]]] = []
    for body in instructions_by_body(fused.main):
        if any(address in position for address in body):
            part = -1
            found.append([(address, part := position.get(address, part)) for address in body])
    return found


def frames_of_inputs(fused: Fused, inputs: Iterable[FuseInput], pairs: Sequence[tuple[int, int, int]]) -> list[str]:
    data = {item.source: item.data for item in inputs}
    found: list[str] = []
    for number, unit in enumerate(fused.units):
        module = unit.module
        core = data[unit.source][module.offset : module.offset + module.size]
        found += frames(core, [old for owner, old, _ in pairs if owner == number])
    return found


def frames_of_output(fused: Fused, pairs: Sequence[tuple[int, int, int]]) -> list[str]:
    return frames_of_main(fused, [new for _, _, new in pairs])


def frames_of_main(fused: Fused, addresses: Sequence[int]) -> list[str]:
    return frames(fused.data[fused.main.offset : fused.main.offset + fused.main.size], addresses)


def frames(core: bytes, addresses: Sequence[int]) -> list[str]:
    """The frames at each address, innermost first, one a line."""
    found: list[str] = []
    with TemporaryDirectory() as work:
        path = Path(work) / "core.wasm"
        path.write_bytes(core)
        for start in range(0, len(addresses), _AT_ONCE):
            part = [hex(address) for address in addresses[start : start + _AT_ONCE]]
            done = subprocess.run(
                ["wasm-tools", "addr2line", str(path), "--code-section-relative", *part],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found += _by_address(done.stdout, part)
    assert len(found) == len(addresses)
    return found


def _by_address(text: str, addresses: Sequence[str]) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("0x"):
            address, _, frame = line.partition(": ")
            assert address == addresses[len(found)]
            found.append(frame)
        else:
            found[-1] += "\n" + line.strip()
    return found
