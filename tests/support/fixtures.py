"""Loads the fixtures: fixtures/<name>/fixture.toml, the components it names, how they are wired, what is called.

    title, covers, toolchain     for readers
    ambiguous = true             two components export what a third imports: separate inputs need --link
    like = "../other"            what is not given here (wires, exports, calls) is that fixture's
    [[wasm]] name, path, sha256  a component; or `python` (a module), wit and world: a guest built by the test
    [[wire]] importer, import, provider [, export]
    [[export]] child, name       what the composition exports; without any, what satisfies no import. An interface
                                 whose types another export uses must be among them.
    [[call]] func, args, then one of expect (a value), trap (a kind) or exit (a code)
             [, argv, env: starts a fresh instance] [, stdout, stderr]

Values are in the plain form of tests/support/values.py; a trap's kind is the engine's word for it. A call without an
expectation expects no result.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.trap_kinds import same_trap
from tests.support.compose import Export, Wire, compose
from tests.support.guests import build_python_guest
from tests.support.harness import Call, Exit, Observed, Returned, Step, Trap
from tests.support.values import Plain, same
from tests.support.wasi import WasiInput

ROOT = Path(__file__).resolve().parents[2] / "fixtures"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one call must do, under the composition and fused alike."""

    outcome: Returned | Trap | Exit
    stdout: str
    stderr: str

    def check(self, step: Step) -> None:
        seen = step.outcome
        match self.outcome, seen:
            case Trap(kind=kind), Trap(kind=seen_kind):
                assert same_trap(kind, seen_kind), f"{step.label} trapped otherwise: {seen}"
            case Returned(value=left), Returned(value=right) if left is not None and right is not None:
                assert same(left, right), f"{step.label} gave {right}, not {left}"
            case _:
                assert seen == self.outcome, f"{step.label}: {seen}, not {self.outcome}"
        assert step.stdout.decode() == self.stdout
        assert step.stderr.decode() == self.stderr


@dataclass(frozen=True, slots=True)
class Fixture:
    """One fixture, its components not read yet."""

    name: str
    directory: Path
    table: dict[str, Any]

    @property
    def needs_build(self) -> bool:
        """Whether a component is built by the test, from registry packages."""
        return any("python" in spec for spec in self.table["wasm"])

    @property
    def links(self) -> tuple[str, ...]:
        """The decisions by hand that separate inputs need; none where names say enough."""
        if not self.table.get("ambiguous", False):
            return ()
        return tuple(f"{w.importer}:{w.import_name}={w.provider}:{w.export_name}" for w in self.wires())

    def components(self) -> dict[str, bytes]:
        """Name -> binary. A committed file that is not what its sum says is an error."""
        return {spec["name"]: self._component(spec) for spec in self.table["wasm"]}

    def wires(self) -> list[Wire]:
        return [
            Wire(wire["importer"], wire["import"], wire["provider"], wire.get("export", wire["import"]))
            for wire in self._rows("wire")
        ]

    def calls(self) -> list[Call]:
        return [Call(spec["func"], spec.get("args", []), _wasi_input(spec)) for spec in self._rows("call")]

    def expectations(self) -> list[Expectation]:
        return [_expectation(spec) for spec in self._rows("call")]

    def composed(self) -> bytes:
        """The composition; a fixture of one component is a composition already."""
        if len(self.table["wasm"]) == 1:
            return self._component(self.table["wasm"][0])
        exports = [Export(export["child"], export["name"]) for export in self._rows("export")]
        return compose(self.components(), self.wires(), exports or None)

    def check_expectations(self, observed: Observed) -> None:
        """Fails unless each call did what the fixture says."""
        calls = [step for step in observed.steps if step.label != "(instantiate)"]
        expectations = self.expectations()
        assert len(calls) == len(expectations) > 0
        for step, expectation in zip(calls, expectations, strict=True):
            expectation.check(step)

    def _rows(self, key: str) -> list[dict[str, Any]]:
        """The tables [[key]], the other fixture's if there are none here."""
        if key in self.table or "like" not in self.table:
            return list(self.table.get(key, []))
        return load(self.table["like"].removeprefix("../"))._rows(key)

    def _component(self, spec: dict[str, Any]) -> bytes:
        if "python" in spec:
            return build_python_guest(self.directory / spec["python"], self.directory / spec["wit"], spec["world"])
        data: bytes = (self.directory / spec["path"]).read_bytes()
        if "sha256" in spec and hashlib.sha256(data).hexdigest() != spec["sha256"]:
            raise ValueError(f"{self.name}/{spec['path']} is not what its sum says")
        return data


def load(name: str) -> Fixture:
    directory = ROOT / name
    return Fixture(name, directory, tomllib.loads((directory / "fixture.toml").read_text()))


def all_fixtures() -> Sequence[Fixture]:
    found = [load(path.parent.name) for path in sorted(ROOT.glob("*/fixture.toml"))]
    assert found, "no fixtures"
    return found


def _wasi_input(spec: dict[str, Any]) -> WasiInput | None:
    return WasiInput(spec.get("argv", []), spec.get("env", {})) if "argv" in spec or "env" in spec else None


def _expectation(spec: dict[str, Any]) -> Expectation:
    outcome: Returned | Trap | Exit
    if "trap" in spec:
        outcome = Trap(spec["trap"], "")
    elif "exit" in spec:
        outcome = Exit(spec["exit"])
    else:
        value: Plain | None = spec.get("expect")
        outcome = Returned(value)
    return Expectation(outcome, spec.get("stdout", ""), spec.get("stderr", ""))
