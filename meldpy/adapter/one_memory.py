"""The outer edge of a core output: what of it the host finds in the one memory that is exported.

A component's canon definitions each name a memory and a realloc. A core module's host knows one of each, `memory` and
`cabi_realloc`, for everything. There are two ways:

- **the guest's own**: all functions at the edge whose types need a memory have the same one, and the same realloc where
  they need that. Then these are exported and nothing stands in between.
- **the boundary memory** otherwise, with full shims for all of them (`shims`). The memory of one guest will not do for
  another's values even for a moment: whatever is allocated there is seen by the guest whose memory it is.

Async goes the same two ways. Where one guest's passes through (`passing`), all its built-ins name that guest's memory
and realloc. Where emitted code carries it and the engine must be waited for (`tasks`), what the engine writes and reads
lies in the heap (`runtime/heap.wat`). Then that is the memory at the edge, for functions that take no time as well.

A host's memory is indexed by i32 and not shared. What nothing calls is imported all the same: the tools that make a
component of such a module take the imports that they find for the imports that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, final

from meldpy.adapter.emitter import Workshop
from meldpy.adapter.exports import exported_types
from meldpy.adapter.memories import memory_of
from meldpy.adapter.shims import Shims
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks import Tasks, takes_time
from meldpy.asm import I32, FuncBuilder
from meldpy.cabi import Abi, Content, Context, Needs, lift_context, lower_context, value_types
from meldpy.errors import UnsupportedError
from meldpy.model.builtins import Copy, TaskReturn
from meldpy.model.canon import StringEncoding
from meldpy.model.code import CoreEdge, FuncSymbol, OuterAsyncFunc, OuterLift, OuterLower, OuterOptions, UncalledImport
from meldpy.model.core import CoreFuncType
from meldpy.model.extern import FuncType, InstanceType, TypeExtern
from meldpy.model.ids import InstanceId, MemoryId, ResourceId
from meldpy.model.linked import CanonicalOptions, CoreFunc, ImportFunc, Lift, LinkedGraph, Lower
from meldpy.model.valtype import DefinedType, FutureType, ResourceType, StreamType

T = TypeVar("T")

_REALLOC = CoreFuncType((I32,) * 4, (I32,))


@final
class OneMemory:
    """Decides before anything is written (`decide`), and says in the end what is exported (`edge`)."""

    def __init__(self, shop: Workshop, graph: LinkedGraph, symbols: Symbols, shims: Shims, tasks: Tasks | None) -> None:
        self._tasks = tasks
        self._slow = False
        self._shop = shop
        self._graph = graph
        self._symbols = symbols
        self._shims = shims
        self._uncalled: tuple[UncalledImport, ...] = ()

    def decide(self, lifts: Sequence[Lift], host_calls: Sequence[Lower]) -> None:
        """Which of the two ways; the shims know it from here on."""
        self._uncalled = tuple(uncalled_imports(self._graph, host_calls, self._shop.abi))
        for resource in _unmentioned_resources(self._graph, self._shop.abi):
            self._shop.handles.outer_builtin("drop", resource)
        tasks = self._tasks
        self._slow = tasks is not None and (any(map(tasks.is_root, lifts)) or any(map(takes_time, host_calls)))
        self._shims.through_boundary = self._slow or not self._is_guests_own(lifts, host_calls)
        if self._slow and tasks is not None:
            self._shims.outside = tasks.outside
        if self._shop.passing is not None and self._shims.through_boundary:
            raise _refused("functions at the edge need the memories, allocators or encodings of several guests")

    def edge(
        self, lifts: Iterable[OuterLift], lowers: Iterable[OuterLower], builtins: Sequence[OuterAsyncFunc]
    ) -> CoreEdge:
        """What the host finds, now that the outer definitions are made."""
        options = [*(each.options for each in lifts), *(each.options for each in lowers)]
        both: list[OuterOptions | OuterAsyncFunc] = [*options, *builtins]
        memory = _the_one([each.memory for each in both if each.memory is not None])
        realloc = _the_one([each.realloc for each in both if each.realloc is not None])
        encodings = [each.string_encoding for each in options] + [*map(self._encoding, builtins)]
        encoding = _the_one([each for each in encodings if each is not StringEncoding.UTF8])
        needs = [self._shop.abi.needs(each.type, Context.LOWER) for each in self._uncalled]
        if memory is None and any(each.memory for each in needs):
            memory = self._shims.host_side().needs_memory().id
        if realloc is None and any(each.realloc for each in needs):
            realloc = self._shims.host_side().realloc if self._shims.through_boundary else self._never()
        return CoreEdge(memory, realloc, encoding or StringEncoding.UTF8, self._uncalled)

    # --- inside -----------------------------------------------------------------------------------------------
    def _is_guests_own(self, lifts: Sequence[Lift], host_calls: Sequence[Lower]) -> bool:
        if any(self._shims.full_lift(lift) for lift in lifts):
            return False
        if any(self._shims.full_lower(lower) for lower in host_calls):
            return False
        memories: set[tuple[InstanceId, MemoryId]] = set()
        reallocs: set[CoreFunc] = set()
        encodings: set[StringEncoding] = set()
        for instance, options, needs in self._uses(lifts, host_calls):
            if needs.memory:
                assert options.memory is not None, "validation: a type that needs a memory has one"
                memories.add((instance, options.memory))
            if needs.realloc:
                assert options.realloc is not None, "validation: a type that needs realloc has one"
                reallocs.add(self._symbols.target(options.realloc))
            if needs.encoding:
                encodings.add(options.string_encoding)
        if not memories:
            # what passes through is never moved, and what nothing calls is content with any memory
            uncalled = (self._shop.abi.needs(each.type, Context.LOWER) for each in self._uncalled)
            return self._shop.passing is not None or not any(each.memory for each in uncalled)
        if max(len(memories), len(reallocs), len(encodings)) > 1:
            return False
        ((_, id),) = memories
        memory = memory_of(self._graph, id)
        return not memory.memory64 and not memory.shared

    def _uses(
        self, lifts: Sequence[Lift], host_calls: Sequence[Lower]
    ) -> Iterator[tuple[InstanceId, CanonicalOptions, Needs]]:
        for lift in lifts:
            yield lift.instance, lift.options, self._shop.abi.needs(lift.type, lift_context(lift.options))
        for lower in host_calls:
            yield lower.instance, lower.options, self._shop.abi.needs(lower.type, lower_context(lower.options))

    def _encoding(self, builtin: OuterAsyncFunc) -> StringEncoding:
        """How strings are encoded that a built-in moves."""
        match builtin.immediates:
            case TaskReturn(result, options):
                moved = result
            case Copy(DefinedType(StreamType(element) | FutureType(element)), options):
                moved = element
            case _:
                return builtin.encoding
        strings = moved is not None and Content.STRING in self._shop.abi.contents.content(moved)
        return options.string_encoding if strings else StringEncoding.UTF8

    def _never(self) -> FuncSymbol:
        """A realloc that only imports would need which nothing calls."""
        b = FuncBuilder("realloc for what nothing calls", _REALLOC)
        b.unreachable()
        return self._shop.functions.add(b)


def nameless_resources(graph: LinkedGraph) -> frozenset[ResourceId]:
    """The resource types defined inside for which the world has no name: no host can keep their handles."""
    _, exported = exported_types(graph)
    inside = (resource.id for resource in graph.resources if resource.definer is not None)
    return frozenset(inside) - frozenset(exported)


def uncalled_imports(graph: LinkedGraph, host_calls: Iterable[Lower], abi: Abi) -> Iterator[UncalledImport]:
    """The functions that the outer component imports and no live code calls."""
    called: set[tuple[int, tuple[str, ...]]] = set()
    for lower in host_calls:
        assert isinstance(lower.callee, ImportFunc)
        imported = graph.import_funcs[lower.callee.func]
        called.add((imported.import_, imported.path))
    for number, import_ in enumerate(graph.imports):
        match import_.type:
            case FuncType() as type_:
                found: list[tuple[tuple[str, ...], FuncType]] = [((), type_)]
            case InstanceType(exports=exports):
                found = [((e.name.name,), e.type) for e in exports if isinstance(e.type, FuncType)]
            case _:
                found = []
        for path, func_type in found:
            if (number, path) not in called:
                yield UncalledImport(number, path, func_type, abi.func(func_type, Context.LOWER, False).core)


def _unmentioned_resources(graph: LinkedGraph, abi: Abi) -> Iterator[ResourceId]:
    """The resource types of imported interfaces that no function there has in its type: only their drop keeps them."""
    for import_ in graph.imports:
        if not isinstance(import_.type, InstanceType):
            continue
        types = [export.type for export in import_.type.exports]
        used = [type_ for each in types if isinstance(each, FuncType) for type_ in value_types(each)]
        mentioned = frozenset(abi.contents.resources(used))
        bound = [each.type for each in types if isinstance(each, TypeExtern) and each.bound_resource]
        for node in bound:
            if isinstance(node, ResourceType) and node.id not in mentioned:
                yield node.id


def _the_one(found: Sequence[T]) -> T | None:
    distinct = list(dict.fromkeys(found))
    if len(distinct) > 1:
        raise _refused("async functions at the edge, or their built-ins, need another memory or allocator than others")
    return distinct[0] if distinct else None


def _refused(reason: str) -> UnsupportedError:
    return UnsupportedError(
        "in a core output",
        f"{reason}, and a core module has one of each",
        remedy="fuse without --core, or with fewer components at once",
    )
