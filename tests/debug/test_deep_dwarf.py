"""The same checks on large inputs built here, and by LLVM's verifier: pytest -m deep tests/debug."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

import meldpy
from meldpy.pipeline import FuseInput
from tests.debug.guests.build import rust
from tests.debug.test_dwarf import PAIRS, fused, given
from tests.support.dwarf.expected import Comparison
from tests.support.dwarf.frames import frames_of_inputs, frames_of_output, shared_instructions
from tests.support.dwarf.fused import Fused, fuse

pytestmark = pytest.mark.deep


def verified(core: bytes, work: Path) -> Counter[str]:
    """Errors by class, as `llvm-dwarfdump --verify` counts them."""
    path = work / "core.wasm"
    path.write_bytes(core)
    done = subprocess.run(["llvm-dwarfdump-19", "--verify", str(path)], capture_output=True, text=True, check=False)
    found = re.findall(r"^error: (.*) occurred (\d+) time\(s\)\.$", done.stdout + done.stderr, re.MULTILINE)
    assert found or "No errors." in done.stdout
    return Counter({kind: int(count) for kind, count in found})


def worse(result: Fused, inputs: Iterable[FuseInput], work: Path) -> Counter[str]:
    """Errors of the output that its inputs do not have."""
    before: Counter[str] = Counter()
    data = {item.source: item.data for item in inputs}
    for unit in result.units:
        start = unit.module.offset
        before += verified(data[unit.source][start : start + unit.module.size], work)
    start = result.main.offset
    return verified(result.data[start : start + result.main.size], work) - before


SINGLE = meldpy.FuseOptions(core=True, memory="single")


@pytest.mark.parametrize("options", [None, SINGLE], ids=["component", "single"])
@pytest.mark.parametrize(("app", "provider"), PAIRS)
def test_no_error_that_the_inputs_do_not_have(
    app: str, provider: str, options: meldpy.FuseOptions | None, tmp_path: Path
) -> None:
    assert worse(fused(app, provider, options), [given(app, "app"), given(provider, "lib")], tmp_path) == Counter()


@pytest.mark.parametrize("suffix", ["4-0", "4-2", "5-0", "5-2"])
def test_no_error_where_addresses_have_two_sizes(suffix: str, tmp_path: Path) -> None:
    app, wide = f"app-{suffix}", f"wide-{suffix}"
    assert worse(fused(app, wide), [given(app, "app"), given(wide, "lib")], tmp_path) == Counter()


@pytest.mark.parametrize("options", [None, SINGLE], ids=["component", "single"])
@pytest.mark.parametrize(("version", "level"), [("4", "0"), ("4", "2"), ("5", "0"), ("5", "2"), ("5", "s")])
def test_rust_with_all_of_std(version: str, level: str, options: meldpy.FuseOptions | None, tmp_path: Path) -> None:
    rust("std.rs", "std", version, level, tmp_path, tmp_path)
    lib = FuseInput("lib", "std.wasm", (tmp_path / "std.wasm").read_bytes())
    app = given("app-5-2", "app")
    result = fuse([app, lib], options)
    assert [note for note in result.notes if "entries moved" not in note] == []
    comparison = Comparison(result)
    assert list(comparison.differences()) == []
    pairs = shared_instructions(result)
    before, after = frames_of_inputs(result, [app, lib], pairs), frames_of_output(result, pairs)
    assert before == after
    counts = f"{comparison.rows} rows, {comparison.attributes} attributes, {len(pairs)} instructions"
    print(f"std {version} -O{level}: {counts}")
    assert worse(result, [app, lib], tmp_path) == Counter()
