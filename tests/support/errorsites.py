"""Every place of meldpy where an error for users is made, and which of them a piece of code goes through.

A site is a call in the sources: of a kind of error (any subclass of MeldError), or of whatever is raised and makes one
(`raise reader.error(…)`). It is called by its file, the function around it and its words, so that a site keeps its name
when lines move. `tests/errors` says which test reaches each of them.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import final

from meldpy.errors import MeldError
from meldpy.records import dataclass

ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 100
_FRAMES = 6
"""How far above the making of an error the `raise` may stand that asked for it."""


@final
@dataclass(frozen=True, slots=True)
class Site:
    """file: within the repository; name: unique in the file; kind: what is called; fixed: its words hold nothing of
    the input, option or file that it is about; end: line and column where the call ends."""

    file: str
    name: str
    kind: str
    fixed: bool
    end: tuple[int, int]


@cache
def sources() -> tuple[str, ...]:
    return tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "meldpy").rglob("*.py")))


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


@cache
def kinds() -> frozenset[str]:
    """The names of all kinds of errors, and of nothing else that can be raised."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for file in sources()
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.ClassDef)
    }
    found = {"MeldError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found)


def _returning(names: frozenset[str]) -> frozenset[str]:
    """The functions whose result is annotated with one of these names, but for those that only add to an error that
    they are given."""
    return frozenset(
        node.name
        for file in sources()
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef) and node.returns is not None
        if names & _named(node.returns) and not any(kinds() & _named(arg.annotation) for arg in node.args.args)
    )


def _named(annotation: ast.expr | None) -> set[str]:
    return set() if annotation is None else {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)}


@cache
def makers() -> frozenset[str]:
    """Functions that make an error for their caller to raise; `at` only places one."""
    return _returning(kinds()) - {"at"}


@cache
def refusers() -> frozenset[str]:
    """Functions that raise whenever they are called."""
    return _returning(frozenset({"NoReturn"})) - {"main", "leave"}


@cache
def sites(file: str) -> tuple[Site, ...]:
    """All sites of a file, in its order."""
    finder = _Finder()
    finder.visit(_tree(file))
    seen: Counter[str] = Counter()
    found = []
    for within, call in sorted(finder.found, key=lambda each: (each[1].lineno, each[1].col_offset)):
        name = f"{within}: {_words(call)}"
        seen[name] += 1
        if seen[name] > 1:
            name += f" ({seen[name]})"
        assert call.end_lineno is not None
        assert call.end_col_offset is not None
        found.append(Site(file, name, _callee(call), _is_fixed(call), (call.end_lineno, call.end_col_offset)))
    return tuple(found)


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.within: list[str] = []
        self.found: list[tuple[str, ast.Call]] = []

    def _scope(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        self.within.append(node.name)
        self.generic_visit(node)
        self.within.pop()

    visit_FunctionDef = visit_ClassDef = _scope

    def visit_Call(self, node: ast.Call) -> None:
        if _callee(node) in kinds():
            self._take(node)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call) and _callee(node.exc) in makers():
            self._take(node.exc)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and _callee(node.value) in refusers():
            self._take(node.value)
        self.generic_visit(node)

    def _take(self, call: ast.Call) -> None:
        if all(call is not each for _, each in self.found):
            self.found.append((".".join(self.within), call))


def _callee(call: ast.Call) -> str:
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _words(call: ast.Call) -> str:
    """What it says: the constant parts of its arguments that are words, else how it is written."""
    said = [text for text in map(_text, call.args) if text is not None and text.strip("… ")]
    text = ": ".join(said) or ", ".join(ast.unparse(arg) for arg in call.args)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values):
            return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in values)
        case _:
            return None


def _is_fixed(call: ast.Call) -> bool:
    constants = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return len(constants) == len(call.args) and not any("`" in str(each) or "--" in str(each) for each in constants)


# --- which are gone through -------------------------------------------------------------------------------------------
@contextmanager
def recorded() -> Iterator[list[tuple[Site, MeldError]]]:
    """Every error that is made, with the sites that it went through (its making, and the `raise` that asked for it)."""
    seen: list[tuple[Site, MeldError]] = []
    usual = MeldError.__init__

    def init(self: MeldError, *args: object, **words: object) -> None:
        usual(self, *args, **words)  # type: ignore[arg-type]
        seen.extend((site, self) for site in _sites_above(sys._getframe(1)))

    MeldError.__init__ = init  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        MeldError.__init__ = usual  # type: ignore[method-assign]


def _sites_above(frame: FrameType | None) -> Iterator[Site]:
    for _ in range(_FRAMES):
        if frame is None:
            return
        site = _site_at(frame)
        if site is not None:
            yield site
        frame = frame.f_back


def _site_at(frame: FrameType) -> Site | None:
    file = frame.f_code.co_filename
    if not file.startswith(str(ROOT / "meldpy")):
        return None
    for index, position in enumerate(frame.f_code.co_positions()):
        if index == frame.f_lasti // 2:
            _, line, _, column = position
            return _by_end(str(Path(file).relative_to(ROOT))).get((line, column))
    return None


@cache
def _by_end(file: str) -> dict[tuple[int | None, int | None], Site]:
    return {site.end: site for site in sites(file)}
