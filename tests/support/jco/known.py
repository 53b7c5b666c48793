"""What jco is known to do otherwise: the entries `[[jco]]` of divergences.toml, and their predicates.

Each entry has
    id         a short name
    spec       where the spec says otherwise
    jco        the version of the command that differs (major.minor)
    predicate  the function below that tells whether a disagreement is this one
    test       the test (file::name) that makes it happen, and fails when it no longer does
A disagreement that no entry explains is a failure; `excused` counts those that one does.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.differential.divergences import TABLE
from tests.support.gen.calls import Expected
from tests.support.gen.guests import Func
from tests.support.gen.model import GUEST_TRAP
from tests.support.gen.run import COMPOSED, Seen
from tests.support.gen.types import kinds
from tests.support.jco.install import JCO
from tests.support.jco.linked import LINKED

NARROW: Final = {"s8": "TypeError: must be between -128 and 127", "s16": "TypeError: must be between -32768 and 32767"}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """jco played the form (as oracle.py has them) and did not do what the model expects. funcs: what may be called."""

    form: str
    funcs: tuple[Func, ...]
    expected: Expected
    seen: Seen


Predicate = Callable[[Disagreement], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    spec: str
    jco: str
    predicate: str
    test: str


@dataclass(slots=True)
class Known:
    """The entries that apply to the jco in use, and how often each explained something."""

    entries: list[Entry]
    excused: Counter[str] = field(default_factory=Counter)

    def explains(self, disagreement: Disagreement) -> bool:
        found = [entry.id for entry in self.entries if PREDICATES[entry.predicate](disagreement)]
        self.excused.update(found)
        return bool(found)


def load() -> Known:
    entries = [Entry(**entry) for entry in tomllib.loads(TABLE.read_text())["jco"]]
    return Known([entry for entry in entries if entry.jco == JCO])


def _let_pass(disagreement: Disagreement, rule: str, *pairs: tuple[str, str]) -> bool:
    """Whether the composition went on in spite of the rule, and has strings between guests with these encodings.

    Later on a guest may have run out of memory.
    """
    present = any(func.encodings in pairs for func in disagreement.funcs)
    passed = disagreement.expected.traps == (rule,) and disagreement.seen.trap in (None, GUEST_TRAP)
    return disagreement.form == COMPOSED and present and passed


def _arrived(disagreement: Disagreement, text: bytes) -> bool:
    """After a trap there is nothing to look at."""
    return disagreement.seen.trap is not None or any(text in memory for memory in disagreement.seen.memories)


def invalid_utf8_copied(disagreement: Disagreement) -> bool:
    """Between two utf8 guests the bytes of a string are copied and never looked at."""
    return _let_pass(disagreement, "invalid utf8", ("utf8", "utf8"))


def invalid_utf8_replaced(disagreement: Disagreement) -> bool:
    """From utf8 to utf16: ill-formed bytes become U+FFFD."""
    arrived = _arrived(disagreement, "\ufffd".encode("utf-16-le"))
    return arrived and _let_pass(disagreement, "invalid utf8", ("utf8", "utf16"), ("utf16", "utf8"))


def invalid_utf16_replaced(disagreement: Disagreement) -> bool:
    """From utf16 to utf8: a lone surrogate becomes U+FFFD."""
    arrived = _arrived(disagreement, "\ufffd".encode())
    return arrived and _let_pass(disagreement, "invalid utf16", ("utf8", "utf16"), ("utf16", "utf8"))


def byte_order_mark_dropped(disagreement: Disagreement) -> bool:
    """From utf8 to utf16: a string that starts with U+FEFF arrives without it."""
    pairs, sides = (("utf8", "utf16"), ("utf16", "utf8")), disagreement.expected.sides
    if disagreement.form != COMPOSED or disagreement.seen.trap is not None or sides is None:
        return False
    present = any(func.encodings in pairs for func in disagreement.funcs)
    mark = "\ufeff".encode("utf-16-le")
    seen, expected = (b"".join(each) for each in (disagreement.seen.memories, (side.data for side in sides)))
    return present and "\ufeff".encode() in seen and seen.count(mark) < expected.count(mark)


def negative_integer_refused(disagreement: Disagreement) -> bool:
    """Linked, a core value whose upper bits are not the sign of the s8 or s16 in it; the spec ignores those bits."""
    types = [t for func in disagreement.funcs for t in (*func.params, func.result)]
    present = frozenset().union(*(kinds(t) for t in types if t is not None))
    refused = {name for name, text in NARROW.items() if disagreement.seen.trap == text}
    return disagreement.form == LINKED and disagreement.expected.sides is not None and bool(refused & present)


def string_not_encoded(disagreement: Disagreement) -> bool:
    """Linked, node's `TextEncoder.encodeInto` stops before the end of some strings although there is just room."""
    types = [t for func in disagreement.funcs if "utf8" in func.encodings for t in (*func.params, func.result)]
    present = any("string" in kinds(t) for t in types if t is not None)
    refused = disagreement.seen.trap == "Error: failed to encode whole string"
    return disagreement.form == LINKED and disagreement.expected.sides is not None and present and refused


_KNOWN = (
    invalid_utf8_copied,
    invalid_utf8_replaced,
    invalid_utf16_replaced,
    byte_order_mark_dropped,
    negative_integer_refused,
    string_not_encoded,
)
PREDICATES: Final[dict[str, Predicate]] = {function.__name__: function for function in _KNOWN}
