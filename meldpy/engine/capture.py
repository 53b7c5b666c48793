"""WASI 0.2 for a guest under observation: arguments and environment in, stdout and stderr captured.

The output goes to files: wasmtime would call a Python function from a thread of its own, and one that is still
waiting for the interpreter when that ends takes the process down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from wasmtime import Store, WasiConfig

from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class WasiInput:
    """What a command is started with. argv excludes the program's own name."""

    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@final
class WasiOutput:
    """What one instance wrote, in `directory`, since the last `take`."""

    def __init__(self, directory: Path) -> None:
        self._files = [directory / name for name in ("stdout", "stderr")]
        for file in self._files:
            file.write_bytes(b"")
        self._taken = [0, 0]

    def take(self) -> tuple[bytes, bytes]:
        """(stdout, stderr)."""
        written = [path.read_bytes() for path in self._files]
        fresh = [data[taken:] for data, taken in zip(written, self._taken, strict=True)]
        self._taken = [len(data) for data in written]
        return fresh[0], fresh[1]

    def configure(self, config: WasiConfig) -> None:
        """Directs a guest's output here."""
        config.stdout_file = str(self._files[0])
        config.stderr_file = str(self._files[1])


def set_wasi(store: Store, given: WasiInput, directory: Path) -> WasiOutput:
    """Gives `store` a WASI context that writes to files in `directory`.

    Without a context, a component that imports WASI aborts the process when it runs.
    """
    output = WasiOutput(directory)
    config = WasiConfig()
    config.argv = ["guest", *given.argv]
    config.env = list(given.env.items())
    output.configure(config)
    store.set_wasi(config)
    return output
