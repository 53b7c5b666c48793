"""WAVE, the text notation for component values: `{name: "x", tags: [1, 2]}`, `some(3)`, `err("no")`, `-inf`.

The job: text to a tree of what was written. What the tree means depends on a type: `values` turns it into an
engine value, and engine values back into text.

Syntax: the WAVE README of bytecodealliance/wasm-tools (crates/wasm-wave).
"""

from __future__ import annotations

import re
from typing import TypeAlias, final

from meldpy.errors import UsageError
from meldpy.records import dataclass


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
    """A label: true, false, none, inf, nan, an enum case, or a case with a payload."""

    label: str
    payload: Tree | None = None


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

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[+-]?(?:\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|inf\b))
        |(?P<label>%?[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)
        |(?P<string>"(?:[^"\\]|\\.)*")
        |(?P<char>'(?:[^'\\]|\\u\{[0-9a-fA-F]+\}|\\.)')
        |(?P<punct>[][(){}:,]))""",
    re.X | re.S,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))", re.S)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
CLOSERS = {"(": ")", "[": "]", "{": "}"}
_MAX_DEPTH = 100


def parse_call(text: str) -> tuple[str, tuple[Tree, ...] | None]:
    """`name(arguments)` as (name, arguments); a bare name gives None for the arguments. Raises UsageError."""
    name, paren, _ = text.partition("(")
    if not paren:
        return text.strip(), None
    parser = _Parser(text[len(name) :])
    call = parser.value(0)
    parser.expect_end()
    assert isinstance(call, Sequence)
    return name.strip(), call.items


@final
class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise UsageError(f"cannot read this value at {text[at : at + 20].strip()!r}")
            assert match.lastgroup is not None
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise UsageError(f"there is more behind the value: {self.peek()[1]!r}")

    def value(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise UsageError("the value is nested too deeply")
        kind, text = self.next()
        match kind, text:
            case "number", _:
                return Number(text.replace("_", ""))
            case "string", _:
                return Text(_unescape(text[1:-1]))
            case "char", _:
                return Char(_unescape(text[1:-1]))
            case "label", _:
                if self.peek() != ("punct", "("):
                    return Name(text.removeprefix("%"))
                self.next()
                payload = self.value(depth + 1)
                self.expect(")")
                return Name(text.removeprefix("%"), payload)
            case "punct", "(" | "[":
                return Sequence(text, tuple(self.items(CLOSERS[text], depth)))
            case "punct", "{":
                return self.braces(depth)
            case _:
                raise UsageError(f"a value was expected, not {text!r}")

    def expect(self, punct: str) -> None:
        _, text = self.next()
        if text != punct:
            raise UsageError(f"{punct!r} was expected, not {text!r}")

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
                raise UsageError(f"a label was expected, not {label!r}")
            value = None
            if self.peek() == ("punct", ":"):
                self.next()
                value = self.value(depth + 1)
            entries.append((label.removeprefix("%"), value))
            if self.peek() != ("punct", "}"):
                self.expect(",")
        self.next()
        return Braces(tuple(entries))


def _unescape(body: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            code = int(match[1], 16)
            if code >= 0x110000 or 0xD800 <= code <= 0xDFFF:
                raise UsageError(f"\\u{{{match[1]}}} is not a character")
            return chr(code)
        if match[2] not in _ESCAPES:
            raise UsageError(f"unknown escape \\{match[2]}")
        return _ESCAPES[match[2]]

    return _ESCAPE.sub(replace, body)
