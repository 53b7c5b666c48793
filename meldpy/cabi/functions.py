"""What a function type asks of the canonical options on either side of a call.

Spec: CanonicalABI.md, validation rules of `canon lift` and `canon lower`.
"""

from __future__ import annotations

from typing import assert_never, final

from meldpy.cabi.contents import Content, Contents
from meldpy.cabi.flatten import Context, FlatFunc
from meldpy.model.extern import FuncType
from meldpy.model.linked import CanonicalOptions
from meldpy.model.valtype import ValType
from meldpy.records import dataclass


def value_types(type: FuncType) -> list[ValType]:
    """The types of the parameters and of the result."""
    types = [param for _, param in type.params]
    return types if type.result is None else [*types, type.result]


@final
@dataclass(frozen=True, slots=True)
class Needs:
    """Which canonical options a lift or lower of a type cannot do without."""

    memory: bool
    realloc: bool
    encoding: bool


def needs(type: FuncType, flat: FlatFunc, context: Context, contents: Contents) -> Needs:
    """A lift lowers the parameters, a lower the results: that is where allocation happens.

    Spilled results of a lower go where the caller says, so they need memory but no realloc. An async lift's result is
    lifted by `task.return`, whose options must equal the lift's.
    """
    params = contents.of(param for _, param in type.params)
    result = Content.NONE if type.result is None else contents.content(type.result)
    spills = flat.params is None or flat.result is None
    match context:
        case Context.LIFT | Context.CALLBACK_LIFT | Context.STACKFUL_LIFT:
            realloc = flat.params is None or Content.POINTER in params
        case Context.LOWER | Context.ASYNC_LOWER:
            realloc = Content.POINTER in result
        case other:
            assert_never(other)
    memory = spills or Content.POINTER in params | result
    return Needs(memory, realloc, Content.STRING in params | result)


def lift_context(options: CanonicalOptions) -> Context:
    """What a lift with these options is."""
    if not options.async_:
        return Context.LIFT
    return Context.STACKFUL_LIFT if options.callback is None else Context.CALLBACK_LIFT


def lower_context(options: CanonicalOptions) -> Context:
    """What a lower with these options is."""
    return Context.ASYNC_LOWER if options.async_ else Context.LOWER
