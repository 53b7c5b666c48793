"""Mutants of Python source: every place of a file where an operator applies, as a replacement of characters.

What is not mutated, because a test could only pin words or because nothing can tell: strings and f-strings,
docstrings, annotations, decorators, imports, `assert`, `assert_never` and `strict=True`, `__all__` and `__slots__`,
`__repr__` and `__str__`, and what a `raise` makes its error of (dropping the `raise` itself is a mutant). Swaps that
always end in a TypeError at once (a minus between strings or displays) are left out too: they would only flatter the
kill rate.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import final

from tests.mutation.model import Mutant

_COMPARE: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.FloorDiv: "*",
    ast.Mod: "//",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "|",
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
_DISPLAYS = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.JoinedStr, ast.SetComp, ast.DictComp)


def python_mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of one module, in the order of the text."""
    finder = _Finder(file, text)
    finder.visit(ast.parse(text))
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for mutant in sorted(finder.found, key=lambda m: (m.start, m.end, m.new)):
        key = (mutant.function, mutant.old, mutant.new)
        found.append(replace(mutant, ordinal=seen[key]))
        seen[key] += 1
    return found


@final
class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, text: str) -> None:
        self.found: list[Mutant] = []
        self._file = file
        self._text = text
        self._lines = [line.encode() for line in text.splitlines(keepends=True)]
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._scope: list[str] = []
        self._function: str = ""

    # --- places -------------------------------------------------------------------------------------------------
    def _offset(self, line: int, column: int) -> int:
        """The character at a line (from 1) and a column in bytes of UTF-8, as `ast` counts."""
        return self._starts[line - 1] + len(self._lines[line - 1][:column].decode())

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _source(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._text[start:end]

    def _add(self, node: ast.expr | ast.stmt, operator: str, new: str) -> None:
        start, end = self._span(node)
        last = node.end_lineno or node.lineno
        new = new + "\x00" if isinstance(node, ast.stmt) else new
        self.found.append(
            Mutant(self._file, self._function, node.lineno, last, start, end, operator, self._text[start:end], new)
        )

    def _replace(self, node: ast.expr, operator: str, new: str) -> None:
        """An expression becomes another: in parentheses, which also take up the lines that it loses."""
        self._add(node, operator, f"({new}\x00)")

    # --- scopes, and what is left alone ---------------------------------------------------------------------------
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in ("__repr__", "__str__"):
            return
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        outermost = not self._function
        self._scope.append(node.name)
        if outermost:
            self._function = ".".join(self._scope)
        self._body(node.body)
        if outermost:
            self._function = ""
        self._scope.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        self._body(node.body)
        self._scope.pop()

    def _body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: the positions inside are not right before Python 3.12, and nearly all are messages."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Nothing: an assertion states what always holds."""

    def visit_Import(self, node: ast.Import) -> None:
        """Nothing."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Nothing."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if names & {"__all__", "__slots__"}:
            return
        if not names and any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._add(node, "drop statement", "pass")
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "drop raise", "pass")

    # --- statements -------------------------------------------------------------------------------------------------
    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call):
            if isinstance(node.value.func, ast.Name) and node.value.func.id == "assert_never":
                return
            self._add(node, "drop statement", "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "drop statement", "pass")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._add(node, "drop statement", "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(node, "other jump", "break")
        self._add(node, "drop statement", "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._add(node, "other jump", "continue")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._add(node, "drop return", "pass")
            return
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node.value, "return nothing", "None")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._replace(node.test, "condition", "True")
        self._replace(node.test, "condition", "False")
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._replace(node.test, "condition", "False")
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self._replace(node.guard, "condition", "True")
            self._replace(node.guard, "condition", "False")
            self.visit(node.guard)
        self._body(node.body)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._replace(condition, "condition", "True")
        self.generic_visit(node)

    # --- expressions --------------------------------------------------------------------------------------------------
    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._replace(node.test, "condition", f"not ({self._source(node.test)})")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for i, op in enumerate(node.ops):
            for symbol in _COMPARE[type(op)]:
                parts = [f"({self._source(operands[0])})"]
                for j, (other, operand) in enumerate(zip(node.ops, operands[1:], strict=True)):
                    parts += [symbol if i == j else _SYMBOLS[type(other)], f"({self._source(operand)})"]
                self._replace(node, "comparison", " ".join(parts))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = " or " if isinstance(node.op, ast.And) else " and "
        same = " and " if isinstance(node.op, ast.And) else " or "
        parts = [f"({self._source(value)})" for value in node.values]
        self._replace(node, "and/or", other.join(parts))
        for i in range(len(parts)):
            self._replace(node, "drop operand", same.join(parts[:i] + parts[i + 1 :]))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._replace(node, "drop sign", self._source(node.operand))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = _ARITHMETIC.get(type(node.op))
        sides = (node.left, node.right)
        textual = any(isinstance(side, _DISPLAYS) or _is_text(side) for side in sides)
        if other is not None and not textual and not all(_is_class(side) for side in sides):
            self._replace(node, "arithmetic", f"({self._source(node.left)}) {other} ({self._source(node.right)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add(node, "constant", str(not node.value))
        elif isinstance(node.value, int):
            self._replace(node, "constant", str(node.value + 1))
            if node.value != 0:
                self._replace(node, "constant", str(node.value - 1))

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _CALLED and node.args:
            self._add(node.func, "other function", _CALLED[name])
        if name in ("isinstance", "cast", "field"):
            for arg in node.args[1:] if name == "cast" else node.args[:1]:
                self.visit(arg)
            return
        plain = [arg for arg in node.args if not isinstance(arg, ast.Starred)]
        for first, second in pairwise(plain):
            if self._source(first) != self._source(second):
                self._swap(first, second)
        self.generic_visit(node)

    def _swap(self, first: ast.expr, second: ast.expr) -> None:
        (start, first_end), (second_start, end) = self._span(first), self._span(second)
        between = self._text[first_end:second_start]
        old, new = self._text[start:end], self._source(second) + between + self._source(first)
        last = second.end_lineno or second.lineno
        self.found.append(
            Mutant(self._file, self._function, first.lineno, last, start, end, "swap arguments", old, new)
        )

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "strict":  # of `zip`: an assertion
            self.visit(node.value)

    def visit_Slice(self, node: ast.Slice) -> None:
        lower = self._source(node.lower) if node.lower is not None else ""
        upper = self._source(node.upper) if node.upper is not None else ""
        if node.step is None and lower:
            self._add(node, "slice", f":{upper}")
        if node.step is None and upper:
            self._add(node, "slice", f"{lower}:")
        self.generic_visit(node)

    def visit_List(self, node: ast.List) -> None:
        if isinstance(node.ctx, ast.Load):
            self._drop_element(node, [self._source(item) for item in node.elts], "[", "]")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        if len(node.elts) > 1:
            self._drop_element(node, [self._source(item) for item in node.elts], "{", "}")
        self.generic_visit(node)

    def _drop_element(self, node: ast.expr, items: list[str], opening: str, closing: str) -> None:
        for i in range(len(items)):
            self._replace(node, "drop element", opening + ", ".join(items[:i] + items[i + 1 :]) + closing)

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    self.visit(item)


_SYMBOLS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def _is_class(node: ast.expr) -> bool:
    """A name written like a class; `A | B` of two is a type."""
    return isinstance(node, ast.Name) and node.id[:1].isupper() and not node.id.isupper()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
