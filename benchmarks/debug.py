"""What debugging information costs a fuse: megabytes of DWARF a second, and that who has none pays nothing.

`python benchmarks/debug.py` builds a guest in Rust with all of std's DWARF (rustc and wasm-tools are needed), and fuses
as many instances of it as have 20 MB together. Or name inputs of your own, which must link or be independent:
`python benchmarks/debug.py A.wasm B.wasm`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import ROUNDS, compare, heading, row

import meldpy
from meldpy.debug.dwarf import debug_sections
from meldpy.debugging import modules_in

WANTED = 20_000_000
ROOT = Path(__file__).parents[1]


def built(work: Path) -> Path:
    """The guest of tests/debug in Rust, with std."""
    sys.path.insert(0, str(ROOT))
    from tests.debug.guests.build import rust

    rust("std.rs", "std", "4", "2", work, work)
    return work / "std.wasm"


def dwarf_size(data: bytes) -> int:
    return sum(len(section) for module in modules_in(data, "input") for section in debug_sections(module).values())


def named(paths: Sequence[Path], copies: int) -> list[meldpy.FuseInput]:
    return [
        meldpy.FuseInput(f"{path.stem}-{number}", path.name, path.read_bytes())
        for path in paths
        for number in range(copies)
    ]


def stripped(inputs: Sequence[meldpy.FuseInput], work: Path) -> list[meldpy.FuseInput]:
    found = []
    for item in inputs:
        whole, bare = work / "whole.wasm", work / "bare.wasm"
        whole.write_bytes(item.data)
        subprocess.run(["wasm-tools", "strip", str(whole), "-o", str(bare)], check=True)
        found.append(meldpy.FuseInput(item.name, item.source, bare.read_bytes()))
    return found


def fuse(inputs: Sequence[meldpy.FuseInput], dwarf: str) -> None:
    roots = ("all",) if len(inputs) > 1 else ()
    renames = tuple(
        f"{item.name}:demo:debug/{each}@1.0.0=demo:debug/{each}-{item.name}@1.0.0"
        for item in inputs
        if item.name.startswith("std-")
        for each in ("work", "extra")
    )
    meldpy.fuse(list(inputs), meldpy.FuseOptions(dwarf=dwarf, validate=False, roots=roots, renames=renames))


def main() -> None:
    rounds = int(os.environ.get("DEBUG_ROUNDS", ROUNDS))
    with TemporaryDirectory() as directory:
        work = Path(directory)
        paths = [Path(each) for each in sys.argv[1:]] or [built(work)]
        size = sum(dwarf_size(path.read_bytes()) for path in paths)
        inputs = named(paths, 1 if sys.argv[1:] else -(-WANTED // size))
        total = sum(dwarf_size(item.data) for item in inputs)
        heading(f"{total / 1e6:.1f} MB of DWARF in {len(inputs)} inputs", "kept", "dropped")
        kept = compare(lambda: fuse(inputs, "keep"), lambda: fuse(inputs, "drop"), rounds)
        row("fuse, without validation", kept, "ms", 1000)
        print(f"DWARF moved: {total / 1e6 / (kept.first - kept.second):.0f} MB/s")
        bare = stripped(inputs, work)
        heading("no debugging information in the inputs", "keep", "drop")
        row(
            "fuse, without validation",
            compare(lambda: fuse(bare, "keep"), lambda: fuse(bare, "drop"), rounds),
            "ms",
            1000,
        )


if __name__ == "__main__":
    main()
