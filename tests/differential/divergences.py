"""The known differences between the spec, which we follow, and the engine that runs the composition.

They are listed in divergences.toml, each entry with
    id          a short name
    spec        where the spec says otherwise: file and line or heading
    wasmtime    the versions that differ, as "50" or "49, 50" (major versions)
    predicate   the function below that tells whether a difference is this one
    side        "spec", "engine" or "neither": whom the fused output follows
    adr         where side is "neither": the decision that accepts what the output does
    test        the test (file::name, or file::name[parameters]) that makes it fire; an entry that did not fire in a run
                of its test fails the run
A difference that no entry explains is our bug. Where we follow the engine there is no difference to explain: the
entry's test calls `witness` once it has seen both sides do what the spec does not say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.harness import Difference

TABLE = Path(__file__).with_name("divergences.toml")

Predicate = Callable[["Difference"], bool]


@dataclass(frozen=True, slots=True)
class Divergence:
    id: str
    spec: str
    wasmtime: str
    predicate: str
    side: str
    test: str
    adr: str | None = None

    @property
    def applies(self) -> bool:
        """Whether the engine in use is one that differs."""
        return version("wasmtime").split(".")[0] in [major.strip() for major in self.wasmtime.split(",")]


@dataclass(slots=True)
class Divergences:
    """The table in use, and which of its entries explained a difference so far."""

    entries: list[Divergence]
    predicates: dict[str, Predicate]
    fired: set[str] = field(default_factory=set)

    def explains(self, difference: Difference) -> bool:
        """Whether an entry covers the difference; marks every entry that does."""
        found = [entry.id for entry in self.entries if entry.applies and self.predicates[entry.predicate](difference)]
        self.fired.update(found)
        return bool(found)

    def witness(self, id: str) -> None:
        """Marks an entry whose side is the engine's: its test saw both forms agree, against the spec."""
        [entry] = [entry for entry in self.entries if entry.id == id]
        assert entry.side == "engine", f"{id} must be seen as a difference"
        self.fired.add(id)

    def silent(self, ran: set[str]) -> list[str]:
        """The entries whose test is among `ran` (file::name) and that explained nothing."""
        return [
            entry.id for entry in self.entries if entry.applies and entry.test in ran and entry.id not in self.fired
        ]


def load(path: Path = TABLE) -> Divergences:
    table: dict[str, Any] = tomllib.loads(path.read_text())
    entries = [Divergence(**entry) for entry in table.get("divergence", [])]
    for entry in entries:
        if entry.side not in ("spec", "engine", "neither"):
            raise ValueError(f"{entry.id}: side is {entry.side!r}")
        if (entry.side == "neither") is not (entry.adr is not None):
            raise ValueError(f"{entry.id}: an ADR accepts what follows neither, and nothing else")
        if entry.predicate not in PREDICATES:
            raise ValueError(f"{entry.id}: no predicate {entry.predicate}")
    return Divergences(entries, PREDICATES)


PREDICATES: dict[str, Predicate] = {}


def predicate(function: Predicate) -> Predicate:
    """Makes a function known to divergences.toml by its name."""
    PREDICATES[function.__name__] = function
    return function


@predicate
def leave_trapped_in_fused_only(difference: Difference) -> bool:
    """The composition returned from a call whose post-return calls an import."""
    return _returned_but_trapped(difference, "cannot leave component instance")


@predicate
def string_limit_in_fused_only(difference: Difference) -> bool:
    """The composition passed a string that is longer than the spec allows."""
    return _returned_but_trapped(difference, "string too long")


@predicate
def list_limit_in_fused_only(difference: Difference) -> bool:
    """The composition passed a list that is longer than the spec allows."""
    return _returned_but_trapped(difference, "list too long")


@predicate
def room_refused_before_bad_text_in_composition(difference: Difference) -> bool:
    """Text that is not valid, for a guest that traps when it is asked for room: the composition asks first."""
    composed, fused = difference.composed, difference.fused
    return (
        difference.aspect == "outcome"
        and composed == "wasm `unreachable` instruction executed"
        and fused in ("invalid utf8", "invalid utf16")
    )


@predicate
def enter_trapped_in_composition_only(difference: Difference) -> bool:
    """The composition trapped where a component calls a function that it lifted itself."""
    from tests.support.harness import Returned, Trap

    composed, fused = difference.composed, difference.fused
    return (
        difference.aspect == "outcome"
        and isinstance(composed, Trap)
        and composed.kind == "cannot enter component instance"
        and isinstance(fused, Returned)
    )


@predicate
def borrow_found_held_first_in_composition(difference: Difference) -> bool:
    """A borrow is returned as if it were owned; the composition asks for borrows before it looks at the result."""
    from tests.support.harness import Trap

    kinds = [trap.kind for trap in (difference.composed, difference.fused) if isinstance(trap, Trap)]
    return kinds == ["borrow handles still remain at the end of the call", "handle is not owned"]


@predicate
def no_difference(difference: Difference) -> bool:
    """Both forms agree, against the spec; see `witness`."""
    return False


@predicate
def shrunk_with_alignment_two_in_composition(difference: Difference) -> bool:
    """Calls of realloc as (old, old size, align, new size): halving a block, the composition asks for alignment 2."""
    composed, fused = difference.composed, difference.fused
    if difference.aspect != "realloc calls" or not isinstance(composed, list) or not isinstance(fused, list):
        return False
    differing = [(a, b) for a, b in zip(composed, fused, strict=False) if a != b]
    return len(composed) == len(fused) and all(
        a == (b[0], b[1], 2, b[3]) and b[2] == 1 and b[3] * 2 == b[1] for a, b in differing
    )


@predicate
def tagged_by_bit_31_in_composition(difference: Difference) -> bool:
    """A latin1+utf16 length in a 64-bit memory, utf16 according to both."""
    composed, fused = difference.composed, difference.fused
    if not isinstance(composed, int) or not isinstance(fused, int):
        return False
    tagged = difference.aspect == "tagged length in a 64-bit memory" and composed >> 31 == 1 and fused >> 63 == 1
    return tagged and composed ^ 1 << 31 == fused ^ 1 << 63


@predicate
def fixed_list_not_compiled_in_composition(difference: Difference) -> bool:
    """The engine's own adapter does not validate; `composed` is what it says, `fused` the trap, if any."""
    refused = "Invalid input WebAssembly code" in str(difference.composed) and difference.fused is None
    return difference.where == "(compile)" and refused


@predicate
def misaligned_buffer_in_fused_only(difference: Difference) -> bool:
    """The composition took a buffer of numbers at an address that is not aligned to them."""
    return _returned_but_trapped(difference, "buffer misaligned")


@predicate
def cancelled_twice_in_fused_only(difference: Difference) -> bool:
    """The composition took a second request to cancel a subtask that had not resolved."""
    return _returned_but_trapped(difference, "subtask cancelled twice")


@predicate
def waits_in_fused_only(difference: Difference) -> bool:
    """A synchronous cancel that is not obeyed at once would need a stack of its own."""
    from tests.support.harness import Trap

    fused = difference.fused
    trapped = isinstance(fused, Trap) and fused.kind == "synchronous cancel that has to wait"
    return difference.aspect == "outcome" and trapped


@predicate
def others_went_on_in_composition(difference: Difference) -> bool:
    """Both trap, since a synchronous task would have to wait for a cancel; the composition does so later."""
    composed, fused = difference.composed, difference.fused
    if difference.aspect != "host calls before a trap" or not isinstance(composed, list) or not isinstance(fused, list):
        return False
    return len(fused) < len(composed) and composed[: len(fused)] == fused


@predicate
def cannot_block_in_fused_only(difference: Difference) -> bool:
    """A synchronous task cancels a host call that would have been over at once."""
    return _returned_but_trapped(difference, "a synchronous task cannot block")


@predicate
def engine_gives_up_on_task_return(difference: Difference) -> bool:
    """A task of a sync lift calls task.return; the engine reports a bug of its own and injects a trap."""
    from tests.support.harness import Trap

    composed, fused = difference.composed, difference.fused
    return (
        isinstance(composed, Trap)
        and "This is a bug in Wasmtime" in composed.message
        and isinstance(fused, Trap)
        and fused.kind == "task.return of another function"
    )


@predicate
def overtaken_in_composition(difference: Difference) -> bool:
    """Two logs of a callee's starts and its caller's calls: the composition let the second call in before the first."""
    composed, fused = difference.composed, difference.fused
    if difference.aspect != "host calls" or not isinstance(composed, list) or not isinstance(fused, list):
        return False
    return composed.index(6) < composed.index(5) and fused.index(5) < fused.index(6)


@predicate
def reader_missed_in_composition(difference: Difference) -> bool:
    """A write to a read whose task has exited; the engine looks for the task, and finds none or something else."""
    from tests.support.harness import Returned, Trap

    composed, fused = difference.composed, difference.fused
    return (
        difference.aspect == "outcome"
        and isinstance(composed, Trap)
        and composed.kind in ("resource not present", "resource is of another type")
        and isinstance(fused, Returned)
    )


@predicate
def left_work_sooner_or_later(difference: Difference) -> bool:
    """What two calls told the host that return the same: what one does besides, the other leaves to the next call."""
    composed, fused = difference.composed, difference.fused
    if (
        difference.aspect != "host calls of one that leaves work"
        or not isinstance(composed, list)
        or not isinstance(fused, list)
    ):
        return False
    shorter, longer = sorted((composed, fused), key=len)
    return len(shorter) < len(longer) and bool(longer[: len(shorter)] == shorter)


@predicate
def told_in_another_order(difference: Difference) -> bool:
    """The same numbers. Whether that order is legal, `support/definitions` knows."""
    composed, fused = difference.composed, difference.fused
    if difference.aspect != "order of host calls" or not isinstance(composed, list) or not isinstance(fused, list):
        return False
    return composed != fused and sorted(map(str, composed)) == sorted(map(str, fused))


@predicate
def idle_end_told_in_composition(difference: Difference) -> bool:
    """Where two logs of `asyncwebs` part, the composition has an event of an end (2 to 5, DROPPED), fused none (0)."""
    composed, fused = difference.composed, difference.fused
    if difference.aspect != "event of an idle end" or not isinstance(composed, list) or not isinstance(fused, list):
        return False
    at = next(i for i, (one, other) in enumerate(zip(composed, fused, strict=False)) if one != other)
    code, _, payload = composed[at : at + 3]
    return code in range(3002, 3006) and payload == 1 and fused[at : at + 3] == [3000, 0, 0]


@predicate
def still_lent_in_fused_only(difference: Difference) -> bool:
    """A handle is used that is lent to a call that is over, of which the caller has not heard."""
    return _returned_but_trapped(difference, "handle is lent")


@predicate
def result_not_there_in_fused(difference: Difference) -> bool:
    """Whether the place of a host call's result has one, before the caller could hear of it: 1 and 0."""
    from tests.support.harness import Returned

    return difference.aspect == "outcome" and (difference.composed, difference.fused) == (Returned(1), Returned(0))


@predicate
def more_than_ascribed_in_composition(difference: Difference) -> bool:
    """The engine lists a function of an exported instance that the type given to the export leaves out."""
    composed, fused = difference.composed, difference.fused
    listed = difference.aspect == "type" and isinstance(composed, list) and fused == []
    return listed and [name for name, _ in composed] == ["export narrowed#f"]


@predicate
def buffer_read_when_offered(difference: Difference) -> bool:
    """What a guest wrote into a buffer that it had offered: the later byte and the earlier one."""
    from tests.support.harness import Returned

    return difference.aspect == "outcome" and (difference.composed, difference.fused) == (Returned(9), Returned(7))


@predicate
def first_of_two_handles_in_fused(difference: Difference) -> bool:
    """The host read a handle, of 9 which the guest wrote into the buffer that it had offered, or of 6 before."""
    if difference.aspect != "what the host read":
        return False
    composed, fused = difference.composed, difference.fused
    return isinstance(composed, list) and isinstance(fused, list) and 209 in composed and 206 in fused


@predicate
def numbered_the_other_way_round(difference: Difference) -> bool:
    """Two handles that a guest got at one time have each other's index."""
    if difference.aspect != "indices of what was made and what was read":
        return False
    composed, fused = difference.composed, difference.fused
    return isinstance(composed, list) and isinstance(fused, list) and composed == [*reversed(fused)]


@predicate
def handle_gone_in_fused_only(difference: Difference) -> bool:
    """A handle is used that is a parameter of a host call which has not started; the call may have its index now."""
    kinds = ("unknown handle index", "handle of the wrong resource type")
    return any(_returned_but_trapped(difference, kind) for kind in kinds)


@predicate
def deadlock_in_fused_only(difference: Difference) -> bool:
    """A host call that is cancelled synchronously ends after another instance did something."""
    return _returned_but_trapped(difference, "deadlock detected")


@predicate
def blocked_in_fused_only(difference: Difference) -> bool:
    """A host's second read of one buffer: in the composition it completes at once."""
    from tests.support.harness import Returned

    composed, fused = difference.composed, difference.fused
    read = difference.aspect == "outcome" and isinstance(composed, Returned) and isinstance(composed.value, int)
    return read and composed.value & 15 == 0 and composed.value >> 4 > 0 and fused == Returned(0xFFFF_FFFF)


@predicate
def one_instance_in_fused_only(difference: Difference) -> bool:
    """Both ends of a stream or future are in one instance for the engine."""
    return _returned_but_trapped(
        difference, "cannot read from and write to intra-component future/stream with non-numeric payload"
    )


def _returned_but_trapped(difference: Difference, kind: str) -> bool:
    from tests.support.harness import Returned, Trap

    composed, fused = difference.composed, difference.fused
    return (
        difference.aspect == "outcome"
        and isinstance(composed, Returned)
        and isinstance(fused, Trap)
        and fused.kind == kind
    )
