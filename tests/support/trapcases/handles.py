"""Bad handles, as own and borrow, in params and results, at the top and nested, and for the resource built-ins.

Which handles there are is said in `handle_guests`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.trapcases.case import Case, Played, Step
from tests.support.trapcases.handle_guests import RETURNED, SHAPES, composition

GOOD, OTHER_TYPE, DROPPED, SECOND, BEYOND = 1, 2, 3, 4, (5, 15, 16, 1000, 1 << 28, (1 << 32) - 1)
RETURNED_BORROW: Final = "borrow-returned-as-own"
"""Two rules are broken: the handle is no own handle, and the borrow is still there at the end of the call."""


def cases() -> Iterator[Case]:
    text = composition()

    def case(
        condition: str,
        position: str,
        export: str,
        trap: str,
        bad: tuple[int, ...],
        good: tuple[int, ...],
        divergence: str | None = None,
    ) -> Case:
        answer = 61 if export == "definer-rep" else 1
        runs = [(Step(export, (h,), returns=answer if h != SECOND else answer + 3 * (answer > 1)),) for h in good]
        runs += [(Step(export, (h,), trap=trap, divergence=divergence),) for h in bad]
        return Played(text, tuple(runs)).case(condition, position, f"{export}, {position}")

    unknown, type = "unknown handle index", "handle of the wrong resource type"
    uses = [("lift-own", f"params own: {shape}", f"own-{shape}") for shape in SHAPES]
    uses += [("lift-own", f"result own: {shape}", f"give-{shape}") for shape in RETURNED]
    uses += [("lift-borrow", f"params borrow: {shape}", f"borrow-{shape}") for shape in SHAPES]
    uses += [("drop", "resource.drop of another's", "drop"), ("drop", "resource.drop", "definer-drop")]
    uses += [("rep", "resource.rep", "definer-rep")]
    for word, position, export in uses:
        yield case("handle-beyond", position, export, unknown, BEYOND, (GOOD, SECOND))
        yield case("handle-free", position, export, unknown, (0, DROPPED), (GOOD, SECOND))
        yield case(f"{word}-type", position, export, type, (OTHER_TYPE,), (GOOD, SECOND))
    yield case("handle-free", "params: borrow after own", "own-then-borrow", unknown, (GOOD,), (SECOND,))
    for shape in RETURNED:
        yield case("lift-own-lent", f"params own: {shape}", f"both-{shape}", "handle is lent", (GOOD,), (SECOND,))
        yield case(
            "lift-own-borrowed",
            f"result own: {shape}",
            f"back-{shape}",
            "handle is not owned",
            (1,),
            (0,),
            RETURNED_BORROW,
        )
    for shape in SHAPES:
        yield case("lift-own-borrowed", f"params own: {shape}", f"pass-{shape}", "handle is not owned", (1,), (0,))
        yield case("borrow-held", f"params borrow: {shape}", f"held-{shape}", "borrow still held", (1,), (0,))
    for export, position in (("drop", "resource.drop of another's"), ("own-top", "params own: top")):
        twice = (Step(export, (GOOD,), returns=1), Step(export, (GOOD,), trap=unknown))
        once = (Step(export, (GOOD,), returns=1), Step(export, (SECOND,), returns=1))
        yield Played(text, (once, twice)).case("handle-free", position, "twice")
