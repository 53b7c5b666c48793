"""The sections of a component or core module, found by their ids and sizes alone, and changes to them.

This reader is not meldpy's: what it makes must not depend on what meldpy's decoder believes. Sizes of enclosing
sections follow a change, unless the change is a wrong size.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

MODULE = b"\0asm\x01\0\0\0"
COMPONENT = b"\0asm\x0d\0\x01\0"
_NESTED = {1: MODULE, 4: COMPONENT}
"""Sections of a component that hold a whole module or component."""


def uleb(value: int, width: int = 1) -> bytes:
    """LEB128 with at least `width` bytes."""
    out = bytearray()
    while value >= 0x80 or len(out) + 1 < width:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_uleb(data: bytes, at: int) -> tuple[int, int]:
    """(value, position behind it)."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


@dataclass(slots=True)
class Section:
    """inner: set if the content is a module or component of its own; size: how the size is written, if it lies."""

    id: int
    content: bytes
    inner: Tree | None = None
    size: bytes | None = None

    def encode(self) -> bytes:
        content = self.content if self.inner is None else self.inner.encode()
        return bytes([self.id]) + (uleb(len(content)) if self.size is None else self.size) + content


@dataclass(slots=True)
class Tree:
    preamble: bytes
    sections: list[Section] = field(default_factory=list)

    def encode(self) -> bytes:
        return self.preamble + b"".join(section.encode() for section in self.sections)

    def all_trees(self) -> list[Tree]:
        """This one and all inside it."""
        return [self] + [t for s in self.sections if s.inner is not None for t in s.inner.all_trees()]

    def copy(self) -> Tree:
        return deepcopy(self)


def parse(data: bytes) -> Tree:
    """`data` must be well-formed."""
    tree, at = Tree(data[:8]), 8
    while at < len(data):
        id_ = data[at]
        size, at = read_uleb(data, at + 1)
        content = data[at : at + size]
        wanted = _NESTED.get(id_) if tree.preamble == COMPONENT else None
        tree.sections.append(Section(id_, content, parse(content) if wanted else None))
        at += size
    return tree


# --- changes ----------------------------------------------------------------------------------------------------
def change_sections(rng: Random, data: bytes, other: bytes) -> bytes:
    """One to three changes to sections; `other` is where foreign ones come from."""
    tree = parse(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        candidates = [t for t in tree.all_trees() if t.sections]
        if candidates:
            _change(rng, rng.choice(candidates), parse(other))
    return tree.encode()


def _change(rng: Random, tree: Tree, other: Tree) -> None:
    at = rng.randrange(len(tree.sections))
    section = tree.sections[at]
    match rng.randrange(10):
        case 0:
            tree.sections.insert(rng.randrange(len(tree.sections) + 1), section)
        case 1:
            del tree.sections[at]
        case 2:
            to = rng.randrange(len(tree.sections))
            tree.sections[at], tree.sections[to] = tree.sections[to], section
        case 3:
            donors = [t for t in other.all_trees() if t.sections and t.preamble == tree.preamble]
            if donors:
                foreign = rng.choice(rng.choice(donors).sections)
                tree.sections[at : at + rng.randrange(2)] = [foreign]
        case 4:
            tree.sections += tree.copy().sections
        case 5 if tree.preamble == COMPONENT:
            tree.sections.insert(at, Section(4, b"", tree.copy()))
        case 6:
            length = len(section.encode())
            wrong = rng.choice((0, 1, length - 1, length + 1, 2 * length, 0x7F, 0x80, 2**28, 2**31, 2**32 - 1))
            section.size = uleb(max(0, wrong), rng.choice((1, 1, 5, 6)))
        case 7 if section.inner is None:
            section.content = _with_count(rng, section.content)
        case 8:
            section.id = rng.choice((0, 1, 4, 7, 10, 11, 12, 13, 14, 0x7F, 0xFF, section.id ^ 1))
            section.inner, section.content = None, section.content or b""
        case _:
            name = rng.choice(
                (b"\4name", b"\x0ecomponent-name", b"\x09producers", b"\0", b"\xff\xff\3x", b"\2\xc3\x28")
            )
            junk = Section(0, name + rng.randbytes(rng.choice((0, 3, 40))))
            tree.sections.insert(at, junk)


def _with_count(rng: Random, content: bytes) -> bytes:
    """The count that most sections begin with, changed."""
    try:
        count, at = read_uleb(content, 0)
    except IndexError:
        return content
    new = rng.choice((0, count - 1, count + 1, count * 2, 0x7F, 1000, 1_000_001, 2**31, 2**32 - 1))
    return uleb(max(0, new), rng.choice((1, 1, 1, 5))) + content[at:]


def change_lebs(rng: Random, data: bytes) -> bytes:
    """Small integers in one section written in other ways: padded, too long, too large."""
    tree = parse(data)
    candidates = [s for t in tree.all_trees() for s in t.sections if s.inner is None and s.content and s.id != 0]
    if not candidates:
        return data
    section = rng.choice(candidates)
    if rng.randrange(4) == 0:
        section.size = uleb(len(section.content), rng.choice((2, 3, 4, 5, 6, 10)))
    for _ in range(rng.choice((0, 1, 1, 2))):
        places = [i for i, byte in enumerate(section.content[:4000]) if byte < 0x40]
        if places:
            at = rng.choice(places)
            section.content = section.content[:at] + _form(rng, section.content[at]) + section.content[at + 1 :]
    return tree.encode()


def _form(rng: Random, value: int) -> bytes:
    match rng.randrange(6):
        case 0:
            return uleb(value, rng.choice((6, 7, 10, 11, 20)))
        case 1:
            return b"\xff\xff\xff\xff\x0f"
        case 2:
            return b"\xff\xff\xff\xff" + bytes([rng.choice((0x1F, 0x10, 0x7F, 0x8F, 0x70))])
        case _:
            return uleb(value, rng.choice((2, 3, 4, 5)))
