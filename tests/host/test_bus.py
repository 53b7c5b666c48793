"""Messages: who gets them, in which order, how many may wait, and what becomes of those that nobody can handle."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meldpy.host.bus.mailbox import Mailbox, Work
from meldpy.host.core import Core
from meldpy.host.faults import (
    Busy,
    Denied,
    FailureCode,
    HostError,
    HostFailed,
    ModuleFailure,
    ModuleTrapped,
    StateError,
    StoreFailed,
    TimedOut,
)
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.lifecycle.life import Status
from meldpy.host.lifecycle.plan import Persist, RestartPolicy
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Envelope, Services
from meldpy.host.services import Effects
from meldpy.records import replace
from tests.support.hosted import execute, probe, scripted, seen

QUICK = RestartPolicy(delay=0.001, longest=0.01)


def test_a_module_executes_commands_and_keeps_what_it_was_told(core: Core) -> None:
    one = core.load(probe("one"))
    assert execute(one, "echo", b"\0\xff" * 1000) == b"\0\xff" * 1000
    with pytest.raises(ModuleFailure) as refused:
        execute(one, "what")
    assert (refused.value.code, refused.value.reason) == (FailureCode.ARGUMENT, "unknown command")
    execute(one, "set", b"value")
    assert (execute(one, "get"), execute(one, "keys")) == (b"value", b"key")


def test_messages_of_a_pair_arrive_in_order(core: Core) -> None:
    one = core.load(probe("one", limits=Limits(mailbox=10_000)))

    def flood(sender: str) -> None:
        for number in range(1, 301):
            core.bus.send(sender, "one", "seq/x", str(number).encode(), 10)

    threads = [threading.Thread(target=flood, args=(f"s{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen(one) == {f"s{i}": [300, 300, 0, 0] for i in range(4)}


def test_a_topic_reaches_everybody_who_subscribed_but_its_sender(core: Core) -> None:
    names = ("one", "two")
    for name in names:
        core.load(probe(name))
    core.load(probe("deaf", grants=Grants(True, True, True, True, publish=("*",))))
    with core.bus.listen("seq/*") as listener:
        core.bus.publish("one", "seq/x", b"1", 1)
        assert listener.get(10).payload == b"1"
    assert seen(core.find("two")) == {"one": [1, 1, 0, 0]}
    assert seen(core.find("one")) == seen(core.find("deaf")) == {}


def test_a_full_mailbox_makes_senders_wait_and_then_refuses(core: Core) -> None:
    one = core.load(probe("one", limits=Limits(mailbox=5)))
    hold = threading.Event()
    one.order(hold.wait)  # the module's thread waits, as in a reload
    for number in range(1, 6):
        core.bus.send("", "one", "seq/x", str(number).encode(), 0)
    with pytest.raises(Busy, match="full"):
        core.bus.send("", "one", "seq/x", b"6", 0.05)
    threading.Timer(0.1, hold.set).start()
    core.bus.send("", "one", "seq/x", b"6", 10)
    assert seen(one) == {"": [6, 6, 0, 0]}


def test_a_publication_that_one_subscriber_cannot_take_reaches_none(core: Core) -> None:
    one = core.load(probe("one"))
    two = core.load(probe("two", limits=Limits(mailbox=1)))
    hold = threading.Event()
    two.order(hold.wait)
    core.bus.send("", "two", "seq/x", b"1", 0)
    with pytest.raises(Busy):
        core.bus.publish("", "seq/x", b"2", 0)
    hold.set()
    assert seen(one) == {}
    core.bus.publish("", "seq/x", b"2", 10)
    assert (seen(one)[""], seen(two)[""]) == ([2, 1, 1, 0], [2, 2, 0, 0])


def test_a_flood_from_a_module_is_stopped_by_the_mailbox(core: Core) -> None:
    core.load(probe("victim", limits=Limits(mailbox=50)))
    flooder = core.load(probe("flooder", limits=Limits(request=0.01)))
    hold = threading.Event()
    core.find("victim").order(hold.wait)
    assert int(execute(flooder, "flood")) == 50
    hold.set()
    assert seen(core.find("victim")) == {"flooder": [50, 50, 0, 0]}


def test_a_request_is_answered_in_time_or_not_at_all(core: Core) -> None:
    core.load(probe("one"))
    assert core.bus.request("", "one", "seq/x", b"1", 10) == b"<> 1 1 0 0"
    with pytest.raises(ModuleFailure, match="as sent"):
        core.bus.request("", "one", "refuse", b"", 10)
    with pytest.raises(ModuleTrapped):
        core.bus.request("", "one", "poison", b"", 10)
    with pytest.raises(StateError, match="there is no module nobody"):
        core.bus.request("", "nobody", "x", b"", 10)
    hold = threading.Event()
    core.find("one").order(hold.wait)
    with pytest.raises(TimedOut):
        core.bus.request("", "one", "seq/x", b"2", 0.05)
    hold.set()


def test_modules_ask_each_other_and_never_in_a_circle(core: Core) -> None:
    one, _ = core.load(probe("one")), core.load(probe("two"))
    assert execute(one, "ask", b"two") == b""
    with pytest.raises(ModuleFailure) as refused:
        execute(one, "ask", b"one")
    assert refused.value.code is FailureCode.STATE
    with pytest.raises(ModuleFailure, match="would wait for itself"):
        core.bus.request("", "one", "ask", b"one", 10)


def test_what_was_not_granted_is_denied_at_the_import(core: Core) -> None:
    with pytest.raises(Denied, match=r"imports meld:host/bus@0\.1\.0, meld:host/clock"):
        core.load(probe("one", grants=Grants(log=True, kv=True, jobs=True)))
    some = Grants(True, True, True, True, publish=("a/*",), send=("two",))
    one = core.load(probe("one", grants=some))
    execute(one, "publish", b"a/b")
    for command, payload in (("publish", b"b/a"), ("publish", b"meld/died"), ("ask", b"three")):
        with pytest.raises(ModuleFailure) as refused:
            execute(one, command, payload)
        assert refused.value.code is FailureCode.DENIED


def test_a_volatile_message_that_fails_is_a_dead_letter_at_once(core: Core) -> None:
    one = core.load(probe("one", policy=QUICK))
    for topic in ("refuse", "poison"):
        core.bus.send("", "one", topic, b"x", 0)
    assert seen(one) == {}
    letters = core.messages.dead("one")
    assert [(letter.message.topic, letter.message.attempt) for letter in letters] == [("refuse", 1), ("poison", 1)]
    assert one.deaths == 1


def test_a_durable_message_is_tried_again_and_then_given_up(kept_core: Core) -> None:
    one = kept_core.load(probe("one", durable=("*",), policy=QUICK, attempts=3))
    for topic in ("seq/x", "poison", "seq/x"):
        kept_core.bus.send("", "one", topic, str(1 + len(kept_core.messages.waiting("one"))).encode(), 0)
        execute(one, "echo")
    letters = kept_core.messages.dead("one")
    assert [(letter.message.topic, letter.message.attempt) for letter in letters] == [("poison", 3)]
    assert kept_core.messages.waiting("one") == []
    assert one.deaths == 3


def test_what_a_failed_handling_did_is_undone(kept_core: Core) -> None:
    kept_core.load(probe("two", durable=("relay/*",)))
    kept_core.load(probe("one", "relay-all", durable=("seq/*",)))
    for number in (1, 2, 3):
        kept_core.bus.publish("", "seq/x", str(number).encode(), 1)
    kept_core.bus.send("", "one", "seq/x", b"not a number", 1)
    deadline = time.monotonic() + 30
    while not kept_core.messages.dead("one") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen(kept_core.find("two"))["one"] == [3, 3, 0, 0]
    assert len(kept_core.messages.dead("one")) == 1


def test_durable_messages_for_a_module_that_is_stopped_wait_for_it(kept_core: Core) -> None:
    one = kept_core.load(probe("one", durable=("seq/*",)))
    kept_core.bus.send("", "one", "seq/x", b"1", 0)
    one.stop().result()
    kept_core.bus.send("", "one", "seq/x", b"2", 0)
    kept_core.bus.publish("", "seq/x", b"3", 0)
    with pytest.raises(StateError):
        kept_core.bus.send("", "one", "volatile", b"2", 0)
    one.start().result()
    assert seen(one) == {"": [3, 3, 0, 0]}


@contextmanager
def held(hosted: Hosted) -> Iterator[None]:
    """The module's thread waits meanwhile, as in a reload."""
    hold = threading.Event()
    hosted.order(hold.wait)
    try:
        yield
    finally:
        hold.set()


# --- what must not stop a module -------------------------------------------------------------------------------------
def test_a_listener_that_is_full_or_stopped_stops_no_module_that_dies(core: Core) -> None:
    monitor = core.load(scripted("monitor", lambda *_: None, ("meld/died",), limits=Limits(mailbox=1)))
    one = core.load(probe("one", policy=replace(QUICK, deaths=100)))
    with held(monitor):
        for _ in range(3):
            with pytest.raises(ModuleTrapped):
                core.bus.request("", "one", "poison", b"", 10)
            with pytest.raises(ModuleTrapped):
                execute(one, "trap")
        assert execute(one, "echo", b"x") == b"x"
    letters = core.messages.dead("monitor")
    assert len(letters) == 5  # one is in the mailbox
    assert {letter.message.topic for letter in letters} == {"meld/died"}


def test_a_full_listener_fails_neither_loads_nor_swaps(core: Core) -> None:
    monitor = core.load(scripted("monitor", lambda *_: None, ("meld/*",), limits=Limits(mailbox=1)))
    with held(monitor):
        one = core.load(probe("one"))
        assert core.reload(probe("one", version="2.0.0")) > 0
        assert one.plan.version == "2.0.0"
        core.unload("one")


def test_a_defect_in_a_handling_is_logged_told_and_survived(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    def handle(_services: object, message: Envelope, _state: object) -> None:
        if message.payload == b"defect":
            raise KeyError("a defect of the host's")

    one = core.load(scripted("one", handle, durable=("kept/*",), attempts=2))
    with pytest.raises(HostFailed) as told:
        core.bus.request("", "one", "x", b"defect", 10)
    assert (told.value.exit_code, told.value.causes) == (70, ('KeyError: "a defect of the host\'s"',))
    core.bus.send("", "one", "kept/x", b"defect", 0)
    assert core.bus.request("", "one", "x", b"", 10) == b""
    assert [record.exc_info is not None for record in caplog.records if record.getMessage() == "the host failed"] == [
        True,
        True,
        True,
    ]
    assert [letter.message.attempt for letter in core.messages.dead("one")] == [2]
    assert one.deaths == 0


def test_a_topic_that_is_no_text_fails_alone(core: Core) -> None:
    core.load(probe("one"))
    with pytest.raises(ModuleFailure, match="surrogates"):
        core.bus.request("", "one", "\ud800", b"", 10)
    assert core.bus.request("", "one", "seq/x", b"1", 10) == b"<> 1 1 0 0"


# --- the store and those who start, stop and fail --------------------------------------------------------------------
def test_a_message_that_was_accepted_while_its_receiver_started_is_not_left_lying(kept_core: Core) -> None:
    got: list[bytes] = []
    one = kept_core.load(scripted("one", lambda _s, message, _st: got.append(message.payload), durable=("*",)))
    one.stop().result()
    reserve = one.reserve

    def refused_then_started(wait: float) -> None:
        try:
            reserve(wait)
        finally:
            one.reserve = reserve  # type: ignore[method-assign]
            one.start().result()

    one.reserve = refused_then_started  # type: ignore[method-assign]
    kept_core.bus.send("", "one", "x", b"1", 0)
    execute(one, "echo")
    assert got == [b"1"]
    assert kept_core.messages.waiting("one") == []


def test_what_was_kept_comes_before_what_is_sent_while_its_receiver_starts(kept_core: Core) -> None:
    got: list[bytes] = []
    one = kept_core.load(scripted("one", lambda _s, message, _st: got.append(message.payload), durable=("*",)))
    one.stop().result()
    for number in (b"1", b"2", b"3"):
        kept_core.bus.send("", "one", "x", number, 0)
    take_up = one._take_up

    def late() -> None:
        kept_core.bus.send("", "one", "x", b"4", 0)
        take_up()

    one._take_up = late  # type: ignore[method-assign]
    one.start().result()
    execute(one, "echo")
    assert got == [b"1", b"2", b"3", b"4"]


def test_a_handling_whose_receiver_is_gone_is_not_repeated(kept_core: Core) -> None:
    def handle(services: Services, message: Envelope, state: list[bytes]) -> None:
        state.append(message.payload)
        services.send("two", "x", message.payload)
        kept_core.unload("two")

    kept_core.load(scripted("two", lambda *_: None))
    one = kept_core.load(scripted("one", handle, durable=("*",), persist=Persist.MESSAGE))
    kept_core.bus.send("", "one", "x", b"1", 0)
    assert execute(one, "seen") == b"1"
    assert [(letter.receiver, letter.message.payload) for letter in kept_core.messages.dead()] == [("two", b"1")]
    assert one.deaths == 0


def test_a_handling_that_could_not_be_kept_is_repeated_on_the_state_that_was(
    kept_core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(_services: Services, message: Envelope, state: list[bytes]) -> None:
        state.append(message.payload)

    one = kept_core.load(scripted("one", handle, durable=("*",), persist=Persist.MESSAGE, policy=QUICK))
    send_with, failures = kept_core.bus.send_with, [sqlite3.OperationalError("database or disk is full")]

    def failing(sender: str, outbox: Any, effects: Effects) -> None:
        if failures:

            def fail(_within: object) -> None:
                raise failures.pop()

            effects.also.append(fail)
        send_with(sender, outbox, effects)

    monkeypatch.setattr(kept_core.bus, "send_with", failing)
    for number in (b"1", b"2"):
        kept_core.bus.send("", "one", "x", number, 0)
    assert execute(one, "seen") == b"1,2"
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert kept.state is not None
    assert (kept.state.data, one.deaths, kept_core.messages.dead()) == (b"1,2", 1, [])


def lose(core: Core) -> None:
    """As SQLite does when the disc is full: it ends the transaction by itself, and says so."""
    with core.database.transaction() as within:
        within.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")


def test_a_store_that_fails_once_is_not_broken_for_good(kept_core: Core) -> None:
    with pytest.raises(StoreFailed, match="disk is full"), kept_core.database.transaction():
        raise sqlite3.OperationalError("database or disk is full")
    with pytest.raises(StoreFailed):
        lose(kept_core)
    with kept_core.database.transaction():
        pass


def test_a_store_that_fails_keeps_nobody_from_what_has_happened(
    kept_core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept_core.load(scripted("one", lambda *_: None, ("meld/*",), durable=("meld/*",)))
    heard = kept_core.bus.listen("meld/loaded")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as without:
        without.setattr(kept_core.bus._messages, "accept", full)
        kept_core.load(scripted("two", lambda *_: None))
    assert kept_core.find("two").status is Status.RUNNING
    assert heard.get(5).payload == b"two 1.0.0"
    assert "one is not told of meld/loaded: the store failed: database or disk is full" in caplog.messages


def test_a_store_that_takes_no_dead_letters_keeps_nobody_waiting(
    kept_core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a module that stops: messages, calls and orders behind one that cannot be buried are answered all the same."""
    one = kept_core.load(scripted("one", lambda *_: None))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(one._handler._messages, "bury", full)
    with held(one):
        kept_core.bus.send("", "one", "x", b"", 0)
        call = one.ask(lambda instance: instance.execute("", b""))
        stopped = one.stop()
    with pytest.raises(StateError, match="it is stopped"):
        call.result(30)
    stopped.result(30)
    kept_core.unload("one")
    lost = "a message is lost, and on no list of dead letters: the store failed: database or disk is full"
    assert caplog.messages.count(lost) == 1
    assert not any(record.exc_info for record in caplog.records)


def test_what_cannot_be_abandoned_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def defect(_error: HostError) -> None:
        raise KeyError("a defect")

    mailbox = Mailbox("one", 5, lambda: None)
    mailbox.open()
    for abandon in (defect, lambda error: told.append(error.reason)):
        mailbox.put(Work(lambda: None, abandon), reserved=False)
        mailbox.order(Work(lambda: None, abandon))
    mailbox.close("it is stopped")
    mailbox.end("it is unloaded")
    assert told == ["one: it is stopped", "one: it is unloaded"]
    assert caplog.messages == ["the host failed", "the host failed"]


def test_a_durable_message_that_the_store_does_not_let_be_handled_is_handled_before_the_next(
    kept_core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[bytes] = []
    one = kept_core.load(scripted("one", lambda _s, message, _st: got.append(message.payload), durable=("*",)))

    with monkeypatch.context() as without:
        without.setattr(one._handler._messages, "attempt", lambda _id: lose(kept_core))
        kept_core.bus.send("", "one", "x", b"1", 0)
        assert execute(one, "echo") == b""
    assert got == []
    kept_core.bus.send("", "one", "x", b"2", 0)
    execute(one, "echo")
    assert got == [b"1", b"2"]
    assert "a message is not handled: the store failed: disk I/O error" in caplog.messages
    assert not any(record.exc_info for record in caplog.records)


def test_the_store_belongs_to_one_host_at_a_time(tmp_path: Path) -> None:
    first = Core(tmp_path)
    with pytest.raises(StateError, match="another host runs"):
        Core(tmp_path)
    first.close()
    Core(tmp_path).close()


def test_what_a_store_that_failed_left_is_handled_though_nothing_else_comes(
    kept_core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once: it fails again when it is tried again."""
    monkeypatch.setattr("meldpy.host.lifecycle.hosted.STORE_REST", 0.01)
    got: list[bytes] = []
    done, failures = threading.Event(), iter(range(3))

    def take(_services: Services, message: Envelope, _state: bytes) -> None:
        got.append(message.payload)
        done.set()

    one = kept_core.load(scripted("one", take, durable=("x",)))
    attempt = one._handler._messages.attempt

    def fails_at_first(id_: int) -> int | None:
        if next(failures, None) is not None:
            raise StoreFailed("database is locked")
        return attempt(id_)

    monkeypatch.setattr(one._handler._messages, "attempt", fails_at_first)
    kept_core.bus.send("", "one", "x", b"kept", 0)
    assert done.wait(30)
    one.ask(lambda _instance: None).result(30)  # it is done with it
    assert (got, kept_core.messages.waiting("one")) == ([b"kept"], [])
