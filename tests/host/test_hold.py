"""Guests that want much make way for messages to those that want little."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from meldpy.host.bus.hold import Hold
from meldpy.host.bus.shares import Share
from meldpy.host.bus.turns import Turns
from meldpy.host.core import Core
from meldpy.host.faults import HostError
from tests.support.hosted import execute, probe

LONG = 60
"""Seconds that nothing here takes."""


class Clock:
    """The system's, which tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def somebody() -> Share:
    return Share(0.0, lambda: 0.0)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def stands(hold: Hold) -> threading.Thread:
    """A thread that stands still."""
    thread = threading.Thread(target=hold.stand_still)
    standing = len(hold._standing)
    thread.start()
    until(lambda: len(hold._standing) > standing)
    return thread


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment is longer than any test."""
    monkeypatch.setattr("meldpy.host.bus.hold._MOMENT", float(LONG))


@pytest.mark.usefixtures("patient")
def test_they_stand_still_until_everything_is_there() -> None:
    hold = Hold()
    one, other = hold.sent(somebody()), hold.sent(somebody())
    threads = [stands(hold), stands(hold)]
    one()
    assert all(each.is_alive() for each in threads)
    other()
    for each in threads:
        each.join(LONG)
        assert not each.is_alive()
    hold.stand_still()  # nothing is on its way


def test_what_takes_longer_than_a_moment_keeps_nobody() -> None:
    clock = Clock()
    hold = Hold(clock)
    hold.sent(somebody())
    hold.stand_still()
    assert (hold._rests_until, hold._standing) == (clock.now, [])  # it stood


@pytest.mark.usefixtures("patient")
def test_for_what_has_taken_longer_than_a_moment_nobody_stands_still_at_all() -> None:
    clock = Clock()
    hold = Hold(clock)
    hold.sent(somebody())
    clock.now += LONG + 1
    thread = threading.Thread(target=hold.stand_still, daemon=True)
    thread.start()
    thread.join(LONG / 2)
    assert not thread.is_alive()


@pytest.mark.usefixtures("patient")
def test_who_stood_still_does_not_do_so_for_twice_as_long() -> None:
    clock = Clock()
    hold = Hold(clock)
    arrived = hold.sent(somebody())
    thread = stands(hold)
    clock.now += 1
    arrived()
    thread.join(LONG)
    again = hold.sent(somebody())
    clock.now += 1.9
    hold.stand_still()
    clock.now += 0.2
    thread = stands(hold)
    again()
    thread.join(LONG)
    assert not thread.is_alive()


@pytest.mark.usefixtures("patient")
def test_who_waits_inside_its_turn_keeps_nobody_meanwhile() -> None:
    """It may wait for one of those that stand still."""
    clock = Clock()
    turns = Turns(2, now=clock)
    little, much = turns.share(), turns.share()
    much.add(1.0, clock.now)
    arrived, again = turns.sent(little), turns.sent(little)

    def run() -> None:
        with turns.turn(much):
            pass

    with turns.turn(little):
        first = threading.Thread(target=run)
        first.start()
        until(lambda: turns._hold._standing)
        with turns.aside(little):
            first.join(LONG)
            assert not first.is_alive()
            run()
        second = threading.Thread(target=run)
        second.start()
        until(lambda: turns._hold._standing)
    arrived()
    assert second.is_alive()
    again()
    second.join(LONG)
    assert (second.is_alive(), turns._hold._on_their_way, turns._hold._aside) == (False, {}, set())


@pytest.mark.usefixtures("patient")
def test_only_those_that_want_much_make_way_and_only_for_those_that_want_little() -> None:
    turns = Turns(1)
    little, much = turns.share(), turns.share()
    much.add(1.0, time.monotonic())
    assert (little.wants_little, much.wants_little) == (True, False)
    turns.sent(much)
    with turns.turn(much):
        pass  # nobody makes way for it
    arrived = turns.sent(little)
    with turns.turn(little):
        pass
    ran = []

    def run() -> None:
        with turns.turn(much):
            ran.append(much)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: turns._hold._standing)
    assert ran == []
    arrived()
    thread.join(LONG)
    assert ran == [much]


def test_whatever_becomes_of_messages_nothing_is_on_its_way_for_ever() -> None:
    """Handled, refused, not answered in time, and given up because their module is stopped or gone."""
    core = Core(None)
    try:
        one = core.load(probe("one"))
        turns = one._turns
        core.bus.request("", "one", "seen", b"", LONG)
        with pytest.raises(HostError):
            core.bus.request("", "one", "refuse", b"", LONG)
        with pytest.raises(HostError):
            core.bus.request("", "one", "slow", b"300000000", 0.01)
        core.bus.send("", "one", "seq/x", b"1", LONG)
        execute(one, "echo", b"")
        calls = [one.ask(lambda instance: instance.execute("slow", b"1"), LONG) for _ in range(3)]
        one.stop().result(LONG)
        with pytest.raises(HostError):
            core.bus.request("", "one", "seen", b"", LONG)
        for each in calls:
            assert each.exception(LONG) is not None
        core.unload("one")
        until(lambda: not turns._hold._on_their_way)
    finally:
        core.close()
