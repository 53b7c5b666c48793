"""`task.return`: from the current task's cell to the function that takes its result to whoever called.

A built-in serves every lift of its instance with its result type and options; the spec compares those, so a task of any
other lift traps. Of a lift there is a *way back* for each lower that calls it, and one for the host. A way back lowers
the result into the caller's memory, or leaves a flat one in the cell.

Spec: CanonicalABI.md `canon_task_return`, `Task.return_`.
"""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.plan import CallSite
from meldpy.adapter.steps import move_all
from meldpy.adapter.tasks.machinery import RESULT, SITE, LiftNumber, Machinery
from meldpy.adapter.trampoline import checked_result
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder, Load, Op, Store
from meldpy.model.builtins import TaskReturn
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.ids import InstanceId
from meldpy.model.linked import Lift, LinkedGraph
from meldpy.records import replace

TO_I64: dict[NumType, tuple[Op, ...]] = {
    NumType.I32: (Op.I64_EXTEND_I32_U,),
    NumType.I64: (),
    NumType.F32: (Op.I32_REINTERPRET_F32, Op.I64_EXTEND_I32_U),
    NumType.F64: (Op.I64_REINTERPRET_F64,),
}


def emit_way_back(shop: Workshop, machinery: Machinery, site: CallSite) -> EmittedFunc:
    """From the flat values of `task.return` (behind the task) to where the lower of `site` wants the result."""
    abi, callee = shop.abi, replace(site.callee, realloc=None)
    returned = abi.returned(site.result, site.callee.memory64)
    b = FuncBuilder(f"{site.name}, returned", CoreFuncType((I32, *returned.core.params), ()))
    em = Emitter(shop, b)
    task, *values = b.params
    if site.result is not None:
        src: Place = Flat(callee, tuple(values))
        if returned.params is None:
            src = checked_result(em, site.result, callee, values[0])
        if site.caller_flat.result is None:
            # the pointer that the caller passed
            pointer = b.local(site.caller.pointer)
            b.get(task)
            b.load(Load.I64, machinery.memory, RESULT)
            if site.caller.pointer is I32:
                b.op(Op.I32_WRAP_I64)
            b.set(pointer)
            dst: Place = checked_result(em, site.result, site.caller, pointer)
            assert isinstance(dst, Addr)
            move_all(em, [(site.result, src, dst)])
        else:
            locals = tuple(b.local(core_type) for core_type in site.caller_flat.result)
            move_all(em, [(site.result, src, Flat(site.caller, locals))])
            for local in locals:
                assert isinstance(local.type, NumType)
                b.get(task, local)
                b.op(*TO_I64[local.type])
                b.store(Store.I64, machinery.memory, RESULT)
    symbol = shop.functions.add(b)
    shop.finish()
    return symbol


def returns_from(graph: LinkedGraph, shop: Workshop, instance: InstanceId, builtin: TaskReturn, lift: Lift) -> bool:
    """Whether a `task.return` of `instance` is one for tasks of `lift`. Spec: `canon_task_return`, its traps."""
    if lift.instance != instance or not lift.options.async_:
        return False
    mine, its = builtin.options, lift.options
    if mine.string_encoding is not its.string_encoding:
        return False
    # without a memory it needs none: then the lift's is there for its parameters
    if mine.memory is not None and mine.memory != its.memory:
        return False
    if builtin.result is None or lift.type.result is None:
        return builtin.result is lift.type.result
    keys = shop.abi.keys
    return keys.key(builtin.result) == keys.key(lift.type.result)


def emit_task_return(
    shop: Workshop,
    machinery: Machinery,
    symbol: EmittedFunc,
    instance: InstanceId,
    builtin: TaskReturn,
    lifts: list[LiftNumber],
) -> None:
    """Write the built-in; `lifts` are those that it is for."""
    core_type = shop.abi.returned(builtin.result, builtin.options.memory64).core
    b = FuncBuilder(f"task.return in {shop.labels[instance]}", core_type)
    em = Emitter(shop, b)
    em.check_may_leave(instance)
    task, site = b.local(I32), b.local(I32)
    b.get_flag(machinery.task)
    b.tee(task)
    with b.if_():
        b.get(task)
        b.load(Load.I32, machinery.memory, SITE)
        b.set(site)
        for lift in lifts:
            for number, way_back in enumerate(lift.returns):
                b.get(site)
                b.i32(lift.number | number << 16)
                b.op(Op.I32_EQ)
                with b.if_():
                    b.get(task)
                    b.call(machinery.tasks("returning"))
                    b.get(task, *b.params)
                    b.call(way_back)
                    b.get(task)
                    b.call(machinery.tasks("resolve"))
                    machinery.stacks.resolved(em, instance)
                    b.return_()
    em.trap(Trap.WRONG_TASK_RETURN)
    shop.functions.define(symbol, b)
