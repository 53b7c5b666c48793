"""`explain`: what is said of a fuse is what the stages did, for every class of call site."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

import meldpy
from meldpy.pipeline import FuseInput, FuseOptions
from meldpy.report.explanation import Explanation, Site
from tests.support.fixtures import ROOT
from tests.support.resource_guests import PING

CALLEE = """(component
  (core module $m (memory (export "mem") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "is") (param i32) (result i32) (local.get 0))
    (func (export "len") (param i32 i32) (result i32) (local.get 1))
    (func (export "unused") (result i32) (i32.const 12345678)))
  (core instance $i (instantiate $m))
  (alias core export $i "mem" (core memory $mem))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "is") (param "c" char) (result bool) (canon lift (core func $i "is")))
  (func (export "len") (param "s" string) (result u32)
    (canon lift (core func $i "len") (memory $mem) (realloc (func $i "realloc")) string-encoding=utf16))
  (func (export "sum") (param "l" (list u64)) (result u32)
    (canon lift (core func $i "len") (memory $mem) (realloc (func $i "realloc")))))"""
CALLER = """(component
  (import "add" (func $add (param "a" u32) (param "b" u32) (result u32)))
  (import "is" (func $is (param "c" char) (result bool)))
  (import "len" (func $len (param "s" string) (result u32)))
  (import "sum" (func $sum (param "l" (list u64)) (result u32)))
  (import "host" (func $host (param "s" string)))
  (import "extra" (func $extra))
  (core module $memory (memory (export "mem") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "mem" (core memory $mem))
  (core func $add (canon lower (func $add)))
  (core func $is (canon lower (func $is)))
  (core func $len (canon lower (func $len) (memory $mem)))
  (core func $sum (canon lower (func $sum) (memory $mem)))
  (core func $host (canon lower (func $host) (memory $mem)))
  (core module $m
    (import "" "add" (func $add (param i32 i32) (result i32))) (import "" "is" (func $is (param i32) (result i32)))
    (import "" "len" (func $len (param i32 i32) (result i32)))
    (import "" "sum" (func $sum (param i32 i32) (result i32)))
    (import "" "host" (func $host (param i32 i32)))
    (func (export "run") (result i32)
      (call $host (i32.const 0) (i32.const 0))
      (i32.add (i32.add (call $add (i32.const 1) (i32.const 2)) (call $is (i32.const 65)))
        (i32.add (call $len (i32.const 0) (i32.const 0)) (call $sum (i32.const 0) (i32.const 0))))))
  (core instance $i (instantiate $m (with "" (instance (export "add" (func $add)) (export "is" (func $is))
    (export "len" (func $len)) (export "sum" (func $sum)) (export "host" (func $host))))))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))"""
PAIR = [FuseInput("app", "app.wat", CALLER.encode()), FuseInput("lib", "lib.wat", CALLEE.encode())]


@pytest.fixture(scope="module")
def told() -> Explanation:
    return meldpy.explain(PAIR)


def site(told: Explanation, function: str) -> Site:
    (found,) = [each for each in told.sites if each.function == function]
    assert (found.caller, found.callee) == ("app", "lib")
    return found


def test_every_import_is_explained(told: Explanation) -> None:
    links = {link.name: (link.provider, link.export, link.why) for link in told.links if link.importer == "app"}
    assert links["add"] == ("lib", "add", "an export of that name")
    assert links["host"] == (None, None, "nothing satisfies it")
    opened = meldpy.explain(PAIR, FuseOptions(opens=("app:add",), links=("app:is=lib:is",)))
    why = {link.name: link.why for link in opened.links}
    assert why["add"] == "left to the host by hand (--open)"
    assert why["is"] == "decided by hand (--link)"
    chained = meldpy.explain(PAIR, FuseOptions(chain=True))
    assert {link.why for link in chained.links if link.provider} == {
        "the next input to the right that exports it (--chain)"
    }


def test_a_version_on_the_same_track_is_told(told: Explanation) -> None:
    pair = [FuseInput("a", "a", b'(component (import "a:b/c@1.0.0" (instance)))')]
    pair += [FuseInput("b", "b", b'(component (instance $i) (export "a:b/c@1.2.0" (instance $i)))')]
    (link,) = meldpy.explain(pair).links
    assert (link.export, link.why) == ("a:b/c@1.2.0", "the highest version on the same track")


def test_classes_are_by_the_dearest_thing(told: Explanation) -> None:
    assert {each.function: each.class_.value for each in told.sites} == {
        "add": "direct",
        "is": "flat",
        "len": "transcode",
        "sum": "copy",
    }


def test_checks_are_those_that_the_code_has(told: Explanation) -> None:
    assert site(told, "add").checks == ()
    assert site(told, "is").checks == ("invalid char",)
    text = site(told, "len").checks
    assert "invalid utf8" in text
    assert "invalid utf16" not in text
    assert "string pointer misaligned" not in text, "that is the rule of utf16 sources"


def test_what_a_proof_removed_is_told(told: Explanation) -> None:
    assert {proof.check for proof in site(told, "is").proved} == {
        "cannot leave component instance",
        "uncaught exception",
    }
    throwing = CALLEE.replace(
        '(func (export "is") (param i32) (result i32) (local.get 0))',
        '(tag $t) (func (export "is") (param i32) (result i32) (throw $t))',
    )
    found = site(meldpy.explain([PAIR[0], FuseInput("lib", "lib.wat", throwing.encode())]), "is")
    assert "uncaught exception" in found.checks
    assert "uncaught exception" not in {proof.check for proof in found.proved}


def test_bytes_are_estimated_from_the_type(told: Explanation) -> None:
    lists = site(told, "sum")
    assert lists.per_item == ("a list: 8 bytes an element",)
    assert lists.moves == ("as bytes at once: 8 bytes each",)


def test_memories_what_is_left_out_and_the_host(told: Explanation) -> None:
    assert sorted((memory.name, memory.pages) for memory in told.memories) == [("app", "1.."), ("lib", "1..4")]
    (gone,) = [each for each in told.removed if each.instance == "lib"]
    assert (gone.functions, gone.functions_removed) == (5, 1)
    assert gone.largest == (f"function 4: {gone.code_bytes_removed} bytes",)
    (host,) = told.host
    assert (host.name, host.caller, host.type) == ("host", "app", "func(s: string)")
    assert host.needs == ("memory of app",)


def test_handles_and_what_stays_with_the_engine() -> None:
    told = meldpy.explain([FuseInput("ping", "ping.wat", PING.encode())])
    assert "handles" in {each.class_.value for each in told.sites}
    apart = meldpy.explain(PAIR, FuseOptions(keeps=("lib",)))
    assert {each.class_.value for each in apart.sites} == {"engine"}
    assert [(kept.label, kept.reasons) for kept in apart.kept] == [
        ("lib", ("isolation: --keep lib, at lib.wat (at offset 0x0)",))
    ]


@pytest.mark.parametrize(("kept", "functions"), [("lib", {"add", "len", "sum"}), ("app", {"add", "is", "len", "sum"})])
def test_calls_of_the_engine_are_those_that_fused_code_makes_and_all_that_kept_code_could(
    kept: str, functions: set[str]
) -> None:
    idle = FuseInput("app", "app.wat", CALLER.replace("(call $is (i32.const 65))", "(i32.const 0)").encode())
    told = meldpy.explain([idle, PAIR[1]], FuseOptions(keeps=(kept,)))
    assert {each.function for each in told.sites} == functions


def test_a_function_is_called_as_the_caller_imports_it_whatever_its_core_export_is_called() -> None:
    lib = """(component
      (core module $m (func (export "x#y")))
      (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "x#y")))
      (instance $out (export "do" (func $f)))
      (export "a:b/c" (instance $out)))"""
    app = """(component
      (import "a:b/c" (instance $in (export "do" (func))))
      (core func $do (canon lower (func $in "do")))
      (core module $m (import "" "do" (func $do)) (func (export "run") (call $do)))
      (core instance $i (instantiate $m (with "" (instance (export "do" (func $do))))))
      (func (export "run") (canon lift (core func $i "run"))))"""
    pair = [FuseInput("app", "app.wat", app.encode()), FuseInput("lib", "lib.wat", lib.encode())]
    (found,) = meldpy.explain(pair).sites
    assert found.function == "a:b/c#do"
    drawn = json.loads(meldpy.graph(pair, format="json"))
    assert [line["label"] for line in drawn["after"]["lines"] if line["class"] == found.class_.value] == ["a:b/c"]


def test_tasks_are_async() -> None:
    folder = ROOT / "async-c"
    told = meldpy.explain(sorted(folder.glob("*.wasm")))
    assert "async" in {each.class_.value for each in told.sites}


@pytest.mark.parametrize("core", [False, True])
def test_the_json_form_fits_the_schema_that_is_shipped(core: bool) -> None:
    schema = json.loads((files("meldpy.report") / "schemas/explain-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    hello = [ROOT / "hello" / name for name in ("greeter.wasm", "app.wasm")]
    for inputs, options in (
        (PAIR, FuseOptions()),
        (hello, FuseOptions(core=core)),
        (PAIR, FuseOptions(keeps=("lib",))),
        ([hello[0]], FuseOptions()),
    ):
        data = json.loads(json.dumps(meldpy.explain(inputs, options).data()))
        Draft202012Validator(schema).validate(data)
        assert not Draft202012Validator(schema).is_valid({**data, "sites": [{}]})


def test_a_fuse_that_is_not_asked_keeps_nothing() -> None:
    assert meldpy.fuse(PAIR).record is None


def test_asking_changes_no_byte() -> None:
    assert meldpy.fuse(PAIR).bytes == meldpy.fuse(PAIR, FuseOptions(record=True)).bytes
