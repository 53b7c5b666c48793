"""Functions of library modules, taken apart once a process: the library is the same for every fuse.

Their indices stand for nothing yet; `bound` says what they stand for in one instance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from meldpy.asm.instructions import Call, Indices, Part, Plain, decode
from meldpy.asm.leb import read_unsigned
from meldpy.model.code import Chunk, FuncSymbol, MemArg, MemoryRef
from meldpy.model.core import CoreFuncType, CoreModule, CoreValType, NumType
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, CoreMemoryIndex, FuncId, MemoryId
from meldpy.records import dataclass, replace

_UNBOUND: Final = CoreInstanceId(-1)
_INDICES: Final = Indices(
    lambda index: FuncId(_UNBOUND, CoreFuncIndex(index)), lambda index: MemoryId(_UNBOUND, CoreMemoryIndex(index))
)


@final
@dataclass(frozen=True, slots=True)
class LibraryBody:
    """A function's size in bytes, type, locals, and parts (None if it cannot be taken apart)."""

    size: int
    type: CoreFuncType
    locals: tuple[CoreValType, ...]
    parts: tuple[Part, ...] | None


_Known: TypeAlias = "tuple[CoreModule, dict[int, LibraryBody]]"
_known: dict[int, _Known] = {}
"""By the identity of the module, which is kept so that the identity stays its own."""


def library_body(module: CoreModule, number: int) -> LibraryBody:
    """The function that `module` defines as its `number`th."""
    _, bodies = _known.setdefault(id(module), (module, {}))
    if number not in bodies:
        bodies[number] = _decoded(module, number)
    return bodies[number]


def _decoded(module: CoreModule, number: int) -> LibraryBody:
    code, at = module.code.bodies, 0
    size, at = read_unsigned(code, at)
    for _ in range(number):
        size, at = read_unsigned(code, at + size)
    end = at + size
    locals_: list[CoreValType] = []
    runs, at = read_unsigned(code, at)
    for _ in range(runs):
        count, at = read_unsigned(code, at)
        locals_ += [NumType(code[at])] * count
        at += 1
    assert all(len(group.types) == 1 for group in module.types)
    type = module.types[module.funcs[number]].types[0].comp
    assert isinstance(type, CoreFuncType)
    parts = decode([bytes(code[at : end - 1])], _INDICES)
    return LibraryBody(size, type, tuple(locals_), None if parts is None else tuple(parts))


def bound(
    parts: tuple[Part, ...], func: Callable[[int], FuncSymbol], memory: Callable[[int], MemoryId]
) -> tuple[Part, ...]:
    """The parts with what their indices stand for."""

    def chunk(each: Chunk) -> Chunk:
        match each:
            case MemArg(id) if id.instance == _UNBOUND:
                return replace(each, memory=memory(id.index))
            case MemoryRef(id) if id.instance == _UNBOUND:
                return MemoryRef(memory(id.index))
        return each

    result: list[Part] = []
    for part in parts:
        match part:
            case Call(FuncId(instance, index)) if instance == _UNBOUND:
                result.append(Call(func(index)))
            case Plain(chunks):
                result.append(Plain(tuple(map(chunk, chunks))))
            case _:
                result.append(part)
    return tuple(result)
