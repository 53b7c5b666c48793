"""One call between the two guests: the images that go in, and what the model expects to come out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.support.gen.encode import Encoder, Full
from tests.support.gen.guests import (
    ARGS,
    CALLED,
    FAIL_AT,
    HEAP,
    IMAGE,
    PAGE,
    PORT,
    POST_RETURN,
    RESULT,
    Func,
    Guest,
    lowered_params,
)
from tests.support.gen.layout import MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, core_result, flat_params, flatten, spills_result
from tests.support.gen.model import Flat, Script, Side, Trapped, Undetermined, is_nan
from tests.support.gen.values import Budget, random_value

CORE_SIZES = {"i32": 4, "i64": 8, "f32": 4, "f64": 8}


@dataclass(frozen=True, slots=True)
class Ready:
    """Both memories before a call, and how each realloc will behave. func: which one `run` calls."""

    func: int
    caller: bytes
    callee: bytes
    scripts: tuple[Script, Script] = (Script(), Script())


@dataclass(frozen=True, slots=True)
class Expected:
    """What the model says: the traps that may be seen, or the guests as they are afterwards; neither, if it is open."""

    traps: tuple[str, ...] = ()
    sides: tuple[Side, ...] | None = None

    @property
    def open(self) -> bool:
        return not self.traps and self.sides is None


def prepare(rng: Random, number: int, func: Func, guests: tuple[Guest, Guest], broken: bool) -> Ready | None:
    """A call with random values; `broken`: with one rule broken somewhere. None if the values do not fit."""
    budget = Budget(rng.choice((300, *[1200] * 6, 5000)))
    args = [random_value(t, rng, budget) for t in func.params]
    result = None if func.result is None else random_value(func.result, rng, budget)
    work = Work(number, func, guests, args, result)
    seed, bad_realloc = rng.getrandbits(32), broken and rng.randrange(4) == 0
    try:
        ready, sites = work.images(Random(seed), -1, top=not bad_realloc)
        if broken and not bad_realloc and sites:
            return work.images(Random(seed), rng.randrange(sites), top=True)[0]
    except Full:
        return None
    if bad_realloc:
        return _with_bad_realloc(rng, ready, func, guests) or ready
    return _scripted(ready, (mood(rng), mood(rng)))


def mood(rng: Random) -> Script:
    """A realloc that behaves, one way or another."""
    return Script(moves=rng.randrange(3) == 0, grows_at=rng.choice((*[0] * 8, 1, 2, 3, 5)))


@dataclass(frozen=True, slots=True)
class Work:
    """A call's values, to be encoded once or twice."""

    number: int
    func: Func
    guests: tuple[Guest, Guest]
    args: list[Any]
    result: Any

    def images(self, rng: Random, target: int, top: bool) -> tuple[Ready, int]:
        """The images of a call, and the number of places where a rule can be broken, of which `target` is."""
        func = self.func
        caller, callee = (
            Encoder(rng, g.wide, encoding, bytearray([g.pattern]) * (g.pages * PAGE), IMAGE, HEAP)
            for g, encoding in zip(self.guests, func.encodings, strict=True)
        )
        for encoder in (caller, callee):
            encoder.data[FAIL_AT:ARGS] = bytes(ARGS - FAIL_AT)
            encoder.top = len(encoder.data) if top else 0
        caller.target = target
        flat = caller.params(func.params, self.args)
        if spills_result(func.result, caller.wide):
            assert func.result is not None
            flat.append(caller.free_area(func.result))
        for i, (bits, core) in enumerate(zip(flat, lowered_params(func, caller.wide), strict=True)):
            caller.put(ARGS + 8 * i, CORE_SIZES[core], bits)
        callee.target = target - caller.sites
        returned = core_result(func.result, callee.wide)
        if returned is not None:
            assert func.result is not None
            callee.put(RESULT, CORE_SIZES[returned], callee.result(func.result, self.result))
        return Ready(self.number, bytes(caller.data), bytes(callee.data)), caller.sites + callee.sites


def by_hand(number: int, guests: tuple[Guest, Guest], args: list[int], *, result: bool, image: bytes) -> Ready:
    """A call with core values and an image of the test's own making, both the caller's, or if `result` the callee's."""
    memories = []
    for guest in guests:
        memory = bytearray([guest.pattern]) * (guest.pages * PAGE)
        memory[FAIL_AT:ARGS] = bytes(ARGS - FAIL_AT)
        memories.append(memory)
    memory, slot = (memories[1], RESULT) if result else (memories[0], ARGS)
    struct.pack_into(f"<{len(args)}Q", memory, slot, *args)
    memory[IMAGE : IMAGE + len(image)] = image
    return Ready(number, bytes(memories[0]), bytes(memories[1]))


def _scripted(ready: Ready, scripts: tuple[Script, Script]) -> Ready:
    caller, callee = (
        with_script(image, script) for image, script in zip((ready.caller, ready.callee), scripts, strict=True)
    )
    return replace(ready, caller=caller, callee=callee, scripts=scripts)


def with_script(image: bytes, script: Script) -> bytes:
    packed = struct.pack("<QQQQ", script.fail_at, script.fail_value, script.moves, script.grows_at)
    return image[:FAIL_AT] + packed + image[FAIL_AT + len(packed) :]


def _with_bad_realloc(rng: Random, ready: Ready, func: Func, guests: tuple[Guest, Guest]) -> Ready | None:
    """One realloc call of one side returns something awkward; None if there is no such call."""
    expected = expect(ready, func, guests)
    busy = [i for i, side in enumerate(expected.sides or ()) if side.log]
    if expected.sides is None or not busy:
        return None
    side = rng.choice(busy)
    scripts = [Script(), Script()]
    scripts[side] = bad_script(rng, expected.sides[side].log, guests[side])
    return _scripted(ready, (scripts[0], scripts[1]))


def bad_script(rng: Random, log: list[tuple[int, ...]], guest: Guest) -> Script:
    """One of the realloc calls that went well returns something awkward."""
    call = rng.choice((0, len(log) - 1, rng.randrange(len(log))))
    _, _, align, new_size, result = log[call]
    memory = guest.pages * PAGE
    last = max(0, memory - new_size) // align * align
    top = 1 << (64 if guest.wide else 32)
    wrong = rng.choice(
        (
            result + 1,
            result + align // 2,
            last,
            last + align,
            last + 1,
            memory,
            memory + align,
            top - align,
            top - 1,
            top // 2,
        )
    )
    return Script(fail_at=call + 1, fail_value=wrong)


def expect(ready: Ready, func: Func, guests: tuple[Guest, Guest], quirks: bool = False) -> Expected:
    """What the spec says of the call; with `quirks`, what the engine that runs compositions does."""
    caller, callee = (
        Side(g.wide, encoding, bytearray(image), HEAP, script, quirks)
        for g, encoding, image, script in zip(
            guests, func.encodings, (ready.caller, ready.callee), ready.scripts, strict=True
        )
    )
    try:
        cross(caller, callee, ready.func, func)
    except Trapped as trapped:
        return Expected(traps=trapped.kinds)
    except Undetermined:
        return Expected()
    return Expected(sides=(caller, callee))


def cross(
    caller: Side,
    callee: Side,
    number: int,
    func: Func,
    ports: tuple[int, int] = (0, 0),
    inside: Callable[[], None] | None = None,
) -> None:
    """One call of `func`, the callee's export `number`.

    ports: where each side keeps core values; inside: what the callee does between its arguments and its result.
    """
    args, area = ARGS + PORT * ports[0], ARGS + PORT * ports[1]
    result, returns = (RESULT + PORT * port for port in ports)
    caller.encoding, callee.encoding = func.encodings
    flat = [caller.number(args + 8 * i, CORE_SIZES[core]) for i, core in enumerate(lowered_params(func, caller.wide))]
    values = caller.lift_values(func.params, flat, MAX_FLAT_PARAMS)
    lowered = callee.lower_params(func.params, values)
    callee.event(CALLED, number)
    for i, (x, core) in enumerate(zip(lowered, flat_params(func.params, callee.wide), strict=True)):
        _put(callee, area + 8 * i, x, core)
    if inside is not None:
        inside()
        callee.encoding = func.encodings[1]
    returned = core_result(func.result, callee.wide)
    bits = 0 if returned is None else callee.number(returns, CORE_SIZES[returned])
    if func.result is not None:
        [value] = callee.lift_values((func.result,), [bits], MAX_FLAT_RESULTS)
        if spills_result(func.result, caller.wide):
            caller.store_result(func.result, value, flat[-1])
        else:
            [lowered_result] = caller.lower(func.result, value)
            _put(caller, result, lowered_result, flatten(func.result, caller.wide)[0])
    if func.post_return:
        nan = returned if returned in ("f32", "f64") and is_nan(returned, bits) else None
        callee.event(POST_RETURN, number, bits, nan=nan)


def _put(side: Side, at: int, x: Flat, core: str) -> None:
    if x.nan == "f32" and core == "i64":
        side.put(at + 4, 4, 0)
    count = 4 if x.nan == "f32" else CORE_SIZES[core]
    side.put(at, count, x.bits & ((1 << 8 * count) - 1), x.nan)
