"""Values that may not be lifted: chars, discriminants, strings and lists, wherever they can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from tests.support.gen.calls import Ready
from tests.support.gen.encode import BAD_UTF8, BAD_UTF16
from tests.support.gen.guests import ENCODINGS, PAGE, Func
from tests.support.gen.types import STRING, Enum, ListOf, MapOf, Option, Prim, Result, Type, Variant
from tests.support.trapcases.batch import Batch
from tests.support.trapcases.case import Case
from tests.support.trapcases.precise import Raw, ready
from tests.support.trapcases.shapes import SIDES, func, in_memory, position, shapes, values

AT: Final = PAGE - 1024
"""In the part of the image that a guest's realloc leaves alone."""
LIMIT: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Fault:
    """condition: of the table, or two: if lifted from core values and if from memory. plain: any value of the type.
    edges: what is just within the limit, but breaks another rule then."""

    condition: str | tuple[str, str]
    trap: str
    type: Type
    plain: Any
    bad: tuple[Raw, ...]
    good: tuple[Raw, ...]
    edges: tuple[tuple[Raw, str], ...] = ()
    encoding: str | None = None


def cases() -> Iterator[Case]:
    for wide in (False, True):
        for faults in families(wide):
            yield from _of_family(faults, wide)


def families(wide: bool) -> list[list[Fault]]:
    """Faults whose functions share a composition."""
    strings = [list(_strings(encoding, wide)) for encoding in ENCODINGS]
    lists = list(_lists(wide))
    return [*strings, lists] if wide else [list(_scalars()), *strings, lists]


def _of_family(faults: list[Fault], wide: bool) -> Iterator[Case]:
    batch = Batch(wide)
    turns = count()
    for fault in faults:
        for side in SIDES:
            for shape in shapes(side, wide):
                # the other side's encoding takes turns; strings at the top level meet every other
                source = fault.encoding or "utf8"
                others = ENCODINGS if shape == "top" and fault.encoding else (ENCODINGS[next(turns) % 3],)
                for other in others:
                    encodings = (source, other) if side == "params" else (other, source)
                    chosen = func(side, shape, fault.type, encodings)
                    batch.number(chosen)
                    yield _case(batch, chosen, fault, side, shape, next(turns))


def _case(batch: Batch, chosen: Func, fault: Fault, side: str, shape: str, turn: int) -> Case:
    condition = fault.condition
    if isinstance(condition, tuple):
        condition = condition[in_memory(side, shape, fault.type, batch.wide)]

    def call(raw: Raw) -> Ready:
        args, result = values(side, shape, fault.plain, raw)
        return ready(batch.number(chosen), chosen, batch.guests, args, result)

    tried: list[tuple[Raw, str | None]] = [(raw, fault.trap) for raw in fault.bad]
    good: list[tuple[Raw, str | None]] = [*fault.edges, *((raw, None) for raw in fault.good)]
    if shape != "top" or batch.wide:
        # elsewhere they take turns
        tried, good = [tried[turn % len(tried)]], [good[-1 - turn % len(fault.good)]]

    def calls() -> list[tuple[str, Ready, str | None]]:
        return [(f"{raw.words}", call(raw), trap) for raw, trap in (*tried, *good)]

    width = "64-bit memories" if batch.wide else "32-bit memories"
    name = f"{position(side, shape)}, {' to '.join(chosen.encodings)}, {width}, {fault.type}"
    returning = sum(trap is None for _, trap in good)
    return Case(condition, position(side, shape), name, len(tried), returning, lambda _: batch.problems(chosen, calls))


def _scalars() -> Iterator[Fault]:
    char, trap = Prim("char"), "invalid char"

    def raws(*words: int) -> tuple[Raw, ...]:
        return tuple(Raw((word,)) for word in words)

    yield Fault("char-too-large", trap, char, 65, raws(0x110000, 0x8000_0041, 0xFFFF_FFFF), raws(0x10FFFF, 0))
    yield Fault("char-surrogate", trap, char, 65, raws(0xD800, 0xDBFF, 0xDC00, 0xDFFF), raws(0xD7FF, 0xE000))
    kinds = ("flat-discriminant", "stored-discriminant")
    for type, plain, cases_ in (
        (Enum(3), (0, None), 3),
        (Enum(200), (199, None), 200),
        (Variant((Prim("u64"), None, Prim("f32"))), (1, None), 3),
        (Option(Prim("u16")), (1, 7), 2),
        (Result(None, Prim("u8")), (0, None), 2),
    ):
        bad = raws(cases_, cases_ + 1, 0xFF)
        yield Fault(kinds, "invalid variant discriminant", type, plain, bad, raws(cases_ - 1, 0))
    wide_enum = Enum(257)
    bad = raws(257, 0x1FF, 0xFFFF)
    yield Fault(kinds, "invalid variant discriminant", wide_enum, (256, None), bad, raws(256, 0))


def _strings(encoding: str, wide: bool) -> Iterator[Fault]:
    top = 1 << (64 if wide else 32)
    unit = 1 if encoding == "utf8" else 2
    tag = top // 2 if encoding == "latin1+utf16" else 0

    def fault(condition: str, trap: str, bad: Any, good: Any, edges: Any = ()) -> Fault:
        return Fault(condition, trap, STRING, "ok", tuple(bad), tuple(good), tuple(edges), encoding)

    def at(pointer: int, units: int) -> Raw:
        """Zeros, which are a string in every encoding."""
        blob = ((pointer, bytes(unit * units)),) if pointer + unit * units <= PAGE else ()
        return Raw((pointer, units | tag), blob)

    outside = "string out of bounds"
    lengths = [LIMIT // unit, (LIMIT // unit) + 1, top // 4 // unit, (top // 2 - 1)]
    bad, edges = [at(AT, n) for n in lengths], [(at(AT, LIMIT // unit - 1), outside)]
    if tag:  # the same without the tag is latin1
        bad += [Raw((AT, LIMIT)), Raw((AT, top // 2 - 1))]
        edges += [(Raw((AT, LIMIT - 1)), outside)]
    yield fault("string-too-long", "string too long", bad, [at(AT, 3)], edges)
    last = PAGE - 2 * unit
    bad = [at(last, 3), at(last + unit, 2), at(PAGE, 1), at(PAGE + unit, 0), at(top - unit, 1), at(top - 2, 8)]
    if wide:
        bad += [at((1 << 32) + AT, 1), at((1 << 32) + AT, 0)]
    yield fault("string-outside", outside, bad, [at(last, 2), at(PAGE, 0)])
    if unit == 2:
        bad = [at(AT + 1, 2), at(AT + 1, 0), at(PAGE - 1, 0)]
        yield fault("string-misaligned", "string pointer misaligned", bad, [at(AT, 2), at(AT + 2, 0), at(PAGE, 0)])

    def text(data: bytes, before: bytes, behind: bytes) -> Raw:
        whole = before + data + behind
        return Raw((AT, len(whole) // unit | tag), ((AT, whole),))

    if encoding == "utf8":
        bad = [text(piece, b"x" * n, b"") for piece in BAD_UTF8[:-5] for n in (0, 3, 20)]
        good = [text(piece, b"x" * n, b"y") for piece in BAD_UTF8[-5:] for n in (0, 3, 20)]
        yield fault("string-invalid-utf8", "invalid utf8", bad, good)
        return
    pieces = [b"".join(half.to_bytes(2, "little") for half in halves) for halves in BAD_UTF16]
    bad = [text(piece, b"x\0" * n, b"") for piece in pieces[:-4] for n in (0, 1, 20)]
    good = [text(piece, b"x\0" * n, b"y\0") for piece in pieces[-4:] for n in (0, 1, 20)]
    yield fault("string-invalid-utf16", "invalid utf16", bad, good)


def _lists(wide: bool) -> Iterator[Fault]:
    """Of elements that are copied as bytes, of others, and of entries."""
    top = 1 << (64 if wide else 32)
    leaves: tuple[tuple[Type, Any, int, int], ...] = (
        (ListOf(Prim("u32")), [1], 4, 4),
        (ListOf(Prim("char")), [65], 4, 4),
        (MapOf(Prim("u8"), Prim("u16")), [[1, 2]], 4, 2),
    )
    for type, plain, stride, align in leaves:

        def fault(condition: str, trap: str, bad: Any, good: Any, edges: Any = (), type: Any = (type, plain)) -> Fault:
            return Fault(condition, trap, type[0], type[1], tuple(bad), tuple(good), tuple(edges))

        def at(pointer: int, length: int, stride: int = stride) -> Raw:
            blob = ((pointer, bytes(stride * length)),) if pointer + stride * length <= PAGE else ()
            return Raw((pointer, length), blob)

        outside = "list out of bounds"
        lengths = (LIMIT // stride, LIMIT // stride + 1, top // stride, top // stride + 1, top - 1)
        edges = [(at(AT, LIMIT // stride - 1), outside)]
        yield fault("list-too-long", "list too long", [at(AT, n) for n in lengths], [at(AT, 3)], edges)
        bad = [at(AT + 1, 1), at(AT + 1, 0), at(AT + align // 2, 1), at(AT + align // 2, 0)]
        yield fault("list-misaligned", "list pointer misaligned", bad, [at(AT, 1), at(AT + align, 0)])
        last = PAGE - 2 * stride
        bad = [at(last, 3), at(PAGE, 1), at(PAGE + align, 0), at(top - align, 1), at(top - 2 * stride, 4)]
        if wide:
            bad += [at((1 << 32) + AT, 1), at((1 << 32) + AT, 0)]
        yield fault("list-outside", outside, bad, [at(last, 2), at(PAGE, 0)])
