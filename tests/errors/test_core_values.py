"""Values that do not fit, given to a core module's functions through `meldpy.core`; and modules it cannot call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy import core
from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.cabi import Abi
from meldpy.core.pythonvalues import Case
from meldpy.core.surface import read_surface, world_sections
from meldpy.core.values import Values
from meldpy.errors import MeldError, UsageError
from meldpy.kernel.lower import lower
from meldpy.kernel.rebase import survey
from meldpy.model.core import PlacedCustom, RawCustom
from meldpy.model.lowered import Replacements
from meldpy.model.reindexed import IndexCounts
from meldpy.model.valtype import (
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    ListType,
    OptionType,
    PrimValType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
)
from meldpy.pipeline import FuseOptions
from meldpy.records import replace

U8 = PrimValType.U8


class Nothing:
    """A side of a call whose memory nobody looks at."""

    def read(self, at: int, size: int) -> bytes:
        return bytes(size)

    def write(self, at: int, data: bytes) -> None:
        pass

    def allocate(self, alignment: int, size: int) -> int:
        return 0

    def memory_size(self) -> int:
        return 65_536


VALUES = Values(Abi(), Nothing())  # type: ignore[arg-type]
STREAM = DefinedType(StreamType(U8))
PLAIN = """(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
  (func (export "f") (param "n" u32) (canon lift (core func $i "f"))))"""
RESOURCES = """(component
  (type $mine (resource (rep i32)))
  (core func $new (canon resource.new $mine))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7))) (func (export "take") (param i32)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (component $names
    (import "r" (type $r (sub resource))) (import "make" (func $make (result (own $r))))
    (import "take" (func $take (param "h" (own $r))))
    (export $x "r" (type $r)) (export "make" (func $make) (func (result (own $x))))
    (export "take" (func $take) (func (param "h" (own $x)))))
  (func $make (result (own $mine)) (canon lift (core func $i "make")))
  (func $take (param "h" (own $mine)) (canon lift (core func $i "take")))
  (instance $e (instantiate $names (with "r" (type $mine)) (with "make" (func $make)) (with "take" (func $take))))
  (export "demo:a/e" (instance $e)))"""


def module(text: str) -> bytes:
    return meldpy.fuse([text.encode()], FuseOptions(core=True)).bytes


def called(text: str, name: str, *args: object) -> object:
    return core.load(module(text)).call(name, *args)


def worlds(change: Callable[[PlacedCustom], tuple[PlacedCustom, ...]]) -> object:
    """A core module whose custom sections with a world are changed."""
    found = decode_module(module(PLAIN), "x")
    names = {each.name for each in world_sections(found)}
    customs = tuple(
        new
        for each in found.customs
        for new in (change(each) if getattr(each.section, "name", None) in names else (each,))
    )
    return read_surface(encode_module(replace(found, customs=customs)), "x.wasm")


def without_encoding(world: PlacedCustom) -> PlacedCustom:
    section = world.section
    assert isinstance(section, RawCustom)
    return replace(world, section=replace(section, data=bytes(section.data).replace(b"nt-encoding", b"nt-encodinG")))


def importing_a_memory() -> bytes:
    """A module with a world that imports more than functions."""
    (world,) = world_sections(decode_module(module(PLAIN), "x"))
    data = "".join(f"\\{byte:02x}" for byte in bytes(world.data))
    return bytes(wat2wasm(f'(module (import "a" "m" (memory 1)) (@custom "{world.name}" "{data}"))'))


EMPTY_WORLD = b"\0asm\x0d\0\1\0"
COUNTS = IndexCounts(types=1, funcs=1, tables=0, memories=1, globals=0, tags=0, elems=0, data=0)
BROKEN_BODY = b"\x03\x00\xff\x0b"

CASES: dict[str, Callable[[], object]] = {
    "a string is wanted, not 3": lambda: VALUES.lower(PrimValType.STRING, 3),
    "a record with a, b is wanted": lambda: VALUES.lower(DefinedType(RecordType((Field("a", U8), Field("b", U8)))), {}),
    "one of the cases a, b is wanted, not 3": lambda: VALUES.lower(DefinedType(EnumType(("a", "b"))), 3),
    "one of the cases a, b is wanted, not 'c'": lambda: VALUES.lower(DefinedType(EnumType(("a", "b"))), "c"),
    "a list of 2 values is wanted, not [1]": lambda: VALUES.store(DefinedType(ListType(U8, 2)), [1], 0),
    "a set of the flags a is wanted, not {'c'}": lambda: VALUES.lower(DefinedType(FlagsType(("a",))), {"c"}),
    "async: streams": lambda: VALUES.load(STREAM, 0),
    "there is no export g": lambda: called(PLAIN, "g"),
    "f takes 1 arguments, not 0": lambda: called(PLAIN, "f"),
    "a handle of r is wanted, not 3": lambda: called(RESOURCES, "demo:a/e#take", 3),
    "imports `a` `m`, which is no function": lambda: read_surface(importing_a_memory(), "x.wasm"),
    "does not say how strings are encoded": lambda: worlds(lambda each: (without_encoding(each),)),
    "it has several worlds": lambda: worlds(lambda each: (each, each)),
    "holds no world": lambda: worlds(lambda each: (replace(each, section=replace(each.section, data=EMPTY_WORLD)),)),
    "opcode 0xff": lambda: survey(BROKEN_BODY, 1, COUNTS),
}


S, F = PrimValType, DefinedType
NO_FITS: list[tuple[ValType, object]] = [
    *[(S.U32, value) for value in ("5", 3.7, None, -1, 1 << 32, [1])],
    *[(S.S8, value) for value in (128, -129)],
    *[(S.F32, value) for value in ("x", 1e40, None)],
    *[(S.F64, value) for value in ("1", 1 << 2000)],
    *[(S.BOOL, value) for value in ("false", 1, None)],
    *[(S.CHAR, value) for value in ("ab", "", 5, "\ud800")],
    *[(S.STRING, value) for value in (b"x", None, "a\udfff")],
    *[(F(ListType(U8, None)), value) for value in ([300], [-1], ["1"], 5, "ab", {1: 2}, iter([1]))],
    *[(F(ListType(S.CHAR, None)), value) for value in ("abc", ["ab"])],
    *[(F(ListType(U8, 2)), value) for value in ([1], [1, 2, 3], "ab", 2, [1, 300])],
    *[(F(TupleType((U8, U8))), value) for value in ((1,), {1, 2}, {1: 1, 2: 2}, (1, 256))],
    *[(F(RecordType((Field("a", U8),))), value) for value in ({}, {"a": 1, "b": 2}, ["a"], {"a": 256})],
    *[(F(FlagsType(("a", "b"))), value) for value in ("a", {"c"}, ["a", "c"], 1)],
    *[(F(EnumType(("a", "b"))), value) for value in ("c", 0, Case("a", 1))],
    *[(F(OptionType(U8)), value) for value in (256, Case("none", 1), Case("some", 256))],
    *[(F(OptionType(F(OptionType(U8)))), value) for value in (None, 1, Case("some", 256))],
    *[(F(ResultType(U8, None)), value) for value in (1, Case("ok", None), Case("error", 1), Case("fine"))],
]


@pytest.mark.parametrize(("type_", "value"), NO_FITS)
def test_what_does_not_fit_is_refused_however_it_would_go(type_: ValType, value: object) -> None:
    for move in (VALUES.check, VALUES.lower, lambda t, v: VALUES.store(t, v, 0)):
        with pytest.raises(UsageError, match="wanted, not"):
            move(type_, value)


@pytest.mark.parametrize("words", CASES)
def test_it_is_told(words: str) -> None:
    with pytest.raises(MeldError) as caught:
        CASES[words]()
    assert words in caught.value.render()


def test_a_case_that_is_none_of_a_variant_is_told() -> None:
    with pytest.raises(MeldError, match="one of the cases a is wanted, not 'z'"):
        VALUES.lower(DefinedType(EnumType(("a",))), Case("z"))


@pytest.mark.parametrize("move", ["check", "load", "store", "lift", "lower"])
def test_a_stream_is_refused_wherever_it_would_go(move: str) -> None:
    given = {"check": (None,), "load": (0,), "store": (None, 0), "lift": (iter([1]),), "lower": (None,)}[move]
    with pytest.raises(MeldError, match="have no form in Python"):
        getattr(VALUES, move)(STREAM, *given)


def test_an_error_context_is_refused_too() -> None:
    with pytest.raises(MeldError, match="have no form in Python"):
        VALUES.lift(PrimValType.ERROR_CONTEXT, iter([1]))
    with pytest.raises(MeldError, match="have no form in Python"):
        VALUES.lower(PrimValType.ERROR_CONTEXT, 1)


def test_an_instruction_that_nobody_knows_is_told_where_instructions_are_replaced() -> None:
    with pytest.raises(MeldError, match="opcode 0xff"):
        lower(BROKEN_BODY, 1, COUNTS, Replacements(True, {}, {}, {}, {}))


def test_a_core_module_that_an_engine_refuses_is_told() -> None:
    from meldpy.engine.coreapi import wasmtime_engine

    with pytest.raises(MeldError, match="does not compile"):
        wasmtime_engine(b"\0asm\1\0\0\0\1\1\1", {})
    with pytest.raises(MeldError, match="nothing provides the import a b"):
        wasmtime_engine(bytes(wat2wasm('(module (import "a" "b" (func)))')), {})
