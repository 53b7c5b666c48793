"""How `meld batch` scales over workers: builds a second with 1, 2, … processes of this machine, and of a Dask cluster.

Prints, for each number of workers, builds a second and the ratio to one worker. The builds are the hello pair under
names that differ, so that every one is fused. More workers than processors show what a queue costs, and no more.

    python benchmarks/batch.py --builds 2000 --workers 1 2 4
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
HELLO = ROOT / "fixtures" / "hello"
DASK = [sys.executable, "-W", "ignore", "-c", "from dask.cli import run_cli; run_cli()"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--only", choices=["local", "dask"])
    given = parser.parse_args()
    print(f"{given.builds} builds, {os.cpu_count()} processors")
    for kind in ("local", "dask"):
        if given.only in (None, kind):
            first: float | None = None
            for workers in given.workers:
                rate = measured(kind, given.builds, workers)
                first = rate if first is None else first
                print(f"{kind:5}  {workers:3} workers  {rate:7.1f} builds/s  ratio {rate / first:.2f}", flush=True)


def measured(kind: str, builds: int, workers: int) -> float:
    """Builds a second, start-up of the workers aside where somebody else started them."""
    with TemporaryDirectory(prefix="meld-batch-") as name:
        folder = Path(name)
        manifest = written(folder, builds)
        report = folder / "report.json"
        command = [sys.executable, "-m", "meldpy", "-q", "batch", str(manifest), "--no-cache", "--json", str(report)]
        if kind == "local":
            subprocess.run([*command, "-j", str(workers)], cwd=ROOT, check=True)
        else:
            with cluster(folder, workers) as address:
                subprocess.run([*command, "--scheduler", address], cwd=ROOT, check=True)
        told = json.loads(report.read_text())
        assert told["builds"] == builds
        assert told["failed"] == 0
        return builds / float(told["seconds"])


def written(folder: Path, builds: int) -> Path:
    inputs = f'"{HELLO / "greeter.wasm"}", "app{{0}}={HELLO / "app.wasm"}"'
    row = f'[[build]]\ninputs = [{inputs}]\noutput = "out/{{0}}.wasm"\n'
    (folder / "out").mkdir()
    file = folder / "meld.toml"
    file.write_text("".join(row.format(number) for number in range(builds)))
    return file


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """A scheduler and its workers, a thread each, on loopback."""
    told = folder / "scheduler.json"
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:
        start(stack, folder, ["scheduler", *local, "--port", "0", "--scheduler-file", str(told)])
        while not told.exists() or not told.read_text().strip():
            time.sleep(0.1)
        address = json.loads(told.read_text())["address"]
        for _ in range(workers):
            start(stack, folder, ["worker", address, *local, "--no-nanny", "--nworkers", "1", "--nthreads", "1"])
        from distributed import Client

        with Client(address) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address


def start(stack: ExitStack, folder: Path, arguments: list[str]) -> None:
    log = stack.enter_context((folder / "dask.log").open("ab"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*DASK, *arguments], cwd=folder, env=environment, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)


if __name__ == "__main__":
    main()
