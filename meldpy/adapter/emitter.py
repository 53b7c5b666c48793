"""`Emitter`: one adapter function being written, with the checks and calls that every part of it shares.

`Workshop` is what all functions of one adapt run have in common. The value translators (`translate/`) and the
trampoline see nothing but an `Emitter`; what they may not decide (which instance clears which flag, who may throw)
was decided before and is looked up here.

Spec: CanonicalABI.md `LiftLowerContext.reallocate`, `call_and_trap_on_throw`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, final

from meldpy.adapter.functions import Functions
from meldpy.adapter.handles import Handles
from meldpy.adapter.library import Instances
from meldpy.adapter.places import Memory, Place, Side
from meldpy.adapter.told_values import teller
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Local, Op
from meldpy.cabi import Abi, Layouts
from meldpy.model.code import EmittedFunc, FuncSymbol
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FlagId, FuncId, InstanceId
from meldpy.model.marks import Proved
from meldpy.model.valtype import DefinedType, ValType
from meldpy.records import dataclass, field

if TYPE_CHECKING:
    from meldpy.adapter.passing import Passing
    from meldpy.adapter.tasks.machinery import Machinery

INLINE_COST = 48
"""What a part of a function may cost inline, see `translate/outline.py`."""

NO_LEAVE_CHECK: Final = Proved(
    Trap.CANNOT_LEAVE.value, "no realloc or post-return of the caller can reach a call out of its instance"
)
NO_BARRIER: Final = Proved(Trap.UNCAUGHT_EXCEPTION.value, "no exception can leave what is called")

Translate: TypeAlias = "Callable[[Emitter, ValType, Place, Place], None]"


@final
@dataclass(slots=True)
class Workshop:
    """What the functions of one adapt run share.

    handles: everything about handle tables. may_throw: guest functions out of which an exception can escape.
    leave_flags: the `may_leave` flags that are alive. labels: a name for each instance, for the names of emitted
    functions. translate: the value translator (`translate.translate`), handed in so that its parts can call each other
    through the emitter. vectors: whether code may use SIMD. outlined, pending, costs: shared helper functions by what
    they translate, those still to be written, and what types cost inline (see `translate/outline.py`). reallocs:
    checked reallocs by side. seldom: functions that a call, or an element, has no need of. plain: types that may be
    copied as bytes. tasks: what async needs, if there is any. passing: what it needs if it passes through. tell_values:
    whether traps tell the values that broke their rule; tellers: what does, by trap and names.
    """

    abi: Abi
    functions: Functions
    library: Instances
    handles: Handles
    may_throw: frozenset[FuncId]
    leave_flags: Mapping[InstanceId, FlagId]
    labels: Mapping[InstanceId, str]
    translate: Translate
    vectors: bool = True
    outlined: dict[object, EmittedFunc] = field(default_factory=dict)
    pending: list[Callable[[], None]] = field(default_factory=list)
    reallocs: dict[Side, EmittedFunc] = field(default_factory=dict)
    seldom: set[EmittedFunc] = field(default_factory=set)
    tellers: dict[tuple[Trap, tuple[str, ...]], EmittedFunc] = field(default_factory=dict)
    costs: dict[DefinedType, int] = field(default_factory=dict)
    plain: dict[DefinedType, bool] = field(default_factory=dict)
    tasks: Machinery | None = None
    passing: Passing | None = None
    tell_values: bool = False

    def teller(self, trap: Trap, names: tuple[str, ...]) -> EmittedFunc:
        """The function that fails and tells values of these names; without names the trap's own."""
        if (trap, names) not in self.tellers:
            self.tellers[trap, names] = teller(self.functions, trap, names)
        return self.tellers[trap, names]

    def finish(self) -> None:
        """Write the helpers that were asked for, and those that they ask for."""
        while self.pending:
            self.pending.pop()()


@final
class Emitter:
    """A function being built (`b`) and the workshop it is built in.

    scope: the local that holds the scope of borrows that are lowered as handles, while parameters are translated. raw:
    strings, lists and handles keep what they are, since both places are on one side. peek: own handles stay where they
    are; only what they stand for crosses.
    """

    def __init__(self, shop: Workshop, b: FuncBuilder) -> None:
        self.shop = shop
        self.b = b
        self.inline_cost = INLINE_COST
        self.scope: Local | None = None
        self.raw = False
        self.peek = False

    @property
    def library(self) -> Instances:
        return self.shop.library

    def translate(self, type: ValType, src: Place, dst: Place) -> None:
        """Lift a value at `src` and lower it at `dst`, with all checks."""
        self.shop.translate(self, type, src, dst)

    def layouts(self, side: Side) -> Layouts:
        return self.shop.abi.layouts(side.memory64)

    # --- traps ------------------------------------------------------------------------------------------------
    def trap_symbol(self, trap: Trap) -> EmittedFunc:
        return self.shop.functions.trap(trap)

    def trap(self, trap: Trap, **values: Local | int) -> None:
        """Fail here. values: addresses, lengths and i32 that broke the rule, by what they are; outputs that were asked
        to tell values tell these.
        """
        if not self.shop.tell_values:
            values = {}
        for value in values.values():
            self._extended(value)
        self.b.call(self.shop.teller(trap, tuple(values)))
        self.b.unreachable()

    def trap_if(self, trap: Trap, **values: Local | int) -> None:
        """Pops an i32 and fails unless it is zero."""
        with self.b.if_():
            self.trap(trap, **values)

    def check_aligned(self, pointer: Local, alignment: int, trap: Trap) -> None:
        """Fail unless the address in `pointer` is a multiple of `alignment` (a power of two)."""
        if alignment == 1:
            return
        self.b.get(pointer)
        self.b.const(pointer.type, alignment - 1)
        if pointer.type is I64:
            self.b.op(Op.I64_AND, Op.I64_EQZ, Op.I32_EQZ)
        else:
            self.b.op(Op.I32_AND)
        self.trap_if(trap, pointer=pointer)

    def check_bounds(self, memory: Memory, pointer: Local, byte_length: Local | int, trap: Trap) -> None:
        """Fail unless `byte_length` bytes (an i64 local, or a constant) at `pointer` lie inside `memory`."""
        b = self.b
        with b.scratch(I64) as (end,):
            self.get_extended(pointer)
            self._extended(byte_length)
            b.op(Op.I64_ADD)
            b.tee(end)
            # the size in bytes, as i64: even 2^32 of a full 32-bit memory fits
            b.memory_size(memory.id)
            if not memory.memory64:
                b.op(Op.I64_EXTEND_I32_U)
            if memory.page_log2:
                b.i64(memory.page_log2)
                b.op(Op.I64_SHL)
            b.op(Op.I64_GT_U)
            if memory.memory64:
                # a 64-bit sum can wrap
                b.get(end)
                self._extended(byte_length)
                b.op(Op.I64_LT_U, Op.I32_OR)
            self.trap_if(trap, pointer=pointer, bytes=byte_length)

    def get_extended(self, local: Local) -> None:
        """Push an address or length as i64."""
        self.b.get(local)
        if local.type is I32:
            self.b.op(Op.I64_EXTEND_I32_U)

    def _extended(self, value: Local | int) -> None:
        if isinstance(value, int):
            self.b.i64(value)
        else:
            self.get_extended(value)

    # --- calls --------------------------------------------------------------------------------------------------
    def call_guarded(self, func: FuncSymbol, args: tuple[Local, ...], results: tuple[Local, ...]) -> None:
        """Call guest code at a boundary: an exception that would leave it is a trap."""
        b = self.b
        if isinstance(func, FuncId) and func in self.shop.may_throw:
            with b.block() as done:
                with b.block() as caught:
                    with b.try_catch_all(caught):
                        b.get(*args)
                        b.call(func)
                        b.set(*results)
                    b.br(done)
                self.trap(Trap.UNCAUGHT_EXCEPTION)
        else:
            b.mark(NO_BARRIER)
            b.get(*args)
            b.call(func)
            b.set(*results)

    @contextmanager
    def sync_call(self, instance: InstanceId, *, async_type: bool) -> Iterator[None]:
        """The block calls into an instance for a task that cannot wait in an event loop."""
        if self.shop.passing is not None:
            with self.shop.passing.sync_call(self, instance):
                yield
            return
        if self.shop.tasks is None:
            yield
            return
        with self.shop.tasks.sync_call(self, instance, async_type=async_type):
            yield

    def set_may_leave(self, instance: InstanceId, value: int) -> None:
        """Set the instance's `may_leave`, if anything could observe it."""
        if instance in self.shop.leave_flags:
            self.b.i32(value)
            self.b.set_flag(self.shop.leave_flags[instance])

    def check_may_leave(self, instance: InstanceId) -> None:
        """Fail if the instance may not call out now."""
        if instance in self.shop.leave_flags:
            self.b.get_flag(self.shop.leave_flags[instance])
            self.b.op(Op.I32_EQZ)
            self.trap_if(Trap.CANNOT_LEAVE)
        else:
            self.b.mark(NO_LEAVE_CHECK)

    def call_realloc_checked(self, side: Side) -> None:
        """Pops old pointer, old size, alignment, new size (of the side's address type); pushes the checked result."""
        self.b.call(self.realloc_symbol(side))

    def realloc_symbol(self, side: Side) -> EmittedFunc:
        """The checked realloc of a side: guest realloc, then alignment and bounds of what it returned."""
        if side not in self.shop.reallocs:
            self.shop.reallocs[side] = _checked_realloc(self.shop, side)
        return self.shop.reallocs[side]


def _checked_realloc(shop: Workshop, side: Side) -> EmittedFunc:
    memory, pointer = side.needs_memory(), side.pointer
    assert side.realloc is not None
    name = f"realloc of {shop.labels[side.instance]}, checked"
    b = FuncBuilder(name, CoreFuncType((pointer,) * 4, (pointer,)))
    em = Emitter(shop, b)
    _, _, alignment, new_size = b.params
    result = b.local(pointer)

    # the guest's allocator runs with may_leave clear, as a task of its own
    em.set_may_leave(side.instance, 0)
    with em.sync_call(side.instance, async_type=False):
        em.call_guarded(side.realloc, b.params, (result,))
    em.set_may_leave(side.instance, 1)

    # its result is as untrusted as any pointer
    wide = pointer is I64
    b.get(result, alignment)
    b.const(pointer, 1)
    b.op(*((Op.I64_SUB, Op.I64_AND, Op.I64_EQZ, Op.I32_EQZ) if wide else (Op.I32_SUB, Op.I32_AND)))
    em.trap_if(Trap.REALLOC_MISALIGNED, pointer=result, alignment=alignment)
    length = b.local(I64)
    em.get_extended(new_size)
    b.set(length)
    em.check_bounds(memory, result, length, Trap.REALLOC_OUT_OF_BOUNDS)
    b.get(result)
    return shop.functions.add(b)
