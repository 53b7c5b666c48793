"""The skeleton of a module keeps what the outside can name, under indices that mean the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wasmtime import Engine, Module, wat2wasm
from wasmtime import component as wc

from meldpy.binary.decode import decode_component
from meldpy.binary.encode import encode_component, encode_module
from meldpy.engine.skeleton import skeleton
from meldpy.model.component import Component, CoreModuleSection
from meldpy.model.core import ConstOp, CoreExport, CoreModule, CoreSort, Op

MODULE = """(module
  (import "" "i" (func $imported (param i32)))
  (func $dead (result i64) (i64.const 1))
  (func $one (export "one") (result i32) (i32.const 1))
  (func $dead2)
  (func $named (param f32))
  (func $started)
  (global $g (export "g") funcref (ref.func $named))
  (table $t (export "t") 3 3 funcref (ref.func $imported))
  (elem (i32.const 0) $dead $one $dead2)
  (memory (export "m") 1)
  (data (i32.const 0) "some bytes")
  (export "again" (func $imported))
  (start $started))"""
IMPORT = '(core module $i (func (export "i") (param i32)))'


def of(module: str) -> Component:
    instances = '(core instance (instantiate 1 (with "" (instance $i))))'
    text = f"(component {IMPORT} (core instance $i (instantiate $i)) (core {module[1:]} {instances})"
    return decode_component(bytes(wat2wasm(text)), "x")


def second(component: Component) -> CoreModule:
    return [section.module for section in component.sections if isinstance(section, CoreModuleSection)][1]


def signatures(component: Component) -> dict[str, str]:
    """The exports of the second module, each with its type, as the engine sees them."""
    module = second(decode_component(encode_component(component), "x"))
    types = Module(Engine(), encode_module(module)).exports
    return {export.name or "": repr_of(export.type) for export in types}


def repr_of(type_: object) -> str:
    params, results = getattr(type_, "params", None), getattr(type_, "results", None)
    return type(type_).__name__ if params is None else f"{list(map(str, params))} -> {list(map(str, results or []))}"


def test_only_functions_that_are_named_stay_and_keep_their_types() -> None:
    whole = of(MODULE)
    bare = skeleton(whole)
    module = second(bare)
    assert module.code.count == 2
    assert bytes(module.code.bodies) == b"\x03\x00\x00\x0b" * 2
    assert (module.elements, module.start, [bytes(d.data) for d in module.data]) == ((), None, [b""])
    assert signatures(bare) == signatures(whole)
    wc.Component(Engine(), encode_component(bare))


@pytest.mark.parametrize("place", ["export", "global"])
def test_an_index_that_does_not_exist_stays_one(place: str) -> None:
    component = of(MODULE)
    module = second(component)
    if place == "export":
        broken = replace(module, exports=(*module.exports, CoreExport("x", CoreSort.FUNC, 99)))
    else:
        init = (ConstOp(Op.REF_FUNC, 99),)
        broken = replace(module, globals=tuple(replace(each, init=init) for each in module.globals))
    sections = tuple(
        replace(s, module=broken) if isinstance(s, CoreModuleSection) and s.module == module else s
        for s in component.sections
    )
    bare = second(skeleton(Component(sections)))
    named = [e.index for e in bare.exports] if place == "export" else [op.operand for op in bare.globals[0].init]
    assert 99 in named
