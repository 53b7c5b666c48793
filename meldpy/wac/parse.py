"""`.wac` text to statements. What the language has and we do not is refused by name, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from meldpy.errors import Location
from meldpy.wac.model import (
    Access,
    Argument,
    Export,
    Expression,
    Inferred,
    Let,
    Named,
    New,
    Ref,
    Rest,
    Spread,
    Statement,
    WacError,
)
from meldpy.wac.tokens import Token, tokens

_ELSEWHERE: Final[Mapping[str, str]] = {
    "import": "leave the import open with `...` in the arguments of whoever imports it",
    "interface": "interfaces come with the components that have them",
    "world": "the output's world follows from what is imported and exported",
    "type": "types come with the components that have them",
    "record": "types come with the components that have them",
    "variant": "types come with the components that have them",
    "enum": "types come with the components that have them",
    "flags": "types come with the components that have them",
    "resource": "types come with the components that have them",
    "use": "types come with the components that have them",
    "include": "the output's world follows from what is imported and exported",
}
"""Statements of the language that are not supported, and what to do about it."""


def parse(text: str, source: str) -> tuple[Statement, ...]:
    """The statements behind the package's name. Raises WacError."""
    return _Parser(list(tokens(text, source))).document()


@final
class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.at = 0

    def document(self) -> tuple[Statement, ...]:
        self.header()
        statements: list[Statement] = []
        while self.peek().kind != "end":
            statements.append(self.statement())
        return tuple(statements)

    def header(self) -> None:
        """`package ns:name@1.0.0;`, which names the composition and nothing that is written into it."""
        if not self.is_word("package"):
            return
        self.next()
        self.expect("package", "the package's name, like `example:composition`")
        if self.is_word("targets"):
            raise unsupported("`targets`", self.peek().at, "check the world of the output with `wac targets`")
        self.punct(";")

    def statement(self) -> Statement:
        word = self.next()
        match word.text:
            case "let" if word.kind == "id":
                name = self.expect("id", "a name").text.removeprefix("%")
                self.punct("=")
                value = self.expression(0)
                self.punct(";")
                return Let(name, value, word.at)
            case "export" if word.kind == "id":
                return self.export(word)
            case other if word.kind == "id" and other in _ELSEWHERE:
                raise unsupported(f"`{other}`", word.at, _ELSEWHERE[other])
            case _:
                raise self.wrong(word, "`let` or `export`")

    def export(self, word: Token) -> Export:
        value = self.expression(0)
        spread = self.skip("...")
        as_ = None
        if not spread and self.is_word("as"):
            self.next()
            name = self.next()
            if name.kind not in ("id", "string"):
                raise self.wrong(name, "a name")
            as_ = name.text.strip('"').removeprefix("%")
        self.punct(";")
        return Export(value, spread, as_, word.at)

    def expression(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise WacError("the expression is nested too deeply", self.peek().at, remedy="name its parts with `let`")
        found = self.primary(depth)
        while True:
            here = self.peek()
            if self.skip("."):
                name = self.expect("id", "the name of an export")
                found = Access(found, name.text.removeprefix("%"), False, here.at)
            elif self.skip("["):
                name = self.expect("string", "the name of an export in quotes")
                self.punct("]")
                found = Access(found, name.text[1:-1], True, here.at)
            else:
                return found

    def primary(self, depth: int) -> Expression:
        token = self.next()
        if token.kind == "punct" and token.text == "(":
            inner = self.expression(depth + 1)
            self.punct(")")
            return inner
        if token.kind == "id" and token.text == "new":
            package = self.expect("package", "the name of a package, like `demo:greeter`")
            if "/" in package.text:
                raise self.wrong(package, "the name of a package, without an interface")
            self.punct("{")
            arguments: list[Argument] = []
            while not self.skip("}"):
                arguments.append(self.argument(depth + 1))
                if isinstance(arguments[-1], Rest) and self.peek().text != "}":
                    raise self.wrong(self.peek(), "`}`: `...` comes last")
                if not self.skip(","):
                    self.punct("}")
                    break
            return New(package.text, tuple(arguments), token.at)
        if token.kind == "id":
            return Ref(token.text.removeprefix("%"), token.at)
        raise self.wrong(token, "a value: `new …`, or a name that `let` gave")

    def argument(self, depth: int) -> Argument:
        token = self.next()
        match token.kind:
            case "punct" if token.text == "...":
                if self.peek().text == "}" or self.peek().text == ",":
                    return Rest(token.at)
                spread = self.expect("id", "a name, or nothing")
                return Spread(Ref(spread.text.removeprefix("%"), spread.at), token.at)
            case "id":
                name = token.text.removeprefix("%")
                if self.skip(":"):
                    return Named(name, False, self.expression(depth), token.at)
                return Inferred(Ref(name, token.at), token.at)
            case "string":
                self.punct(":")
                return Named(token.text[1:-1], True, self.expression(depth), token.at)
            case _:
                raise self.wrong(token, "an argument: `name: value`, `...name` or `...`")

    # --- tokens ------------------------------------------------------------------------------------------------------
    def peek(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.peek()
        if token.kind != "end":
            self.at += 1
        return token

    def is_word(self, text: str) -> bool:
        token = self.peek()
        return token.kind == "id" and token.text == text

    def skip(self, text: str) -> bool:
        token = self.peek()
        if token.kind != "punct" or token.text != text:
            return False
        self.at += 1
        return True

    def expect(self, kind: str, what: str) -> Token:
        token = self.next()
        if token.kind != kind:
            raise self.wrong(token, what)
        return token

    def punct(self, text: str) -> None:
        if not self.skip(text):
            raise self.wrong(self.peek(), f"`{text}`")

    def wrong(self, token: Token, wanted: str) -> WacError:
        return WacError(f"{token.text!r} where {wanted} was expected", token.at, remedy=f"write {wanted}")


_DEEPEST: Final = 100


def unsupported(what: str, at: Location, remedy: str) -> WacError:
    """What the language has and meldpy does not."""
    return WacError(f"{what} is a part of wac's language that meldpy does not support", at, remedy=remedy)
