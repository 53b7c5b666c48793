"""Which live functions can let an exception escape, and which can leave their instance.

Both are reachability in the call graph, computed backwards from the functions that do it themselves. A call
through a table goes to whatever a live segment put there; if anything writes the table, or the call is through a
reference, it may go to every function whose address is taken.

An exception never passes a lower: it becomes a trap at the boundary, so throwing does not spread through one.
Leaving (spec: `may_leave`) means reaching a lower, or a built-in that checks the flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, final

from meldpy.analysis.reach import Reach
from meldpy.analysis.spaces import Spaces
from meldpy.model.core import ConstOp, Op, SegmentMode
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.ids import FuncId, TableId
from meldpy.model.linked import BuiltinFunc, CoreFunc, LowerFunc

_ANYWHERE = "anywhere"
Node: TypeAlias = "FuncId | LowerFunc | BuiltinFunc | TableId | str"
"""A function, a table that is only called through, or _ANYWHERE: every function whose address is taken."""


@final
class CallGraph:
    """Who may call whom, among the live functions of a finished `reach`; `written` are the tables code writes.

    callers: by callee. throws: the functions that throw by themselves.
    """

    def __init__(self, reach: Reach, written: frozenset[TableId]) -> None:
        self.callers: dict[Node, list[Node]] = {}
        self.throws: list[Node] = []
        for func in sorted(reach.funcs, key=lambda f: (f.instance, f.index)):
            if _edges(reach, func, self.callers):
                self.throws.append(func)
        _indirect_edges(reach, written, self.callers)
        # A jump that is looked through is no caller of anything, yet whoever names it means what is behind it.
        for jump, target in reach.forwards.items():
            self.callers.setdefault(target, []).append(jump)


def effects(calls: CallGraph) -> tuple[frozenset[FuncId], frozenset[FuncId]]:
    """(may throw, may leave)."""
    leaves: list[Node] = [node for node in calls.callers if isinstance(node, LowerFunc | BuiltinFunc)]
    return _functions(backwards(calls.callers, calls.throws)), _functions(backwards(calls.callers, leaves))


def _edges(reach: Reach, func: FuncId, callers: dict[Node, list[Node]]) -> bool:
    """Record what `func` may call; True if it throws by itself."""
    spaces: Spaces = reach.all_spaces[func.instance]
    facts: CodeFacts = reach.code[spaces.module_id]
    i = func.index - len(spaces.imported_funcs)
    start, end = facts.spans[i], facts.spans[i + 1]
    throws = False
    for kind, index in zip(facts.kinds[start:end], facts.indices[start:end], strict=True):
        if kind == RefKind.CALL:
            callee = spaces.func(index)
            target = reach.forwards.get(callee, callee) if isinstance(callee, FuncId) else callee
            callers.setdefault(target, []).append(func)
        elif kind == RefKind.CALL_INDIRECT:
            callers.setdefault(spaces.table(index), []).append(func)
        elif kind == RefKind.CALL_REF:
            callers.setdefault(_ANYWHERE, []).append(func)
        elif kind == RefKind.THROWS:
            throws = True
    return throws


def _indirect_edges(reach: Reach, written: frozenset[TableId], callers: dict[Node, list[Node]]) -> None:
    """Tables call what their segments hold, or anything if something else may write them."""
    called = [node for node in callers if isinstance(node, TableId)]
    for table in called:
        owner = reach.all_spaces[table.instance]
        init = owner.module.tables[table.index - len(owner.imported_tables)].init
        held = None if table in written or init is not None else _segment_funcs(reach, table)
        if held is None:
            callers.setdefault(_ANYWHERE, []).append(table)
            continue
        for func in held:
            callers.setdefault(func, []).append(table)
    if _ANYWHERE in callers:
        for func in reach.named:
            target = reach.forwards.get(func, func) if isinstance(func, FuncId) else func
            callers.setdefault(target, []).append(_ANYWHERE)


def _segment_funcs(reach: Reach, table: TableId) -> list[CoreFunc] | None:
    """What active segments put into `table`; None if an item is computed, so that it may be any function."""
    found: list[CoreFunc] = []
    for spaces in reach.all_spaces:
        for segment in spaces.module.elements:
            if segment.mode is not SegmentMode.ACTIVE or segment.table is None or spaces.table(segment.table) != table:
                continue
            for item in segment.items:
                for op in item if isinstance(item, tuple) else (ConstOp(Op.REF_FUNC, item),):
                    if op.opcode == Op.REF_FUNC and isinstance(op.operand, int):
                        func = spaces.func(op.operand)
                        found.append(reach.forwards.get(func, func) if isinstance(func, FuncId) else func)
                    elif op.opcode != Op.REF_NULL:
                        return None
    return found


def backwards(callers: Mapping[Node, list[Node]], seeds: Iterable[Node]) -> set[Node]:
    """Everything from which a seed can be reached, seeds included; lowers and built-ins stop nothing but themselves."""
    seen: set[Node] = set(seeds)
    pending = list(seen)
    while pending:
        for caller in callers.get(pending.pop(), ()):
            if caller not in seen:
                seen.add(caller)
                pending.append(caller)
    return seen


def _functions(nodes: set[Node]) -> frozenset[FuncId]:
    return frozenset(node for node in nodes if isinstance(node, FuncId))
