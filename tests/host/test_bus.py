"""Messages: who gets them, in which order, how many may wait, and what becomes of those that nobody can handle."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from meldpy.host.core import Core
from meldpy.host.faults import Busy, Denied, FailureCode, ModuleFailure, ModuleTrapped, StateError, TimedOut
from meldpy.host.lifecycle.plan import RestartPolicy
from meldpy.host.limits import Grants, Limits
from tests.support.hosted import execute, probe, seen

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


def test_the_store_belongs_to_one_host_at_a_time(tmp_path: Path) -> None:
    first = Core(tmp_path)
    with pytest.raises(StateError, match="another host runs"):
        Core(tmp_path)
    first.close()
    Core(tmp_path).close()
