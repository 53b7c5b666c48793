"""Plays a flow while it chooses it.

A flow either ends with one deliberate breach of a rule, from which the model must trap, or breaks none. Right before
the breach the log goes to the host, so that nothing of it is lost in a trap.

Spec: CanonicalABI.md `canon_lift`, `canon_lower`, `canon_resource_*`, `Task.return_`, `Subtask.deliver_resolve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, final

from tests.support.flows.flow import HOSTS_TYPE, Flow, Held, HostCall, HostDrop, HostFunction, Step
from tests.support.flows.guests import DESTRUCTOR, DONE, DROP, END, NEW, REP
from tests.support.flows.state import State
from tests.support.flows.topology import HOST, Func, Known, Topology
from tests.support.handle_model import HELD, LENT, NOT_OWNED, Scope, Trapped

DEPTH: Final = 4
"""How deep calls nest, but for those that a call needs to have something to return."""
LIKELIHOODS: Final = {
    "give": 5,
    "lend": 5,
    "get": 1,
    "mix": 5,
    "both": 4,
    "swap": 5,
    "lends": 4,
    "run": 4,
    "maybe": 3,
    "pile": 3,
}


def make(rng: Random, topology: Topology) -> Flow:
    """`rng` decides everything."""
    player = _Player(rng, Flow(topology))
    player.play()
    return player.flow


@final
class _Player(State):
    # --- the whole ------------------------------------------------------------------------------------------------
    def play(self) -> None:
        try:
            while self.left > 0:
                self.host_step(self.flow.steps, 0)
        except Trapped as trapped:
            (self.flow.trap,) = trapped.args
            assert self.flow.trap == self.breach, (self.flow.trap, self.breach)
            assert not self.pending, "the log is flushed before a breach"
            self.flow.events.append(("trap", self.flow.trap))
        else:
            self.flow.events.append(("log", bytes(self.pending)))

    # --- operations of an instance --------------------------------------------------------------------------------
    def body(self, node: Known, depth: int, most: int = 8) -> None:
        if depth < DEPTH:
            for _ in range(self.rng.randrange(most)):
                if self.left > 0:
                    self.operate(node, depth)

    def operate(self, node: Known, depth: int) -> None:
        """One operation, as often as not with something just received."""
        choices = [(2, self.drop_one), (5 * bool(node.imports), self.call_one)]
        if node.node.own:
            choices += [(1, self.create), (2, self.look)]
        actions = [action for weight, action in choices for _ in range(weight)]
        self.rng.choice(actions)(node, depth)

    def create(self, node: Known, depth: int) -> None:
        self.count("new")
        rep = self.rep()
        self.emit(NEW, rep)
        self.log(node, self.model.new_own(node.number, node.types[0], rep))

    def pick(self, node: Known, type: int, own: bool) -> tuple[int, bool] | None:
        """An index to use where a handle is wanted, and whether it breaks the rule; None if there is none."""
        bad = self.bad(node, type, own)
        if bad:
            return self.rng.choice(bad), True
        good = self.good(node, type, own)
        return (self.rng.choice(good[-4:]), False) if good else None

    def look(self, node: Known, depth: int) -> None:
        """resource.rep."""
        picked = self.pick(node, node.types[0], own=False)
        if picked is not None:
            self.use(picked, "rep", REP)
            self.log(node, self.model.rep(node.number, node.types[0], _index(picked[0])))

    def use(self, picked: tuple[int, bool], kind: str, operation: int) -> None:
        index, breaks = picked
        if breaks:
            self.flush()
        else:
            self.count(kind)
        self.emit(operation, index)

    def drop_one(self, node: Known, depth: int) -> None:
        local = self.rng.randrange(len(node.types))
        type = node.types[local]
        good = [i for i, h in self.handles(node) if h.type == type and not h.lends]
        bad = self.bad(node, type, own=self.breaching != NOT_OWNED)
        if bad:
            self.drop(node, local, self.rng.choice(bad), depth, breaks=True)
        elif good:
            self.drop(node, local, self.rng.choice(good), depth, breaks=False)

    def drop(self, node: Known, local: int, index: int, depth: int, *, breaks: bool) -> None:
        type = node.types[local]
        hosts = type == HOSTS_TYPE
        if hosts and not breaks:
            self.flush()
        handle = None if breaks else self.model.tables[node.number].array[index]
        self.use((index, breaks), "drop own" if handle is not None and handle.own else "drop borrow", DROP + local)
        own, rep = self.model.drop(node.number, type, _index(index))
        if own and hosts:
            self.flow.events.append(("host's destructor", rep))
        elif own:
            self.destroy(self.definers[type], rep, depth)
        self.log(node, DONE)

    def destroy(self, definer: Known, rep: int, depth: int) -> None:
        if definer.node.dtor:
            self.log(definer, DESTRUCTOR, rep)
            self.body(definer, depth + 1, most=3)
            self.emit(END)

    # --- calls between instances ----------------------------------------------------------------------------------
    def call_one(self, node: Known, depth: int) -> None:
        if self.breaching not in (None, HELD):
            for number in self.rng.sample(range(len(node.imports)), len(node.imports)):
                self.call(node, number, depth, only_breaches=True)
        kinds = [func.kind for _, func in node.imports]
        kind = self.rng.choice([kind for kind in sorted(set(kinds)) for _ in range(LIKELIHOODS[kind])])
        self.call(node, self.rng.choice([i for i, each in enumerate(kinds) if each == kind]), depth)

    def call(self, node: Known, number: int, depth: int, *, only_breaches: bool = False) -> None:
        """Does nothing if there is nothing to pass, or nothing that breaks a rule if `only_breaches`."""
        provider, func = node.imports[number]
        if not only_breaches and depth < DEPTH:
            for slot in func.params:
                if not slot.many or self.rng.random() < 0.5:
                    self.ensure(node, provider.types[slot.type], depth, 1 + (func.kind in ("mix", "pile")))
        picked = self.arguments(node, provider, func)
        if picked is None or (only_breaches and not picked[1]):
            return
        arguments, breaks = picked
        if breaks or provider.is_host:
            self.flush()
        if not breaks:
            self.count(func.kind, "to the host" if provider.is_host else "inside")
        self.emit(DROP + len(node.types) + number)
        lenders: list[int] = []
        reps: list[list[int]] = []
        for slot, indices in zip(func.params, arguments, strict=True):
            self.emit(*([len(indices)] if slot.many else []), *indices)
            type = provider.types[slot.type]
            reps.append([self.lift(node, slot, type, _index(index), lenders) for index in indices])
        if provider.is_host:
            results = self.host_function(func, reps, depth)
        else:
            results = self.callee(provider, func, reps, depth)
        self.receive(node, provider, func, results)
        for index in lenders:
            self.model.unlend(node.number, index)

    def receive(self, node: Known, provider: Known, func: Func, results: list[int]) -> None:
        if func.result is None:
            self.log(node, DONE)
            return
        if func.result.many:
            self.log(node, len(results))
        type = provider.types[func.result.type]
        self.log(node, *(self.model.new_own(node.number, type, rep) for rep in results))

    def arguments(self, node: Known, provider: Known, func: Func) -> tuple[list[list[int]], bool] | None:
        """Indices for each parameter, and whether one of them breaks the rule."""
        taken: set[int] = set()
        chosen: dict[int, list[int]] = {}
        if self.breaching == LENT and func.kind == "mix" and self.rng.random() < 0.3:
            both = self.good(node, provider.types[func.type], own=True)
            if both:
                index = self.rng.choice(both)
                return [[index], [index]], True
        breaks_at = None
        slots = [(slot, self.how_many(slot)) for slot in func.params]
        places = [(i, j) for i, (_, count) in enumerate(slots) for j in range(count)]
        for i, j in self.rng.sample(places, len(places)):
            slot = func.params[i]
            if self.bad(node, provider.types[slot.type], slot.own):
                breaks_at = i, j
                break
        # own handles first, since a handle cannot be given and lent at once
        for i, (slot, count) in sorted(enumerate(slots), key=lambda place: not place[1][0].own):
            type = provider.types[slot.type]
            indices: list[int] = []
            for j in range(count):
                bad = (i, j) == breaks_at
                options = self.bad(node, type, slot.own) if bad else self.good(node, type, slot.own)
                options = [index for index in options if bad or index not in taken]
                if not options:
                    if slot.many and breaks_at is None:
                        break
                    return None
                index = self.rng.choice(options[-4:] if not bad else options)
                indices.append(index)
                if slot.own:
                    taken.add(index)
            chosen[i] = indices
        return [chosen[i] for i in range(len(slots))], breaks_at is not None

    def callee(self, node: Known, func: Func, reps: list[list[int]], depth: int) -> list[int]:
        """From the lowering of the parameters to the lifting of the results; the reps of these."""
        scope = self.model.scope_enter()
        self.log(node, node.funcs.index(func))
        for slot, each in zip(func.params, reps, strict=True):
            if slot.many:
                self.log(node, len(each))
            type = node.types[slot.type]
            self.log(node, *[self.lower(node, slot, type, rep, scope) for rep in each])
        self.body(node, depth + 1)
        results = self.results(node, func, depth)
        holds = self.breaching == HELD and scope.borrows and func.result is None
        if not holds:
            self.drop_borrows(node, scope, depth)
        bad = self.bad(node, node.types[func.result.type], own=True) if func.result is not None else []
        if holds or bad:
            self.flush()
        if bad:
            results = [*results[:-1], self.rng.choice(bad)]
        self.emit(END)
        lifted: list[int] = []
        if func.result is not None:
            self.emit(*([len(results)] if func.result.many else []), *results)
            type = node.types[func.result.type]
            lifted = [self.model.take_own(node.number, type, _index(index)) for index in results]
        self.model.scope_exit(scope)
        return lifted

    def drop_borrows(self, node: Known, scope: Scope, depth: int) -> None:
        for index, handle in list(self.handles(node)):
            if handle.scope is scope:
                self.drop(node, node.types.index(handle.type), index, depth, breaks=False)

    def results(self, node: Known, func: Func, depth: int) -> list[int]:
        """Own handles to return."""
        if func.result is None:
            return []
        type = node.types[func.result.type]
        if not func.result.many:
            self.ensure(node, type, depth)
            return [self.rng.choice(self.good(node, type, own=True)[-4:])]
        good = self.good(node, type, own=True)
        return self.rng.sample(good, min(self.how_many(func.result), len(good)))

    def ensure(self, node: Known, type: int, depth: int, count: int = 1) -> None:
        """At least so many own handles of the type that can be given away."""
        for _ in range(count - len(self.good(node, type, own=True))):
            if self.definers.get(type) is node:
                self.create(node, depth)
                continue
            numbers = [
                number
                for number, (provider, func) in enumerate(node.imports)
                if func.kind == "get" and provider.types[func.type] == type
            ]
            self.call(node, self.rng.choice(numbers), max(depth + 1, DEPTH))

    # --- the host -------------------------------------------------------------------------------------------------
    def host_function(self, func: Func, reps: list[list[int]], depth: int) -> list[int]:
        """A guest calls the host: it may call back, keep what it got, and return other things."""
        self.flow.events.append((HOST, func.name, reps))
        self.flow.functions.append(host := HostFunction())
        for slot, each in zip(func.params, reps, strict=True):
            if slot.own:
                self.held += [Held(HOSTS_TYPE, rep, 0) for rep in each]
        if depth < DEPTH and self.left > 0 and self.rng.random() < (0.9 if func.kind in ("run", "lend") else 0.3):
            for _ in range(self.rng.randrange(1, 3)):
                self.host_step(host.steps, depth + 1)
        if func.result is not None:
            count = self.how_many(func.result)
            host.results.extend(self.hosts_own() for _ in range(count))
        return host.results

    def hosts_own(self) -> int:
        """A resource of the host's: one that came back, or a new one."""
        back = [held for held in self.held if held.type == HOSTS_TYPE]
        if back and self.rng.random() < 0.6:
            self.held.remove(held := self.rng.choice(back))
            return held.rep
        return self.rep()

    def host_step(self, steps: list[Step], depth: int) -> None:
        droppable = [held for held in self.held if held.token and not self.lent_by_host[held.token]]
        if droppable and self.rng.random() < 0.4:
            self.count("drop own", "from the host")
            self.held.remove(held := self.rng.choice(droppable))
            steps.append(HostDrop(held))
            self.destroy(self.definers[held.type], held.rep, depth)
            return
        node = self.rng.choice([*self.nodes, *self.nodes[-1:] * 2])
        func = self.rng.choice([func for func in node.funcs for _ in range({"run": 4, "get": 2}.get(func.kind, 1))])
        args = self.host_arguments(node, func)
        if args is None:
            func, args = node.funcs[-1], ()
        self.count(func.kind, "from the host")
        steps.append(step := HostCall(node.node.name, func, args))
        lent = [held.token for slot, each in zip(func.params, args, strict=True) if not slot.own for held in each]
        self.lent_by_host.update(lent)
        for slot, each in zip(func.params, args, strict=True):
            if slot.own:
                for held in each:
                    if held in self.held:
                        self.held.remove(held)
        results = self.callee(node, func, [[held.rep for held in each] for each in args], depth)
        self.lent_by_host.subtract(lent)
        self.host_receives(step, node, results)

    def host_receives(self, step: HostCall, node: Known, results: Sequence[int]) -> None:
        if step.func.result is None:
            self.flow.events.append(("returned",))
            return
        type = node.types[step.func.result.type]
        for rep in results:
            hosts = type == HOSTS_TYPE
            self.tokens += not hosts
            step.tokens.append(0 if hosts else self.tokens)
            self.held.append(Held(type, rep, step.tokens[-1]))
        self.flow.events.append(("returned", *(rep if type == HOSTS_TYPE else "own" for rep in results)))

    def host_arguments(self, node: Known, func: Func) -> tuple[tuple[Held, ...], ...] | None:
        """What the host passes; None if it has nothing."""
        free = [held for held in self.held if not self.lent_by_host[held.token]]
        chosen: dict[int, tuple[Held, ...]] = {}
        given: list[Held] = []
        for i, slot in sorted(enumerate(func.params), key=lambda place: not place[1].own):
            type = node.types[slot.type]
            some = [held for held in (free if slot.own else self.held) if held.type == type and held not in given]
            count = self.how_many(slot)
            if type == HOSTS_TYPE:
                some += [Held(type, self.rep(), 0) for _ in range(count)]
            if not slot.many and not some:
                return None
            chosen[i] = tuple(self.rng.sample(some, min(count, len(some))))
            if slot.own:
                given += chosen[i]
        return tuple(chosen[i] for i in range(len(func.params)))


def _index(on_tape: int) -> int:
    return on_tape & 0xFFFF_FFFF
