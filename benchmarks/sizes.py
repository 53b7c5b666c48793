"""How large fused components are, and how long the engine compiles them, beside the composition.

    python benchmarks/sizes.py              # two, ten and fifty components; then the fixtures, all together
    python benchmarks/sizes.py FILE.wasm…   # compositions of your own

"code" is what the composition has of core modules, one for each instance that is made of it. "over" is what the fused
form has beyond that, in bytes for each call site: adapters, the runtime's functions, and all that makes a component of
a core module. It is below zero where code that nothing reaches is gone. Compilation is on one thread, so its ratio is
that of processor time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import wasmtime
from timing import compare
from wasmtime import component

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import meldpy
from meldpy.engine.config import base_config
from meldpy.engine.text import assemble
from meldpy.errors import MeldError
from meldpy.fixture import Stage
from meldpy.fixture.compose import compose
from meldpy.fixture.files import inside
from meldpy.fixture.model import Wire
from meldpy.fixture.sections import root_imports
from meldpy.model.linked import LinkedGraph
from tests.support.crowd import crowd
from tests.support.fixtures import all_fixtures

COUNTS = (2, 10, 50)


def tree(count: int) -> bytes:
    """A composition of so many components, each of which calls two others, with strings and with numbers."""
    parts = {part.name: assemble(part.data, part.name) for part in crowd(count)}
    providers = {f"demo:crowd/{name}@1.0.0": name for name in parts}
    wires = [
        Wire(name, item.name, providers[item.name], item.name)
        for name, data in parts.items()
        for item in root_imports(data)
    ]
    return compose(parts, wires)


def fixtures() -> Iterator[tuple[str, bytes]]:
    for fixture in all_fixtures():
        if fixture.stage is Stage.RUNTIME and not fixture.needs_build:
            yield fixture.name, inside(fixture)


def code_of(graph: LinkedGraph) -> int:
    """Bytes of the core modules that are instantiated, as often as they are."""
    return sum(graph.modules[each.module].module.size for each in graph.core_instances)


class Sums:
    """One row: of one composition, or of many."""

    def __init__(self) -> None:
        self.composed: list[bytes] = []
        self.fused: list[bytes] = []
        self.code = self.sites = 0

    def add(self, composed: bytes, engine: wasmtime.Engine) -> bool:
        """Whether it could be fused, and compiled."""
        try:
            result = meldpy.fuse([composed], meldpy.FuseOptions(record=True))
            component.Component(engine, composed)
        except (MeldError, wasmtime.WasmtimeError):
            return False
        assert result.record is not None
        self.composed.append(composed)
        self.fused.append(result.bytes)
        self.code += code_of(result.record.graph)
        self.sites += result.report.call_sites
        return True

    def row(self, name: str, engine: wasmtime.Engine) -> str:
        before, after = sum(map(len, self.composed)), sum(map(len, self.fused))
        found = compare(compiling(engine, self.composed), compiling(engine, self.fused))
        over = (after - self.code) / max(self.sites, 1)
        return (
            f"{name:<28}{before:>10}{after:>10}{before / after:>8.2f} x{self.code:>10}{self.sites:>7}{over:>9.0f}"
            f"{found.ratio:>8.2f} x  [{found.low:.2f}, {found.high:.2f}]"
        )


def compiling(engine: wasmtime.Engine, binaries: list[bytes]) -> Callable[[], None]:
    def compile_all() -> None:
        for binary in binaries:
            component.Component(engine, binary)

    return compile_all


def main() -> None:
    config = base_config(optimise=True)
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    print(f"{'':<28}{'composed':>10}{'fused':>10}{'ratio':>10}{'code':>10}{'sites':>7}{'over':>9}{'compiling':>10}")
    given = [(name, Path(name).read_bytes()) for name in sys.argv[1:]]
    for name, composed in given or [(f"{count} components", tree(count)) for count in COUNTS]:
        one = Sums()
        one.add(composed, engine)
        print(one.row(name, engine), flush=True)
    if not given:
        together, count = Sums(), 0
        for _, composed in fixtures():
            count += together.add(composed, engine)
        print(together.row(f"{count} fixtures", engine))


if __name__ == "__main__":
    main()
