"""Who runs when more guests want to than there are cores."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from meldpy.host.bus.turns import Share, Turns


class Clocks:
    """The system's, one for every thread, and one of a process besides, that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.elsewhere = 0.0
        self._used = threading.local()

    def used(self) -> float:
        return getattr(self._used, "seconds", 0.0)

    def use(self, seconds: float) -> None:
        """This thread computes so long."""
        self._used.seconds = self.used() + seconds
        self.now += seconds

    def use_elsewhere(self, seconds: float) -> None:
        """The process does."""
        self.elsewhere += seconds
        self.now += seconds


def turns_of(clocks: Clocks, cores: int = 1) -> Turns:
    return Turns(cores, now=lambda: clocks.now, used=clocks.used)


def used(turns: Turns, clocks: Clocks, seconds: float) -> Share:
    """A guest that used so much."""
    share = turns.share()
    with turns.turn(share):
        clocks.use(seconds)
    return share


def started(turns: Turns, share: Share, ran: list[str], name: str) -> threading.Thread:
    """A thread that wants a turn; it is in the queue, or had its turn."""

    def run() -> None:
        with turns.turn(share):
            ran.append(name)

    thread = threading.Thread(target=run)
    waiting = len(turns._queue)
    thread.start()
    end = time.monotonic() + 30
    while len(turns._queue) == waiting and name not in ran and time.monotonic() < end:
        time.sleep(0.001)
    return thread


@contextmanager
def joined(*threads: threading.Thread) -> Iterator[None]:
    yield
    for each in threads:
        each.join(30)
        assert not each.is_alive()


def test_who_used_least_is_next() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    shares = {name: used(turns, clocks, seconds) for name, seconds in (("less", 0.25), ("some", 0.3), ("much", 0.4))}
    ran: list[str] = []
    with turns.turn(used(turns, clocks, 0.05)):
        threads = [started(turns, shares[name], ran, name) for name in ("much", "less", "some")]
        assert ran == []
    with joined(*threads):
        pass
    assert ran == ["less", "some", "much"]


def test_the_order_of_those_that_wait_does_not_change_with_time() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    first, second = used(turns, clocks, 0.3), used(turns, clocks, 0.29)
    before = first.rank - second.rank
    clocks.now += 100_000
    assert first.rank - second.rank == before


def test_who_has_short_turns_does_not_wait_for_long_ones() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    short, long = used(turns, clocks, 0.001), used(turns, clocks, 0.003)
    ran: list[str] = []
    with turns.turn(long):
        with joined(started(turns, short, ran, "short")):
            pass
        assert ran == ["short"]


def test_who_has_turns_of_a_length_waits() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    one, other = used(turns, clocks, 0.0025), used(turns, clocks, 0.003)
    ran: list[str] = []
    with turns.turn(other):
        thread = started(turns, one, ran, "one")
        assert ran == []
    with joined(thread):
        pass


def test_who_uses_much_in_short_turns_waits_too() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    long, flood = used(turns, clocks, 0.2), turns.share()
    for _ in range(200):
        with turns.turn(flood):
            clocks.use(0.001)
    ran: list[str] = []
    with turns.turn(long):
        thread = started(turns, flood, ran, "flood")
        assert ran == []
    with joined(thread):
        pass


def test_who_rests_between_its_turns_is_ahead_of_those_that_wait_for_them() -> None:
    """Also where all used the same: the one wanted no more, and the other got no more."""
    clocks = Clocks()
    turns = turns_of(clocks)
    waits, rests = turns.share(), turns.share()
    for _ in range(100):
        waits.rested(clocks.now)
        clocks.now += 0.024
        rests.rested(clocks.now)
        clocks.now += 0.001
        for each in (waits, rests):
            each.add(0.001, clocks.now)
            each.rests(clocks.now)
    assert (waits.wants_little, rests.wants_little) == (False, True)
    ran: list[str] = []
    with turns.turn(used(turns, clocks, 0.0001)):
        threads = [started(turns, share, ran, name) for name, share in (("waits", waits), ("rests", rests))]
        assert ran == []
    with joined(*threads):
        pass
    assert ran == ["rests", "waits"]


def test_those_that_want_little_do_not_keep_one_that_wants_much_from_running_at_all() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    little, much = turns.share(), turns.share()
    for _ in range(200):
        little.rested(clocks.now)
        little.add(0.001, clocks.now)
        little.rests(clocks.now)
        clocks.now += 0.015
    assert little.wants_little
    much.add(0.02, clocks.now)
    assert not much.wants_little
    assert little.rank < much.rank  # it goes first, now
    for _ in range(200):
        clocks.now += 0.015
        little.rested(clocks.now)
        little.add(0.001, clocks.now)
        little.rests(clocks.now)
    assert little.wants_little
    assert much.rank < little.rank  # and not for ever


def test_as_many_run_besides_as_there_are_cores() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    long, one, two = (used(turns, clocks, seconds) for seconds in (0.03, 0.01, 0.001))
    ran: list[str] = []
    with turns.turn(long):
        with turns.turn(one):
            thread = started(turns, two, ran, "two")
            assert ran == []
        with joined(thread):
            pass  # whoever ended its turn called it
        assert ran == ["two"]


def test_who_waits_looks_again_whether_those_that_run_are_longer_than_they_were() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    one, other = used(turns, clocks, 0.01), used(turns, clocks, 0.01)
    ran: list[str] = []
    with turns.turn(one):
        thread = started(turns, other, ran, "other")
        assert ran == []
        clocks.now += 10
        with joined(thread):
            pass
        assert ran == ["other"]


def test_who_waits_for_a_core_has_not_used_it() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    share = turns.share()
    with turns.turn(share):
        clocks.now += 5  # others had the core
    assert share.rank <= turns.share().rank


def test_what_a_guest_uses_in_a_process_of_its_own_counts_as_if_it_used_it_here() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    outside = turns.share(lambda: clocks.elsewhere)
    for _ in range(3):
        with turns.turn(outside):
            clocks.use(0.01)
            clocks.use_elsewhere(0.2)
    inside = turns.share()
    clocks.now -= 0.63
    for _ in range(3):
        with turns.turn(inside):
            clocks.use(0.21)
    assert (outside.rank, outside.length, outside.seconds) == pytest.approx((inside.rank, inside.length, 0.63))
    assert inside.seconds == pytest.approx(0.63)


def test_what_it_uses_there_between_its_turns_counts_and_its_turns_stay_short() -> None:
    """For one that never stops: as much of late as a core gives, however seldom it is looked at."""
    clocks = Clocks()
    turns = turns_of(clocks)
    busy, idle = turns.share(lambda: clocks.elsewhere), turns.share()
    steady = []
    for pause in (0.1,) * 100 + (5.0,):
        clocks.use_elsewhere(pause)
        with turns.turn(busy):
            clocks.use(0.0001)
        with turns.turn(idle):
            clocks.use(0.0001)
        steady.append(busy.rank - clocks.now / 0.5)
    assert busy.length == pytest.approx(0.0001)
    assert steady[-2] == pytest.approx(steady[-1], abs=0.01)
    with turns.turn(used(turns, clocks, 1)):
        assert idle.passes_in(turns._running, clocks.now) <= 0
        assert busy.passes_in(turns._running, clocks.now) > 0


def test_others_run_while_one_waits_for_something_inside_its_turn() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    asks, other = used(turns, clocks, 0.3), used(turns, clocks, 0.3)
    ran: list[str] = []
    with turns.turn(asks), turns.aside(asks):
        with joined(started(turns, other, ran, "other")):
            pass
        assert ran == ["other"]
    with turns.turn(other):  # what was lent came back
        assert turns._free == 0
    assert turns._free == 1


def test_another_thread_cannot_give_a_turn_away() -> None:
    clocks = Clocks()
    turns = turns_of(clocks)
    share = turns.share()

    def away() -> None:
        with turns.aside(share):
            pass

    with turns.turn(share):
        thread = threading.Thread(target=away)
        thread.start()
        thread.join(30)
        assert turns._free == 0
    assert turns._free == 1


def test_no_turn_is_lost_or_made_when_many_want_one() -> None:
    turns = Turns(2)
    most, now, lock = 0, 0, threading.Lock()

    def run() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1

    def work() -> None:
        share = turns.share()
        for _ in range(200):
            with turns.turn(share):
                run()
                with turns.aside(share):  # and then many may wait to go on
                    pass
                run()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    with joined(*threads):
        pass
    assert (turns._free, turns._besides, turns._running, now) == (2, 2, set(), 0)
    assert most <= 4
