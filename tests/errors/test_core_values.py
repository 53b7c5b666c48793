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
from meldpy.core.handles import Handle
from meldpy.core.surface import read_surface, world_sections
from meldpy.core.values import Case, Values
from meldpy.errors import MeldError
from meldpy.kernel.lower import lower
from meldpy.kernel.rebase import survey
from meldpy.model.core import PlacedCustom
from meldpy.model.ids import ResourceId
from meldpy.model.lowered import Replacements
from meldpy.model.reindexed import IndexCounts
from meldpy.model.valtype import (
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    ListType,
    PrimValType,
    RecordType,
    StreamType,
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


EMPTY_WORLD = b"\0asm\x0d\0\1\0"
COUNTS = IndexCounts(types=1, funcs=1, tables=0, memories=1, globals=0, tags=0, elems=0, data=0)
BROKEN_BODY = b"\x03\x00\xff\x0b"

CASES: dict[str, Callable[[], object]] = {
    "a string is wanted, not 3": lambda: VALUES.lower(PrimValType.STRING, 3),
    "a record with a, b is wanted": lambda: VALUES.lower(DefinedType(RecordType((Field("a", U8), Field("b", U8)))), {}),
    "one of the cases a, b is wanted, not 3": lambda: VALUES.lower(DefinedType(EnumType(("a", "b"))), 3),
    "one of the cases a, b is wanted, not 'c'": lambda: VALUES.lower(DefinedType(EnumType(("a", "b"))), "c"),
    "2 values are wanted, not 1": lambda: VALUES.store(DefinedType(ListType(U8, 2)), [1], 0),
    "there is no flag c": lambda: VALUES.lower(DefinedType(FlagsType(("a",))), {"c"}),
    "async: streams": lambda: VALUES.load(STREAM, 0),
    "there is no export g": lambda: called(PLAIN, "g"),
    "f takes 1 arguments, not 0": lambda: called(PLAIN, "f"),
    "a handle of r is wanted, not 3": lambda: called(RESOURCES, "demo:a/e#take", 3),
    "the handle was only lent": lambda: Handle(ResourceId(0), 1, False, lambda *_: None).give_away(),
    "it has several worlds": lambda: worlds(lambda each: (each, each)),
    "holds no world": lambda: worlds(lambda each: (replace(each, section=replace(each.section, data=EMPTY_WORLD)),)),
    "opcode 0xff": lambda: survey(BROKEN_BODY, 1, COUNTS),
}


@pytest.mark.parametrize("words", CASES)
def test_it_is_told(words: str) -> None:
    with pytest.raises(MeldError) as caught:
        CASES[words]()
    assert words in caught.value.render()


def test_a_case_that_is_none_of_a_variant_is_told() -> None:
    with pytest.raises(MeldError, match="one of the cases a is wanted, not 'z'"):
        VALUES.lower(DefinedType(EnumType(("a",))), Case("z"))


@pytest.mark.parametrize("move", ["load", "store", "lift", "lower"])
def test_a_stream_is_refused_wherever_it_would_go(move: str) -> None:
    given = {"load": (0,), "store": (None, 0), "lift": (iter([1]),), "lower": (None,)}[move]
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
