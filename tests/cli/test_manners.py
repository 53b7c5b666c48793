"""What people and machines expect of every command: help, completion, documentation, errors in their form, times."""

from __future__ import annotations

import errno
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from meldpy import __version__, errors
from meldpy.cli.main import cli, run
from meldpy.errors import MeldError
from meldpy.fixture import FixtureError
from meldpy.manifest import ManifestError
from meldpy.timing import measured, stage
from meldpy.wac import WacError

ROOT = Path(__file__).resolve().parents[2]
HELLO = [str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm")]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, with the words that call it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_says_what_it_does_and_explains_every_option(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: meld {' '.join(path)}" in shown
    command = COMMANDS[path]
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{path}: {param.opts}"
            assert param.opts[0] in shown


@pytest.mark.parametrize("path", [p for p, c in COMMANDS.items() if not isinstance(c, click.Group)], ids=" ".join)
def test_every_command_tells_errors_in_every_form(path: tuple[str, ...]) -> None:
    flags = {opt for param in COMMANDS[path].params for opt in param.opts}
    assert {"-v", "-q", "--error-format", "--sarif"} <= flags


# --- errors ----------------------------------------------------------------------------------------------------------
KINDS = [
    kind for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MeldError) and kind is not MeldError
]  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, FixtureError, ManifestError, WacError], ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do(kind: type[MeldError]) -> None:
    error = kind("it", "broke") if kind is errors.UnsupportedError else kind("it broke")  # type: ignore[arg-type]
    assert "usual_remedy" in vars(kind) or kind is WacError
    assert error.render().splitlines()[-1] == f"  help: {error.advice}"
    assert len(error.advice) > 20


def test_an_error_is_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "meld.toml"
    file.write_text("inputs = ['a']\noutput = 'x'\nnames = 'long'\n")
    assert run(["--error-format", "json", "fuse", "--manifest", str(file)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["schema"], told["meldpy"]) == ("meld.error/1", __version__)
    assert (told["kind"], told["exit_code"]) == ("ManifestError", 1)
    assert told["location"] == {"source": str(file), "line": 3}
    assert told["remedy"]


def test_a_number_in_the_name_of_a_file_is_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "build:7"
    file.write_bytes(b"\0asm")
    assert run(["--error-format", "json", "validate", str(file)]) == 1
    place = json.loads(capsys.readouterr().err)["location"]
    assert place["source"] == str(file)
    assert "line" not in place


def test_the_environment_chooses_the_form_and_usage_errors_have_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MELD_ERROR_FORMAT", "json")
    assert run(["fuse", "--nope"]) == 2
    told = json.loads(capsys.readouterr().err)
    assert told["kind"] == "UsageError"
    assert "--nope" in told["reason"]


def test_sarif_has_the_error_and_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(Path(HELLO[0]).read_bytes()[:-20])
    log = tmp_path / "log.sarif"
    assert run(["validate", str(broken), "--sarif", str(log)]) == 1
    assert "error: " in capsys.readouterr().err
    told = json.loads(log.read_text())
    assert told["version"] == "2.1.0"
    (result,) = told["runs"][0]["results"]
    assert result["ruleId"] == "DecodeError"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == str(broken)
    assert place["region"]["byteOffset"] > 0


def test_sarif_without_an_error_is_an_empty_log(tmp_path: Path) -> None:
    log = tmp_path / "log.sarif"
    assert run(["-q", "validate", HELLO[0], "--sarif", str(log)]) == 0
    assert json.loads(log.read_text())["runs"][0]["results"] == []


def test_a_log_that_cannot_be_written_hides_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "missing.wasm", "--sarif", str(tmp_path / "no" / "log")]) == 1
    err = capsys.readouterr().err
    assert "missing.wasm" in err
    assert "cannot write" in err


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "cannot write: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/tmp/x"), 1, "cannot use /tmp/x: Permission denied"),
        (OSError("libwasmtime.so: cannot open shared object file"), 70, "meldpy failed"),
        (RecursionError(), 1, "the input is too large or too deep"),
        (KeyError("x"), 70, "meldpy failed"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_nobody_foresaw_is_told_as_what_it_is(
    raised: Exception, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise raised

    monkeypatch.setattr("meldpy.cli.validate.read_inputs_or_stdin", broken)
    assert run(["-v", "validate", HELLO[0]]) == code
    err = capsys.readouterr().err
    assert f"error: {message}" in err
    assert ("Traceback" in err) == (code == 70)


def test_watching_tells_errors_in_their_form_and_ends_as_its_last_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.sarif"
    assert run(["--error-format", "json", "watch", str(tmp_path / "x.toml"), "--times", "1", "--sarif", str(log)]) == 1
    assert json.loads(capsys.readouterr().err)["kind"] == "ManifestError"
    assert [each["ruleId"] for each in json.loads(log.read_text())["runs"][0]["results"]] == ["ManifestError"]


def test_the_log_of_a_watch_is_that_of_its_last_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shows it need not wait for Ctrl-C, which is how a watch ends."""
    manifest, log = tmp_path / "meld.toml", tmp_path / "log.sarif"
    manifest.write_text("inputs = []\n")
    seen: list[list[str]] = []

    def look_and_change(_: object) -> None:
        seen.append([each["ruleId"] for each in json.loads(log.read_text())["runs"][0]["results"]])
        if len(seen) == 2:
            raise KeyboardInterrupt
        manifest.write_text(f"inputs = {HELLO}\noutput = 'out.wasm'\n")

    monkeypatch.setattr("meldpy.cli.watch._wait", look_and_change)
    assert run(["-q", "watch", str(manifest), "--sarif", str(log)]) == 130
    assert seen == [["ManifestError"], []]


# --- completion and documentation ------------------------------------------------------------------------------------
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_MELD_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_a_shell_completes_commands_and_options() -> None:
    def completed(words: str, number: int) -> list[str]:
        asked = {"_MELD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        done = subprocess.run(
            [sys.executable, "-c", "from meldpy.cli.start import main; import sys; sys.argv[0] = 'meld'; main()"],
            env=ENVIRONMENT | asked, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.split()

    assert "plain,fuse" in completed("meld fu", 1)
    assert "plain,--manifest" in completed("meld fuse --man", 2)


def test_documentation_is_listed_shown_and_searched(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["docs"]) == 0
    listed = capsys.readouterr().out
    for topic in ("batch", "ci", "compare", "core", "manifest", "provenance"):
        assert f"\n{topic}" in f"\n{listed}"
        assert run(["docs", topic]) == 0
        assert capsys.readouterr().out.startswith("# ")
    assert run(["docs", "--search", "SELF-CHECK"]) == 0
    assert "\nmanifest:" in "\n" + capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"), [(["nothing"], "help: there are "), (["--search", "xyzzy"], "lists")]
)
def test_a_topic_that_is_not_there_says_which_are(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["docs", *arguments]) == 2
    assert message in capsys.readouterr().err


# --- time ------------------------------------------------------------------------------------------------------------
def test_verbose_says_how_long_each_stage_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-v", "fuse", *HELLO, "-o", str(tmp_path / "o.wasm")]) == 0
    err = capsys.readouterr().err
    for name in ("decode", "validate inputs", "resolve", "analyse", "adapt", "merge", "encode", "validate output"):
        assert f"note: time: {name} " in err


def test_stages_inside_others_are_counted_once() -> None:
    told: list[str] = []
    with measured(told.append) as times:
        with stage("outer"), stage("inner"):
            sum(range(200_000))
        with stage("inner"):
            pass
    assert told == ["outer", "inner", "inner"]
    assert list(times.seconds) == ["outer", "inner"]
    assert times.seconds["inner"] > times.seconds["outer"] >= 0
    with stage("nobody listens"):
        pass
    assert "nobody listens" not in times.seconds


def on_a_terminal(code: str) -> str:
    """What a program writes to a stderr that is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT | {"TERM": "xterm"}, stderr=slave) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        assert process.wait() == 0
    os.close(master)
    return seen.decode()


WORK = """if True:
    import sys, time
    from meldpy.cli.progress import Progress
    from meldpy.cli.settings import Settings
    with Progress(Settings(quiet={quiet}), "fusing") as progress:
        progress.say("merge")
        assert "rich" not in sys.modules
        time.sleep({seconds})
    print("rich" in sys.modules)"""


def test_long_work_shows_signs_of_life_on_a_terminal_and_short_work_loads_nothing() -> None:
    assert "fusing: merge" in on_a_terminal(WORK.format(quiet=False, seconds=1.6))
    assert on_a_terminal(WORK.format(quiet=False, seconds=0)) == ""
    assert on_a_terminal(WORK.format(quiet=True, seconds=1.6)) == ""


def test_nothing_is_shown_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", WORK.format(quiet=False, seconds=1.2)], env=ENVIRONMENT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("False\n", "")
