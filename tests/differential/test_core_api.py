"""Core outputs called directly, through `meldpy.core` over the engine's core API: every fixture does what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy import core
from meldpy.core import Case, GuestTrap, Handle
from meldpy.errors import DecodeError, UnsupportedError, UsageError
from meldpy.pipeline import FuseOptions
from tests.support.asyncs import TALK
from tests.support.core_output import ASYNC, AT_RUNTIME, beside, core_of, module_of
from tests.support.core_scenario import Player
from tests.support.fixtures import load

NEED_WASI = {"errand", "errand-wac", "printer", "printer-both", "two-wasi", "wasi-lent-stream"}
"""Their scenarios call functions of WASI, which this host does not provide."""
DIRECT = [fixture.name for fixture in AT_RUNTIME if fixture.name not in NEED_WASI | ASYNC]


@pytest.mark.parametrize("memory", ["separate", "single"])
@pytest.mark.parametrize("name", DIRECT)
def test_fixture_does_what_it_says(name: str, memory: str) -> None:
    fixture = load(name)
    assert not Player(core_of(fixture, memory=memory), fixture).play()


def test_those_that_are_left_out_import_wasi() -> None:
    assert {f.name for f in AT_RUNTIME} >= NEED_WASI
    for name in sorted(NEED_WASI):
        assert any(import_.module.startswith("wasi:") for import_ in module_of(core_of(load(name))).imports)


@pytest.mark.parametrize("name", sorted(ASYNC))
def test_async_functions_are_for_engines_of_components(name: str) -> None:
    guest = core.load(core_of(load(name)))
    slow = [each.label for each in guest.surface.exports if each.callback is not None]
    assert slow
    for label in slow:
        with pytest.raises(UnsupportedError, match=f"unsupported async: {label} is an async function"):
            guest.call(label)


def test_a_guest_that_asks_for_async_is_refused() -> None:
    guest = core.load(core_of(load("async-host")))
    with pytest.raises(UnsupportedError, match=r"the guest calls demo:slow/api@1.0.0 later") as caught:
        guest.call("run-blocking", 1, 2)
    assert caught.value.remedy is not None


@pytest.mark.parametrize("memory", ["separate", "single"])
def test_calls_beside_async_leave_nothing_behind(memory: str) -> None:
    module = meldpy.fuse([bytes(wat2wasm(TALK)), beside()], FuseOptions(core=True, memory=memory)).bytes
    guest = core.load(module, {"echo": lambda text: f"{text}!"})
    assert guest.call("greet", "hey") == "hey!!"
    before = guest._running().memory_size()
    assert {guest.call("greet", "hey") for _ in range(1500)} == {"hey!!"}
    assert {guest.call("measure", "hey") for _ in range(6000)} == {3}
    assert guest.call("freed") != 0
    assert guest._running().memory_size() == before


# --- values -----------------------------------------------------------------------------------------------------------
def echo_component(type_: str, code: str) -> str:
    """A component that returns what it is given: the guest keeps its parameters' memory as its result."""
    return f"""(component
      (core module $m
        (memory (export "m") 1)
        (global $at (mut i32) (i32.const 1024))
        (func (export "r") (param i32 i32 i32 i32) (result i32)
          (local $new i32)
          (local.set $new (i32.and (i32.add (global.get $at) (i32.sub (local.get 2) (i32.const 1)))
                                   (i32.sub (i32.const 0) (local.get 2))))
          (global.set $at (i32.add (local.get $new) (local.get 3)))
          local.get $new)
        {code})
      (core instance $i (instantiate $m))
      (func (export "echo") (param "v" {type_}) (result {type_})
        (canon lift (core func $i "f") (memory $i "m") (realloc (func $i "r")))))"""


POINTER_AND_LENGTH = """(func (export "f") (param i32 i32) (result i32)
  (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) i32.const 16)"""
TAG_AND_I32 = """(func (export "f") (param i32 i32) (result i32)
  (i32.store8 (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) i32.const 16)"""


def instance_of(wat: str) -> core.Instance:
    return core.load(meldpy.fuse([bytes(wat2wasm(wat))], FuseOptions(core=True)).bytes)


@pytest.mark.parametrize(
    ("type_", "code", "value"),
    [
        ("string", POINTER_AND_LENGTH, "grüße, 𝕨orld"),
        ("(list u8)", POINTER_AND_LENGTH, [0, 1, 255]),
        ("(list (tuple s16 (option string)))", POINTER_AND_LENGTH, [(-5, None), (7, "x"), (0, "")]),
        ("(list (option (option u32)))", POINTER_AND_LENGTH, [Case("none"), Case("some", None), Case("some", 4)]),
        ("(list (result u64 (error char)))", POINTER_AND_LENGTH, [Case("ok", 1 << 63), Case("error", "ß")]),
        ("(list (tuple bool f32 f64))", POINTER_AND_LENGTH, [(True, 1.5, -0.25), (False, 0.0, 1e300)]),
        ("(option s32)", TAG_AND_I32, -7),
        ("(option u32)", TAG_AND_I32, None),
        ("(result f32 (error u32))", TAG_AND_I32, Case("ok", 2.5)),
        ("(result f32 (error u32))", TAG_AND_I32, Case("error", 9)),
    ],
)
def test_values_come_back_as_they_went(type_: str, code: str, value: object) -> None:
    assert instance_of(echo_component(type_, code)).call("echo", value) == value


def test_what_a_case_has_no_value_for_is_zero() -> None:
    """Spec: lower_flat_variant."""
    given = '(func (export "f") (param i32 i32) (result i32) (local.get 1))'
    told = echo_component("(option u32)", given).replace("(result (option u32))", "(result u32)")
    assert instance_of(told).call("echo", None) == 0
    assert instance_of(told).call("echo", 5) == 5


def test_values_that_do_not_fit_are_refused() -> None:
    instance = instance_of(echo_component("(list u16)", POINTER_AND_LENGTH))
    with pytest.raises(UsageError, match="a number of type u16 is wanted, not 65536"):
        instance.call("echo", [65_536])
    assert instance.call("echo", [65_535]) == [65_535]  # the guest was not entered


def test_what_the_guest_gets_wrong_is_a_trap_and_ends_the_instance() -> None:
    outside = '(func (export "f") (param i32 i32) (result i32) i32.const 70000)'
    instance = instance_of(echo_component("string", outside))
    with pytest.raises(GuestTrap, match="out of bounds"):
        instance.call("echo", "x")
    with pytest.raises(GuestTrap, match="cannot enter"):
        instance.call("echo", "x")


# --- resources --------------------------------------------------------------------------------------------------------
def test_handles_are_objects_that_run_destructors_when_dropped() -> None:
    fixture = load("resource-host")
    instance = core.load(core_of(fixture))
    jars = "demo:jars/jars@1.0.0#"
    jar = instance.call(f"{jars}[constructor]jar", "plum")
    assert isinstance(jar, Handle)
    assert instance.call(f"{jars}[method]jar.label", jar) == "plum"
    before = instance.call(f"{jars}open")
    jar.drop()
    assert instance.call(f"{jars}open") == before - 1
    with pytest.raises(UsageError, match="dropped, or given away"):
        jar.drop()
    with pytest.raises(UsageError, match="dropped, or given away"):
        instance.call(f"{jars}[method]jar.label", jar)
    assert instance.call(f"{jars}open") == before - 1


TURNS = """(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "turn") (result i32) (local $index i32)
      (local.set $index (call $new (i32.const 7)))
      (call $drop (local.get $index))
      (local.get $index))
    (func (export "keep") (result i32) (call $new (i32.const 8))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func $turn (result u32) (canon lift (core func $i "turn")))
  (func $keep (result u32) (canon lift (core func $i "keep")))
  (instance $c (export "r" (type $r)) (export "turn" (func $turn)) (export "keep" (func $keep)))
  (export "a:b/c" (instance $c)))"""


def test_an_index_that_is_free_is_the_next_to_be_used() -> None:
    instance = instance_of(TURNS)
    indices = [instance.call(f"a:b/c#{name}") for name in ("keep", "turn", "turn", "keep", "turn", "keep")]
    assert indices == [1, 2, 2, 2, 3, 3]


DROPS = """(component
  (import "a:b/c" (instance $c (export "r" (type $r (sub resource))) (export "make" (func (result (own $r))))))
  (alias export $c "r" (type $r))
  (core func $make (canon lower (func $c "make")))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "make" (func $make (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (call $drop (call $make))))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $i "run"))))"""


def test_a_host_is_told_which_of_its_resources_the_guest_dropped() -> None:
    module = meldpy.fuse([bytes(wat2wasm(DROPS))], FuseOptions(core=True)).bytes
    made: list[object] = []
    dropped: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    guest = core.load(module, {"a:b/c#make": make, "a:b/c#[resource-drop]r": dropped.append})
    guest.call("run")
    guest.call("run")
    assert len(dropped) == 2
    assert dropped == made
    core.load(module, {"a:b/c#make": make}).call("run")  # nobody needs to listen


def test_a_handle_is_good_for_its_own_instance_only() -> None:
    """Two instances of a module have the same resource types."""
    fixture = load("resource-host")
    one, other = core.load(core_of(fixture)), core.load(core_of(fixture))
    jars = "demo:jars/jars@1.0.0#"
    jar = one.call(f"{jars}[constructor]jar", "plum")
    with pytest.raises(UsageError, match="a handle of jar is wanted"):
        other.call(f"{jars}[method]jar.label", jar)
    assert one.call(f"{jars}[method]jar.label", jar) == "plum"


# --- the manifest -----------------------------------------------------------------------------------------------------
def test_manifest_says_all_that_a_host_needs(tmp_path: Path) -> None:
    fixture = load("hello")
    inputs = [str(fixture.directory / f"{name}.wasm") for name in ("greeter", "app")]
    output, described = tmp_path / "out.wasm", tmp_path / "out.json"
    command = [sys.executable, "-m", "meldpy", "fuse", "--core", "--core-manifest", described, "-o", output, *inputs]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(described.read_text())
    (greet,) = found.pop("exports")
    assert greet == {
        "name": "greet",
        "postReturn": "cabi_post_greet",
        "callback": None,
        "interface": None,
        "function": "greet",
        "async": False,
        "params": [{"name": "name", "type": "string"}],
        "result": "string",
        "core": {"params": ["i32", "i32"], "results": ["i32"]},
    }
    assert found == {
        "schema": 1,
        "stringEncoding": "utf8",
        "memory": "memory",
        "realloc": "cabi_realloc",
        "initialize": None,
        "imports": [],
        "resources": [],
        "asyncBuiltins": [],
        "types": [],
    }


def test_manifest_lists_types_and_resources_of_every_fixture() -> None:
    for name in ("resource-handover", "variants", "flags", "records"):
        described = core.manifest(core.read_surface(core_of(load(name))))
        numbers = range(len(described["types"]))
        mentioned = [f["result"] for f in described["exports"]] + [
            p["type"] for f in described["exports"] for p in f["params"]
        ]
        assert all(each in numbers for each in mentioned if isinstance(each, int))
    jars = core.manifest(core.read_surface(core_of(load("resource-host"))))
    (jar, *_) = jars["resources"]
    assert (jar["interface"], jar["name"], jar["definedBy"]) == ("demo:jars/jars@1.0.0", "jar", "guest")
    assert jar["dtor"] == "demo:jars/jars@1.0.0#[dtor]jar"


def test_manifest_names_async_functions_as_the_module_does() -> None:
    module = core_of(load("async-host"))
    described = core.manifest(core.read_surface(module))
    decoded = module_of(module)
    names = {(each.module, each.name) for each in decoded.imports}
    listed = {(each["module"], each["name"]) for each in (*described["imports"], *described["asyncBuiltins"])}
    assert listed == names
    assert any(name.startswith("[async-lower]") for _, name in names)
    exports = {export.name for export in decoded.exports}
    assert {each["name"] for each in described["exports"]} <= exports
    lifted = [each for each in described["exports"] if each["name"].startswith("[async-lift]")]
    assert lifted
    assert {each["callback"] for each in lifted} <= exports
    assert all(each["core"]["results"] == ["i32"] for each in lifted)


CALLS_OUT = """(component
  (import "f" (func $f))
  (core func $lowered (canon lower (func $f)))
  (core module $m (import "" "f" (func $f)) (func (export "run") (call $f)))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $lowered))))))
  (func (export "run") (canon lift (core func $i "run"))))"""


def test_what_nothing_provides_is_said_with_a_remedy() -> None:
    instance = core.load(meldpy.fuse([bytes(wat2wasm(CALLS_OUT))], FuseOptions(core=True)).bytes)
    with pytest.raises(UsageError, match="the guest calls f, which nothing provides") as caught:
        instance.call("run")
    assert "meld run" in str(caught.value.remedy)


def test_a_module_without_a_world_is_refused() -> None:
    with pytest.raises(DecodeError, match="no component-type section"):
        core.load(bytes(wat2wasm("(module)")))
