"""Call sites without a trampoline: the caller calls the guest's own function.

That is right exactly if the trampoline would do nothing but pass values on: no flag is checked or set, nothing is
lent, no post-return follows, no exception can arrive at the boundary, and every value is the same before and after
translation. Its type must be what the caller calls with in the eyes of `call_indirect` too, since the caller may put
the function into a table: a plain function type, by itself and final.
"""

from __future__ import annotations

from collections.abc import Collection

from meldpy.adapter.symbols import Symbols
from meldpy.cabi import Abi, Context, value_types
from meldpy.model.core import CoreFuncType, CoreModule, FuncImportType, NumType
from meldpy.model.facts import Facts
from meldpy.model.ids import FuncId, InstanceId
from meldpy.model.linked import Lift, LinkedGraph, Lower
from meldpy.model.valtype import FlagsType, ListType, PrimValType, RecordType, ValType

_SAME = {PrimValType.S32, PrimValType.U32, PrimValType.S64, PrimValType.U64, PrimValType.F32, PrimValType.F64}
"""Scalars of which every flat value is valid, and whose flat values have no bits to drop."""


def direct_callee(
    graph: LinkedGraph,
    lower: Lower,
    lift: Lift,
    symbols: Symbols,
    facts: Facts,
    leaving: Collection[InstanceId],
    abi: Abi,
) -> FuncId | None:
    """The function that `lower` can be, if no trampoline is needed."""
    callee = symbols.target(lift.core_func)
    if not isinstance(callee, FuncId) or callee in facts.may_throw:
        return None
    if lift.options.post_return is not None or lower.instance in leaving:
        return None
    if not all(_same(abi, type) for type in value_types(lift.type)):
        return None
    flat = [
        abi.func(lift.type, context, wide).core
        for context, wide in ((Context.LOWER, lower.options.memory64), (Context.LIFT, lift.options.memory64))
    ]
    spilled = abi.func(lift.type, Context.LIFT, lift.options.memory64)
    if spilled.params is None or (lift.type.result is not None and spilled.result is None):
        return None
    module = graph.modules[graph.core_instances[callee.instance].module].module
    return callee if flat[0] == flat[1] == _plain_type(module, callee.index) else None


def _same(abi: Abi, type: ValType) -> bool:
    """Whether a flat value of this type is the same on both sides."""
    match abi.shape(type):
        case PrimValType() as primitive:
            return primitive in _SAME
        case FlagsType(labels):
            return len(labels) == 32
        case ListType(element, length):
            return length is not None and _same(abi, element)
        case RecordType(fields):
            return all(_same(abi, field.type) for field in fields)
        case _:
            return False


def _plain_type(module: CoreModule, index: int) -> CoreFuncType | None:
    """The type of a function that the module defines, if it is of numbers, final, and a group by itself."""
    imported = sum(isinstance(item.type, FuncImportType) for item in module.imports)
    if not imported <= index < imported + len(module.funcs):
        return None
    at: int = module.funcs[index - imported]
    for group in module.types:
        if at >= len(group.types):
            at -= len(group.types)
            continue
        type = group.types[at]
        plain = len(group.types) == 1 and type.final and not type.supertypes
        if not plain or not isinstance(type.comp, CoreFuncType):
            return None
        numbers = all(isinstance(each, NumType) for each in (*type.comp.params, *type.comp.results))
        return type.comp if numbers else None
    raise AssertionError("validation: a function has a type")
