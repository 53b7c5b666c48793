"""Canonical definitions: every built-in of Binary.md has its opcode and its immediates."""

from __future__ import annotations

import pytest

from meldpy.binary.decode.canon import canon as decode_canon
from meldpy.binary.encode.canon import canon as encode_canon
from meldpy.binary.reader import Reader
from meldpy.binary.sections import BUILTIN_IMMEDIATES
from meldpy.model.canon import (
    BuiltinOp,
    Canon,
    CanonOpt,
    Lift,
    Lower,
    OtherBuiltin,
    ResourceDrop,
    ResourceNew,
    ResourceRep,
    ResultList,
)
from meldpy.model.core import NumType
from meldpy.model.valtype import PrimValType

MEMORY = (CanonOpt(3, 9),)

WRITTEN: dict[str, Canon] = {
    "00 00 05 03 01 03 09 06 07": Lift(5, (CanonOpt(1), CanonOpt(3, 9), CanonOpt(6)), 7),
    "01 00 05 01 05 08": Lower(5, (CanonOpt(5, 8),)),
    "02 80 01": ResourceNew(128),
    "03 01": ResourceDrop(1),
    "04 01": ResourceRep(1),
    "05": OtherBuiltin(BuiltinOp.TASK_CANCEL),
    "06 01": OtherBuiltin(BuiltinOp.SUBTASK_CANCEL, (True,)),
    "09 00 7d 01 03 09": OtherBuiltin(BuiltinOp.TASK_RETURN, (ResultList(PrimValType.U8), MEMORY)),
    "09 01 00 00": OtherBuiltin(BuiltinOp.TASK_RETURN, (ResultList(None), ())),
    "0a 7f 01": OtherBuiltin(BuiltinOp.CONTEXT_GET, (NumType.I32, 1)),
    "0b 7e 00": OtherBuiltin(BuiltinOp.CONTEXT_SET, (NumType.I64, 0)),
    "0c 00": OtherBuiltin(BuiltinOp.THREAD_YIELD, (False,)),
    "0d": OtherBuiltin(BuiltinOp.SUBTASK_DROP),
    "0e 05": OtherBuiltin(BuiltinOp.STREAM_NEW, (5,)),
    "0f 05 01 03 09": OtherBuiltin(BuiltinOp.STREAM_READ, (5, MEMORY)),
    "10 05 00": OtherBuiltin(BuiltinOp.STREAM_WRITE, (5, ())),
    "11 05 01": OtherBuiltin(BuiltinOp.STREAM_CANCEL_READ, (5, True)),
    "12 05 00": OtherBuiltin(BuiltinOp.STREAM_CANCEL_WRITE, (5, False)),
    "13 05": OtherBuiltin(BuiltinOp.STREAM_DROP_READABLE, (5,)),
    "14 05": OtherBuiltin(BuiltinOp.STREAM_DROP_WRITABLE, (5,)),
    "15 05": OtherBuiltin(BuiltinOp.FUTURE_NEW, (5,)),
    "16 05 01 03 09": OtherBuiltin(BuiltinOp.FUTURE_READ, (5, MEMORY)),
    "17 05 00": OtherBuiltin(BuiltinOp.FUTURE_WRITE, (5, ())),
    "18 05 01": OtherBuiltin(BuiltinOp.FUTURE_CANCEL_READ, (5, True)),
    "19 05 00": OtherBuiltin(BuiltinOp.FUTURE_CANCEL_WRITE, (5, False)),
    "1a 05": OtherBuiltin(BuiltinOp.FUTURE_DROP_READABLE, (5,)),
    "1b 05": OtherBuiltin(BuiltinOp.FUTURE_DROP_WRITABLE, (5,)),
    "1c 01 03 09": OtherBuiltin(BuiltinOp.ERROR_CONTEXT_NEW, (MEMORY,)),
    "1d 00": OtherBuiltin(BuiltinOp.ERROR_CONTEXT_DEBUG_MESSAGE, ((),)),
    "1e": OtherBuiltin(BuiltinOp.ERROR_CONTEXT_DROP),
    "1f": OtherBuiltin(BuiltinOp.WAITABLE_SET_NEW),
    "20 00 02": OtherBuiltin(BuiltinOp.WAITABLE_SET_WAIT, (False, 2)),
    "21 01 02": OtherBuiltin(BuiltinOp.WAITABLE_SET_POLL, (True, 2)),
    "22": OtherBuiltin(BuiltinOp.WAITABLE_SET_DROP),
    "23": OtherBuiltin(BuiltinOp.WAITABLE_JOIN),
    "24": OtherBuiltin(BuiltinOp.BACKPRESSURE_INC),
    "25": OtherBuiltin(BuiltinOp.BACKPRESSURE_DEC),
    "26": OtherBuiltin(BuiltinOp.THREAD_INDEX),
    "27 01 02": OtherBuiltin(BuiltinOp.THREAD_NEW_INDIRECT, (1, 2)),
    "28": OtherBuiltin(BuiltinOp.THREAD_RESUME_LATER),
    "29 01": OtherBuiltin(BuiltinOp.THREAD_SUSPEND, (True,)),
    "2a 01": OtherBuiltin(BuiltinOp.THREAD_SUSPEND_THEN_RESUME, (True,)),
    "2b 00": OtherBuiltin(BuiltinOp.THREAD_YIELD_THEN_RESUME, (False,)),
    "2c 00": OtherBuiltin(BuiltinOp.THREAD_SUSPEND_THEN_PROMOTE, (False,)),
    "2d 00": OtherBuiltin(BuiltinOp.THREAD_YIELD_THEN_PROMOTE, (False,)),
    "40 01 03": OtherBuiltin(BuiltinOp.THREAD_SPAWN_REF, (True, 3)),
    "41 00 03 04": OtherBuiltin(BuiltinOp.THREAD_SPAWN_INDIRECT, (False, 3, 4)),
    "42 01": OtherBuiltin(BuiltinOp.THREAD_AVAILABLE_PARALLELISM, (True,)),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_definitions_are_read_and_written_as_the_format_says(text: str) -> None:
    data = bytes.fromhex(text)
    r = Reader(memoryview(data), "canon")
    assert decode_canon(r) == WRITTEN[text]
    assert r.remaining == 0
    assert encode_canon(WRITTEN[text]) == data


def test_every_builtin_has_immediates_and_an_example() -> None:
    assert set(BUILTIN_IMMEDIATES) == set(BuiltinOp)
    assert {item.op for item in WRITTEN.values() if isinstance(item, OtherBuiltin)} == set(BuiltinOp)
    assert len({op.value[0] for op in BuiltinOp}) == len(BuiltinOp)


def test_a_builtin_with_wrong_immediates_is_our_defect() -> None:
    with pytest.raises(AssertionError):
        encode_canon(OtherBuiltin(BuiltinOp.SUBTASK_CANCEL, (1,)))
    with pytest.raises(ValueError, match="zip"):
        encode_canon(OtherBuiltin(BuiltinOp.STREAM_NEW))
