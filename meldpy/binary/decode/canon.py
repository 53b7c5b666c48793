"""Canonical definitions. The built-ins of async and threads are read by table.

Which options go together is validation. Spec: Binary.md "Canonical Definitions".
"""

from __future__ import annotations

from typing import Final

from meldpy.binary.decode.coretypes import val_type as core_val_type
from meldpy.binary.decode.types import result_list, type_index
from meldpy.binary.reader import Reader
from meldpy.binary.sections import BUILTIN_IMMEDIATES, CanonOp, Imm, Limit
from meldpy.model.canon import (
    OPT_ASYNC,
    OPT_CALLBACK,
    OPT_CORE_TYPE,
    OPT_GC,
    OPT_LATIN1_UTF16,
    OPT_MEMORY,
    OPT_POST_RETURN,
    OPT_REALLOC,
    OPT_UTF8,
    OPT_UTF16,
    BuiltinOp,
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
from meldpy.model.ids import CoreFuncIndex, FuncIndex

BUILTINS: Final = {op.value[0]: op for op in BuiltinOp}
PLAIN_OPTIONS: Final = (OPT_UTF8, OPT_UTF16, OPT_LATIN1_UTF16, OPT_ASYNC, OPT_GC)
INDEXED_OPTIONS: Final = (OPT_MEMORY, OPT_REALLOC, OPT_POST_RETURN, OPT_CALLBACK, OPT_CORE_TYPE)


def canon_opt(r: Reader) -> CanonOpt:
    offset = r.offset
    opcode = r.byte("canonical option")
    if opcode in PLAIN_OPTIONS:
        return CanonOpt(opcode)
    if opcode in INDEXED_OPTIONS:
        return CanonOpt(opcode, r.u32())
    raise r.unknown("canonical option", opcode, offset)


def canon_opts(r: Reader) -> tuple[CanonOpt, ...]:
    return r.vec("canonical options", Limit.CANON_OPTIONS, canon_opt)


def immediate(r: Reader, kind: Imm) -> Immediate:
    match kind:
        case Imm.U32:
            return r.u32()
        case Imm.FLAG:
            return r.flag("flag of a built-in")
        case Imm.CORE_VAL_TYPE:
            return core_val_type(r)
        case Imm.RESULTS:
            return ResultList(result_list(r))
        case Imm.OPTIONS:
            return canon_opts(r)


def canon(r: Reader) -> Canon:
    offset = r.offset
    match r.byte("canonical definition"):
        case CanonOp.LIFT:
            r.expect(CanonOp.FUNC_SORT, "sort of a lifted item")
            return Lift(CoreFuncIndex(r.u32()), canon_opts(r), type_index(r))
        case CanonOp.LOWER:
            r.expect(CanonOp.FUNC_SORT, "sort of a lowered item")
            return Lower(FuncIndex(r.u32()), canon_opts(r))
        case CanonOp.RESOURCE_NEW:
            return ResourceNew(type_index(r))
        case CanonOp.RESOURCE_DROP:
            return ResourceDrop(type_index(r))
        case CanonOp.RESOURCE_REP:
            return ResourceRep(type_index(r))
        case opcode if opcode in BUILTINS:
            op = BUILTINS[opcode]
            return OtherBuiltin(op, tuple([immediate(r, kind) for kind in BUILTIN_IMMEDIATES[op]]))
        case opcode:
            raise r.unknown("canonical definition", opcode, offset)
