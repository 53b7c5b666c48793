"""A random web: which instances there are, whom each can call, and what their functions do, step by step."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final, final

from tests.support.asyncwebs.elements import ELEMENTS, Element

Step = tuple[str | int, ...]
"""A word and its operands: slots (see `guest`), counts, numbers of functions. "!" in front: also if it is senseless."""

KINDS: Final = ("number", "text", "lend", "own")
"""What a task takes and returns: a u32, a string, a borrow (and a u32), an own."""
SLOTS: Final = {
    "r": (0, 1),
    "w": (2, 3),
    "fr": (4,),
    "fw": (5,),
    "call": (6, 7, 8, 9),
    "set": (10, 11),
    "thing": (12, 13),
}
"""Where a guest keeps what it holds: ends of streams and futures, subtasks, sets, things."""


@final
@dataclass(frozen=True, slots=True)
class Task:
    """An async function. callback: it goes through the event loop; otherwise it is a synchronous lift."""

    kind: str
    callback: bool
    steps: tuple[Step, ...]


@final
@dataclass(frozen=True, slots=True)
class Instance:
    """calls: the instances that it imports, all with higher numbers. poke: what its function of that name does.
    plain: its functions that are no tasks are of types that are not async."""

    number: int
    calls: tuple[int, ...]
    tasks: tuple[Task, ...]
    poke: tuple[Step, ...]
    plain: bool


@final
@dataclass(frozen=True, slots=True)
class Web:
    """The first instance is the one whose task the host calls, the last one defines the resource type."""

    element: Element
    instances: tuple[Instance, ...]

    @property
    def last(self) -> int:
        return len(self.instances) - 1


def make(seed: int) -> Web:
    """The web of a seed."""
    rng = random.Random(seed)
    count = rng.choice([2, 2, 3, 3, 4, 5])
    edges = _edges(rng, count)
    blocking = rng.random() < 0.08  # anybody may wait on its stack
    gates = rng.random() < 0.25
    cancelling = rng.random() < 0.15  # anybody may cancel a call, and wait for what comes of it
    element = rng.choice(ELEMENTS)
    instances: list[Instance] = []
    for number in reversed(range(count)):
        callees = {each.number: each for each in instances}
        script = _Script(rng, [callees[callee] for callee in edges[number]], gates)
        if number == 0:
            callback = rng.random() < 0.4
            main = Task("number", callback, script.main(rng.randint(4, 26), callback))
            main = replace(main, steps=_with_pauses(seed, main.steps))
            instances.append(Instance(0, edges[0], (main,), script.run(3), plain=False))
            continue
        tasks = tuple(script.task(blocking, cancelling) for _ in range(rng.randint(1, 3)))
        poke = _with_waits(seed, number, script.run(rng.randint(1, 4)))
        instances.append(Instance(number, edges[number], tasks, poke, plain=rng.random() < 0.5))
    return Web(element, tuple(reversed(instances)))


def _with_pauses(seed: int, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Every seventh main yields on its stack here and there; dice of its own leave the other seeds what they are."""
    rng = random.Random(f"pauses of {seed}")
    found = list(steps)
    for _ in range(rng.randint(1, 4) if rng.random() < 1 / 7 else 0):
        found.insert(rng.randint(0, len(found)), ("pause",))
    return tuple(found)


def _with_waits(seed: int, number: int, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Every tenth poke waits or yields on its stack, which is synchronous or a task; with dice of their own, too."""
    rng = random.Random(f"waits of {seed}, {number}")
    found = list(steps)
    if rng.random() < 1 / 10:
        found.insert(rng.randint(0, len(found)), rng.choice([("wait", 10), ("wait", 10), ("pause",)]))
    return tuple(found)


def _edges(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Chains, fans, diamonds: everybody is called by somebody before it."""
    found: list[set[int]] = [set() for _ in range(count)]
    for callee in range(1, count):
        found[rng.randrange(callee)].add(callee)
    for _ in range(rng.randint(0, count - 1)):
        one, two = sorted(rng.sample(range(count), 2))
        found[one].add(two)
    return [tuple(sorted(each)) for each in found]


@final
class _Script:
    """Steps of one instance."""

    def __init__(self, rng: random.Random, callees: list[Instance], gates: bool) -> None:
        self.rng = rng
        self.gates = gates
        self.callees = callees

    def main(self, length: int, callback: bool) -> tuple[Step, ...]:
        """What the host calls: it may wait on its stack, and cancel."""
        rng = self.rng
        steps = list(self.run(length, ["cancel"] + ["await"] * 2 * (not callback) + ["wait"] * (rng.random() < 0.2)))
        if callback:
            for _ in range(rng.randint(1, 6)):
                steps.insert(rng.randint(0, len(steps)), self._turn())
            # what a root does after it returned the engine does at any time: divergences.toml, result-first
            steps += [("return",), ("exit",)]
        return tuple(steps)

    def task(self, blocking: bool, cancelling: bool) -> Task:
        rng = self.rng
        more = ["await"] * blocking + ["cancel"] * (blocking or cancelling)
        if rng.random() < 0.25:
            return Task("number", False, self.run(rng.randint(0, 4), more))
        steps = list(self.run(rng.randint(0, 4), more))
        for _ in range(rng.randint(0, 3)):
            steps.insert(rng.randint(0, len(steps)), self._turn())
        kind = rng.choice(KINDS)
        if rng.random() < 0.93:
            if kind == "lend" and rng.random() < 0.95:
                steps.insert(rng.randint(0, len(steps)), ("give-back",))
                steps.insert(rng.randint(steps.index(("give-back",)) + 1, len(steps)), ("return",))
            else:
                steps.insert(rng.randint(0, len(steps)), ("return",))
        if rng.random() < 0.04:
            steps.append(("return",))
        steps.append(("exit",) if rng.random() < 0.97 else ("bad-code",))
        return Task(kind, True, tuple(steps))

    def _turn(self) -> Step:
        """The end of an activation: until the next turn, until something of a slot's, or of a set's."""
        rng = self.rng
        settle = ("settle", rng.randrange(10))
        return rng.choice([("yield",), ("yield",), ("yield",), settle, settle, settle, ("loop", rng.choice((10, 11)))])

    def run(self, length: int, more: list[str] | None = None) -> tuple[Step, ...]:
        return tuple(self._step(more or []) for _ in range(length))

    def _step(self, more: list[str]) -> Step:
        rng = self.rng
        words = ["new", "fnew", "poll", "join", "join", "unjoin", "forged", "thing", "thing-drop"]
        words += ["read", "write"] * 2 + ["cancel-read", "cancel-write", "drop-readable", "drop-writable"]
        words += ["fread", "fwrite", "fcancel-read", "fcancel-write", "fdrop-readable", "fdrop-writable"]
        words += more * 3 + ["let-in"] * self.gates
        if self.callees:
            words += ["call"] * 9 + ["sync-call", "call-drop", "call-drop", "take", "take", "give", "give"]
            words += ["ftake", "fgive", "poke", "poke", "poke"]
        word = rng.choice(words)
        if word == "forged" and rng.random() < 0.8:
            word = "poll"
        return self._operands(word) if rng.random() < 0.96 else ("!", *self._operands(word))

    def _operands(self, word: str) -> Step:
        rng = self.rng
        match word:
            case "call" | "sync-call":
                callee = rng.choice(self.callees)
                task = rng.randrange(len(callee.tasks))
                slot = rng.choice(SLOTS["thing" if word == "sync-call" else "call"])
                return word, slot, callee.number, task, rng.randint(0, 9)
            case "take" | "give" | "ftake" | "fgive":
                return word, rng.choice(SLOTS["fr" if word[0] == "f" else "r"]), rng.choice(self.callees).number
            case "poke":
                return word, rng.choice(self.callees).number
            case "new":
                return word, rng.choice(SLOTS["r"])
            case "read" | "write":
                return word, rng.choice(SLOTS[word[0]]), rng.choice([0, 1, 1, 2, 3, 4, 5, 5, 6])
            case "join":
                joined = rng.choice(SLOTS["call"] * 2 + SLOTS["r"] + SLOTS["w"] + SLOTS["fr"] + SLOTS["fw"])
                return word, joined, rng.choice((10, 10, 10, 11))
            case "unjoin":
                return word, rng.randrange(10)
            case "cancel" | "call-drop" | "await":
                return word, rng.choice(SLOTS["call"])
            case "wait" | "poll":
                return word, rng.choice((10, 10, 11))
            case "thing" | "thing-drop":
                return word, rng.choice(SLOTS["thing"])
            case "forged":
                return word, rng.randrange(9), rng.randint(0, 9)
            case "let-in":
                return (rng.choice(["hold", "let-in"]),)
            case _:
                reads = word.endswith(("read", "readable"))
                return word, rng.choice(SLOTS[("f" if word[0] == "f" else "") + ("r" if reads else "w")])
