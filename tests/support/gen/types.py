"""WIT-level value types of every synchronous kind without handles, and their component text.

A type is a frozen tree; labels are by position. `TypeText` writes definitions: records, variants, enums and flags
must be named to be part of an imported or exported function, so it names each of them, shared by equality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from hypothesis import strategies as st


@dataclass(frozen=True, slots=True)
class Prim:
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    element: Type


@dataclass(frozen=True, slots=True)
class Fixed:
    element: Type
    length: int


@dataclass(frozen=True, slots=True)
class MapOf:
    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class Record:
    fields: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class TupleOf:
    fields: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    cases: tuple[Type | None, ...]


@dataclass(frozen=True, slots=True)
class Enum:
    count: int


@dataclass(frozen=True, slots=True)
class Option:
    some: Type


@dataclass(frozen=True, slots=True)
class Result:
    ok: Type | None
    error: Type | None


@dataclass(frozen=True, slots=True)
class Flags:
    count: int


Type: TypeAlias = "Prim | ListOf | Fixed | MapOf | Record | TupleOf | Variant | Enum | Option | Result | Flags"

STRING: Final = Prim("string")
INTEGERS: Final = ("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64")
PRIMS: Final = tuple(Prim(name) for name in (*INTEGERS, "bool", "f32", "f64", "char", "string"))
KEYS: Final = tuple(Prim(name) for name in (*INTEGERS, "bool", "char", "string"))

MAX_DEPTH: Final = 12
ENUM_COUNTS: Final = (1, 2, 3, 5, 255, 256, 257)
FLAG_COUNTS: Final = (1, 2, 7, 8, 9, 15, 16, 17, 31, 32)
FIXED_LENGTHS: Final = (1, 2, 3, 5, 17)
LARGEST: Final = 2_000
"""No more nodes than this once fixed-length lists are unrolled."""


def random_type(rng: Random, depth: int | None = None) -> Type:
    """A type of at most `depth` levels, mostly few."""
    if depth is None:
        depth = rng.choice((0, 1, 1, 2, 2, 2, 3, 3, 4, 5))
        if rng.randrange(40) == 0:
            return spine(rng, rng.randint(6, MAX_DEPTH))
    while True:
        found = _any(rng, depth)
        if weight(found) <= LARGEST:
            return found


def spine(rng: Random, depth: int) -> Type:
    """A type of just that depth, thin but for one path."""
    inner = _leaf(rng)
    for _ in range(depth - 1):
        inner = _around(rng, inner)
    return inner


def random_params(rng: Random) -> tuple[Type, ...]:
    """Parameter types: none, few, or so many that they travel through memory."""
    count = rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 5, 16, 17))
    return tuple(random_type(rng, 0 if count >= 16 else None) for _ in range(count))


def type_of_each_kind(rng: Random) -> list[Type]:
    """One type for each kind, that kind outermost."""
    leaf = _leaf(rng)
    return [
        *PRIMS,
        Enum(rng.choice(ENUM_COUNTS)),
        Flags(rng.choice(FLAG_COUNTS)),
        ListOf(leaf),
        Fixed(_leaf(rng), rng.choice(FIXED_LENGTHS)),
        MapOf(rng.choice(KEYS), _leaf(rng)),
        Record((_leaf(rng), leaf)),
        TupleOf((_leaf(rng),)),
        Variant((leaf, None, _leaf(rng), _leaf(rng))),
        Option(_leaf(rng)),
        Result(_leaf(rng), leaf),
    ]


def types() -> st.SearchStrategy[Type]:
    return st.randoms(use_true_random=False).map(random_type)


def _leaf(rng: Random) -> Type:
    match rng.randrange(12):
        case 0:
            return Enum(rng.choice(ENUM_COUNTS))
        case 1:
            return Flags(rng.choice(FLAG_COUNTS))
        case 2 | 3:
            return STRING
    return rng.choice(PRIMS)


def _any(rng: Random, depth: int) -> Type:
    if depth == 0:
        return _leaf(rng)

    def inner() -> Type:
        return _any(rng, rng.randrange(depth))

    return _composite(rng, lambda: _any(rng, depth - 1), inner)


def _around(rng: Random, type: Type) -> Type:
    """Something that holds `type`, and little else."""
    return _composite(rng, lambda: type, lambda: _leaf(rng))


def _composite(rng: Random, first: Callable[[], Type], other: Callable[[], Type]) -> Type:
    def several(most: int) -> list[Type]:
        found = [first()] + [other() for _ in range(rng.randrange(most))]
        rng.shuffle(found)
        return found

    match rng.randrange(11):
        case 0 | 1:
            return ListOf(first())
        case 2:
            return Fixed(first(), rng.choice(FIXED_LENGTHS))
        case 3:
            return MapOf(rng.choice(KEYS), first())
        case 4 | 5:
            return Record(tuple(several(5)))
        case 6:
            return TupleOf(tuple(several(4)))
        case 7 | 8:
            cases = [*several(5), *[None] * rng.choice((0, 0, 1, 2))]
            rng.shuffle(cases)
            if rng.randrange(30) == 0:
                cases += [None] * (rng.choice((255, 256, 257)) - len(cases))
            return Variant(tuple(cases))
        case 9:
            return Option(first())
    return Result(first() if rng.randrange(4) else None, other() if rng.randrange(4) else None)


def parts(type: Type) -> tuple[Type, ...]:
    """The types right below."""
    match type:
        case ListOf(element) | Fixed(element):
            return (element,)
        case MapOf(key, value):
            return key, value
        case Record(fields) | TupleOf(fields):
            return fields
        case Variant(cases):
            return tuple(case for case in cases if case is not None)
        case Option(some):
            return (some,)
        case Result(ok, error):
            return tuple(case for case in (ok, error) if case is not None)
        case _:
            return ()


def kinds(type: Type) -> frozenset[str]:
    """The kinds that occur in a type, at any depth."""
    own = type.name if isinstance(type, Prim) else type.__class__.__name__.lower()
    return frozenset({own}).union(*map(kinds, parts(type)))


def has_pointer(type: Type) -> bool:
    """Whether values of it lie in memory wherever they are: strings, lists, maps."""
    return bool(kinds(type) & {"string", "listof", "mapof"})


def depth(type: Type) -> int:
    return 1 + max(map(depth, parts(type)), default=0)


def weight(type: Type) -> int:
    """How many nodes the type has with its fixed-length lists unrolled."""
    below = sum(map(weight, parts(type)))
    return 1 + (below * type.length if isinstance(type, Fixed) else below)


def show(type: Type | None) -> str:
    """Short text for reports."""
    match type:
        case None:
            return "_"
        case Prim(name):
            return name
        case Enum(count) | Flags(count):
            return f"{_word(type)}{count}"
        case Fixed(element, length):
            return f"list<{show(element)};{length}>"
        case ListOf(element):
            return f"list<{show(element)}>"
        case Variant(cases):
            written = [show(case) for case in cases]
            short = written if len(written) < 20 else [*written[:10], f"...{len(written)}"]
            return f"variant<{','.join(short)}>"
        case Result(ok, error):
            return f"result<{show(ok)},{show(error)}>"
    return f"{_word(type)}<{','.join(map(show, parts(type)))}>"


def _word(type: Type) -> str:
    return type.__class__.__name__.lower().removesuffix("of")


def _labels(prefix: str, count: int) -> str:
    return " ".join(f'"{prefix}{i}"' for i in range(count))


IMPORTED: Final = '(type {id}-plain {text}) (import "{name}" (type {id} (eq {id}-plain)))'
EXPORTED: Final = '(type {id}-plain {text}) (export {id} "{name}" (type {id}-plain))'
DECLARED: Final = '(type {id}-plain {text}) (export "{name}" (type {id} (eq {id}-plain)))'
"""Of an instance type."""
PLAIN: Final = "(type {id} {text})"


@dataclass(slots=True)
class TypeText:
    """Definitions of the types that one component uses.

    naming: how a type that must have a name gets it; called: names that are given; shared: text that brings in a type
    with a name elsewhere, instead; prefix: of identifiers.
    """

    naming: str
    called: Mapping[Type, str] = field(default_factory=dict)
    shared: Mapping[Type, str] = field(default_factory=dict)
    prefix: str = "t"
    lines: list[str] = field(default_factory=list)
    names: dict[Type, str] = field(default_factory=dict)
    named: dict[Type, str] = field(default_factory=dict)

    def use(self, type: Type) -> str:
        """What to write where the type is meant; defines it if that is its first use."""
        if isinstance(type, Prim):
            return type.name
        if type not in self.names:
            self.names[type] = self._define(type)
        return self.names[type]

    def _define(self, type: Type) -> str:
        text = "" if type in self.shared else self._text(type)
        number = len(self.names)
        id, name = f"${self.prefix}{number}", self.called.get(type, f"t{number}")
        if type in self.shared:
            self.lines.append(self.shared[type].format(id=id))
        elif isinstance(type, Record | Variant | Enum | Flags):
            self.lines.append(self.naming.format(id=id, name=name, text=text))
            self.named[type] = name
        else:
            self.lines.append(PLAIN.format(id=id, text=text))
        return id

    def _text(self, type: Type) -> str:
        match type:
            case ListOf(element):
                return f"(list {self.use(element)})"
            case Fixed(element, length):
                return f"(list {self.use(element)} {length})"
            case MapOf(key, value):
                return f"(map {self.use(key)} {self.use(value)})"
            case Record(fields):
                return "(record " + " ".join(f'(field "f{i}" {self.use(t)})' for i, t in enumerate(fields)) + ")"
            case TupleOf(fields):
                return "(tuple " + " ".join(map(self.use, fields)) + ")"
            case Variant(cases):
                written = (f'(case "c{i}" {"" if t is None else self.use(t)})' for i, t in enumerate(cases))
                return "(variant " + " ".join(written) + ")"
            case Enum(count):
                return f"(enum {_labels('e', count)})"
            case Option(some):
                return f"(option {self.use(some)})"
            case Result(ok, error):
                written_ok = "" if ok is None else self.use(ok)
                return f"(result {written_ok} {'' if error is None else f'(error {self.use(error)})'})"
            case Flags(count):
                return f"(flags {_labels('b', count)})"
        raise AssertionError(type)
