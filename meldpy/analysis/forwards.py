"""Functions that only jump through a table slot whose content is known: wit-component's shim, by what it does.

To tie the knot between a module and the lowers that need its memory, wit-component instantiates a *shim* first,
whose functions pass their parameters on through `call_indirect` of a constant slot, and a *fixup* last, whose
active element segment fills the slots. Once instances are merged the detour is pointless: whoever imports a shim
function can call what the slot holds. That is true only if all of this holds (design section 4):

* every core instance that can see the table only calls through it: nobody writes, grows, copies or fills it;
* each slot is written exactly once, by an active segment with a constant offset, in bounds;
* the slot's function has the signature that the jump asks for, so that the indirect call's check cannot fail;
* no start function that runs before that write can reach the jump (it would trap on the empty slot).

A table that thread built-ins could reach counts as written. Recognition never looks at a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meldpy.analysis.constants import constant
from meldpy.analysis.spaces import Spaces, flat_types, table_type
from meldpy.model.core import Bytes, ConstExpr, CoreFuncType, ElementSegment, NumType, Op, SegmentMode
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, FuncId, ModuleId, TableId
from meldpy.model.linked import AsyncBuiltin, CoreFunc, LinkedGraph

_LONGEST_JUMP = 4 * 1000 + 32
"""Bytes a jump of the most parameters the engines allow can take; longer bodies are not even looked at."""


def find_forwards(
    graph: LinkedGraph,
    all_spaces: list[Spaces],
    code: Mapping[ModuleId, CodeFacts],
    written: frozenset[TableId],
) -> dict[FuncId, CoreFunc]:
    """Every function that provably only jumps to one known function, with that function (chains followed).

    `written` are the tables that any body can change.
    """
    if any(isinstance(builtin, AsyncBuiltin) for builtin in graph.builtins):
        return {}  # thread.new-indirect and its kin call through tables; async is refused where it is reached anyway
    jumps = _jumps(all_spaces, code)
    if not jumps:
        return {}
    slots: dict[TableId, dict[int, tuple[CoreFunc, CoreFuncType, CoreInstanceId]]] = {}
    for table in {table for table, _, _ in jumps.values()} - written:
        known = _known_slots(all_spaces, table)
        if known is not None:
            slots[table] = known
    direct: dict[FuncId, CoreFunc] = {}
    for jump, (table, slot, type_) in jumps.items():
        entry = slots.get(table, {}).get(slot)
        if entry is None:
            continue
        target, target_type, writer = entry
        if target_type == type_ and not _runs_before(all_spaces, code, jump, writer):
            direct[jump] = target
    return {jump: end for jump in direct if (end := _follow(direct, jump)) is not None}


def _follow(direct: Mapping[FuncId, CoreFunc], start: FuncId) -> CoreFunc | None:
    """The end of a chain of jumps, or None for a cycle (which loops for ever, and must keep doing so)."""
    seen: set[FuncId] = set()
    at: CoreFunc = start
    while isinstance(at, FuncId) and at in direct:
        if at in seen:
            return None
        seen.add(at)
        at = direct[at]
    return at


# --- the jump ------------------------------------------------------------------------------------------------
def _jumps(
    all_spaces: list[Spaces], code: Mapping[ModuleId, CodeFacts]
) -> dict[FuncId, tuple[TableId, int, CoreFuncType]]:
    """All functions that are jumps by their bodies: the table, the slot, and the signature."""
    found: dict[FuncId, tuple[TableId, int, CoreFuncType]] = {}
    for spaces in all_spaces:
        facts = code[spaces.module_id]
        if RefKind.CALL_INDIRECT not in facts.kinds:
            continue
        types = flat_types(spaces.module.types)
        imported = len(spaces.imported_funcs)
        for i, type_index in enumerate(spaces.module.funcs):
            start, end = facts.spans[i], facts.spans[i + 1]
            kinds = facts.kinds[start:end]
            if sorted(kinds) not in ([RefKind.CALL_INDIRECT], [RefKind.CALL_INDIRECT, RefKind.TYPE]):
                continue
            comp = types[type_index].comp
            if not isinstance(comp, CoreFuncType) or not _plain(comp):
                continue
            entry = spaces.module.code.bodies[facts.bounds[i] : facts.bounds[i + 1]]
            jump = _parse_jump(entry, len(comp.params))
            if jump is None:
                continue
            called, table, slot = jump
            if types[called].comp == comp:
                found[FuncId(spaces.id, CoreFuncIndex(imported + i))] = (spaces.table(table), slot, comp)
    return found


def _plain(type_: CoreFuncType) -> bool:
    """Whether a signature means the same in every module: number types only."""
    return all(isinstance(t, NumType) for t in type_.params + type_.results)


def _parse_jump(entry: Bytes, params: int) -> tuple[int, int, int] | None:
    """(type, table, slot) if a body is `local.get 0…n-1; i32.const slot; call_indirect table type; end`."""
    if len(entry) > _LONGEST_JUMP:
        return None
    data = bytes(entry)
    try:
        _, at = _uleb(data, 0)
        declared, at = _uleb(data, at)
        if declared != 0:
            return None
        for expected in range(params):
            if data[at] != 0x20:
                return None
            local, at = _uleb(data, at + 1)
            if local != expected:
                return None
        if data[at] != Op.I32_CONST:
            return None
        slot, at = _uleb(data, at + 1)
        # A slot of 64 or more takes two bytes as a signed LEB; the sign bit is bit 6 of its last byte.
        if data[at - 1] & 0x40 or data[at] not in (0x11, 0x13):
            return None
        type_, at = _uleb(data, at + 1)
        table, at = _uleb(data, at)
    except IndexError:
        return None
    return (type_, table, slot) if data[at:] == b"\x0b" else None


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


# --- the slots -------------------------------------------------------------------------------------------------
def _known_slots(
    all_spaces: list[Spaces], table: TableId
) -> dict[int, tuple[CoreFunc, CoreFuncType, CoreInstanceId]] | None:
    """Slot → (function, its declared signature, the instance whose segment writes it); None if any doubt remains.

    Slots that are written twice, or with a signature that is not plain, are left out.
    """
    limits = table_type(all_spaces, table).limits
    owner = all_spaces[table.instance]
    if owner.module.tables[table.index - len(owner.imported_tables)].init is not None:
        return None
    written: dict[int, tuple[CoreFunc, CoreFuncType, CoreInstanceId] | None] = {}
    for spaces in all_spaces:
        local = {i for i in range(_table_count(spaces)) if spaces.table(i) == table}
        if not local:
            continue
        for segment in spaces.module.elements:
            if segment.mode is not SegmentMode.ACTIVE or segment.table not in local:
                continue
            assert segment.offset is not None
            offset = constant(all_spaces, spaces, segment.offset)
            if offset is None or offset + len(segment.items) > limits.min:
                return None
            for slot, entry in enumerate(_entries(spaces, segment), offset):
                written[slot] = None if slot in written else entry
    return {slot: entry for slot, entry in written.items() if entry is not None}


def _table_count(spaces: Spaces) -> int:
    return len(spaces.imported_tables) + len(spaces.module.tables)


def _entries(spaces: Spaces, segment: ElementSegment) -> Iterator[tuple[CoreFunc, CoreFuncType, CoreInstanceId] | None]:
    types = flat_types(spaces.module.types)
    for item in segment.items:
        index = _named_func(item)
        comp = None if index is None else types[spaces.func_type(index)].comp
        if index is None or not isinstance(comp, CoreFuncType) or not _plain(comp):
            yield None
        else:
            yield spaces.func(index), comp, spaces.id


def _named_func(item: CoreFuncIndex | ConstExpr) -> int | None:
    """The function index of an element item, if it is one or a lone `ref.func`."""
    if not isinstance(item, tuple):
        return item
    if len(item) == 1 and item[0].opcode == Op.REF_FUNC and isinstance(item[0].operand, int):
        return item[0].operand
    return None


# --- start functions -----------------------------------------------------------------------------------------------
def _runs_before(
    all_spaces: list[Spaces], code: Mapping[ModuleId, CodeFacts], jump: FuncId, writer: CoreInstanceId
) -> bool:
    """Whether a start function that runs before `writer`'s segments may call `jump`.

    Only instances from the jump's own on can have got hold of it. Safe side: a start function of theirs that calls
    through any table or reference, or through a lower, may call anything.
    """
    for spaces in all_spaces[jump.instance : writer]:
        if spaces.module.start is None:
            continue
        pending: list[CoreFunc] = [spaces.func(spaces.module.start)]
        seen: set[CoreFunc] = set()
        while pending:
            at = pending.pop()
            if at == jump or not isinstance(at, FuncId):
                return True
            if at in seen:
                continue
            seen.add(at)
            inside = all_spaces[at.instance]
            facts = code[inside.module_id]
            i = at.index - len(inside.imported_funcs)
            for kind, index in zip(
                facts.kinds[facts.spans[i] : facts.spans[i + 1]],
                facts.indices[facts.spans[i] : facts.spans[i + 1]],
                strict=True,
            ):
                if kind in (RefKind.CALL_INDIRECT, RefKind.CALL_REF):
                    return True
                if kind == RefKind.CALL:
                    pending.append(inside.func(index))
    return False
