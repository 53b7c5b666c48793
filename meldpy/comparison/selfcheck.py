"""Whether a fuse does what its unfused form does: the same inputs linked in the same way, with every one kept as it is.

The engine's own adapters stand between them then, and each has its core modules to itself. What the two forms share is
how the inputs are linked, so this shows that fusing changed nothing; that the right things were linked, the user sees
in what the scenario does.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.comparison.judge import Comparison, compare
from meldpy.comparison.scenario import Scenario
from meldpy.errors import InternalError, Location, UsageError
from meldpy.options import FuseInput, FuseOptions
from meldpy.pipeline import fuse
from meldpy.records import replace


def unfused(inputs: Sequence[FuseInput], options: FuseOptions) -> bytes:
    """The composition of `inputs`. Raises UsageError for options whose output is no component."""
    if options.core:
        raise UsageError(
            "a core module cannot be run beside a composition",
            remedy="check the component that the same inputs give without --core",
        )
    kept = replace(options, flat=False, keeps=tuple(item.name for item in inputs), opaque_reps=(), dwarf="drop")
    return fuse(inputs, replace(kept, source_map="drop", origins=False)).bytes


def check(
    inputs: Sequence[FuseInput], options: FuseOptions, fused: bytes, scenario: Scenario, source: str
) -> Comparison:
    """Compare `fused` with the unfused form. InternalError if they differ. source: where the scenario came from."""
    found = compare(unfused(inputs, options), fused, scenario)
    if not found.equal:
        raise InternalError(
            "the output does not do what the inputs do; nothing was written",
            Location(source),
            causes=tuple(line.strip() for each in found.differences for line in str(each).splitlines()),
            remedy="please report this with the inputs and the scenario; this is a defect of meldpy",
        )
    return found
