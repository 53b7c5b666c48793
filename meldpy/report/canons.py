"""Canonical definitions as nodes: each lift and lower with its options, each built-in.

Numbers are positions in index spaces, with the names that aliases give them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, final

from meldpy.model.canon import (
    ENCODING_WORDS,
    OPT_ASYNC,
    OPT_CALLBACK,
    OPT_CORE_TYPE,
    OPT_GC,
    OPT_MEMORY,
    OPT_POST_RETURN,
    OPT_REALLOC,
    BuiltinOp,
    Canon,
    CanonOpt,
    Lift,
    Lower,
    OtherBuiltin,
    ResourceDrop,
    ResourceNew,
    ResourceRep,
)
from meldpy.report.tree import Fact, Facts, Node

_ENCODINGS: Final = {encoding.value: word for encoding, word in ENCODING_WORDS.items()}
_FUNCTIONS: Final = {OPT_REALLOC: "realloc", OPT_POST_RETURN: "post-return", OPT_CALLBACK: "callback"}
_FLAGS: Final = {OPT_ASYNC: "async", OPT_GC: "gc"}


@final
class Aliased:
    """What aliases call the functions and memories of one component; filled while its sections go by."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], str] = {}

    def name(self, sort: str, index: int, name: str) -> None:
        self._names[sort, index] = name

    def __call__(self, sort: str, index: int) -> str:
        name = self._names.get((sort, index))
        return f"{sort} {index}" if name is None else f"{sort} {index} ({name})"


def canon_node(canon: Canon, number: str, aliased: Aliased) -> Node:
    """One definition; `number`: the index that it gets."""
    match canon:
        case Lift(core_func, options, _):
            return Node("lift", number, {"of": aliased("core func", core_func), **_options(options, aliased)})
        case Lower(func, options):
            return Node("lower", number, {"of": aliased("func", func), **_options(options, aliased)})
        case ResourceNew(resource) | ResourceDrop(resource) | ResourceRep(resource):
            op = type(canon).__name__.removeprefix("Resource").lower()
            return Node("built-in", number, {"what": f"resource.{op}", "of": aliased("type", resource)})
        case OtherBuiltin(op, immediates):
            facts: dict[str, Fact] = {"what": op.value[1]}
            for immediate in immediates:
                if isinstance(immediate, tuple):
                    facts |= _options(immediate, aliased)
            return Node("built-in", number, facts)


def _options(options: tuple[CanonOpt, ...], aliased: Aliased) -> Mapping[str, Fact]:
    return dict(_option(option, aliased) for option in options)


def _option(option: CanonOpt, aliased: Aliased) -> tuple[str, Fact]:
    if option.opcode in _ENCODINGS:
        return "encoding", _ENCODINGS[option.opcode]
    if option.opcode in _FLAGS:
        return _FLAGS[option.opcode], "yes"
    assert option.index is not None, "every other option has an index"
    if option.opcode in _FUNCTIONS:
        return _FUNCTIONS[option.opcode], aliased("core func", option.index)
    if option.opcode == OPT_MEMORY:
        return "memory", aliased("core memory", option.index)
    assert option.opcode == OPT_CORE_TYPE
    return "core type", aliased("core type", option.index)


def canon_counts(canons: tuple[Canon, ...]) -> Facts:
    """How many there are of each kind."""
    lifts = sum(isinstance(canon, Lift) for canon in canons)
    lowers = sum(isinstance(canon, Lower) for canon in canons)
    counts = {"lift": lifts, "lower": lowers, "built-in": len(canons) - lifts - lowers}
    return {kind: count for kind, count in counts.items() if count}


_THREADS: Final = frozenset(
    {
        BuiltinOp.THREAD_INDEX,
        BuiltinOp.THREAD_NEW_INDIRECT,
        BuiltinOp.THREAD_RESUME_LATER,
        BuiltinOp.THREAD_SUSPEND,
        BuiltinOp.THREAD_SUSPEND_THEN_RESUME,
        BuiltinOp.THREAD_YIELD_THEN_RESUME,
        BuiltinOp.THREAD_SUSPEND_THEN_PROMOTE,
        BuiltinOp.THREAD_YIELD_THEN_PROMOTE,
        BuiltinOp.THREAD_SPAWN_REF,
        BuiltinOp.THREAD_SPAWN_INDIRECT,
        BuiltinOp.THREAD_AVAILABLE_PARALLELISM,
    }
)
_ERROR_CONTEXT: Final = frozenset(
    {BuiltinOp.ERROR_CONTEXT_NEW, BuiltinOp.ERROR_CONTEXT_DEBUG_MESSAGE, BuiltinOp.ERROR_CONTEXT_DROP}
)


def _feature(op: BuiltinOp) -> str:
    """The gate that engines have in front of a built-in."""
    if op in _THREADS:
        return "threads"
    return "error-context" if op in _ERROR_CONTEXT else "async"


def component_features(canons: tuple[Canon, ...]) -> Iterator[str]:
    """What of the component model's newer parts these definitions use."""
    for canon in canons:
        match canon:
            case OtherBuiltin(op):
                yield _feature(op)
            case Lift(options=options) | Lower(options=options):
                yield from (name for option in options if (name := _FLAGS.get(option.opcode)) is not None)
            case _:
                pass
