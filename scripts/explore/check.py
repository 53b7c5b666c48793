"""Check the design records: the schema, the links, the rules, and that the patches of replays still fit.

python -m scripts.explore.check          # in a second; also a test
python -m scripts.explore.check --run    # and run what the accepted ADRs rest on: oracles and gating fixtures
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from scripts.explore.adrs import ROOT, RecordError, load, proof, violations
from scripts.explore.gates import DEFAULTS, Outcome, defaults, run_gate
from scripts.explore.replay import stale


@click.command()
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Checkout to check.")
@click.option("--defaults", "settings", type=click.Path(path_type=Path), default=DEFAULTS, help="Commands.")
@click.option("--run", is_flag=True, help="Run the oracles and gates of accepted ADRs.")
def main(root: Path, settings: Path, run: bool) -> None:
    """Exit with 1 and a line for each fault."""
    try:
        records = load(root)
        faults = [*violations(records, root), *stale(root)]
    except RecordError as error:
        sys.exit(f"error: {error}")
    gates = proof(records) if run and not faults else ()
    commands = defaults(settings)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each gate is a process of its own
        outcomes = pool.map(lambda gate: run_gate(gate, root, commands), gates)
        for gate, ran in zip(gates, outcomes, strict=True):
            if ran.outcome is not Outcome.PASSED:
                faults.append(f"{gate} {ran.outcome.value}: {ran.says}")
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    if faults:
        sys.exit(1)
    click.echo(f"{len(records)} records" + (f", {len(gates)} oracles and gates pass" if run else ""))


if __name__ == "__main__":
    main()
