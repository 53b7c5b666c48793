"""What analysis proved about a linked graph, and the raw material for it: what each function body refers to.

Every fact errs on the safe side: a function is *live*, *may throw* or *may leave* unless a proof says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, unique
from typing import final

from meldpy.model.asynchrony import AsyncClass, Asynchrony
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    FuncId,
    GlobalId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import CoreFunc
from meldpy.records import dataclass


@unique
class RefKind(IntEnum):
    """How a function body refers to something; the referent is an index in the module's own space (or -1: none)."""

    CALL = 0
    REF_FUNC = 1
    CALL_INDIRECT = 2  # through table `index`
    CALL_REF = 3  # index -1
    THROWS = 4  # throw, throw_ref or legacy rethrow; index -1 (the tag itself is a TAG reference)
    TABLE_READ = 5  # get, size, and the source of copy
    TABLE_WRITE = 6  # set, grow, fill, init, and the destination of copy
    MEMORY_READ = 7  # loads, size, and the source of copy
    MEMORY_WRITE = 8  # stores, grow, fill, init, atomics, and the destination of copy
    GLOBAL_GET = 9
    GLOBAL_SET = 10
    ELEM = 11  # table.init, elem.drop, array.new_elem, array.init_elem
    DATA = 12  # memory.init, data.drop, array.new_data, array.init_data
    TAG = 13  # throw or a catch clause
    TYPE = 14


@final
@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What the bodies of one module refer to, without duplicates within a function.

    bounds[i], bounds[i+1]: the byte range of the i-th defined function's entry (size prefix included) in `Code.bodies`.
    spans[i], spans[i+1]: its range in the parallel sequences `kinds` and `indices`.
    """

    bounds: Sequence[int]
    spans: Sequence[int]
    kinds: Sequence[int]
    indices: Sequence[int]


@final
@dataclass(frozen=True, slots=True)
class Live:
    """What something reaches from exports, start functions, and live tables and segments."""

    funcs: frozenset[FuncId]
    tables: frozenset[TableId]
    memories: frozenset[MemoryId]
    globals: frozenset[GlobalId]
    tags: frozenset[TagId]
    elems: frozenset[tuple[CoreInstanceId, int]]
    data: frozenset[tuple[CoreInstanceId, int]]
    lifts: frozenset[LiftId]
    lowers: frozenset[LowerId]
    builtins: frozenset[BuiltinId]


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """code: per module what bodies refer to.

    forwards: functions that do nothing but pass their parameters on through a table slot that provably holds one
    known function (wit-component's shim), with that function: every binding to the key may be replaced by the value.
    may_throw: core functions out of which a wasm exception can escape (lowers never throw: the boundary stops them).
    may_leave: core functions that can reach a lower or a resource built-in of any instance.
    asynchrony: how far tasks can block, and what calls leave to do.
    """

    code: Mapping[ModuleId, CodeFacts]
    forwards: Mapping[FuncId, CoreFunc]
    live: Live
    may_throw: frozenset[FuncId]
    may_leave: frozenset[FuncId]
    asynchrony: Asynchrony = Asynchrony(AsyncClass.SYNC)
