"""Mutants of WAT source, on tokens and brackets; what the assembler or the validator refuses is stillborn later.

The same families of change as for Python: another comparison, other arithmetic, another signedness, constants and
offsets beside the right one, a condition negated, a branch, call, store or assignment dropped, another local. Only
functions, and macros (`@define`), are mutated: imports, globals and comments stay.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from tests.mutation.model import Mutant

_TOKEN = re.compile(r";;[^\n]*|\(;.*?;\)|\"(?:[^\"\\]|\\.)*\"|[()]|[^\s()\";]+", re.DOTALL)
_COMPARE = {
    "lt_u": ("le_u", "lt_s", "ge_u"),
    "le_u": ("lt_u", "gt_u"),
    "gt_u": ("ge_u", "gt_s", "le_u"),
    "ge_u": ("gt_u", "ge_s", "lt_u"),
    "lt_s": ("le_s", "lt_u"),
    "ge_s": ("gt_s", "ge_u"),
    "eq": ("ne",),
    "ne": ("eq",),
}
_ARITHMETIC = {
    "add": ("sub",),
    "sub": ("add",),
    "mul": ("add",),
    "shl": ("shr_u",),
    "shr_u": ("shl", "shr_s"),
    "and": ("or",),
    "or": ("and",),
    "xor": ("or",),
    "load8_u": ("load8_s", "load16_u"),
    "load16_u": ("load16_s", "load8_u"),
    "store8": ("store16",),
    "store16": ("store8",),
    "clz": ("ctz",),
    "ctz": ("clz",),
}
_SUFFIX = re.compile(r"(?P<type>[SDC]|i32|i64)\.(?P<op>\w+)\Z")
_OFFSET = re.compile(r"offset=(?P<value>0x[0-9a-fA-F_]+|[0-9_]+)\Z")
_NUMBER = re.compile(r"-?(?:0x[0-9a-fA-F_]+|[0-9_]+)\Z")
_DROPPED = ("call", "local.set", "global.set", "memory.copy", "memory.fill", "br", "unreachable")
_HEADS = ("param", "result", "local", "then", "else", "export", "type")


@final
@dataclass(slots=True)
class _Node:
    """A bracketed expression: its tokens and children in order, and the characters it takes."""

    start: int
    end: int = 0
    items: list[_Node | tuple[str, int]] = field(default_factory=list)

    @property
    def head(self) -> str:
        first = self.items[0] if self.items else ""
        return first[0] if isinstance(first, tuple) else ""


def wat_mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of one WAT file, in the order of the text."""
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    edits = {edit: None for function in _functions(_parse(text)) for edit in _edits(function, text)}
    for name, start, end, operator, new in sorted(edits, key=lambda edit: (edit[1], edit[2], edit[4])):
        old = text[start:end]
        if old == new:
            continue
        line, last = bisect_right(lines, start), bisect_right(lines, end)
        key = (name, old, new)
        found.append(Mutant(file, name, line, last, start, end, operator, old, new, seen[key]))
        seen[key] += 1
    return found


_Edit = tuple[str, int, int, str, str]


def _parse(text: str) -> _Node:
    root = _Node(0, len(text))
    stack = [root]
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.startswith((";;", "(;")):
            continue
        if token == "(":
            node = _Node(match.start())
            stack[-1].items.append(node)
            stack.append(node)
        elif token == ")":
            stack.pop().end = match.end()
        else:
            stack[-1].items.append((token, match.start()))
    assert stack == [root], "brackets do not match"
    return root


def _functions(node: _Node) -> Iterator[_Node]:
    for item in node.items:
        if isinstance(item, _Node):
            if item.head == "@define" or (
                item.head == "func" and any(isinstance(part, _Node) and part.head != "param" for part in item.items)
            ):
                yield item
            elif item.head == "module":
                yield from _functions(item)


def _edits(function: _Node, text: str) -> Iterator[_Edit]:
    names = [item[0] for item in function.items if isinstance(item, tuple)]
    name = names[1] if len(names) > 1 else "func"
    declared = [item for item in function.items if isinstance(item, _Node) and item.head in ("param", "local")]
    local_names = [part[0] for item in declared for part in item.items if isinstance(part, tuple) and part[0][0] == "$"]
    for operator, start, end, new in _of_node(function, text, local_names):
        yield name, start, end, operator, new


def _of_node(node: _Node, text: str, local_names: list[str]) -> Iterator[tuple[str, int, int, str]]:
    if node.head in ("param", "result", "local", "export", "type", "import"):
        return
    yield from _of_bracket(node, text)
    for i, item in enumerate(node.items):
        if isinstance(item, _Node):
            yield from _of_node(item, text, local_names)
            continue
        token, start = item
        following = node.items[i + 1] if i + 1 < len(node.items) else None
        for operator, new in _of_token(token, node.items[i - 1] if i else None, local_names):
            yield operator, start, start + len(token), new
        if isinstance(following, tuple) and i > 0:
            yield from _of_plain(token, start, following)


def _of_token(token: str, before: _Node | tuple[str, int] | None, local_names: list[str]) -> Iterator[tuple[str, str]]:
    """One token becomes another."""
    previous = before[0] if isinstance(before, tuple) else ""
    if match := _SUFFIX.match(token):
        for table, operator in ((_COMPARE, "comparison"), (_ARITHMETIC, "arithmetic")):
            for other in table.get(match["op"], ()):
                yield operator, f"{match['type']}.{other}"
    elif match := _OFFSET.match(token):
        yield "offset", f"offset={int(match['value'], 0) + 4}"
        yield "offset", "offset=0"
    elif _NUMBER.match(token) and previous.endswith(".const"):
        yield "constant", str(int(token, 0) + 1)
        yield "constant", str(int(token, 0) - 1)
    elif token == "select":
        yield "condition", "i32.eqz select"
    elif previous in ("local.get", "local.set", "local.tee") and token in local_names and len(local_names) > 1:
        at = local_names.index(token)
        yield "other local", local_names[(at + 1) % len(local_names)]
        yield "other local", local_names[at - 1]


def _of_plain(token: str, start: int, following: tuple[str, int]) -> Iterator[tuple[str, int, int, str]]:
    """An instruction outside of brackets, with its immediate."""
    end = following[1] + len(following[0])
    match token:
        case "br_if":
            yield "condition", start, end, f"i32.eqz br_if {following[0]}"
            yield "drop branch", start, end, "drop"
        case "local.set" | "global.set":
            yield "drop statement", start, end, "drop"
        case "memory.copy":
            yield "drop statement", start, end + len(" $src"), "drop drop drop"
        case "call":
            yield "drop statement", start, end, ""
            yield "drop statement", start, end, "drop"


def _of_bracket(node: _Node, text: str) -> Iterator[tuple[str, int, int, str]]:
    """A folded instruction changes as a whole."""
    operands = [item for item in node.items if isinstance(item, _Node) and item.head not in _HEADS]
    head = node.head
    if head in ("if", "br_if", "select") and operands:
        condition = operands[-1] if head != "if" else operands[0]
        old = text[condition.start : condition.end]
        yield "condition", condition.start, condition.end, f"(i32.eqz {old})"
        yield "condition", condition.start, condition.end, "(i32.const 0)"
    if head in ("br_if", "local.set") and operands:
        inner = " ".join(text[item.start : item.end] for item in operands)
        yield "drop statement", node.start, node.end, f"(drop {inner})"
    if head in _DROPPED or ".store" in head:
        yield "drop statement", node.start, node.end, ""
    if head == "if" and not operands:
        yield "condition", node.start, node.start, "i32.eqz "
