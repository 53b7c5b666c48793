"""What a flow's player knows while it plays: the model of handle tables, the tape and the log so far, and which handles
fit where, or break the rule that is to be broken.

Spec: CanonicalABI.md `lift_own`, `lift_borrow`, `lower_own`, `lower_borrow`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

from tests.support.flows.flow import OPERATIONS, Flow, Held
from tests.support.flows.guests import FLUSH, INSTANCE, MINUS_ONE
from tests.support.flows.topology import Known, Slot
from tests.support.handle_model import HELD, LENT, NOT_OWNED, UNKNOWN, WRONG_TYPE, Handle, HandleModel, Scope

BREACHES: Final = (UNKNOWN, WRONG_TYPE, LENT, NOT_OWNED, HELD)


class State:
    """left: how many operations may follow; done: how many there were; held: by the host; patience: see `breaching`."""

    def __init__(self, rng: Random, flow: Flow) -> None:
        self.rng = rng
        self.flow = flow
        self.known = flow.topology.known
        self.nodes = [node for node in self.known.values() if not node.is_host and not node.node.hidden]
        self.definers = flow.topology.definers
        self.model = HandleModel()
        self.pending = bytearray()
        self.held: list[Held] = []
        self.lent_by_host: Counter[int] = Counter()
        self.reps = 0
        self.tokens = 0
        self.left = rng.randrange(12, 60)
        self.done = 0
        # which rule to break, and after how many operations
        self.breach = rng.choice((*BREACHES, LENT, None))
        self.patience = rng.choice((0, 3, 10, 12, 15, 20, 30))

    def count(self, kind: str, crossing: str = "none") -> None:
        self.flow.operations[OPERATIONS.get(kind, kind)] += 1
        self.flow.crossings[crossing] += 1
        self.left -= 1
        self.done += 1

    @property
    def breaching(self) -> str | None:
        """The rule that the next operation breaks if it can."""
        return self.breach if self.done >= self.patience else None

    def rep(self) -> int:
        self.reps = self.reps % 119 + 1
        return self.reps

    # --- tape and log ---------------------------------------------------------------------------------------------
    def emit(self, *values: int) -> None:
        self.flow.tape += bytes(MINUS_ONE if value == -1 else value for value in values)

    def log(self, node: Known, *values: int) -> None:
        for value in values:
            self.pending += bytes((INSTANCE + node.number, value))

    def flush(self) -> None:
        self.emit(FLUSH)
        self.flow.events.append(("log", bytes(self.pending)))
        self.pending.clear()

    # --- what is there --------------------------------------------------------------------------------------------
    def handles(self, node: Known) -> Iterator[tuple[int, Handle]]:
        for index, handle in enumerate(self.model.tables[node.number].array):
            if handle is not None:
                yield index, handle

    def good(self, node: Known, type: int, own: bool) -> list[int]:
        return [i for i, h in self.handles(node) if h.type == type and (not own or (h.own and not h.lends))]

    def bad(self, node: Known, type: int, own: bool) -> list[int]:
        """Indices that break the rule to break, where an own handle or a borrow of the type is wanted.

        Only this rule, since the engine that runs compositions checks rules in another order.
        """
        handles = list(self.handles(node))
        match self.breaching:
            case k if k == UNKNOWN:
                array = self.model.tables[node.number].array
                holes = [i for i, handle in enumerate(array) if handle is None]
                return [*holes, *holes, len(array), 77, -1]
            case k if k == WRONG_TYPE:
                return [i for i, h in handles if h.type != type and not h.lends]
            case k if k == LENT and own:
                return [i for i, h in handles if h.type == type and h.lends and h.own]
            case k if k == NOT_OWNED and own:
                return [i for i, h in handles if h.type == type and not h.own and not h.lends]
            case _:
                return []

    # --- in and out of the model ---------------------------------------------------------------------------------
    def lift(self, node: Known, slot: Slot, type: int, index: int, lenders: list[int]) -> int:
        if slot.own:
            return self.model.take_own(node.number, type, index)
        rep = self.model.lend(node.number, type, index)
        lenders.append(index)
        return rep

    def lower(self, node: Known, slot: Slot, type: int, rep: int, scope: Scope) -> int:
        if slot.own:
            return self.model.new_own(node.number, type, rep)
        if self.definers.get(type) is node:
            return rep
        return self.model.lower_borrow(node.number, type, rep, scope)

    def how_many(self, slot: Slot) -> int:
        """How many handles to put into a slot."""
        return self.rng.randrange({"one": 1, "list": 4, "option": 2}[slot.shape]) if slot.many else 1
