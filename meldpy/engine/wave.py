"""WAVE, the text notation for component values: `{name: "x", tags: [1, 2]}`, `some(3)`, `err("no")`, `-inf`.

The job: text to a tree of what was written. What the tree means depends on a type: `values` turns it into an
engine value, and engine values back into text.

Syntax: the grammar and the README of WAVE in bytecodealliance/wasm-tools (crates/wasm-wave), of which what is not
grammatical is refused: `1_000`, `007`, `+5`, `()` for a tuple, a field twice.
"""

from __future__ import annotations

import re
from typing import TypeAlias, final

from meldpy.errors import UsageError
from meldpy.records import dataclass, field

_REMEDY = 'write it in WAVE: 1, "text", [1, 2], {a: 1}, some(1), ok(1)'


# --- what was written ------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Number:
    text: str


@final
@dataclass(frozen=True, slots=True)
class Text:
    value: str


@final
@dataclass(frozen=True, slots=True)
class Char:
    value: str


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A keyword, an enum case, or a case with a payload. escaped: it has a `%` in front, so it is no keyword."""

    label: str
    payload: Tree | None = None
    escaped: bool = field(default=False, compare=False)

    @property
    def keyword(self) -> str | None:
        return self.label if not self.escaped and self.label in KEYWORDS else None


@final
@dataclass(frozen=True, slots=True)
class Sequence:
    """`[…]` or `(…)`; `open` is the bracket."""

    open: str
    items: tuple[Tree, ...]


@final
@dataclass(frozen=True, slots=True)
class Braces:
    """`{a: 1, b: 2}` (a record) or `{a, b}` (flags; values are None)."""

    entries: tuple[tuple[str, Tree | None], ...]


Tree: TypeAlias = "Number | Text | Char | Name | Sequence | Braces"

_ESCAPED = r"""\\(?:['"tnr\\]|u\{[0-9a-fA-F]{1,6}\})"""
_BLANK = re.compile(r"(?:[ \t\n\r]+|//[^\n]*)*")
_TOKEN = re.compile(
    rf"""(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|-inf)
        |(?P<label>%?(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*)
        |(?P<lines>\"\"\".*?\"\"\")
        |(?P<string>(?!\"\"\")"(?:[^"\\\n]|{_ESCAPED})*")
        |(?P<char>'(?:[^'\\\n]|{_ESCAPED})')
        |(?P<punct>[][(){{}}:,])""",
    re.X | re.S,
)
_NO_NUMBER = re.compile(r"[-+]?[.]?\d[\w.]*")
"""What looks like a number, and is none if it is longer than the token."""
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))", re.S)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
KEYWORDS = frozenset({"true", "false", "some", "none", "ok", "err", "inf", "nan"})
"""A label that is one of these and is no keyword has a `%` in front."""
_WITH_PAYLOAD = frozenset({"some", "ok", "err"})
CLOSERS = {"(": ")", "[": "]", "{": "}"}
_MAX_DEPTH = 100


def parse_call(text: str) -> tuple[str, tuple[Tree, ...] | None]:
    """`name(arguments)` as (name, arguments); a bare name gives None for the arguments. Raises UsageError."""
    name, paren, _ = text.partition("(")
    if not paren:
        return text.strip(), None
    parser = _Parser(text[len(name) :])
    parser.expect("(")
    arguments = parser.items(")", 0)
    parser.expect_end()
    return name.strip(), tuple(arguments)


@final
class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = _skip(text, 0)
        while at < len(text):
            match = _TOKEN.match(text, at)
            looks = _NO_NUMBER.match(text, at)
            if looks is not None and (match is None or match.end() < looks.end()):
                raise UsageError(f"{looks[0]!r} is not a number as WAVE writes it", remedy=_NUMBERS)
            if match is None:
                raise UsageError(f"cannot read this value at {text[at : at + 20].strip()!r}", remedy=_REMEDY)
            assert match.lastgroup is not None
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = _skip(text, match.end())
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise UsageError(f"there is more behind the value: {self.peek()[1]!r}", remedy=_REMEDY)

    def value(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise UsageError("the value is nested too deeply", remedy=_REMEDY)
        kind, text = self.next()
        match kind, text:
            case "number", _:
                return Number(text)
            case "lines", _:
                return Text(_unescape(_dedented(text[3:-3])))
            case "string", _:
                return Text(_unescape(text[1:-1]))
            case "char", _:
                return Char(_unescape(text[1:-1]))
            case "label", _:
                return self.name(text, depth)
            case "punct", "[":
                return Sequence(text, tuple(self.items("]", depth)))
            case "punct", "(":
                items = tuple(self.items(")", depth))
                if not items:
                    raise UsageError("`()` is no value: a tuple has at least one", remedy=_REMEDY)
                return Sequence(text, items)
            case "punct", "{":
                return self.braces(depth)
            case _:
                raise UsageError(f"a value was expected, not {text!r}", remedy=_REMEDY)

    def name(self, text: str, depth: int) -> Name:
        label, escaped = text.removeprefix("%"), text.startswith("%")
        keyword = None if escaped or label not in KEYWORDS else label
        payload = None
        if self.peek() == ("punct", "(") and (keyword is None or keyword in _WITH_PAYLOAD):
            self.next()
            payload = self.value(depth + 1)
            self.expect(")")
        elif keyword == "some":
            self.expect("(")
        return Name(label, payload, escaped)

    def expect(self, punct: str) -> None:
        _, text = self.next()
        if text != punct:
            raise UsageError(f"{punct!r} was expected, not {text!r}", remedy=_REMEDY)

    def items(self, closer: str, depth: int) -> list[Tree]:
        found: list[Tree] = []
        while self.peek() != ("punct", closer):
            found.append(self.value(depth + 1))
            if self.peek() != ("punct", closer):
                self.expect(",")
        self.next()
        return found

    def braces(self, depth: int) -> Braces:
        entries: list[tuple[str, Tree | None]] = []
        while self.peek() != ("punct", "}"):
            kind, label = self.next()
            if (kind, label) == ("punct", ":") and not entries and self.peek() == ("punct", "}"):
                break  # `{:}` is the record of which every field is left out
            if kind != "label":
                raise UsageError(f"a label was expected, not {label!r}", remedy=_REMEDY)
            value = None
            if self.peek() == ("punct", ":"):
                self.next()
                value = self.value(depth + 1)
            self._add(entries, label.removeprefix("%"), value)
            if self.peek() != ("punct", "}"):
                self.expect(",")
        self.next()
        return Braces(tuple(entries))

    def _add(self, entries: list[tuple[str, Tree | None]], label: str, value: Tree | None) -> None:
        """Either all entries have values, or none; no label is there twice."""
        if any(label == other for other, _ in entries):
            raise UsageError(f"{label!r} is there twice", remedy=_REMEDY)
        if entries and (entries[0][1] is None) != (value is None):
            raise UsageError(f"{label!r} is a field among flags, or a flag among fields", remedy=_REMEDY)
        entries.append((label, value))


_NUMBERS = "digits 0 to 9 without separators or leading zeros, `-` as the only sign, then a fraction and an exponent"


def _skip(text: str, at: int) -> int:
    """Behind blanks and comments."""
    found = _BLANK.match(text, at)
    assert found is not None  # it matches nothing at all, too
    return found.end()


def _dedented(body: str) -> str:
    """The lines of a multi-line string: the spaces in front of the closing quotes are taken from each."""
    first, *lines = body.removeprefix("\r").split("\n")
    if first or not lines:
        raise UsageError('`"""` must be followed by a line break', remedy=_REMEDY)
    indent = lines.pop()
    if indent.strip(" "):
        raise UsageError('the closing `"""` must be on a line of its own, after nothing but spaces', remedy=_REMEDY)
    for line in lines:
        if not line.startswith(indent):
            raise UsageError('lines must be indented at least as far as the closing `"""`', remedy=_REMEDY)
    return "\n".join(line[len(indent) :].removesuffix("\r") for line in lines)


def _unescape(body: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            code = int(match[1], 16)
            if code >= 0x110000 or 0xD800 <= code <= 0xDFFF:
                raise UsageError(f"\\u{{{match[1]}}} is not a character", remedy=_REMEDY)
            return chr(code)
        if match[2] not in _ESCAPES:
            raise UsageError(f"unknown escape \\{match[2]}", remedy=_REMEDY)
        return _ESCAPES[match[2]]

    return _ESCAPE.sub(replace, body)
