"""A native module reaches what it was granted, and nothing else of the machine: files, sockets, processes."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from meldpy.host.host import Host
from meldpy.host.limits import Directory, Grants
from meldpy.host.native import NativeOptions
from meldpy.host.native.worker import landlock, seccomp
from tests.support.native import library, running


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("given", "shown", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    (tmp_path / "given" / "way-out").symlink_to(tmp_path / "hidden" / "file")
    return tmp_path


def grants(tree: Path, **more: object) -> Grants:
    given = Directory(str(tree / "given"), "/given", write=True)
    shown = Directory(str(tree / "shown"), "/shown")
    return Grants(directories=(given, shown), **more)  # type: ignore[arg-type]


FILES = [
    ("read", "given/file", "reached"),
    ("write", "given/file", "reached"),
    ("write", "given/new", "reached"),
    ("link", "given/link", "reached"),
    ("remove", "given/file", "reached"),
    ("truncate", "given/file", "reached"),
    ("read", "given/way-out", "EACCES"),
    ("read", "given/../hidden/file", "EACCES"),
    ("read", "shown/file", "reached"),
    ("list", "shown", "reached"),
    ("write", "shown/file", "EACCES"),
    ("write", "shown/new", "EACCES"),
    ("remove", "shown/file", "EACCES"),
    ("truncate", "shown/file", "EACCES"),
    ("truncate by open", "shown/file", "EACCES"),
    ("read", "hidden/file", "EACCES"),
    ("list", "hidden", "EACCES"),
    ("write", "hidden/new", "EACCES"),
    ("truncate", "hidden/file", "EACCES"),
    ("read", "/etc/passwd", "EACCES"),
    ("read", "/proc/self/environ", "EACCES"),
    ("execute", "/bin/true", "EACCES"),
    ("execute", "given/file", "EACCES"),
]


@pytest.mark.parametrize(("how", "path", "outcome"), FILES)
def test_files(how: str, path: str, outcome: str, tree: Path) -> None:
    with running(library("reach"), grants=grants(tree)) as module:
        assert module.execute(how, str(tree / path).encode()) == outcome.encode()
    assert (tree / "hidden" / "file").read_text() == "text"


@pytest.mark.parametrize(("granted", "outcome"), [(True, "reached"), (False, "EACCES")])
def test_the_directory_for_large_payloads_is_there_if_it_was_granted(granted: bool, outcome: str, tree: Path) -> None:
    options = NativeOptions(scratch=str(tree / "hidden"))
    with running(library("reach"), grants=Grants(scratch=granted), options=options) as module:
        assert module.execute("write", str(tree / "hidden" / "new").encode()) == outcome.encode()
        known = module.execute("environment", b"MELD_SCRATCH")
        assert known == (b"reached" if granted else b"ENOENT")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_network_is_there_if_it_was_granted(port: int) -> None:
    with running(library("reach"), grants=Grants()) as module:
        for how in ("tcp", "udp", "unix", "ring"):
            assert module.execute(how, str(port).encode()) == b"EPERM", how
    with running(library("reach"), grants=Grants(network=True)) as module:
        for how in ("tcp", "udp", "unix"):
            assert module.execute(how, str(port).encode()) == b"reached", how


@pytest.mark.parametrize("how", ["signal", "limit", "slow down", "memory"])
def test_its_host_is_out_of_reach(how: str) -> None:
    host = str(os.getpid()).encode()
    with running(library("reach"), grants=Grants(network=True)) as module:
        assert module.execute(how, host) == b"EPERM"
    trusted = NativeOptions(confined=False)
    if how == "signal":
        with running(library("reach"), options=trusted) as module:
            assert module.execute(how, host) == b"reached"


def test_a_process_may_signal_itself_and_nobody_else() -> None:
    with running(library("reach"), grants=Grants()) as module:
        assert module.execute("own signal", b"") == b"reached"
        assert module.execute("signal everybody", b"") == b"EPERM"


def test_only_granted_names_are_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.setenv("HIDDEN", "1")
    with running(library("reach"), grants=Grants(environment=("GIVEN",))) as module:
        assert module.execute("environment", b"GIVEN") == b"reached"
        assert module.execute("environment", b"HIDDEN") == b"ENOENT"
        assert module.execute("environment", b"PATH") == b"ENOENT"


def test_a_trusted_module_reaches_what_its_user_does(tree: Path) -> None:
    with running(library("reach"), grants=Grants(), options=NativeOptions(confined=False)) as module:
        assert module.execute("read", str(tree / "hidden" / "file").encode()) == b"reached"


def test_a_machine_without_numbers_is_not_confined_in_silence() -> None:
    with pytest.raises(landlock.Unconfined, match="sparc"):
        seccomp.program("sparc", 1, network=False)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_jump_of_the_filter_leads_out_of_it(machine: str) -> None:
    for network in (True, False):
        made = seccomp.program(machine, 4711, network=network)
        for place, (code, true, false, _) in enumerate(made):
            if code in (0x15, 0x35):
                assert place + 1 + max(true, false) < len(made)
        assert made[-1] == (0x06, 0, 0, 0x7FFF0000)


def test_a_module_toml_says_what_the_process_may_use(tmp_path: Path) -> None:
    folder = tmp_path / "module"
    folder.mkdir()
    shutil.copy(library("reach"), folder / "reach.so")
    (folder / "module.toml").write_text(
        '[module]\nname = "bounded"\nversion = "1.0.0"\nlibrary = "reach.so"\n'
        "[grants]\nscratch = true\n[native]\nfiles = 32\n"
    )
    with Host(tmp_path / "state", allow={"bounded": Grants(scratch=True)}) as host:
        bounded = host.load(folder)
        process = host.core.find("bounded").ask(lambda instance: getattr(instance, "process_id", 0)).result(30)
        assert resource.prlimit(process, resource.RLIMIT_NOFILE) == (32, 32)
        written = tmp_path / "state" / "scratch" / "bounded" / "new"
        assert bounded.execute("write", str(written).encode()) == b"reached"
        assert bounded.execute("environment", b"MELD_SCRATCH") == b"reached"
        assert written.exists()
