"""How much of the machine a guest used of late, how much it wants, and how long its turns are.

What is used is processor time, since whoever waits for a core has not used it, and half of it is forgotten every half
second. Time that a guest used in a process of its own counts as well, also what it used there between its turns.

How much one wants is another thing than how much it used: fifty that never stop use a twenty-fifth of a core each, as
does one that answers now and then. So what a guest wants is what it used of the time that it did not wait for a core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, log, log2
from typing import final

_HALF_LIFE = 0.5
"""Seconds after which half of what a guest used is forgotten."""
_SHORT_LIFE = 0.1
"""Seconds after which half is of what tells how much it wants: one that never stops is known after a fiftieth."""
_LITTLE = 0.1
"""Of a core."""
_AHEAD = 4.0
"""Of those that wait, one that wants little is ranked as if it had used a sixteenth: first of all, and yet many of them
cannot keep the others from running."""
_SHORTER = 2 / 3
_RECENT = 1 / 8
"""The weight of the last turn in what is expected of the next."""
_NEW = 1e-6
"""Seconds that a guest is taken to have used before it ever ran."""


@final
class _Recent:
    """Seconds used of late, by some clock."""

    __slots__ = ("_at", "_half_life", "_seconds", "_steady")

    def __init__(self, half_life: float, at: float) -> None:
        self._half_life, self._steady = half_life, half_life / log(2)
        self._at, self._seconds = at, _NEW

    def read(self, at: float) -> float:
        return max(_NEW, self._seconds * float(0.5 ** ((at - self._at) / self._half_life)))

    def of_a_core(self, at: float) -> float:
        """One is all of it, all the time."""
        return self.read(at) / self._steady

    def add(self, seconds: float, at: float) -> None:
        self._seconds, self._at = self.read(at) + seconds, at

    def spread(self, seconds: float, at: float) -> None:
        """As if they had been used evenly since something was added last."""
        lasted = at - self._at
        if lasted > 0:
            seconds *= self._steady / lasted * (1 - 0.5 ** (lasted / self._half_life))
        self.add(seconds, at)

    @property
    def rank(self) -> float:
        """The logarithm, less what all lost since the clock's zero. So only use changes it."""
        return log2(self._seconds) + self._at / self._half_life


@final
class Share:
    """How much of a core one guest used of late and how much it wants, and how long its turns are. owner: the thread
    that has its turn.

    elsewhere: seconds of processor time that the guest used on no thread that had its turn; it never falls. Its own
    clock, by which it is told what it wants, stands still while it waits for a core.
    """

    __slots__ = (
        "_clock",
        "_elsewhere",
        "_here",
        "_idle_since",
        "_noted",
        "_used",
        "_wants",
        "besides",
        "length",
        "owner",
        "since",
    )

    def __init__(self, now: float, elsewhere: Callable[[], float]) -> None:
        self._used, self._wants = _Recent(_HALF_LIFE, now), _Recent(_SHORT_LIFE, 0.0)
        self._clock, self._idle_since = 0.0, now
        self._elsewhere, self._noted, self._here = elsewhere, elsewhere(), 0.0
        self.length = 0.0
        self.since = now
        self.owner: int | None = None
        self.besides = False

    @property
    def seconds(self) -> float:
        """All that the guest ever used, in its turns and elsewhere. Any thread."""
        return self._here + self._elsewhere()

    def add(self, seconds: float, now: float) -> None:
        """A turn has ended, whose thread used so much."""
        self._here += seconds
        seconds += self._more()
        self._clock += seconds
        self._used.add(seconds, now)
        self._wants.add(seconds, self._clock)
        self.length = seconds if not self.length else self.length + (seconds - self.length) * _RECENT

    def rests(self, now: float) -> None:
        """From now on it wants nothing."""
        self._idle_since = now

    def rested(self, now: float) -> None:
        """It wants a core again."""
        self._clock += max(0.0, now - self._idle_since)
        self._idle_since = now

    def catch_up(self, now: float) -> None:
        """With what the guest used elsewhere while it had no turn: as if it had used it evenly all the time."""
        more = self._more()
        if more:
            self._used.spread(more, now)
            self._wants.spread(more, self._clock)

    def _more(self) -> float:
        """What the guest used elsewhere since this was asked last."""
        before, self._noted = self._noted, self._elsewhere()
        return self._noted - before

    @property
    def wants_little(self) -> bool:
        return self._wants.of_a_core(self._clock) < _LITTLE

    @property
    def rank(self) -> float:
        """The less, the sooner it runs. It does not change while it waits, so those that do stay in order."""
        return self._used.rank - (_AHEAD if self.wants_little else 0.0)

    def passes_in(self, others: Iterable[Share], now: float) -> float:
        """Seconds until it need not wait for `others`, which run, if they go on: none when all of their turns are
        longer than its own; without end if it wants much."""
        if not self.wants_little:
            return inf
        longer = self.length / _SHORTER
        return max((each.since + longer - now for each in others if each.length < longer), default=0.0)
