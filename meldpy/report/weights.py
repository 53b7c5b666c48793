"""How many bytes a call copies, as far as its type says: so much for every call, so much for each item of a list.

An estimate for people: memory is taken to be 32-bit, and what lies in a variant counts as if it were there.
Spec: CanonicalABI.md "Element Size", "Flattening".
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.cabi import Abi, Context, value_types
from meldpy.model.extern import FuncType
from meldpy.model.valtype import DefinedType, ListType, PrimValType, RecordType, TupleType, ValType, VariantType

_DEEPEST = 8


def fixed_bytes(abi: Abi, type_: FuncType) -> int:
    """Of parameters and a result that are too many for core values, and so lie in memory."""
    layouts = abi.layouts(False)
    flat = abi.func(type_, Context.LIFT, False)
    spilled = DefinedType(TupleType(tuple(param for _, param in type_.params)))
    params = layouts.elem_size(spilled) if flat.params is None else 0
    result = layouts.elem_size(type_.result) if type_.result is not None and flat.result is None else 0
    return params + result


def per_item(abi: Abi, type_: FuncType) -> Iterator[str]:
    """What strings and lists add, each kind once."""
    found = (text for each in value_types(type_) for text in _inside(abi, each, _DEEPEST))
    yield from dict.fromkeys(found)


def _inside(abi: Abi, type_: ValType, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    match abi.shape(type_):
        case PrimValType.STRING:
            yield "a string: its bytes"
        case ListType(element, length):
            if length is None:
                size = abi.layouts(False).elem_size(element)
                yield f"a list: {size} byte{'s' * (size != 1)} an element"
            yield from _inside(abi, element, depth - 1)
        case RecordType(fields):
            for field in fields:
                yield from _inside(abi, field.type, depth - 1)
        case VariantType(cases):
            for case in cases:
                if case.type is not None:
                    yield from _inside(abi, case.type, depth - 1)
        case _:
            pass
