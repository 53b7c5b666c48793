"""Calls, messages, state, and what a module asks of the host: as for any other module."""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path

import pytest

from meldpy.host.faults import (
    FailureCode,
    Interrupted,
    ModuleFailure,
    ModuleTrapped,
    SchemaRefused,
    StateError,
    Unsupported,
)
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Capabilities, Envelope, Level, ModuleInstance, ModuleState
from meldpy.host.native import NativeInstance
from tests.support.native import EVERYTHING, Recorder, library, running

SIZES = [0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 1 << 20, 16 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_go_there_and_back(size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    with running(library("misbehave")) as module:
        assert module.execute("echo", payload) == payload
        assert module.execute("borrow", payload) == payload
        assert module.execute("echo", payload) == payload


def test_a_payload_beyond_the_limit_is_refused_on_either_side() -> None:
    with running(library("misbehave"), limits=Limits(payload=1 << 20)) as module:
        with pytest.raises(ModuleFailure, match="the limit is 1048576"):
            module.execute("echo", bytes((1 << 20) + 1))
        with pytest.raises(ModuleFailure, match="the result has 8388608 bytes"):
            module.execute("long result", b"")
        assert module.execute("echo", b"still there") == b"still there"


def test_results_may_be_static() -> None:
    with running(library("misbehave")) as module:
        assert module.execute("static", b"") == b"static"


def test_is_a_module_instance_that_introduces_itself() -> None:
    with running(library("misbehave")) as module:
        instance: ModuleInstance = module
        assert instance.capabilities() == Capabilities(("echo", "static"), ("weather/*",), 3)
        assert (module.introduction.name, module.introduction.version) == ("misbehave", "1.2.3")
        assert instance.alive


def test_messages_arrive_whole() -> None:
    with running(library("misbehave")) as module:
        message = Envelope(2**63 + 1, "weather/wind", b"west", "sensor", 3, wants_reply=True)
        assert module.handle_message(message) == b"1 9223372036854775809 weather/wind sensor west 3 1"
    with running(library("asker")) as module, pytest.raises(ModuleTrapped):
        module.handle_message(message)


def test_state_is_handed_over_and_its_schema_checked() -> None:
    with running(library("misbehave")) as module:
        state = module.get_state()
        assert state == ModuleState(3, b"kept")
    with running(library("misbehave")) as module:
        module.restore_state(state)
        with pytest.raises(SchemaRefused, match="only schema 3"):
            module.restore_state(ModuleState(4, b"kept"))
        assert module.alive
    with running(library("asker")) as module:
        with pytest.raises(Unsupported):
            module.get_state()
        with pytest.raises(Unsupported):
            module.restore_state(state)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("say", FailureCode.STATE, "not now"),
        ("nothing of that kind", FailureCode.UNSUPPORTED, "unsupported"),
        ("odd code", FailureCode.FAILED, "code 77"),
        ("negative code", FailureCode.FAILED, "code -1"),
        ("bad text", FailureCode.FAILED, "\\\\ufffd|\ufffd"),
    ],
)
def test_what_a_module_says_is_its_failure_and_no_more(command: str, code: FailureCode, text: str) -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleFailure, match=text) as failure:
            module.execute(command, b"")
        assert failure.value.code is code
        assert module.alive
        assert module.execute("echo", b"on") == b"on"


def test_create_may_fail() -> None:
    instance = NativeInstance(library("misbehave"), Recorder())
    try:
        with pytest.raises(ModuleFailure, match="no good"):
            instance.initialize("fail")
        instance.initialize("{}")
        with pytest.raises(StateError):
            instance.initialize("{}")
    finally:
        instance.close()


def test_the_order_of_life_is_kept() -> None:
    services = Recorder()
    instance = NativeInstance(library("asker"), services)
    with pytest.raises(StateError, match="not initialized"):
        instance.execute("tables", b"")
    instance.initialize('{"a": 1}')
    instance.shutdown()
    assert services.lines == [(Level.INFO, '{"a": 1}'), (Level.DEBUG, "destroyed")]
    with pytest.raises(StateError):
        instance.execute("tables", b"")
    instance.close()
    instance.close()
    assert not instance.alive
    with pytest.raises(StateError):
        instance.initialize("{}")


def test_the_bus() -> None:
    services = Recorder()
    with running(library("asker"), services) as module:
        module.execute("publish", b"1")
        module.execute("send", bytes(100_000))
        assert module.execute("request", b"abc") == b"cba"
        assert module.execute("request", bytes(99_999) + b"1") == b"1" + bytes(99_999)
    assert services.said[:3] == [
        ("publish", "a/topic", b"1"),
        ("send", "other", "a/topic", bytes(100_000)),
        ("request", "other", "a/topic", b"abc", 1.5),
    ]


def test_jobs() -> None:
    services = Recorder()
    with running(library("asker"), services) as module:
        assert module.execute("job", b"half") == b""
        assert services.said == [
            ("progress", 3, 5_000_000_000, "three"),
            ("line", "a line"),
            ("metric", "speed", 0.25),
            ("checkpoint", b"half"),
        ]
        assert module.execute("job", b"half") == b"half"
        services.kept, services.cancelled = None, True
        with pytest.raises(ModuleFailure) as failure:
            module.execute("job", b"half")
        assert failure.value.code is FailureCode.CANCELLED


def test_keys_and_values() -> None:
    services = Recorder()
    with running(library("asker"), services) as module:
        assert module.execute("remember", b"me") == b"me"
        assert module.execute("missing", b"") == b""
        assert module.execute("keys", b"") == b"last;list/b;"
        assert module.execute("keys", b"list/") == b"list/b;"
        services.keys["nowhere"] = b""
        with pytest.raises(ModuleFailure):
            module.execute("missing", b"")


def test_the_clock() -> None:
    with running(library("asker")) as module:
        before = (time.time_ns(), time.monotonic_ns())
        now, monotonic = struct.unpack("<QQ", module.execute("times", b""))
        assert before[0] <= now <= time.time_ns()
        assert before[1] <= monotonic <= time.monotonic_ns()


def test_what_is_not_granted_is_not_there() -> None:
    with running(library("asker"), grants=Grants()) as module:
        assert module.execute("tables", b"") == b"0000"
    with running(library("asker"), grants=Grants(kv=True, send=("a",))) as module:
        assert module.execute("tables", b"") == b"1010"
    with running(library("asker"), grants=EVERYTHING) as module:
        assert module.execute("tables", b"") == b"1111"


def test_the_services_have_the_last_word_on_grants() -> None:
    services = Recorder()
    services.denied = True
    with running(library("asker"), services) as module:
        with pytest.raises(ModuleFailure, match="not granted") as failure:
            module.execute("publish", b"")
        assert failure.value.code is FailureCode.DENIED


def test_a_paused_job_ends_in_its_checkpoint() -> None:
    class Pausing(Recorder):
        def checkpoint(self, data: bytes) -> None:
            raise Interrupted("the job is paused")

    with running(library("asker"), Pausing()) as module:
        with pytest.raises(Interrupted, match="paused"):
            module.execute("job", b"half")
        assert not module.alive


def test_a_call_is_interrupted_from_another_thread() -> None:
    with running(library("misbehave")) as module:
        module.interrupt("nobody is in a call")
        assert module.execute("echo", b"on") == b"on"
        timer = threading.Timer(0.1, module.interrupt, ["it is unloaded"])
        timer.start()
        with pytest.raises(Interrupted, match="it is unloaded"):
            module.execute("spin", b"")
        timer.join()
        assert not module.alive


def test_an_instance_is_not_entered_twice() -> None:
    class Entering(Recorder):
        def publish(self, topic: str, payload: bytes) -> None:
            with pytest.raises(StateError, match="in a call"):
                module.execute("publish", b"")
            super().publish(topic, payload)

    services = Entering()
    with running(library("asker"), services) as module:
        module.execute("publish", b"")
    assert len(services.said) == 1


def test_what_a_module_prints_becomes_lines_of_its_log() -> None:
    services = Recorder()
    with running(library("misbehave"), services) as module:
        module.execute("print", b"")
        ((level, text),) = services.lines
        assert level is Level.INFO
        assert text.startswith("line 0 of many\nline 1 of many\n")
        assert len(text) <= 256 * 1024
        module.execute("echo", b"")
        assert len(services.lines) == 1


def test_a_heartbeat_says_how_much_memory_there_is(tmp_path: Path) -> None:
    with running(library("misbehave")) as module:
        beat = module.beat(5)
        assert beat is not None
        assert 1 << 20 < beat.resident < 200 << 20
        assert beat.lost == 0


def test_processor_time_of_all_its_threads_is_told_and_its_last_number_stays() -> None:
    with running(library("misbehave")) as module:
        before = module.used_elsewhere
        module.execute("compute", b"")
        after = module.used_elsewhere
        assert after - before >= 0.2
        module.execute("compute beside", b"")
        end = time.monotonic() + 30
        while module.used_elsewhere - after < 0.2 and time.monotonic() < end:
            time.sleep(0.01)
        last = module.used_elsewhere
        assert last - after >= 0.2
    assert module.used_elsewhere >= last


def test_a_native_module_has_no_exports_of_its_own() -> None:
    with running(library("misbehave")) as module:
        for call in (lambda: module.call(("f",)), lambda: module.call_text("f()")):
            with pytest.raises(Unsupported, match=r"misbehave.* is a native module: it has commands, and no exports"):
                call()
        assert module.execute("echo", b"x") == b"x"
