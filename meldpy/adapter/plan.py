"""The plan of a call site: every decision that its trampoline depends on, made before emission.

A call site is one lower paired with one lift. Its plan says how the function type looks to either side, which
memories, encodings and reallocs take part, and which checks are alive.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.handles import Handles
from meldpy.adapter.lending import Lending, plan_lending
from meldpy.adapter.memories import memory_of
from meldpy.adapter.places import Side
from meldpy.adapter.symbols import Symbols
from meldpy.cabi import Abi, FlatFunc, Needs, lift_context, lower_context
from meldpy.model.code import FuncSymbol
from meldpy.model.ids import InstanceId
from meldpy.model.linked import CanonicalOptions, Lift, LinkedGraph, Lower
from meldpy.model.valtype import DefinedType, TupleType, ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class CallSite:
    """One crossing.

    caller and callee: the two sides; caller_flat and callee_flat: the function type as each sees it. params: the
    parameter types, params_tuple: what is in memory when they spill. async_type: of the function; caller_async,
    callee_async: options of the lower and the lift. lending: the borrows among the parameters. post_return: the
    callee's, if it has one.
    """

    name: str
    caller: Side
    callee: Side
    caller_flat: FlatFunc
    callee_flat: FlatFunc
    params: tuple[ValType, ...]
    params_tuple: DefinedType
    result: ValType | None
    async_type: bool
    caller_async: bool
    callee_async: bool
    lending: Lending
    core_func: FuncSymbol
    post_return: FuncSymbol | None


def plan(
    graph: LinkedGraph, lower: Lower, lift: Lift, name: str, symbols: Symbols, abi: Abi, handles: Handles
) -> CallSite:
    """The plan for the call site of `lower` and the lift that it calls; `name` is what it calls, for readers.

    Both have equal types (resolve saw to it).
    """
    type = lift.type
    params = tuple(param for _, param in type.params)
    caller, callee = graph.instances[lower.instance].label, graph.instances[lift.instance].label
    options = lift.options
    lowered, lifted = lower_context(lower.options), lift_context(options)
    caller_flat = abi.func(type, lowered, lower.options.memory64)
    return CallSite(
        name=f"adapter {caller} -> {callee} {name}",
        caller=side_of(graph, lower.instance, lower.options, abi.needs(type, lowered), symbols),
        callee=side_of(graph, lift.instance, options, abi.needs(type, lifted), symbols),
        caller_flat=caller_flat,
        callee_flat=abi.func(type, lifted, options.memory64),
        params=params,
        params_tuple=DefinedType(TupleType(params)),
        result=type.result,
        async_type=type.async_,
        caller_async=lower.options.async_,
        callee_async=options.async_,
        lending=plan_lending(
            abi, handles, params, caller_flat.params is None or options.async_, lower.instance, lift.instance
        ),
        core_func=symbols.final(lift.core_func),
        post_return=None if options.post_return is None else symbols.final(options.post_return),
    )


def side_of(
    graph: LinkedGraph, instance: InstanceId, options: CanonicalOptions, needs: Needs, symbols: Symbols
) -> Side:
    """One side's options, resolved; what the type does not need is left out, so that equal sides are equal."""
    memory = None
    if needs.memory:
        assert options.memory is not None, "validation: a type that needs a memory has one"
        memory = memory_of(graph, options.memory)
    realloc = None
    if needs.realloc:
        assert options.realloc is not None, "validation: a type that needs realloc has one"
        realloc = symbols.final(options.realloc)
    return Side(instance, options.string_encoding, memory, realloc)
