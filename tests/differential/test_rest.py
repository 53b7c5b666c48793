"""What is not fused stays as it was, beside what is: the composition and the mixed form do the same.

Each fixture in a third form, with every instance that has code kept in turn; the options that ask for it; the order of
initialisation across a cut; and groups that a limit of the engines parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from wasmtime import Engine, Module, Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

import meldpy
from meldpy.binary.decode import decode_component
from meldpy.engine.config import full_engine
from meldpy.errors import LimitError, LinkError, UnsupportedError, UsageError
from meldpy.fixture import Fixture, Form, Stage
from meldpy.fixture.compare import compare
from meldpy.fixture.files import components, composed
from meldpy.fixture.prove import fixture_exports, fixture_hides
from meldpy.fixture.scenario import run_scenario, same
from meldpy.fixture.shape import scan
from meldpy.model.component import CanonSection, Component, ComponentSection, CoreModuleSection
from meldpy.model.core import CoreModule
from meldpy.model.linked import LinkedGraph
from meldpy.parts import Built, assemble
from meldpy.pipeline import FuseInput, FuseOptions, encode
from meldpy.pipeline import scan as scan_code
from tests.support.fixtures import all_fixtures
from tests.support.kept import fuse_keeping, linked, with_code

SMALL = [f for f in all_fixtures() if f.stage is Stage.RUNTIME and not f.needs_build]


def forms() -> Iterator[object]:
    for fixture in SMALL:
        for form in fixture.forms:
            yield pytest.param(fixture, form, id=f"{fixture.name}-{form.value}")


def given(fixture: Fixture, form: Form) -> tuple[list[FuseInput], FuseOptions]:
    if form is Form.COMPOSED:
        return [FuseInput(fixture.name, fixture.name, composed(fixture))], FuseOptions()
    binaries = components(fixture)
    exports, hides = fixture_exports(fixture, binaries), fixture_hides(fixture, binaries)
    inputs = [FuseInput(name, name, data) for name, data in binaries.items()]
    return inputs, FuseOptions(links=fixture.links, exports=exports, hides=hides)


@pytest.mark.parametrize(("fixture", "form"), list(forms()))
def test_every_instance_can_be_kept(fixture: Fixture, form: Form) -> None:
    inputs, options = given(fixture, form)
    composition = run_scenario(fixture, composed(fixture))
    for kept in with_code(linked(inputs, options)):
        output, cut = fuse_keeping(inputs, options, lambda graph, kept=kept: [kept])  # type: ignore[misc]
        assert kept in cut.kept
        assert not compare(composition, run_scenario(fixture, output), same), kept


# --- the options ------------------------------------------------------------------------------------------------------
PROVIDER = """
(component
  (core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))
"""
MIDDLE = """
(component
  (import "f" (func $f (param "x" u32) (result u32)))
  (core func $l (canon lower (func $f)))
  (core module $m
    (import "" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (i32.mul (call $f (local.get 0)) (i32.const 10))))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $l))))))
  (func (export "g") (param "x" u32) (result u32) (canon lift (core func $i "g"))))
"""
TOP = (
    MIDDLE.replace('"f" (func $f (param "x"', '"g" (func $f (param "x"')
    .replace('(export "g")', '(export "run")')
    .replace('$i "g"', '$i "run"')
)


def inputs() -> list[FuseInput]:
    texts = {"provider": PROVIDER, "middle": MIDDLE, "top": TOP}
    return [FuseInput(name, name, bytes(wat2wasm(text))) for name, text in texts.items()]


def call(data: bytes, name: str, *args: int) -> object:
    engine = Engine()
    store = Store(engine)
    func = wc.Linker(engine).instantiate(store, wc.Component(engine, data)).get_func(store, name)
    assert func is not None
    return func(store, *args)


def test_an_input_that_is_kept_in_the_middle_parts_the_others() -> None:
    result = meldpy.fuse(inputs(), FuseOptions(keeps=("middle",)))
    report = result.report
    assert call(result.bytes, "run", 1) == 200
    assert scan(result.bytes).nested_components == 3
    assert (report.groups, report.fused_instances, report.call_sites, report.engine_call_sites) == (2, 2, 0, 2)
    (kept,) = report.kept
    assert (kept.label, kept.input) == ("middle", "middle")
    assert [reason.feature for reason in kept.reasons] == ["isolation"]


@pytest.mark.parametrize("kept", ["provider", "top"])
def test_an_input_that_is_kept_at_an_end_leaves_one_group(kept: str) -> None:
    result = meldpy.fuse(inputs(), FuseOptions(keeps=(kept,)))
    assert call(result.bytes, "run", 1) == 200
    assert scan(result.bytes).nested_components == 2
    assert (result.report.groups, result.report.call_sites, result.report.engine_call_sites) == (1, 1, 1)


def test_if_all_are_kept_the_root_wires_them() -> None:
    result = meldpy.fuse(inputs(), FuseOptions(keeps=("provider", "middle", "top")))
    assert call(result.bytes, "run", 1) == 200
    assert (result.report.groups, result.report.fused_instances, result.report.engine_call_sites) == (0, 0, 2)


def test_the_only_input_that_is_kept_comes_out_as_it_went_in() -> None:
    (first, *_) = inputs()
    assert meldpy.fuse([first], FuseOptions(keeps=("provider",))).bytes == first.data


def test_without_kept_instances_there_is_no_rest() -> None:
    flat = meldpy.fuse(inputs(), FuseOptions(flat=True))
    assert meldpy.fuse(inputs()).bytes == flat.bytes
    assert scan(flat.bytes).nested_components == 0
    assert not flat.report.kept


def test_names_that_no_input_has_cannot_be_kept() -> None:
    with pytest.raises(LinkError, match="no input is called `nobody`") as caught:
        meldpy.fuse(inputs(), FuseOptions(keeps=("nobody",)))
    assert "`middle`" in caught.value.causes[0]


def test_what_no_instance_accounts_for_keeps_all() -> None:
    """A stage may say no where nothing was foreseen that does: it is not refused."""
    outputs: list[Component] = []

    def no(graph: LinkedGraph) -> Built:
        raise UnsupportedError("thing", "nobody foresaw it")

    def check(output: Component | CoreModule) -> None:
        assert isinstance(output, Component)
        outputs.append(output)

    graph = linked(inputs(), FuseOptions())
    cut = assemble(graph, no, scan_code, check, {}).partition
    assert {graph.instances[id_].label for id_ in cut.kept} >= {"provider", "middle", "top"}
    assert call(encode(outputs[-1]), "run", 1) == 200
    with pytest.raises(UnsupportedError, match="nobody foresaw it"):
        assemble(graph, no, scan_code, check, {}, only_flat=True)


def test_flat_and_keep_contradict_each_other() -> None:
    with pytest.raises(UsageError):
        meldpy.fuse(inputs(), FuseOptions(keeps=("top",), flat=True))


def test_a_mixed_output_is_an_input_again() -> None:
    once = meldpy.fuse(inputs(), FuseOptions(keeps=("middle",)))
    twice = meldpy.fuse([once.bytes])
    assert scan(twice.bytes).nested_components == 0
    assert twice.report.call_sites == 2
    assert call(twice.bytes, "run", 1) == 200


# --- what cannot be fused --------------------------------------------------------------------------------------------
ASYNC = """
(component
  (core type $start (func (param i32)))
  (core module $t (table (export "t") 1 funcref))
  (core instance $t (instantiate $t))
  (core module $m
    (import "" "return" (func $return (param i32)))
    (import "" "thread" (func $thread (param i32 i32) (result i32)))
    (func (export "f") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (drop (call $thread (i32.const 0) (i32.const 0)))))
      (call $return (i32.add (local.get 0) (i32.const 1))) (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) (unreachable)))
  (core func $return (canon task.return (result u32)))
  (core func $thread (canon thread.new-indirect $start (core table $t "t")))
  (core instance $i (instantiate $m (with "" (instance
    (export "return" (func $return)) (export "thread" (func $thread))))))
  (func (export "f") async (param "x" u32) (result u32)
    (canon lift (core func $i "f") async (callback (core func $i "cb")))))
"""
"""Neither carried by emitted code nor left to the engine in a flat output."""


def one_async() -> FuseInput:
    return FuseInput("provider", "provider", bytes(wat2wasm(ASYNC)))


def test_a_lone_input_that_cannot_be_fused_comes_out_as_it_went_in() -> None:
    item = one_async()
    result = meldpy.fuse([item])
    assert result.bytes == item.data
    (kept,) = result.report.kept
    assert {reason.feature for reason in kept.reasons} == {"async"}
    assert all(reason.location is not None for reason in kept.reasons)


def test_a_kept_instance_says_why_its_async_cannot_be_left_to_the_engine() -> None:
    (kept,) = meldpy.fuse([one_async()]).report.kept
    (last,) = (reason for reason in kept.reasons if "cannot be left to the engine" in reason.text)
    assert last.text.endswith("a thread's start function lies in a table of the instance")
    assert last.location is not None
    decoded = decode_component(one_async().data, "provider")
    offsets = [offset for each in decoded.sections if isinstance(each, CanonSection) for offset in each.offsets]
    assert last.location.offset in offsets


def test_flat_refuses_what_cannot_be_fused() -> None:
    with pytest.raises(UnsupportedError, match="unsupported async"):
        meldpy.fuse([one_async()], FuseOptions(flat=True))


IMPORTED_COMPONENT = '(component (import "c" (component)) (instance (instantiate 0)))'


def test_a_lone_input_that_cannot_be_evaluated_comes_out_as_it_went_in() -> None:
    data = bytes(wat2wasm(IMPORTED_COMPONENT))
    result = meldpy.fuse([data], FuseOptions(validate=False))
    assert result.bytes == data
    (kept,) = result.report.kept
    assert kept.reasons[0].feature == "imported component"
    for options in (FuseOptions(flat=True), FuseOptions(strict=True), FuseOptions(hides=("x",))):
        with pytest.raises(UnsupportedError):
            meldpy.fuse([data], replace(options, validate=False))


EXPORTED_COMPONENT = """
(component
  (component $c
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (export "c" (component $c)))
"""


def test_a_lone_input_that_exports_a_component_comes_out_as_it_went_in() -> None:
    data = bytes(wat2wasm(EXPORTED_COMPONENT))
    result = meldpy.fuse([data])
    assert result.bytes == data
    (kept,) = result.report.kept
    assert kept.reasons[0].feature == "exported component"
    with pytest.raises(UnsupportedError, match="unsupported exported component"):
        meldpy.fuse([data], FuseOptions(flat=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (IMPORTED_COMPONENT, "root-level component imports are not supported"),
        (EXPORTED_COMPONENT, "exporting a component from the root component is not supported"),
        ('(component (import "v" (value string)))', "support for component model `value`s is not enabled"),
    ],
)
def test_the_engine_runs_no_root_with_components_or_values_at_its_edge(text: str, words: str) -> None:
    """Should it learn to, then several inputs with such things want a rest; until then they are refused."""
    with pytest.raises(WasmtimeError, match=words):
        wc.Component(full_engine().engine, bytes(wat2wasm(text)))


@pytest.mark.parametrize("text", [IMPORTED_COMPONENT, EXPORTED_COMPONENT])
def test_components_at_the_edge_of_several_inputs_are_refused(text: str) -> None:
    inputs = [bytes(wat2wasm(each)) for each in (text, PROVIDER)]
    with pytest.raises(UnsupportedError, match=r"unsupported (im|ex)ported component"):
        meldpy.fuse(inputs)


I64 = """
(component
  (component $p
    (core module $m (memory (export "m") i64 1) (func (export "dtor") (param i64)))
    (core instance $i (instantiate $m))
    (type $r (resource (rep i64) (dtor (core func $i "dtor"))))
    (export "r" (type $r)))
  (instance $i (instantiate $p))
  (export "i" (instance $i)))
"""
REFERENCES = """
(component
  (core module $m (func (export "f") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (core type $shape (struct (field (mut i32))))
  (core type $ty (func (result i32)))
  (func $f (result u32) (canon lift (core func $i "f") gc))
  (export "f" (func $f)))
"""


@pytest.mark.parametrize(("text", "feature"), [(I64, "resource representation"), (REFERENCES, "canonical option")])
def test_forms_that_no_adapter_knows_are_kept(text: str, feature: str) -> None:
    other = FuseInput("provider", "provider", bytes(wat2wasm(PROVIDER.replace('"f"', '"g"'))))
    mine = FuseInput("odd", "odd", bytes(wat2wasm(text)))
    result = meldpy.fuse([mine, other])
    (kept,) = result.report.kept
    assert kept.input == "odd"
    assert [reason.feature for reason in kept.reasons] == [feature]
    assert not kept.reasons[0].text.startswith("unsupported")
    assert result.report.groups == 1
    with pytest.raises(UnsupportedError, match=f"unsupported {feature}"):
        meldpy.fuse([mine, other], FuseOptions(flat=True))


def test_an_instance_that_is_all_there_is_lies_in_the_root() -> None:
    """A component around one async instance: nothing is nested that need not be."""
    text = ASYNC.strip().replace("(component", "(component $inner", 1)
    outer = f'(component {text} (instance $i (instantiate $inner)) (export "f" (func $i "f")))'
    options = FuseOptions(exports=("f",))
    result = meldpy.fuse([FuseInput("outer", "outer", bytes(wat2wasm(outer)))], options)
    assert len(result.report.kept) == 1
    assert not [
        section for section in decode_component(result.bytes, "").sections if isinstance(section, ComponentSection)
    ]


# --- core modules that come from outside, and that are handed on ------------------------------------------------------
OPEN = """
(component
  (import "lib" (instance $lib (export "m" (core module (export "f" (func (param i32) (result i32)))))))
  (alias export $lib "m" (core module $m))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))
"""
HANDS_ON = MIDDLE.replace(
    '(func (export "g") (param "x" u32)', '(export "m" (core module $m)) (func (export "g") (param "x" u32)'
)


def module_host(engine: Engine, store: Store, data: bytes) -> wc.Instance:
    linker = wc.Linker(engine)
    text = '(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))'
    with linker.root() as root, root.add_instance("lib") as lib:
        lib.add_module("m", Module(engine, text))
    return linker.instantiate(store, wc.Component(engine, data))


def test_an_instance_of_an_imported_core_module_is_kept_and_the_others_are_fused() -> None:
    texts = {"open": OPEN, "middle": HANDS_ON, "top": TOP}
    items = [FuseInput(name, name, bytes(wat2wasm(text))) for name, text in texts.items()]
    result = meldpy.fuse(items)
    (kept,) = result.report.kept
    assert (kept.input, kept.reasons[0].feature) == ("open", "imported core module")
    assert (result.report.groups, result.report.fused_instances, result.report.call_sites) == (1, 2, 1)
    engine = Engine()
    store = Store(engine)
    run = module_host(engine, store, result.bytes).get_func(store, "run")
    assert run is not None
    assert run(store, 1) == 200
    with pytest.raises(UnsupportedError, match="unsupported imported core module"):
        meldpy.fuse(items, FuseOptions(flat=True))


def test_an_imported_core_module_that_nothing_instantiates_stays_an_import() -> None:
    text = PROVIDER.replace(
        "(component", '(component (import "m" (core module (import "a" "b" (func)) (export "g" (func))))', 1
    )
    result = meldpy.fuse([bytes(wat2wasm(text))], FuseOptions(flat=True))
    engine = Engine()
    assert list(wc.Component(engine, result.bytes).type.imports(engine)) == ["m"]


def test_a_core_module_is_handed_on_untouched() -> None:
    data = bytes(wat2wasm(HANDS_ON))
    result = meldpy.fuse([data], FuseOptions(flat=True))
    (given,) = (s.module for s in decode_component(data, "").sections if isinstance(s, CoreModuleSection))
    assert given in [s.module for s in decode_component(result.bytes, "").sections if isinstance(s, CoreModuleSection)]
    engine = Engine()
    assert list(wc.Component(engine, result.bytes).type.exports(engine)) == ["m", "g"]
    with pytest.raises(UnsupportedError, match="exported core module"):
        meldpy.fuse([data], FuseOptions(core=True))


@pytest.mark.parametrize(
    ("exported", "fits"),
    [
        ('(func (export "f") (param i32) (result i32) (local.get 0))', True),
        ('(func (export "f") (param i32) (result i32) (local.get 0)) (memory (export "more") 1)', True),
        ('(func (export "f") (param i64) (result i32) (i32.const 0))', False),
        ('(func (export "other") (param i32) (result i32) (local.get 0))', False),
        ('(import "" "g" (func)) (func (export "f") (param i32) (result i32) (local.get 0))', False),
        ('(memory (export "f") 1)', False),
    ],
)
def test_a_core_module_of_another_input_has_to_fit(exported: str, fits: bool) -> None:
    lib = '(instance $i (export "m" (core module $m))) (export "lib" (instance $i))'
    provider = f"(component (core module $m {exported}) {lib})"
    items = [
        FuseInput(name, name, bytes(wat2wasm(text))) for name, text in {"open": OPEN, "provider": provider}.items()
    ]
    if fits:
        result = meldpy.fuse(items, FuseOptions(flat=True))
        assert call(result.bytes, "f", 7) == 7
    else:
        with pytest.raises(LinkError):
            meldpy.fuse(items)


def test_inputs_that_import_one_core_module_share_the_import() -> None:
    items = [
        FuseInput(name, name, bytes(wat2wasm(OPEN.replace('(export "f") (param "x"', f'(export "{name}") (param "x"'))))
        for name in ("one", "two")
    ]
    result = meldpy.fuse(items)
    engine = Engine()
    store = Store(engine)
    instance = module_host(engine, store, result.bytes)
    assert [instance.get_func(store, name)(store, 4) for name in ("one", "two")] == [5, 5]  # type: ignore[misc]


# --- the order of initialisation --------------------------------------------------------------------------------------
def starter(name: str, *, imports: str = "") -> str:
    """A component whose start function tells the host its number, and that exports a function of that name."""
    return f"""
    (component ${name} (import "log" (func $log (param "x" u32))) {imports}
      (core func $log (canon lower (func $log)))
      (core module $m (import "" "log" (func $log (param i32)))
        (func $start (call $log (i32.const {ord(name)}))) (start $start)
        (func (export "f") (result i32) (i32.const {ord(name)})))
      (core instance $i (instantiate $m (with "" (instance (export "log" (func $log))))))
      (func (export "{name}") (result u32) (canon lift (core func $i "f"))))"""


ORDER = f"""
(component (import "log" (func $log (param "x" u32)))
  {starter("a")} {starter("b")} {starter("c")}
  (instance $a (instantiate $a (with "log" (func $log))))
  (instance $b (instantiate $b (with "log" (func $log))))
  (instance $c (instantiate $c (with "log" (func $log))))
  (export "a" (func $a "a")) (export "b" (func $b "b")) (export "c" (func $c "c")))
"""


def logged(data: bytes) -> list[int]:
    engine, seen = Engine(), list[int]()
    store, linker = Store(engine), wc.Linker(engine)
    with linker.root() as root:
        root.add_func("log", lambda store, x: seen.append(x))
    linker.instantiate(store, wc.Component(engine, data))
    return seen


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_host_sees_start_functions_in_their_order(number: int) -> None:
    data = bytes(wat2wasm(ORDER))
    output, cut = fuse_keeping([FuseInput("o", "o", data)], FuseOptions(), lambda graph: [with_code(graph)[number]])
    assert logged(data) == logged(output) == [*map(ord, "abc")]
    assert len(cut.parts) == (3 if number == 1 else 2)


def test_start_functions_that_call_nothing_part_no_group() -> None:
    silent = ORDER.replace("(call $log (i32.const", "(drop (i32.const")
    item = FuseInput("o", "o", bytes(wat2wasm(silent)))
    _, cut = fuse_keeping([item], FuseOptions(), lambda graph: [with_code(graph)[1]])
    assert len(cut.parts) == 2


# --- limits of the engines --------------------------------------------------------------------------------------------
def many(count: int) -> bytes:
    """So many instances, each with a memory of its own that its function reads."""
    parts = [
        f"""(component $c{i}
          (core module $m (memory 1) (data (i32.const 0) "\\{i % 256:02x}")
            (func (export "f") (result i32) (i32.load8_u (i32.const 0))))
          (core instance $i (instantiate $m))
          (func (export "f") (result u32) (canon lift (core func $i "f"))))
        (instance $i{i} (instantiate $c{i}))"""
        for i in range(count)
    ]
    exports = [f'(export "f{i}" (func $i{i} "f"))' for i in range(count)]
    return bytes(wat2wasm(f"(component {' '.join(parts + exports)})"))


def test_more_memories_than_one_module_may_have_are_several_groups() -> None:
    data = many(103)
    result = meldpy.fuse([data])
    assert (result.report.groups, result.report.fused_instances, result.report.kept) == (2, 103, ())
    assert [call(result.bytes, f"f{i}") for i in (0, 50, 51, 52, 102)] == [0, 50, 51, 52, 102]
    with pytest.raises(LimitError):
        meldpy.fuse([data], FuseOptions(flat=True))
