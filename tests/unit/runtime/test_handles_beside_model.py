"""The handle tables beside the model, in random order: same results, same indices, same traps."""

from __future__ import annotations

import random
from collections import Counter
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.support.handle_harness import Beside
from tests.support.handle_model import FULL, TRAPS, Scope

FORGED = (0, 15, 16, 17, 2**27, 2**28 - 1, 2**28, 2**28 + 1, 2**31, 2**32 - 1)
REMOVE_OR_READ = ("rep", "take-own", "drop")
TABLES, TYPES = 4, 3
tables = st.integers(0, TABLES - 1)
types = st.integers(0, TYPES - 1)
reps = st.integers(0, 2**32 - 1)
indices = st.integers(1, 12) | st.sampled_from(FORGED)
numbers = st.integers(0, 2**16)

Lend: TypeAlias = tuple[int, int]
Call: TypeAlias = tuple[int, list[Lend]]
"""What a call in progress remembers: the mark, and the lenders it keeps itself."""


class Program(RuleBasedStateMachine):
    """Instances that create, lend, give and drop, in calls that nest, and tasks that end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.both = Beside()
        self.calls: list[Call] = []

    @rule(table=tables, type=types, rep=reps)
    def create(self, table: int, type: int, rep: int) -> None:
        self.both.new_own(table, type, rep)

    @rule(table=tables, type=types, number=st.integers(1, 70))
    def create_many(self, table: int, type: int, number: int) -> None:
        for rep in range(number):
            self.both.new_own(table, type, rep)

    @rule(operation=st.sampled_from(REMOVE_OR_READ), table=tables, type=types, index=indices)
    def name_any_index(self, operation: str, table: int, type: int, index: int) -> None:
        self.both.indexed(operation, table, type, index)

    @rule(operation=st.sampled_from(REMOVE_OR_READ), table=tables, number=numbers)
    def name_a_handle(self, operation: str, table: int, number: int) -> None:
        live = self.both.model.tables[table].live()
        if live:
            index = live[number % len(live)]
            handle = self.both.model.tables[table].array[index]
            assert handle is not None
            self.both.indexed(operation, table, handle.type, index)

    @rule(source=tables, destination=tables, type=types, index=indices)
    def give(self, source: int, destination: int, type: int, index: int) -> None:
        rep = self.both.indexed("take-own", source, type, index)
        if isinstance(rep, int):
            self.both.new_own(destination, type, rep)

    @rule()
    def begin_call(self) -> None:
        self.calls.append((self.both.lenders(), []))

    @precondition(lambda self: self.calls)
    @rule(pushed=st.booleans(), table=tables, type=types, index=indices)
    def lend(self, pushed: bool, table: int, type: int, index: int) -> None:
        rep = self.both.indexed("lend-pushed" if pushed else "lend", table, type, index)
        if not pushed and isinstance(rep, int):
            self.calls[-1][1].append((table, index))

    @precondition(lambda self: self.calls)
    @rule(table=tables, times=st.integers(1, 40))
    def lend_a_list(self, table: int, times: int) -> None:
        model = self.both.model.tables[table]
        for index in model.live()[:times]:
            handle = model.array[index]
            assert handle is not None
            self.both.indexed("lend-pushed", table, handle.type, index)

    @precondition(lambda self: self.calls)
    @rule()
    def end_call(self) -> None:
        mark, lends = self.calls.pop()
        for table, index in lends:
            self.both.unlend(table, index)
        self.both.release_to(mark)

    @rule()
    def begin_task(self) -> None:
        self.both.scope_enter()

    @precondition(lambda self: self.both.model.scopes)
    @rule(table=tables, type=types, rep=reps, number=numbers)
    def borrow(self, table: int, type: int, rep: int, number: int) -> None:
        self.both.lower_borrow(table, type, rep, self.scope(number))

    @precondition(lambda self: self.both.model.scopes)
    @rule(number=numbers)
    def end_task(self, number: int) -> None:
        self.both.scope_exit(self.scope(number))

    def scope(self, number: int) -> Scope:
        scopes = self.both.model.scopes
        return scopes[number % len(scopes)]

    def teardown(self) -> None:
        self.both.compare(TYPES)
        while self.calls:
            self.end_call()
        assert self.both.lenders() == 0
        self.both.settle()


Program.TestCase.settings = settings(stateful_step_count=60)
TestProgram = Program.TestCase


def test_a_long_program_agrees_and_meets_every_trap() -> None:
    """Many live handles, several doublings of everything, deep nesting; traps are as frequent as successes."""
    chance = random.Random(3)
    program = Program()
    met: Counter[str] = Counter()
    deepest = 0

    def operate(table: int, type: int) -> None:
        live = program.both.model.tables[table].live()
        index = chance.choice(live) if live and chance.random() < 0.8 else chance.choice((*FORGED, *range(1, 300)))
        handle = program.both.model.tables[table].array[index] if index in live else None
        if handle is not None and chance.random() < 0.8:
            type = handle.type
        met[str(program.both.indexed(chance.choice(REMOVE_OR_READ), table, type, index))] += 1
        if program.calls and chance.random() < 0.3:
            program.lend(chance.random() < 0.7, table, type, index)

    for step in range(6_000):
        table, type, number = chance.randrange(TABLES), chance.randrange(TYPES), chance.randrange(2**16)
        growing = step % 2_000 < 1_000
        if chance.random() < (0.4 if growing else 0.2):
            program.create_many(table, type, chance.randrange(1, 6))
        operate(table, type)
        kind = chance.random()
        if kind < 0.2:
            program.begin_call() if chance.random() < (0.6 if growing else 0.4) else None
            program.begin_task()
        elif kind < 0.4 and program.both.model.scopes:
            program.borrow(table, type, number, number)
        elif kind < 0.6 and program.both.model.scopes:
            met[str(program.both.scope_exit(program.scope(number)))] += 1
        elif kind < 0.65 and program.calls:
            program.end_call()
        deepest = max(deepest, len(program.both.model.pushed))
    assert all(met[trap] >= 50 for trap in TRAPS if trap != FULL), met
    assert deepest > 64
    assert max(len(table.array) for table in program.both.model.tables.values()) > 256
    program.teardown()
