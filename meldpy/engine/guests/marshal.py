"""Values across the C interface: a codec for each type, made once a function and used for every call.

The binding asks the engine for a function's type again at every call, makes a Python object for every byte of a list,
and cuts integers off. Here the type becomes a tree of codecs when a component is loaded. A codec writes the engine's
`wasmtime_component_val_t` (32 bytes: the kind at 0, the value at 8) into a buffer with `struct`, which refuses what
does not fit, and reads one from bytes.

Who owns the memory of a nested value depends on the direction, and is `memory`'s business. What the engine hands us is
copied and never freed here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, final

from wasmtime import component as wc

from meldpy.engine.guests.handles import Handle, arrive
from meldpy.engine.guests.memory import ENTRY, HEAD, PTR, THREE, VAL, VEC, Arena, Names
from meldpy.engine.guests.plain import LIST, SCALARS, BytesCodec, CharCodec, Codec, TextCodec, kind, text
from meldpy.engine.guests.values import Case, Err, Ok, Some
from meldpy.engine.worldtext import cases


@final
class _List(Codec):
    def __init__(self, element: Codec) -> None:
        self._element = element

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{value!r:.80} is no list")
        block = bytearray(len(value) * VAL)
        write = self._element.write
        for i, item in enumerate(value):
            write(block, i * VAL, item, arena)
        HEAD.pack_into(into, at, LIST, len(value), arena.block(block, len(value), "list"))

    def read(self, data: bytes, at: int) -> Any:
        count, address = VEC.unpack_from(data, at + 8)
        block = ctypes.string_at(address, count * VAL) if count else b""
        read = self._element.read
        return [read(block, i * VAL) for i in range(count)]


@final
class _Tuple(Codec):
    def __init__(self, elements: tuple[Codec, ...]) -> None:
        self._elements = elements

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, tuple) or len(value) != len(self._elements):
            raise TypeError(f"{value!r:.80} is no tuple of {len(self._elements)}")
        block = bytearray(len(value) * VAL)
        for i, (codec, item) in enumerate(zip(self._elements, value, strict=True)):
            codec.write(block, i * VAL, item, arena)
        HEAD.pack_into(into, at, _TUPLE, len(value), arena.block(block, len(value), "tuple"))

    def read(self, data: bytes, at: int) -> Any:
        count, address = VEC.unpack_from(data, at + 8)
        block = ctypes.string_at(address, count * VAL) if count else b""
        return tuple(codec.read(block, i * VAL) for i, codec in enumerate(self._elements))


@final
class _Record(Codec):
    def __init__(self, fields: Mapping[str, Codec]) -> None:
        self._fields, self._names = tuple(fields.items()), Names(fields)

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, Mapping) or len(value) != len(self._fields):
            raise TypeError(f"{value!r:.80} is no record of {', '.join(name for name, _ in self._fields)}")
        count = len(self._fields)
        block = arena.entries(self._names)
        for i, (name, codec) in enumerate(self._fields):
            if name not in value:
                raise ValueError(f"the record's field {name} is missing")
            codec.write(block, i * ENTRY + 16, value[name], arena)
        HEAD.pack_into(into, at, _RECORD, count, arena.block(block, count, "record"))

    def read(self, data: bytes, at: int) -> Any:
        count, address = VEC.unpack_from(data, at + 8)
        block = ctypes.string_at(address, count * ENTRY)
        return {name: codec.read(block, i * ENTRY + 16) for i, (name, codec) in enumerate(self._fields)}


@final
class _Flags(Codec):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, set | frozenset) or not value <= set(self._names):
            raise TypeError(f"{value!r:.80} is no set of {', '.join(self._names)}")
        chosen = [name for name in self._names if name in value]
        block = bytearray(len(chosen) * 16)
        for i, name in enumerate(chosen):
            VEC.pack_into(block, i * 16, *arena.text(name.encode()))
        HEAD.pack_into(into, at, _FLAGS, len(chosen), arena.block(block, len(chosen), "flags"))

    def read(self, data: bytes, at: int) -> Any:
        count, address = VEC.unpack_from(data, at + 8)
        block = ctypes.string_at(address, count * 16) if count else b""
        return frozenset(text(block, i * 16) for i in range(count))


@final
class _Variant(Codec):
    def __init__(self, of: Mapping[str, Codec | None]) -> None:
        self._cases = dict(of)

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, Case) or value.name not in self._cases:
            raise TypeError(f"{value!r:.80} is no case of {', '.join(self._cases)}")
        payload = _boxed(self._cases[value.name], value.payload, arena)
        THREE.pack_into(into, at, _VARIANT, *arena.text(value.name.encode()), payload)

    def read(self, data: bytes, at: int) -> Any:
        name = text(data, at + 8)
        return Case(name, _unboxed(self._cases[name], PTR.unpack_from(data, at + 24)[0]))


@final
class _Option(Codec):
    def __init__(self, payload: Codec) -> None:
        self._payload, self._nested = payload, isinstance(payload, _Option)

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if value is not None and self._nested:
            if not isinstance(value, Some):
                raise TypeError(f"{value!r:.80} in an option of options is written Some(…)")
            value = value.value
        elif value is None:
            HEAD.pack_into(into, at, _OPTION, 0, 0)
            return
        HEAD.pack_into(into, at, _OPTION, _boxed(self._payload, value, arena), 0)

    def read(self, data: bytes, at: int) -> Any:
        (address,) = PTR.unpack_from(data, at + 8)
        if not address:
            return None
        value = _unboxed(self._payload, address)
        return Some(value) if self._nested else value


@final
class _Result(Codec):
    def __init__(self, ok: Codec | None, err: Codec | None) -> None:
        self._ok, self._err = ok, err

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        match value:
            case Ok():
                HEAD.pack_into(into, at, _RESULT, 1, _boxed(self._ok, value.value, arena))
            case Err():
                HEAD.pack_into(into, at, _RESULT, 0, _boxed(self._err, value.value, arena))
            case _:
                raise TypeError(f"{value!r:.80} is neither Ok(…) nor Err(…)")

    def read(self, data: bytes, at: int) -> Any:
        (address,) = PTR.unpack_from(data, at + 16)
        return Ok(_unboxed(self._ok, address)) if data[at + 8] else Err(_unboxed(self._err, address))


@final
class _Handle(Codec):
    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, Handle):
            raise TypeError(f"{value!r:.80} is no handle")
        HEAD.pack_into(into, at, _RESOURCE, value.address, 0)

    def read(self, data: bytes, at: int) -> Any:
        return arrive(PTR.unpack_from(data, at + 8)[0])


def _boxed(codec: Codec | None, value: Any, arena: Arena) -> int:
    if codec is None:
        if value is not None:
            raise TypeError(f"{value!r:.80} is given where the case has no payload")
        return 0
    data = bytearray(VAL)
    codec.write(data, 0, value, arena)
    return arena.box(data)


def _unboxed(codec: Codec | None, address: int) -> Any:
    return None if codec is None else codec.read(ctypes.string_at(address, VAL), 0)


_STRING, _ENUM, _RECORD, _TUPLE, _VARIANT, _OPTION, _RESULT, _FLAGS, _RESOURCE = map(
    kind, ("STRING", "ENUM", "RECORD", "TUPLE", "VARIANT", "OPTION", "RESULT", "FLAGS", "RESOURCE")
)


def codec_of(ty: wc.ValType) -> Codec | None:
    """The codec of a type; None for what has no form here (streams, futures)."""
    match ty:
        case wc.OwnType() | wc.BorrowType():
            return _Handle()
        case wc.Char():
            return CharCodec()
        case wc.String():
            return TextCodec(_STRING)
        case wc.EnumType():
            return TextCodec(_ENUM, frozenset(ty.names))
        case wc.ListType():
            element = ty.element
            inner = codec_of(element)
            return BytesCodec() if isinstance(element, wc.U8) else None if inner is None else _List(inner)
        case wc.TupleType():
            parts = [codec_of(each) for each in ty.elements]
            known = tuple(each for each in parts if each is not None)
            return _Tuple(known) if len(known) == len(parts) else None
        case wc.RecordType():
            fields = {name: codec_of(each) for name, each in ty.fields}
            known_fields = {name: each for name, each in fields.items() if each is not None}
            return _Record(known_fields) if len(known_fields) == len(fields) else None
        case wc.FlagsType():
            return _Flags(tuple(ty.names))
        case wc.OptionType() | wc.ResultType() | wc.VariantType():
            return _of_cases(ty)
        case _:
            return SCALARS.get(type(ty))


def _of_cases(ty: wc.OptionType | wc.ResultType | wc.VariantType) -> Codec | None:
    made: dict[str, Codec | None] = {}
    for name, payload in cases(ty).items():
        codec = None if payload is None else codec_of(payload)
        if payload is not None and codec is None:
            return None
        made[name] = codec
    if isinstance(ty, wc.VariantType):
        return _Variant(made)
    if isinstance(ty, wc.ResultType):
        return _Result(made["ok"], made["err"])
    payload_codec = made["some"]
    assert payload_codec is not None
    return _Option(payload_codec)
