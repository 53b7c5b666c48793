"""Core functions that meldpy emits, with symbolic references, and everything else `adapt` adds to a linked graph.

A body is a sequence of chunks: bytes that are final, and references that become indices when `merge` lays the
module out. Emitted code never knows an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, final

from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreFuncType, CoreValType
from meldpy.model.extern import FuncType
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    EmittedId,
    FlagId,
    InstanceId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    ResourceId,
    TableId,
)
from meldpy.model.linked import Module, ResourceOp
from meldpy.model.marks import Mark
from meldpy.model.symbols import (
    Chunk,
    EmittedFunc,
    FlagRef,
    FuncRef,
    FuncSymbol,
    GlobalRef,
    GlobalSymbol,
    MemArg,
    MemoryRef,
    OuterAsyncFunc,
    OuterBuiltinFunc,
    OuterLowerFunc,
    TableRef,
    TagRef,
    TypeRef,
)
from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class Target:
    """What code that we emit may use of what an engine can lack. multi_value: blocks of several results (functions of
    several results are said otherwise later). tables: several of them, and their instructions."""

    vectors: bool = True
    multi_value: bool = True
    tables: bool = True


@final
@dataclass(frozen=True, slots=True)
class Emitted:
    """One emitted function. `name` goes into the name section (trap functions are `trap: …`).

    `type` and `locals` use no type indices. `locals` come after the parameters; `body` is without the final `end`.
    `inline_never`: mark with a code-metadata hint where engines have one (shared trap functions). marks: what it does,
    for reports.
    """

    id: EmittedId
    name: str
    type: CoreFuncType
    locals: tuple[CoreValType, ...]
    body: tuple[Chunk, ...]
    marks: tuple[Mark, ...] = field(default=(), compare=False)


@final
@dataclass(frozen=True, slots=True)
class Flag:
    """A mutable i32 global of ours."""

    id: FlagId
    name: str
    init: int


# --- the runtime library, instantiated ----------------------------------------------------------------------
RuntimeArg: TypeAlias = "FuncSymbol | MemoryId | TableId | FlagRef"


@final
@dataclass(frozen=True, slots=True)
class RuntimeInstance:
    """One instance of a module of the runtime library, bound to its arguments and merged like any core instance.

    `id` continues the graph's core instance ids, `module` its module ids. `args[i]` is for `module.imports[i]`.
    """

    id: CoreInstanceId
    module: ModuleId
    args: tuple[RuntimeArg, ...]


# --- what the outer canonical definitions point at ----------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class OuterOptions:
    """Canonical options of one outer canon lift or lower: those that its type needs, or that a `task.return` names."""

    string_encoding: StringEncoding = StringEncoding.UTF8
    memory: MemoryId | None = None
    realloc: FuncSymbol | None = None
    post_return: FuncSymbol | None = None
    callback: FuncSymbol | None = None
    """Set for an async lift, which has no post-return."""
    async_: bool = False
    """The option `async`, which a callback implies."""


@final
@dataclass(frozen=True, slots=True)
class OuterLift:
    """An outer `canon lift`: of the function that carries an exported LiftFunc (the guest's own, or a shim)."""

    lift: LiftId
    core_func: FuncSymbol
    core_type: CoreFuncType
    options: OuterOptions


@final
@dataclass(frozen=True, slots=True)
class OuterLower:
    """An outer `canon lower` of a host function; `core_type` is its flattened type."""

    lower: LowerId
    core_type: CoreFuncType
    options: OuterOptions


@final
@dataclass(frozen=True, slots=True)
class OuterBuiltin:
    """An outer canon resource built-in, whether a guest asked for it or only emitted code calls it."""

    op: ResourceOp
    resource: ResourceId
    core_type: CoreFuncType


@final
@dataclass(frozen=True, slots=True)
class OuterResource:
    """A resource type that the outer component defines; `dtor` is the core function behind its destructor."""

    resource: ResourceId
    dtor: FuncSymbol | None


@final
@dataclass(frozen=True, slots=True)
class UncalledImport:
    """A function of import number `import_` that nothing calls; a core output imports it all the same."""

    import_: int
    path: tuple[str, ...]
    type: FuncType
    core_type: CoreFuncType


@final
@dataclass(frozen=True, slots=True)
class CoreEdge:
    """What the host of a core output finds in place of canonical options: one memory and one realloc for everything.

    Both are None where no type at the edge needs them. one_table: the engine has no more, nor what reads one.
    """

    memory: MemoryId | None
    realloc: FuncSymbol | None
    string_encoding: StringEncoding
    uncalled: tuple[UncalledImport, ...]
    one_table: bool = False


@final
@dataclass(frozen=True, slots=True)
class Crossing:
    """What a call site became. func: the callee's own function, or the trampoline. task: the call is a task."""

    lower: LowerId
    lift: LiftId
    name: str
    func: FuncSymbol
    task: bool


@final
@dataclass(frozen=True, slots=True)
class Adapted:
    """What `adapt` adds to a LinkedGraph.

    lowers, builtins: the function that implements each live lower and built-in (what a core import bound to a
    LowerFunc or BuiltinFunc really gets). outer_*: in a deterministic order; a lower or built-in appears once in
    `outer_lowers`/`outer_builtins` exactly if some symbol OuterLowerFunc/OuterBuiltinFunc names it. opaque_reps: the
    resource types declared so for which it took effect. core: the edge of a core output; None for a component.
    crossings: the live call sites, in order of lowers.
    passing: the instance whose async is left to the engine.
    """

    functions: tuple[Emitted, ...]
    flags: tuple[Flag, ...]
    modules: tuple[Module, ...]
    runtime: tuple[RuntimeInstance, ...]
    lowers: Mapping[LowerId, FuncSymbol]
    builtins: Mapping[BuiltinId, FuncSymbol]
    outer_lifts: tuple[OuterLift, ...]
    outer_lowers: tuple[OuterLower, ...]
    outer_builtins: tuple[OuterBuiltin, ...]
    outer_resources: tuple[OuterResource, ...]
    opaque_reps: frozenset[ResourceId] = frozenset()
    core: CoreEdge | None = None
    outer_async: tuple[OuterAsyncFunc, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    passing: InstanceId | None = None


__all__ = [
    "Adapted",
    "Chunk",
    "CoreEdge",
    "Crossing",
    "Emitted",
    "EmittedFunc",
    "Flag",
    "FlagRef",
    "FuncRef",
    "FuncSymbol",
    "GlobalRef",
    "GlobalSymbol",
    "MemArg",
    "MemoryRef",
    "OuterAsyncFunc",
    "OuterBuiltin",
    "OuterBuiltinFunc",
    "OuterLift",
    "OuterLower",
    "OuterLowerFunc",
    "OuterOptions",
    "OuterResource",
    "RuntimeArg",
    "RuntimeInstance",
    "TableRef",
    "TagRef",
    "Target",
    "TypeRef",
    "UncalledImport",
]
