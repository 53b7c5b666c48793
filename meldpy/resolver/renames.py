"""What the command line calls otherwise: `--rename NAME=NEW`, applied to the exports that were chosen.

Only the name of an export at the root changes; what satisfies what was decided before. A name that ties a function to a
resource type stays what it is, and a new name is one that the binary format has. Spec: Explainer.md "Import and Export
Definitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from meldpy.errors import LinkError, UsageError
from meldpy.model.extern import ExternName
from meldpy.records import replace
from meldpy.resolver.byhand import unknown
from meldpy.resolver.names import resource_label
from meldpy.resolver.semver import is_version
from meldpy.resolver.typeowners import Candidate
from meldpy.resolver.values import InstanceValue

_LABEL = r"(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*"
_WORDS = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_PLAIN = re.compile(_LABEL)
_INTERFACE = re.compile(rf"{_WORDS}:{_WORDS}/{_LABEL}(?:@(.*))?")


def renamed(chosen: Sequence[Candidate], renames: Sequence[str]) -> list[Candidate]:
    """`chosen` by their new names. UsageError for a text of another form, LinkError for what cannot be renamed, and
    where it is not clear what is meant."""
    news: dict[int, str] = {}
    for text in renames:
        at, new = _one(chosen, text)
        if news.setdefault(at, new) != new:
            raise LinkError(
                f"--rename: `{chosen[at].full_name}` is to be called `{news[at]}` and `{new}`",
                chosen[at].location,
                remedy="an export has one name: leave one of the two out",
            )
    return [replace(c, name=ExternName(news[at])) if at in news else c for at, c in enumerate(chosen)]


def _one(chosen: Sequence[Candidate], text: str) -> tuple[int, str]:
    """The export that is meant, and what it is called now. A name may hold an equals sign, so every cut is tried."""
    if "=" not in text:
        raise UsageError(f"`{text}` is not of the form NAME=NEW", remedy="write --rename NAME=NEW or INPUT:NAME=NEW")
    ways = [(at, new) for old, new in _cuts(text) for at, c in enumerate(chosen) if old in (c.name.name, c.full_name)]
    if not ways:
        raise unknown(f"--rename: no export is called as `{text}` says", (c.full_name for c in chosen))
    if len(ways) > 1:
        raise LinkError(
            f"--rename: `{text}` can mean {' or '.join(f'`{chosen[at].full_name}`' for at, _ in ways)}",
            chosen[ways[0][0]].location,
            remedy="say which input's: --rename INPUT:NAME=NEW",
        )
    ((at, new),) = ways
    candidate = chosen[at]
    if resource_label(candidate.name.name) is not None:
        raise LinkError(
            f"--rename: `{candidate.name.name}` belongs to a resource type, whose name it has",
            candidate.location,
            remedy="rename the interface that has both",
        )
    interface = _INTERFACE.fullmatch(new)
    is_interface = interface is not None and (interface[1] is None or is_version(interface[1]))
    if not (is_interface or _PLAIN.fullmatch(new)) or (is_interface and not isinstance(candidate.item, InstanceValue)):
        raise LinkError(
            f"--rename: `{candidate.name.name}` cannot be called `{new}`",
            candidate.location,
            remedy="a new name is a label (get-name), or for an interface also namespace:package/interface@1.0.0",
        )
    return at, new


def _cuts(text: str) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(text):
        if letter == "=":
            yield text[:at], text[at + 1 :]
