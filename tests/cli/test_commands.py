"""The commands: options wherever one expects them, errors one can act on, exit codes as documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from meldpy import __version__
from meldpy.cli import main
from meldpy.cli.main import run
from tests.support.resource_guests import PING

ROOT = Path(__file__).resolve().parents[2]
GREETER, APP = (str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm"))
VALUES, NESTED = (str(ROOT / "tests/hostile/components" / name) for name in ("values.wat", "nested.wat"))


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("hello") / "hello.wasm")
    assert run(["-q", "fuse", GREETER, APP, "-o", path]) == 0
    return path


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"meld {__version__}\n"
    for command in ("fuse", "inspect", "run", "validate"):
        assert run([command, "--help"]) == 0
        assert "Usage: meld" in capsys.readouterr().out


def test_the_version_is_told_without_loading_what_a_fuse_needs() -> None:
    code = """import sys
from meldpy.cli.main import run
assert run(["--version"]) == 0
heavy = {"wasmtime", "networkx", "meldpy.pipeline", "meldpy.model", "tempfile", "subprocess"} & set(sys.modules)
assert not heavy, heavy"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


UNUSED = ["networkx", "rich", "meldpy.wit", "meldpy.report", "meldpy.comparison", "meldpy.manifest.read"]


def test_a_fuse_of_two_files_loads_what_it_uses_only() -> None:
    code = f"""import sys
from meldpy.cli.main import run
assert run(["-q", "fuse", {GREETER!r}, {APP!r}, "-o", "/dev/null"]) == 0
assert not set({UNUSED!r}) & set(sys.modules), sys.modules"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["fuse", "--nope"],
        ["fuse"],
        ["fuse", "--max-instances", "0", GREETER],
        ["run"],
        ["--color", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_an_error_with_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    run([])
    assert "Usage: meld" in "".join(capsys.readouterr())


def test_a_missing_file_is_an_error_with_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("fuse", "inspect", "validate", "run"):
        assert run([command, "missing.wasm"]) in (1, 2)  # fuse may refuse the terminal first
        assert capsys.readouterr().err.startswith("error: ")
    assert run(["validate", "missing.wasm"]) == 1
    first, help_ = capsys.readouterr().err.splitlines()
    assert first == "error: cannot read missing.wasm: No such file or directory"
    assert help_.startswith("  help: check the path")


def test_names_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "evil\x1b[31m\n.wasm"]) == 1
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "evil\\u{1b}[31m\\u{a}.wasm" in err
    assert run(["fuse", "--evil\x1b"]) == 2
    assert "\x1b" not in capsys.readouterr().err


# --- verbosity and colour --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["fuse", "validate", "inspect", "run"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_is_accepted_everywhere(command: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-v", command, "missing"] if place == "before" else [command, "missing", "-v"]
    run([*arguments, *(["-o", "x"] if command == "fuse" else [])])
    assert f"meldpy {__version__}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-q", "validate", APP], ["validate", "-q", APP], ["validate", APP, "--quiet"]])
def test_quiet_is_accepted_everywhere(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr() == ("", "")


def test_verbosity_does_not_outlive_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    run(["-v", "validate", "missing"])
    capsys.readouterr()
    run(["validate", "missing"])
    assert __version__ not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "no_color", "coloured"),
    [
        ([], None, False),
        (["--color", "always"], None, True),
        (["--color", "always"], "1", True),
        (["--color", "never"], None, False),
    ],
)
def test_colour(
    arguments: list[str],
    no_color: str | None,
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if no_color is None:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", no_color)
    run([*arguments, "validate", "missing"])
    assert ("\x1b[" in capsys.readouterr().err) == coloured


# --- what must not happen, and what is said if it does ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (ValueError("broken \x1b"), 70, "ValueError: broken \\u{1b}"),
        (RecursionError(), 1, "too deep"),
        (MemoryError(), 1, "too large"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 1, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_no_exception_escapes(
    raised: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(main.cli, "invoke", fail)
    monkeypatch.setattr("meldpy.cli.terminal.silence", lambda: None)
    assert run(["validate", APP]) == code
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_verbose_shows_where_an_internal_error_happened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr("meldpy.cli.validate.validate_component", fail)
    assert run(["validate", "-v", APP]) == 70
    assert "Traceback" in capsys.readouterr().err


# --- validate --------------------------------------------------------------------------------------------------------
def test_validate_says_what_is_wrong_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.wat"
    bad.write_text("(component (core module (func (result i32))))")
    assert run(["validate", APP, str(bad)]) == 1
    err = capsys.readouterr().err
    assert f"{APP}: valid" in err
    assert "error: the component is invalid" in err
    assert "0: type mismatch: expected i32 but nothing on stack" in err
    assert "(at offset 0x" in err


def test_text_errors_name_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.wat"
    bad.write_text("(component\n  (nonsense))")
    assert run(["validate", str(bad)]) == 1
    assert "line 2, column 4" in capsys.readouterr().err


def test_strict_refuses_open_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "o.wasm")
    assert run(["-q", "fuse", APP, "-o", output]) == 0
    assert run(["-q", "fuse", "--strict", APP, "-o", output]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert run(["-q", "fuse", "--strict", APP, GREETER, "-o", output]) == 0
    wasi = tmp_path / "wasi.wat"
    wasi.write_text('(component (import "wasi:cli/exit@0.2.0" (instance (export "exit" (func)))))')
    assert run(["-q", "fuse", "--strict", str(wasi), "-o", output]) == 0


def test_no_validate_writes_what_validation_would_have_passed(tmp_path: Path) -> None:
    for i, flags in enumerate(([], ["--no-validate"])):
        assert run(["-q", "fuse", *flags, GREETER, APP, "-o", str(tmp_path / f"{i}")]) == 0
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


# --- inspect ---------------------------------------------------------------------------------------------------------
def test_inspect_shows_the_tree(hello: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", hello]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"component {hello}: {Path(hello).stat().st_size} bytes"
    assert any(line.startswith("  core module ") and "functions" in line for line in lines)
    assert any(line.startswith("    memory 0: ") and line.endswith(" bytes") for line in lines)
    assert any(line.startswith("  export ") for line in lines)
    assert not any(line.lstrip().startswith("component") for line in lines[1:])


def test_inspect_shows_what_is_implemented_and_external_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.wat"
    path.write_text('(component (import "primary" (implements "a:b/cache@1.2.0") (external-id "users") (instance $i)))')
    assert run(["inspect", str(path)]) == 0
    assert "import primary: instance, implements: a:b/cache@1.2.0, external id: users\n" in capsys.readouterr().out


def test_inspect_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--json", VALUES, NESTED]) == 0
    values, nested = json.loads(capsys.readouterr().out)
    assert values["kind"] == nested["kind"] == "component"
    assert [c["kind"] for c in values["children"]].count("component") == 2
    library = next(c for c in values["children"] if c["kind"] == "component")
    module = next(c for c in library["children"] if c["kind"] == "core module")
    assert (module["functions"], module["data bytes"]) == (4, len("some data"))
    memory = next(c for c in module["children"] if c["kind"] == "memory")
    assert (memory["pages"], memory["bytes"]) == ("1..", 65536)


def test_inspect_lists_resources_with_definer_users_and_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wat").write_text(PING)
    assert run(["inspect", str(tmp_path / "a.wat")]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if "demo:ping/d@1.0.0.r:" in line]
    users = "component 0, component 1"
    assert lines == [f"resource demo:ping/d@1.0.0.r: defined, definer: component 0, users: {users}, table: table"]


def test_inspect_says_how_far_async_can_block_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wat").write_text(
        """(component (core func $yield (canon thread.yield))
          (core module $m (import "" "y" (func $y (result i32))) (func (export "f") (drop (call $y))))
          (core instance $i (instantiate $m (with "" (instance (export "y" (func $yield))))))
          (func (export "f") async (canon lift (core func $i "f"))))"""
    )
    assert run(["inspect", str(tmp_path / "a.wat"), VALUES]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("async class")] == ["async class F1"]
    assert "because: blocked stacks begin in a" in lines
    assert any(line.startswith("can block: thread.yield in a at ") for line in lines)


def test_inspect_numbers_as_the_index_spaces_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An imported module is number 0, so the defined one is number 1."""
    (tmp_path / "a.wat").write_text(
        '(component (import "m" (core module)) (core module $n) (core instance (instantiate $n)) (component $c)'
        ' (export "c" (component $c)) (component $d) (instance (instantiate $d)))'
    )
    assert run(["inspect", str(tmp_path / "a.wat")]) == 0
    out = capsys.readouterr().out
    assert "core module 1 (n)" in out
    assert "core instance 0: of core module 1" in out
    assert "  component 0" in out
    assert "  component 2" in out
    assert "instance 0: of component 2" in out


def test_inspect_escapes_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wat").write_text('(component (core module (func (export "x\\1b[2J\\0a"))))')
    assert run(["inspect", str(tmp_path / "a.wat")]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "x\\u{1b}[2J\\u{a}" in out


# --- run -------------------------------------------------------------------------------------------------------------
def test_run_invokes_by_short_and_by_full_name(hello: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", hello, "--invoke", 'greet("world")']) == 0
    assert capsys.readouterr().out == '"Hello, world! (from two components)"\n'
    assert run(["run", VALUES, "--invoke", "my:pkg/api@1.0.0.go()"]) == 1, "its import has no provider"


GUEST = """(component
  (core module $m
    (memory (export "m") 1)
    (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "trap") unreachable)
    (func (export "echo") (param i32 i32 i32 i32) (result i32)
      (i32.store8 (i32.const 16) (local.get 0)) (i32.store8 (i32.const 17) (local.get 1))
      (i32.store (i32.const 20) (local.get 2)) (i32.store (i32.const 24) (local.get 3)) (i32.const 16)))
  (core instance $i (instantiate $m))
  (alias core export $i "m" (core memory $mem))
  (func $add (param "a" u8) (param "b" s32) (result u32) (canon lift (core func $i "add")))
  (func $trap (canon lift (core func $i "trap")))
  (type $e (enum "red" "green"))
  (component $api
    (import "add" (func $add (param "a" u8) (param "b" s32) (result u32)))
    (import "trap" (func $trap))
    (export "add" (func $add)) (export "trap" (func $trap)))
  (instance $api (instantiate $api (with "add" (func $add)) (with "trap" (func $trap))))
  (export "my:pkg/one@1.0.0" (instance $api))
  (export "my:pkg/two@1.0.0" (instance $api))
  (export "trap-here" (func $trap))
  (export $ee "colour" (type $e))
  (type $r (record (field "on" bool) (field "colour" $ee) (field "list" (list u16))))
  (export $rr "thing" (type $r))
  (func $echo (param "t" $rr) (result $rr)
    (canon lift (core func $i "echo") (memory $mem) (realloc (core func $i "r"))))
  (export "echo" (func $echo)))"""


@pytest.fixture
def guest(tmp_path: Path) -> str:
    path = tmp_path / "guest.wat"
    path.write_text(GUEST)
    return str(path)


@pytest.mark.parametrize(
    ("call", "out"),
    [
        ("my:pkg/two@1.0.0.add(250, -7)", "243\n"),
        ("my:pkg/one@1.0.0#add(250, -7)", "243\n"),
        ("trap-here()", None),
        ("echo({on: true, colour: green, list: [1, 65535]})", "{on: true, colour: green, list: [1, 65535]}\n"),
        ("echo({list: [], colour: red, on: false})", "{on: false, colour: red, list: []}\n"),
    ],
)
def test_wave_in_and_wave_out(call: str, out: str | None, guest: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["run", guest, "--invoke", call])
    captured = capsys.readouterr()
    if out is None:
        assert code == 134
        assert captured.err.startswith("error: the guest trapped\n")
        assert "unreachable" in captured.err
    else:
        assert (code, captured.out, captured.err) == (0, out, "")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("add(1, 2)", "'add' is ambiguous: my:pkg/one@1.0.0.add, my:pkg/two@1.0.0.add"),
        ("missing()", "exports no function 'missing'"),
        ("my:pkg/one@1.0.0.add(1)", "takes 2 arguments, 1 were given"),
        ("my:pkg/one@1.0.0.add(256, 0)", "256 is out of range for u8"),
        ("my:pkg/one@1.0.0.add(1.5, 0)", "not a whole number"),
        ("my:pkg/one@1.0.0.add(true, 0)", "true does not fit the type u8"),
        ("my:pkg/one@1.0.0.add(1, 2", "was expected"),
        ("echo({on: true})", "field 'colour' of the record is missing"),
        ("echo({on: true, colour: blue, list: []})", "blue does not fit"),
    ],
)
def test_calls_that_cannot_be_made(call: str, words: str, guest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", guest, "--invoke", call]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert words in err


def test_a_library_is_not_run_as_a_command(guest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", guest]) == 2
    assert "--invoke" in capsys.readouterr().err


EXIT = """(component
  (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit "exit")))
  (core module $m (import "" "exit" (func $exit (param i32)))
    (func (export "run") (result i32) (call $exit (i32.const {status})) (i32.const {result})))
  (core instance $i (instantiate $m (with "" (instance (export "exit" (func $exit))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))"""


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize(("status", "result", "code"), [(0, 1, 0), (1, 0, 1), (None, 0, 0), (None, 1, 1)])
def test_the_guests_exit_code_is_passed_on(
    fuse: bool, status: int | None, result: int, code: int, tmp_path: Path
) -> None:
    text = EXIT.replace("{result}", str(result))
    if status is None:
        text = text.replace("(call $exit (i32.const {status}))", "")
    path = tmp_path / "exit.wat"
    path.write_text(text.replace("{status}", str(status)))
    if fuse:
        assert run(["-q", "fuse", str(path), "-o", str(tmp_path / "fused.wasm")]) == 0
        path = tmp_path / "fused.wasm"
    assert run(["run", str(path)]) == code


def test_directories_that_do_not_exist_are_refused(guest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", guest, "--dir", "/missing::/x", "--invoke", "trap-here()"]) == 2
    assert "/missing" in capsys.readouterr().err
