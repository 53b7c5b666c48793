"""What becomes of components: flat, with a rest, or refused; what share of calls is left to the engine; sizes.

    python benchmarks/fates.py                 # the fixtures that need no toolchain
    python benchmarks/fates.py DIR…            # and every component that .wast files under these directories define

A component that does not validate is left out. A fixture counts once for each form it is given in. Wants wasm-tools.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from meldpy import FuseInput, FuseOptions, fuse
from meldpy.errors import MeldError, ValidationError
from meldpy.fixture import Form, Stage
from meldpy.fixture.files import components, composed
from meldpy.fixture.prove import fixture_exports, fixture_hides
from tests.support.fixtures import all_fixtures

Job = tuple[str, Sequence[FuseInput], FuseOptions]


@dataclass(slots=True)
class Fates:
    """calls, left: call sites of the components with a rest, and those of them that the engine makes. given, written:
    bytes of inputs and outputs, refused ones left out. passing: flat ones whose async stays the engine's."""

    flat: int = 0
    rest: int = 0
    as_it_was: int = 0
    refused: int = 0
    passing: int = 0
    calls: int = 0
    left: int = 0
    given: int = 0
    written: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, inputs: Sequence[FuseInput], options: FuseOptions) -> None:
        try:
            result = fuse(inputs, options)
        except ValidationError:
            return
        except MeldError as error:
            self.refused += 1
            self._reason(f"refused: {error.reason}")
            return
        report = result.report
        self.given += sum(size for _, size in report.inputs)
        self.written += report.output_size
        if not report.kept and report.groups <= 1:
            self.flat += 1
            self.passing += any(note.startswith("the async of ") for note in report.notes)
            return
        if report.fused_instances:
            self.rest += 1
        else:
            self.as_it_was += 1
        self.calls += report.call_sites + report.engine_call_sites
        self.left += report.engine_call_sites
        for feature in {reason.feature for kept in report.kept for reason in kept.reasons}:
            self._reason(feature)

    def _reason(self, reason: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def row(self, name: str) -> str:
        share = f"{self.left} of {self.calls}" if self.calls else "-"
        counts = (self.flat, self.passing, self.rest, self.as_it_was, self.refused)
        return f"{name:28}" + "".join(f"{count:9}" for count in counts) + f"{share:>14}{self.given:12}{self.written:12}"


HEAD = (
    f"{'':28}{'flat':>9}{'passing':>9}{'rest':>9}{'as it was':>10}{'refused':>8}{'left to it':>14}{'bytes in':>12}"
    f"{'out':>12}"
)


def fixtures() -> Iterator[Job]:
    for fixture in all_fixtures():
        if fixture.stage is not Stage.RUNTIME or fixture.needs_build:
            continue
        for form in fixture.forms:
            if form is Form.COMPOSED:
                yield fixture.name, [FuseInput(fixture.name, fixture.name, composed(fixture))], FuseOptions()
                continue
            binaries = components(fixture)
            exports, hides = fixture_exports(fixture, binaries), fixture_hides(fixture, binaries)
            inputs = [FuseInput(name, name, data) for name, data in binaries.items()]
            yield fixture.name, inputs, FuseOptions(links=fixture.links, exports=exports, hides=hides)


def scripts(directory: Path) -> Iterator[Job]:
    """The components of every script, in binary."""
    for script in sorted(directory.rglob("*.wast")):
        with TemporaryDirectory() as out:
            command = ["wasm-tools", "json-from-wast", str(script), "--wasm-dir", out, "-o", f"{out}/script.json"]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                print(f"{script.name}: wasm-tools cannot read it", file=sys.stderr)
                continue
            for each in json.loads(Path(out, "script.json").read_text())["commands"]:
                if each["type"] not in ("module", "module_definition"):
                    continue
                data = Path(out, each["filename"]).read_bytes()
                if data[:8] == b"\0asm\x0d\0\x01\0":
                    yield f"{script.name}:{each['line']}", [FuseInput("input", "input", data)], FuseOptions()


def main() -> None:
    suites: list[tuple[str, Iterator[Job]]] = [("fixtures", fixtures())]
    suites += [(Path(name).name, scripts(Path(name))) for name in sys.argv[1:]]
    rows, reasons = [], []
    for name, jobs in suites:
        fates = Fates()
        for label, inputs, options in jobs:
            refused = fates.refused
            fates.add(inputs, options)
            if fates.refused > refused:
                print(f"refused: {label}", file=sys.stderr)
        rows.append(fates.row(name))
        reasons += [f"{name}: {reason}: {count}" for reason, count in sorted(fates.reasons.items())]
    print(HEAD, *rows, "", *reasons, sep="\n")


if __name__ == "__main__":
    main()
