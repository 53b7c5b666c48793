"""A mini linker for emitted functions, for unit tests: guests are Python, the emitted code is one core module.

Every function, memory and tag that the emitted code refers to becomes an import of that module; flags become its
globals; each emitted function is exported under its number. Memories are the engine's, guest functions are Python
callables, and runtime instances are instantiated on their own (emitted functions that they take as arguments are
bound late). The name section is written, so that traps can be told by the trap function's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import wasmtime

from meldpy.binary.encode import encode_module
from meldpy.model.code import (
    Adapted,
    Emitted,
    EmittedFunc,
    FlagRef,
    FuncRef,
    FuncSymbol,
    GlobalRef,
    MemArg,
    MemoryRef,
    OuterBuiltinFunc,
    OuterLowerFunc,
    TypeRef,
)
from meldpy.model.core import (
    Code,
    ConstOp,
    CoreExport,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    FuncImportType,
    Global,
    GlobalType,
    Limits,
    MemoryType,
    NameKind,
    NameSection,
    NumType,
    Op,
    PlacedCustom,
    RecGroup,
    SubType,
)
from meldpy.model.ids import CoreInstanceId, CoreTypeIndex, EmittedId, FuncId, MemoryId

I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64
WASMTIME_TYPES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64"}


class Trapped(Exception):
    """A named trap function was called; `args[0]` is its name without the prefix."""


@dataclass
class Guest:
    """A guest function: its core type, and what it does (a Python callable, or an engine function)."""

    type: CoreFuncType
    run: Callable[..., Any] | wasmtime.Func


def leb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def unsigned(value: Any, type: NumType) -> Any:
    return value % (1 << (32 if type is I32 else 64)) if type in (I32, I64) else value


def signed(value: Any, type: NumType) -> Any:
    if type not in (I32, I64):
        return value
    bits = 32 if type is I32 else 64
    value = int(value) % (1 << bits)
    return value - (1 << bits) if value >> (bits - 1) else value


@dataclass
class Linked:
    """Emitted code, instantiated. Values are unsigned ints and floats, in and out."""

    store: wasmtime.Store
    adapted: Adapted
    instance: wasmtime.Instance
    module: CoreModule
    functions: dict[EmittedId, Emitted] = field(default_factory=dict)

    def call(self, symbol: FuncSymbol, *args: Any) -> list[Any]:
        """Call an emitted function; `Trapped` if one of the named traps fires."""
        assert isinstance(symbol, EmittedFunc), symbol
        type = self.functions[symbol.emitted].type
        func = self.instance.exports(self.store)[f"f{symbol.emitted}"]
        assert isinstance(func, wasmtime.Func)
        assert len(args) == len(type.params)
        passed = [signed(a, t) for a, t in zip(args, type.params, strict=True)]
        try:
            results = func(self.store, *passed)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            named = re.search(r"trap: (.*)$", str(error), re.MULTILINE)
            if named is None:
                raise
            raise Trapped(re.split(r"\s*$", named[1])[0]) from error
        results = [] if results is None else results if isinstance(results, list) else [results]
        return [unsigned(r, t) for r, t in zip(results, type.results, strict=True)]


def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_memory64 = True
    config.wasm_multi_memory = True
    config.wasm_exceptions = True
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)


ENGINE = engine()


def make_memory(store: wasmtime.Store, limits: Limits) -> wasmtime.Memory:
    wide = "i64 " if limits.is64 else ""
    text = f'(module (memory (export "m") {wide}{limits.min} {limits.max if limits.max is not None else limits.min}))'
    item = wasmtime.Instance(store, wasmtime.Module(ENGINE, wasmtime.wat2wasm(text)), []).exports(store)["m"]
    assert isinstance(item, wasmtime.Memory)
    return item


def make_func(store: wasmtime.Store, guest: Guest) -> wasmtime.Func:
    if isinstance(guest.run, wasmtime.Func):
        return guest.run
    run = guest.run

    def called(*args: Any) -> Any:
        result = run(*(unsigned(a, t) for a, t in zip(args, guest.type.params, strict=True)))
        if not guest.type.results:
            assert result is None
            return None
        results = result if isinstance(result, list | tuple) else [result]
        out = [signed(r, t) for r, t in zip(results, guest.type.results, strict=True)]
        return out[0] if len(out) == 1 else out

    types = [getattr(wasmtime.ValType, WASMTIME_TYPES[t])() for t in guest.type.params]  # type: ignore[index]
    results = [getattr(wasmtime.ValType, WASMTIME_TYPES[t])() for t in guest.type.results]  # type: ignore[index]
    return wasmtime.Func(store, wasmtime.FuncType(types, results), called)


def link(
    store: wasmtime.Store,
    adapted: Adapted,
    memories: Mapping[MemoryId, tuple[Limits, wasmtime.Memory]],
    guests: Mapping[FuncSymbol, Guest],
) -> Linked:
    """Instantiate `adapted` with these memories and guest functions (FuncId, OuterLowerFunc, OuterBuiltinFunc)."""
    linker = _Linker(store, adapted, memories, guests)
    return linker.link()


class _Linker:
    def __init__(self, store: wasmtime.Store, adapted: Adapted, memories: Any, guests: Any) -> None:
        self.store, self.adapted, self.memories, self.guests = store, adapted, dict(memories), guests
        self.types: list[CoreFuncType] = []
        self.func_imports: list[FuncSymbol] = []
        self.memory_imports: list[MemoryId] = []
        self.runtime: dict[Any, wasmtime.Instance] = {}
        self.linked: Linked | None = None

    def link(self) -> Linked:
        for function in self.adapted.functions:
            for chunk in function.body:
                match chunk:
                    case FuncRef(EmittedFunc()):
                        pass
                    case FuncRef(func):
                        if func not in self.func_imports:
                            self.func_imports.append(func)
                    case MemArg(memory, _, _) | MemoryRef(memory):
                        if memory not in self.memory_imports:
                            self.memory_imports.append(memory)
        items = [self.func(symbol) for symbol in self.func_imports]
        for memory in self.memory_imports:
            if memory not in self.memories:
                self.memories[memory] = self.runtime_memory(memory)
        module = self.module([wasm_type for _, wasm_type in items])
        data = encode_module(module)
        externs = [func for func, _ in items] + [self.memories[m][1] for m in self.memory_imports]
        instance = wasmtime.Instance(self.store, wasmtime.Module(ENGINE, data), externs)
        functions = {f.id: f for f in self.adapted.functions}
        self.linked = Linked(self.store, self.adapted, instance, module, functions)
        return self.linked

    # --- functions --------------------------------------------------------------------------------------------
    def func(self, symbol: FuncSymbol) -> tuple[wasmtime.Func, CoreFuncType]:
        if symbol in self.guests:
            guest = self.guests[symbol]
            return make_func(self.store, guest), guest.type
        assert not isinstance(symbol, OuterLowerFunc | OuterBuiltinFunc), f"no guest for {symbol}"
        if isinstance(symbol, EmittedFunc):
            type = self.adapted.functions[symbol.emitted].type

            def late(*args: Any) -> Any:
                assert self.linked is not None
                results = self.linked.call(symbol, *args)
                return results[0] if len(results) == 1 else results or None

            return make_func(self.store, Guest(type, late)), type
        return self.runtime_func(symbol)

    def runtime_func(self, symbol: FuncId) -> tuple[wasmtime.Func, CoreFuncType]:
        instance, module = self.runtime_instance(symbol.instance)
        func = instance.exports(self.store)[f"#{symbol.index}"]
        assert isinstance(func, wasmtime.Func)
        imported = sum(isinstance(i.type, FuncImportType) for i in module.imports)
        comp = [t for group in module.types for t in group.types][module.funcs[symbol.index - imported]].comp
        assert isinstance(comp, CoreFuncType)
        return func, comp

    def runtime_memory(self, symbol: MemoryId) -> tuple[Limits, wasmtime.Memory]:
        """A memory of the runtime library's own."""
        instance, module = self.runtime_instance(symbol.instance)
        memory = instance.exports(self.store)["#memory"]
        assert isinstance(memory, wasmtime.Memory)
        return module.memories[0].limits, memory

    def runtime_instance(self, id: CoreInstanceId) -> tuple[wasmtime.Instance, CoreModule]:
        """Instances export everything, because short functions of theirs are put in place of their calls."""
        runtime = next(r for r in self.adapted.runtime if r.id == id)
        module = next(m for m in self.adapted.modules if m.id == runtime.module).module
        if runtime.id not in self.runtime:
            args: list[Any] = []
            for arg in runtime.args:
                args.append(self.memories[arg][1] if isinstance(arg, MemoryId) else self.func(arg)[0])  # type: ignore[arg-type]
            imported = sum(isinstance(i.type, FuncImportType) for i in module.imports)
            exports = [CoreExport(f"#{i}", CoreSort.FUNC, i) for i in range(imported + len(module.funcs))]
            exports += [CoreExport("#memory", CoreSort.MEMORY, 0)] * len(module.memories)
            wasm = wasmtime.Module(ENGINE, encode_module(replace(module, exports=tuple(exports))))
            self.runtime[runtime.id] = wasmtime.Instance(self.store, wasm, args)
        return self.runtime[runtime.id], module

    # --- the module -------------------------------------------------------------------------------------------
    def type_index(self, type: CoreFuncType) -> CoreTypeIndex:
        if type not in self.types:
            self.types.append(type)
        return CoreTypeIndex(self.types.index(type))

    def func_index(self, symbol: FuncSymbol) -> int:
        if isinstance(symbol, EmittedFunc):
            return len(self.func_imports) + symbol.emitted
        return self.func_imports.index(symbol)

    def module(self, func_types: list[CoreFuncType]) -> CoreModule:
        imports = [CoreImport("f", str(i), FuncImportType(self.type_index(type))) for i, type in enumerate(func_types)]
        imports += [CoreImport("m", str(i), MemoryType(self.memories[m][0])) for i, m in enumerate(self.memory_imports)]
        functions = self.adapted.functions
        bodies = b"".join(self.body(f) for f in functions)
        names = tuple((len(self.func_imports) + f.id, f.name) for f in functions)
        return CoreModule(
            funcs=tuple(self.type_index(f.type) for f in functions),
            imports=tuple(imports),
            globals=tuple(
                Global(GlobalType(I32, True), (ConstOp(Op.I32_CONST, flag.init),)) for flag in self.adapted.flags
            ),
            exports=tuple(CoreExport(f"f{f.id}", CoreSort.FUNC, len(self.func_imports) + f.id) for f in functions),
            code=Code(len(functions), bodies),
            types=tuple(RecGroup((SubType(t),)) for t in self.types),
            customs=(PlacedCustom(10, NameSection(maps=((NameKind.FUNCTION, names),), order=(1,))),),
        )

    def body(self, function: Emitted) -> bytes:
        locals = leb(len(function.locals)) + b"".join(leb(1) + bytes([t.value]) for t in function.locals)  # type: ignore[union-attr]
        out = bytearray(locals)
        for chunk in function.body:
            match chunk:
                case bytes():
                    out += chunk
                case FuncRef(func):
                    out += leb(self.func_index(func))
                case MemArg(memory, align, offset):
                    index = self.memory_imports.index(memory)
                    out += (leb(align) if index == 0 else leb(align | 0x40) + leb(index)) + leb(offset)
                case MemoryRef(memory):
                    out += leb(self.memory_imports.index(memory))
                case GlobalRef(FlagRef(flag)):
                    out += leb(flag)
                case TypeRef(type):
                    out += _signed_index(self.type_index(type))
                case _:
                    raise AssertionError(chunk)
        out += b"\x0b"
        return leb(len(out)) + bytes(out)


def _signed_index(value: int) -> bytes:
    out = bytearray()
    while value >= 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
