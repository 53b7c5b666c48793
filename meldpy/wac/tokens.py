"""The words of a `.wac` file, each with its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import final

from meldpy.errors import Location
from meldpy.records import dataclass
from meldpy.wac.model import WacError

_ID = r"%?(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*"
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t\r\n]+|//[^\n]*|/\*.*?\*/)
        |(?P<package>{_ID}(?::{_ID})+(?:/{_ID})*(?:@[0-9A-Za-z.+-]+)?)
        |(?P<id>{_ID})
        |(?P<string>"[^"\n]*")
        |(?P<punct>\.\.\.|[][{{}}();:,.=<>@*/-])""",
    re.X | re.S,
)


@final
@dataclass(frozen=True, slots=True)
class Token:
    """kind: package, id, string, punct or end."""

    kind: str
    text: str
    at: Location


def tokens(text: str, source: str) -> Iterator[Token]:
    """All tokens and one that is the end. Raises WacError for what is none."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            shown = text[position : position + 20].splitlines()[0]
            raise WacError(f"cannot read {shown!r}", _location(text, position, source), remedy=_remedy(shown))
        if found.lastgroup != "blank":
            assert found.lastgroup is not None
            yield Token(found.lastgroup, found[0], _location(text, position, source))
        position = found.end()
    yield Token("end", "the end of the file", _location(text, position, source))


def _remedy(shown: str) -> str:
    return "close the string on its line" if shown.startswith('"') else "see LANGUAGE.md of wac for what may stand here"


def _location(text: str, position: int, source: str) -> Location:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return Location(source, line=line, column=column)
