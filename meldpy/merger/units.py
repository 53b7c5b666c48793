"""The core instances to merge, guests and runtime library alike, with every index space turned into identities.

A `Unit` is one core instance. Its imports are already replaced by what implements them: a jump through
wit-component's shim by the jump's target, a lower or built-in by the function that `adapt` made for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.errors import InternalError, Location
from meldpy.merger.protocols import Scan
from meldpy.model.code import (
    Adapted,
    EmittedFunc,
    FlagRef,
    FuncSymbol,
    GlobalSymbol,
    OuterAsyncFunc,
    OuterBuiltinFunc,
    OuterLowerFunc,
)
from meldpy.model.core import CoreModule, FuncImportType, SubType
from meldpy.model.facts import CodeFacts, Facts
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    FuncId,
    GlobalId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import BuiltinFunc, CoreFunc, LinkedGraph, LowerFunc, Module
from meldpy.records import dataclass, replace

Argument: TypeAlias = "FuncSymbol | LowerFunc | BuiltinFunc | MemoryId | TableId | GlobalSymbol | TagId"


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """One core instance. tables, memories, globals, tags: whole index spaces, imports first.

    imported_funcs: None for a lower or built-in that nothing live calls (so that nothing implements it).
    func_types: the type index of each function of the whole space. order: position in initialisation order.
    runtime: it belongs to the runtime library.
    """

    id: CoreInstanceId
    order: int
    runtime: bool
    module: CoreModule
    module_id: ModuleId
    label: str
    location: Location
    code: CodeFacts
    types: tuple[SubType, ...]
    imported_funcs: tuple[FuncSymbol | None, ...]
    func_types: tuple[int, ...]
    tables: tuple[TableId, ...]
    memories: tuple[MemoryId, ...]
    globals: tuple[GlobalSymbol, ...]
    tags: tuple[TagId, ...]

    @property
    def own_funcs(self) -> int:
        """The index of the first defined function."""
        return len(self.imported_funcs)

    @property
    def own_tables(self) -> int:
        return len(self.tables) - len(self.module.tables)

    @property
    def own_memories(self) -> int:
        return len(self.memories) - len(self.module.memories)

    @property
    def own_globals(self) -> int:
        return len(self.globals) - len(self.module.globals)

    @property
    def own_tags(self) -> int:
        return len(self.tags) - len(self.module.tags)


@final
class Symbols:
    """Which function a reference really means."""

    def __init__(self, facts: Facts, adapted: Adapted) -> None:
        self._forwards = facts.forwards
        self._lowers = adapted.lowers
        self._builtins = adapted.builtins

    def forwarded(self, func: FuncId) -> bool:
        """Whether `func` is only a jump that no reference goes through any more."""
        return func in self._forwards

    def jumps(self) -> Iterable[FuncId]:
        """All functions that are only jumps."""
        return self._forwards

    def resolve(self, func: CoreFunc | FuncSymbol) -> FuncSymbol | None:
        """The function to call, or None for a lower or built-in that `adapt` found dead."""
        seen: set[CoreFunc | FuncSymbol] = set()
        at: CoreFunc | FuncSymbol | None = func
        while at is not None:
            if at in seen:
                raise InternalError(f"functions forward to each other in a circle: {at}")
            seen.add(at)
            match at:
                case LowerFunc(lower):
                    at = self._lowers.get(lower)
                case BuiltinFunc(builtin):
                    at = self._builtins.get(builtin)
                case FuncId() if at in self._forwards:
                    at = self._forwards[at]
                case FuncId() | EmittedFunc() | OuterLowerFunc() | OuterBuiltinFunc() | OuterAsyncFunc():
                    return at
        return None

    def need(self, func: CoreFunc | FuncSymbol) -> FuncSymbol:
        found = self.resolve(func)
        if found is None:
            raise InternalError(f"nothing implements {func}, which is live")
        return found


def units_of(graph: LinkedGraph, facts: Facts, adapted: Adapted, symbols: Symbols, scan: Scan) -> list[Unit]:
    """All units in the order of their ids: the graph's core instances, then the runtime library's.

    The runtime library is initialised before any guest, because a guest's start function may call it.
    """
    modules = [*graph.modules, *adapted.modules]
    types = {module.id: tuple(t for group in module.module.types for t in group.types) for module in modules}
    code: Mapping[ModuleId, CodeFacts] = {**facts.code, **{m.id: scan(m.module) for m in adapted.modules}}
    runtimes = len(adapted.runtime)
    units: list[Unit] = []
    for i, instance in enumerate(graph.core_instances):
        module = modules[instance.module]
        units.append(
            _unit(instance.id, runtimes + i, False, module, types[module.id], code[module.id], instance.args, symbols)
        )
    for i, runtime in enumerate(adapted.runtime):
        module = modules[runtime.module]
        units.append(_unit(runtime.id, i, True, module, types[module.id], code[module.id], runtime.args, symbols))
    for position, unit in enumerate(units):
        assert unit.id == position, "core instance ids are positions"
    return _with_unique_labels(units)


def _unit(
    id_: CoreInstanceId,
    order: int,
    runtime: bool,
    module: Module,
    types: tuple[SubType, ...],
    code: CodeFacts,
    args: Sequence[Argument],
    symbols: Symbols,
) -> Unit:
    core = module.module
    funcs: list[FuncSymbol | None] = []
    func_types: list[int] = []
    tables: list[TableId] = []
    memories: list[MemoryId] = []
    globals_: list[GlobalSymbol] = []
    tags: list[TagId] = []
    for import_, arg in zip(core.imports, args, strict=True):
        match arg:
            case MemoryId():
                memories.append(arg)
            case TableId():
                tables.append(arg)
            case GlobalId() | FlagRef():
                globals_.append(arg)
            case TagId():
                tags.append(arg)
            case _:
                assert isinstance(import_.type, FuncImportType), f"{import_.name!r} is bound to another sort"
                func_types.append(import_.type.type)
                funcs.append(symbols.resolve(arg))
    tables += [TableId(id_, CoreTableIndex(i)) for i in _own(tables, core.tables)]
    memories += [MemoryId(id_, CoreMemoryIndex(i)) for i in _own(memories, core.memories)]
    globals_ += [GlobalId(id_, CoreGlobalIndex(i)) for i in _own(globals_, core.globals)]
    tags += [TagId(id_, CoreTagIndex(i)) for i in _own(tags, core.tags)]
    return Unit(
        id_,
        order,
        runtime,
        core,
        module.id,
        module.label,
        module.location,
        code,
        types,
        tuple(funcs),
        (*func_types, *core.funcs),
        tuple(tables),
        tuple(memories),
        tuple(globals_),
        tuple(tags),
    )


def _own(imported: Sequence[object], defined: Sequence[object]) -> range:
    return range(len(imported), len(imported) + len(defined))


def _with_unique_labels(units: list[Unit]) -> list[Unit]:
    """Labels are for readers only, but two instances of one module should not look alike."""
    seen: Counter[str] = Counter()
    result: list[Unit] = []
    for unit in units:
        seen[unit.label] += 1
        count = seen[unit.label]
        result.append(unit if count == 1 else _relabelled(unit, f"{unit.label} #{count}"))
    return result


def _relabelled(unit: Unit, label: str) -> Unit:
    return replace(unit, label=label)


def func_id(unit: Unit, index: int) -> FuncId:
    return FuncId(unit.id, CoreFuncIndex(index))


def symbol_at(unit: Unit, index: int) -> FuncSymbol | None:
    """What function `index` of a unit's space is (a definition of its own is not looked through)."""
    return unit.imported_funcs[index] if index < unit.own_funcs else func_id(unit, index)
