"""What emitted code says to the handle tables, and to the outer component's resource built-ins.

Who has which table was decided before (`resources`). Here a table becomes the constant that the runtime library knows
it by, a resource type likewise, and an operation the function of the library that does it. Everything that several
adapters share about handles is made once, when it is first asked for.

The outer component counts as one more instance, `outer`: its table is the engine's. What an entry of an inner table
stands for is its rep: what the definer gave to `resource.new`, or, if the outer component imports the resource type,
the handle in the engine's table. One instance more, `nobody`, has no table at all: on its side a handle is a rep.

Spec: CanonicalABI.md "Table State", "Resource State". Design section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import final

from meldpy import runtime
from meldpy.adapter.functions import Functions
from meldpy.adapter.library import Instances
from meldpy.adapter.places import Memory, Side
from meldpy.adapter.resources import Tables
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder
from meldpy.cabi import Keys
from meldpy.model.canon import StringEncoding
from meldpy.model.code import EmittedFunc, OuterBuiltin, OuterBuiltinFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FlagId, FuncId, InstanceId, MemoryId, ResourceId
from meldpy.model.linked import LinkedGraph, ResourceOp
from meldpy.model.valtype import DefinedType, FutureType

BUILTIN_TYPES: Mapping[ResourceOp, CoreFuncType] = {
    "new": CoreFuncType((I32,), (I32,)),
    "rep": CoreFuncType((I32,), (I32,)),
    "drop": CoreFuncType((I32,), ()),
}

# Arguments are bound by position: these follow the imports of the WAT files.
_HANDLE_TRAPS = (
    Trap.UNKNOWN_HANDLE,
    Trap.WRONG_RESOURCE_TYPE,
    Trap.HANDLE_LENT,
    Trap.HANDLE_NOT_OWNED,
    Trap.BORROW_HELD,
    Trap.HANDLE_TABLE_FULL,
)
_BOUNDARY_TRAPS = (Trap.BOUNDARY_FULL,)


@final
class Handles:
    """Everything about handles that is the same for all adapters of one run."""

    def __init__(
        self,
        graph: LinkedGraph,
        tables: Tables,
        functions: Functions,
        library: Instances,
        keys: Keys,
        *,
        beside: bool = False,
    ) -> None:
        """beside: whether values wait at the outer edge in the memory of the tables, not in one of their own."""
        self._keys = keys
        self._beside = beside
        self.outer = InstanceId(len(graph.instances))
        self.nobody = InstanceId(self.outer + 1)
        self._resources = graph.resources
        self._tables = tables
        self._functions = functions
        self._library = library
        self._builtins: dict[OuterBuiltinFunc, OuterBuiltin] = {}
        self._returns: dict[ResourceId, EmittedFunc] = {}
        self._forget: FlagId | None = None

    # --- inner tables -----------------------------------------------------------------------------------------
    def has_table(self, instance: InstanceId) -> bool:
        """Whether handles of `instance` are in a table of ours."""
        return instance in self._tables.numbers

    def is_direct(self, instance: InstanceId) -> bool:
        """Whether the instance's table is the engine's, so that its handles are the outer component's."""
        return instance == self._tables.direct

    def table(self, instance: InstanceId) -> int:
        """The constant that stands for the instance's table."""
        return runtime.table_address(self._tables.numbers[instance])

    def tag(self, resource: ResourceId) -> int:
        """The constant that stands for the resource type."""
        return runtime.resource_tag(resource)

    @cached_property
    def memory(self) -> MemoryId:
        """The memory of all tables."""
        return self._library.memory(runtime.HANDLES, tuple(map(self._functions.trap, _HANDLE_TRAPS)))

    def end_tag(self, type: DefinedType, *, writable: bool) -> int:
        """The constant that stands for an end of a stream or future type."""
        future = isinstance(type.definition, FutureType)
        return runtime.end_tag(self._keys.key(type), future=future, writable=writable)

    @cached_property
    def func(self) -> Callable[[str], FuncId]:
        """The functions of `handles.wat`."""
        return self._library.funcs(runtime.HANDLES, tuple(map(self._functions.trap, _HANDLE_TRAPS)))

    def definer(self, resource: ResourceId) -> InstanceId | None:
        """None: the outer component imports the resource type."""
        return self._resources[resource].definer

    def label(self, resource: ResourceId) -> str:
        return self._resources[resource].name

    def is_opaque(self, resource: ResourceId) -> bool:
        """Whether reps travel in place of handles."""
        return resource in self._tables.opaque

    def arrives_as_handle(self, resource: ResourceId, instance: InstanceId) -> bool:
        """Whether a borrow, lowered into `instance`, becomes a handle there: the definer gets the rep. Spec:
        lower_borrow."""
        return self.has_table(instance) and instance != self.definer(resource) and not self.is_opaque(resource)

    # --- the outer component --------------------------------------------------------------------------------------
    @property
    def outer_builtins(self) -> tuple[OuterBuiltin, ...]:
        return tuple(self._builtins.values())

    def outer_builtin(self, op: ResourceOp, resource: ResourceId) -> OuterBuiltinFunc:
        """The outer component's own built-in, on the engine's table."""
        symbol = OuterBuiltinFunc(op, resource)
        if symbol not in self._builtins:
            self._builtins[symbol] = OuterBuiltin(op, resource, BUILTIN_TYPES[op])
        return symbol

    def forgets(self, resource: ResourceId) -> bool:
        """Whether handles of the resource type come back from the host (known once all shims are written)."""
        return resource in self._returns

    @property
    def forget(self) -> FlagId:
        """Set while an outer `resource.drop` must not run the destructor, because the resource lives on inside."""
        if self._forget is None:
            self._forget = self._functions.flag("forget", 0)
        return self._forget

    def returned_by_host(self, resource: ResourceId) -> EmittedFunc:
        """From an own handle in the engine's table to the rep: the host gives a resource of ours back.

        No built-in takes a rep out of an own handle, but dropping one does, if its destructor looks away.
        """
        if resource not in self._returns:
            b = FuncBuilder(f"{self.label(resource)} returned by the host", CoreFuncType((I32,), (I32,)))
            (handle,) = b.params
            rep = b.local(I32)
            b.get(handle)
            b.call(self.outer_builtin("rep", resource))
            b.set(rep)
            with_dtor = self._resources[resource].dtor is not None
            if with_dtor:
                b.i32(1)
                b.set_flag(self.forget)
            b.get(handle)
            b.call(self.outer_builtin("drop", resource))
            if with_dtor:
                b.i32(0)
                b.set_flag(self.forget)
            b.get(rep)
            self._returns[resource] = self._functions.add(b)
        return self._returns[resource]

    # --- the boundary memory --------------------------------------------------------------------------------------
    @cached_property
    def boundary(self) -> Callable[[str], FuncId]:
        """The functions of `boundary.wat`."""
        traps = tuple(map(self._functions.trap, _BOUNDARY_TRAPS))
        if self._beside:
            return self._library.funcs(runtime.BESIDE, (self.memory, self.func("make-room"), *traps))
        return self._library.funcs(runtime.BOUNDARY, traps)

    def outer_side(self) -> Side:
        """The outer component as one side of a crossing, with the boundary memory.

        Its strings are utf8, which is what hosts use, so that a guest sees the reallocs of a utf8 source.
        """
        return self._side(self.outer, StringEncoding.UTF8)

    def resting_side(self, encoding: StringEncoding) -> Side:
        """A side where handles are reps, in the boundary memory."""
        return self._side(self.nobody, encoding)

    def _side(self, instance: InstanceId, encoding: StringEncoding) -> Side:
        memory = self.memory
        if not self._beside:
            memory = self._library.memory(runtime.BOUNDARY, tuple(map(self._functions.trap, _BOUNDARY_TRAPS)))
        return Side(instance, encoding, Memory(memory), self.boundary("realloc"))
