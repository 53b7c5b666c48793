"""Which instances there are, who provides what to whom, and with that: which resource types and functions each knows.

A node that provides passes on all resource types that it knows, those of its own providers too: it is a re-exporter.
Every function takes and returns handles only. Names of functions and types are local to a definition, so that two
nodes of the same shape are instances of the same component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, final

HOST: Final = "host"


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter or a result. shape: one handle, or a list or option of them; type: a number of a resource type,
    local to whoever has the function."""

    own: bool
    shape: Literal["one", "list", "option"]
    type: int

    @property
    def many(self) -> bool:
        """Whether it says how many handles follow."""
        return self.shape != "one"

    @property
    def text(self) -> str:
        handle = f"({'own' if self.own else 'borrow'} $t{self.type})"
        return f"({self.shape} {handle})" if self.many else handle


@final
@dataclass(frozen=True, slots=True)
class Func:
    kind: str
    type: int
    params: tuple[Slot, ...]
    result: Slot | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}{self.type}"

    @property
    def text(self) -> str:
        params = " ".join(f'(param "p{i}" {slot.text})' for i, slot in enumerate(self.params))
        return f"{params} (result {self.result.text})" if self.result else params

    @property
    def spilled(self) -> bool:
        """Whether there are too many core values."""
        return sum(1 + slot.many for slot in self.params) > 16

    @property
    def core(self) -> str:
        """The core type of the lifted side; a lowered function that returns a list has one parameter more."""
        params = "i32" if self.spilled else " ".join("i32 i32" if slot.many else "i32" for slot in self.params)
        return f"(param {params}) (result i32)" if self.result else f"(param {params})"


def functions(types: int, host: bool) -> tuple[Func, ...]:
    """What a node with so many types offers; the host's functions take one borrow at most, since the engine that runs
    compositions confuses more."""
    found: list[Func] = []
    for t in range(types):
        own, borrow, other = Slot(True, "one", t), Slot(False, "one", t), Slot(False, "one", (t + 1) % types)
        lists, options, borrows = Slot(True, "list", t), Slot(True, "option", t), Slot(False, "list", t)
        found += [
            Func("give", t, (own,)),
            Func("lend", t, (borrow,)),
            Func("get", t, (), own),
            Func("mix", t, (borrow, own)),
            Func("swap", t, (lists,), lists),
            Func("maybe", t, (options,), options),
        ]
        if not host:
            found += [
                Func("both", t, (borrow, other)),
                Func("lends", t, (borrows,)),
                Func("pile", t, (own, borrow, *[borrows, Slot(False, "option", t)] * 4)),
            ]
    return (*found, Func("run", 0, ()))


@final
@dataclass(frozen=True, slots=True)
class Node:
    """An instance, or the host. own: it defines a resource type; dtor: and that has a destructor. hidden: the host
    cannot call it."""

    name: str
    providers: tuple[str, ...] = ()
    own: bool = True
    dtor: bool = True
    hidden: bool = False


@final
@dataclass(frozen=True)
class Known:
    """A node in its topology. types: the resource types it knows, as numbers of the topology, by local number."""

    node: Node
    number: int
    types: tuple[int, ...]
    funcs: tuple[Func, ...]
    providers: tuple[Known, ...]

    @property
    def is_host(self) -> bool:
        return self.node.name == HOST

    @property
    def imports(self) -> list[tuple[Known, Func]]:
        return [(provider, func) for provider in self.providers for func in provider.funcs]


@final
@dataclass(frozen=True)
class Topology:
    name: str
    nodes: tuple[Node, ...]

    @cached_property
    def known(self) -> dict[str, Known]:
        """By name, providers first. Type 1 is the host's; the others are numbered by their definers."""
        found: dict[str, Known] = {}
        if any(HOST in node.providers for node in self.nodes):
            found[HOST] = Known(Node(HOST), -1, (1,), functions(1, host=True), ())
        for number, node in enumerate(self.nodes):
            providers = tuple(found[name] for name in node.providers)
            types = [number + 2] if node.own else []
            for provider in providers:
                types += [type for type in provider.types if type not in types]
            found[node.name] = Known(node, number, tuple(types), functions(len(types), host=False), providers)
        return found

    @property
    def uses_engines_table(self) -> bool:
        """Whether the fused form has no handle tables of its own: nobody but the host passes handles."""
        return len(self.nodes) == 1

    @cached_property
    def definers(self) -> dict[int, Known]:
        """By resource type; the host is not among them."""
        return {node.types[0]: node for node in self.known.values() if node.node.own and not node.is_host}


TOPOLOGIES: Final = (
    Topology("alone", (Node("a", (HOST,)),)),
    Topology("pair", (Node("d"), Node("c", ("d",)))),
    Topology("twins", (Node("d1"), Node("d2"), Node("c", ("d1", "d2"), own=False))),
    Topology("chain", (Node("d", dtor=False), Node("m", ("d",)), Node("c", ("m",)))),
    Topology(
        "boxers",
        (Node("d"), Node("m1", ("d",)), Node("m2", ("d",)), Node("c", ("m1", "m2"), own=False)),
    ),
    Topology(
        "hidden",
        (Node("d", (HOST,), hidden=True), Node("m", ("d",), hidden=True), Node("c", ("m",), own=False)),
    ),
    Topology("streams", (Node("a", (HOST,), own=False), Node("b", (HOST, "a")))),
    Topology(
        "crowd",
        (
            Node("d1", (HOST,)),
            Node("d2", (HOST,)),
            Node("m", ("d1",), own=False),
            Node("n", ("m", "d2"), dtor=False),
            Node("c", ("n", "d1", HOST), own=False),
        ),
    ),
)
