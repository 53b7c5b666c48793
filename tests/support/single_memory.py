"""Modules beside what the last stages of a core output make of them, called on both: several memories beside one, and
instructions beside what says the same otherwise.

`Pair` runs an export of both forms and compares result or trap. The modules are made of one function for each memory,
instruction and offset, so that every shape of access is called with addresses around every edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import wasmtime
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_module
from meldpy.core_output import in_one_memory, lowered
from meldpy.core_output.features import FEATURES
from meldpy.engine.config import plain_engine
from meldpy.engine.traps import trap_kind
from meldpy.model.core import CoreModule
from meldpy.pipeline import lowering_tools, rebasing_tools


@dataclass(frozen=True)
class Access:
    """An instruction, its operands above the address (types) and result types; lane: what follows the memarg."""

    name: str
    operands: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    lane: str = ""


def _v(name: str) -> str:
    return {"i32": "(i32.const 77)", "i64": "(i64.const 78)", "f32": "(f32.const 7.5)", "f64": "(f64.const -3)"}.get(
        name, "(v128.const i64x2 0x1122334455667788 0x99AABBCCDDEEFF00)"
    )


PLAIN = (
    Access("i32.load", (), ("i32",)),
    Access("i64.load", (), ("i64",)),
    Access("i32.load8_s", (), ("i32",)),
    Access("i64.load16_u", (), ("i64",)),
    Access("f64.load", (), ("f64",)),
    Access("i32.store", ("i32",)),
    Access("i64.store", ("i64",)),
    Access("i64.store8", ("i64",)),
    Access("f32.store", ("f32",)),
    Access("f64.store", ("f64",)),
    Access("i32.store16", ("i32",)),
)
VECTOR = (
    Access("v128.load", (), ("v128",)),
    Access("v128.load8x8_u", (), ("v128",)),
    Access("v128.load16_splat", (), ("v128",)),
    Access("v128.load32_zero", (), ("v128",)),
    Access("v128.store", ("v128",)),
    Access("v128.load8_lane", ("v128",), ("v128",), " 3"),
    Access("v128.store64_lane", ("v128",), (), " 1"),
)
ATOMIC = (
    Access("i32.atomic.load", (), ("i32",)),
    Access("i64.atomic.load32_u", (), ("i64",)),
    Access("i64.atomic.store", ("i64",)),
    Access("i32.atomic.rmw.add", ("i32",), ("i32",)),
    Access("i64.atomic.rmw16.xchg_u", ("i64",), ("i64",)),
    Access("i32.atomic.rmw.cmpxchg", ("i32", "i32"), ("i32",)),
    Access("i64.atomic.rmw8.cmpxchg_u", ("i64", "i64"), ("i64",)),
    Access("memory.atomic.notify", ("i32",), ("i32",)),
    Access("memory.atomic.wait32", ("i32", "i64"), ("i32",)),
    Access("memory.atomic.wait64", ("i64", "i64"), ("i32",)),
)


def access_function(memory: int, wide: bool, access: Access, offset: int) -> tuple[str, str]:
    """Name and text of an export that takes the address; a vector comes back as its two halves."""
    name = f"{access.name} {memory} {offset:#x}"
    address = "i64" if wide else "i32"
    operands = " ".join(map(_v, access.operands))
    memarg = f"{memory} offset={offset}"
    body = f"(local.get 0) {operands} {access.name} {memarg}{access.lane}"
    results = access.results
    if results == ("v128",):
        results = ("i64", "i64")
        body += " (local.set 1) (local.get 1) i64x2.extract_lane 0 (local.get 1) i64x2.extract_lane 1"
    # a value below the address must stay where it is
    text = (
        f'(func (export "{name}") (param {address}) (result i32 {" ".join(results)}) (local v128) (i32.const 5) {body})'
    )
    return name, text


def hash_function(memory: int, wide: bool) -> str:
    """An export that takes an end address: a hash of all bytes before it."""
    a = "i64" if wide else "i32"
    return f"""(func (export "hash {memory}") (param $end {a}) (result i32)
      (local $at {a}) (local $h i32)
      (block $done (loop $more
        (br_if $done ({a}.ge_u (local.get $at) (local.get $end)))
        (local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load8_u {memory} (local.get $at))))
        (local.set $at ({a}.add (local.get $at) ({a}.const 1)))
        (br $more)))
      local.get $h)"""


def bulk_functions(memories: Sequence[bool]) -> Iterator[str]:
    """Size, growth, fill, init and copy of memories (`wide` or not)."""
    for memory, wide in enumerate(memories):
        a = "i64" if wide else "i32"
        yield f'(func (export "size {memory}") (result {a}) (memory.size {memory}))'
        yield f'(func (export "grow {memory}") (param {a}) (result {a}) (memory.grow {memory} (local.get 0)))'
        yield (
            f'(func (export "fill {memory}") (param {a} i32 {a})'
            f" (memory.fill {memory} (local.get 0) (local.get 1) (local.get 2)))"
        )
        yield (
            f'(func (export "init {memory}") (param {a} i32 i32)'
            f" (memory.init {memory} $bytes (local.get 0) (local.get 1) (local.get 2)))"
        )
        for source, source_wide in enumerate(memories):
            s, n = ("i64" if source_wide else "i32"), ("i64" if wide and source_wide else "i32")
            yield (
                f'(func (export "copy {memory} {source}") (param {a} {s} {n})'
                f" (memory.copy {memory} {source} (local.get 0) (local.get 1) (local.get 2)))"
            )


@dataclass
class Pair:
    """Both forms of a module, side by side."""

    forms: tuple[wasmtime.Store, wasmtime.Instance]
    single: tuple[wasmtime.Store, wasmtime.Instance]
    module: CoreModule

    @classmethod
    def of(cls, wat: str, limits: Mapping[str, int] | None = None) -> Pair:
        data = bytes(wat2wasm(wat))
        decoded = decode_module(data, "several")
        names = [f"m{i}" for i in range(len(decoded.memories))]
        module = in_one_memory(decoded, names, limits or {}, rebasing_tools()).module
        assert len(module.memories) == 1
        return cls(_instance(data), _instance(encode_module(module)), module)

    @classmethod
    def without(cls, wat: str, *features: str) -> Pair:
        """Beside the same without these features, which were said otherwise."""
        data = bytes(wat2wasm(wat))
        module = lowered(decode_module(data, "all"), FEATURES - set(features), lowering_tools()).module
        return cls(_instance(data), _instance(encode_module(module)), module)

    def call(self, name: str, *args: float) -> object:
        """What both did, which must be the same: the results, or the kind of trap."""
        several, single = (_call(form, name, args) for form in (self.forms, self.single))
        if name.startswith("memory.atomic.") and "trap" in str(several) and "trap" in str(single):
            # where address and offset together leave 32 bits, the engine looks at bounds first here
            return several
        assert several == single, f"{name}{args}: {several} before, {single} after"
        return several


def _instance(data: bytes) -> tuple[wasmtime.Store, wasmtime.Instance]:
    engine = plain_engine()
    store = wasmtime.Store(engine)
    return store, wasmtime.Instance(store, wasmtime.Module(engine, data), [])


def _call(form: tuple[wasmtime.Store, wasmtime.Instance], name: str, args: Sequence[float]) -> object:
    store, instance = form
    func = instance.exports(store)[name]
    assert isinstance(func, wasmtime.Func)
    try:
        return repr(func(store, *args))
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        return f"trap: {trap_kind(str(error))}"
