"""The table against the spec's definitions.py: each of its traps must be a row's, and each row's place must be there.

Only whoever has a copy can compare; the tests do not need one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.support.trapcases.table import Table


def differences(table: Table, source: str) -> list[str]:
    there, told = set(traps(source)), set(table.where)
    missing = [f"no row for {place}" for place in sorted(there - told)]
    return missing + [f"no such trap: {place}" for place in sorted(told - there)]


def traps(source: str) -> Iterator[str]:
    """As "function n", in the order of the text."""
    counts: dict[str, int] = {}
    for function in _calls(ast.parse(source), ()):
        counts[function] = counts.get(function, 0) + 1
        yield f"{function} {counts[function]}"


def _calls(node: ast.AST, path: tuple[str, ...]) -> Iterator[str]:
    """The function around each call of trap or trap_if; that of trap in trap_if is not one."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield from _calls(child, (*path, name))
                continue
            case ast.Call(func=ast.Name(id="trap" | "trap_if")):
                yield ".".join(path)
        yield from _calls(child, path)
