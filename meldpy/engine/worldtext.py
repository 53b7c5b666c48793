"""What a component imports and exports, as the engine sees it, in words that can be compared.

Equal texts mean equal types; resource types are not told apart.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from wasmtime import Engine
from wasmtime import _ffi as ffi
from wasmtime import component as wc
from wasmtime.component import _types as wasmtime_types

Cases: TypeAlias = "dict[str, wc.ValType | None]"


def cases(ty: wc.VariantType | wc.OptionType | wc.ResultType) -> Cases:
    """Case name -> payload type, in order."""
    match ty:
        case wc.VariantType():
            return dict(ty.cases)
        case wc.OptionType():
            return {"none": None, "some": ty.payload}
        case wc.ResultType():
            return {"ok": ty.ok, "err": ty.err}


def element(ty: wc.StreamType | wc.FutureType) -> wc.ValType | None:
    """What a stream or future carries; the binding cannot say "nothing"."""
    if isinstance(ty, wc.StreamType):
        payload = ffi.wasmtime_component_stream_type_ty
    else:
        payload = ffi.wasmtime_component_future_type_ty
    found = ffi.wasmtime_component_valtype_t()
    return wasmtime_types.valtype_from_ptr(found) if payload(ty.ptr(), ctypes.byref(found)) else None


def is_async(ty: wc.FuncType) -> bool:
    """Whether a function type is async."""
    return bool(ffi.wasmtime_component_func_type_async(ty.ptr()))


def parts(ty: wc.ValType) -> Iterator[wc.ValType]:
    """The types that `ty` is made of, itself among them."""
    yield ty
    inner: Iterable[wc.ValType | None] = ()
    match ty:
        case wc.ListType():
            inner = [ty.element]
        case wc.TupleType():
            inner = ty.elements
        case wc.RecordType():
            inner = [field for _, field in ty.fields]
        case wc.VariantType() | wc.OptionType() | wc.ResultType():
            inner = cases(ty).values()
    for part in inner:
        if part is not None:
            yield from parts(part)


def show(ty: wc.ValType | None) -> str:
    """`ty` in WIT-like words, structure included, so that equal texts mean equal types (resources aside)."""
    match ty:
        case None:
            return "_"
        case wc.ListType():
            return f"list<{show(ty.element)}>"
        case wc.TupleType():
            return f"tuple<{', '.join(map(show, ty.elements))}>"
        case wc.RecordType():
            return f"record{{{', '.join(f'{name}: {show(field)}' for name, field in ty.fields)}}}"
        case wc.FlagsType():
            return f"flags{{{', '.join(ty.names)}}}"
        case wc.EnumType():
            return f"enum{{{', '.join(ty.names)}}}"
        case wc.VariantType():
            return f"variant{{{', '.join(f'{name}({show(payload)})' for name, payload in cases(ty).items())}}}"
        case wc.OptionType():
            return f"option<{show(ty.payload)}>"
        case wc.ResultType():
            return f"result<{show(ty.ok)}, {show(ty.err)}>"
        case wc.StreamType():
            return f"stream<{show(element(ty))}>"
        case wc.FutureType():
            return f"future<{show(element(ty))}>"
        case _:
            return type(ty).__name__.removesuffix("Type").lower()


def world(engine: Engine, component: wc.Component) -> dict[str, str]:
    """What a component imports and exports: "import NAME" or "export NAME", with #ITEM inside instances -> type."""
    ty = component.type
    found: dict[str, str] = {}
    for direction, items in (("import", ty.imports(engine)), ("export", ty.exports(engine))):
        for name, item in items.items():
            _describe(engine, f"{direction} {name}", item.ty, found)
    return found


def _describe(engine: Engine, name: str, item: wasmtime_types.ComponentItem, found: dict[str, str]) -> None:
    match item:
        case wc.ComponentInstanceType():
            found[name] = "instance"
            for inner, extern in item.exports(engine).items():
                _describe(engine, f"{name}#{inner}", extern.ty, found)
        case wc.FuncType():
            params = ", ".join(f"{param}: {show(ty)}" for param, ty in item.params)
            kind = "async func" if is_async(item) else "func"
            found[name] = f"{kind}({params}) -> {show(item.result)}"
        case wc.ValType():
            found[name] = f"type {show(item)}"
        case _:
            found[name] = type(item).__name__
