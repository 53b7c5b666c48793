"""`meld host`: a host in a process of its own, and commands that speak with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from meldpy.errors import FileError, Location
from meldpy.host.control import protocol
from meldpy.host.control.client import Client, HostSaid
from meldpy.host.control.server import ControlServer
from meldpy.host.host import Host

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tests" / "support" / "hosted" / "probe.wasm"
GRANTS = "log = true\nkv = true\nclock = true\njobs = true\npublish = ['*']\nsubscribe = ['*']\nsend = ['*']\n"


class Running:
    """A folder with a host in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "allow.toml").write_text(f'["*"]\n{GRANTS}')
        self.environment = {**os.environ, "MELD_HOST": str(folder / "host"), "MELD_MODULES": str(folder / "modules")}
        self.process: subprocess.Popen[str] | None = None

    def module(self, version: str) -> Path:
        made = self.folder / f"probe-{version}"
        made.mkdir()
        shutil.copy(PROBE, made / "it.wasm")
        (made / "module.toml").write_text(
            f'[module]\nname = "probe"\nversion = "{version}"\ncomponent = "it.wasm"\n[grants]\n{GRANTS}'
        )
        return made

    def meld(self, *arguments: str, input_: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "meldpy", "host", *arguments],
            cwd=ROOT, env=self.environment, input=input_, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout + (done.stderr if code else "")

    def start(self, *more: str) -> None:
        command = [sys.executable, "-m", "meldpy", "host", "run", "--allow", str(self.folder / "allow.toml"), *more]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while "host runs in" not in (line := self.process.stderr.readline()):
            assert line, "it ended"

    def stop(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def test_modules_are_installed_loaded_called_swapped_and_taken_back(running: Running) -> None:
    for version in ("1.0.0", "2.0.0"):
        assert running.meld("install", str(running.module(version))) == f"probe {version}\n"
    assert running.meld("installed") == "probe 1.0.0 *\nprobe 2.0.0\n"
    running.start("--load", "probe")
    assert running.meld("call", "probe", "echo", "hello") == "hello"
    assert running.meld("call", "probe", "echo", "-", input_="from stdin") == "from stdin"
    assert "unknown command" in running.meld("call", "probe", "what", code=1)
    running.meld("send", "seq/x", "1")
    assert running.meld("send", "seq/x", "2", "--to", "probe", "--reply", "10") == "<> 2 2 0 0"
    assert running.meld("reload", "probe", "2.0.0").startswith("probe was away for ")
    assert running.meld("call", "probe", "seen") == "<> 2 2 0 0"
    assert running.meld("history", "probe") == "1.0.0\n2.0.0\n"
    assert running.meld("rollback", "probe") == "1.0.0\n"
    (only,) = json.loads(running.meld("list", "--json"))
    assert (only["name"], only["version"], only["status"], only["generation"]) == ("probe", "1.0.0", "running", 2)
    shown = json.loads(running.meld("inspect", "probe"))
    assert (shown["capabilities"]["state_schema"], shown["dead-letters"]) == (1, [])
    assert "is not installed" in running.meld("reload", "probe", "3.0.0", code=2)
    running.meld("unload", "probe")
    assert running.meld("list") == ""
    running.meld("end")
    assert running.process is not None
    running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert "no host runs" in running.meld("list", code=1)


def test_jobs_are_begun_shown_paused_and_resumed_in_the_next_host(running: Running) -> None:
    running.start("--load", str(running.module("1.0.0")))
    assert running.meld("jobs", "start", "probe", "count-to", "3", "--wait").splitlines()[0] == "1"
    assert json.loads(running.meld("jobs", "show", "1"))["result"] == "3"
    running.meld("jobs", "start", "probe", "fail", "--wait", code=1)
    asked = "export, which has no payload"
    assert asked in running.meld("jobs", "start", "probe", "f(1)", "2", code=2)
    assert asked in running.meld("call", "probe", "f(1)", "2", code=2)
    assert running.meld("jobs", "start", "probe", "count-to", "100000000") == "3\n"
    time.sleep(0.3)
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    running.start("--load", str(running.folder / "probe-1.0.0"))
    row = json.loads(running.meld("jobs", "show", "3"))
    assert (row["status"], row["runs"]) == ("running", 2)
    running.meld("jobs", "pause", "3")
    deadline = time.monotonic() + 30
    while "paused" not in running.meld("jobs", "list") and time.monotonic() < deadline:
        time.sleep(0.1)
    running.meld("jobs", "resume", "3")
    running.meld("jobs", "cancel", "3")
    assert "probe exports no function gone" in running.meld("jobs", "start", "probe", "gone(1)", "--wait", code=1)
    assert json.loads(running.meld("jobs", "show", "4"))["kind"] == "export"
    assert running.stop(signal.SIGTERM) == 0


def test_a_defect_of_the_host_is_logged_and_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def modules(_self: Host) -> list[object]:
        raise KeyError("a defect")

    monkeypatch.setattr(Host, "modules", modules)
    with Host(tmp_path) as host:
        server = ControlServer(host, tmp_path)
        with Client(tmp_path) as client:
            with pytest.raises(HostSaid, match="the host failed") as told:
                client.ask(protocol.Modules())
            assert (told.value.exit_code, told.value.causes) == (70, ("KeyError: 'a defect'",))
            assert "defect of meldpy" in told.value.advice
            with pytest.raises(HostSaid) as refused:
                client.ask(protocol.Load(str(tmp_path / "nothing")))
            assert refused.value.exit_code == 2
            (tmp_path / "module.toml").write_text("[module]\n")
            with pytest.raises(HostSaid) as placed:
                client.ask(protocol.Load(str(tmp_path)))
            assert placed.value.location == Location(str(tmp_path / "module.toml"))
            protocol.send(client._channel, {"type": "Act", "id": 1, "what": "explode"})
            frame = protocol.receive(client._channel)
            answer = msgspec.msgpack.decode(frame or b"", type=protocol.Answer)
            assert (answer.exit_code, (answer.error or "").partition(":")[0]) == (2, "not understood")
        server.close()
    (record,) = [each for each in caplog.records if each.getMessage() == "the host failed"]
    assert record.exc_info is not None


def test_a_folder_whose_path_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    with Host(folder) as host, pytest.raises(FileError, match=r"control\.sock") as refused:
        ControlServer(host, folder)
    assert refused.value.remedy == "use a folder with a shorter path"


def test_the_socket_is_its_owners_alone_and_does_not_die_of_nonsense(running: Running) -> None:
    running.start()
    path = running.folder / "host" / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for nonsense in (b"", b"\1", b"\xff\xff\xff\xff", b"\4\0\0\0abcd", b"\1\0\0\0\xc0"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(nonsense)
    assert running.meld("list") == ""
    assert running.stop(signal.SIGINT) == 0
    assert not path.exists()
