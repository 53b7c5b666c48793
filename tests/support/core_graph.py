"""Hand-made linked graphs of core modules in text, run in two ways: module by module, and merged.

`CoreGraph` is a small builder: modules from text, instances with their imports bound by identity, host functions,
exports. `separately` instantiates every module on its own, as an engine does for the composition; `merged` merges
and instantiates carriers and main module. Both log the calls to host functions, so that order can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wasmtime import Func, FuncType, Instance, Module, Store, Trap, ValType, WasmtimeError, wat2wasm
from wasmtime._exportable import AsExtern

from meldpy.analysis import analyse
from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.errors import Location
from meldpy.kernel.reindex import reindex
from meldpy.kernel.scan import scan
from meldpy.merger import MergeOptions, merge
from meldpy.model import extern
from meldpy.model.code import (
    Adapted,
    Emitted,
    EmittedFunc,
    Flag,
    FuncSymbol,
    OuterBuiltin,
    OuterLift,
    OuterLower,
    OuterLowerFunc,
    OuterOptions,
    OuterResource,
    RuntimeArg,
    RuntimeInstance,
)
from meldpy.model.core import (
    CoreFuncType,
    CoreModule,
    CoreSort,
    FuncImportType,
    MemoryType,
    NumType,
    TableType,
    TagType,
)
from meldpy.model.debug import NameStyle
from meldpy.model.facts import CodeFacts, Facts, Live
from meldpy.model.fused import BoundLower, CoreExportRef, FusedModule
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    EmittedId,
    FuncId,
    GlobalId,
    ImportFuncId,
    InstanceId,
    LiftId,
    LowerId,
    MemoryId,
    ModuleId,
    ResourceId,
    TableId,
    TagId,
)
from meldpy.model.linked import (
    CanonicalOptions,
    CoreInstance,
    CoreItem,
    FuncItem,
    ImportedFunc,
    ImportFunc,
    Lift,
    LiftFunc,
    LinkedGraph,
    Lower,
    LowerFunc,
    OuterExport,
    OuterImport,
    Resource,
)
from meldpy.model.linked import (
    Instance as ComponentInstance,
)
from meldpy.model.linked import (
    Module as LinkedModule,
)
from meldpy.model.reindexed import IndexCounts

HERE = Location("test")
NO_TYPE = extern.FuncType((), None)
"""The component-level type of every function here: the merger never looks at it."""

_IMPORTED = {
    FuncImportType: CoreSort.FUNC,
    TableType: CoreSort.TABLE,
    MemoryType: CoreSort.MEMORY,
    TagType: CoreSort.TAG,
}


def scan_module(module: CoreModule) -> CodeFacts:
    imported = Counter(_IMPORTED.get(type(import_.type), CoreSort.GLOBAL) for import_ in module.imports)
    counts = IndexCounts(
        sum(len(group.types) for group in module.types),
        imported[CoreSort.FUNC] + len(module.funcs),
        imported[CoreSort.TABLE] + len(module.tables),
        imported[CoreSort.MEMORY] + len(module.memories),
        imported[CoreSort.GLOBAL] + len(module.globals),
        imported[CoreSort.TAG] + len(module.tags),
        len(module.elements),
        len(module.data),
    )
    return scan(module.code.bodies, module.code.count, counts)


@dataclass(frozen=True, slots=True)
class Handle:
    """One core instance under construction."""

    id: CoreInstanceId
    module: CoreModule
    args: tuple[CoreItem, ...]

    def __getitem__(self, name: str) -> CoreItem:
        """What an export is, looked through imports."""
        (export,) = [e for e in self.module.exports if e.name == name]
        imported = [
            arg
            for import_, arg in zip(self.module.imports, self.args, strict=True)
            if _IMPORTED.get(type(import_.type), CoreSort.GLOBAL) is export.sort
        ]
        if export.index < len(imported):
            return imported[export.index]
        match export.sort:
            case CoreSort.FUNC:
                return FuncId(self.id, CoreFuncIndex(export.index))
            case CoreSort.TABLE:
                return TableId(self.id, CoreTableIndex(export.index))
            case CoreSort.MEMORY:
                return MemoryId(self.id, CoreMemoryIndex(export.index))
            case CoreSort.GLOBAL:
                return GlobalId(self.id, CoreGlobalIndex(export.index))
            case CoreSort.TAG:
                return TagId(self.id, CoreTagIndex(export.index))


Log = list[tuple[str, tuple[int, ...]]]
HostFunction = Callable[..., "int | None"]


@dataclass(slots=True)
class CoreGraph:
    """exports: (name, function) pairs that the outside can call."""

    modules: list[LinkedModule] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    module_of: list[ModuleId] = field(default_factory=list)
    exports: list[tuple[str, CoreItem, OuterOptions]] = field(default_factory=list)
    hosts: list[tuple[str, CoreFuncType, OuterOptions]] = field(default_factory=list)
    resources: list[FuncSymbol | None] = field(default_factory=list)
    functions: list[Emitted] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    runtime_modules: list[LinkedModule] = field(default_factory=list)
    runtime: list[RuntimeInstance] = field(default_factory=list)

    # --- building -----------------------------------------------------------------------------------------------
    def module(self, wat: str, label: str | None = None) -> ModuleId:
        id_ = ModuleId(len(self.modules))
        self.modules.append(LinkedModule(id_, decode_module(bytes(wat2wasm(wat)), "test"), label or f"m{id_}", HERE))
        return id_

    def instance(self, module: ModuleId | str, *args: CoreItem) -> Handle:
        """`args` in the order of the module's imports."""
        module_id = self.module(module) if isinstance(module, str) else module
        core = self.modules[module_id].module
        assert len(args) == len(core.imports)
        handle = Handle(CoreInstanceId(len(self.handles)), core, args)
        self.handles.append(handle)
        self.module_of.append(module_id)
        return handle

    def host(self, name: str, params: int = 0, results: int = 0, **options: object) -> LowerFunc:
        """A host function of i32 parameters, lowered with `options` (those of OuterOptions)."""
        type_ = CoreFuncType((NumType.I32,) * params, (NumType.I32,) * results)
        self.hosts.append((name, type_, OuterOptions(**options)))  # type: ignore[arg-type]  # keywords are passed on
        return LowerFunc(LowerId(len(self.hosts) - 1))

    def export(self, name: str, func: CoreItem, **options: object) -> None:
        self.exports.append((name, func, OuterOptions(**options)))  # type: ignore[arg-type]  # keywords are passed on

    def emit(self, name: str, type_: CoreFuncType, *body: object, locals_: Sequence[NumType] = ()) -> EmittedFunc:
        id_ = EmittedId(len(self.functions))
        self.functions.append(Emitted(id_, name, type_, tuple(locals_), body))  # type: ignore[arg-type]  # chunks
        return EmittedFunc(id_)

    def runtime_instance(self, wat: str, *args: RuntimeArg) -> Handle:
        """Call it after the last `instance`: ids go on from there."""
        module_id = ModuleId(len(self.modules) + len(self.runtime_modules))
        core = decode_module(bytes(wat2wasm(wat)), "runtime")
        self.runtime_modules.append(LinkedModule(module_id, core, f"runtime{module_id}", HERE))
        id_ = CoreInstanceId(len(self.handles) + len(self.runtime))
        self.runtime.append(RuntimeInstance(id_, module_id, args))
        return Handle(id_, core, ())

    # --- the stages' inputs -------------------------------------------------------------------------------------
    def graph(self) -> LinkedGraph:
        root = InstanceId(0)
        lifts = tuple(
            Lift(LiftId(i), root, func, NO_TYPE, _canonical(options), HERE)
            for i, (_, func, options) in enumerate(self.exports)
            if isinstance(func, FuncId | LowerFunc)
        )
        return LinkedGraph(
            inputs=(),
            modules=tuple(self.modules),
            instances=(ComponentInstance(root, None, "root", None, HERE),),
            core_instances=tuple(
                CoreInstance(handle.id, root, module, handle.args)
                for handle, module in zip(self.handles, self.module_of, strict=True)
            ),
            resources=tuple(
                Resource(ResourceId(i), root, dtor if isinstance(dtor, FuncId) else None, f"r{i}", HERE)
                for i, dtor in enumerate(self.resources)
            ),
            lifts=lifts,
            lowers=tuple(
                Lower(LowerId(i), root, ImportFunc(ImportFuncId(i)), NO_TYPE, _canonical(options), HERE)
                for i, (_, _, options) in enumerate(self.hosts)
            ),
            builtins=(),
            imports=tuple(OuterImport(extern.ExternName(name), NO_TYPE, HERE) for name, _, _ in self.hosts),
            import_funcs=tuple(ImportedFunc(ImportFuncId(i), i, (), NO_TYPE) for i in range(len(self.hosts))),
            exports=tuple(
                OuterExport(extern.ExternName(name), FuncItem(LiftFunc(LiftId(i)), NO_TYPE), HERE)
                for i, (name, _, _) in enumerate(self.exports)
            ),
        )

    def adapted(self, lifted: Mapping[str, FuncSymbol] | None = None) -> Adapted:
        """`lifted` replaces what the exports named there are lifted from."""
        replaced = lifted or {}
        return Adapted(
            functions=tuple(self.functions),
            flags=tuple(self.flags),
            modules=tuple(self.runtime_modules),
            runtime=tuple(self.runtime),
            lowers={LowerId(i): OuterLowerFunc(LowerId(i)) for i in range(len(self.hosts))},
            builtins={},
            outer_lifts=tuple(
                OuterLift(LiftId(i), replaced.get(name, func), CoreFuncType((), ()), options)  # type: ignore[arg-type]
                for i, (name, func, options) in enumerate(self.exports)
            ),
            outer_lowers=tuple(
                OuterLower(LowerId(i), type_, options) for i, (_, type_, options) in enumerate(self.hosts)
            ),
            outer_builtins=tuple[OuterBuiltin, ...](()),
            outer_resources=tuple(OuterResource(ResourceId(i), dtor) for i, dtor in enumerate(self.resources)),
        )

    def everything_live(self) -> Facts:
        """Facts that prove nothing."""
        funcs, tables, memories, globals_, tags, elems, data = set(), set(), set(), set(), set(), set(), set()
        for handle in self.handles:
            imported = dict.fromkeys(CoreSort, 0)
            for import_ in handle.module.imports:
                imported[_IMPORTED.get(type(import_.type), CoreSort.GLOBAL)] += 1
            core = handle.module
            first = imported[CoreSort.FUNC]
            funcs |= {FuncId(handle.id, CoreFuncIndex(first + i)) for i in range(len(core.funcs))}
            first = imported[CoreSort.TABLE]
            tables |= {TableId(handle.id, CoreTableIndex(first + i)) for i in range(len(core.tables))}
            first = imported[CoreSort.MEMORY]
            memories |= {MemoryId(handle.id, CoreMemoryIndex(first + i)) for i in range(len(core.memories))}
            first = imported[CoreSort.GLOBAL]
            globals_ |= {GlobalId(handle.id, CoreGlobalIndex(first + i)) for i in range(len(core.globals))}
            first = imported[CoreSort.TAG]
            tags |= {TagId(handle.id, CoreTagIndex(first + i)) for i in range(len(core.tags))}
            elems |= {(handle.id, i) for i in range(len(core.elements))}
            data |= {(handle.id, i) for i in range(len(core.data))}
        live = Live(
            frozenset(funcs),
            frozenset(tables),
            frozenset(memories),
            frozenset(globals_),
            frozenset(tags),
            frozenset(elems),
            frozenset(data),
            frozenset(LiftId(i) for i in range(len(self.exports))),
            frozenset(LowerId(i) for i in range(len(self.hosts))),
            frozenset(),
        )
        code = {module.id: scan_module(module.module) for module in self.modules}
        return Facts(code, {}, live, frozenset(funcs), frozenset(funcs))

    def merge(
        self,
        *,
        analysed: bool = True,
        lifted: Mapping[str, FuncSymbol] | None = None,
        names: NameStyle = NameStyle.FULL,
    ) -> FusedModule:
        graph = self.graph()
        facts = analyse(graph, scan_module) if analysed else self.everything_live()
        return merge(graph, facts, self.adapted(lifted), reindex, scan_module, MergeOptions("0", names))

    # --- running ------------------------------------------------------------------------------------------------
    def separately(self, implement: Mapping[str, HostFunction] | None = None) -> Run:
        """Every module on its own."""
        run = Run(Store(), [])
        hosts = [run.host(name, type_, implement) for name, type_, _ in self.hosts]
        instances: list[Instance] = []

        def item(value: CoreItem) -> AsExtern:
            if isinstance(value, LowerFunc):
                return hosts[value.lower]
            handle = self.handles[value.instance]  # type: ignore[union-attr]  # no built-ins here
            (name,) = [e.name for e in handle.module.exports if handle[e.name] == value][:1]
            return instances[handle.id].exports(run.store)[name]

        try:
            for handle, module in zip(self.handles, self.module_of, strict=True):
                compiled = Module(run.store.engine, encode_module(self.modules[module].module))
                instances.append(Instance(run.store, compiled, [item(arg) for arg in handle.args]))
            run.exports = {name: func for name, f, _ in self.exports if isinstance(func := item(f), Func)}
        except (WasmtimeError, Trap) as error:
            run.failed = trap_kind(error)
        return run

    def merged(
        self,
        implement: Mapping[str, HostFunction] | None = None,
        *,
        analysed: bool = True,
        lifted: Mapping[str, FuncSymbol] | None = None,
    ) -> Run:
        return self.start(self.merge(analysed=analysed, lifted=lifted), implement)

    def start(self, fused: FusedModule, implement: Mapping[str, HostFunction] | None = None) -> Run:
        """Carriers first, then the main module."""
        run = Run(Store(), [])
        engine = run.store.engine
        carriers = [Instance(run.store, Module(engine, encode_module(c)), []) for c in fused.carriers]
        run.fused = fused
        run.carriers = carriers
        imports: list[AsExtern] = []
        for bound in fused.boundary.main_imports:
            match bound:
                case BoundLower(func):
                    name, type_, _ = self.hosts[func]
                    imports.append(run.host(name, type_, implement))
                case CoreExportRef(int(carrier), name):
                    imports.append(carriers[carrier].exports(run.store)[name])
                case _:
                    raise AssertionError(bound)
        compiled = Module(engine, encode_module(fused.main))
        try:
            main = Instance(run.store, compiled, imports)
        except (WasmtimeError, Trap) as error:
            run.failed = trap_kind(error)
            return run
        run.main = main
        for lift in fused.boundary.lifts:
            run.exports[self.exports[lift.lift][0]] = main.exports(run.store)[lift.core_func.name]  # type: ignore[assignment]
        return run


@dataclass(slots=True)
class Run:
    """A store with instances in it. failed: the kind of trap that ended instantiation, if one did."""

    store: Store
    log: Log
    exports: dict[str, Func] = field(default_factory=dict)
    failed: str | None = None
    fused: FusedModule | None = None
    carriers: list[Instance] = field(default_factory=list)
    main: Instance | None = None

    def host(self, name: str, type_: CoreFuncType, implement: Mapping[str, HostFunction] | None) -> Func:
        given = (implement or {}).get(name)

        def call(*args: int) -> int | None:
            self.log.append((name, args))
            if given is not None:
                return given(*args)
            return 0 if type_.results else None

        params, results = ([ValType.i32()] * len(part) for part in (type_.params, type_.results))
        return Func(self.store, FuncType(params, results), call)

    def call(self, name: str, *args: int) -> object:
        """The result, or the kind of trap as text."""
        try:
            return self.exports[name](self.store, *args)
        except (WasmtimeError, Trap) as error:
            return trap_kind(error)


def trap_kind(error: WasmtimeError | Trap) -> str:
    """The engine's words for the trap, without the backtrace."""
    text = str(error)
    for line in text.splitlines():
        if "wasm trap:" in line:
            return line.split("wasm trap:")[1].strip()
    return text


def _canonical(options: OuterOptions) -> CanonicalOptions:
    return CanonicalOptions(
        options.string_encoding,
        options.memory,
        False,
        options.realloc if isinstance(options.realloc, FuncId) else None,
        options.post_return if isinstance(options.post_return, FuncId) else None,
    )


def assert_same(
    graph: CoreGraph, *calls: tuple[str, tuple[int, ...]], implement: Mapping[str, HostFunction] | None = None
) -> FusedModule:
    """Module by module and merged (with proofs and without) must fail, answer and log alike; the merge with proofs.

    Each call is (export, arguments); calls run in one store one after the other, also after a trap.
    """
    expected = observe(graph.separately(implement), calls)
    merged = graph.merged(implement)
    assert observe(merged, calls) == expected
    assert observe(graph.merged(implement, analysed=False), calls) == expected
    assert merged.fused is not None
    return merged.fused


def observe(run: Run, calls: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[str | None, list[object], Log]:
    answers = [] if run.failed else [run.call(name, *args) for name, args in calls]
    return run.failed, answers, run.log
