"""Random compositions whose instances call each other asynchronously and share streams, futures and waitable sets.

`make(seed)` gives one: a provider with tasks that follow random scripts (yield, wait for an event, return, exit, use
its ends of streams and futures), and a driver whose one call runs a random list of operations. Everything that either
of them sees (states, handles, events, payloads, bytes) is told to the host function `log`, so that the composed and the
fused form can be compared call by call. Scripts may be wrong on purpose: handles that are stale or of another kind,
results that never come, sets that are dropped too early.
"""

from tests.support.asyncflows.program import Composition, make

__all__ = ["Composition", "make"]
