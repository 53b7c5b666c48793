"""Webs: compositions of several guests that call each other, as data.

A guest of a web both exports functions and imports some of its targets'; while one of its exports runs, it makes the
calls of that export. Shapes: chains, diamonds (two ways to one guest), twins (one definition instantiated twice, with
memories of their own, perhaps wired to different targets), fans and random graphs. How the composition is written is
varied too: nested components with outer aliases, components that only re-export an instance, types that one interface
shares with another as WIT's `use` does, and names that fold into each other once they lose their case and hyphens.
Some exports echo: what they return is what they were given, in the very bytes that the call before left there.

Nodes are in order: a node's targets come before it. The last one is the root, whose `run` exports the host calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from tests.support.gen.guests import ENCODINGS, Func, Guest
from tests.support.gen.layout import MAX_FLAT_PARAMS, element_of, flatten
from tests.support.gen.types import STRING, Type, kinds, random_params, random_type

Shape = tuple[tuple[int, tuple[int, ...]], ...]
"""For each node: its definition, and its targets."""

SHAPES: Final[dict[str, Shape]] = {
    "pair": ((0, ()), (1, (0,))),
    "chain of three": ((0, ()), (1, (0,)), (2, (1,))),
    "chain of five": ((0, ()), (1, (0,)), (2, (1,)), (3, (2,)), (4, (3,))),
    "diamond": ((0, ()), (1, (0,)), (2, (0,)), (3, (1, 2))),
    "twins": ((0, ()), (0, ()), (1, (0, 1))),
    "twin columns": ((0, ()), (0, ()), (1, (0,)), (1, (1,)), (2, (2, 3))),
    "twins over one": ((0, ()), (1, (0,)), (1, (0,)), (2, (1, 2))),
    "fan": ((0, ()), (1, ()), (2, ()), (3, (0, 1, 2))),
    "skipping": ((0, ()), (1, (0,)), (2, (1, 0)), (3, (2, 0))),
}
PATTERNS: Final = (0xA5, 0x5A, 0xB4, 0x3C, 0x96)
"""Of the definitions' memories: bytes of no random text in any encoding, since a transcoder may leave those behind."""
SPELLINGS: Final = (
    ("get-item", "get-part"),
    ("getitem", "getpart"),
    ("GET-ITEM", "GET-PART"),
    ("g-et-item", "g-etpart"),
)
"""Names of exports, by definition: the same once case and hyphens are gone. In one scope they must differ even then."""


@dataclass(frozen=True, slots=True)
class Import:
    """target: of the node, by position; export: of the target's definition. The types and both encodings are func's."""

    target: int
    export: int
    func: Func


@dataclass(frozen=True, slots=True)
class Definition:
    """calls: the imports that each export's body calls, in order; runs: the same for the exports that the host calls.

    echoes: which exports return what they are given; uses: its exports' named types come from an interface of their
    own; spelling: of its exports' names.
    """

    guest: Guest
    exports: tuple[Func, ...]
    imports: tuple[Import, ...]
    calls: tuple[tuple[int, ...], ...]
    runs: tuple[tuple[int, ...], ...] = ()
    echoes: frozenset[int] = frozenset()
    uses: bool = False
    spelling: int = 0

    def name(self, export: int) -> str:
        return SPELLINGS[self.spelling][export]

    def export_port(self, export: int) -> int:
        return export

    def import_port(self, number: int) -> int:
        return len(self.exports) + number


@dataclass(frozen=True, slots=True)
class Node:
    definition: int
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Web:
    """nested: how many nodes, from the first, each nested component holds together with those inside it, inner first;
    relayed: (node, target position) whose target comes through a component that only re-exports it.
    """

    shape: str
    definitions: tuple[Definition, ...]
    nodes: tuple[Node, ...]
    nested: tuple[int, ...] = ()
    relayed: frozenset[tuple[int, int]] = frozenset()

    def of(self, node: int) -> Definition:
        return self.definitions[self.nodes[node].definition]

    @property
    def root(self) -> int:
        return len(self.nodes) - 1

    def funcs(self) -> list[tuple[Func, tuple[bool, bool]]]:
        """Every function that crosses, with the widths of the memories on both sides."""
        return [
            (i.func, (self.of(n).guest.wide, self.of(node.targets[i.target]).guest.wide))
            for n, node in enumerate(self.nodes)
            for i in self.of(n).imports
        ]

    def __str__(self) -> str:
        return f"{self.shape}, nested {self.nested}, relayed {sorted(self.relayed)}: {self.definitions}"


def random_web(rng: Random) -> Web:
    name = rng.choice((*SHAPES, "random"))
    shape = SHAPES[name] if name in SHAPES else _random_shape(rng)
    wide = rng.choice((0, 0, 0, 1, 2))
    fixed = wide == 0 or rng.randrange(4) == 0
    while True:
        web = _filled(rng, name, shape, wide)
        if fixed or not any("fixed" in kinds(t) for f, _ in web.funcs() for t in (*f.params, f.result) if t):
            return web


def _random_shape(rng: Random) -> Shape:
    shape: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    for node in range(1, rng.randint(3, 5)):
        targets = rng.sample(range(node), rng.randint(1, min(node, 3)))
        shape.append((node, tuple(targets)))
    return tuple(shape)


def _filled(rng: Random, name: str, shape: Shape, wide: int) -> Web:
    definitions: list[Definition] = []
    nodes: list[Node] = []
    for number, targets in shape:
        if number == len(definitions):
            guest = Guest((wide * rng.random()) > 0.5, rng.choice((1, 1, 2)), PATTERNS[number])
            below = [definitions[nodes[t].definition] for t in targets]
            definitions.append(_definition(rng, guest, below, root=len(nodes) == len(shape) - 1))
        nodes.append(Node(number, targets))
    limits = sorted(rng.sample(range(1, len(nodes)), rng.choice((0, 0, 1, min(2, len(nodes) - 1)))))
    relayed = frozenset(
        (n, position)
        for n, node in enumerate(nodes)
        for position, target in enumerate(node.targets)
        if not definitions[nodes[target].definition].uses and rng.randrange(5) == 0
    )
    return Web(name, tuple(definitions), tuple(nodes), tuple(limits), relayed)


def _definition(rng: Random, guest: Guest, below: list[Definition], root: bool) -> Definition:
    imports: list[Import] = []
    for target, definition in enumerate(below):
        for export in sorted(rng.sample(range(len(definition.exports)), rng.randint(1, len(definition.exports)))):
            func = definition.exports[export]
            encodings = (rng.choice(ENCODINGS), func.encodings[1])
            lean = rng.randrange(2) == 0
            imports.append(Import(target, export, Func(func.params, func.result, encodings, func.post_return, lean)))
    exports = () if root else tuple(_export(rng) for _ in range(rng.choice((1, 1, 2))))
    echoes = frozenset(i for i, func in enumerate(exports) if func.params == (func.result,))
    bodies = _bodies(rng, len(imports), 2 if root else len(exports), every=root)
    uses, spelling = rng.randrange(3) == 0, rng.randrange(len(SPELLINGS))
    if root:
        return Definition(guest, (), tuple(imports), (), bodies, spelling=spelling)
    return Definition(guest, exports, tuple(imports), bodies, (), echoes, uses, spelling)


def _export(rng: Random) -> Func:
    encoding = rng.choice(ENCODINGS)
    post_return, lean = rng.randrange(2) == 0, rng.randrange(2) == 0
    if rng.randrange(4) == 0:
        echoed = next(t for t in iter(lambda: random_type(rng), None) if can_echo(t))
        return Func((echoed,), echoed, (encoding, encoding), post_return, lean)
    result = random_type(rng) if rng.randrange(4) else None
    return Func(random_params(rng), result, (encoding, encoding), post_return, lean)


def can_echo(type: Type) -> bool:
    """Whether core arguments are a core result: one value, a pointer to all, or a pointer and a length to be stored."""
    flat = len(flatten(type, False))
    return flat == 1 or flat > MAX_FLAT_PARAMS or is_range(type)


def is_range(type: Type) -> bool:
    return type == STRING or element_of(type) is not None


def _bodies(rng: Random, imports: int, count: int, every: bool) -> tuple[tuple[int, ...], ...]:
    """Which imports each of `count` functions calls: some of them; the host's `every` one, in either order."""
    found = []
    for _ in range(count):
        most = min(imports, 4)
        chosen = rng.sample(range(imports), most if every else rng.randint(min(1, most), min(2, most)))
        found.append(tuple(chosen))
    return tuple(found)
