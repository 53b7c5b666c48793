"""Engine values from WAVE trees, and WAVE text from engine values.

Types are the engine's, taken from the function that is called. The embedded engine hands out and takes variants
without their tag where the payload's class decides which case is meant; both directions here follow that rule, so
that nothing outside needs to know it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection
from typing import Any, TypeGuard

from wasmtime import component as wt

from meldpy.engine.wave import CLOSERS, KEYWORDS, Braces, Char, Name, Number, Sequence, Text, Tree
from meldpy.errors import UsageError

_REMEDY = "give a value of that type: `meld inspect` shows the function's, and WAVE writes {a: 1}, [1], some(1), ok(1)"

# --- to engine values ------------------------------------------------------------------------------
_INTEGERS: dict[type, tuple[int, int, str]] = {
    wt.S8: (-(1 << 7), (1 << 7) - 1, "s8"),
    wt.S16: (-(1 << 15), (1 << 15) - 1, "s16"),
    wt.S32: (-(1 << 31), (1 << 31) - 1, "s32"),
    wt.S64: (-(1 << 63), (1 << 63) - 1, "s64"),
    wt.U8: (0, (1 << 8) - 1, "u8"),
    wt.U16: (0, (1 << 16) - 1, "u16"),
    wt.U32: (0, (1 << 32) - 1, "u32"),
    wt.U64: (0, (1 << 64) - 1, "u64"),
}


def to_value(tree: Tree, type_: wt.ValType) -> Any:
    """The engine's value of `type_` for what was written. Raises UsageError where they do not fit."""
    match type_, tree:
        case wt.Bool(), Name(keyword="true" | "false"):
            return tree.label == "true"
        case wt.Char(), Char():
            return tree.value
        case wt.String(), Text():
            return tree.value
        case wt.F32() | wt.F64(), Number() | Name(keyword="nan" | "inf"):
            return float(tree.text if isinstance(tree, Number) else tree.label)
        case wt.ListType(), Sequence(open="["):
            items = [to_value(item, type_.element) for item in tree.items]
            return bytes(items) if isinstance(type_.element, wt.U8) else items
        case wt.TupleType(), Sequence(open="(") if len(tree.items) == len(type_.elements):
            return tuple(to_value(item, of) for item, of in zip(tree.items, type_.elements, strict=True))
        case wt.RecordType(), Braces():
            return _record(tree, type_)
        case wt.FlagsType(), Braces():
            return _flags(tree, type_)
        case wt.EnumType(), Name(payload=None, keyword=None) if tree.label in type_.names:
            return tree.label
        case wt.VariantType() | wt.OptionType() | wt.ResultType(), _:
            return _variant(tree, type_)
        case _, Number() if type(type_) in _INTEGERS:
            return _integer(tree, *_INTEGERS[type(type_)])
        case _:
            cases = type_.names if isinstance(type_, wt.EnumType) else ()
            raise UsageError(
                f"{_show(tree)} does not fit the type {type_name(type_)}{_hint(tree, cases)}", remedy=_REMEDY
            )


def _integer(tree: Number, low: int, high: int, name: str) -> int:
    try:
        value = int(tree.text)
    except ValueError:
        raise UsageError(f"{tree.text} is not a whole number, as {name} wants", remedy=_REMEDY) from None
    if not low <= value <= high:
        raise UsageError(f"{value} is out of range for {name} ({low} to {high})", remedy=_REMEDY)
    return value


def _record(tree: Braces, type_: wt.RecordType) -> wt.Record:
    given = dict(tree.entries)
    fields = dict(type_.fields)
    for label in given:
        if label not in fields:
            raise UsageError(f"the record has no field {label!r}; it has {', '.join(fields)}", remedy=_REMEDY)
    record = wt.Record()
    for label, of in fields.items():
        value = given.get(label)
        if value is None:
            if not isinstance(of, wt.OptionType):
                raise UsageError(f"the field {label!r} of the record is missing", remedy=_REMEDY)
            value = Name("none")  # WAVE lets fields of option type be left out
        setattr(record, label, to_value(value, of))
    return record


def _flags(tree: Braces, type_: wt.FlagsType) -> set[str]:
    for label, value in tree.entries:
        if label not in type_.names or value is not None:
            raise UsageError(f"{label!r} is not one of the flags {', '.join(type_.names)}", remedy=_REMEDY)
    return {label for label, _ in tree.entries}


def _variant(tree: Tree, type_: wt.VariantType | wt.OptionType | wt.ResultType) -> Any:
    """A case with its payload. `some(x)` and `ok(x)` may be written as `x`, unless that is such a value itself."""
    cases = dict(type_._cases())
    of_keywords = not isinstance(type_, wt.VariantType)
    for case, of in cases.items():
        if _is_written(tree, case, of is not None) and (tree.keyword is not None) == of_keywords:
            payload = None if of is None or tree.payload is None else to_value(tree.payload, of)
            return wt.Variant(case, payload) if type_._tagged() else payload
    implied = {wt.OptionType: "some", wt.ResultType: "ok"}.get(type(type_))
    of = None if implied is None else cases[implied]
    if implied is None or of is None or isinstance(of, wt.OptionType | wt.ResultType):
        raise UsageError(f"{_show(tree)} is not a case of {type_name(type_)}{_hint(tree, cases)}", remedy=_REMEDY)
    payload = to_value(tree, of)
    return wt.Variant(implied, payload) if type_._tagged() else payload


def _is_written(tree: Tree, case: str, payload: bool) -> TypeGuard[Name]:
    return isinstance(tree, Name) and tree.label == case and (tree.payload is not None) == payload


def _hint(tree: Tree, cases: Collection[str]) -> str:
    """A case that is called as a keyword must say so."""
    return f"; the case is written %{tree.label}" if isinstance(tree, Name) and tree.keyword in cases else ""


def _show(tree: Tree) -> str:
    match tree:
        case Number(text=text):
            return text
        case Text(value=value) | Char(value=value):
            return repr(value)
        case Name(label=label, payload=payload):
            text = f"%{label}" if tree.escaped and label in KEYWORDS else label
            return text if payload is None else f"{text}(…)"
        case Sequence(open=opener):
            return f"{opener}…{CLOSERS[opener]}"
        case Braces():
            return "{…}"


def type_name(type_: wt.ValType) -> str:
    """A short WIT-like name of an engine type, for messages."""
    match type_:
        case wt.ListType():
            return f"list<{type_name(type_.element)}>"
        case wt.OptionType():
            return f"option<{type_name(type_.payload)}>"
        case wt.TupleType():
            return f"tuple<{', '.join(map(type_name, type_.elements))}>"
        case wt.RecordType():
            return "record {" + ", ".join(label for label, _ in type_.fields) + "}"
        case wt.VariantType():
            return "variant {" + ", ".join(label for label, _ in type_.cases) + "}"
        case wt.EnumType():
            return "enum {" + ", ".join(type_.names) + "}"
        case wt.FlagsType():
            return "flags {" + ", ".join(type_.names) + "}"
        case _:
            return type(type_).__name__.removesuffix("Type").lower()


# --- to text ---------------------------------------------------------------------------------------
def to_text(value: Any, type_: wt.ValType) -> str:
    """The WAVE text of an engine value of `type_`. Raises UsageError for handles, streams and futures."""
    match type_:
        case wt.Bool():
            return "true" if value else "false"
        case wt.Char():
            return "'" + escaped_text(value, "'") + "'"
        case wt.String():
            return '"' + escaped_text(value, '"') + '"'
        case wt.F32() | wt.F64():
            return _float(value, isinstance(type_, wt.F32))
        case wt.ListType():
            return "[" + ", ".join(to_text(item, type_.element) for item in value) + "]"
        case wt.TupleType():
            pairs = zip(value, type_.elements, strict=True)
            return "(" + ", ".join(to_text(item, of) for item, of in pairs) + ")"
        case wt.RecordType():
            return "{" + ", ".join(f"{label_text(n)}: {to_text(getattr(value, n), of)}" for n, of in type_.fields) + "}"
        case wt.FlagsType():
            return "{" + ", ".join(label_text(flag) for flag in type_.names if flag in value) + "}"
        case wt.EnumType():
            return label_text(value)
        case wt.VariantType() | wt.OptionType() | wt.ResultType():
            return _variant_text(value, type_)
        case _ if type(type_) in _INTEGERS:
            return str(value)
        case _:
            raise UsageError(
                f"a value of type {type_name(type_)} has no text form",
                remedy="call it from a host: text cannot say it",
            )


def _variant_text(value: Any, type_: wt.VariantType | wt.OptionType | wt.ResultType) -> str:
    cases = type_._cases()
    if type_._tagged():
        case, of = next((c, o) for c, o in cases if c == value.tag)
        value = value.payload
    else:
        case, of = next((c, o) for c, o in cases if _is_case(value, o))
    label = label_text(case) if isinstance(type_, wt.VariantType) else case
    return label if of is None else f"{label}({to_text(value, of)})"


def _is_case(value: Any, of: wt.ValType | None) -> bool:
    """Whether an untagged value belongs to a case: its class decides, as in the engine's binding."""
    if of is None:
        return value is None
    classes: set[type] = set()
    of.add_classes(classes)
    return isinstance(value, tuple(classes))


def label_text(label: str) -> str:
    """A label, with the `%` that one needs that is a keyword otherwise."""
    return f"%{label}" if label in KEYWORDS else label


def escaped_text(text: str, quote: str) -> str:
    """What stands between quotes."""
    names = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", quote: f"\\{quote}"}
    return "".join(names.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text)


def _float(value: float, single: bool) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value.is_integer() and abs(value) < 1e16:
        return f"{value:.0f}"
    return _shortest_single(value) if single else repr(value)


def _shortest_single(value: float) -> str:
    """The shortest decimal that reads back as the same 32-bit float."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if _as_single(float(text)) == value:
            return text
    return repr(value)


def _as_single(value: float) -> float:
    """Rounded to 32 bits; beyond their range it is infinite."""
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.copysign(math.inf, value)
    return float(rounded)
