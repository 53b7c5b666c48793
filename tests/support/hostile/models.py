"""Decoded models with something changed: what stays grammatical decodes again, and gets further than broken bytes.

A random walk from the root goes down into one field or item and changes what it ends at. What a field may hold
is learnt from the corpus: for every field of every class, the values seen there. So nothing here knows the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from random import Random
from typing import Any

from meldpy.model.component import Component
from tests.support.hostile.names import hostile_name

Key = tuple[type, str]
_KEPT = 120
"""Values remembered per field."""
_SMALL = (0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 32, 33, 64, 100, 127, 128, 255, 999, 1000, 1001)
_LARGE = (0x3FFF, 0x4000, 65535, 65536, 65537, 1_000_000, 2**28 - 1, 2**28, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(slots=True)
class Seen:
    """Values of fields, and items of fields that are tuples."""

    values: dict[Key, list[object]] = field(default_factory=dict)
    items: dict[Key, list[object]] = field(default_factory=dict)

    def learn(self, root: Component, rng: Random) -> None:
        for node in _nodes(root):
            for name in _names(type(node)):
                value = getattr(node, name)
                _remember(self.values.setdefault((type(node), name), []), value, rng)
                if isinstance(value, tuple):
                    for item in value[:50]:
                        _remember(self.items.setdefault((type(node), name), []), item, rng)


def _remember(known: list[object], value: object, rng: Random) -> None:
    if len(known) < _KEPT:
        known.append(value)
    elif rng.randrange(20) == 0:
        known[rng.randrange(_KEPT)] = value


_FIELDS: dict[type, tuple[str, ...]] = {}


def _names(of: type) -> tuple[str, ...]:
    """Fields that the encoding depends on."""
    if of not in _FIELDS:
        _FIELDS[of] = tuple(item.name for item in fields(of) if item.compare)
    return _FIELDS[of]


def _nodes(root: object) -> Iterator[Any]:
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif is_dataclass(node) and not isinstance(node, Enum):
            yield node
            pending.extend(getattr(node, name) for name in _names(type(node)))


def change_model(rng: Random, component: Component, seen: Seen) -> Component:
    """`component` with one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        component = _node(rng, component, seen)
    return component


def _node(rng: Random, node: Any, seen: Seen) -> Any:
    of = type(node)
    names = _names(of)
    if not names:
        return node
    name = rng.choice(names)
    value, key = getattr(node, name), (of, name)
    # The deeper part of a tree is the larger: replace whole fields rarely while there is something to descend into.
    if rng.randrange(100) < (8 if isinstance(value, tuple) or is_dataclass(value) else 40):
        return replace(node, **{name: rng.choice(seen.values[key])})
    return replace(node, **{name: _value(rng, value, key, seen)})


def _value(rng: Random, value: Any, key: Key, seen: Seen) -> Any:
    match value:
        case Enum():
            return rng.choice(list(type(value)))
        case bool():
            return not value
        case int():
            return _integer(rng, value)
        case str():
            return hostile_name(rng, value)
        case bytes() | memoryview():
            return _bytes(rng, bytes(value))
        case tuple():
            return _tuple(rng, value, key, seen)
        case None:
            return rng.choice(seen.values[key])
        case _:
            return _node(rng, value, seen)


def _integer(rng: Random, value: int) -> int:
    match rng.randrange(8):
        case 0 | 1:
            return value + 1
        case 2 | 3:
            return max(0, value - 1)
        case 4:
            return rng.randrange(max(1, value + 3))
        case 5 | 6:
            return rng.choice(_SMALL)
        case _:
            return rng.choice(_LARGE)


def _bytes(rng: Random, data: bytes) -> bytes:
    if not data:
        return rng.randbytes(rng.choice((1, 8)))
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + rng.randbytes(rng.randint(1, 4)) + data[at + 1 :]
        case _:
            return data[:at] + data[at : at + 8] * rng.choice((2, 3, 50)) + data[at + 8 :]


def _tuple(rng: Random, items: tuple[Any, ...], key: Key, seen: Seen) -> tuple[Any, ...]:
    if items and rng.randrange(100) < 75:
        at = rng.randrange(len(items))
        # A tuple inside a tuple (a name and an index): its parts have no field of their own.
        return (*items[:at], _value(rng, items[at], key, seen), *items[at + 1 :])
    at = rng.randrange(len(items) + 1)
    known = seen.items.get(key)
    match rng.randrange(7):
        case 0 if items:
            return items[:at] + items[at + 1 :]
        case 1 if items:
            other = rng.randrange(len(items))
            swapped = list(items)
            swapped[other], swapped[at - 1] = swapped[at - 1], swapped[other]
            return tuple(swapped)
        case 2 if items:
            return items[:at] + items[at - 1 : at] * rng.choice((1, 1, 2, 20, 1200)) + items[at:]
        case 3:
            return items[: rng.randrange(len(items) + 1)]
        case _ if known and not _is_pair(items):
            return (*items[:at], rng.choice(known), *items[at:])
        case _:
            return items


def _is_pair(items: tuple[Any, ...]) -> bool:
    """Whether this is a name with what it names, whose length means something."""
    return len(items) == 2 and isinstance(items[0], str) != isinstance(items[1], str)


# --- one name everywhere ----------------------------------------------------------------------------------------
def rename(rng: Random, component: Component) -> Component:
    """One string of the model, in all its places, as another: the references between them stay intact."""
    strings = sorted({s for node in _nodes(component) for s in _strings(node)})
    if not strings:
        return component
    old = rng.choice(strings)
    new = hostile_name(rng, old)
    renamed = _renamed(component, old, new)
    assert isinstance(renamed, Component)
    return renamed


def _strings(node: Any) -> Iterator[str]:
    for name in _names(type(node)):
        pending = [getattr(node, name)]
        while pending:
            value = pending.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                pending.extend(v for v in value if isinstance(v, str | tuple))


def _renamed(thing: Any, old: str, new: str) -> Any:
    match thing:
        case str():
            return new if thing == old else thing
        case tuple():
            return tuple(_renamed(item, old, new) for item in thing)
        case _ if is_dataclass(thing) and not isinstance(thing, Enum):
            return replace(thing, **{name: _renamed(getattr(thing, name), old, new) for name in _names(type(thing))})  # type: ignore[type-var]
        case _:
            return thing
