"""`FuncBuilder`: one emitted function, written instruction by instruction.

What it takes off its users: local slots (allocated by type and reused once freed), label depths (a `Label` is a
block, wherever one branches from), block ends (context managers), immediates, and the joining of adjacent bytes into
one chunk. Functions, memories, globals, tags and types stay symbols; only `merge` knows indices.

A local taken from the builder holds whatever its last user left in it: write before reading.

Spec: core binary format, "Instructions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import final

from meldpy.asm.leb import signed, unsigned
from meldpy.asm.opcodes import Load, Op, Store
from meldpy.model.code import (
    Chunk,
    Emitted,
    FlagRef,
    FuncRef,
    FuncSymbol,
    GlobalRef,
    GlobalSymbol,
    MemArg,
    MemoryRef,
    TypeRef,
)
from meldpy.model.core import CoreFuncType, CoreValType, NumType
from meldpy.model.ids import EmittedId, FlagId, MemoryId
from meldpy.model.marks import Mark
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Local:
    """A parameter or local of the function being built."""

    index: int
    type: CoreValType


@final
@dataclass(frozen=True, slots=True)
class Label:
    """An open block; `depth` counts the labels around it, the function's own label included."""

    depth: int


@final
class FuncBuilder:
    """Builds one function. Instructions append in order; `finish` makes the model's `Emitted`."""

    def __init__(self, name: str, type: CoreFuncType) -> None:
        self.name = name
        self.type = type
        self.params = tuple(Local(index, param) for index, param in enumerate(type.params))
        self._locals: list[CoreValType] = []
        self._free: dict[CoreValType, list[Local]] = {}
        self._chunks: list[Chunk] = []
        self._bytes = bytearray()
        self._depth = 0
        self._marks: dict[Mark, None] = {}

    def mark(self, mark: Mark) -> None:
        """Say what the function does, for reports; saying it again changes nothing."""
        self._marks[mark] = None

    def finish(self, id: EmittedId) -> Emitted:
        """The function as built so far; every block must be closed."""
        assert self._depth == 0, f"{self.name}: {self._depth} blocks are open"
        self._flush()
        return Emitted(id, self.name, self.type, tuple(self._locals), tuple(self._chunks), tuple(self._marks))

    # --- locals -----------------------------------------------------------------------------------------------
    def local(self, type: CoreValType) -> Local:
        """A local nobody else uses until it is freed."""
        free = self._free.get(type)
        if free:
            return free.pop()
        self._locals.append(type)
        return Local(len(self.params) + len(self._locals) - 1, type)

    def free(self, *locals: Local) -> None:
        """Give locals back for reuse. Parameters may be given back too."""
        for local in reversed(locals):
            pool = self._free.setdefault(local.type, [])
            assert local not in pool, f"{self.name}: local {local.index} freed twice"
            pool.append(local)

    @contextmanager
    def scratch(self, *types: CoreValType) -> Iterator[tuple[Local, ...]]:
        """Locals for the extent of a `with` block."""
        locals = tuple(self.local(type) for type in types)
        yield locals
        self.free(*locals)

    def get(self, *locals: Local) -> None:
        for local in locals:
            self._put(b"\x20" + unsigned(local.index))

    def set(self, *locals: Local) -> None:
        """Pop into locals; with several, the last one named is on top of the stack."""
        for local in reversed(locals):
            self._put(b"\x21" + unsigned(local.index))

    def tee(self, local: Local) -> None:
        self._put(b"\x22" + unsigned(local.index))

    # --- plain instructions -----------------------------------------------------------------------------------
    def op(self, *ops: Op) -> None:
        for op in ops:
            self._put(op.value)

    def i32(self, value: int) -> None:
        """i32.const of a value given either as signed or as unsigned."""
        assert -(1 << 31) <= value < 1 << 32
        self._put(b"\x41" + signed(value - (1 << 32) if value >= 1 << 31 else value))

    def i64(self, value: int) -> None:
        """i64.const of a value given either as signed or as unsigned."""
        assert -(1 << 63) <= value < 1 << 64
        self._put(b"\x42" + signed(value - (1 << 64) if value >= 1 << 63 else value))

    def const(self, type: CoreValType, value: int) -> None:
        """A constant of a number type; floats are given by value and only 0 is needed."""
        match type:
            case NumType.I32:
                self.i32(value)
            case NumType.I64:
                self.i64(value)
            case NumType.F32:
                assert value == 0
                self._put(b"\x43" + bytes(4))
            case NumType.F64:
                assert value == 0
                self._put(b"\x44" + bytes(8))
            case _:
                raise AssertionError(f"no constants of {type}")

    def v128(self, value: bytes | bytearray) -> None:
        """v128.const of the 16 bytes as they would lie in memory."""
        assert len(value) == 16
        self._put(b"\xfd\x0c" + value)

    def drop(self) -> None:
        self.op(Op.DROP)

    def unreachable(self) -> None:
        self.op(Op.UNREACHABLE)

    def return_(self) -> None:
        self.op(Op.RETURN)

    # --- memory -----------------------------------------------------------------------------------------------
    def load(self, op: Load, memory: MemoryId, offset: int = 0) -> None:
        """Pops an address, pushes the value at address + offset; naturally aligned."""
        opcode, align, _ = op.value
        self._put(bytes((opcode,)))
        self._ref(MemArg(memory, align, offset))

    def store(self, op: Store, memory: MemoryId, offset: int = 0) -> None:
        """Pops a value, then an address."""
        opcode, align, _ = op.value
        self._put(bytes((opcode,)))
        self._ref(MemArg(memory, align, offset))

    def load_v128(self, memory: MemoryId, offset: int = 0) -> None:
        """Pops an address of any alignment, pushes 16 bytes."""
        self._put(b"\xfd\x00")
        self._ref(MemArg(memory, 0, offset))

    def store_v128(self, memory: MemoryId, offset: int = 0) -> None:
        """Pops 16 bytes, then an address of any alignment."""
        self._put(b"\xfd\x0b")
        self._ref(MemArg(memory, 0, offset))

    def memory_size(self, memory: MemoryId) -> None:
        """Pushes the size in pages, as the memory's address type."""
        self._put(b"\x3f")
        self._ref(MemoryRef(memory))

    def memory_copy(self, destination: MemoryId, source: MemoryId) -> None:
        """Pops length, source and destination address (length is i32 unless both memories are 64-bit)."""
        self._put(b"\xfc\x0a")
        self._ref(MemoryRef(destination))
        self._ref(MemoryRef(source))

    # --- globals and calls --------------------------------------------------------------------------------------
    def get_global(self, target: GlobalSymbol) -> None:
        self._put(b"\x23")
        self._ref(GlobalRef(target))

    def set_global(self, target: GlobalSymbol) -> None:
        self._put(b"\x24")
        self._ref(GlobalRef(target))

    def get_flag(self, flag: FlagId) -> None:
        self.get_global(FlagRef(flag))

    def set_flag(self, flag: FlagId) -> None:
        self.set_global(FlagRef(flag))

    def call(self, func: FuncSymbol) -> None:
        self._put(b"\x10")
        self._ref(FuncRef(func))

    # --- control --------------------------------------------------------------------------------------------------
    @contextmanager
    def block(self, *results: CoreValType) -> Iterator[Label]:
        """A `block` without parameters; branches to its label go behind its end."""
        yield from self._structured(b"\x02", results)

    @contextmanager
    def loop(self, *results: CoreValType) -> Iterator[Label]:
        """A `loop` without parameters; branches to its label go to its start."""
        yield from self._structured(b"\x03", results)

    @contextmanager
    def if_(self, *results: CoreValType) -> Iterator[Label]:
        """Pops an i32 condition. `else_` inside starts the other arm."""
        yield from self._structured(b"\x04", results)

    def else_(self) -> None:
        self._put(b"\x05")

    @contextmanager
    def try_catch_all(self, handler: Label, *results: CoreValType) -> Iterator[Label]:
        """A `try_table` whose one clause sends every exception to `handler` (which must take no values)."""
        clause = b"\x01\x02" + unsigned(self._relative(handler))
        yield from self._structured(b"\x1f", results, clause)

    def br(self, label: Label) -> None:
        self._put(b"\x0c" + unsigned(self._relative(label)))

    def br_if(self, label: Label) -> None:
        self._put(b"\x0d" + unsigned(self._relative(label)))

    def br_table(self, labels: Sequence[Label], default: Label) -> None:
        """Pops an i32 that selects one of `labels`, or `default` if it is out of range."""
        depths = [unsigned(self._relative(label)) for label in labels]
        self._put(b"\x0e" + unsigned(len(depths)) + b"".join(depths) + unsigned(self._relative(default)))

    # --- inside -------------------------------------------------------------------------------------------------
    def _structured(self, opcode: bytes, results: tuple[CoreValType, ...], clause: bytes = b"") -> Iterator[Label]:
        self._put(opcode)
        if not results:
            self._put(b"\x40")
        elif len(results) == 1 and isinstance(results[0], NumType):
            self._put(bytes((results[0].value,)))
        else:
            self._ref(TypeRef(CoreFuncType((), results)))
        self._put(clause)
        self._depth += 1
        yield Label(self._depth)
        self._depth -= 1
        self._put(b"\x0b")

    def _relative(self, label: Label) -> int:
        assert label.depth <= self._depth, f"{self.name}: branch to a closed block"
        return self._depth - label.depth

    def _put(self, data: bytes) -> None:
        self._bytes += data

    def _ref(self, chunk: Chunk) -> None:
        self._flush()
        self._chunks.append(chunk)

    def _flush(self) -> None:
        if self._bytes:
            self._chunks.append(bytes(self._bytes))
            self._bytes.clear()
