"""What `meld fuse` writes and where: whole files or none, and nothing that was not asked for."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from meldpy.cli import io
from meldpy.cli.main import run
from meldpy.errors import FileError

ROOT = Path(__file__).resolve().parents[2]
GREETER, APP = (str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm"))


def meld(*arguments: str, given: bytes | None = b"", **options: object) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, for what needs real streams."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # options are passed on
        [sys.executable, "-m", "meldpy", *arguments],
        input=given,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "check": False, **options},
    )


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fused") / "out.wasm"
    assert run(["-q", "fuse", GREETER, APP, "-o", str(path)]) == 0
    return path.read_bytes()


def test_one_summary_line_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fuse", GREETER, APP, "-o", str(tmp_path / "o.wasm")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    for part in ("fused 2 inputs", "1 call site", "kB", " s"):
        assert part in err


def test_stdin_and_stdout(fused: bytes) -> None:
    done = meld("-q", "fuse", "app=-", GREETER, given=Path(APP).read_bytes())
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout[:8] == b"\0asm\x0d\0\x01\0"


def test_a_dash_as_output_is_stdout(fused: bytes) -> None:
    assert meld("-q", "fuse", GREETER, APP, "-o", "-").stdout == fused


def test_stdin_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fuse", "-", "b=-", "-o", "x"]) == 2
    assert "stdin can be read only once" in capsys.readouterr().err


def test_text_in_and_text_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.wat"
    assert run(["-q", "fuse", str(ROOT / "tests/hostile/components/nested.wat"), "-t", "-o", str(target)]) == 0
    assert target.read_text().startswith("(component")


def test_text_out_without_wasm_tools_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("meldpy.engine.tools.available", lambda: False)
    assert run(["fuse", GREETER, APP, "--wat", "-o", str(tmp_path / "o.wat")]) == 1
    assert "wasm-tools" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_binary_is_refused_on_a_terminal() -> None:
    controller, terminal = pty.openpty()
    seen = bytearray()
    reader = threading.Thread(target=lambda: seen.extend(os.read(controller, 4096)), daemon=True)
    reader.start()
    done = meld("fuse", GREETER, APP, given=None, stdout=terminal)
    os.write(terminal, b"end")
    reader.join(10)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"refusing to write a binary to a terminal" in done.stderr
    assert bytes(seen) == b"end"


# --- files ---------------------------------------------------------------------------------------------------------
def test_an_existing_file_is_replaced_and_keeps_its_mode(tmp_path: Path, fused: bytes) -> None:
    target = tmp_path / "out.wasm"
    target.write_bytes(b"old")
    target.chmod(0o640)
    before = target.stat().st_ino
    assert run(["-q", "fuse", GREETER, APP, "-o", str(target)]) == 0
    assert target.read_bytes() == fused
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.stat().st_ino != before, "written in place, not replaced"


def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        assert run(["-q", "fuse", GREETER, APP, "-o", str(tmp_path / "o.wasm")]) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "o.wasm").stat().st_mode) == 0o640


@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_links_are_followed(tmp_path: Path, fused: bytes, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "out.wasm", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    assert run(["-q", "fuse", GREETER, APP, "-o", str(link)]) == 0
    assert link.is_symlink()
    assert target.read_bytes() == fused


def test_a_pipe_is_written_in_place(tmp_path: Path, fused: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert run(["-q", "fuse", GREETER, APP, "-o", str(pipe)]) == 0
    reader.join(10)
    assert seen == [fused]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_dev_stdout_works(fused: bytes) -> None:
    assert meld("-q", "fuse", GREETER, APP, "-o", "/dev/stdout").stdout == fused


@pytest.mark.parametrize("output", ["/dev/full", "missing/out.wasm", ".", "a\0b"])
def test_an_output_that_cannot_be_written_is_an_error(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["-q", "fuse", GREETER, APP, "-o", output]) == 1
    assert capsys.readouterr().err.startswith("error: cannot write ")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        done = meld("-q", "fuse", GREETER, APP, stdout=full)
    assert done.returncode == 1
    assert b"error: cannot write: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("fails", ["os.fsync", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.wasm"
    target.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fails, full)
    with pytest.raises(FileError, match="No space left"):
        io.write_output(str(target), b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.wasm"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    assert run(["fuse", GREETER, APP, "-o", str(tmp_path / "o.wasm")]) == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", ["same path", "hard link", "symbolic link", "stdin"])
def test_an_output_that_is_an_input_is_refused(way: str, tmp_path: Path) -> None:
    source, output = tmp_path / "app.wasm", tmp_path / "app.wasm"
    source.write_bytes(Path(APP).read_bytes())
    if way == "hard link":
        output = tmp_path / "other.wasm"
        output.hardlink_to(source)
    elif way == "symbolic link":
        output = tmp_path / "other.wasm"
        output.symlink_to(source)
    with source.open("rb") as stdin:
        item = "-" if way == "stdin" else str(source)
        done = meld("fuse", GREETER, item, "-o", str(output), given=None, stdin=stdin)
    assert done.returncode == 2
    assert b"is also an input" in done.stderr
    assert source.read_bytes() == Path(APP).read_bytes()


def test_a_failed_fuse_leaves_the_old_output(tmp_path: Path) -> None:
    target = tmp_path / "out.wasm"
    target.write_bytes(b"old")
    assert run(["-q", "fuse", str(target), "-o", str(tmp_path / "new.wasm")]) == 1
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.wasm"]


def test_a_closed_stdout_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = meld("inspect", APP, stdout=write)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""


def test_no_stdout_at_all_is_an_error() -> None:
    command = f'exec "{sys.executable}" -m meldpy -q fuse "{GREETER}" "{APP}" >&-'
    done = subprocess.run(["sh", "-c", command], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert done.returncode == 1
    assert b"stdout: it is closed" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_output_whose_folder_is_not_there_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "dist" / "out.wasm"
    assert run(["fuse", GREETER, APP, "-o", str(output)]) == 1
    assert f"help: make the folder {output.parent} first" in capsys.readouterr().err
