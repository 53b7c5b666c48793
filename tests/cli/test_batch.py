"""`meld batch`: outputs, lines, reports and exit codes; here and on a cluster of which one worker is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meldpy.batch import Failed, Job, Result
from meldpy.cli.main import run
from meldpy.errors import InternalError

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "fixtures" / "hello"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def manifest(folder: Path, count: int) -> Path:
    """A manifest of so many builds that differ in what an input holds, and so in the output's name section."""
    (folder / "out").mkdir(parents=True)
    lines = []
    for number in range(count):
        lines += [
            "[[build]]",
            f'inputs = ["{HELLO / "greeter.wasm"}", "app{number}={HELLO / "app.wasm"}"]',
            f'output = "out/{number}.wasm"',
        ]
    file = folder / "meld.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def outputs(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "out").iterdir()}


def test_a_batch_writes_what_single_fuses_write_and_a_second_one_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = manifest(tmp_path, 6)
    cache, report = str(tmp_path / "cache"), tmp_path / "report.json"
    assert run(["batch", str(file), "-j", "2", "--cache", cache, "--json", str(report)]) == 0
    said = capsys.readouterr()
    assert sorted(line.split()[1] for line in said.out.splitlines()) == [f"out/{n}.wasm" for n in range(6)]
    assert "6 builds: 6 ok (0 done before), 0 failed" in said.err
    written = outputs(tmp_path)
    assert len(set(written.values())) == 6
    assert json.loads(report.read_text())["failed"] == 0
    stamp = (tmp_path / "out" / "0.wasm").stat().st_mtime_ns
    (tmp_path / "out" / "1.wasm").write_bytes(b"stale")
    assert run(["batch", str(file), "--cache", cache]) == 0
    assert "(6 done before)" in capsys.readouterr().err
    assert outputs(tmp_path) == written
    assert (tmp_path / "out" / "0.wasm").stat().st_mtime_ns == stamp
    assert run(["-q", "fuse", "--manifest", str(file), "--check"]) == 0


def test_one_failure_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = manifest(tmp_path / "good", 2)
    bad = tmp_path / "bad.toml"
    bad.write_text(
        '[[build]]\ninputs = ["missing.wasm"]\noutput = "x.wasm"\n'
        f'[[build]]\ninputs = ["{HELLO / "app.wasm"}"]\noutput = "y.wasm"\nstrict = true\n'
        '[[build]]\ninputs = ["-"]\noutput = "z.wasm"\n'
    )
    broken = tmp_path / "broken.toml"
    broken.write_text("inputs = ")
    report = tmp_path / "report.xml"
    arguments = ["batch", str(bad), str(good), str(broken), "--no-cache", "-j", "1", "--junit", str(report)]
    assert run(arguments) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    for message in ("cannot read", "imported by `app`", "stdin cannot be an input of a batch", "not TOML"):
        assert message in said.err, message
    assert "6 builds: 2 ok (0 done before), 4 failed" in said.err
    assert report.read_text().count("<failure") == 4


def test_failures_are_told_to_machines_in_the_forms_they_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, log = tmp_path / "bad.toml", tmp_path / "log.sarif"
    rows = [f'[[build]]\ninputs = ["missing.wasm"]\noutput = "{number}.wasm"\n' for number in (1, 2)]
    bad.write_text("".join(rows))
    forms = ["--error-format", "json", "--sarif", str(log)]
    assert run([*forms, "-q", "batch", str(bad), "--no-cache", "-j", "1"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["kind"], each["location"]["line"]) for each in told] == [("FileError", 1), ("FileError", 4)]
    results = json.loads(log.read_text())["runs"][0]["results"]
    assert [each["ruleId"] for each in results] == ["FileError", "FileError"]


def test_a_defect_of_ours_ends_a_batch_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(job: Job) -> Result:
        return Failed(job.key, InternalError("meldpy failed"))

    monkeypatch.setattr("meldpy.batch.local.from_files", broken)
    monkeypatch.setattr("meldpy.batch.local._pool", lambda workers: ThreadPoolExecutor(workers))
    assert run(["batch", str(manifest(tmp_path, 2)), "--no-cache"]) == 70
    assert capsys.readouterr().err.count("error: out/") == 2


def test_two_builds_may_not_write_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = manifest(tmp_path, 1)
    other = tmp_path / "other.toml"
    other.write_text(file.read_text())
    assert run(["batch", str(file), str(other)]) == 2
    assert "let them write two files" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rows",
    [
        'inputs = ["a.wasm"]\noutput = "./a.wasm"\n',
        '[[build]]\ninputs = ["b.wasm"]\noutput = "c.wasm"\n[[build]]\ninputs = ["a.wasm"]\noutput = "b.wasm"\n',
        'inputs = ["a.wasm"]\noutput = "b.wasm"\ncore = true\ncore-manifest = "meld.toml"\n',
        'inputs = ["x.wac"]\noutput = "deps/x/a.wasm"\n',
    ],
    ids=["itself", "another", "its manifest", "a package"],
)
def test_no_build_may_write_what_a_batch_reads(rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, package = tmp_path / "meld.toml", tmp_path / "deps" / "x" / "a.wasm"
    file.write_text(rows)
    package.parent.mkdir(parents=True)
    (tmp_path / "x.wac").write_text("let a = new x:a {}; export a...;")
    for path in (package, tmp_path / "a.wasm", tmp_path / "b.wasm"):
        path.write_bytes((HELLO / "greeter.wasm").read_bytes())
    assert run(["batch", str(file), "--no-cache"]) == 2
    assert f"{file} reads" in capsys.readouterr().err
    assert package.read_bytes() == (HELLO / "greeter.wasm").read_bytes()


def test_what_is_not_fused_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "meld.toml"
    names = ", ".join(f'"{HELLO / name}.wasm"' for name in ("greeter", "app"))
    file.write_text(f'inputs = [{names}]\noutput = "o.wasm"\nkeep = ["greeter"]\n')
    assert run(["batch", str(file), "--no-cache", "-j", "1"]) == 0
    assert "; 1 instance not fused (meld fuse -v says why)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to build"),
        (["x.toml", "-j", "2", "--scheduler", "tcp://127.0.0.1:1"], "a cluster has workers of its own"),
        (["x.toml", "--cache", "x", "--no-cache"], "leave one out"),
    ],
)
def test_a_batch_that_cannot_be_is_a_usage_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["batch", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    arguments = ["batch", str(manifest(tmp_path, 1)), "--no-cache", "--scheduler", "tcp://127.0.0.1:1"]
    assert run(arguments) == 2
    assert "pip install 'meldpy[dask]'" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_batch_that_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    """Their standard streams are those of the batch: who reads them to their end has waited for all."""
    command = [sys.executable, "-m", "meldpy", "batch", str(manifest(tmp_path, 400)), "--no-cache", "-j", "2"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as batch:
        assert batch.stdout is not None
        assert batch.stdout.readline().startswith("ok  ")
        batch.send_signal(how)
        _, err = batch.communicate(timeout=30)
        assert batch.returncode == (130 if how is signal.SIGINT else -how)
    assert "Traceback" not in err


# --- a cluster -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real scheduler on loopback."""
    folder = tmp_path_factory.mktemp("dask")
    command = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter"]
    with dask([*command, "--scheduler-file", str(folder / "scheduler.json")], folder):
        yield json.loads(appearing(folder / "scheduler.json"))["address"]


class dask:
    """A process of Dask's, killed in the end."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        code = "import sys; from dask.cli import run_cli; run_cli()"
        command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
        with (folder / f"{arguments[0]}.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log)

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def worker(address: str, folder: Path) -> dask:
    quiet = ["--no-nanny", "--no-dashboard", "--nworkers", "1", "--nthreads", "1", "--host", "127.0.0.1"]
    return dask(["worker", address, *quiet, "--local-directory", str(folder)], folder)


def appearing(file: Path) -> str:
    for _ in range(600):
        if file.exists() and (text := file.read_text()).strip():
            return text
        time.sleep(0.1)
    raise AssertionError(f"{file} did not appear")


def workers_of(address: str, count: int) -> None:
    """Wait until the scheduler knows so many workers."""
    code = f"""if True:
        from distributed import Client
        with Client({address!r}) as client:
            client.wait_for_workers({count}, timeout=60)"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=ENVIRONMENT, check=True, capture_output=True)


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes_as_this_machine(scheduler: str, tmp_path: Path) -> None:
    count = 60
    here, there = manifest(tmp_path / "here", count), manifest(tmp_path / "there", count)
    assert run(["-q", "batch", str(here), "--no-cache", "-j", "2"]) == 0
    with worker(scheduler, tmp_path) as first, worker(scheduler, tmp_path):
        workers_of(scheduler, 2)
        command = [sys.executable, "-m", "meldpy", "batch", str(there), "--no-cache", "--scheduler", scheduler]
        with subprocess.Popen(
            command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as batch:
            assert batch.stdout is not None
            lines = [batch.stdout.readline() for _ in range(count // 4)]
            first.send_signal(signal.SIGKILL)
            assert first.wait() == -signal.SIGKILL
            rest, err = batch.communicate(timeout=180)
        lines += rest.splitlines()
        assert batch.returncode == 0, err
        assert len(lines) == count
        assert all(line.startswith("ok  out/") for line in lines)
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")


def test_a_cluster_without_workers_is_an_error(scheduler: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "meldpy", "batch", str(manifest(tmp_path, 1)), "--no-cache"]
    done = subprocess.run([*command, "--scheduler", scheduler], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no workers" in done.stderr
    assert "help: start `dask worker ADDRESS`" in done.stderr
    done = subprocess.run([*command, "--scheduler", "nowhere"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no Dask scheduler at nowhere" in done.stderr
