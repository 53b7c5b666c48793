"""What is played on both components: calls, and the host around them.

A scenario comes from a file with the [[call]] and [[host]] of a fixture (a fixture.toml is one), from calls written in
WAVE, or is the one run of a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

from meldpy.engine.capture import WasiInput
from meldpy.engine.observe import Call, Guest, Host, HostFunction
from meldpy.engine.wave import parse_call
from meldpy.engine.wavecodec import SMALLEST
from meldpy.fixture import FixtureError
from meldpy.fixture.load import read_call, read_host
from meldpy.fixture.scenario import engine_call, engine_host
from meldpy.records import dataclass, field, replace
from meldpy.toml import read_table

FIXTURE_KEYS = (
    "title", "theme", "stage", "message", "reason", "covers", "toolchain", "forms", "ambiguous", "like", "wasm", "wire",
    "export",
)  # fmt: skip
"""What a fixture.toml has besides, which is not looked at."""


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """host: what the imports return, by name; stub: imports that are not in it return the smallest value of their type,
    in place of an error."""

    calls: tuple[Call, ...]
    host: Host = field(default_factory=dict)
    stub: bool = False

    def with_stubs(self) -> Scenario:
        return replace(self, stub=True)

    @property
    def whole_host(self) -> Host:
        return _Stubbed(self.host) if self.stub else self.host


def invocations(texts: Sequence[str]) -> Scenario:
    """The scenario of calls like `greet("world")`, one after the other in one instance. Raises UsageError."""
    return Scenario(tuple(map(_invocation, texts)))


def _invocation(text: str) -> Call:
    func, arguments = parse_call(text)
    return Call(func, () if arguments is None else arguments)


def command(func: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Scenario:
    """The run of a command. func: "interface#run"."""
    return Scenario((Call(func, (), WasiInput(tuple(arguments), variables)),))


def load(file: Path) -> Scenario:
    """The scenario in a TOML file. Raises FixtureError with the line."""
    table = read_table(file, FixtureError)
    table.only(*FIXTURE_KEYS, "host", "call")
    if "like" in table and "call" not in table:
        raise table.fault("the calls are in another file", "like")
    calls = tuple(engine_call(read_call(row)) for row in table.rows("call"))
    if not calls:
        raise FixtureError("there is no [[call]]: nothing would be compared", table.location())
    return Scenario(calls, engine_host([read_host(row) for row in table.rows("host")]))


@final
class _Stubbed(Mapping[str, HostFunction]):
    """A host that has everything."""

    def __init__(self, given: Host) -> None:
        self._given = given

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> HostFunction:
        return self._given.get(name, _stub)

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _stub(guest: Guest | None, arguments: list[object]) -> object:
    return SMALLEST
