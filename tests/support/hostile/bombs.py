"""Small inputs that stand for much, at the component level: what multiplies, nests or never ends.

Sizes are drawn on both sides of the limits: a bomb of harmless size is a valid component and must be fused.
`typebombs` has those whose types grow inside a crossing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.support.hostile import bytecode as b
from tests.support.hostile.names import hostile_name
from tests.support.hostile.tree import uleb

U8, STRING = b"\x7d", b"\x73"
FUNC, INSTANCE, COMPONENT, TYPE = b"\x01", b"\x05", b"\x04", b"\x03"


def _depth(rng: Random) -> int:
    return rng.choice((2, 5, 10, 14, 18, 20, 25, 40, 90, 99, 100, 101, 500))


def _length(rng: Random) -> int:
    return rng.choice((10, 99, 100, 101, 300, 1000, 1001, 5000, 20_000, 100_000))


def deep_types(rng: Random) -> bytes:
    """A chain of types, each around the one before, in the type of an imported function or of nothing."""
    around: Callable[[bytes], bytes] = rng.choice(
        (
            lambda t: b"\x6b" + t,
            lambda t: b"\x70" + t,
            lambda t: b"\x6a\1" + t + b"\0",
            lambda t: b"\x6a\0\1" + t,
            lambda t: b"\x67" + t + b"\1",
            b.tuple_of,
            lambda t: b.tuple_of(U8, t),
            lambda t: b"\x63" + U8 + t,
            lambda t: b"\x66\1" + t,
        )
    )
    length = _length(rng)
    chain = [b.tuple_of(U8)] + [around(b.sleb(i)) for i in range(length)]
    if rng.randrange(4) == 0:
        return b.component(b.types(*chain))
    used = b.func(b.sleb(length), result=rng.choice((None, b.sleb(length))))
    return b.component(b.types(*chain, used), b.imports(("f", FUNC + uleb(length + 1))))


def wide_types(rng: Random) -> bytes:
    count = rng.choice((1, 31, 32, 33, 255, 256, 257, 1000, 1001, 9999, 10_000, 10_001))
    labels = [f"l{i}" for i in range(count)]
    type_ = rng.choice(
        (
            b.record_of(*[U8] * count),
            b.variant_of(*[STRING] * count),
            b.variant_of(*[None] * count),
            b.tuple_of(*[STRING] * count),
            b"\x6e" + b.vec(map(b.name, labels)),
            b"\x6d" + b.vec(map(b.name, labels)),
            b"\x6d" + b.vec(b.name(hostile_name(rng)) for _ in range(3)),
            b.func(*[U8] * min(count, 1001)),
        )
    )
    if type_[0] == 0x40:
        return b.component(b.types(type_), b.imports(("f", FUNC + b"\0")))
    named = b.imports(("t", TYPE + b"\0\0"))
    func = b.types(b.func(b.sleb(1), result=b.sleb(1)))
    return b.component(b.types(type_), named, func, b.imports(("f", FUNC + b"\2")))


def nested_types(rng: Random) -> bytes:
    """Component and instance types inside each other."""
    wrap = rng.choice((b.component_type, b.instance_type))
    type_ = wrap()
    for _ in range(rng.choice((10, 50, 98, 99, 100, 101, 150, 1000))):
        type_ = wrap(b.type_decl(type_))
    return b.component(b.types(type_))


def doubling_instance_types(rng: Random) -> bytes:
    """Each instance type exports two instances of the one before: 2^n exports in all."""
    depth, kind = _depth(rng), rng.choice((INSTANCE, INSTANCE, COMPONENT))
    make = b.instance_type if kind == INSTANCE else b.component_type
    chain = [make(b.type_decl(b.func()), b.export_decl("f", FUNC + b"\0"))]
    for i in range(depth):
        outer = b"\2" + b.outer_type(1, i)
        chain.append(make(outer, b.export_decl("a", kind + b"\0"), b.export_decl("b", kind + b"\0")))
    return b.component(b.types(*chain), b.imports(("i", kind + uleb(depth))))


def doubling_instances(rng: Random) -> bytes:
    """Each component instantiates the one before twice or more, found through an outer alias."""
    depth, times = _depth(rng), rng.choice((2, 2, 3, 10, 999))
    leaf = b.component(b.core(b.module()), b.section(2, b"\0\0\0")) if rng.randrange(2) else b.component()
    parts = [b.nested(leaf)]
    for i in range(min(depth, 900)):
        parts.append(b.nested(b.component(b.section(6, b"\4\2\1" + uleb(i)), b.instances(*[b.instantiate(0)] * times))))
    return b.component(*parts, b.instances(b.instantiate(len(parts) - 1)))


def doubling_bundles(rng: Random) -> bytes:
    """Each instance of inline exports holds the one before twice: 2^n paths, exported at the root or not."""
    depth = _depth(rng)
    base = [b.types(b.func()), b.imports(("f", FUNC + b"\0"))]
    parts = [b.instances(b.bundle(("f", FUNC + b"\0")))]
    parts += [
        b.instances(b.bundle(("a", INSTANCE + uleb(i)), ("b", INSTANCE + uleb(i)))) for i in range(min(depth, 900))
    ]
    if rng.randrange(3) == 0:
        base, parts = [], [b.instances(b.bundle()), *parts[1:]]
    last = b.exports(("x", INSTANCE + uleb(len(parts) - 1))) if rng.randrange(4) else b""
    return b.component(*base, *parts, last)


def chain_of_instances(rng: Random) -> bytes:
    """Each component gets the instance before as an argument and exports it: long chains, no doubling."""
    wrapper = b.component(
        b.types(b.instance_type()), b.imports(("i", INSTANCE + b"\0")), b.exports(("o", INSTANCE + b"\0"))
    )
    parts = [b.nested(wrapper), b.instances(b.bundle())]
    for i in range(min(_length(rng), 480)):
        parts.append(b.instances(b.instantiate(0, ("i", INSTANCE + uleb(i and 2 * i - 0)))))
        parts.append(b.section(6, b"\5\0" + uleb(2 * i + 1) + b.name("o")))
    return b.component(*parts)


def nested_components(rng: Random) -> bytes:
    """Components in components, with an alias from the innermost to the outermost."""
    depth = rng.choice((3, 20, 90, 98, 99, 100, 101, 3000))
    content = b.component(b.section(6, b.outer_type(rng.choice((depth, depth - 1, depth + 1, 2**32 - 1)), 0)))
    for _ in range(depth - 1):
        content = b.component(b.nested(content), b.instances(b.instantiate(0)))
    return b.component(b.types(U8), b.nested(content), b.instances(b.instantiate(0)))


def alias_chain(rng: Random) -> bytes:
    """A type exported under a new name, over and over, each the equal of the one before."""
    length = _length(rng)
    kind = rng.choice((b"\x72\1\1a\x7d", b"\x3f\x7f\0", b"\x40\0\1\0"))
    if rng.randrange(2):
        links = [(f"t{i}", TYPE + b"\0" + uleb(i)) for i in range(length)]
        return b.component(b.types(kind), b.imports(*links))
    links = [(f"t{i}", TYPE + uleb(i)) for i in range(length)]
    return b.component(b.types(kind), b.exports(*links))


def many_items(rng: Random) -> bytes:
    """Counts of imports, exports, lowerings, lifts and instances on both sides of their limits."""
    count = _length(rng)
    labels = [f"f{i}" for i in range(count)]
    base = (b.types(b.func()), b.imports(("f", FUNC + b"\0")))
    match rng.randrange(6):
        case 0:
            return b.component(base[0], b.imports(*((label, FUNC + b"\0") for label in labels)))
        case 1:
            return b.component(*base, b.exports(*((label, FUNC + b"\0") for label in labels)))
        case 2:
            return b.component(*base, b.section(8, *[b"\1\0\0\0"] * count))
        case 3:
            lowered = b.section(8, b"\1\0\0\0")
            return b.component(
                *base, lowered, b.section(8, *[b"\0\0\0\0\0"] * count), b.exports(("e", FUNC + uleb(count)))
            )
        case 4:
            return b.component(b.nested(b.component()), b.instances(*[b.instantiate(0)] * count))
        case _:
            return b.component(
                *base,
                b.instances(b.bundle(*((label, FUNC + b"\0") for label in labels))),
                b.exports(("e", INSTANCE + b"\0")),
            )


def odd_names(rng: Random) -> bytes:
    """Names that are printed: of imports, exports, arguments and custom sections."""
    odd = hostile_name(rng, rng.choice(("", "a", "a:b/c@1.0.0")))
    custom = b.raw_section(0, b.name(hostile_name(rng)) + rng.randbytes(3))
    base = (b.types(b.func()), b.imports(("f", FUNC + b"\0")))
    return rng.choice(
        (
            b.component(b.types(b.func()), b.imports((odd, FUNC + b"\0"))),
            b.component(*base, b.exports((odd, FUNC + b"\0"))),
            b.component(custom, *base, custom, b.exports(("g", FUNC + b"\0"))),
            b.component(*base, b.instances(b.bundle((odd, FUNC + b"\0"))), b.exports(("e", INSTANCE + b"\0"))),
            b.component(*base, b.instances(b.bundle(("x", FUNC + b"\0"))), b.section(6, b"\1\0\0" + b.name(odd))),
            b.component(b.nested(b.component()), b.instances(b.instantiate(0, (odd, COMPONENT + b"\0")))),
            b.component(b.core(b.module()), b.section(2, b"\0\0\0"), b.section(6, b"\0\0\1\0" + b.name(odd))),
            b.component(
                b.types(b.instance_type(b.type_decl(b.func()), b.export_decl(odd, FUNC + b"\0"))),
                b.imports(("a:b/c", INSTANCE + b"\0")),
            ),
        )
    )


BOMBS: tuple[Callable[[Random], bytes], ...] = (
    deep_types, wide_types, nested_types, doubling_instance_types, doubling_instances, doubling_bundles,
    chain_of_instances, nested_components, alias_chain, many_items, odd_names, odd_names,
)  # fmt: skip
