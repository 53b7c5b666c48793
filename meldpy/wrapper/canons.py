"""Canonical definitions, from evaluated ones: options in their canonical order, and built-ins.

Where a core item or a type has its index is the caller's business. Spec: Binary.md "Canonical Definitions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from meldpy.errors import InternalError
from meldpy.model.canon import (
    OPT_ASYNC,
    OPT_CALLBACK,
    OPT_CORE_TYPE,
    OPT_GC,
    OPT_LATIN1_UTF16,
    OPT_MEMORY,
    OPT_POST_RETURN,
    OPT_REALLOC,
    OPT_UTF16,
    Canon,
    CanonOpt,
    ResourceDrop,
    ResourceNew,
    ResourceRep,
    StringEncoding,
)
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.ids import ResourceId, TypeIndex
from meldpy.model.linked import CanonicalOptions, CoreItem


def encoding_options(encoding: StringEncoding) -> list[CanonOpt]:
    """Nothing for utf8, which is the default."""
    match encoding:
        case StringEncoding.UTF8:
            return []
        case StringEncoding.UTF16:
            return [CanonOpt(OPT_UTF16)]
        case StringEncoding.LATIN1_UTF16:
            return [CanonOpt(OPT_LATIN1_UTF16)]
        case _:
            assert_never(encoding)


def option_list(
    options: CanonicalOptions, core: Callable[[CoreItem], int], core_type: Callable[[CoreTypeDefinition], int]
) -> tuple[CanonOpt, ...]:
    """All of `options`; `core` gives the index of a core item, `core_type` of a core type."""
    written = encoding_options(options.string_encoding)
    for opcode, item in (
        (OPT_MEMORY, options.memory),
        (OPT_REALLOC, options.realloc),
        (OPT_POST_RETURN, options.post_return),
    ):
        if item is not None:
            written.append(CanonOpt(opcode, core(item)))
    if options.async_:
        written.append(CanonOpt(OPT_ASYNC))
    if options.callback is not None:
        written.append(CanonOpt(OPT_CALLBACK, core(options.callback)))
    if options.core_type is not None:
        written.append(CanonOpt(OPT_CORE_TYPE, core_type(options.core_type)))
    if options.gc:
        written.append(CanonOpt(OPT_GC))
    return tuple(written)


def resource_builtin(op: str, resource: ResourceId, type_index: Callable[[ResourceId], TypeIndex]) -> Canon:
    """`resource.{new,drop,rep}`."""
    index = type_index(resource)
    match op:
        case "new":
            return ResourceNew(index)
        case "drop":
            return ResourceDrop(index)
        case "rep":
            return ResourceRep(index)
        case _:
            raise InternalError(f"unknown resource built-in {op!r}")
