"""Runs the string modules of the runtime library by themselves, under the engine, bound as an adapter binds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import wasmtime
from wasmtime import Func, FuncType, Instance, Memory, Module, Store, ValType

from meldpy import runtime
from meldpy.runtime import MemoryShape
from tests.support.string_model import Guest, Trapped

PAGE = 65536
M32, M64 = MemoryShape(memory64=False), MemoryShape(memory64=True)
PAIRS_OF_SHAPES = tuple((source, destination) for source in (M32, M64) for destination in (M32, M64))
TRAPS = (
    "string too long",
    "string pointer misaligned",
    "string out of bounds",
    "invalid utf8",
    "invalid utf16",
)


@cache
def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_memory64 = True
    config.wasm_multi_memory = True
    return wasmtime.Engine(config)


@dataclass
class Flavour:
    """Which flavour of the library `module` gives."""

    vectors: bool = True


FLAVOUR = Flavour()


def module(name: str) -> Module:
    return _module(name, FLAVOUR.vectors)


@cache
def _module(name: str, vectors: bool) -> Module:
    return Module(engine(), wasmtime.wat2wasm(runtime.sources(vectors=vectors)[name]))


def memory(store: Store, shape: MemoryShape, pages: int = 1) -> Memory:
    """A memory of `pages` pages that cannot grow."""
    index_type = "i64 " if shape.memory64 else ""
    text = f'(module (memory (export "m") {index_type}{pages} {pages}))'
    item = Instance(store, Module(engine(), wasmtime.wat2wasm(text)), []).exports(store)["m"]
    assert isinstance(item, Memory)
    return item


def _trap_function(store: Store, name: str) -> Func:
    def fail() -> None:
        raise Trapped(name)

    return Func(store, FuncType([], []), fail)


def unsigned(value: int, shape: MemoryShape) -> int:
    return value & ((1 << shape.width) - 1)


def signed(value: int, shape: MemoryShape) -> int:
    return value - (1 << shape.width) if value >> (shape.width - 1) else value


@dataclass
class Source:
    """A source memory and the checks of `string_source`."""

    store: Store
    shape: MemoryShape
    memory: Memory
    checks: Instance

    @classmethod
    def make(cls, shape: MemoryShape, pages: int = 1) -> Source:
        store = Store(engine())
        source = memory(store, shape, pages)
        args = [source, *(_trap_function(store, name) for name in TRAPS)]
        return cls(store, shape, source, Instance(store, module(runtime.string_source(shape)), args))

    def check(self, export: str) -> Func:
        func = self.checks.exports(self.store)[export]
        assert isinstance(func, Func)
        return func

    def accepts(self, export: str, pointer: int, units: int) -> bool:
        """Whether the check passes; any trap but `invalid …` is an error of the test."""
        try:
            self.check(export)(self.store, signed(pointer, self.shape), signed(units, self.shape))
        except Trapped as trap:
            if str(trap) != f"invalid {export}":
                raise
            return False
        return True


class Judge:
    """Runs one check on many strings in one call: traps are exceptions here, caught next to the check.

    Each string is put at the end of the source memory, so that reading past it is an error of its own.
    """

    def __init__(self, shape: MemoryShape) -> None:
        self.store = Store(engine())
        source = memory(self.store, shape)
        fail = Instance(self.store, Module(engine(), wasmtime.wat2wasm(_FAIL)), []).exports(self.store)
        unexpected = [_trap_function(self.store, name) for name in TRAPS[:3]]
        args = [source, *unexpected, fail["fail"], fail["fail"]]
        checks = Instance(self.store, module(runtime.string_source(shape)), args).exports(self.store)
        text = _JUDGE.replace("ADDRESS_MEMORY", "i64" if shape.memory64 else "").replace("ADDRESS", shape.address_type)
        text = text.replace("EXTEND", "i64.extend_i32_u" if shape.memory64 else "")
        judge = Module(engine(), wasmtime.wat2wasm(text))
        args = [source, fail["tag"], checks["utf8"], checks["utf16"]]
        self.exports = Instance(self.store, judge, args).exports(self.store)

    def accepted(self, export: str, strings: Sequence[bytes]) -> list[bool]:
        """Which of the strings, all of the same length, the check `export` accepts."""
        size = len(strings[0])
        assert size
        assert all(len(string) == size for string in strings)
        records, judge = self.exports["records"], self.exports[export]
        assert isinstance(records, Memory)
        assert isinstance(judge, Func)
        joined = b"".join(strings)
        records.write(self.store, joined, 0)
        judge(self.store, len(strings), size, len(joined))
        verdicts = records.read(self.store, len(joined), len(joined) + len(strings))
        return [bool(verdict) for verdict in verdicts]


_FAIL = '(module (tag $bad (export "tag")) (func (export "fail") (throw $bad)))'
_JUDGE_FUNC = """
  (func (export "NAME") (param $count i32) (param $size i32) (param $verdict i32)
    (local $record i32) (local $at i32)
    (local.set $at (i32.sub (i32.const 65536) (local.get $size)))
    loop $next
      (i32.store8 $records (local.get $verdict) (i32.const 0))
      (local.get $at) EXTEND
      (local.get $record)
      (local.get $size)
      memory.copy $src $records
      block $rejected
        try_table (catch $bad $rejected)
          (local.get $at) EXTEND
          (i32.shr_u (local.get $size) (i32.const UNIT_LOG2)) EXTEND
          call $NAME
        end
        (i32.store8 $records (local.get $verdict) (i32.const 1))
      end
      (local.set $record (i32.add (local.get $record) (local.get $size)))
      (local.set $verdict (i32.add (local.get $verdict) (i32.const 1)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))
    end
  )
"""
_JUDGE = (
    """(module
  (import "src" "memory" (memory $src ADDRESS_MEMORY 1))
  (import "trap" "tag" (tag $bad))
  (import "source" "utf8" (func $utf8 (param ADDRESS ADDRESS)))
  (import "source" "utf16" (func $utf16 (param ADDRESS ADDRESS)))
  (memory $records (export "records") 32)
"""
    + _JUDGE_FUNC.replace("NAME", "utf8").replace("UNIT_LOG2", "0")
    + _JUDGE_FUNC.replace("NAME", "utf16").replace("UNIT_LOG2", "1")
    + ")"
)


@dataclass
class Outcome:
    """What one crossing did: a result or a trap, the calls of realloc, and the destination memory behind it."""

    result: tuple[int, int] | None
    trap: str | None
    calls: list[tuple[int, int, int, int]]
    memory: bytes


class Crossing:
    """All nine functions between a source and a destination memory of `pages` pages each.

    `realloc` is the guest's, on unsigned values; `run` sets it for one call.
    """

    def __init__(self, source: MemoryShape, destination: MemoryShape, pages: int = 1) -> None:
        self.source = Source.make(source, pages=pages)
        self.shape = destination
        self.store = self.source.store
        self.memory = memory(self.store, destination, pages)
        self.realloc: Callable[[int, int, int, int], int] | None = None
        address = ValType.i64() if destination.memory64 else ValType.i32()
        realloc = Func(self.store, FuncType([address] * 4, [address]), self._realloc)
        checks = (self.source.check(name) for name in ("utf8", "utf16", "latin1"))
        args = [self.source.memory, self.memory, realloc, *checks]
        self.instance = Instance(self.store, module(runtime.strings(source, destination)), args)

    def call(self, export: str, pointer: int, tagged: int) -> tuple[int, int]:
        """Call one of the nine on what the source memory holds."""
        func = self.instance.exports(self.store)[export]
        assert isinstance(func, Func)
        pair: Sequence[int] = func(self.store, signed(pointer, self.source.shape), signed(tagged, self.source.shape))
        return unsigned(pair[0], self.shape), unsigned(pair[1], self.shape)

    def run(self, export: str, data: bytes, at: int, pointer: int, tagged: int, guest: Guest) -> Outcome:
        """Put `data` at `at` in the source memory (else zero) and call `export`; ours starts as the guest's memory."""
        self.source.memory.write(self.store, bytes(PAGE), 0)
        if data:
            self.source.memory.write(self.store, data, at)
        self.memory.write(self.store, guest.memory, 0)

        def realloc(old: int, old_size: int, align: int, new_size: int) -> int:
            guest.memory[:] = self.memory.read(self.store, 0, PAGE)
            new = guest.realloc(old, old_size, align, new_size)
            self.memory.write(self.store, guest.memory, 0)
            return new

        self.realloc = realloc
        result, trap = None, None
        try:
            result = self.call(export, pointer, tagged)
        except Trapped as trapped:
            trap = str(trapped)
        return Outcome(result, trap, guest.calls, bytes(self.memory.read(self.store, 0, PAGE)))

    def _realloc(self, *args: int) -> int:
        assert self.realloc is not None
        old, old_size, align, new_size = (unsigned(value, self.shape) for value in args)
        return signed(self.realloc(old, old_size, align, new_size), self.shape)
