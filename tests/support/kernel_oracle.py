"""What the kernel and the reference decoder say about the same bytes, in comparable form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meldpy.errors import DecodeError, InternalError, MeldError, UnsupportedError
from meldpy.kernel.reindex import reindex
from meldpy.kernel.scan import scan
from meldpy.model.facts import RefKind
from meldpy.model.reindexed import IndexCounts, IndexMaps
from tests.support.code_samples import SPACES
from tests.support.reference_decoder import Bad, decode

Maps = Mapping[str, Sequence[int]]
Failure = tuple[str, int]
"""(kind, offset in the bodies)"""
References = list[list[tuple[RefKind, int]]]


def kernel_reindex(bodies: bytes, count: int, maps: Maps, keep: Sequence[bool] | None = None) -> bytes | Failure:
    try:
        return reindex(bodies, count, IndexMaps(*(maps[space] for space in SPACES)), keep).bodies
    except MeldError as error:
        return _failure(error)


def kernel_scan(bodies: bytes, count: int, maps: Maps) -> References | Failure:
    try:
        facts = scan(bodies, count, IndexCounts(*(len(maps[space]) for space in SPACES)))
    except MeldError as error:
        return _failure(error)
    pairs = [(RefKind(kind), index) for kind, index in zip(facts.kinds, facts.indices, strict=True)]
    assert facts.bounds[0] == 0
    assert facts.bounds[-1] == len(bodies)
    return [pairs[facts.spans[i] : facts.spans[i + 1]] for i in range(count)]


def _failure(error: MeldError) -> Failure:
    kinds = {DecodeError: "malformed", UnsupportedError: "unsupported", InternalError: "dropped"}
    assert error.location is not None, error
    assert error.location.offset is not None
    return kinds[type(error)], error.location.offset


def reference(
    bodies: bytes, count: int, maps: Maps, keep: Sequence[bool] | None = None
) -> tuple[bytes, References] | Failure:
    try:
        decoded = decode(bodies, count, maps, keep)
    except Bad as bad:
        return bad.kind, bad.offset
    return decoded.bodies, decoded.references


def disagreement(bodies: bytes, count: int, maps: Maps) -> str | None:
    """Says how kernel and reference differ on these bodies, if they do."""
    expected = reference(bodies, count, maps)
    rewritten = kernel_reindex(bodies, count, maps)
    listed = kernel_scan(bodies, count, maps)
    if isinstance(expected[0], str):
        if (rewritten, listed) != (expected, expected):
            return f"expected {expected}, reindex gives {rewritten!r:.80}, scan gives {listed!r:.80}"
        return None
    if rewritten != expected[0]:
        return f"expected {expected[0]!r:.80}, reindex gives {rewritten!r:.80}"
    if listed != expected[1]:
        return f"expected {expected[1]!r:.80}, scan gives {listed!r:.80}"
    return None
