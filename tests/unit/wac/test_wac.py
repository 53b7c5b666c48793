"""wac's language: what it says is what is fused, and what is not supported is refused where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from meldpy.cli.build import inputs_of
from meldpy.cli.main import run
from meldpy.errors import FileError, Location, UsageError
from meldpy.manifest import Build
from meldpy.options import FuseInput, FuseOptions
from meldpy.wac import Composition, WacError, compose

HELLO = Path(__file__).resolve().parents[3] / "fixtures" / "hello"
SURFACES = {
    "demo:log": ([], ["demo:log/log@1.2.0", "demo:log/level@1.0.0", "init"]),
    "demo:app": (["demo:log/log@1.0.0", "wasi:cli/stdout@0.2.0"], ["run", "demo:app/api@1.0.0"]),
    "demo:twice": (["a:x/log", "b:x/log"], ["f"]),
}


def composed(text: str) -> Composition:
    def provide(package: str, name: str, at: Location) -> FuseInput:
        if package not in SURFACES:
            raise WacError(f"no {package}", at)
        return FuseInput(name, package, b"")

    return compose(text, "x.wac", provide, lambda item: SURFACES[item.source])


def test_every_import_is_decided_and_only_what_is_exported_is() -> None:
    found = composed(
        """
        package example:all@1.0.0;   // what it is called is written nowhere
        let log = new demo:log {};   /* a library */
        let app = new demo:app { "demo:log/log@1.0.0": log["demo:log/log"], ... };
        export app.api as "demo:other/api@2.0.0";
        """
    )
    assert [item.name for item in found.inputs] == ["log", "app"]
    assert found.links == ("app:demo:log/log@1.0.0=log:demo:log/log@1.2.0",)
    assert found.opens == ("app:wasi:cli/stdout@0.2.0",)
    assert found.exports == ("app:demo:app/api@1.0.0",)
    assert found.hides == ("app:run",)
    assert found.renames == ("app:demo:app/api@1.0.0=demo:other/api@2.0.0",)


@pytest.mark.parametrize("argument", ["...log", "log: log.log", "log: log", "log: (log).log"])
def test_the_ways_to_give_an_argument(argument: str) -> None:
    found = composed(f"let log = new demo:log {{}}; let app = new demo:app {{ {argument}, ... }}; export app...;")
    assert found.links == ("app:demo:log/log@1.0.0=log:demo:log/log@1.2.0",)
    assert found.exports == ("app:run", "app:demo:app/api@1.0.0")


def test_a_bare_name_is_for_the_import_that_is_called_so() -> None:
    found = composed("let l = new demo:log {}; let log = l.log; let app = new demo:app { log, ... }; export app.run;")
    assert found.links == ("app:demo:log/log@1.0.0=l:demo:log/log@1.2.0",)


def test_what_is_inside_an_interface_can_be_given() -> None:
    found = composed('let l = new demo:log {}; let a = new demo:app { log: l.log["write"], ... }; export a.run;')
    assert found.links == ("a:demo:log/log@1.0.0=l:demo:log/log@1.2.0.write",)


def test_one_package_is_instantiated_as_often_as_it_is_written() -> None:
    found = composed("let log = new demo:log {}; export new demo:log {}.init; export new demo:log {}.level;")
    assert [item.name for item in found.inputs] == ["log", "log-2", "log-3"]


@pytest.mark.parametrize(
    ("text", "place", "message", "remedy"),
    [
        ("import x: a:b/c;", "1:1", "`import` is a part", "leave the import open with `...`"),
        ("\n interface i {}", "2:2", "`interface` is a part", "interfaces come with"),
        ("world w {}", "1:1", "`world` is a part", "world follows"),
        ("type t = u8;", "1:1", "`type` is a part", "types come with"),
        ("package a:b targets c:d/e;", "1:13", "`targets` is a part", "wac targets"),
        ("let l = new demo:log {}; export l;", "1:26", "exporting a whole instance", "export l...;"),
        ("let l = new demo:log {}; export l.log.write;", "1:26", "inside an exported instance", "the instance"),
        ("let l = new demo:log {}; let a = new demo:twice { a: l };", "1:51", "imports no `a`", "`a:x/log`, `b:x/log`"),
        ("let l = new demo:log {}; let a = new demo:twice { log: l.init };", "1:51", "can be any of", "full name"),
        (
            'let l = new demo:log {}; let a = new demo:twice { "a:x/log": l, ... };',
            "1:51",
            "whole instance",
            "spread it",
        ),
        (
            "let l = new demo:log {}; let m = l.log; let a = new demo:app { ...m };",
            "1:64",
            "spreading an",
            "one by one",
        ),
        ("let a = new demo:app { };", "1:9", "`demo:log/log@1.0.0`, `wasi:cli/stdout@0.2.0`", "`...` at the end"),
        ("let a = new demo:app { log: b.log, ... };", "1:29", "there is no `b`", "`let` it first"),
        (
            "let l = new demo:log {}; export l.nothing;",
            "1:34",
            "exports no `nothing`",
            "there are: `demo:log/log@1.2.0`",
        ),
        ("let l = new demo:log {}; let l = new demo:log {};", "1:26", "`l` is there twice", "another name"),
        (
            "let l = new demo:log {}; let a = new demo:app { log: l.log, log: l.log, ... };",
            "1:61",
            "given twice",
            "one",
        ),
        ("let l = new demo:log { ..., x: l };", "1:27", "`}`: `...` comes last", "write"),
        ("let l = demo:log;", "1:9", "a value", "write"),
        ("let l = new log {};", "1:13", "the name of a package", "demo:greeter"),
        ("let l = new demo:log/x {};", "1:13", "without an interface", "write"),
        ("let l = new demo:log {}", "1:24", "`;` was expected", "write `;`"),
        ("frob;", "1:1", "`let` or `export`", "write"),
        ("let l = new demo:log {}; export l.log as 7;", "1:42", "cannot read '7;'", "LANGUAGE.md"),
        ('let l = new demo:log { "x: y };', "1:24", "cannot read", "close the string"),
        ("let l = " + "(" * 200 + "x;", "1:110", "nested too deeply", "`let`"),
        ("package a:b;", "", "nothing is instantiated", "`let name = new"),
    ],
)
def test_what_is_wrong_or_not_supported_is_named_with_place_and_remedy(
    text: str, place: str, message: str, remedy: str
) -> None:
    with pytest.raises(WacError) as error:
        composed(text)
    assert message in error.value.reason
    assert str(error.value.location) == (f"x.wac:{place}" if place else "x.wac")
    assert error.value.remedy is not None
    assert remedy in error.value.remedy


def test_a_file_is_fused_with_packages_that_are_named_or_lie_in_deps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deps" / "demo").mkdir(parents=True)
    (tmp_path / "deps" / "demo" / "app.wasm").write_bytes((HELLO / "app.wasm").read_bytes())
    source = tmp_path / "hello.wac"
    source.write_text("let g = new demo:g {}; let app = new demo:app { ...g }; export app.greet as welcome;")
    output = str(tmp_path / "o.wasm")
    assert run(["-q", "fuse", str(source), "--dep", f"demo:g={HELLO / 'greeter.wasm'}", "-o", output]) == 0
    assert run(["run", output, "--invoke", 'welcome("wac")']) == 0
    assert capsys.readouterr().out == '"Hello, wac! (from two components)"\n'


def test_a_package_that_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    source = tmp_path / "x.wac"
    source.write_text("let g = new demo:g@1.0.0 {};")
    with pytest.raises(WacError, match="there is no package") as error:
        inputs_of(Build((str(source),)))
    assert error.value.causes == (f"it was looked for at {tmp_path / 'deps' / 'demo' / 'g'}.wasm",)
    assert error.value.remedy == "say where it is: --dep demo:g=FILE"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Build(("x.wac", "y.wasm")), "says what all inputs are"),
        (Build(("x.wac",), options=FuseOptions(chain=True)), "says what is linked"),
        (Build(("y.wasm",), deps=("a:b=c",)), "--dep says where packages"),
        (Build((str(HELLO / "hello.wac"),), deps=("ab",)), "cannot read"),
    ],
)
def test_what_does_not_go_with_a_file_is_refused(build: Build, message: str) -> None:
    with pytest.raises((UsageError, FileError), match=message):
        inputs_of(build)
