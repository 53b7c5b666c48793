"""How long the `meld` command itself takes, as whole processes: `--version`, and fusing the shipped pair."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 11
HELLO = Path(__file__).parents[1] / "fixtures" / "hello"


def seconds(arguments: list[str]) -> float:
    """Median wall time of `meld` with these arguments."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "meldpy", *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        pair = [str(HELLO / "greeter.wasm"), str(HELLO / "app.wasm"), "-o", str(Path(directory) / "out.wasm")]
        bare = seconds(["--version"])
        fuse = seconds(["fuse", *pair])
        unchecked = seconds(["fuse", "--no-validate", *pair])
    print(f"meld --version               {bare * 1000:8.0f} ms")
    print(f"meld fuse, the shipped pair  {fuse * 1000:8.0f} ms   {fuse / bare:5.1f} x")
    print(f"  without validation         {unchecked * 1000:8.0f} ms   {unchecked / bare:5.1f} x")


if __name__ == "__main__":
    main()
