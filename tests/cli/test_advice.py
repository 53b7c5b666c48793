"""What `meld fuse` says on stderr about the linking, and that `-q` silences it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meldpy.cli.main import run
from tests.unit.resolver.test_exports import TYPES, USER, guest

Fuse = Callable[..., tuple[int, str]]


@pytest.fixture
def fuse(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fuse:
    """Fuses components given as text, NAME=TEXT; returns the exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*options: str, **components: str) -> tuple[int, str]:
        for name, text in components.items():
            (tmp_path / f"{name}.wat").write_text(text)
        code = run(["fuse", *options, "-o", "out.wasm", *(f"{name}.wat" for name in components)])
        return code, capsys.readouterr().err

    return call


APP, LIB = guest(("api",), ("init", "run")), guest((), ("api", "init", "exports"))


def test_one_line_says_what_stayed_inside_and_how_to_keep_it(fuse: Fuse) -> None:
    code, err = fuse(app=APP, lib=LIB)
    assert code == 0
    lines = [line for line in err.splitlines() if "lib:init" in line]
    assert len(lines) == 1
    for words in ("lib:init, lib:exports;", "--export NAME", "--root INPUT", "--root all", "--hide NAME"):
        assert words in lines[0]


@pytest.mark.parametrize(
    "options", [("-q",), ("--root", "app"), ("--hide", "lib:init", "--hide", "exports", "--export", "app:init")]
)
def test_who_knows_is_not_told(options: tuple[str, ...], fuse: Fuse) -> None:
    code, err = fuse(*options, app=APP, lib=LIB)
    assert code == 0
    assert "left inside" not in err


def test_long_lists_are_cut(fuse: Fuse) -> None:
    lib = guest((), ("api", *(f"f{i}" for i in range(20))))
    code, err = fuse(app=guest(("api",), ("run",)), lib=lib)
    assert code == 0
    assert "lib:f7 and 12 more; to export them" in err


def test_root_says_that_it_exports_interfaces_for_their_types(fuse: Fuse) -> None:
    _, err = fuse(user=USER, maker=TYPES)
    assert "mention their types" not in err, "no surprise: nobody said exactly what to export"
    _, err = fuse("-v", user=USER, maker=TYPES)
    assert "note: exported too, because other exports mention their types: maker:a:b/types" in err
    _, err = fuse("--root", "user", user=USER, maker=TYPES)
    assert "\nexported too, because other exports mention their types: maker:a:b/types" in "\n" + err


# --- what stays open -------------------------------------------------------------------------------------------
def instance(direction: str, name: str) -> str:
    if direction == "import":
        return f'(component (import "{name}" (instance (export "f" (func)))))'
    return f"""(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f"))) (instance $x (export "f" (func $f))) (export "{name}" (instance $x)))"""


@pytest.mark.parametrize(
    ("wanted", "offered", "words"),
    [
        ("demo:text/text@1.2.0", "demo:text/text@2.0.0", "is another, incompatible version"),
        ("demo:text/text-set", "demo:text/textset", "is spelled differently"),
        ("demo:text/text", "other:text/text", "is of another package"),
    ],
)
def test_an_open_import_is_told_with_what_comes_near(wanted: str, offered: str, words: str, fuse: Fuse) -> None:
    inputs = {"app": instance("import", wanted), "lib": instance("export", offered)}
    code, err = fuse(**inputs)
    assert code == 0
    lines = [line for line in err.splitlines() if "left open" in line]
    assert len(lines) == 1
    assert f"{wanted} (imported by app; but `{offered}` of input `lib` {words})" in lines[0]
    assert f"--link app:{wanted}=lib:{offered}" in lines[0]
    assert "--open INPUT:IMPORT" in lines[0]
    assert "left open" not in fuse("--open", f"app:{wanted}", **inputs)[1]
    assert "left open" not in fuse("-q", **inputs)[1]
    code, err = fuse("--link", f"app:{wanted}=lib:{offered}", **inputs)
    assert code == 0
    assert "left open" not in err


def test_strict_says_what_comes_near_too(fuse: Fuse) -> None:
    code, err = fuse("--strict", app=instance("import", "a:b/c@1.0.0"), lib=instance("export", "a:b/c@2.0.0"))
    assert code == 1
    assert "`a:b/c@1.0.0`, imported by `app`; `a:b/c@2.0.0` of input `lib` is another, incompatible version" in err


def test_importers_of_one_name_are_told_together_and_near_misses_first(fuse: Fuse) -> None:
    inputs = {"a": instance("import", "x:y/z"), "b": instance("import", "a:b/c"), "c": instance("import", "x:y/z")}
    _, err = fuse(**inputs, lib=instance("export", "a:b/C"))
    assert (
        "provide: a:b/c (imported by b; but `a:b/C` of input `lib` is spelled differently), x:y/z (imported by a, c);"
        in err
    )


def test_what_a_host_has_is_not_told(fuse: Fuse) -> None:
    """`wasi:*` stays open in every application; an incompatible version of it is worth a word."""
    app = instance("import", "wasi:cli/exit@0.2.0")
    assert "left open" not in fuse(app=app, lib=guest((), ("x",)))[1]
    assert "another, incompatible version" in fuse(app=app, lib=instance("export", "wasi:cli/exit@0.3.0"))[1]
    assert "left open" not in fuse(app=instance("import", "a:b/c"))[1], "a single input is not linked with anything"


def test_a_chain_says_that_it_does_not_look_to_the_left(fuse: Fuse) -> None:
    log = instance("export", "a:b/log@1.1.0")
    through = '(component (import "h" (func $h)) (export "h2" (func $h)) '
    layer = instance("import", "a:b/log@1.0.0").replace("(component ", through)
    end_ = guest((), ("h",))
    code, err = fuse("--chain", log=log, layer=layer, app=end_)
    assert code == 0
    assert "`a:b/log@1.1.0` of input `log` is to its left, and --chain looks to the right" in err
    assert "to link all the same: --link layer:a:b/log@1.0.0=log:a:b/log@1.1.0;" in err
    code, err = fuse("--chain", "--link", "layer:a:b/log@1.0.0=log:a:b/log@1.1.0", log=log, layer=layer, app=end_)
    assert code == 0
    assert "left open" not in err


def test_the_tail_of_a_chain_is_no_slip(fuse: Fuse) -> None:
    """The layers in front export what the last one leaves to the host."""
    layer = """(component (import "h" (func $h (result u32))) {}
      (func (export "h") (result u32) (canon lift (core func $i "f"))))"""
    core = '(core module $m (func (export "f") (result i32) i32.const 1)) (core instance $i (instantiate $m))'
    code, err = fuse("--chain", one=layer.format(core), two=layer.format(core), three=layer.format(core))
    assert code == 0
    assert "left open, for the host to provide: h (imported by three); if it is meant so" in err


def test_one_file_under_two_names_is_two_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("l.wat").write_text(guest((), ("api",)))
    Path("app.wat").write_text(
        """(component
          (import "one" (func $one)) (import "two" (func $two))
          (export "x" (func $one)) (export "y" (func $two)))"""
    )
    options = ("--link", "app:one=a:api", "--link", "app:two=b:api", "-o", "out.wasm")
    assert run(["fuse", *options, "app.wat", "a=l.wat", "b=l.wat"]) == 0
    assert capsys.readouterr().err.startswith("fused 3 inputs")
    assert run(["fuse", *options, "app.wat", "l.wat", "l.wat"]) == 1
    assert "help: for two instances of it, name them: NAME=l.wat OTHER=l.wat" in capsys.readouterr().err
    assert run(["fuse", "a=l.wat", "b=l.wat", "-o", "out.wasm"]) == 1
    assert "say whose exports you want, for example --root a" in capsys.readouterr().err
