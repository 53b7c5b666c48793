"""A fuse command for suites of components: fused as a core output, and a component again by the ecosystem's own tool.

    python -m tests.support.core_and_back IN OUT [FLAG...]     # the flags are those of `meld fuse --core`

With it a driver that only knows components judges core outputs: what IN does, OUT must do. A refusal is one, with
meldpy's words and exit code. What meldpy wrote and `wasm-tools component new` does not take begins with `not taken:`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from meldpy.cli.main import run


def core_and_back(source: str, made: str, flags: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "core.wasm"
        code = run(["fuse", "--core", *flags, source, "-o", str(module)])
        if code:
            return code
        command = ["wasm-tools", "component", "new", str(module), "-o", made]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        print(f"not taken: {told.stderr}", file=sys.stderr)
    return told.returncode


if __name__ == "__main__":
    sys.exit(core_and_back(sys.argv[1], sys.argv[2], sys.argv[3:]))
