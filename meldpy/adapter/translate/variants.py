"""Variants, and with them enum, option and result.

Spec: CanonicalABI.md `load_variant`, `store_variant`, `lift_flat_variant`, `lower_flat_variant`. Cases whose
payloads have equal types share one arm, and arms are reached by one `br_table`: a 1,000-case variant is neither a
chain of 1,000 comparisons nor 1,000 copies of one payload's code. In memory, bytes that a payload does not use are
not written; flat, unused slots become zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.translate.scalars import read_unsigned, written_unsigned
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, Label, Local, Op
from meldpy.cabi import discriminant_size
from meldpy.model.core import NumType
from meldpy.model.valtype import Case, ValType

F32, F64 = NumType.F32, NumType.F64

_NARROW: dict[tuple[NumType, NumType], tuple[Op, ...]] = {
    (I32, F32): (Op.F32_REINTERPRET_I32,),
    (I64, I32): (Op.I32_WRAP_I64,),
    (I64, F32): (Op.I32_WRAP_I64, Op.F32_REINTERPRET_I32),
    (I64, F64): (Op.F64_REINTERPRET_I64,),
}
"""From a joined slot's type to the payload's own."""

_WIDEN: dict[tuple[NumType, NumType], tuple[Op, ...]] = {
    (F32, I32): (Op.I32_REINTERPRET_F32,),
    (I32, I64): (Op.I64_EXTEND_I32_U,),
    (F32, I64): (Op.I32_REINTERPRET_F32, Op.I64_EXTEND_I32_U),
    (F64, I64): (Op.I64_REINTERPRET_F64,),
}
"""From a payload's own type to its joined slot's."""


def translate_variant(em: Emitter, type: ValType, cases: Sequence[Case[ValType]], src: Place, dst: Place) -> None:
    """A variant: discriminant, checked, then the payload of the case it names."""
    with _discriminant(em, len(cases), src) as discriminant:
        _write_discriminant(em, len(cases), discriminant, dst)
        arms, arm_of = _arms(em, cases)
        if arms == [None] and isinstance(dst, Addr):
            return
        _branch(em, discriminant, arm_of, [_arm(em, type, payload, src, dst) for payload in arms])


# --- the discriminant ---------------------------------------------------------------------------------------------
@contextmanager
def _discriminant(em: Emitter, count: int, src: Place) -> Iterator[Local]:
    """The source's discriminant in a local, known to name a case."""
    size = discriminant_size(count)
    match src:
        case Flat(_, locals):
            _check_discriminant(em, locals[0], count)
            yield locals[0]
        case Addr():
            with em.b.scratch(I32) as (discriminant,):
                read_unsigned(em, size, src)
                em.b.set(discriminant)
                if count < 1 << 8 * size:
                    _check_discriminant(em, discriminant, count)
                yield discriminant


def _check_discriminant(em: Emitter, discriminant: Local, count: int) -> None:
    em.b.get(discriminant)
    em.b.i32(count)
    em.b.op(Op.I32_GE_U)
    em.trap_if(Trap.INVALID_DISCRIMINANT, discriminant=discriminant, cases=count)


def _write_discriminant(em: Emitter, count: int, discriminant: Local, dst: Place) -> None:
    match dst:
        case Flat(_, locals):
            em.b.get(discriminant)
            em.b.set(locals[0])
        case Addr():
            with written_unsigned(em, discriminant_size(count), dst):
                em.b.get(discriminant)


# --- the arms -------------------------------------------------------------------------------------------------------
def _arms(em: Emitter, cases: Sequence[Case[ValType]]) -> tuple[list[ValType | None], list[int]]:
    """The distinct payload types, in order of first use, and for each case which of them it has."""
    keys = em.shop.abi.keys
    arms: list[ValType | None] = []
    number: dict[int | None, int] = {}
    arm_of = []
    for case in cases:
        key = None if case.type is None else keys.key(case.type)
        if key not in number:
            number[key] = len(arms)
            arms.append(case.type)
        arm_of.append(number[key])
    return arms, arm_of


def _branch(em: Emitter, discriminant: Local, arm_of: Sequence[int], arms: Sequence[Callable[[], None]]) -> None:
    """Run the arm of the case that the discriminant names."""
    b = em.b
    if len(arms) == 1:
        arms[0]()
    elif len(arm_of) == 2:
        b.get(discriminant)
        with b.if_():
            arms[arm_of[1]]()
            b.else_()
            arms[arm_of[0]]()
    else:
        with b.block() as done:
            # the block of the first arm is the innermost: what follows its end is that arm
            blocks: list[tuple[Label, ExitStack]] = []
            for _ in arms:
                stack = ExitStack()
                blocks.append((stack.enter_context(b.block()), stack))
            blocks.reverse()
            labels = [blocks[arm][0] for arm in arm_of]
            b.get(discriminant)
            b.br_table(labels[:-1], labels[-1])
            for arm, (_, stack) in zip(arms, blocks, strict=True):
                stack.close()
                arm()
                b.br(done)


def _arm(em: Emitter, type: ValType, payload: ValType | None, src: Place, dst: Place) -> Callable[[], None]:
    """What translates a payload of that type (None: no payload)."""

    def emit() -> None:
        if payload is None:
            if isinstance(dst, Flat):
                _zero(em, dst.locals[1:])
            return
        with (
            _payload_source(em, type, payload, src) as source,
            _payload_destination(em, type, payload, dst) as destination,
        ):
            em.translate(payload, source, destination)

    return emit


def _zero(em: Emitter, locals: Sequence[Local]) -> None:
    for local in locals:
        em.b.const(local.type, 0)
        em.b.set(local)


@contextmanager
def _payload_source(em: Emitter, type: ValType, payload: ValType, src: Place) -> Iterator[Place]:
    """The payload with its own core types, taken out of the joined slots."""
    match src:
        case Addr():
            yield src.at(em.layouts(src.side).payload_offset(type))
        case Flat(side, locals):
            own, temporary = _own_locals(em, payload, src)
            for local, slot in zip(own, locals[1:], strict=False):
                if local is not slot:
                    em.b.get(slot)
                    em.b.op(*_NARROW[_number(slot), _number(local)])
                    em.b.set(local)
            yield Flat(side, own)
            em.b.free(*temporary)


@contextmanager
def _payload_destination(em: Emitter, type: ValType, payload: ValType, dst: Place) -> Iterator[Place]:
    """A place for the payload with its own core types; afterwards the joined slots hold it."""
    match dst:
        case Addr():
            yield dst.at(em.layouts(dst.side).payload_offset(type))
        case Flat(side, locals):
            own, temporary = _own_locals(em, payload, dst)
            yield Flat(side, own)
            for local, slot in zip(own, locals[1:], strict=False):
                if local is not slot:
                    em.b.get(local)
                    em.b.op(*_WIDEN[_number(local), _number(slot)])
                    em.b.set(slot)
            em.b.free(*temporary)
            _zero(em, locals[1 + len(own) :])


def _own_locals(em: Emitter, payload: ValType, place: Flat) -> tuple[tuple[Local, ...], tuple[Local, ...]]:
    """Locals of the payload's own types: the joined slot itself where the types agree, else a temporary."""
    flat = em.shop.abi.flattener(place.side.memory64).flat(payload)
    assert flat is not None
    own, temporary = [], []
    for core_type, slot in zip(flat, place.locals[1:], strict=False):
        if slot.type is core_type:
            own.append(slot)
        else:
            own.append(em.b.local(core_type))
            temporary.append(own[-1])
    return tuple(own), tuple(temporary)


def _number(local: Local) -> NumType:
    assert isinstance(local.type, NumType)
    return local.type
