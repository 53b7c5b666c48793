"""Modules that attack their host: what the worker sends is not believed, and never waited for."""

from __future__ import annotations

import pytest

from meldpy.host.faults import FailureCode, Interrupted, ModuleFailure, ModuleTrapped
from meldpy.host.module import Level
from meldpy.host.native.channel import Answer, Channel
from meldpy.host.native.worker import wire
from tests.support.native import Recorder, library, running


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("short", "a packet of 5 bytes"),
        ("kind", "kind 999"),
        ("sequence", "an answer to call 1048576 in call 2"),
        ("parts", "with 60000 parts"),
        ("inline", "a part of 18446744073709551612 bytes where 8 are left"),
        ("shared", "a part of 18446744073709551615 bytes at 64"),
        ("beyond", "a part of 4 bytes at 18446744073709551606"),
        ("rest", "24 bytes that belong to no part"),
        ("empty", "a result of 0 parts"),
    ],
)
def test_a_forged_packet_ends_the_worker(what: str, how: str) -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleTrapped, match=f"broke the protocol: .*{how}"):
            module.execute("forge", what.encode())
        assert not module.alive


def test_an_answer_too_many_is_no_answer_to_the_next_call() -> None:
    with running(library("misbehave")) as module:
        assert module.execute("answer twice", b"") == b""
        with pytest.raises(ModuleTrapped, match="in call 3"):
            module.execute("echo", b"mine")


def test_a_module_that_asks_and_never_reads_is_ended() -> None:
    with running(library("misbehave")) as module, pytest.raises(ModuleTrapped, match="does not read"):
        module.execute("ask without reading", b"")


@pytest.mark.parametrize("command", ["close all", "close socket and sleep"])
def test_closing_descriptors_ends_the_module_alone(command: str) -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleTrapped):
            module.execute(command, b"")
        assert not module.alive


def test_a_result_that_is_longer_than_memory_is_refused_before_it_is_read() -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleFailure, match="the limit of payloads"):
            module.execute("huge result", b"")
        assert module.execute("echo", b"on") == b"on"


def test_the_length_of_an_error_text_is_not_believed() -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleFailure) as failure:
            module.execute("long error", b"")
        assert len(failure.value.reason) <= 4096


def test_arguments_that_lie_end_in_a_code_or_in_the_module() -> None:
    services = Recorder()
    with running(library("misbehave"), services) as module:
        with pytest.raises(ModuleFailure) as failure:
            module.execute("huge publish", b"text")
        assert failure.value.code is FailureCode.ARGUMENT
        assert services.said == []
        assert module.execute("null arguments", b"") == b""


def test_a_flood_of_lines_is_cut_and_counted() -> None:
    services = Recorder()
    with running(library("misbehave"), services) as module:
        module.execute("log flood", b"again")
        lost = module.beat(5)
    assert lost is not None
    assert services.lines[:1000] == [(Level.INFO, "again")] * 1000
    assert len(services.lines) == 1001
    assert services.lines[1000] == (Level.WARN, f"{4000 - lost.lost} more lines were left out")


def test_another_thread_may_log_and_nothing_else() -> None:
    services = Recorder()
    with running(library("misbehave"), services) as module:
        with pytest.raises(ModuleFailure) as failure:
            module.execute("thread", b"")
        assert failure.value.code is FailureCode.STATE
        assert services.lines == [(Level.WARN, "from a thread")]
        assert services.said == []


def test_what_is_lent_cannot_be_written() -> None:
    with running(library("misbehave")) as module, pytest.raises(ModuleTrapped, match="SIGSEGV"):
        module.execute("write input", bytes(1 << 20))


def test_lists_of_texts_are_checked_like_packets() -> None:
    assert wire.unpack_texts(wire.pack_texts([b"", b"a\0b", b"c"])) == [b"", b"a\0b", b"c"]
    for broken in (b"\1\0\0", b"\2\0\0\0x", b"\xff\xff\xff\xff"):
        with pytest.raises(wire.Malformed):
            wire.unpack_texts(broken)


# --- a worker that is not ours any more: what it sends is well-formed, and no answer ---
def saying(kind: int, *parts: bytes) -> Answer:
    return Answer(wire.Packet(kind, 0, 0, 0, 0, []), list(parts))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(saying(wire.PONG), f"an introduction of kind {wire.PONG}", id="kind"),
        pytest.param(saying(wire.READY, b"n", b"1", b"", b"\xff", b""), "broke the protocol", id="texts"),
    ],
)
def test_an_introduction_that_is_none_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str
) -> None:
    monkeypatch.setattr(Channel, "receive", lambda *_: answer)
    with pytest.raises(ModuleTrapped, match=words), running(library("misbehave")):
        raise AssertionError("it is not taken")


def test_an_answer_of_another_kind_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(library("misbehave")) as module, monkeypatch.context() as lying:
        lying.setattr(Channel, "call", lambda *_: saying(wire.PONG))
        with pytest.raises(ModuleTrapped, match=f"an answer of kind {wire.PONG} to a call"):
            module.execute("echo", b"")
        assert not module.alive
    with running(library("misbehave")) as module, monkeypatch.context() as lying:
        lying.setattr(Channel, "call", lambda *_: saying(wire.RESULT, b""))
        with pytest.raises(ModuleTrapped, match=f"an answer of kind {wire.RESULT} to a ping"):
            module.beat(1.0)
        assert not module.alive


def test_an_answer_that_crosses_an_interruption_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(library("misbehave")) as module, monkeypatch.context() as crossing:

        def answered(*_: object) -> Answer:
            module.interrupt("enough")
            return saying(wire.RESULT, b"late")

        crossing.setattr(Channel, "call", answered)
        with pytest.raises(Interrupted, match="was interrupted: enough"):
            module.execute("echo", b"")
        assert not module.alive
