"""Command lines that cannot be carried out: each says which option or file it is about, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from meldpy.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
HELLO = [str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm")]
TEXTS = {
    "no-list.toml": "build = [3]\n",
    "name.wac": "let a = new demo:a { ... }; export a as ;",
    "argument.wac": "let a = new demo:a { ( };",
    "empty.wat": "  ",
    "plain.wat": '(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))'
    ' (func $f (canon lift (core func $i "f"))) (instance $e (export "f" (func $f)))'
    ' (export "demo:a/e" (instance $e)))',
    "broken.toml": "= 3",
}

CASES: dict[str, tuple[list[str], str]] = {
    "--check without a file": (["fuse", "--check", *HELLO], "help: name it with -o"),
    "--core-manifest without --core": (
        ["fuse", "--core-manifest", "x.json", *HELLO, "-o", "o.wasm"], "help: use it with --core"),
    "--features without --core": (
        ["fuse", "--features", "wasm2", *HELLO, "-o", "o.wasm"], "help: use --core with --features"),
    "--memory-max without a single memory": (
        ["fuse", "--memory-max", "app=9", *HELLO, "-o", "o.wasm"], "help: use --core --memory single"),
    "--memory-max of another form": (
        ["fuse", "--core", "--memory", "single", "--memory-max", "app", *HELLO, "-o", "o.wasm"],
        "NAME=PAGES, not 'app'"),
    "--keep in a core module": (["fuse", "--core", "--keep", "app", *HELLO, "-o", "o.wasm"], "help: leave one out"),
    "--keep of no input": (["fuse", "--keep", "nobody", *HELLO, "-o", "o.wasm"], "no input is called `nobody`"),
    "--opaque-rep of no resource": (
        ["fuse", "--opaque-rep", "demo:x/y.z", *HELLO, "-o", "o.wasm"], "no resource type is called `demo:x/y.z`"),
    "--dwarf split to stdout": (["fuse", "--dwarf", "split", *HELLO], "help: write the output to a file, with -o"),
    "--dep of another form": (["fuse", "name.wac", "--dep", "x", "-o", "o.wasm"], "--dep wants PACKAGE=FILE, not 'x'"),
    "export of nothing in wac": (["fuse", "name.wac", "--dep", f"demo:a={HELLO[0]}", "-o", "o.wasm"], "a name"),
    "an argument in wac that is none": (
        ["fuse", "argument.wac", "--dep", f"demo:a={HELLO[0]}", "-o", "o.wasm"], "an argument: `name: value`"),
    "[[build]] that is no table": (["fuse", "--manifest", "no-list.toml"], "build must be written as [[build]]"),
    "an empty input": (["validate", "empty.wat"], "help: give a WebAssembly component"),
    "an offset that is none": (["symbolize", HELLO[0], "here"], "'here' is no offset"),
    "origins that were not noted": (["symbolize", "--original", HELLO[0], "0x10"], "help: fuse it with --origins"),
    "a call of an interface": (["run", "plain.wat", "--invoke", "demo:a/e()"], "help: "),
    "a host's list that is not there": (["host", "run", "--allow", "gone.toml"], "cannot read gone.toml"),
    "a host's list that is no TOML": (["host", "run", "--allow", "broken.toml"], "at broken.toml"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_names_what_is_wrong_and_what_to_do(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    arguments, words = CASES[case]
    assert run(arguments) in (1, 2)
    assert words in capsys.readouterr().err


class _Stream:
    """A standard stream that is a terminal, or that cannot be read, or that holds `content`."""

    def __init__(self, *, terminal: bool, content: bytes | None = None) -> None:
        self.terminal = terminal
        self.content = content
        self.buffer = self

    def isatty(self) -> bool:
        return self.terminal

    def read(self) -> bytes:
        if self.content is None:
            raise OSError(5, "Input/output error")
        return self.content

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


STREAMS: dict[str, tuple[str, _Stream | None, list[str], str]] = {
    "stdin is the file, and the backtrace": (
        "stdin", _Stream(terminal=False, content=Path(HELLO[0]).read_bytes()), ["symbolize", "-"],
        "help: name the file, or give offsets"),
    "stdin is closed": ("stdin", None, ["validate", "-"], "help: name a file, or redirect stdin"),
    "stdin is closed, and a backtrace wanted": (
        "stdin", None, ["symbolize", HELLO[0]], "help: redirect stdin: the backtrace is read from there"),
    "stdin cannot be read": (
        "stdin", _Stream(terminal=False), ["validate", "-"], "cannot read stdin: Input/output error"),
    "stdin is a terminal": ("stdin", _Stream(terminal=True), ["validate"], "help: name a file, or `-` for stdin"),
    "stdout is a terminal": ("stdout", _Stream(terminal=True), ["fuse", *HELLO], "help: give -o FILE"),
    "stdout is closed": ("stdout", None, ["fuse", *HELLO], "help: redirect stdout, or write to a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_that_will_not_do_is_named(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, replaced, arguments, words = STREAMS[case]
    monkeypatch.setattr(sys, stream, replaced)
    assert run(arguments) in (1, 2)
    assert words in capsys.readouterr().err
