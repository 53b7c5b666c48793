"""Waiting on the stack: `waitable-set.wait` and `thread.yield`, where a guest calls them.

Whoever waits has a ticket (`runtime/tasks.wat`), which comes up among the tasks that are ready: of a wait when its set
has an event, of a yield behind all that is ready now. Until then the pump runs above the guest (`runtime/roots.wat`).
That one stack is enough for it is known from the class of the graph (`analysis/blocking`).

A yield is also for those who are not fused. The engine has its turn each time, and first: a host whose call has
returned goes on before anything else happens, and a loop that yields until the host has got somewhere comes to its end,
whether the guest hears of that by an event or from a function of the host's.

Spec: CanonicalABI.md `canon_waitable_set_wait`, `canon_thread_yield`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meldpy.adapter.tasks.machinery import STATE, Machinery
from meldpy.asm import I32, Local, Op

if TYPE_CHECKING:
    from meldpy.adapter.emitter import Emitter
    from meldpy.adapter.tasks.outside import Outside


def emit_wait(em: Emitter, machinery: Machinery, set_: Local) -> None:
    """Until the set has an event. A task that may not block traps if there is none yet."""
    b = em.b
    b.get(set_)
    b.call(machinery.waitables("has-event"))
    b.op(Op.I32_EQZ)
    with b.if_():
        if machinery.sync is None or not machinery.has_roots:
            machinery.no_stack(em)
        else:
            machinery.check_may_block(em)
            b.get(set_)
            b.call(machinery.tasks("ticket"))
            until_its_turn(em, machinery)


def emit_yield(em: Emitter, machinery: Machinery, outside: Outside) -> None:
    """Push what `thread.yield` returns: that nobody cancelled the task meanwhile, for which it would have to ask. To a
    task that may not block a yield is nothing."""
    b = em.b
    if machinery.sync is not None and machinery.has_roots:
        b.get_flag(machinery.sync)
        b.op(Op.I32_EQZ)
        with b.if_():
            b.call(outside.yielding)
            b.call(machinery.tasks("yield-ticket"))
            until_its_turn(em, machinery)
    b.i32(0)


def until_its_turn(em: Emitter, machinery: Machinery) -> None:
    """Pop a ticket, and run what is ready until it has come up."""
    b = em.b
    with b.scratch(I32) as (ticket,):
        b.tee(ticket)
        b.i32(STATE)
        b.op(Op.I32_ADD)
        b.i32(-1)
        b.call(machinery.roots("block"))
        b.get(ticket)
        b.call(machinery.waitables("free-cell"))
