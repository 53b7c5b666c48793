"""The immediates of every async built-in, with what they name bound by identity; and what they keep alive."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from meldpy.binary.sections import BUILTIN_IMMEDIATES
from meldpy.errors import DecodeError
from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    Immediates,
    NoImmediates,
    TaskReturn,
    TextOptions,
    ThreadStart,
)
from meldpy.model.canon import BuiltinOp, CanonOpt, Immediate, OtherBuiltin, ResultList, StringEncoding
from meldpy.model.component import CanonSection, TypeSection
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.ids import FuncId
from meldpy.model.linked import AsyncBuiltin, LinkedGraph
from meldpy.model.valtype import FutureType, PrimValType, StreamType
from meldpy.pipeline import scan
from tests.unit.resolver.build import graph_of, graph_of_sections

INSIDE = """
  (core type $start (func (param i32)))
  (core module $M
    (memory (export "m") 1) (table (export "t") 1 funcref) (func $held) (elem (i32.const 0) $held)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
  (core instance $m (instantiate $M))
  (alias core export $m "m" (core memory $mem)) (alias core export $m "t" (core table $table))
  (alias core export $m "realloc" (core func $realloc))
  (type $stream (stream string)) (type $future (future u8))
"""


def builtin(canon: str) -> AsyncBuiltin:
    return only(graph_of(f"(component {INSIDE} (core func (canon {canon})))"))


def only(graph: LinkedGraph) -> AsyncBuiltin:
    (found,) = graph.builtins
    assert isinstance(found, AsyncBuiltin)
    return found


@pytest.mark.parametrize(
    ("canon", "immediates"),
    [
        ("task.cancel", NoImmediates()),
        ("waitable.join", NoImmediates()),
        ("backpressure.inc", NoImmediates()),
        ("subtask.cancel", FlagImmediate(False)),
        ("subtask.cancel async", FlagImmediate(True)),
        ("thread.yield", FlagImmediate(False)),
        ("context.get i32 0", ContextSlot(NumType.I32, 0)),
        ("context.set i32 1", ContextSlot(NumType.I32, 1)),
    ],
)
def test_immediates_that_name_nothing_are_kept(canon: str, immediates: Immediates) -> None:
    assert builtin(canon).immediates == immediates


def test_task_return_keeps_its_type_and_options() -> None:
    found = builtin("task.return (result string) (memory $mem) string-encoding=utf16").immediates
    assert isinstance(found, TaskReturn)
    assert found.result is PrimValType.STRING
    assert found.options.memory is not None
    assert found.options.string_encoding is StringEncoding.UTF16
    nothing = builtin("task.return").immediates
    assert isinstance(nothing, TaskReturn)
    assert nothing.result is None


def test_ends_keep_their_stream_or_future_type() -> None:
    for canon, kind in (("stream.new $stream", StreamType), ("future.drop-writable $future", FutureType)):
        found = builtin(canon).immediates
        assert isinstance(found, EndType)
        assert isinstance(found.type.definition, kind)
    cancel = builtin("future.cancel-read $future async").immediates
    assert isinstance(cancel, CancelCopy)
    assert cancel.async_


def test_copies_keep_their_options_by_identity() -> None:
    found = builtin("stream.read $stream async (memory $mem) (realloc $realloc)").immediates
    assert isinstance(found, Copy)
    assert isinstance(found.type.definition, StreamType)
    assert found.options.async_
    assert isinstance(found.options.realloc, FuncId)
    assert found.options.memory is not None


def test_events_keep_their_memory() -> None:
    found = builtin("waitable-set.wait (memory $mem)").immediates
    assert isinstance(found, EventPlace)
    assert not found.cancellable


def test_a_thread_start_keeps_its_core_type_and_table() -> None:
    found = builtin("thread.new-indirect $start (core table $table)").immediates
    assert isinstance(found, ThreadStart)
    assert found.table is not None
    assert found.type.func == CoreFuncType((NumType.I32,), ())


def test_error_contexts_keep_their_options() -> None:
    found = builtin("error-context.new (memory $mem) string-encoding=latin1+utf16").immediates
    assert isinstance(found, TextOptions)
    assert found.options.string_encoding is StringEncoding.LATIN1_UTF16


SHAPES: dict[str, tuple[Immediate, ...]] = {
    "NONE": (),
    "FLAG": (True,),
    "U32": (0,),
    "OPTIONS": ((CanonOpt(0x00),),),
    "RESULTS OPTIONS": (ResultList(None), ()),
    "CORE_VAL_TYPE U32": (NumType.I64, 1),
    "U32 OPTIONS": (0, ()),
    "U32 FLAG": (0, False),
}


def test_every_shape_that_the_format_has_is_evaluated() -> None:
    """Those that need a module around them are above."""
    seen = 0
    for op, kinds in BUILTIN_IMMEDIATES.items():
        shape = SHAPES.get(" ".join(kind.name for kind in kinds) or "NONE")
        if shape is None:
            continue
        types = TypeSection((StreamType(PrimValType.U8),))
        graph = graph_of_sections(types, CanonSection((OtherBuiltin(op, shape),)))
        assert only(graph).op is op
        seen += 1
    assert seen == len(BUILTIN_IMMEDIATES) - 5


def test_an_end_of_something_else_is_refused() -> None:
    section = CanonSection((OtherBuiltin(BuiltinOp.STREAM_NEW, (0,)),))
    with pytest.raises(DecodeError, match="not a stream or future type"):
        graph_of_sections(TypeSection((PrimValType.U8,)), section)


def test_what_a_live_built_in_names_is_live() -> None:
    def live(canon: str, type_: str) -> tuple[int, int, int]:
        wat = f"""(component {INSIDE} (core func $b (canon {canon}))
          (core module $User (import "" "b" (func $b {type_})) (func (export "f") (local i32)
            {"i32.const 0 " * (type_.count("i32") - type_.count("(result"))} call $b {"drop" * type_.count("(result")}))
          (core instance $user (instantiate $User (with "" (instance (export "b" (func $b))))))
          (func (export "f") (canon lift (core func $user "f"))))"""
        graph = graph_of(wat)
        found = analyse(graph, scan).live
        return len(found.memories), len(found.tables), sum(func.instance == 0 for func in found.funcs)

    assert live("context.get i32 0", "(result i32)") == (0, 0, 0)
    assert live("task.return (result string) (memory $mem)", "(param i32 i32)") == (1, 0, 0)
    copy = "stream.read $stream async (memory $mem) (realloc $realloc)"
    assert live(copy, "(param i32 i32 i32) (result i32)") == (1, 0, 1)
    assert live("waitable-set.poll (memory $mem)", "(param i32 i32) (result i32)") == (1, 0, 0)
    assert live("thread.new-indirect $start (core table $table)", "(param i32 i32) (result i32)") == (0, 1, 1)
