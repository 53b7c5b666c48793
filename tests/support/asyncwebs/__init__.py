"""Random webs of two to five instances that call each other asynchronously and share streams, futures and sets.

`make(seed)` gives one (`program`): chains, fans and diamonds; tasks of callback and synchronous lifts that return
early, late, twice or never, and take numbers, strings, borrows and things that they own; one type of stream and future
(`elements`), whose ends go in both directions, with copies in part, of no length, cancelled and dropped; sets that are
shared, polled and waited for; backpressure; handles that are stale or of the wrong kind. `guest` and `text` write it
down, `run` plays it.

All that guests see goes to the host function `log`, so that two forms can be compared number by number.
"""

from tests.support.asyncwebs.program import Web, make
from tests.support.asyncwebs.run import Likeness, composition, halves, likeness, play, together

__all__ = ["Likeness", "Web", "composition", "halves", "likeness", "make", "play", "together"]
