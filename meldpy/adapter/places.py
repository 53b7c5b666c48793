"""Where a value is inside an adapter, and the sides it travels between.

A *side* is what one canonical definition contributes to a crossing: its instance, memory, string encoding and
realloc. A *place* is where one value of a known type lies on a side: in flat locals, or at an address in the
side's memory. Memories are places too (`Memory` carries the id and what address arithmetic must know); nothing
here ever holds a literal index.

**Interface of `translate/strings.py`.** It exposes one function::

    translate_string(em: Emitter, src: StringSource, dst: StringDestination) -> None

which emits code into `em.b` (a `FuncBuilder`) that reads the locals `src.ptr` and `src.length` (code units, tagged
for latin1+utf16), makes all checks of `load_string_from_range`, allocates in the destination with exactly the
realloc calls of `store_string_into_range`, and sets the locals `dst.ptr` and `dst.length`. Locals have the address
type of their side's memory (`memory.address`). It must not write the source locals (they may be the trampoline's
parameters), must not keep state anywhere but in locals, and may use:

- `em.b` (locals through `em.b.scratch(...)`, instructions);
- `em.call_realloc_checked(dst.side)`: pops old pointer, old size, alignment, new size (all of the destination's
  address type) and pushes the new pointer, already checked for alignment and bounds, behind the exception barrier
  and with may_leave clear; `em.realloc_symbol(dst.side)` is the same function as a `FuncSymbol`, to be handed to a
  runtime instance as an argument;
- `em.trap(Trap.X)`: emits the call of the named trap function and `unreachable`; `em.trap_if(Trap.X)`: pops an i32
  condition and traps if it is not zero; `em.trap_symbol(Trap.X)`: that function as a `FuncSymbol`, for runtime
  arguments;
- `em.check_aligned(pointer, align, Trap.X)`, `em.check_bounds(memory, pointer, byte_length, Trap.X)`: checks that read
  locals (byte_length: an i64 local or a constant);
- `em.library.func(module_name, args, export) -> FuncId`: a function of the runtime library, instantiated once per
  distinct `args` (memories, functions) and per adapt run.
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.asm import Local
from meldpy.model.canon import StringEncoding
from meldpy.model.code import FuncSymbol
from meldpy.model.core import NumType
from meldpy.model.ids import InstanceId, MemoryId
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """A linear memory and what addresses into it need to know.

    memory64: its address type is i64. shared: other threads may write it at any time, so values are loaded once
    and validated after loading. page_log2: log2 of the bytes that one unit of `memory.size` stands for.
    """

    id: MemoryId
    memory64: bool = False
    shared: bool = False
    page_log2: int = 16

    @property
    def address(self) -> NumType:
        """The type of addresses and lengths."""
        return NumType.I64 if self.memory64 else NumType.I32


@final
@dataclass(frozen=True, slots=True)
class Side:
    """One side of a crossing. `realloc` is the guest's own function, final and unchecked; memory and realloc are
    None where the types that cross need none."""

    instance: InstanceId
    encoding: StringEncoding
    memory: Memory | None
    realloc: FuncSymbol | None

    @property
    def memory64(self) -> bool:
        """Whether pointers are i64 on this side (i32 without a memory)."""
        return self.memory is not None and self.memory.memory64

    @property
    def pointer(self) -> NumType:
        return NumType.I64 if self.memory64 else NumType.I32

    def needs_memory(self) -> Memory:
        """The memory, which validation guarantees wherever a type needs one."""
        assert self.memory is not None
        return self.memory


# --- places of values ---------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class Flat:
    """A value in locals, one per core type of its flattening on `side`."""

    side: Side
    locals: tuple[Local, ...]


@final
@dataclass(frozen=True, slots=True)
class Addr:
    """A value in the memory of `side` at the address in `base` plus `offset` bytes; known aligned and in bounds."""

    side: Side
    base: Local
    offset: int

    def at(self, offset: int) -> Addr:
        """The place `offset` bytes behind this one."""
        return Addr(self.side, self.base, self.offset + offset)


Place: TypeAlias = "Flat | Addr"


# --- strings --------------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class StringSource:
    """A string's pointer and length as the source gives them: not yet checked."""

    side: Side
    ptr: Local
    length: Local

    @property
    def memory(self) -> Memory:
        return self.side.needs_memory()

    @property
    def encoding(self) -> StringEncoding:
        return self.side.encoding


@final
@dataclass(frozen=True, slots=True)
class StringDestination:
    """Where the lowered string's pointer and (tagged) length go; `side` allocates."""

    side: Side
    ptr: Local
    length: Local

    @property
    def memory(self) -> Memory:
        return self.side.needs_memory()

    @property
    def encoding(self) -> StringEncoding:
        return self.side.encoding
