"""The random compositions of `asyncflows`, cut: one of the two instances is fused by itself, the other is its host."""

from __future__ import annotations

from typing import final

from wasmtime import wat2wasm

from meldpy.fixture.sections import root_imports
from tests.support.asyncflows import make
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Observed, observe


@final
class Halves:
    """The provider and the driver of one seed as components of their own."""

    def __init__(self, seed: int) -> None:
        made = make(seed)
        openings = ("(component $Provider", "(component $Driver", "(instance $provider")
        marks = [made.text.index(opening) for opening in openings]
        self.provider = bytes(wat2wasm(made.text[marks[0] : marks[1]]))
        self.driver = bytes(wat2wasm(made.text[marks[1] : marks[2]]))
        self.what = f"{made.tasks}, {made.operations}"

    def play(self, *, provider: bytes | None = None, driver: bytes | None = None) -> Observed:
        """Both together, each in the given form."""
        forms = {"provider": provider or self.provider, "driver": driver or self.driver}
        names = [item.name for item in root_imports(self.driver) if item.name != "log"]
        wires = [Wire("driver", name, "provider", name) for name in names]
        composed = compose(forms, wires, [Export("driver", "run")])
        return observe(composed, [Call("run", [])], host={"log": lambda guest, args: None})
