"""The core level of the output: carriers, lowers, the main module, and lifts.

A lowered import needs the memory and realloc of the very module that imports it. Carriers untie that knot: they hold
memories, tables and forwarders, import nothing and are instantiated first, so canon definitions can name their
exports before the main module exists. Which core item lives where was decided by `merge`; here the `Boundary` is only
written down. Design section 7; spec: Binary.md "Canonical Definitions".
"""

from __future__ import annotations

from typing import assert_never, final

from meldpy.errors import InternalError
from meldpy.model.canon import (
    OPT_ASYNC,
    OPT_CALLBACK,
    OPT_MEMORY,
    OPT_POST_RETURN,
    OPT_REALLOC,
    BuiltinOp,
    Canon,
    CanonOpt,
    Immediate,
    OtherBuiltin,
    ResultList,
)
from meldpy.model.canon import Lift as CanonLift
from meldpy.model.canon import Lower as CanonLower
from meldpy.model.code import OuterAsyncFunc
from meldpy.model.component import (
    CoreExportAlias,
    CoreInlineExports,
    CoreInstantiate,
    ResourceTypeDef,
    Sort,
    SortIndex,
)
from meldpy.model.core import NumType
from meldpy.model.coresorts import CORE_SORTS
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.fused import (
    BoundAsync,
    BoundBuiltin,
    BoundLower,
    BoundOptions,
    BoundUncalled,
    CoreExportRef,
    FusedModule,
    MainImport,
)
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreInstanceIndex,
    CoreModuleIndex,
    FuncIndex,
    LiftId,
    MemoryId,
    ResourceId,
    TypeIndex,
)
from meldpy.model.linked import CanonicalOptions, CoreItem, ImportFunc, LinkedGraph
from meldpy.model.valtype import DefinedType, PrimValType, ValType, ValTypeRef
from meldpy.records import dataclass, field
from meldpy.wrapper.builder import ComponentBuilder
from meldpy.wrapper.builtins import written_immediates
from meldpy.wrapper.canons import encoding_options, option_list, resource_builtin
from meldpy.wrapper.imports import Imports
from meldpy.wrapper.scope import Entry, Scope
from meldpy.wrapper.types import type_index

_OF_A_TYPE = frozenset(
    {
        BuiltinOp.STREAM_NEW,
        BuiltinOp.STREAM_DROP_READABLE,
        BuiltinOp.STREAM_DROP_WRITABLE,
        BuiltinOp.FUTURE_NEW,
        BuiltinOp.FUTURE_DROP_READABLE,
        BuiltinOp.FUTURE_DROP_WRITABLE,
    }
)
_COPIES = frozenset(
    {BuiltinOp.STREAM_READ, BuiltinOp.STREAM_WRITE, BuiltinOp.FUTURE_READ, BuiltinOp.FUTURE_WRITE},
)
_CANCELS = frozenset(
    {
        BuiltinOp.STREAM_CANCEL_READ,
        BuiltinOp.STREAM_CANCEL_WRITE,
        BuiltinOp.FUTURE_CANCEL_READ,
        BuiltinOp.FUTURE_CANCEL_WRITE,
    }
)


@final
@dataclass(slots=True)
class Knot:
    """Writes the core level in the order of its methods.

    plain: scope for the types of lifts, which are given names only where they are exported.
    """

    graph: LinkedGraph
    fused: FusedModule
    builder: ComponentBuilder
    imports: Imports
    plain: Scope
    _modules: list[CoreModuleIndex] = field(default_factory=list)
    _carriers: list[CoreInstanceIndex] = field(default_factory=list)
    _main: CoreInstanceIndex | None = None
    _aliases: dict[CoreExportRef, int] = field(default_factory=dict)
    lifts: dict[LiftId, FuncIndex] = field(default_factory=dict)

    def modules(self) -> None:
        """All core modules, carriers first; imported ones have indices before theirs."""
        for module in (*self.fused.carriers, self.fused.main):
            self._modules.append(CoreModuleIndex(self.builder.core_module(module)))

    def carriers(self) -> None:
        for position in range(len(self.fused.carriers)):
            self._carriers.append(self._instantiate(position, ()))

    def resources(self) -> None:
        """The resource types that the outer component defines. Reps are i32 (others were refused)."""
        for bound in self.fused.boundary.resources:
            dtor = None if bound.dtor is None else CoreFuncIndex(self.core(bound.dtor))
            self.plain.raw[bound.resource] = Entry(self.builder.define_type(ResourceTypeDef(NumType.I32, dtor)))

    def main(self) -> None:
        """The main module, its imports grouped into one inline instance per module name."""
        groups: dict[str, list[tuple[str, SortIndex]]] = {}
        prepared = [self._prepare(binding) for binding in self.fused.boundary.main_imports]
        for import_, item in zip(self.fused.main.imports, prepared, strict=True):
            bound = item if isinstance(item, SortIndex) else SortIndex(Sort.CORE_FUNC, self.builder.canon(item))
            groups.setdefault(import_.module, []).append((import_.name, bound))
        args = tuple(
            (module, CoreInstanceIndex(self.builder.core_instance(CoreInlineExports(tuple(exports)))))
            for module, exports in groups.items()
        )
        self._main = self._instantiate(len(self.fused.carriers), args)

    def lift_all(self) -> None:
        """The lifts of exported functions: first all types, then all aliases, so that each kind is one section."""
        bounds = self.fused.boundary.lifts
        types = [type_index(self.plain, self.graph.lifts[bound.lift].type) for bound in bounds]
        operands = [(CoreFuncIndex(self.core(bound.core_func)), self._options(bound.options)) for bound in bounds]
        for bound, type_, (core_func, options) in zip(bounds, types, operands, strict=True):
            self.lifts[bound.lift] = FuncIndex(self.builder.canon(CanonLift(core_func, options, type_)))

    # --- parts ---------------------------------------------------------------------------------------------
    def _instantiate(self, module: int, args: tuple[tuple[str, CoreInstanceIndex], ...]) -> CoreInstanceIndex:
        return CoreInstanceIndex(self.builder.core_instance(CoreInstantiate(self._modules[module], args)))

    def _prepare(self, binding: MainImport) -> SortIndex | Canon:
        """The carrier's export, or the canonical definition that makes what is imported, its aliases written."""
        match binding:
            case CoreExportRef(sort=sort):
                return SortIndex(CORE_SORTS[sort], self.core(binding))
            case BoundLower(func, options):
                return CanonLower(self.imports.func(ImportFunc(func)), self._options(options))
            case BoundBuiltin():
                return resource_builtin(binding.op, binding.resource, self._resource)
            case BoundUncalled():
                raise InternalError("a component imports no function that nothing calls")
            case BoundAsync(func, memory, realloc):
                if func.immediates is not None:
                    places = _Places(self, memory, realloc)
                    return OtherBuiltin(func.op, written_immediates(func.op, func.immediates, places))
                indices = [None if each is None else self.core(each) for each in (memory, realloc)]
                return self._async(func, *indices)
            case _:
                assert_never(binding)

    def _resource(self, resource: ResourceId) -> TypeIndex:
        entry = self.plain.raw.get(resource)
        if entry is None:
            raise InternalError(f"resource type {resource} has a built-in, yet is neither imported nor defined")
        return TypeIndex(entry.index())

    def _async(self, func: OuterAsyncFunc, memory: int | None, realloc: int | None) -> Canon:
        options = tuple(encoding_options(func.encoding))
        if memory is not None:
            options = (*options, CanonOpt(OPT_MEMORY, memory))
        if realloc is not None:
            options = (*options, CanonOpt(OPT_REALLOC, realloc))
        immediates: tuple[Immediate, ...]
        match func.op:
            case BuiltinOp.TASK_RETURN:
                immediates = (ResultList(None if func.type is None else self.value_type(func.type)), options)
            case BuiltinOp.CONTEXT_GET | BuiltinOp.CONTEXT_SET:
                immediates = (NumType.I32, 0)
            case BuiltinOp.WAITABLE_SET_WAIT | BuiltinOp.WAITABLE_SET_POLL:
                assert memory is not None
                immediates = (False, memory)
            case op if op in _OF_A_TYPE:
                immediates = (self._type(func),)
            case op if op in _COPIES:
                immediates = (self._type(func), (*options, CanonOpt(OPT_ASYNC)))
            case op if op in _CANCELS:
                immediates = (self._type(func), func.async_)
            case BuiltinOp.SUBTASK_CANCEL | BuiltinOp.THREAD_YIELD:
                immediates = (func.async_,)
            case _:
                immediates = ()
        return OtherBuiltin(func.op, immediates)

    def _type(self, func: OuterAsyncFunc) -> TypeIndex:
        assert func.type is not None
        return type_index(self.plain, func.type)

    def value_type(self, type: ValType) -> ValTypeRef:
        return type if isinstance(type, PrimValType) else type_index(self.plain, type)

    def _options(self, options: BoundOptions) -> tuple[CanonOpt, ...]:
        written = encoding_options(options.string_encoding)
        places = ((OPT_MEMORY, options.memory), (OPT_REALLOC, options.realloc), (OPT_POST_RETURN, options.post_return))
        written += [CanonOpt(opcode, self.core(ref)) for opcode, ref in places if ref is not None]
        if options.async_ or options.callback is not None:
            written.append(CanonOpt(OPT_ASYNC))
        if options.callback is not None:
            written.append(CanonOpt(OPT_CALLBACK, self.core(options.callback)))
        return tuple(written)

    def core(self, ref: CoreExportRef) -> int:
        """The index of a core export, aliased once."""
        if ref not in self._aliases:
            instance = self._main if ref.carrier is None else self._carriers[ref.carrier]
            assert instance is not None, "only lifts mention exports of the main module"
            self._aliases[ref] = self.builder.alias(CoreExportAlias(CORE_SORTS[ref.sort], instance, ref.name))
        return self._aliases[ref]


@final
@dataclass(frozen=True, slots=True)
class _Places:
    """Where the immediates of a built-in that passes through have what they name."""

    knot: Knot
    memory: CoreExportRef | None
    realloc: CoreExportRef | None

    def core(self, item: CoreItem) -> int:
        ref = self.memory if isinstance(item, MemoryId) else self.realloc
        assert ref is not None, "whatever the immediates name was placed"
        return self.knot.core(ref)

    def options(self, options: CanonicalOptions) -> tuple[CanonOpt, ...]:
        return option_list(options, self.core, self.core_type)

    def type(self, node: DefinedType) -> TypeIndex:
        return type_index(self.knot.plain, node)

    def value(self, type: ValType) -> ValTypeRef:
        return self.knot.value_type(type)

    def core_type(self, definition: CoreTypeDefinition) -> int:
        raise InternalError("neither core types nor threads that start in a table pass through")
