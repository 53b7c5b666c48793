"""Short functions of guests where emitted functions end in calling them.

A trampoline that has nothing to do after its call is two frames for one call, and hands every argument over twice: for
eight scalars that is most of what the call costs. So if the last thing that an emitted function does is to call a
guest's short function of its own type, the body of that function follows in place of the call. Its locals come first
and so keep their numbers, ours are moved behind them; what was pushed for the call goes into the parameters; a branch
to the end of the function or a return in it ends both, as it ends the callee's. The guest's function stays where it is,
for whoever else calls it. A call that something follows (a barrier against exceptions, a flag, a lent handle) is no
ending.

Nothing of a guest's body is read but the types of its locals: the bytes follow as the kernel has written them. Where
bytes of functions are followed into debugging information there are no endings: of the copy nothing could be said.

Spec: core, "Function Calls".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, final

from meldpy.asm.instructions import Call, Local, Part, Plain, Return, decode
from meldpy.asm.leb import read_unsigned, unsigned
from meldpy.merger.bodies import Moved
from meldpy.merger.layout import Layout
from meldpy.merger.protocols import DROPPED
from meldpy.merger.units import Symbols
from meldpy.model.code import Chunk, Emitted, FuncRef
from meldpy.model.core import Bytes, CoreValType, NumType
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, FuncId
from meldpy.records import dataclass, replace

LONGEST: Final = 128
"""The bytes of a body that may follow."""

LARGE: Final = 4096
"""The bytes, or locals, of an emitted function to which a call more is nothing."""

_LOCAL_GET, _LOCAL_SET, _RETURN, _CALL = 0x20, b"\x21", b"\x0f", b"\x10"
_NUMBERS: Final = frozenset(type_.value for type_ in NumType)


@final
@dataclass(frozen=True, slots=True)
class Ending:
    """A guest's body: its locals, and its instructions without the final `end`."""

    locals: tuple[CoreValType, ...]
    code: bytes


def with_endings(
    functions: Sequence[Emitted], layout: Layout, symbols: Symbols, moved: Mapping[CoreInstanceId, Moved]
) -> list[Emitted]:
    """The functions, those that end in calling a guest's short function with its body in place of the call.

    moved: the guests' bodies, with the indices of `layout`.
    """
    last = [_called_last(function, layout, symbols) for function in functions]
    endings = _endings({func for func in last if func is not None}, layout, moved)
    return [
        function if func is None or func not in endings else _joined(function, endings[func])
        for function, func in zip(functions, last, strict=True)
    ]


def _called_last(function: Emitted, layout: Layout, symbols: Symbols) -> FuncId | None:
    """The guest's function, of the emitted function's own type, whose reference comes last."""
    if not function.body or not isinstance(function.body[-1], FuncRef):
        return None
    func = symbols.resolve(function.body[-1].func)
    if not isinstance(func, FuncId):
        return None
    unit = layout.units[func.instance]
    if unit.runtime or func.index < unit.own_funcs or layout.funcs[unit.id][func.index] == DROPPED:
        # (one that is not copied is our defect, and told when the call is written)
        return None
    return func if unit.types[unit.func_types[func.index]].comp == function.type else None


# --- the guests' bodies -------------------------------------------------------------------------------------------
def _endings(funcs: set[FuncId], layout: Layout, moved: Mapping[CoreInstanceId, Moved]) -> Mapping[FuncId, Ending]:
    """The bodies that are short enough."""
    by_unit: dict[CoreInstanceId, list[CoreFuncIndex]] = {}
    for func in sorted(funcs, key=lambda func: (func.instance, func.index)):
        by_unit.setdefault(func.instance, []).append(func.index)
    return {
        FuncId(instance, index): ending
        for instance, indices in by_unit.items()
        for index, body in zip(
            indices, _bodies(moved[instance].bodies, layout.kept.funcs[instance], indices), strict=True
        )
        if (ending := _ending(body)) is not None
    }


def _bodies(bodies: Bytes, copied: Sequence[int], wanted: Sequence[int]) -> Iterator[bytes]:
    """The bodies of these functions, without their sizes. Both lists ascend; `copied` says whose body each one is."""
    at = size = number = 0
    for index in wanted:
        place = bisect_left(copied, index)
        assert copied[place] == index, "what emitted code calls is copied"
        while number <= place:
            size, at = read_unsigned(bodies, at)
            at += size
            number += 1
        yield bytes(bodies[at - size : at])


def _ending(body: bytes) -> Ending | None:
    """None if the body is too long, or has locals that are no numbers."""
    if len(body) > LONGEST:
        return None
    runs, at = read_unsigned(body, 0)
    locals_: list[CoreValType] = []
    for _ in range(runs):
        count, at = read_unsigned(body, at)
        if count > LONGEST or body[at] not in _NUMBERS:
            return None
        locals_ += [NumType(body[at])] * count
        at += 1
    return Ending(tuple(locals_), body[at:-1])


# --- in place of the call -----------------------------------------------------------------------------------------
def _joined(function: Emitted, ending: Ending) -> Emitted:
    """The function with `ending` in place of its last call; as it was if it is large, or cannot be taken apart."""
    size = sum(len(chunk) if isinstance(chunk, bytes) else 1 for chunk in function.body)
    parts = decode(function.body) if max(size, len(function.locals)) < LARGE else None
    if parts is None or not isinstance(parts[-1], Call):
        return function
    params = len(function.type.params)
    before, stored = parts[:-1], b"".join(_LOCAL_SET + unsigned(index) for index in reversed(range(params)))
    passed = [Local(_LOCAL_GET, index) for index in range(params)]
    if before[len(before) - params :] == passed:
        # the parameters are passed on as they are
        before, stored = before[: len(before) - params], b""
    body = [chunk for part in before for chunk in _chunks(part, params, len(ending.locals))]
    return replace(function, locals=(*ending.locals, *function.locals), body=(*body, stored + ending.code))


def _chunks(part: Part, params: int, moved: int) -> tuple[Chunk, ...]:
    """The part with our locals behind `moved` others."""
    match part:
        case Local(opcode, index):
            return (bytes((opcode,)) + unsigned(index if index < params else index + moved),)
        case Return():
            return (_RETURN,)
        case Call(func):
            return (_CALL, FuncRef(func))
        case Plain(chunks):
            return chunks
