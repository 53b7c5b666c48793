"""Components that one input exports and another instantiates, beside a composition by hand.

No engine runs either input by itself. Which component fits which type is what the engine says of the composition; what
fits is fused, closures over the provider's state and types included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from wasmtime import Engine, Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

import meldpy
from meldpy.errors import LinkError, UnsupportedError
from meldpy.pipeline import FuseInput, FuseOptions
from tests.support.compose import Export, Wire, compose

CODE: Final = """
  (core module $m (func (export "n") (result i32) (i32.const 3)) (func (export "v") (param i32)))
  (core instance $i (instantiate $m))"""


def two_resources(made: str) -> str:
    return f"""
  (type $r' (resource (rep i32)))
  (type $s' (resource (rep i32)))
  (export $r "r" (type $r'))
  (export $s "s" (type $s')) {CODE}
  (func $make (result (own ${made})) (canon lift (core func $i "n")))
  (export "make" (func $make))"""


IMPLEMENTATIONS: Final = {
    "nothing": "",
    "n": f"""{CODE}
  (func (export "f") (result u32) (canon lift (core func $i "n")))""",
    "n as s32": f"""{CODE}
  (func (export "f") (result s32) (canon lift (core func $i "n")))""",
    "n and more": f"""{CODE}
  (func (export "g") (param "x" u32) (canon lift (core func $i "v")))
  (func (export "f") (result u32) (canon lift (core func $i "n")))""",
    "needs k": """
  (import "k" (func $k (result u32)))
  (export "f" (func $k))""",
    "needs k, otherwise": """
  (import "k" (func $k (result s32)))
  (export "f" (func $k) (func (result s32)))""",
    "needs an instance": """
  (import "i" (instance $i (export "k" (func (result u32)))))
  (alias export $i "k" (func $k))
  (export "f" (func $k))""",
    "has an instance": f"""{CODE}
  (func $f (result u32) (canon lift (core func $i "n")))
  (instance $e (export "k" (func $f)))
  (export "i" (instance $e))""",
    "has an instance with more": f"""{CODE}
  (func $f (result u32) (canon lift (core func $i "n")))
  (func $g (param "x" u32) (canon lift (core func $i "v")))
  (instance $e (export "l" (func $g)) (export "k" (func $f)))
  (export "i" (instance $e))""",
    "defines r": f"""
  (type $r' (resource (rep i32)))
  (export $r "r" (type $r')) {CODE}
  (func $make (result (own $r)) (canon lift (core func $i "n")))
  (export "make" (func $make))""",
    "defines two": two_resources("r"),
    "makes the other": two_resources("s"),
    "is given r": """
  (import "r" (type $r (sub resource)))
  (import "make" (func $make (result (own $r))))
  (export $e "r" (type $r))
  (export "make" (func $make) (func (result (own $e))))""",
    "is given r and names it no more": """
  (import "r" (type $r (sub resource)))
  (import "make" (func $make (result (own $r))))
  (export "make" (func $make))""",
    "a record": f"""
  (type $p' (record (field "x" u32)))
  (export $p "p" (type $p')) {CODE}
  (func $f (result $p) (canon lift (core func $i "n")))
  (export "f" (func $f))""",
    "another record": f"""
  (type $p' (record (field "y" u32)))
  (export $p "p" (type $p')) {CODE}
  (func $f (result $p) (canon lift (core func $i "n")))
  (export "f" (func $f))""",
    "needs a component": """
  (import "d" (component $d (export "f" (func (result u32)))))
  (instance $e (instantiate $d))
  (alias export $e "f" (func $f))
  (export "f" (func $f))""",
    "needs a component that needs k": """
  (import "k" (func $k (result u32)))
  (import "d" (component $d (import "k" (func (result u32))) (export "f" (func (result u32)))))
  (instance $e (instantiate $d (with "k" (func $k))))
  (alias export $e "f" (func $f))
  (export "f" (func $f))""",
    "has a component": f"""
  (component $d {CODE} (func (export "f") (result u32) (canon lift (core func $i "n"))))
  (export "d" (component $d))""",
    "has a core module": f"""{CODE}
  (export "m" (core module $m))""",
    "needs a core module": """
  (import "m" (core module $m (export "n" (func (result i32)))))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "n")))""",
}

R: Final = '(export "r" (type $r (sub resource)))'
TYPES: Final = {
    "nothing": "",
    "f": '(export "f" (func (result u32)))',
    "f as s32": '(export "f" (func (result s32)))',
    "f as s32, given k as s32": '(import "k" (func (result s32))) (export "f" (func (result s32)))',
    "f, given k": '(import "k" (func (result u32))) (export "f" (func (result u32)))',
    "f, given k and more": '(import "other" (func)) (import "k" (func (result u32))) (export "f" (func (result u32)))',
    "f, given an instance": """
  (import "i" (instance (export "k" (func (result u32))) (export "more" (func)))) (export "f" (func (result u32)))""",
    "f, given an empty instance": '(import "i" (instance)) (export "f" (func (result u32)))',
    "an instance": '(export "i" (instance (export "k" (func (result u32)))))',
    "an instance with more": """
  (export "i" (instance (export "k" (func (result u32))) (export "l" (func (param "x" u32)))))""",
    "r": f'{R} (export "make" (func (result (own $r))))',
    "r and s": f'{R} (export "s" (type (sub resource))) (export "make" (func (result (own $r))))',
    "r and s, which it makes": f'{R} (export "s" (type $s (sub resource))) (export "make" (func (result (own $s))))',
    "r, given it": """
  (import "r" (type $r (sub resource))) (import "make" (func (result (own $r))))
  (export "r" (type $e (eq $r))) (export "make" (func (result (own $e))))""",
    "its own r, given one": f"""
  (import "r" (type $g (sub resource))) (import "make" (func (result (own $g))))
  {R} (export "make" (func (result (own $r))))""",
    "what is given": """
  (import "r" (type $r (sub resource))) (import "make" (func (result (own $r))))
  (export "make" (func (result (own $r))))""",
    "a record": """
  (type $p' (record (field "x" u32))) (export "p" (type $p (eq $p'))) (export "f" (func (result $p)))""",
    "f, given a component": """
  (import "d" (component (export "f" (func (result u32))))) (export "f" (func (result u32)))""",
    "f, given a component that needs k": """
  (import "k" (func (result u32)))
  (import "d" (component (import "k" (func (result u32))) (export "f" (func (result u32)))))
  (export "f" (func (result u32)))""",
    "a component": '(export "d" (component (export "f" (func (result u32)))))',
    "a component that gets k": """
  (export "d" (component (import "k" (func (result u32))) (export "f" (func (result u32)))))""",
    "a core module": '(export "m" (core module (export "n" (func (result i32)))))',
    "f, given a core module": """
  (import "m" (core module (export "n" (func (result i32))))) (export "f" (func (result u32)))""",
}


def inputs(texts: Mapping[str, str]) -> list[FuseInput]:
    return [FuseInput(name, name, bytes(wat2wasm(text))) for name, text in texts.items()]


def composed(items: Sequence[FuseInput], wires: Sequence[Wire], exports: Sequence[Export] = ()) -> bytes:
    return compose({item.name: item.data for item in items}, wires, exports)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_components_fit_where_the_engine_says_so(implementation: str) -> None:
    engine, fitting = Engine(), []
    text = f'(component (component $c {IMPLEMENTATIONS[implementation]}) (export "c" (component $c)))'
    for name, type_ in TYPES.items():
        items = inputs({"provider": text, "user": f'(component (import "c" (component {type_})))'})
        try:
            wc.Component(engine, composed(items, [Wire("user", "c", "provider", "c")]))
            fitting.append(name)
        except WasmtimeError:
            with pytest.raises(LinkError, match="does not fit what `provider` exports"):
                meldpy.fuse(items)
        else:
            meldpy.fuse(items)
    assert "nothing" in fitting or implementation.startswith(("needs", "is given"))
    assert 0 < len(fitting) < len(TYPES)


def test_each_type_has_a_component_that_fits_it_and_one_that_does_not() -> None:
    assert len(IMPLEMENTATIONS) >= 20
    engine = Engine()
    for type_ in TYPES.values():
        verdicts = set()
        for text in IMPLEMENTATIONS.values():
            whole = f'(component (component $p (component $c {text}) (export "c" (component $c))) (instance $p'
            whole += f' (instantiate $p)) (component $u (import "c" (component {type_})))'
            whole += ' (instance (instantiate $u (with "c" (component $p "c")))))'
            try:
                wc.Component(engine, whole)
                verdicts.add(True)
            except WasmtimeError:
                verdicts.add(False)
        assert verdicts == {True, False} or not type_


# --- what a fitting component does ------------------------------------------------------------------------------------
COUNTER: Final = """
(component
  (core module $M
    (global $n (mut i32) (i32.const 0))
    (func (export "next") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
  (core instance $i (instantiate $M))
  (func $next (result u32) (canon lift (core func $i "next")))
  (component $c
    (import "next" (func $next (result u32)))
    (import "scale" (func $scale (param "x" u32) (result u32)))
    (core func $next' (canon lower (func $next)))
    (core func $scale' (canon lower (func $scale)))
    (core module $M
      (import "" "next" (func $next (result i32)))
      (import "" "scale" (func $scale (param i32) (result i32)))
      (func (export "f") (result i32) (call $scale (call $next))))
    (core instance $i (instantiate $M (with "" (instance
      (export "next" (func $next')) (export "scale" (func $scale'))))))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))
  (instance $e (export "next" (func $next)) (export "c" (component $c)))
  (export "demo:counting/parts" (instance $e)))"""
"""A component beside the function that its instances count with."""


def user(factor: int) -> str:
    return f"""
(component
  (import "demo:counting/parts" (instance $p
    (export "next" (func (result u32)))
    (export "c" (component
      (import "next" (func (result u32)))
      (import "scale" (func (param "x" u32) (result u32)))
      (export "f" (func (result u32)))))))
  (alias export $p "c" (component $c))
  (alias export $p "next" (func $next))
  (core module $M (func (export "scale") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))
  (core instance $i (instantiate $M))
  (func $scale (param "x" u32) (result u32) (canon lift (core func $i "scale")))
  (instance $n (instantiate $c (with "next" (func $next)) (with "scale" (func $scale))))
  (alias export $n "f" (func $f))
  (export "f{factor}" (func $f)))"""


def answers(component: bytes, names: Sequence[str]) -> list[object]:
    engine = Engine()
    store = Store(engine)
    instance = wc.Linker(engine).instantiate(store, wc.Component(engine, component))
    found: list[object] = []
    for name in names:
        func = instance.get_func(store, name)
        assert func is not None
        found.append(func(store))
    return found


CALLS: Final = ("f10", "f100", "f10", "f100")


@pytest.mark.parametrize("keep", [(), ("counter",), ("ten",), ("ten", "hundred"), ("counter", "ten", "hundred")])
def test_what_instances_of_another_inputs_component_share_is_shared(keep: tuple[str, ...]) -> None:
    items = inputs({"counter": COUNTER, "ten": user(10), "hundred": user(100)})
    wires = [Wire(name, "demo:counting/parts", "counter", "demo:counting/parts") for name in ("ten", "hundred")]
    whole = composed(items, wires, [Export("ten", "f10"), Export("hundred", "f100")])
    expected = answers(whole, CALLS)
    assert expected == [10, 200, 30, 400]
    result = meldpy.fuse(items, FuseOptions(keeps=keep))
    assert answers(result.bytes, CALLS) == expected
    assert {kept.input for kept in result.report.kept} == set(keep)
    if not keep:
        assert answers(meldpy.fuse(items, FuseOptions(flat=True)).bytes, CALLS) == expected


PASSES_ON: Final = """
(component
  (import "demo:counting/parts" (instance $p
    (export "next" (func (result u32)))
    (export "c" (component
      (import "next" (func (result u32)))
      (import "scale" (func (param "x" u32) (result u32)))
      (export "f" (func (result u32)))))))
  (export "demo:counting/parts" (instance $p)))"""


def test_a_component_goes_through_an_input_that_hands_it_on() -> None:
    items = inputs({"ten": user(10), "between": PASSES_ON, "counter": COUNTER})
    result = meldpy.fuse(items, FuseOptions(chain=True))
    assert answers(result.bytes, ("f10", "f10")) == [10, 20]


NUMBERS: Final = """
(component
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7)))
    (func (export "read") (param i32) (result i32) (local.get 0)))
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core instance $i (instantiate $M (with "" (instance (export "new" (func $new))))))
  (func $make (result (own $r)) (canon lift (core func $i "make")))
  (func $read (param "self" (borrow $r)) (result u32) (canon lift (core func $i "read")))
  (component $c
    (core module $M (func (export "f") (result i32) (i32.const 5)))
    (core instance $i (instantiate $M))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))
  (component $shim
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (result (own $r))))
    (import "read" (func $read (param "self" (borrow $r)) (result u32)))
    (import "c" (component $c (export "f" (func (result u32)))))
    (instance $parts (export "c" (component $c)))
    (export $e "r" (type $r))
    (export "make" (func $make) (func (result (own $e))))
    (export "read" (func $read) (func (param "self" (borrow $e)) (result u32)))
    (export "c" (component $c))
    (export "parts" (instance $parts)))
  (instance $e (instantiate $shim
    (with "r" (type $r)) (with "make" (func $make)) (with "read" (func $read)) (with "c" (component $c))))
  (export "demo:numbers/parts" (instance $e)))"""
"""An interface with a resource type and, twice, a component."""

HAS_NUMBERS: Final = """
(component
  (import "demo:numbers/parts" (instance $p
    (export "r" (type $r (sub resource)))
    (export "make" (func (result (own $r))))
    (export "c" (component (export "f" (func (result u32)))))
    (export "parts" (instance (export "c" (component (export "f" (func (result u32)))))))))
  (alias export $p "c" (component $c))
  (alias export $p "make" (func $make))
  (instance $i (instantiate $c))
  (alias export $i "f" (func $f))
  (export "make" (func $make))
  (export "f" (func $f)))"""


@pytest.mark.parametrize("keep", [(), ("numbers",), ("user",)])
def test_an_interface_that_is_exported_for_its_types_is_so_without_its_components(keep: tuple[str, ...]) -> None:
    """No engine takes a component from a root, and nobody asked for it."""
    result = meldpy.fuse(inputs({"user": HAS_NUMBERS, "numbers": NUMBERS}), FuseOptions(keeps=keep))
    engine = Engine()
    store = Store(engine)
    component = wc.Component(engine, result.bytes)
    parts = component.type.exports(engine)["demo:numbers/parts"].ty
    assert isinstance(parts, wc.ComponentInstanceType)
    assert set(parts.exports(engine)) == {"r", "make", "read", "parts"}
    instance = wc.Linker(engine).instantiate(store, component)
    make, f = instance.get_func(store, "make"), instance.get_func(store, "f")
    inside = instance.get_export_index(store, "demo:numbers/parts")
    index = instance.get_export_index(store, "read", inside)
    assert index is not None
    read = instance.get_func(store, index)
    assert make is not None
    assert read is not None
    assert f is not None
    assert f(store) == 5
    assert read(store, make(store)) == 7


def test_a_component_in_an_interface_that_is_asked_for_stays_refused() -> None:
    with pytest.raises(UnsupportedError, match="unsupported exported component") as caught:
        meldpy.fuse(inputs({"user": HAS_NUMBERS, "numbers": NUMBERS}), FuseOptions(exports=("demo:numbers/parts",)))
    assert caught.value.remedy == "no engine takes a component from a root: leave the export out with --hide"
    assert caught.value.location is not None


def test_a_component_that_no_input_exports_stays_refused() -> None:
    """No engine runs a root that imports a component."""
    items = inputs({"ten": user(10), "other": COUNTER.replace("demo:counting/parts", "demo:counting/others")})
    with pytest.raises(UnsupportedError, match="unsupported imported component"):
        meldpy.fuse(items, FuseOptions(hides=("demo:counting/others",)))


def test_the_reasons_of_a_misfit_are_told_from_the_outside_inwards() -> None:
    wrong = user(10).replace('(export "f" (func (result u32)))))))', '(export "f" (func (result s32)))))))', 1)
    wrong = wrong.replace('(alias export $n "f" (func $f))', "").replace('(export "f10" (func $f))', "")
    with pytest.raises(LinkError) as caught:
        meldpy.fuse(inputs({"user": wrong, "counter": COUNTER}))
    text = caught.value.render()
    assert "an instance of the component has not what the importer expects" in text
    assert "u32 is not s32" in text or "s32 is not u32" in text
