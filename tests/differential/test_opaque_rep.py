"""Opaque reps: a program that keeps the declaration behaves the same, without any handle table."""

from __future__ import annotations

import time

import pytest
from wasmtime import wat2wasm

from meldpy.errors import LinkError
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from tests.support.kept import fuse_keeping, with_code
from tests.support.resource_guests import PING, chain
from tests.support.resource_host import Session, run

R = "demo:ping/d@1.0.0.r"
OPAQUE = FuseOptions(opaque_reps=(R,))
MARK = b"handle.new_own"
"""A function of the handle tables, by its name in the name section."""


@pytest.fixture(scope="module")
def composed() -> bytes:
    return bytes(wat2wasm(PING))


def scenario(s: Session) -> None:
    d = "demo:ping/d@1.0.0"
    for loop in ("borrows", "round-trips", "creations"):
        s.call("u", loop, 10)
    s.call(d, "drops")
    # reps may be 0, and equal
    handles = [s.call(d, "make", rep) for rep in (0, 9, 9)]
    s.call(d, "peek", s.call(d, "echo", handles[0]))
    for handle in handles[1:]:
        s.drop(handle)
    s.call(d, "drops")


def test_there_is_no_handle_table_and_no_difference(composed: bytes) -> None:
    opaque = fuse([composed], OPAQUE)
    assert MARK not in opaque.bytes
    assert opaque.report.notes == ()
    assert run(opaque.bytes, scenario) == run(composed, scenario)
    tabled = fuse([composed])
    assert MARK in tabled.bytes
    assert run(tabled.bytes, scenario) == run(composed, scenario)


def test_round_trips_are_faster(composed: bytes) -> None:
    def best(binary: bytes) -> float:
        times: list[float] = []

        def timed(s: Session) -> None:
            for _ in range(5):
                began = time.perf_counter()
                s.call("u", "round-trips", 200_000)
                times.append(time.perf_counter() - began)

        assert run(binary, timed) == [("u", "round-trips", 3)] * 5
        return min(times)

    assert best(fuse([composed], OPAQUE).bytes) < best(fuse([composed]).bytes)


def test_a_borrow_for_another_instance_keeps_the_table() -> None:
    result = fuse([bytes(wat2wasm(chain(1)))], FuseOptions(opaque_reps=("d.r",)))
    assert MARK in result.bytes
    assert any("d.r" in note and "--opaque-rep" in note for note in result.report.notes)


def test_an_unknown_name_lists_those_there_are(composed: bytes) -> None:
    with pytest.raises(LinkError) as caught:
        fuse([composed], FuseOptions(opaque_reps=("demo:ping/d.r",)))
    assert any(R in cause for cause in caught.value.causes)


@pytest.mark.parametrize("number", [0, 1])
def test_the_declaration_holds_across_a_cut(composed: bytes, number: int) -> None:
    item = FuseInput("ping", "ping", composed)
    kept, cut = fuse_keeping([item], OPAQUE, lambda graph: [with_code(graph)[number]])
    assert len(cut.parts) == 2
    assert run(kept, scenario) == run(composed, scenario)
