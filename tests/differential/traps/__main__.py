"""`python -m tests.differential.traps`: writes README.md anew (--update), compares the table with the spec (--spec)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.support.trapcases import readme, spec
from tests.support.trapcases.table import README, read


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential.traps", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write README.md from the table and the cases")
    parser.add_argument(
        "--spec", type=Path, metavar="FILE", help="the spec's definitions.py, to compare the table with"
    )
    options = parser.parse_args()
    if options.update:
        README.write_text(readme.text())
    found = spec.differences(read(), options.spec.read_text()) if options.spec else []
    if not options.update and README.read_text() != readme.text():
        found.append("README.md is not what --update would write")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
