"""Broken variants of a file: cut short, or with bits flipped. Seeded, so that a failure can be repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator


def truncations(data: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Every proper prefix if there are at most `count`, else `count` of them, spread over the length."""
    lengths = range(len(data)) if len(data) <= count else sorted({i * len(data) // count for i in range(count)})
    for length in lengths:
        yield f"cut to {length} bytes", data[:length]


def bit_flips(data: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` copies with one to three bits flipped each; half of them in the first 512 bytes, where types are."""
    rng = random.Random(seed)
    for i in range(count):
        changed = bytearray(data)
        reach = min(len(data), 512) if i % 2 else len(data)
        places = [(rng.randrange(reach), rng.randrange(8)) for _ in range(rng.randint(1, 3))]
        for at, bit in places:
            changed[at] ^= 1 << bit
        yield f"seed {seed}, variant {i}: flipped {places}", bytes(changed)


def splices(data: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` copies with a run of bytes removed, doubled, or overwritten with one that often means something."""
    rng = random.Random(seed)
    for i in range(count):
        start = rng.randrange(len(data))
        end = min(len(data), start + rng.randint(1, 8))
        kind = rng.choice(("removed", "doubled", "0x00", "0x7f", "0x80", "0xff"))
        part = {"removed": b"", "doubled": data[start:end] * 2}.get(kind)
        if part is None:
            part = bytes([int(kind, 16)]) * (end - start)
        yield f"seed {seed}, variant {i}: {start}..{end} {kind}", data[:start] + part + data[end:]
