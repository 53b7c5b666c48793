"""Values of a type, as WAVE trees: the smallest one, any one at random, and smaller ones than a given one.

For `meld run --compare --fuzz` and for host functions that nobody provides. Random values keep to the edges of their
types more than chance would: that is where two forms of one program part. What has no text form (streams, futures,
handles deep inside a value) is named by `obstacle`, and never made.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Final, TypeAlias, TypeVar

from wasmtime import component as wc

from meldpy.engine.values import to_text
from meldpy.engine.wave import KEYWORDS, Braces, Char, Name, Number, Sequence, Text, Tree
from meldpy.engine.worldtext import cases, parts, show

Handles: TypeAlias = "Callable[[wc.ValType], list[str]]"
"""The names of the handles that the caller holds and that fit a type."""

_RANGES: Final[dict[type[wc.ValType], tuple[int, int]]] = {
    wc.U8: (0, 2**8 - 1), wc.U16: (0, 2**16 - 1), wc.U32: (0, 2**32 - 1), wc.U64: (0, 2**64 - 1),
    wc.S8: (-(2**7), 2**7 - 1), wc.S16: (-(2**15), 2**15 - 1), wc.S32: (-(2**31), 2**31 - 1),
    wc.S64: (-(2**63), 2**63 - 1),
}  # fmt: skip
_LETTERS: Final = ("a", "Z", "0", " ", "\n", "\0", "\x7f", "é", "ÿ", "Ā", "東", "\ufffd", "\uffff", "🦀", "\U0010ffff")
_FLOATS: Final = (0.0, -0.0, 1.0, -1.5, 0.1, 3.4028234663852886e38, 1e-45, 2.0**53 + 2, float("inf"), float("-inf"))
_Row = TypeVar("_Row", str, "tuple[Tree, ...]", "tuple[tuple[str, Tree | None], ...]")
_DEEP: Final = 5
"""Below this depth lists are empty more often than not, so that values end."""


def obstacle(ty: wc.ValType | None, *, result: bool = False) -> str | None:
    """What keeps values of `ty` from being written, as an argument or as a result; None if nothing does."""
    if ty is None:
        return None
    top = ty.element if isinstance(ty, wc.ListType) else ty
    for part in parts(ty):
        if isinstance(part, wc.StreamType | wc.FutureType | wc.ErrorContext):
            return show(part)
        if isinstance(part, wc.OwnType | wc.BorrowType) and part is not top and not result:
            return f"a handle inside a {show(ty)}"
    if result and isinstance(ty, wc.RecordType) and any(_is_handle(part) for part in parts(ty)):
        return f"a handle inside a {show(ty)}"
    return None


def _is_handle(ty: wc.ValType) -> bool:
    return isinstance(ty, wc.OwnType | wc.BorrowType)


# --- the smallest value ----------------------------------------------------------------------------------------------
def smallest(ty: wc.ValType) -> Tree | None:
    """The value that shrinking ends in; None for a handle, which somebody must have given out."""
    match ty:
        case wc.Bool():
            return Name("false")
        case wc.Char():
            return Char("a")
        case wc.String():
            return Text("")
        case wc.ListType():
            return Sequence("[", ())
        case wc.TupleType():
            items = [smallest(element) for element in ty.elements]
            return Sequence("(", tuple(item for item in items if item is not None)) if None not in items else None
        case wc.RecordType():
            fields = [(name, smallest(of)) for name, of in ty.fields]
            return None if any(value is None for _, value in fields) else Braces(tuple(fields))
        case wc.FlagsType():
            return Braces(())
        case wc.EnumType():
            return _case(ty.names[0], None, of_variant=True)
        case wc.VariantType() | wc.OptionType() | wc.ResultType():
            for name, of in cases(ty).items():
                payload = None if of is None else smallest(of)
                if of is None or payload is not None:
                    return _case(name, payload, of_variant=isinstance(ty, wc.VariantType))
            return None
        case _ if type(ty) in _RANGES or isinstance(ty, wc.F32 | wc.F64):
            return Number("0")
        case _:
            return None


def _case(name: str, payload: Tree | None, *, of_variant: bool) -> Name:
    """A case that is called as a keyword has a `%` in front, unless it is that keyword's."""
    return Name(name, payload, of_variant and name in KEYWORDS)


# --- any value -------------------------------------------------------------------------------------------------------
def arbitrary(ty: wc.ValType, random: Random, handles: Handles, depth: int = 0) -> Tree | None:
    """A value; None where a handle is wanted and none is held."""
    match ty:
        case wc.Bool():
            return Name(random.choice(("false", "true")))
        case wc.Char():
            return Char(_letter(random))
        case wc.String():
            return Text("".join(_letter(random) for _ in range(_length(random, depth))))
        case wc.F32() | wc.F64():
            return _float(ty, random)
        case wc.OwnType() | wc.BorrowType():
            held = handles(ty)
            return Name(random.choice(held)) if held else None
        case wc.ListType() if _is_handle(ty.element):
            held = handles(ty.element)
            return Sequence("[", tuple(Name(name) for name in random.sample(held, min(len(held), random.randrange(3)))))
        case wc.ListType():
            return _all("[", [ty.element] * _length(random, depth), random, handles, depth)
        case wc.TupleType():
            return _all("(", list(ty.elements), random, handles, depth)
        case wc.RecordType():
            inner = _all("(", [of for _, of in ty.fields], random, handles, depth)
            return inner and Braces(tuple(zip((name for name, _ in ty.fields), inner.items, strict=True)))
        case wc.FlagsType():
            return Braces(tuple((name, None) for name in ty.names if random.random() < 0.5))
        case wc.EnumType():
            return _case(random.choice(ty.names), None, of_variant=True)
        case wc.VariantType() | wc.OptionType() | wc.ResultType():
            name, of = random.choice(list(cases(ty).items()))
            payload = None if of is None else arbitrary(of, random, handles, depth + 1)
            known = of is None or payload is not None
            return _case(name, payload, of_variant=isinstance(ty, wc.VariantType)) if known else smallest(ty)
        case _:
            return _integer(*_RANGES[type(ty)], random)


def _all(opener: str, types: list[wc.ValType], random: Random, handles: Handles, depth: int) -> Sequence | None:
    items = []
    for ty in types:
        item = arbitrary(ty, random, handles, depth + 1)
        if item is None:
            return None
        items.append(item)
    return Sequence(opener, tuple(items))


def _length(random: Random, depth: int) -> int:
    if random.random() < (0.3 if depth < _DEEP else 0.8):
        return 0
    return random.randrange(1, 5) if random.random() < 0.9 or depth > 1 else random.randrange(5, 400)


def _letter(random: Random) -> str:
    if random.random() < 0.9:
        return random.choice(_LETTERS)
    code = random.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)


def _integer(low: int, high: int, random: Random) -> Number:
    match random.randrange(4):
        case 0:
            value = random.choice((low, low + 1, -1, 0, 1, 2, high - 1, high))
        case 1:
            value = random.choice((-1, 1)) * ((1 << random.randrange(65)) + random.choice((-1, 0, 1)))
        case 2:
            value = random.randrange(-20, 100)
        case _:
            value = random.randint(low, high)
    return Number(str(min(max(value, low), high)))


def _float(ty: wc.F32 | wc.F64, random: Random) -> Tree:
    single = isinstance(ty, wc.F32)
    match random.randrange(3):
        case 0:
            value = random.choice(_FLOATS)
        case 1:
            value = float(random.randrange(-1000, 1000)) / random.choice((1, 2, 3, 10))
        case _:
            value = struct.unpack("<d", random.randbytes(8))[0]
    if single:
        try:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            value = 1.0
    text = to_text(value, ty)
    return Name(text) if text in ("nan", "inf") else Number(text)


# --- smaller values --------------------------------------------------------------------------------------------------
def smaller(tree: Tree, ty: wc.ValType) -> Iterator[Tree]:
    """Values of `ty` that are smaller than `tree`, the smallest first. Following it ends."""
    least = smallest(ty)
    if least is None or least == tree:
        return
    yield least
    match ty, tree:
        case wc.String(), Text(value=text):
            yield from (Text(cut) for cut in _cuts(text))
            yield from (
                Text(text[:at] + "a" + text[at + 1 :]) for at, letter in enumerate(text) if letter != "a" and at < 64
            )
        case wc.ListType(), Sequence(items=items):
            yield from (Sequence("[", cut) for cut in _cuts(items))
            yield from (Sequence("[", each) for each in _one_smaller(items, [ty.element] * len(items)))
        case wc.TupleType(), Sequence(items=items):
            yield from (Sequence("(", each) for each in _one_smaller(items, list(ty.elements)))
        case wc.RecordType(), Braces(entries=entries):
            names = [name for name, _ in ty.fields]
            given = dict(entries)
            values = tuple(value for name in names if (value := given.get(name)) is not None)
            if len(values) == len(names):
                for each in _one_smaller(values, [of for _, of in ty.fields]):
                    yield Braces(tuple(zip(names, each, strict=True)))
        case wc.FlagsType(), Braces(entries=entries):
            yield from (Braces(cut) for cut in _cuts(entries))
        case ((wc.VariantType() | wc.OptionType() | wc.ResultType()), Name(label=label, payload=payload)):
            of = cases(ty)[label]
            if of is not None and payload is not None:
                yield from (Name(label, each, tree.escaped) for each in smaller(payload, of))
        case _, Number(text=text) if type(ty) in _RANGES:
            yield from (Number(str(each)) for each in _nearer(int(text)))
        case ((wc.F32() | wc.F64()), Number() | Name()):
            simple = [Number("1"), Number("-1"), Number("0.5")]
            yield from simple[: simple.index(tree) if tree in simple else None]
        case _:
            pass


def _nearer(value: int) -> Iterator[int]:
    """Numbers between 0 and `value`, and its positive neighbour."""
    sign, distance = (-1, -value) if value < 0 else (1, value)
    if sign < 0:
        yield distance - 1
    step = distance // 2
    while step:
        yield sign * (distance - step)
        step //= 2


def _cuts(items: _Row) -> Iterator[_Row]:
    """Shorter ones: halves, then without one."""
    if len(items) > 1:
        half = len(items) // 2
        yield items[:half]
        yield items[half:]
    for at in range(min(len(items), 64)):
        yield items[:at] + items[at + 1 :]


def _one_smaller(items: tuple[Tree, ...], types: list[wc.ValType]) -> Iterator[tuple[Tree, ...]]:
    for at, (item, ty) in enumerate(zip(items[:64], types[:64], strict=True)):
        for each in smaller(item, ty):
            yield (*items[:at], each, *items[at + 1 :])
