"""Canonical definitions, written: the mirror of `decode/canon`."""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.encode.coretypes import val_type as core_val_type
from meldpy.binary.encode.types import result_list
from meldpy.binary.leb128 import unsigned
from meldpy.binary.sections import BUILTIN_IMMEDIATES, CanonOp, Imm
from meldpy.binary.writer import vec
from meldpy.model.canon import (
    Canon,
    CanonOpt,
    Immediate,
    Lift,
    Lower,
    OtherBuiltin,
    ResourceDrop,
    ResourceNew,
    ResourceRep,
    ResultList,
)
from meldpy.model.core import NumType, RefType


def canon_opt(option: CanonOpt) -> bytes:
    return bytes((option.opcode,)) + (b"" if option.index is None else unsigned(option.index))


def immediate(value: Immediate, kind: Imm) -> bytes:
    """`kind` is what the table says of this place, and `value` must agree with it."""
    match kind, value:
        case Imm.FLAG, bool():
            return bytes((value,))
        case Imm.U32, int():
            return unsigned(value)
        case Imm.CORE_VAL_TYPE, NumType() | RefType():
            return core_val_type(value)
        case Imm.RESULTS, ResultList(type_):
            return result_list(type_)
        case Imm.OPTIONS, tuple():
            return vec(value, canon_opt)
        case _:
            raise AssertionError((kind, value))


def other_builtin(item: OtherBuiltin) -> bytes:
    kinds = BUILTIN_IMMEDIATES[item.op]
    encoded = [immediate(value, kind) for value, kind in zip(item.immediates, kinds, strict=True)]
    return bytes((item.op.value[0],)) + b"".join(encoded)


def canon(item: Canon) -> bytes:
    match item:
        case Lift(core_func, options, type_):
            head = bytes((CanonOp.LIFT, CanonOp.FUNC_SORT))
            return head + unsigned(core_func) + vec(options, canon_opt) + unsigned(type_)
        case Lower(func, options):
            return bytes((CanonOp.LOWER, CanonOp.FUNC_SORT)) + unsigned(func) + vec(options, canon_opt)
        case ResourceNew(resource):
            return bytes((CanonOp.RESOURCE_NEW,)) + unsigned(resource)
        case ResourceDrop(resource):
            return bytes((CanonOp.RESOURCE_DROP,)) + unsigned(resource)
        case ResourceRep(resource):
            return bytes((CanonOp.RESOURCE_REP,)) + unsigned(resource)
        case OtherBuiltin():
            return other_builtin(item)
        case _:
            assert_never(item)
