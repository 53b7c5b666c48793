"""Text that a WAT template says once and uses often: WAT has no macros, and engines do not inline.

A definition replaces nothing but words of its body, so it looks like the code that it becomes. One text can have two
flavours: `choose` keeps what is marked for one and takes away what is marked for the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PARENTHESIS = re.compile(r"[()]")
_WORD = re.compile(r"[^\s()=]+")


def expand(text: str) -> str:
    """The text with each `(@name argument …)` replaced by what `(@define name (parameter …) …)` before it says.

    An argument is one word or one parenthesised expression, and is evaluated as often as its parameter occurs.
    """
    macros: dict[str, tuple[list[str], str]] = {}
    while (at := text.find("(@")) >= 0:
        end = _closing(text, at)
        word, *arguments = _parts(text[at + 2 : end - 1])
        if word == "define":
            name, parameters, *body = arguments
            macros[name] = parameters[1:-1].split(), _replace(" ".join(body), macros)
            text = text[:at] + text[end:]
        else:
            text = _replace(text, macros)
    return text


def choose(text: str, flavour: str, other: str) -> str:
    """The text with each `(@flavour …)` replaced by what is in it, and each `(@other …)` by nothing."""
    for word, keep in ((flavour, True), (other, False)):
        mark = f"(@{word}"
        while (at := text.find(mark)) >= 0:
            end = _closing(text, at)
            text = text[:at] + (text[at + len(mark) : end - 1] if keep else "") + text[end:]
    return text


def _replace(text: str, macros: Mapping[str, tuple[list[str], str]]) -> str:
    """The text with every use of these macros replaced, up to the next definition."""
    done: list[str] = []
    at = 0
    while (next_ := text.find("(@", at)) >= 0 and not text.startswith("(@define", next_):
        end = _closing(text, next_)
        word, *arguments = _parts(text[next_ + 2 : end - 1])
        parameters, body = macros[word]
        given = dict(zip(parameters, arguments, strict=True))
        done += (text[at:next_], _fill(body, given))
        at = end
    return "".join((*done, text[at:]))


def _fill(body: str, given: Mapping[str, str]) -> str:
    return _WORD.sub(lambda match: given.get(match[0], match[0]), body)


def _closing(text: str, at: int) -> int:
    """Behind the parenthesis that closes the one at `at`."""
    depth = 0
    for match in _PARENTHESIS.finditer(text, at):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.end()
    raise AssertionError("a parenthesis is not closed")


def _parts(text: str) -> list[str]:
    """The words and parenthesised expressions of a text."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] == "(":
            end = _closing(text, at)
        else:
            end = next((i for i in range(at, len(text)) if text[i].isspace() or text[i] == "("), len(text))
        parts.append(text[at:end])
        at = end
    return parts
