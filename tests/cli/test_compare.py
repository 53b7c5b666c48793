"""`meld run --compare` and `meld fuse --self-check`: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meldpy.cli import build as build_command
from meldpy.cli.main import run
from meldpy.fixture import load
from meldpy.fixture.files import components
from meldpy.pipeline import FuseResult
from meldpy.records import replace

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "fixtures" / "hello"
INPUTS = [str(HELLO / name) for name in ("greeter.wasm", "app.wasm")]
SCENARIO = str(HELLO / "fixture.toml")
COMMAND = ROOT / "fixtures" / "errand"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The composition and the fused form."""
    folder = tmp_path_factory.mktemp("pair")
    composed, fused = str(folder / "composed.wasm"), str(folder / "fused.wasm")
    assert run(["-q", "fuse", *INPUTS, "--keep", "greeter", "--keep", "app", "-o", composed]) == 0
    assert run(["-q", "fuse", *INPUTS, "-o", fused]) == 0
    return composed, fused


@pytest.fixture(scope="module")
def rude(tmp_path_factory: pytest.TempPathFactory, pair: tuple[str, str]) -> str:
    """A fused form that says something else."""
    path = tmp_path_factory.mktemp("rude") / "rude.wasm"
    data = Path(pair[1]).read_bytes()
    assert data.count(b"Hello, ") == 1
    path.write_bytes(data.replace(b"Hello, ", b"Heyyo, "))
    return str(path)


def test_equal_forms_end_in_0(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--compare", *pair, "--invoke", 'greet("x")', "--invoke", 'greet("y")', "--repeat", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("equal: 2 calls\n")
    assert "call 1, greet" in out


def test_different_forms_end_in_1_and_show_both_sides(
    pair: tuple[str, str], rude: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--compare", pair[0], rude, "--scenario", SCENARIO]) == 1
    out = capsys.readouterr().out
    assert out.startswith("different: 3 in 3 calls\n")
    assert '    original: returned "Hello, world! (from two components)"' in out
    assert '    fused:    returned "Heyyo, world! (from two components)"' in out


def test_json_says_the_same(pair: tuple[str, str], rude: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--compare", pair[0], rude, "--invoke", 'greet("")', "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "meld.compare/1"
    assert not found["equal"]
    assert [each["aspect"] for each in found["differences"]] == ["outcome"]
    assert {"label", "original_seconds", "fused_seconds"} == set(found["steps"][0])


def test_fuzzing_shows_the_smallest_call_and_how_to_see_it_again(
    pair: tuple[str, str], rude: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--compare", pair[0], rude, "--fuzz", "60"]) == 1
    out = capsys.readouterr().out
    assert 'the smallest calls that show it:\n  greet("")\n' in out
    assert out.rstrip().endswith(f"--compare {pair[0]} {rude} --invoke 'greet(\"\")'")


def test_fuzzing_with_a_host_says_with_which_to_see_it_again(
    pair: tuple[str, str], rude: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--compare", pair[0], rude, "--fuzz", "60", "--stub", "--scenario", SCENARIO]) == 1
    again = capsys.readouterr().out.splitlines()[-1]
    assert again == (
        f"again: meld run --compare {pair[0]} {rude} --stub --scenario {SCENARIO} with these calls in place of its own"
    )


def test_fuzzing_equal_forms_counts_what_was_tried(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--compare", *pair, "--fuzz", "0.5", "--seed", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"]
    assert found["seed"] == 3
    assert found["calls"] > 0


def test_commands_are_compared_by_what_they_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = []
    for name, data in components(load(COMMAND)).items():
        (tmp_path / f"{name}.wasm").write_bytes(data)
        inputs.append(str(tmp_path / f"{name}.wasm"))
    fused, composed = str(tmp_path / "fused.wasm"), str(tmp_path / "composed.wasm")
    assert run(["-q", "fuse", *inputs, "-o", fused]) == 0
    keeps = [argument for path in inputs for argument in ("--keep", Path(path).stem)]
    assert run(["-q", "fuse", *inputs, *keeps, "-o", composed]) == 0
    assert run(["run", "--compare", composed, fused, "--env", "ERRAND=1", "Ada"]) == 0
    assert "equal: 1 call" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenario", SCENARIO, "--invoke", "f()"], "from --invoke or from a scenario"),
        (["--fuzz", "1", "--invoke", "f()"], "--fuzz makes up the calls"),
        (["--fuzz", "1", "--repeat", "2"], "--fuzz makes up the calls"),
        (["--seed", "0", "--invoke", "greet()"], "--seed chooses among random calls"),
        (["--env", "A=1", "--invoke", "greet()"], "arguments and --env are for the run of a command"),
        (["--scenario", SCENARIO, "--", "x"], "arguments and --env are for the run of a command"),
        (["--dir", "."], "leave out --dir"),
        ([], "it does not export wasi:cli/run"),
        (["--invoke", "g()"], "exports no function 'g'"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(
    pair: tuple[str, str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--compare", *pair, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--stub", "--json", "--fuzz 1", "--repeat 2", "--seed 0"])
def test_options_for_comparing_want_a_comparison(
    pair: tuple[str, str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", pair[0], "--invoke", 'greet("")', *option.split()]) == 2
    assert "go with --compare" in capsys.readouterr().err


def test_one_function_is_called_at_a_time(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", pair[0], "--invoke", 'greet("")', "--invoke", 'greet("")']) == 2
    assert "one function is called at a time" in capsys.readouterr().err


def test_a_self_check_that_holds_writes_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.wasm"
    assert run(["-v", "fuse", *INPUTS, "--self-check", SCENARIO, "-o", str(output)]) == 0
    assert output.exists()
    assert "self-check: 3 calls did the same fused and unfused" in capsys.readouterr().err


def test_a_self_check_that_fails_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rude: str, capsys: pytest.CaptureFixture[str]
) -> None:
    real = build_command.fuse_inputs

    def broken(*arguments: object) -> FuseResult:
        return replace(real(*arguments), bytes=Path(rude).read_bytes())  # type: ignore[arg-type]

    monkeypatch.setattr(build_command, "fuse_inputs", broken)
    output = tmp_path / "out.wasm"
    assert run(["fuse", *INPUTS, "--self-check", SCENARIO, "-o", str(output)]) == 70
    assert not output.exists()
    err = capsys.readouterr().err
    assert "the output does not do what the inputs do; nothing was written" in err
    assert f"at {SCENARIO}" in err


def test_a_core_module_has_no_self_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.wasm"
    assert run(["fuse", "--core", *INPUTS, "--self-check", SCENARIO, "-o", str(output)]) == 2
    assert "check the component that the same inputs give without --core" in capsys.readouterr().err
    assert not output.exists()
