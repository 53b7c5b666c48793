"""The command line: map the tests, draw the sample, run it, report. See the package for what and why."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import hypothesis
import networkx
import pytest
import wasmtime

from tests.mutation.model import ELSEWHERE, PACKAGES, ROOT, Mutant, Outcome, Verdict
from tests.mutation.operators import python_mutants
from tests.mutation.report import line, record, save, summary
from tests.mutation.server import Chooser, MutantPlugin, run_imported, run_in_child, shuffled, silence
from tests.mutation.tests_of import MapPlugin, TestMap, tree_key
from tests.mutation.wat import wat_mutants

WARM = (click, networkx, wasmtime)
"""Imported here so that every fork has them."""
TESTS = [
    *(f"tests/unit/{package}" for package in PACKAGES if package != "core"),
    *("tests/differential/test_resources.py", "tests/differential/test_opaque_rep.py"),
    *("tests/differential/test_async_webs.py", "tests/differential/test_backpressure.py"),
    *("tests/differential/test_async_yields.py", "tests/differential/test_async_ends.py"),
    *("tests/differential/test_async_host.py", "tests/differential/test_async_leaving.py"),
    *("tests/differential/test_async_cancels.py", "tests/differential/test_async_synchronous.py"),
    *("tests/differential/test_core_async.py", "tests/differential/test_core_output.py"),
    *("tests/differential/test_core_api.py", "tests/differential/test_core_wasi.py"),
    "tests/errors/test_core_values.py",
]
"""Fast tests that are near the code. What only slower ones notice counts as surviving."""
ARGUMENTS = [
    *("-o", "addopts="),
    *("--import-mode=importlib", "--strict-markers", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-p", "no:faulthandler", "--tb=no", "--assert=plain"),
    *("-m", "not deep and not toolchain"),
]


def main() -> int:
    options = _options()
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    # A failure is enough; nobody reads the smallest example.
    hypothesis.settings.register_profile(
        "mutation",
        max_examples=50,
        deadline=None,
        derandomize=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    tests = [str(test) for test in options.tests or TESTS]
    with tempfile.TemporaryDirectory() as folder:
        test_map = _test_map(options.map or Path(folder) / "map.json", tests)
        for test, why in test_map.left_out.items():
            print(f"left out: {test}: {why}", flush=True)
        packages, records = [], []
        for package in options.package or PACKAGES:
            found = _killed_before(options.again, package)
            found += [record(outcome) for outcome in _run(package, options, test_map, tests, Path(folder))]
            packages.append(summary(package, found))
            records += found
            print(line(packages[-1]), flush=True)
    if options.output is not None:
        save(options.output, packages, records, test_map.left_out)
    return 1 if any(numbers["unjudged"] for numbers in packages) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Mutation testing of meldpy.")
    add = parser.add_argument
    add("--package", action="append", choices=PACKAGES, help="which package to mutate; default: all, one by one")
    add("--sample", type=int, help="mutants per package; default: 300, or all that --only names")
    add("--seed", type=int, default=1, help="draws the sample")
    add("--budget", type=float, default=10.0, help="processor seconds of tests per mutant")
    add("--only", help="a regular expression: only mutants whose id it matches")
    add("--again", type=Path, help="a report: run its survivors once more, take the rest from it")
    add("--jobs", type=int, default=1, choices=[1], help="always one: each mutant has a fork of one warm process")
    add("--map", type=Path, help="where to keep the map from lines to tests; made again when sources change")
    add("--trust-map", action="store_true", help="do not make the map again when sources change")
    add(
        "--tests",
        action="append",
        help="which tests may kill; default: the packages' own, those of handles and of tasks",
    )
    add("-o", "--output", type=Path, help="write a report, as JSON")
    return parser.parse_args()


def _test_map(path: Path, tests: list[str]) -> TestMap:
    key = tree_key(tests)
    if path.exists():
        known = TestMap.load(path)
        if known.key == key or "--trust-map" in sys.argv:
            return known

    def work() -> int:
        result = TestMap(key)
        silence()
        pytest.main([*ARGUMENTS, *tests], plugins=[MapPlugin(result)])
        result.save(path)
        return 0

    status, stopped = run_in_child(work, wall_seconds=3600.0)
    if status or stopped or not TestMap.load(path).tests:
        raise SystemExit("no test passed; is the tree sound?")
    return TestMap.load(path)


def _mutants(package: str, texts: dict[str, str]) -> list[Mutant]:
    """Every mutant of a package; fills `texts` with the text of its files."""
    found: list[Mutant] = []
    for path in sorted((ROOT / "meldpy" / package).rglob("*")):
        file = str(path.relative_to(ROOT))
        if file.startswith(ELSEWHERE):
            continue
        if path.suffix == ".py":
            texts[file] = path.read_text(encoding="utf-8")
            found += python_mutants(file, texts[file])
        elif path.suffix == ".wat":
            texts[file] = path.read_text(encoding="utf-8")
            found += wat_mutants(file, texts[file])
    return found


def _run(
    package: str, options: argparse.Namespace, test_map: TestMap, tests: list[str], folder: Path
) -> Iterator[Outcome]:
    texts: dict[str, str] = {}
    mutants = shuffled(_mutants(package, texts), options.seed)
    wanted = options.sample or 300
    if options.only is not None:
        mutants = [mutant for mutant in mutants if re.search(options.only, mutant.id)]
        wanted = options.sample or len(mutants)
    if options.again is not None:
        survived = _survivors(options.again)
        mutants = [mutant for mutant in mutants if mutant.id in survived]
        wanted = len(mutants)
    waiting = deque(mutants)
    chooser = Chooser(test_map, options.budget)
    told, log = folder / "told", folder / f"{package}.jsonl"
    done: list[Outcome] = []
    while waiting and len(done) < wanted:
        batch = [waiting.popleft() for _ in range(min(len(waiting), wanted - len(done)))]
        by_id = {mutant.id: mutant for mutant in batch}
        at_import = [mutant for mutant in batch if test_map.at_import(mutant)]
        living = [mutant for mutant in batch if not test_map.at_import(mutant)]
        outcomes = [run_imported(mutant, chooser, texts[mutant.file], told, ARGUMENTS) for mutant in at_import]
        for outcome in outcomes:
            _show(outcome)
        outcomes += _run_living(living, chooser, texts, told, log, tests, by_id)
        done += [outcome for outcome in outcomes if outcome.verdict is not Verdict.STILLBORN]
    yield from done


def _run_living(
    mutants: list[Mutant],
    chooser: Chooser,
    texts: dict[str, str],
    told: Path,
    log: Path,
    tests: list[str],
    by_id: dict[str, Mutant],
) -> list[Outcome]:
    """Mutants of what runs after import, in a process that collects the tests once."""
    waiting = iter(mutants)
    log.write_text("")

    def report(outcome: Outcome) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record(outcome)) + "\n")
        _show(outcome)

    def work() -> int:
        out = os.dup(1)
        silence()
        sys.stdout = os.fdopen(out, "w", encoding="utf-8")
        plugin = MutantPlugin(lambda: next(waiting, None), report, chooser, texts, told)
        return int(pytest.main([*ARGUMENTS, *tests], plugins=[plugin]))

    status, _ = run_in_child(work, wall_seconds=6 * 3600.0)
    entries: list[dict[str, Any]] = [json.loads(entry) for entry in log.read_text(encoding="utf-8").splitlines()]
    if len(entries) != len(mutants):
        raise SystemExit(f"the driver stopped early: {len(entries)} of {len(mutants)} mutants, status {status}")
    return [
        Outcome(by_id[entry["mutant"]], Verdict(entry["verdict"]), entry["by"], entry["ran"], entry["seconds"])
        for entry in entries
    ]


def _survivors(path: Path) -> set[str]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {entry["mutant"] for entry in data["mutants"] if entry["verdict"] == Verdict.SURVIVED.value}


def _killed_before(path: Path | None, package: str) -> list[dict[str, Any]]:
    """What an earlier report says of the mutants of `package` that did not survive."""
    if path is None:
        return []
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [
        entry
        for entry in data["mutants"]
        if entry["verdict"] != Verdict.SURVIVED.value and entry["file"].startswith(f"meldpy/{package}/")
    ]


def _show(outcome: Outcome) -> None:
    by = f" by {outcome.by}" if outcome.by else f" of {outcome.ran} tests"
    print(f"{outcome.verdict.value}{by} ({outcome.seconds} s): {outcome.mutant.id}", file=sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
