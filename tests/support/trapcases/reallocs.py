"""Pointers that a guest's realloc returns.

Each call of realloc that a value leads to, by the model's log, returns once a misaligned pointer, once one whose block
would end behind the memory, and once the last one that is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.support.gen.calls import Ready, expect, with_script
from tests.support.gen.guests import ENCODINGS, PAGE, Func
from tests.support.gen.model import Script
from tests.support.gen.types import STRING, ListOf, MapOf, Prim, Type
from tests.support.trapcases.batch import Batch
from tests.support.trapcases.case import Case
from tests.support.trapcases.precise import Raw, ready
from tests.support.trapcases.shapes import MANY, SIDES, SPILLED, func, position, shapes, values

TEXTS: Final = ("plain", "na\u00efve", "5\u20ac each")
FORMS: Final = {
    "utf8": ("utf8", "utf-8", 1),
    "utf16": ("utf16", "utf-16-le", 2),
    "latin1": ("latin1+utf16", "latin-1", 1),
    "tagged": ("latin1+utf16", "utf-16-le", 2),
}
"""Of a lifted string: the lift's encoding, Python's name, bytes per code unit."""
SOURCES: Final = [(form, text) for form in FORMS for text in TEXTS if form != "latin1" or ord(max(text)) < 256]
EACH_WAY: Final = [
    (("utf16", TEXTS[1]), "utf16"),
    (("utf16", TEXTS[2]), "utf8"),
    (("utf8", TEXTS[1]), "utf16"),
    (("utf8", TEXTS[1]), "latin1+utf16"),
    (("utf8", TEXTS[2]), "latin1+utf16"),
    (("tagged", TEXTS[1]), "latin1+utf16"),
]
"""A source and a target for each of the spec's functions that store strings, with all the reallocs that it makes."""
LISTS: Final[tuple[tuple[Type, Any], ...]] = (
    (ListOf(Prim("u16")), [1, 2, 3]),
    (ListOf(Prim("char")), []),
    (MapOf(Prim("u8"), Prim("u64")), [[1, 65], [2, 66]]),
)
AT: Final = PAGE - 1024


def cases() -> Iterator[Case]:
    batch = Batch(False)
    for side in SIDES:
        for shape in shapes(side):
            pairs = [(source, target) for source in SOURCES for target in ENCODINGS] if shape == "top" else EACH_WAY
            for (form, text), target in pairs:
                encodings = (FORMS[form][0], target) if side == "params" else (target, FORMS[form][0])
                chosen = func(side, shape, STRING, encodings)
                call = _call(batch, chosen, side, shape, _raw(form, text, AT), _raw(form, text, AT + 256))
                yield from _of_call(batch, chosen, call, _way(form, target), position(side, shape))
            for leaf, value in LISTS:
                chosen = func(side, shape, leaf, ("utf8", "utf8"))
                call = _call(batch, chosen, side, shape, value, value)
                yield from _of_call(batch, chosen, call, "list", position(side, shape))
    spilled = Func((Prim("u32"),) * (MANY + 1), None, ("utf8", "utf8"), post_return=False)
    call = ready(batch.number(spilled), spilled, batch.guests, list(range(MANY + 1)))
    yield from _of_call(batch, spilled, call, "spilled", position("params", SPILLED))


def _raw(form: str, text: str, at: int) -> Raw:
    _, codec, unit = FORMS[form]
    data = text.encode(codec)
    return Raw((at, len(data) // unit | (1 << 31 if form == "tagged" else 0)), ((at, data),))


def _call(batch: Batch, chosen: Func, side: str, shape: str, plain: Any, value: Any) -> Ready:
    args, result = values(side, shape, plain, value)
    return ready(batch.number(chosen), chosen, batch.guests, args, result)


def _way(form: str, target: str) -> str:
    """The spec's function that stores such a string, as conditions call it."""
    match target, form:
        case ("utf8", "utf8") | ("utf16", "utf16" | "latin1" | "tagged") | ("latin1+utf16", "latin1"):
            return "copied"
        case ("utf8", _):
            return "to-utf8"
        case ("utf16", _):
            return "utf8-to-utf16"
        case (_, "tagged"):
            return "tagged-to-tagged"
    return "to-tagged"


def _of_call(batch: Batch, chosen: Func, call: Ready, way: str, place: str) -> Iterator[Case]:
    """Each realloc of the last value that is lowered; before it come those of lists and values around it."""
    side = 1 if place.startswith("params") else 0
    sides = expect(call, chosen, batch.guests).sides
    assert sides is not None
    log = [entry[:4] for entry in sides[side].log]
    results = [entry[4] for entry in sides[side].log]
    first = max(i for i, (_, old_size, _, _) in enumerate(log) if old_size == 0)
    for number in range(first, len(log)):
        (_, old_size, align, new_size), result = log[number], results[number]
        step = way if number == first else f"{way}-{'grow' if new_size > old_size else 'shrink'}"
        if step == "to-tagged-shrink" and number == first + 1:
            step += "-narrow"  # all of it was latin1
        last = (PAGE - new_size) // align * align
        bad = {"misaligned": {result + 1, result + align // 2}, "outside": {last + align, (1 << 32) - align}}
        good = {"misaligned": result + align, "outside": last}
        for kind, pointers in bad.items():
            if kind == "misaligned" and align == 1:
                continue
            calls = [(pointer, _TRAPS[kind]) for pointer in sorted(pointers)] + [(good[kind], None)]
            yield _case(batch, chosen, call, side, number, calls, f"realloc-{step}-{kind}", place)


_TRAPS: Final[dict[str, str | None]] = {
    "misaligned": "realloc returned a misaligned pointer",
    "outside": "realloc result out of bounds",
}


def _case(
    batch: Batch,
    chosen: Func,
    call: Ready,
    side: int,
    number: int,
    calls: list[tuple[int, str | None]],
    condition: str,
    place: str,
) -> Case:
    def returning(pointer: int) -> Ready:
        scripts, images = [Script(), Script()], [call.caller, call.callee]
        scripts[side] = Script(fail_at=number + 1, fail_value=pointer)
        images[side] = with_script(images[side], scripts[side])
        return Ready(call.func, images[0], images[1], (scripts[0], scripts[1]))

    def made() -> list[tuple[str, Ready, str | None]]:
        return [(f"call {number} returns {pointer}", returning(pointer), trap) for pointer, trap in calls]

    name = f"{place}, {' to '.join(chosen.encodings)}, {condition}"
    return Case(condition, place, name, len(calls) - 1, 1, lambda _: batch.problems(chosen, made))
