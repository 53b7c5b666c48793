"""Canonical definitions, evaluated: lifts, lowers and built-ins with their options bound by identity.

Whether one of them can be fused is not decided here: async ones are kept, and refused later if something reaches
them. Spec: Binary.md "Canonical Definitions"; CanonicalABI.md "Canonical Definitions".
"""

from __future__ import annotations

from typing import assert_never, final

from meldpy.errors import DecodeError
from meldpy.model import linked
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
    Canon,
    CanonOpt,
    Lift,
    Lower,
    OtherBuiltin,
    ResourceDrop,
    ResourceNew,
    ResourceRep,
    StringEncoding,
)
from meldpy.model.extern import FuncType
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.ids import MemoryId
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    CanonicalOptions,
    ComponentFunc,
    CoreFunc,
    ImportFunc,
    LiftFunc,
    LowerFunc,
    ResourceBuiltin,
)
from meldpy.records import dataclass
from meldpy.resolver.builder import Builder
from meldpy.resolver.builtins import evaluate_immediates
from meldpy.resolver.coretypes import definition_of, rec_member
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.values import ComponentScope, FuncValue


def evaluate_canon(canon: Canon, scope: ComponentScope, types: TypeEvaluator) -> None:
    """Adds the function that `canon` makes to its index space."""
    builder = types.builder
    builder.count()
    match canon:
        case Lift():
            scope.funcs.add(_lift(canon, scope, types))
        case Lower():
            scope.core_funcs.add(_lower(canon, scope, builder))
        case ResourceNew():
            scope.core_funcs.add(_resource("new", canon.resource, scope, types))
        case ResourceDrop():
            scope.core_funcs.add(_resource("drop", canon.resource, scope, types))
        case ResourceRep():
            scope.core_funcs.add(_resource("rep", canon.resource, scope, types))
        case OtherBuiltin():
            where, instance = scope.here, scope.instance
            immediates = evaluate_immediates(canon, scope, types, lambda opts: _options(opts, scope, builder))
            builtin = builder.builtin(lambda id_: AsyncBuiltin(id_, instance, canon.op, where, immediates))
            scope.core_funcs.add(BuiltinFunc(builtin))
        case _:
            assert_never(canon)


def _lift(canon: Lift, scope: ComponentScope, types: TypeEvaluator) -> FuncValue:
    core_func = scope.core_funcs.get(canon.core_func)
    options = _options(canon.options, scope, types.builder)
    type_ = types.func(canon.type, scope)
    where, instance = scope.here, scope.instance
    lift = types.builder.lift(lambda id_: linked.Lift(id_, instance, core_func, type_, options, where))
    return FuncValue(LiftFunc(lift), type_)


def _lower(canon: Lower, scope: ComponentScope, builder: Builder) -> LowerFunc:
    callee = scope.funcs.get(canon.func).func
    options = _options(canon.options, scope, builder)
    type_ = _type_of(callee, builder)
    where, instance, path = scope.here, scope.instance, scope.func_paths.get(canon.func, ())
    return LowerFunc(builder.lower(lambda id_: linked.Lower(id_, instance, callee, type_, options, where, path)))


def _type_of(func: ComponentFunc, builder: Builder) -> FuncType:
    match func:
        case LiftFunc():
            return builder.lifts[func.lift].type
        case ImportFunc():
            return builder.import_funcs[func.func].type


def _resource(op: str, index: int, scope: ComponentScope, types: TypeEvaluator) -> BuiltinFunc:
    resource = types.resource(index, scope).id
    where, instance = scope.here, scope.instance
    builtin = types.builder.builtin(lambda id_: ResourceBuiltin(id_, instance, op, resource, where))
    return BuiltinFunc(builtin)


# --- options ------------------------------------------------------------------------------------------------
_ENCODINGS = {
    OPT_UTF8: StringEncoding.UTF8,
    OPT_UTF16: StringEncoding.UTF16,
    OPT_LATIN1_UTF16: StringEncoding.LATIN1_UTF16,
}


@final
@dataclass(slots=True)
class _Options:
    """The options read so far."""

    string_encoding: StringEncoding | None = None
    memory: MemoryId | None = None
    realloc: CoreFunc | None = None
    post_return: CoreFunc | None = None
    async_: bool = False
    callback: CoreFunc | None = None
    gc: bool = False
    core_type: CoreTypeDefinition | None = None


def _options(options: tuple[CanonOpt, ...], scope: ComponentScope, builder: Builder) -> CanonicalOptions:
    seen: set[int] = set()
    read = _Options()
    for option in options:
        # The three encodings exclude each other; everything else may stand once.
        kind = OPT_UTF8 if option.opcode in _ENCODINGS else option.opcode
        if kind in seen:
            raise DecodeError(f"canonical option {option.opcode:#04x} conflicts with an earlier one")
        seen.add(kind)
        _read_option(option, read, scope)
    return CanonicalOptions(
        string_encoding=read.string_encoding or StringEncoding.UTF8,
        memory=read.memory,
        memory64=read.memory is not None and builder.memory64(read.memory),
        realloc=read.realloc,
        post_return=read.post_return,
        async_=read.async_,
        callback=read.callback,
        gc=read.gc,
        core_type=read.core_type,
    )


def _read_option(option: CanonOpt, read: _Options, scope: ComponentScope) -> None:
    match option.opcode:
        case code if code in _ENCODINGS:
            read.string_encoding = _ENCODINGS[code]
        case code if code == OPT_ASYNC:
            read.async_ = True
        case code if code == OPT_MEMORY:
            read.memory = scope.core_memories.get(_index(option))
        case code if code == OPT_REALLOC:
            read.realloc = scope.core_funcs.get(_index(option))
        case code if code == OPT_POST_RETURN:
            read.post_return = scope.core_funcs.get(_index(option))
        case code if code == OPT_CALLBACK:
            read.callback = scope.core_funcs.get(_index(option))
        case code if code == OPT_GC:
            read.gc = True
        case code if code == OPT_CORE_TYPE:
            read.core_type = definition_of(rec_member(scope.core_types.get(_index(option))))
        case _:
            raise DecodeError(f"unknown canonical option {option.opcode:#04x}")


def _index(option: CanonOpt) -> int:
    if option.index is None:
        raise DecodeError(f"canonical option {option.opcode:#04x} lacks its index")
    return option.index
