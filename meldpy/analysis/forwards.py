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
from typing import final

from meldpy.analysis.constants import Constants
from meldpy.analysis.spaces import Spaces, table_type
from meldpy.model.core import Bytes, ConstExpr, CoreFuncType, CoreModule, ElementSegment, NumType, Op, SegmentMode
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
    constants: Constants,
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
        known = _known_slots(all_spaces, table, constants)
        if known is not None:
            slots[table] = known
    starts = _Starts(all_spaces, code)
    direct: dict[FuncId, CoreFunc] = {}
    for jump, (table, slot, type_) in jumps.items():
        if table not in slots or slot not in slots[table]:
            continue
        target, target_type, writer = slots[table][slot]
        if target_type == type_ and not starts.may_call(jump, writer):
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
        types = _plain_types(spaces.module)
        imported = len(spaces.imported_funcs)
        for i, type_index in enumerate(spaces.module.funcs):
            start, end = facts.spans[i], facts.spans[i + 1]
            kinds = facts.kinds[start:end]
            if sorted(kinds) not in ([RefKind.CALL_INDIRECT], [RefKind.CALL_INDIRECT, RefKind.TYPE]):
                continue
            own_type = types[type_index]
            if own_type is None:
                continue
            entry = spaces.module.code.bodies[facts.bounds[i] : facts.bounds[i + 1]]
            jump = _parse_jump(entry, len(own_type.params))
            if jump is None:
                continue
            called, table, slot = jump
            if types[called] == own_type:
                found[FuncId(spaces.id, CoreFuncIndex(imported + i))] = (spaces.table(table), slot, own_type)
    return found


def _plain_types(module: CoreModule) -> list[CoreFuncType | None]:
    """The module's types, those left out (None) that equal fields do not make equal: only number types mean the same
    in every module, and only a final type without supertypes, alone in its group, is equal to all that look like it.
    """
    return [
        member.comp
        if len(group.types) == 1
        and member.final
        and not member.supertypes
        and isinstance(member.comp, CoreFuncType)
        and all(isinstance(t, NumType) for t in member.comp.params + member.comp.results)
        else None
        for group in module.types
        for member in group.types
    ]


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
    all_spaces: list[Spaces], table: TableId, constants: Constants
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
            offset = constants.value(spaces, segment.offset)
            if offset is None or offset + len(segment.items) > limits.min:
                return None
            for slot, entry in enumerate(_entries(spaces, segment), offset):
                written[slot] = None if slot in written else entry
    return {slot: entry for slot, entry in written.items() if entry is not None}


def _table_count(spaces: Spaces) -> int:
    return len(spaces.imported_tables) + len(spaces.module.tables)


def _entries(spaces: Spaces, segment: ElementSegment) -> Iterator[tuple[CoreFunc, CoreFuncType, CoreInstanceId] | None]:
    types = _plain_types(spaces.module)
    for item in segment.items:
        index = _named_func(item)
        type_ = None if index is None else types[spaces.func_type(index)]
        if index is None or type_ is None:
            yield None
        else:
            yield spaces.func(index), type_, spaces.id


def _named_func(item: CoreFuncIndex | ConstExpr) -> int | None:
    """The function index of an element item, if it is one or a lone `ref.func`."""
    if not isinstance(item, tuple):
        return item
    if len(item) == 1 and item[0].opcode == Op.REF_FUNC and isinstance(item[0].operand, int):
        return item[0].operand
    return None


# --- start functions -----------------------------------------------------------------------------------------------
@final
class _Starts:
    """What each core instance's start function may call, computed once per instance."""

    def __init__(self, all_spaces: list[Spaces], code: Mapping[ModuleId, CodeFacts]) -> None:
        self._all_spaces = all_spaces
        self._code = code
        self._known: dict[CoreInstanceId, frozenset[FuncId] | None] = {}

    def may_call(self, jump: FuncId, writer: CoreInstanceId) -> bool:
        """Whether a start function that runs before `writer`'s segments may call `jump`.

        Only instances from the jump's own on can have got hold of it.
        """
        for spaces in self._all_spaces[jump.instance : writer]:
            if spaces.module.start is None:
                continue
            if spaces.id not in self._known:
                self._known[spaces.id] = self._called(spaces.func(spaces.module.start))
            called = self._known[spaces.id]
            if called is None or jump in called:
                return True
        return False

    def _called(self, start: CoreFunc) -> frozenset[FuncId] | None:
        """The functions that `start` may call, itself included; None for "anything".

        Safe side: one that calls through a table or a reference, or that leaves its instance, may call anything.
        """
        pending: list[CoreFunc] = [start]
        seen: set[FuncId] = set()
        while pending:
            at = pending.pop()
            if not isinstance(at, FuncId):
                return None
            if at in seen:
                continue
            seen.add(at)
            inside = self._all_spaces[at.instance]
            facts = self._code[inside.module_id]
            i = at.index - len(inside.imported_funcs)
            refs = slice(facts.spans[i], facts.spans[i + 1])
            for kind, index in zip(facts.kinds[refs], facts.indices[refs], strict=True):
                if kind in (RefKind.CALL_INDIRECT, RefKind.CALL_REF):
                    return None
                if kind == RefKind.CALL:
                    pending.append(inside.func(index))
        return frozenset(seen)
