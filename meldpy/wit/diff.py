"""Two types side by side: what one side declares and the other does not, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

CONTEXT = 2
"""Equal lines that are shown around what differs."""


def diff(wanted: Sequence[str], provided: Sequence[str]) -> Iterator[str]:
    """`-` is what the importer declares, `+` what is provided, a blank what both have; gaps are an ellipsis."""
    from difflib import SequenceMatcher

    for group in SequenceMatcher(None, wanted, provided, autojunk=False).get_grouped_opcodes(CONTEXT):
        first = group[0]
        if first[1] or first[3]:
            yield "  …"
        for tag, from_, to, other_from, other_to in group:
            if tag == "equal":
                yield from (f"  {line}" for line in wanted[from_:to])
                continue
            yield from (f"- {line}" for line in wanted[from_:to])
            yield from (f"+ {line}" for line in provided[other_from:other_to])
