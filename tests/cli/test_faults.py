"""Streams, files, places and a wasm-tools that do not behave: a clean error, and nothing is damaged.

What holds of a well-behaved world is in test_output.py, and what holds when processes die in test_faults_killed.py.
All of it works for root and for others alike.
"""

from __future__ import annotations

import os
import pty
import resource
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meldpy.cli import io
from meldpy.cli.main import run
from meldpy.errors import FileError

ROOT = Path(__file__).resolve().parents[2]
GREETER, APP = (str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm"))
NOBODY = 65534
OLD = b"old"


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fused") / "out.wasm"
    assert run(["-q", "fuse", GREETER, APP, "-o", str(path)]) == 0
    return path.read_bytes()


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory, fused: bytes) -> str:
    path = tmp_path_factory.mktemp("hello") / "hello.wasm"
    path.write_bytes(fused)
    return str(path)


def fuse(output: str | Path, *options: str) -> int:
    return run(["-q", "fuse", GREETER, APP, "-o", str(output), *options])


def tree(directory: Path) -> dict[str, bytes | str]:
    """Everything below: contents of files, targets of links."""
    return {
        str(path.relative_to(directory)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def shell(command: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """`command`, in which `meld` is the command under test and "$1"… are `arguments`."""
    return subprocess.run(
        ["sh", "-c", f'meld() {{ "{sys.executable}" -m meldpy "$@"; }}; {command}', "sh", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@contextmanager
def no_privileges() -> Iterator[None]:
    """Permissions bind here, whoever runs the test."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


# --- streams ----------------------------------------------------------------------------------------------------------
STREAMS = [
    pytest.param('meld inspect "$1" >&-', 1, b"stdout: it is closed", id="inspect without stdout"),
    pytest.param('meld run "$1" --invoke "greet(\\"x\\")" >&-', 1, b"stdout: it is closed", id="run without stdout"),
    pytest.param('meld fuse "$1" 1<"$1"', 2, b"stdout is also an input", id="stdout opened for reading"),
    pytest.param('meld inspect "$1" >/dev/full', 1, b"cannot write: No space left", id="inspect to a full disk"),
    pytest.param("meld fuse - <&-", 1, b"cannot read stdin: it is closed", id="no stdin"),
    pytest.param("meld fuse - 0>/dev/null", 1, b"cannot read stdin: Bad file", id="stdin that cannot be read"),
    pytest.param('meld validate "$1" 2>/dev/full', 0, b"", id="full stderr"),
    pytest.param("meld validate missing 2>/dev/full", 1, b"", id="full stderr and an error"),
    pytest.param("meld validate missing 2>&-", 1, b"", id="no stderr and an error"),
    pytest.param("meld nonsense >&- 2>&- <&-", 2, b"", id="no streams and a usage error"),
    pytest.param('meld fuse "$1" | true; test "$?" = 0', 0, b"", id="fuse to a pipe that nobody reads"),
]


@pytest.mark.parametrize(("command", "code", "words"), STREAMS)
def test_streams_that_fail(command: str, code: int, words: bytes, hello: str) -> None:
    done = shell(command, hello)
    assert done.returncode == code
    assert words in done.stderr
    assert b"Traceback" not in done.stderr
    assert bool(done.stderr) == bool(words)


def test_stdout_that_is_a_pipe_without_a_reader_is_an_error_without_words(hello: str) -> None:
    for command in (["fuse", hello], ["inspect", hello], ["run", hello, "--invoke", 'greet("x")']):
        read, write = os.pipe()
        os.close(read)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "meldpy", *command], env=environment, stdout=write, stderr=subprocess.PIPE
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (1, b"")


def test_without_any_stream_the_output_is_written(tmp_path: Path, fused: bytes) -> None:
    assert shell('meld fuse "$1" "$2" -o out.wasm >&- 2>&- <&-', GREETER, APP, cwd=tmp_path).returncode == 0
    assert tree(tmp_path) == {"out.wasm": fused}


def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    """What native code, or a guest, writes to stdout or stderr must not end in an output file."""
    code = "from meldpy.cli import terminal; terminal.hold_streams(); import os; os._exit(os.open(os.devnull, 0))"
    assert shell(f'"{sys.executable}" -c "{code}" >&- 2>&- <&-').returncode == 3


def test_appending_to_an_input_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "app.wasm"
    source.write_bytes(Path(APP).read_bytes())
    done = shell('meld fuse "$1" app.wasm >>app.wasm', GREETER, cwd=tmp_path)
    assert done.returncode == 2
    assert b"the output stdout is also an input" in done.stderr
    assert source.read_bytes() == Path(APP).read_bytes()


# --- inputs -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing.wasm", "No such file"),
        (".", "Is a directory"),
        ("file/inner.wasm", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("dangling", "No such file"),
        ("n" * 300, "File name too long"),
        ("a\0b", "null"),
        ("/proc/self/mem", "Input/output error"),
        ("socket", "No such device or address"),
    ],
    ids=lambda value: value.replace("\0", "NUL")[:20],
)
@pytest.mark.parametrize("command", ["fuse", "inspect", "validate", "run"])
def test_an_input_that_cannot_be_read(
    command: str,
    path: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(OLD)
    Path("out.wasm").write_bytes(OLD)
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        before = tree(tmp_path)
        assert run([command, path, *(["-o", "out.wasm"] if command == "fuse" else [])]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: cannot read ")
    assert words in err
    assert tree(tmp_path) == before


def test_an_input_without_permission(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-q", "validate", APP]) == 0  # imports what it needs while it may
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        source = Path(directory) / "a.wasm"
        source.write_bytes(Path(APP).read_bytes())
        source.chmod(0)
        with no_privileges():
            assert run(["validate", str(source)]) == 1
        assert "Permission denied" in capsys.readouterr().err


def test_names_that_are_not_utf8(tmp_path: Path, fused: bytes) -> None:
    """Bytes in file names are the file system's affair; in the name section they are written as escapes."""
    app, greeter, out = (os.fsdecode(os.fsencode(tmp_path) + b"/" + name) for name in (b"a\xff", b"\xfeb", b"o\xff"))
    Path(app).write_bytes(Path(APP).read_bytes())
    Path(greeter).write_bytes(Path(GREETER).read_bytes())
    assert run(["fuse", app, greeter, "-o", out]) == 0
    assert run(["-q", "fuse", app, greeter, "-o", out, "--check"]) == 0
    assert run(["-q", "fuse", f"n\udcff={app}", greeter, "-o", out, "-v"]) == 0
    assert run(["-q", "fuse", app, greeter, "-o", out, "--no-names"]) == 0
    assert abs(len(Path(out).read_bytes()) - len(fused)) < 2000


@pytest.mark.parametrize("way", ["dotted", "named", "linked directory", "second", "check", "proc"])
def test_an_output_that_is_an_input_by_another_name(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for path in (GREETER, APP):
        (tmp_path / "real" / Path(path).name).write_bytes(Path(path).read_bytes())
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    inputs, output, options = ["real/app.wasm", "real/greeter.wasm"], "real/app.wasm", []
    match way:
        case "dotted":
            output = "real/../real/./app.wasm"
        case "named":
            inputs[0] = "x=real/app.wasm"
        case "linked directory":
            output = "link/app.wasm"
        case "second":
            output = "link/greeter.wasm"
        case "check":
            options = ["--check"]
        case "proc":
            output = "/proc/self/cwd/real/app.wasm"
    assert run(["fuse", *inputs, "-o", output, *options]) == 2
    assert "is also an input" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_a_file_to_compare_with_that_cannot_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuse("a\0b", "--check") == 1
    assert capsys.readouterr().err.startswith("error: cannot read ")


# --- outputs that cannot be written -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "Is a directory"),
        (".", "Is a directory"),
        ("new/", "Is a directory"),
        ("file/", "Not a directory"),
        ("missing/out.wasm", "No such file"),
        ("file/out.wasm", "Not a directory"),
        ("/dev/null/out.wasm", "Not a directory"),
        ("/proc/out.wasm", ""),
        ("/proc/self/cmdline", ""),
        ("loop", "Too many levels of symbolic links"),
        ("dangling", "No such file"),
        ("n" * 300, "File name too long"),
        ("a\0b", "null"),
        ("socket", "No such device or address"),
        ("/dev/full", "No space left on device"),
    ],
    ids=lambda value: value.replace("\0", "NUL")[:20],
)
def test_an_output_that_cannot_be_written(
    path: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("file").write_bytes(OLD)
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere/out.wasm")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        before = tree(tmp_path), sorted(map(str, tmp_path.rglob("*")))
        assert fuse(path) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: cannot write ")
    assert words in err
    assert (tree(tmp_path), sorted(map(str, tmp_path.rglob("*")))) == before


def test_a_directory_without_permission_to_write(capsys: pytest.CaptureFixture[str], fused: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "out.wasm"
        target.write_bytes(OLD)
        os.chmod(directory, 0o555)
        with no_privileges():
            for output in (target, Path(directory) / "new.wasm"):
                assert fuse(output) == 1
                assert "Permission denied" in capsys.readouterr().err
        os.chmod(directory, 0o755)
        assert tree(Path(directory)) == {"out.wasm": OLD}


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("room", [0, 1000, 4096, -1])
def test_a_disk_that_is_full_after_some_bytes(
    room: int, existing: bool, tmp_path: Path, fused: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the size of files fails where a full disk does: in the middle of a write. -1: just one byte lacks."""
    target = tmp_path / "out.wasm"
    if existing:
        target.write_bytes(OLD)
    before, (soft, hard) = tree(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room if room >= 0 else len(fused) - 1, hard))
    try:
        with pytest.raises(FileError, match="File too large"):
            io.write_output(str(target), fused)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tree(tmp_path) == before
    io.write_output(str(target), fused)
    assert tree(tmp_path) == {"out.wasm": fused}


def test_a_full_disk_in_a_whole_run(tmp_path: Path) -> None:
    (tmp_path / "out.wasm").write_bytes(OLD)
    done = shell('ulimit -f 2; meld fuse "$1" "$2" -o out.wasm', GREETER, APP, cwd=tmp_path)
    assert done.returncode == 1
    assert b"error: cannot write out.wasm: File too large" in done.stderr
    assert tree(tmp_path) == {"out.wasm": OLD}


# --- outputs that are no plain files ----------------------------------------------------------------------------------
def in_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be replaced, or made beside it: for targets in directories where that would be a disaster."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a device is replaced")

    monkeypatch.setattr(os, "replace", forbidden)
    monkeypatch.setattr("meldpy.cli.io._temporary_file", forbidden)


@pytest.mark.parametrize("through_link", [False, True])
def test_the_null_device_is_written_in_place(
    through_link: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place_only(monkeypatch)
    (tmp_path / "link").symlink_to(os.devnull)
    assert fuse(tmp_path / "link" if through_link else os.devnull) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert (tmp_path / "link").is_symlink()


def test_a_device_gets_every_byte(fused: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place_only(monkeypatch)
    controller, device = pty.openpty()
    tty.setraw(device)
    seen = bytearray()

    def read() -> None:
        while len(seen) < len(fused):
            seen.extend(os.read(controller, 4096))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert fuse(os.ttyname(device)) == 0
    reader.join(10)
    os.close(device)
    os.close(controller)
    assert bytes(seen) == fused


@pytest.mark.parametrize("fault", ["invalid input", "invalid output"])
def test_a_pipe_gets_nothing_before_everything_is_valid(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, bad = tmp_path / "pipe", tmp_path / "bad.wat"
    os.mkfifo(pipe)
    bad.write_text("(component (core module (func (result i32))))")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    if fault == "invalid input":
        assert run(["-q", "fuse", str(bad), "-o", str(pipe)]) == 1
    else:
        monkeypatch.setattr("meldpy.binary.encode.encode_component", lambda _: b"\0asm\x0d\0\x01\0\xff")
        assert fuse(pipe) == 70
    assert os.read(reader, 100) == b"", "no writer ever came"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_whose_reader_goes_away_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)), daemon=True)
    thread.start()
    with pytest.raises(FileError, match="Broken pipe"):
        io.write_output(str(pipe), bytes(1 << 20))
    thread.join(10)


def test_links_are_followed_to_where_they_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fused: bytes) -> None:
    """Chains, relative ones, into other directories, from other directories, dangling at the end or not."""
    for folder in ("here", "there", "there/deep"):
        (tmp_path / folder).mkdir()
    links = {
        "here/one": "two",
        "here/two": "../there/three",
        "there/three": "deep/end.wasm",
        "here/folder": "../there",
        "here/dangling": "../there/new.wasm",
    }
    for link, to in links.items():
        (tmp_path / link).symlink_to(to)
    (tmp_path / "there/deep/end.wasm").write_bytes(OLD)
    (tmp_path / "there/deep/end.wasm").chmod(0o604)
    monkeypatch.chdir(tmp_path / "there")
    for output in ("../here/one", "../here/dangling", "../here/folder/third.wasm"):
        assert fuse(output) == 0
    files = {"there/deep/end.wasm": fused, "there/new.wasm": fused, "there/third.wasm": fused}
    assert tree(tmp_path) == {**links, **files}
    assert stat.S_IMODE((tmp_path / "there/deep/end.wasm").stat().st_mode) == 0o604


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444, 0o777])
def test_the_mode_of_an_existing_file_is_kept_whatever_the_umask(mode: int, tmp_path: Path) -> None:
    target = tmp_path / "out.wasm"
    target.write_bytes(OLD)
    target.chmod(mode)
    before = os.umask(0o077)
    try:
        assert fuse(target) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o666), (0o022, 0o644), (0o077, 0o600), (0o777, 0o000)])
def test_a_new_file_gets_the_mode_of_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        assert fuse(tmp_path / "out.wasm") == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.wasm").stat().st_mode) == mode


# --- wasm-tools -------------------------------------------------------------------------------------------------------
FAKES = {
    "missing": None,
    "failing": "#!/bin/sh\ncat >/dev/null; printf 'error: boom \\033[31m' >&2; exit 3\n",
    "deaf": "#!/bin/sh\nexec <&-; exit 1\n",
    "old": "#!/bin/sh\necho \"error: unrecognized subcommand '$1'\" >&2; exit 2\n",
    "dying": "#!/bin/sh\nkill -9 $$\n",
    "silent": "#!/bin/sh\ncat >/dev/null\n",
    "babbling": "#!/bin/sh\nprintf '\\377\\376 what?'\n",
    "cut off": "#!/bin/sh\nprintf '(component\\n  (core module'\n",
    "not runnable": "#!/no/such/interpreter\n",
    "no program": "\x7fELF",
    "hanging": "#!/bin/sh\nexec sleep 60\n",
}


GENUINE = 'if [ "$1" = --version ]; then echo "wasm-tools 1.250.0 (0123456789 2026-01-01)"; exit 0; fi'


@pytest.fixture(params=FAKES)
def fake_tools(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A PATH with nothing but a `wasm-tools` that does not do its job, though it says that it is one."""
    folder, script = tmp_path / "bin", FAKES[request.param]
    folder.mkdir()
    if script is not None:
        script = script.replace("#!/bin/sh\n", f"#!/bin/sh\n{GENUINE}\n")
        (folder / "wasm-tools").write_text(script)
        (folder / "wasm-tools").chmod(0o755)
    for tool in ("cat", "sleep"):
        (folder / tool).symlink_to(next(path for path in (f"/bin/{tool}", f"/usr/bin/{tool}") if os.path.exists(path)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("meldpy.engine.tools._TIMEOUT", 0.3)
    return str(request.param)


def test_wasm_tools_cannot_spoil_anything(
    fake_tools: str, tmp_path: Path, fused: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    target, bad = out / "out.wasm", tmp_path / "bad.wat"
    target.write_bytes(OLD)
    bad.write_text("(component (core module (func (result i32))))")

    assert fuse(target, "--wat") == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "wasm-tools" in err
    assert "\x1b" not in err
    assert tree(out) == {"out.wasm": OLD}

    assert run(["validate", str(bad)]) == 1
    assert "error: the component is invalid" in capsys.readouterr().err, "the engine's word counts"
    assert fuse(target) == 0
    assert tree(out) == {"out.wasm": fused}


@pytest.mark.parametrize(
    "version",
    [
        "echo 'usage: wasm-tools [-h] file' >&2; exit 2",
        "echo 2.1.0",
        "echo 'wasm-tools of somebody else, 2.1.0'",
        "echo 'wasm-tools 1.250.0'; exit 1",
        "exec sleep 60",
        "exit 0",
        "printf '\\377wasm-tools 1.250.0'",
    ],
)
def test_another_program_called_wasm_tools_is_as_good_as_none(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would print a component and refuse nothing, were it asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "wasm-tools"
    tool.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then {version}; exit; fi\n'
        f"echo asked >> {tmp_path}/asked; echo '(component)'; echo 'error: refused' >&2; exit 1\n"
    )
    tool.chmod(0o755)
    (folder / "sleep").symlink_to("/bin/sleep")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("meldpy.engine.tools._TIMEOUT", 0.3)
    assert fuse(tmp_path / "out.wat", "--wat") == 1
    assert f"{tool} is another program" in capsys.readouterr().err
    bad = tmp_path / "bad.wat"
    bad.write_text("(component (core module (func (result i32))))")
    assert run(["validate", str(bad)]) == 1
    assert "wasm-tools: " not in capsys.readouterr().err
    assert not (tmp_path / "asked").exists(), "it was asked nothing but its version"
