"""Manifests: what is written is read back, what is wrong is named with its line, and builds do what they say."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meldpy.cli import watch as watch_command
from meldpy.cli.build import perform
from meldpy.cli.fuse import fuse as fuse_command
from meldpy.cli.main import run
from meldpy.cli.watch import _stamp
from meldpy.errors import FileError
from meldpy.manifest import Build, ManifestError
from meldpy.manifest.keys import CHOICES, KEYS
from meldpy.manifest.read import load
from meldpy.manifest.write import written
from meldpy.options import FuseOptions
from meldpy.records import fields, replace

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "fixtures" / "hello"
INPUTS = [str(HELLO / name) for name in ("greeter.wasm", "app.wasm")]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


def options() -> st.SearchStrategy[FuseOptions]:
    """Any options that do not exclude each other."""
    defaults = FuseOptions()
    values: dict[str, st.SearchStrategy[object]] = {}
    for key, name in KEYS.items():
        match getattr(defaults, name):
            case bool():
                values[name] = st.booleans()
            case int():
                values[name] = st.integers(1, 10**6)
            case str():
                values[name] = st.sampled_from(CHOICES[key]) if key in CHOICES else TEXT
            case _:
                values[name] = TEXTS
    values |= {
        "memory": st.just("separate"),
        "memory_max": st.just(()),
        "features": st.just(""),
        "core": st.just(False),
    }
    nothing_tells_places = {
        "origins": False, "trap_values": False, "provenance": False, "dwarf": "drop", "source_map": "drop"
    }  # fmt: skip
    return (
        st.builds(FuseOptions, **values)
        .map(lambda o: replace(o, keeps=()) if o.flat else o)
        .map(lambda o: replace(o, **nothing_tells_places) if o.optimise else o)
    )


@given(st.builds(Build, st.lists(TEXT, min_size=1, max_size=3).map(tuple), TEXT.filter(lambda t: t != "-"), options(),
                 self_check=st.none() | TEXT, wat=st.booleans(), deps=TEXTS))  # fmt: skip
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, build: Build) -> None:
    output = build.output
    assert output is not None
    build = replace(build, options=replace(build.options, file=Path(output).name))
    file = tmp_path_factory.mktemp("manifest") / "meld.toml"
    file.write_text(written([build]), encoding="utf-8")
    assert load(file) == (build,)
    other = replace(build, output=output + "2", options=replace(build.options, file=Path(output + "2").name))
    file.write_text(written([build, other]), encoding="utf-8")
    assert load(file) == (build, other)


def test_every_option_that_shapes_the_output_has_its_key() -> None:
    flags = {opt for param in fuse_command.params for opt in param.opts if isinstance(param, click.Option)}
    assert {f"--{key}" for key in KEYS} <= flags
    assert set(KEYS.values()) == {each.name for each in fields(FuseOptions)} - {"file", "record"}


def test_the_manifest_of_a_command_line_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [*INPUTS, "-o", "out.wasm", "--no-names", "--strict", "--rename", "greet=welcome"]
    assert run(["-q", "fuse", *flags, "--print-manifest"]) == 0
    Path("meld.toml").write_text(capsys.readouterr().out)
    assert not Path("out.wasm").exists()
    assert run(["-q", "fuse", "--manifest", "meld.toml"]) == 0
    by_manifest = Path("out.wasm").read_bytes()
    assert run(["-q", "fuse", *flags]) == 0
    assert Path("out.wasm").read_bytes() == by_manifest
    assert run(["-q", "fuse", "--manifest", "meld.toml", "--check"]) == 0
    assert run(["run", "out.wasm", "--invoke", 'welcome("x")']) == 0


def test_a_manifest_that_could_not_be_read_back_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fuse", *INPUTS, "--print-manifest"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "help: name it with -o" in said.err


def test_a_description_overwrites_neither_input_nor_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "a.wasm"
    given.write_bytes(Path(INPUTS[0]).read_bytes())
    output = str(tmp_path / "o.wasm")
    assert run(["fuse", "--core", str(given), "-o", output, "--core-manifest", str(given)]) == 2
    assert "is also an input" in capsys.readouterr().err
    assert given.read_bytes() == Path(INPUTS[0]).read_bytes()
    assert run(["fuse", "--core", str(given), "-o", output, "--core-manifest", output]) == 2
    assert "help: name two files" in capsys.readouterr().err


TWO = f"""\
names = "none"
self-check = "{HELLO / "fixture.toml"}"

[[build]]
inputs = ["{INPUTS[0]}", "{INPUTS[1]}"]
output = "one.wasm"

[[build]]
inputs = ["g={INPUTS[0]}", "{INPUTS[1]}"]
output = "two.wasm"
keep = ["g"]
"""


def test_a_manifest_has_several_outputs_and_what_is_common_to_them(tmp_path: Path) -> None:
    (tmp_path / "meld.toml").write_text(TWO)
    assert run(["-q", "fuse", "--manifest", str(tmp_path / "meld.toml")]) == 0
    sizes = [(tmp_path / name).stat().st_size for name in ("one.wasm", "two.wasm")]
    assert sizes[0] != sizes[1]
    (tmp_path / "one.wasm").write_bytes(b"stale")
    assert run(["-q", "fuse", "--manifest", str(tmp_path / "meld.toml"), "-o", "two.wasm", "--check"]) == 0
    assert run(["-q", "fuse", "--manifest", str(tmp_path / "meld.toml"), "--check"]) == 1


def test_an_output_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meld.toml").write_text(TWO)
    assert run(["fuse", "--manifest", str(tmp_path / "meld.toml"), "-o", "three.wasm"]) == 2
    assert "it has: one.wasm, two.wasm" in capsys.readouterr().err


@pytest.mark.parametrize("flag", [["--strict"], ["--keep", "a"], [INPUTS[0]], ["--wat"]], ids=lambda f: f[0])
def test_nothing_given_beside_a_manifest_is_lost_in_silence(
    tmp_path: Path, flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "meld.toml").write_text(TWO)
    assert run(["fuse", "--manifest", str(tmp_path / "meld.toml"), *flag]) == 2
    assert "would be lost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("output = 'x'\n", 1, "there are no `inputs`"),
        ("inputs = ['a']\n", 1, "there is no `output`"),
        ("inputs = ['a']\noutput = '-'\n", 1, "there is no `output`"),
        ("inputs = ['a']\noutput = 'x'\nlinks = []\n", 3, "the key 'links' is not known here"),
        ("inputs = ['a']\noutput = 'x'\n\nnames = 'long'\n", 4, "names is one of full, short, none"),
        ("inputs = ['a']\noutput = 'x'\nmax-instances = 0\n", 3, "max-instances must be at least 1"),
        ("inputs = ['a']\noutput = 'x'\nchain = 'yes'\n", 3, "chain must be true or false"),
        ("inputs = ['a']\noutput = 'x'\nmemory = 'single'\n", 1, "a single memory is for core outputs"),
        ("inputs = ['a']\n\n[[build]]\noutput = 'x'\n", 1, "belongs to each of them"),
        ("[[build]]\ninputs = ['a']\noutput = 'x'\n[[build]]\ninputs = ['b']\noutput = 'x'\n", 6, "two builds write x"),
        ("[[build]]\ninputs = ['a']\noutput = 'x'\n[[build]]\ninputs = ['b']\noutput = './x'\n", 6, "two builds write"),
        (
            "core = true\ncore-manifest = 'x'\n[[build]]\ninputs = ['a']\noutput = 'y'\n"
            "[[build]]\ninputs = ['b']\noutput = 'z'\n",
            6,
            "two builds write x",
        ),
        ("inputs = [\n", 2, "not TOML"),
    ],
)
def test_a_wrong_manifest_names_the_line(
    tmp_path: Path, text: str, line: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meld.toml"
    file.write_text(text)
    assert run(["fuse", "--manifest", str(file)]) in (1, 2)
    err = capsys.readouterr().err
    assert message in err
    assert f"at {file}:{line}" in err


def test_a_missing_manifest_is_an_error() -> None:
    with pytest.raises(ManifestError, match="cannot read"):
        load(Path("missing.toml"))


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        (["greet"], "is not of the form NAME=NEW"),
        (["hello=x"], "no export is called as `hello=x` says"),
        (["greet=Not A Name"], "`greet` cannot be called `Not A Name`"),
        (["greet=a:b/c@1.0.0"], "`greet` cannot be called `a:b/c@1.0.0`"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused(
    renames: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [flag for rename in renames for flag in ("--rename", rename)]
    assert run(["fuse", *INPUTS, "-o", str(tmp_path / "o.wasm"), *flags]) in (1, 2)
    err = capsys.readouterr().err
    assert message in err
    assert "help: " in err or "Caused by" in err


def test_an_interface_is_exported_by_another_name(tmp_path: Path) -> None:
    output = str(tmp_path / "o.wasm")
    rename = "--rename", "demo:hello/greeting@1.0.0=demo:other/hello@2.0.0"
    assert run(["-q", "fuse", INPUTS[0], *rename, "-o", output]) == 0
    assert run(["run", output, "--invoke", 'demo:other/hello@2.0.0#greet("x")']) == 0
    assert run(["validate", output]) == 0


def test_what_changes_while_it_is_built_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in INPUTS:
        (tmp_path / Path(path).name).write_bytes(Path(path).read_bytes())
    manifest = tmp_path / "meld.toml"
    manifest.write_text('inputs = ["greeter.wasm", "app.wasm"]\noutput = "out.wasm"\n')
    rounds = []

    def perform(_: object, build: object, **options: object) -> None:
        rounds.append(build)
        if len(rounds) == 1:
            manifest.write_text(manifest.read_text() + 'names = "none"\n')

    monkeypatch.setattr("meldpy.cli.watch.perform", perform)

    def never(_: object) -> Iterator[None]:
        yield pytest.fail("nobody has to wait")

    monkeypatch.setattr("meldpy.cli.watch._chances", never)
    assert run(["watch", str(manifest), "--times", "2"]) == 0
    assert len(rounds) == 2


def test_watching_tells_errors_in_the_form_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "meld.toml"
    manifest.write_text('inputs = ["nowhere/a.wasm"]\noutput = "out.wasm"\n')
    assert run(["--error-format", "json", "watch", str(manifest), "--times", "1"]) == FileError.exit_code
    assert json.loads(capsys.readouterr().err)["kind"] == "FileError"


def test_a_folder_that_is_not_there_is_looked_for_too(tmp_path: Path) -> None:
    chances = watch_command._chances([str(tmp_path / "a"), str(tmp_path / "nowhere" / "b")])
    next(chances)
    chances.close()


def test_watching_builds_again_after_a_change(tmp_path: Path) -> None:
    for path in INPUTS:
        (tmp_path / Path(path).name).write_bytes(Path(path).read_bytes())
    (tmp_path / "meld.toml").write_text('inputs = ["greeter.wasm", "app.wasm"]\noutput = "out.wasm"\n')
    command = [sys.executable, "-m", "meldpy", "watch", "--times", "3"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stderr is not None
        try:
            assert "fused 2 inputs" in watcher.stderr.readline()
            assert "watching 3 files" in watcher.stderr.readline()
            first = (tmp_path / "out.wasm").read_bytes()
            time.sleep(0.5)
            (tmp_path / "meld.toml").write_text('inputs = ["greeter.wasm"]\n')
            assert "there is no `output`" in watcher.stderr.readline()
            time.sleep(0.5)
            text = 'inputs = ["greeter.wasm", "app.wasm"]\noutput = "out.wasm"\nnames = "none"\n'
            (tmp_path / "meld.toml").write_text(text)
            assert watcher.wait(60) == 0
        finally:
            watcher.kill()
    assert len((tmp_path / "out.wasm").read_bytes()) < len(first)


def test_a_change_during_a_build_and_one_of_a_package_build_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "deps" / "demo" / "greeter.wasm"
    package.parent.mkdir(parents=True)
    package.write_bytes(Path(INPUTS[0]).read_bytes())
    (tmp_path / "x.wac").write_text("let g = new demo:greeter {}; export g...;")
    manifest = tmp_path / "meld.toml"
    manifest.write_text('inputs = ["x.wac"]\noutput = "out.wasm"\n')
    rounds = []

    def changing(*arguments: object, **options: object) -> None:
        perform(*arguments, **options)  # type: ignore[arg-type]
        rounds.append((tmp_path / "out.wasm").read_bytes())
        if len(rounds) < 3:
            time.sleep(0.02)
            file, content = [(package, Path(INPUTS[0]).read_bytes()), (manifest, manifest.read_bytes())][
                len(rounds) - 1
            ]
            file.write_bytes(content)

    monkeypatch.setattr("meldpy.cli.watch.perform", changing)
    assert run(["-q", "watch", str(manifest), "--times", "3"]) == 0
    assert len(rounds) == 3


def test_what_one_build_writes_and_an_earlier_one_reads_does_not_build_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mid.wasm").write_bytes(Path(INPUTS[0]).read_bytes())
    file = tmp_path / "meld.toml"
    rows = [("mid.wasm", "out.wasm"), (INPUTS[0], "mid.wasm")]
    file.write_text("".join(f'[[build]]\ninputs = ["{given}"]\noutput = "{output}"\n' for given, output in rows))
    waited: list[dict[str, object]] = []
    monkeypatch.setattr("meldpy.cli.watch._wait", lambda seen: waited.append({f: (_stamp(f), seen[f]) for f in seen}))
    assert run(["-q", "watch", str(file), "--times", "2"]) == 0
    assert all(now == before for seen in waited for now, before in seen.values())  # type: ignore[misc]
    assert any(name.endswith("mid.wasm") for seen in waited for name in seen)
