"""The verdicts on one set: meldpy's, and that of the validator on the composition by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from wasmtime import wat2wasm

from meldpy.errors import LinkError
from meldpy.pipeline import FuseInput, fuse
from tests.support.matrix.compose import compositions
from tests.support.matrix.generate import Generator
from tests.support.matrix.model import Input
from tests.support.matrix.text import component


@dataclass
class Tally:
    """sets: how many; links: how many can be linked; refusals: meldpy's, by their words without names."""

    sets: int = 0
    links: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    traits: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.sets} sets, {self.links} can be linked, {len(self.disagreements)} disagreements"]
        lines += [f"{count:6} {trait}" for trait, count in self.traits.most_common()]
        lines += [f"{count:6} refused: {words}" for words, count in self.refusals.most_common()]
        return "\n".join(lines + self.disagreements)


def compare(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        inputs = Generator(Random(seed)).inputs()
        refusal, output = linked(inputs)
        by_hand = any(valid(text) for text in compositions(inputs))
        tally.sets += 1
        tally.links += by_hand
        tally.traits.update(traits(inputs))
        if refusal is not None:
            tally.refusals[re.sub(r"`[^`]*`", "…", refusal.reason)] += 1
        if by_hand != (refusal is None):
            said = "links" if refusal is None else f"refuses: {refusal}"
            tally.disagreements.append(f"seed {seed}: the validator says {by_hand}, meldpy {said}")
        elif output is not None and not valid(output):
            tally.disagreements.append(f"seed {seed}: the validator refuses the output")
    return tally


def linked(inputs: Sequence[Input]) -> tuple[LinkError | None, bytes | None]:
    """Any other error is one of the test."""
    given = [FuseInput(of.name, f"{of.name}.wasm", bytes(wat2wasm(component(of)))) for of in inputs]
    try:
        return None, fuse(given).bytes
    except LinkError as error:
        return error, None


def valid(subject: str | bytes) -> bool:
    tool = shutil.which("wasm-tools")
    assert tool is not None, "wasm-tools is needed"
    data = subject if isinstance(subject, bytes) else subject.encode()
    run = subprocess.run([tool, "validate", "--features", "all", "-"], input=data, capture_output=True, check=False)
    assert b"expected" not in run.stderr or b"offset" in run.stderr, run.stderr  # a text that does not parse
    return run.returncode == 0


def traits(inputs: Sequence[Input]) -> set[str]:
    """What of the kinds of trouble is in the set."""
    names = [i.name for of in inputs for i in (*of.interfaces, *of.exported)]
    found = {
        "implements": any(name.implements is not None for name in names),
        "external ids": any(name.external_id is not None for name in names),
        "versions of one track": len({n.text for n in names if n.text.startswith("a:b/x@1.")}) > 1,
        "types used at the root": any(of.used is not None for of in inputs),
        "records at the root": any(of.leg is not None for of in inputs),
        "different records of one name": len({of.leg for of in inputs if of.leg and of.leg[0] == "leg"}) > 1,
        "resource types at the root": any(of.root is not None for of in inputs),
        "resource types at the root, with members": any(of.root is not None and of.root.members for of in inputs),
        "names that clash": len({n.text for n in names}) > len({n.text.replace("-", "").lower() for n in names}),
    }
    return {trait for trait, holds in found.items() if holds}
