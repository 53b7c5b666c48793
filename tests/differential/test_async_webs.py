"""Random webs of async instances (`support/asyncwebs`), composed beside fused, whole and cut in two."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from meldpy.engine.traps import same_trap
from meldpy.pipeline import FuseOptions, fuse
from meldpy.records import replace
from tests.differential.divergences import Divergences
from tests.support.asyncwebs import Likeness, composition, halves, likeness, make, play, together
from tests.support.asyncwebs.elements import ELEMENTS
from tests.support.asyncwebs.program import Instance, Task, Web
from tests.support.asyncwebs.run import CALLS, graph_of
from tests.support.asyncwebs.scenes import DEAF, LATER_STILL, NEVER, NOW, SCENES, pair, steps, task, three
from tests.support.definitions import Verdict, allowed, definitions
from tests.support.harness import Difference, Returned, Step, Trap
from tests.support.shape import assert_fused_shape

ELEMENT = next(element for element in ELEMENTS if element.name == "u8")
FIRST = int(os.environ.get("ASYNC_SEED", "0"))


def fused(binary: bytes) -> tuple[bytes, bool]:
    """And whether it is flat; what could not be fused is kept."""
    result = fuse([binary], FuseOptions(validate=False))
    if not result.report.kept:
        assert_fused_shape(result.bytes)
    return result.bytes, not result.report.kept


def _judged(composed: bytes, seen: list[Step], got: list[Step], divergences: Divergences, where: str) -> str:
    """How alike they are. What is not alike may be legal nevertheless, if the spec is there to be asked."""
    try:
        return likeness(seen, got, divergences).value
    except AssertionError as error:
        if "MELDPY_SPEC" in os.environ:
            calls = list(zip(CALLS, got, strict=False))
            if allowed(definitions(), graph_of(composed), calls)[0] is Verdict.ALLOWED:
                return "in another order, which the spec allows"
        raise AssertionError(f"{where}: {error}") from error


# --- whole ------------------------------------------------------------------------------------------------------------
def _search(seeds: Iterable[int], divergences: Divergences) -> Counter[str]:
    """How many are flat, and how often each outcome and likeness came."""
    found: Counter[str] = Counter()
    for seed in seeds:
        composed = composition(make(seed))
        output, flat = fused(composed)
        found["flat" if flat else "kept"] += 1
        seen, got = play(composed), play(output)
        found[_judged(composed, seen, got, divergences, f"seed {seed}")] += 1
        found.update(step.outcome.kind if isinstance(step.outcome, Trap) else "returned" for step in seen)
    return found


def test_random_webs_do_the_same_composed_and_fused(divergences: Divergences) -> None:
    found = _search(range(FIRST, FIRST + 12), divergences)
    assert found["flat"] >= 9
    assert {"returned", "deadlock detected", "same"} <= found.keys()


@pytest.mark.deep
def test_many_random_webs(divergences: Divergences) -> None:
    print(_search(range(FIRST, FIRST + int(os.environ.get("ASYNC_WEBS", "500"))), divergences))


# --- cut --------------------------------------------------------------------------------------------------------------
def _cut(seeds: Iterable[int], divergences: Divergences) -> Counter[str]:
    """One part fused, the other its host: it calls, or answers at once, later or never."""
    found: Counter[str] = Counter()
    for seed in seeds:
        web = make(seed)
        at = 1 + seed % web.last
        front, back = halves(web, at)
        seen = play(together(front, back))
        for forms in ((fused(front)[0], back), (front, fused(back)[0])):
            got = play(together(*forms))
            found[_judged(composition(web), seen, got, divergences, f"seed {seed}, cut at {at}")] += 1
    return found


def test_either_part_of_a_random_web_may_be_the_host(divergences: Divergences) -> None:
    assert _cut(range(3, 8), divergences)["same"] >= 8


@pytest.mark.parametrize(
    ("main", "sibling", "poke", "outcome"),
    [
        # the wait ends by what the other task does, and a yield lets it go on
        ("await 6", "yield, new 0, write 2 1, join 2 10, yield, drop-readable 0, yield, return", "wait 10", 77),
        ("await 6", "yield, yield, return", "pause", 77),
        # nothing that it does helps
        ("", "yield, yield", "sync-call 12 2 0 3", "cannot block a synchronous task before returning"),
    ],
)
def test_tasks_of_its_instance_go_on_before_a_synchronous_one_traps(
    main: str, sibling: str, poke: str, outcome: int | str, divergences: Divergences
) -> None:
    web = three(f"call 6 1 0 6, poke 1, {main}", [task("number", sibling)], poke, NEVER)
    front, back = halves(web, 1)
    seen, got = play(together(front, back)), play(together(front, fused(back)[0]))
    assert likeness(seen, got, divergences) is Likeness.SAME
    ended = seen[0].outcome
    assert (ended.value if isinstance(ended, Returned) else ended.kind) == outcome
    assert [args[0] for _, args in seen[0].host_calls].count(3000) >= 2


@pytest.mark.parametrize(
    ("main", "done", "told"),
    [
        # a part was read, which the runtime has heard of, and the guest has not
        ("give 0 2, read 0 3, call 6 2 0 1, poll 11, cancel-read 0", "write 2 1, return", 2 | 1 << 4),
        # nobody writes any more
        ("new 0, drop-writable 2, take 0 2, call 6 2 0 1", "read 0 1, return", 1),
    ],
)
def test_ends_of_a_host_do_what_they_do_inside(main: str, done: str, told: int, divergences: Divergences) -> None:
    first = Instance(0, (1, 2), (Task("number", False, steps(f"call 7 1 0 1, {main}")),), (), plain=False)
    others = Instance(1, (), (NOW,), (), plain=False), Instance(2, (), (task("number", done),), (), plain=False)
    front, back = halves(Web(ELEMENT, (first, *others)), 2)
    output, flat = fused(front)
    assert flat
    seen, got = play(together(front, back)), play(together(output, back))
    assert likeness(seen, got, divergences) is Likeness.SAME
    assert told in [args[0] for _, args in seen[0].host_calls]


def test_what_a_root_leaves_goes_on_while_others_of_its_instance_yield(divergences: Divergences) -> None:
    """The first call leaves a task that waits for the host; it hears from it in the second one."""
    main = Task("number", True, steps("call 6 1 0 1, return, exit"))
    first = Instance(0, (1,), (main,), (("pause",),) * 12, plain=False)
    second = Instance(1, (2,), (task("number", "call 6 2 0 1, settle 6, call-drop 6, return"),), (), plain=False)
    host = Instance(2, (), (task("number", "yield, yield, yield, yield, return"),), (), plain=False)
    front, back = halves(Web(ELEMENT, (first, second, host)), 2)
    output, flat = fused(front)
    assert flat
    seen, got = play(together(front, back)), play(together(output, back))
    assert likeness(seen, got, divergences) is Likeness.SAME
    assert [[args[0] for _, args in step.host_calls].count(3001) for step in seen] == [0, 1, 0]


def _first_call(web: Web, at: int, *, fuses_front: bool, divergences: Divergences) -> list[int]:
    """What is told in it, with one part flat and the other its host: the same in both forms."""
    front, back = halves(web, at)
    output, flat = fused(front if fuses_front else back)
    assert flat
    seen = play(together(front, back))[:1]
    got = play(together(output, back) if fuses_front else together(front, output))[:1]
    assert likeness(seen, got, divergences) is Likeness.SAME
    return [args[0] for _, args in seen[0].host_calls]


def test_a_buffer_that_was_partly_used_is_over_when_its_stream_goes_to_the_host(divergences: Divergences) -> None:
    """The host reads from the next write."""
    script = "new 0, take 0 1, write 2 5, call 6 1 0 1, join 2 10, poll 10, write 2 1, call 7 2 0 1"
    first = Instance(0, (1, 2), (Task("number", False, steps(script)),), (), plain=True)
    second = Instance(1, (2,), (task("number", "read 0 2, take 0 2, return"),), (), plain=True)
    web = Web(ELEMENT, (first, second, Instance(2, (), (task("number", "read 0 1, return"),), (), plain=True)))
    told = _first_call(web, 2, fuses_front=True, divergences=divergences)
    at = told.index(3003)
    assert told[at + 2] == 2 << 4
    assert 1 << 4 in told[at + 3 :]


def test_a_root_that_yields_takes_turns_with_its_host(divergences: Divergences) -> None:
    main = "call 6 2 0 1, call 7 1 0 1, yield, yield, yield, yield, yield, settle 6, return, exit"
    first = Instance(0, (1, 2), (Task("number", True, steps(main)),), (), plain=False)
    host = Instance(2, (), (task("number", "yield, thing 12, yield, thing-drop 12, yield, return"),), (), plain=False)
    web = Web(ELEMENT, (first, Instance(1, (), (NOW,), (), plain=False), host))
    told = _first_call(web, 2, fuses_front=True, divergences=divergences)
    at = told.index(9412)
    assert min(told[:at].count(3000), told[at:].count(3000)) >= 3


def test_a_root_is_woken_each_time_another_one_makes_it_ready(divergences: Divergences) -> None:
    main = "call 6 1 0 1, call 7 1 1 2, await 7, call-drop 7, call 8 1 1 3, await 8, await 6"
    once = "read 0 1, join 0 10, loop 10"
    waiting = task("number", f"call 8 2 0 1, new 0, {once}, {once}, return")
    second = Instance(1, (2,), (waiting, task("number", "write 2 1, yield, return")), (), plain=False)
    first = Instance(0, (1,), (Task("number", False, steps(main)),), (), plain=False)
    web = Web(ELEMENT, (first, second, Instance(2, (), (NOW,), (), plain=False)))
    told = _first_call(web, 1, fuses_front=False, divergences=divergences)
    assert [told.count(3002), told.count(3001)] == [2, 3]


def test_a_root_that_was_ready_when_it_is_cancelled_waits_again(divergences: Divergences) -> None:
    """Another root has made it ready and gone on; what it waits for after the cancel never comes."""
    first = Task("number", False, steps("call 6 1 0 1, call 7 1 1 2, cancel 6, call-drop 6, await 7"))
    waiting = task("number", "call 8 2 0 1, new 0, read 0 1, join 0 10, call 8 2 0 1, loop 10, loop 11, return")
    second = Instance(1, (2,), (waiting, task("number", "write 2 1, yield, return")), (), plain=False)
    last = Instance(2, (), (NOW,), (), plain=False)
    web = Web(ELEMENT, (Instance(0, (1,), (first,), (), plain=False), second, last))
    told = _first_call(web, 1, fuses_front=False, divergences=divergences)
    assert told[told.index(3006) :: 3] == [3006, 3000]


@pytest.mark.deep
def test_many_parts(divergences: Divergences) -> None:
    print(_cut(range(FIRST, FIRST + int(os.environ.get("ASYNC_CUTS", "200"))), divergences))


# --- the spec's own code ----------------------------------------------------------------------------------------------
@pytest.mark.deep
def test_the_spec_allows_what_fused_webs_do() -> None:
    """`support/definitions` says where it has the spec from."""
    found: Counter[Verdict] = Counter()
    for seed in range(FIRST, FIRST + int(os.environ.get("ASYNC_SPEC", "100"))):
        composed = composition(make(seed))
        output, flat = fused(composed)
        if not flat:
            continue
        verdict, why = allowed(definitions(), graph_of(composed), list(zip(CALLS, play(output), strict=False)))
        assert verdict is not Verdict.NOT_ALLOWED, f"seed {seed}: {why}"
        found[verdict] += 1
    print(found)
    assert found[Verdict.UNDECIDED] * 20 <= found[Verdict.ALLOWED]


@pytest.mark.deep
def test_the_spec_does_not_allow_another_log() -> None:
    """The search says no: an event is told twice, and one is left out."""
    composed = composition(make(FIRST))
    call, step = CALLS[0], play(composed)[0]
    for calls in ([*step.host_calls, step.host_calls[-1]], step.host_calls[:5] + step.host_calls[6:]):
        verdict, _ = allowed(definitions(), graph_of(composed), [(call, replace(step, host_calls=calls))])
        assert verdict is Verdict.NOT_ALLOWED


@pytest.mark.deep
def test_the_spec_is_not_asked_where_a_store_has_two_stacks() -> None:
    composed = composition(make(213360))
    verdict, why = allowed(definitions(), graph_of(composed), list(zip(CALLS, play(composed), strict=False)))
    assert verdict is Verdict.UNDECIDED, why
    assert "two stacks" in why


# --- scenes: small webs with a point ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(SCENES.keys() - {"gate and event"}))
def test_a_scene_is_the_same_composed_and_fused(name: str, divergences: Divergences) -> None:
    composed = composition(SCENES[name])
    assert likeness(play(composed)[:1], play(fused(composed)[0])[:1], divergences) is Likeness.SAME


@pytest.mark.parametrize("name", ["order", "gate and event"])
def test_orders_that_the_spec_leaves_open(name: str, divergences: Divergences) -> None:
    """The engine numbers waitables anew when a number is used again; a gate that opens comes before what follows."""
    composed = composition(SCENES[name])
    for one, other in zip(play(composed), play(fused(composed)[0]), strict=True):
        assert one.outcome == other.outcome
        if one.host_calls != other.host_calls:
            difference = Difference(one.label, "order of host calls", one.host_calls, other.host_calls)
            assert divergences.explains(difference)
            break


@pytest.mark.deep
@pytest.mark.parametrize("name", SCENES)
def test_the_spec_allows_the_scene(name: str) -> None:
    composed = composition(SCENES[name])
    steps = play(fused(composed)[0])
    verdict, why = allowed(definitions(), graph_of(composed), list(zip(CALLS, steps, strict=False)))
    assert verdict is Verdict.ALLOWED, why


def test_what_a_root_leaves_is_done_before_or_after_its_host_goes_on(divergences: Divergences) -> None:
    """The engine switches stacks for a call, and goes back to the host at that occasion, since there is a result."""
    composed = composition(pair("u8", "return, call 6 1 0 5, exit", NOW, callback=True))
    assert likeness(play(composed), play(fused(composed)[0]), divergences) is Likeness.LEFT


@pytest.mark.parametrize("rest", ["return, yield, yield, bad-code", "yield, yield, return, bad-code"])
@pytest.mark.parametrize("main", ["call 6 1 0 5, return, exit", "call 6 1 0 5, yield, return, exit"])
def test_a_result_comes_before_what_its_task_leaves(main: str, rest: str, divergences: Divergences) -> None:
    """Also one that is there when the root is called back: the host would hear of the trap alone."""
    composed = composition(pair("u8", main, task("number", rest), callback=True))
    seen, got = play(composed), play(fused(composed)[0])
    assert isinstance(seen[0].outcome, Returned)
    assert likeness(seen[:1], got[:1], divergences) is Likeness.SAME


def test_a_subtask_that_was_cancelled_in_a_call_may_join_a_set(divergences: Divergences) -> None:
    composed = composition(
        pair("u8", "call 9 1 0 9, cancel 9, join 9 10", task("number", "loop 11, yield, return, exit"))
    )
    assert likeness(play(composed)[:1], play(fused(composed)[0])[:1], divergences) is Likeness.SAME


def test_what_is_lent_is_lent_until_its_caller_hears_that_the_call_is_over(divergences: Divergences) -> None:
    main = "thing 12, call 6 1 0 2, yield, yield, thing-drop 12, return, exit"
    composed = composition(pair("u8", main, task("lend", "yield, return"), callback=True))
    seen, got = play(composed), play(fused(composed)[0])
    assert isinstance(seen[0].outcome, Returned)
    assert likeness(seen, got, divergences) is Likeness.KNOWN


def test_a_synchronous_task_whose_cancel_is_not_obeyed_traps_before_others_go_on(divergences: Divergences) -> None:
    composed = composition(three("call 6 1 0 6, poke 1", [LATER_STILL], "call 6 2 0 3, cancel 6", DEAF))
    seen, got = [play(form)[0] for form in (composed, fused(composed)[0])]
    assert isinstance(seen.outcome, Trap)
    assert isinstance(got.outcome, Trap)
    assert same_trap(seen.outcome.kind, got.outcome.kind)
    assert divergences.explains(Difference("run", "host calls before a trap", seen.host_calls, got.host_calls))


@pytest.mark.parametrize(
    ("main", "joined"),
    [
        ("fgive 4 1, fdrop-readable 4", "join 5 10"),
        ("give 0 1, drop-readable 0", "join 2 10"),
        ("new 0, take 0 1, drop-writable 2", "join 0 10"),
    ],
)
def test_an_idle_end_is_not_told_that_the_other_one_is_gone(main: str, joined: str, divergences: Divergences) -> None:
    tasks = task("number", f"{joined}, return"), task("number", "poll 10, return")
    composed = composition(pair("u8", f"{main}, call 6 1 0 1, call 7 1 1 1", *tasks))
    steps = [play(form)[0] for form in (composed, fused(composed)[0])]
    assert [step.outcome for step in steps] == [Returned(77), Returned(77)]
    told, not_told = [[args[0] for _, args in step.host_calls] for step in steps]
    assert divergences.explains(Difference("run", "event of an idle end", told, not_told))
