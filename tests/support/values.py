"""Component values in one plain form, both ways between it and wasmtime-py's.

Plain form (also that of fixture.toml): bool, int, float and str for scalars, chars, strings and enums; a list for a
list or tuple; a dict for a record; the case's name, or {name: payload}, for a variant, option ("none", "some") or
result ("ok", "err"); a list of names for flags. list<u8> may be given as a str.

wasmtime-py leaves variants untagged where it thinks that Python's types tell the cases apart, and then mistakes a
bool for an integer; the observer switches that off while calls are made. It takes any int for a u8, too: the range
check is here.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from wasmtime import component as wc

from meldpy.engine.observe import tagged_variants
from meldpy.engine.worldtext import Cases, cases, show, world

__all__ = ["Plain", "PlainCodec", "ValueMismatch", "from_host", "same", "show", "tagged_variants", "to_host", "world"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain]"

_BITS: dict[type[wc.ValType], tuple[int, bool]] = {
    wc.U8: (8, False), wc.U16: (16, False), wc.U32: (32, False), wc.U64: (64, False),
    wc.S8: (8, True), wc.S16: (16, True), wc.S32: (32, True), wc.S64: (64, True),
}  # fmt: skip


class ValueMismatch(Exception):
    """A plain value does not fit the type it is meant for."""


def to_host(ty: wc.ValType, value: Plain) -> object:
    """`value` as wasmtime-py wants it for `ty`, under `tagged_variants`."""
    match ty, value:
        case (wc.Bool(), bool()):
            return value
        case (wc.F32() | wc.F64(), float() | int()):
            return float(value)
        case (wc.Char() | wc.String(), str()) | (wc.EnumType(), str()):
            return value
        case (wc.ListType(), str()) if isinstance(ty.element, wc.U8):
            return value.encode()
        case (wc.ListType(), list()):
            items = [to_host(ty.element, item) for item in value]
            return bytes(value) if isinstance(ty.element, wc.U8) else items  # type: ignore[arg-type]
        case (wc.TupleType(), list()) if len(value) == len(ty.elements):
            return tuple(to_host(element, item) for element, item in zip(ty.elements, value, strict=True))
        case (wc.RecordType(), dict()) if [name for name, _ in ty.fields] == list(value):
            record = wc.Record()
            for name, field in ty.fields:
                setattr(record, name, to_host(field, value[name]))
            return record
        case (wc.FlagsType(), list()) if set(map(str, value)) <= set(ty.names):
            return set(value)
        case (wc.VariantType() | wc.OptionType() | wc.ResultType(), str() | dict()):
            return _variant_to_host(cases(ty), value)
        case (_, int()) if type(ty) in _BITS and not isinstance(value, bool):
            bits, signed = _BITS[type(ty)]
            if -(signed << bits - 1) <= value < 1 << bits - signed:
                return value
    raise ValueMismatch(f"{value!r} is no {show(ty)}")


def _variant_to_host(known: Cases, value: str | dict[str, Plain]) -> wc.Variant:
    name, payload = (value, None) if isinstance(value, str) else next(iter(value.items()))
    if name in known and (known[name] is None) == (payload is None):
        ty = known[name]
        return wc.Variant(name, None if ty is None or payload is None else to_host(ty, payload))
    raise ValueMismatch(f"{value!r} is none of {list(known)}")


def from_host(ty: wc.ValType, value: object) -> Plain:
    """The plain form of what wasmtime-py gave for `ty`, under `tagged_variants`."""
    match ty, value:
        case (wc.ListType(), list() | bytes()):
            return [from_host(ty.element, item) for item in value]
        case (wc.TupleType(), tuple()):
            return [from_host(element, item) for element, item in zip(ty.elements, value, strict=True)]
        case (wc.RecordType(), wc.Record()):
            return {name: from_host(field, getattr(value, name)) for name, field in ty.fields}
        case (wc.FlagsType(), set()):
            return [name for name in ty.names if name in value]
        case (wc.VariantType() | wc.OptionType() | wc.ResultType(), wc.Variant()):
            payload = cases(ty)[value.tag]
            return value.tag if payload is None else {value.tag: from_host(payload, value.payload)}
        case (_, bool() | int() | float() | str()):
            return value
    raise ValueMismatch(f"{value!r} for {show(ty)} has no plain form")


def same(left: Plain, right: Plain) -> bool:
    """Equality in which any NaN equals any NaN, 0.0 differs from -0.0, and true from 1."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[name], right[name]) for name in left)
    return type(left) is type(right) and left == right


class PlainCodec:
    """The plain form for the observer; handles have none."""

    def to_host(self, ty: wc.ValType, value: object) -> object:
        return to_host(ty, value)  # type: ignore[arg-type]

    def from_host(self, ty: wc.ValType, value: object) -> Plain:
        return from_host(ty, value)

    def fresh(self) -> None:
        """Nothing is kept."""

    def kept(self, name: object) -> wc.ResourceAny:
        raise ValueMismatch(f"no handle {name} is kept")
