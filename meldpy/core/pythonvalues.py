"""Values of component types in Python: made of parts, taken into parts, and refused where they do not fit.

Nothing is converted that could be taken for something else: a number is no text, a text is no list, and what is out of
range is refused. Everything here raises UsageError with the value; nothing here knows of memory. What a value looks
like is in the package's docstring.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import index
from typing import Any, Protocol, final

from meldpy.errors import UnsupportedError, UsageError
from meldpy.model.valtype import DefinedType, EnumType, MapType, OptionType, PrimValType, RecordType, TupleType, ValType
from meldpy.records import dataclass

INTEGERS = {
    PrimValType.U8: (1, False),
    PrimValType.S8: (1, True),
    PrimValType.U16: (2, False),
    PrimValType.S16: (2, True),
    PrimValType.U32: (4, False),
    PrimValType.S32: (4, True),
    PrimValType.U64: (8, False),
    PrimValType.S64: (8, True),
}
"""Bytes, and whether there is a sign."""
_FLOATS = {PrimValType.F32: "<f", PrimValType.F64: "<d"}


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A case of a variant, a result, or an option of an option."""

    label: str
    value: Any = None


class _CaseType(Protocol):
    @property
    def label(self) -> str: ...

    @property
    def type(self) -> ValType | None: ...


# --- made of parts ----------------------------------------------------------------------------------------------------
def record_value(type: DefinedType, values: list[Any]) -> Any:
    """Of a record or tuple, from its fields' values in order."""
    if isinstance(type.definition, TupleType):
        return tuple(values)
    assert isinstance(type.definition, RecordType)
    return {f.label: value for f, value in zip(type.definition.fields, values, strict=True)}


def variant_value(type: DefinedType, label: str, value: Any) -> Any:
    match type.definition:
        case EnumType():
            return label
        case OptionType(inner) if not _is_option(inner):
            return None if label == "none" else value
        case _:
            return Case(label, value)


# --- taken into parts -------------------------------------------------------------------------------------------------
def fields(type: DefinedType, value: Any) -> Iterable[Any]:
    """The values of a record's or tuple's fields, in order."""
    if isinstance(type.definition, TupleType):
        return sized(value, len(type.definition.types))
    assert isinstance(type.definition, RecordType)
    labels = [f.label for f in type.definition.fields]
    if not isinstance(value, Mapping) or set(value) != set(labels):
        raise _wanted(f"a record with {', '.join(labels)}", value)
    return [value[label] for label in labels]


def choice(type: DefinedType, value: Any, cases: Sequence[_CaseType]) -> tuple[int, Any]:
    """The index of the case of a variant, enum, option or result, and its payload."""
    labels = [case.label for case in cases]
    match type.definition, value:
        case EnumType(), str():
            label, payload = value, None
        case (_, Case(label=label, value=payload)):
            pass
        case OptionType(inner), _ if not _is_option(inner):
            label, payload = ("none", None) if value is None else ("some", value)
        case _:
            raise _wanted(f"one of the cases {', '.join(labels)}", value)
    if label not in labels:
        raise _wanted(f"one of the cases {', '.join(labels)}", label)
    chosen = labels.index(label)
    if cases[chosen].type is None and payload is not None:
        raise _wanted(f"the case {label}, which has no value,", value)
    return chosen, payload


def elements(type: ValType, value: Any) -> Sequence[Any]:
    """Of a list; of a map, pairs."""
    if isinstance(value, Mapping) and isinstance(type, DefinedType) and isinstance(type.definition, MapType):
        return list(value.items())
    return _sequence(value)


def sized(value: Any, length: int) -> Sequence[Any]:
    """The elements of a tuple, or of a list of fixed length."""
    values = _sequence(value)
    if len(values) != length:
        raise _wanted(f"a list of {length} values", value)
    return values


def _sequence(value: Any) -> Sequence[Any]:
    """What has a length, an order, and can be gone through twice; a text is a value of its own."""
    if isinstance(value, (str, Mapping)) or not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise _wanted("a list", value)
    found: Sequence[Any] = value
    return found


def text(value: Any) -> str:
    """A string, whose code points are all Unicode scalar values."""
    if not isinstance(value, str):
        raise _wanted("a string", value)
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise _wanted("a string without surrogates", value)
    return value


def scalar_bits(type: PrimValType, value: Any) -> int:
    """The bits of a number, bool or char in memory."""
    if type in INTEGERS:
        size, signed = INTEGERS[type]
        try:
            return int.from_bytes(index(value).to_bytes(size, "little", signed=signed), "little")
        except (TypeError, OverflowError) as error:
            raise _wanted(f"a number of type {type.name.lower()}", value) from error
    if type in _FLOATS:
        try:
            return int.from_bytes(struct.pack(_FLOATS[type], value), "little")
        except (struct.error, OverflowError) as error:
            raise _wanted(f"a number of type {type.name.lower()}", value) from error
    match type:
        case PrimValType.BOOL:
            if not isinstance(value, bool):
                raise _wanted("a bool", value)
            return int(value)
        case PrimValType.CHAR:
            if not isinstance(value, str) or len(value) != 1:
                raise _wanted("a char", value)
            return ord(text(value))
        case _:
            raise no_form()


def flag_bits(labels: Sequence[str], value: Any) -> int:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise _wanted("a set of flags", value)
    unknown = sorted(str(each) for each in value if each not in labels)
    if unknown:
        raise _wanted(f"a set of the flags {', '.join(labels)}", value)
    return sum(1 << i for i, label in enumerate(labels) if label in value)


def no_async(reason: str) -> UnsupportedError:
    return UnsupportedError(
        "async", reason, remedy="make a component of it, or fuse without --core: engines of components call it"
    )


def no_form() -> UnsupportedError:
    return UnsupportedError(
        "async",
        "streams, futures and error contexts have no form in Python yet",
        remedy="fuse the component that uses it without --core, and run that",
    )


def _wanted(what: str, value: Any) -> UsageError:
    return UsageError(
        f"{what} is wanted, not {value!r}", remedy="give a value of the type that the function has: `meld docs core`"
    )


def _is_option(type: ValType) -> bool:
    return isinstance(type, DefinedType) and isinstance(type.definition, OptionType)
