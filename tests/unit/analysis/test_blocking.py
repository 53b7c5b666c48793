"""The class of a graph: each rule of `blocking`, and the neighbour that must be classed otherwise."""

from __future__ import annotations

from meldpy.analysis import analyse
from meldpy.model.asynchrony import AsyncClass, Asynchrony, Obstacle, SiteKind
from meldpy.pipeline import returns_zero, scan
from tests.unit.resolver.build import graph_of

MEMORY = '(core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))'


def classify(wat: str) -> Asynchrony:
    graph = graph_of(wat)
    return analyse(graph, scan).asynchrony


def classify_with_exits(wat: str) -> Asynchrony:
    """The same where it is known which functions can answer EXIT only."""
    return analyse(graph_of(wat), scan, returns_zero=returns_zero).asynchrony


def instance(name: str, builtins: str, lifts: str, imports: str = "", args: str = "") -> str:
    """A component with one core function `f` (and a callback `cb`) that calls the core functions in `builtins`.

    builtins: "name (type) (canon …)" triples as `(NAME|TYPE|CANON)` separated by newlines; lifts: text of its exports.
    """
    rows = [row.split("|") for row in builtins.strip().splitlines() if row.strip()]
    canons = "\n".join(f"(core func ${name} {canon})" for name, _, canon in rows)
    core_imports = "\n".join(f'(import "" "{name}" (func ${name} {type_}))' for name, type_, _ in rows)
    calls = "\n".join(_call(name, type_) for name, type_, _ in rows)
    exports = "\n".join(f'(export "{name}" (func ${name}))' for name, _, _ in rows)
    return f"""
      (component ${name} {imports} {MEMORY} {canons}
        (core module $Code {core_imports}
          (func (export "f") {calls})
          (func (export "g") (result i32) {calls} i32.const 0)
          (func (export "cb") (param i32 i32 i32) (result i32) i32.const 0))
        (core instance $code (instantiate $Code (with "" (instance {exports}))))
        {lifts})
      (instance ${name.lower()} (instantiate ${name} {args}))"""


def _call(name: str, type_: str) -> str:
    count = type_.count("i32") - type_.count("(result i32)")
    drop = "drop" if "result" in type_ else ""
    return f"{'i32.const 0 ' * count}call ${name} {drop}"


WAIT = 'wait|(param i32 i32) (result i32)|(canon waitable-set.wait (memory (core memory $mem "m")))'
YIELD = "yield|(result i32)|(canon thread.yield)"
SYNC_LIFT = '(func (export "f") async (canon lift (core func $code "f")))'
CALLBACK_LIFT = '(func (export "f") async (canon lift (core func $code "g") async (callback (core func $code "cb"))))'
STACKFUL_LIFT = '(func (export "f") async (canon lift (core func $code "f") async))'
SYNC_TYPED = '(func (export "f") (canon lift (core func $code "f")))'
IMPORT = '(import "f" (func $f async))'
SYNC_LOWER = "call_f||(canon lower (func $f))"
ASYNC_LOWER = 'call_f|(result i32)|(canon lower (func $f) async (memory (core memory $mem "m")))'
EXPORT_A = '(func (export "f") (alias export $a "f"))'
EXPORT_B = '(func (export "g") (alias export $b "f"))'


def pair(callee: str, caller: str, exports: str = EXPORT_B) -> Asynchrony:
    return classify(f"(component {callee} {caller} {exports})")


def caller(lower: str, lift: str = SYNC_LIFT, more: str = "") -> str:
    return instance("B", f"{lower}\n{more}", lift, IMPORT, '(with "f" (func $a "f"))')


def kinds(found: Asynchrony) -> list[SiteKind]:
    return [site.kind for site in found.sites]


def obstacles(found: Asynchrony) -> set[Obstacle]:
    return {each.obstacle for each in found.deciding}


def test_a_graph_without_anything_async_has_no_class() -> None:
    assert classify(f"(component {instance('A', '', SYNC_TYPED)} {EXPORT_A})").class_ is AsyncClass.SYNC


def test_a_built_in_that_nothing_reaches_is_nothing() -> None:
    wat = f'(component {MEMORY} (core func (canon waitable-set.wait (memory (core memory $mem "m")))))'
    assert classify(wat).class_ is AsyncClass.SYNC


def test_an_event_loop_blocks_no_stack() -> None:
    found = classify(f"(component {instance('A', '', CALLBACK_LIFT)} {EXPORT_A})")
    assert found.class_ is AsyncClass.F0
    assert not found.sites


def test_waiting_and_yielding_on_the_stack_are_sites_with_a_place() -> None:
    for builtin, kind in ((WAIT, SiteKind.WAIT), (YIELD, SiteKind.YIELD)):
        found = classify(f"(component {instance('A', builtin, CALLBACK_LIFT)} {EXPORT_A})")
        assert found.class_ is AsyncClass.F1
        (site,) = found.sites
        assert (site.kind, site.instance, found.base) == (kind, 1, 1)
        assert site.location.offset is not None
        assert site.location.path


def test_a_sync_lower_of_a_sync_lift_that_cannot_block_blocks_nobody() -> None:
    assert pair(instance("A", "", SYNC_LIFT), caller(SYNC_LOWER)).class_ is AsyncClass.F0


def test_a_sync_lower_of_a_callback_lift_blocks() -> None:
    found = pair(instance("A", "", CALLBACK_LIFT), caller(SYNC_LOWER))
    assert found.class_ is AsyncClass.F1
    assert kinds(found) == [SiteKind.SYNC_LOWER]
    assert found.base == 2


def test_a_sync_lower_blocks_where_the_callee_has_backpressure() -> None:
    gated = instance("A", "inc||(canon backpressure.inc)", SYNC_LIFT)
    assert kinds(pair(gated, caller(SYNC_LOWER))) == [SiteKind.SYNC_LOWER]
    # but letting calls in again is no reason to wait
    open_ = instance("A", "dec||(canon backpressure.dec)", SYNC_LIFT)
    assert kinds(pair(open_, caller(SYNC_LOWER))) == []


def test_a_sync_lower_blocks_where_the_callee_does() -> None:
    found = pair(instance("A", WAIT, SYNC_LIFT), caller(SYNC_LOWER))
    assert kinds(found) == [SiteKind.SYNC_LOWER, SiteKind.WAIT]
    assert found.class_ is AsyncClass.F1
    assert found.base == 2


def test_a_sync_lower_of_a_host_function_blocks_and_an_async_one_does_not() -> None:
    def host(lower: str) -> str:
        return f'(component (import "f" (func $f async)) {instance("B", lower, SYNC_LIFT, IMPORT, WITH_F)} {EXPORT_B})'

    assert classify(host(SYNC_LOWER)).class_ is AsyncClass.F1
    assert classify(host(ASYNC_LOWER)).class_ is AsyncClass.F0


WITH_F = '(with "f" (func $f))'


def test_blocking_below_an_async_lower_needs_two_stacks() -> None:
    found = pair(instance("A", WAIT, SYNC_LIFT), caller(ASYNC_LOWER))
    assert found.class_ is AsyncClass.F2
    assert Obstacle.ASYNC_CALLEE in obstacles(found)
    assert all(each.location.offset is not None for each in found.deciding)
    # the same call without anything that blocks
    assert pair(instance("A", "", SYNC_LIFT), caller(ASYNC_LOWER)).class_ is AsyncClass.F0


def test_two_instances_with_event_loops_that_block_are_two_bases() -> None:
    found = pair(instance("A", WAIT, CALLBACK_LIFT), caller(SYNC_LOWER))
    assert found.class_ is AsyncClass.F2
    assert Obstacle.TWO_BASES in obstacles(found)


def test_a_stackful_lift_that_blocks_holds_no_lock() -> None:
    found = classify(f"(component {instance('A', WAIT, STACKFUL_LIFT)} {EXPORT_A})")
    assert found.class_ is AsyncClass.F2
    assert obstacles(found) == {Obstacle.STACKFUL}
    assert classify(f"(component {instance('A', '', STACKFUL_LIFT)} {EXPORT_A})").class_ is AsyncClass.F0


def test_async_exports_of_another_instance_would_meet_the_lock() -> None:
    callee, calls = instance("A", "", CALLBACK_LIFT), caller(SYNC_LOWER)
    found = pair(callee, calls, EXPORT_A + EXPORT_B)
    assert found.class_ is AsyncClass.F2
    assert obstacles(found) == {Obstacle.OTHER_EXPORTS}
    # a sync-typed export barges in
    sync_export = SYNC_TYPED.replace('"f"', '"s"', 1)
    with_sync = instance("A", "", CALLBACK_LIFT + sync_export)
    found = pair(with_sync, calls, '(func (export "s") (alias export $a "s"))' + EXPORT_B)
    assert found.class_ is AsyncClass.F1


def test_sync_typed_tasks_trap_and_are_no_base() -> None:
    callee = instance("A", WAIT, SYNC_TYPED)
    imports = '(import "f" (func $f))'
    calls = instance("B", f"{SYNC_LOWER}\n{WAIT}", SYNC_LIFT, imports, '(with "f" (func $a "f"))')
    assert pair(callee, calls).class_ is AsyncClass.F1


def test_where_only_sync_typed_tasks_would_block_any_instance_may_have_async_exports() -> None:
    def called(lift: str) -> Asynchrony:
        callee = instance("A", WAIT, lift)
        sync = lift == SYNC_TYPED
        calls = instance("B", SYNC_LOWER, SYNC_LIFT, '(import "f" (func $f))' if sync else IMPORT, WITH_A)
        both = '(func (export "a") (alias export $c "f"))' + EXPORT_B
        return classify(f"(component {callee} {calls} {instance('C', '', SYNC_LIFT)} {both})")

    found = called(SYNC_TYPED)
    assert (found.class_, found.base) == (AsyncClass.F1, None)
    # an async-typed task does block there, and then the lock of the output is one too few
    assert obstacles(called(SYNC_LIFT)) == {Obstacle.OTHER_EXPORTS}


WITH_A = '(with "f" (func $a "f"))'


def test_explicit_threads_are_of_no_class_that_can_be_fused() -> None:
    builtin = "suspend|(result i32)|(canon thread.suspend)"
    graph = graph_of(f"(component {instance('A', builtin, CALLBACK_LIFT)} {EXPORT_A})")
    found = analyse(graph, scan).asynchrony
    assert found.class_ is AsyncClass.F2
    assert obstacles(found) == {Obstacle.THREADS}


def callback_lift(func: str) -> str:
    return f'(func (export "f") async (canon lift (core func $code "{func}") async (callback (core func $code "cb"))))'


def sync_pair(callee: str) -> Asynchrony:
    return classify_with_exits(f"(component {callee} {caller(SYNC_LOWER)} {EXPORT_B})")


def test_a_task_that_can_only_exit_blocks_no_synchronous_lower() -> None:
    found = sync_pair(instance("A", "", callback_lift("g")))
    assert found.class_ is AsyncClass.F0
    assert not found.sites
    # the same call, where nothing is known of what the function answers, and where it says something else
    assert kinds(pair(instance("A", "", callback_lift("g")), caller(SYNC_LOWER))) == [SiteKind.SYNC_LOWER]
    loops = instance("A", "", callback_lift("g")).replace("i32.const 0)", "i32.const 1)")
    assert kinds(sync_pair(loops)) == [SiteKind.SYNC_LOWER]


def test_a_task_that_exits_blocks_where_it_waits_on_its_stack_or_cannot_start() -> None:
    waits = sync_pair(instance("A", WAIT, callback_lift("g")))
    assert SiteKind.SYNC_LOWER in kinds(waits)
    gated = sync_pair(instance("A", "inc||(canon backpressure.inc)", callback_lift("g")))
    assert kinds(gated) == [SiteKind.SYNC_LOWER]


def test_a_call_of_a_task_that_can_only_exit_leaves_nothing_to_do() -> None:
    def called(lift: str, prove: bool) -> Asynchrony:
        callee = instance("A", "", lift)
        calls = instance("B", ASYNC_LOWER, SYNC_TYPED, IMPORT, '(with "f" (func $a "f"))')
        return (classify_with_exits if prove else classify)(f"(component {callee} {calls} {EXPORT_B})")

    assert not called(callback_lift("g"), True).orphans
    assert called(callback_lift("g"), False).orphans


CANCEL = "cancel|(param i32) (result i32)|(canon subtask.cancel)"


def test_a_sync_cancel_of_a_subtask_blocks_while_the_callee_does_not_obey() -> None:
    found = classify(f"(component {instance('A', CANCEL, CALLBACK_LIFT)} {EXPORT_A})")
    assert found.class_ is AsyncClass.F1
    assert kinds(found) == [SiteKind.CANCEL_SUBTASK]
    at_once = CANCEL.replace("subtask.cancel", "subtask.cancel async")
    assert classify(f"(component {instance('A', at_once, CALLBACK_LIFT)} {EXPORT_A})").class_ is AsyncClass.F0


OBEYS = "obeys||(canon task.cancel)"


def chain(obeys: str, *, between: str = CANCEL, also: str = "", lift: str = CALLBACK_LIFT) -> Asynchrony:
    """C calls B calls A, each asynchronously, and cancels: C by `CANCEL`, B by `between`."""
    last = instance("A", obeys, CALLBACK_LIFT)
    middle = instance("B", f"{ASYNC_LOWER}\n{OBEYS}\n{between}", lift, IMPORT, '(with "f" (func $a "f"))')
    first = instance("C", f"{ASYNC_LOWER}\n{CANCEL}\n{also}", CALLBACK_LIFT, IMPORT, '(with "f" (func $b "f"))')
    return classify(f"""(component {last} {middle} {first} (func (export "h") (alias export $c "f")))""")


def test_sync_cancels_in_a_chain_are_hoped_to_be_obeyed_at_once() -> None:
    found = chain(OBEYS)
    assert (found.class_, found.blocking) == (AsyncClass.F0, frozenset())
    assert found.cancelling == found.reaching == {2, 3}
    assert [site.benign for site in found.sites] == [True, True]


def test_nothing_is_hoped_for_where_no_hope_is_needed() -> None:
    found = chain(OBEYS, between="")
    assert (found.class_, found.base, found.cancelling) == (AsyncClass.F1, 3, frozenset())


def test_a_callee_without_task_cancel_cannot_obey() -> None:
    found = chain("")
    assert (found.class_, found.cancelling) == (AsyncClass.F2, frozenset())
    assert obstacles(found) >= {Obstacle.TWO_BASES, Obstacle.ASYNC_CALLEE}


def test_a_chain_that_blocks_at_its_base_too_is_hoped_to_be_of_its_class() -> None:
    found = chain(OBEYS, also=WAIT)
    assert (found.class_, found.base, found.blocking) == (AsyncClass.F1, 3, {3})
    assert found.cancelling == {2, 3}


def test_hope_helps_not_against_what_blocks_otherwise() -> None:
    found = chain(OBEYS, between=f"{CANCEL}\n{WAIT}")
    assert (found.class_, found.cancelling) == (AsyncClass.F2, frozenset())


STREAM = "(type $s (stream u8))"


def test_a_sync_cancel_of_a_copy_is_benign_whoever_has_the_other_end() -> None:
    cancel = "cancel|(param i32) (result i32)|(canon stream.cancel-read $s)"
    inside = f"(component {instance('A', cancel, CALLBACK_LIFT, STREAM)} {EXPORT_A})"
    found = classify(inside)
    assert found.class_ is AsyncClass.F0
    assert [(site.kind, site.benign) for site in found.sites] == [(SiteKind.CANCEL_COPY, True)]

    def with_host(element: str) -> Asynchrony:
        lift = (
            f'(type $e (stream {element})) (func (export "f") async (param "x" $e) (canon lift (core func $code "h")))'
        )
        component = instance("A", cancel, lift, STREAM).replace(
            '(func (export "f")',
            '(func (export "h") (param i32) (drop (call $cancel (i32.const 0)))) (func (export "f")',
            1,
        )
        return classify(f"(component {component} {EXPORT_A})")

    # the engine waits for the host's answer
    assert with_host("u8").class_ is AsyncClass.F0
    assert with_host("s8").class_ is AsyncClass.F0


def test_a_sync_read_blocks_and_an_async_one_does_not() -> None:
    for options, class_ in (("", AsyncClass.F1), ("async", AsyncClass.F0)):
        read = f'read|(param i32 i32 i32) (result i32)|(canon stream.read $s {options} (memory (core memory $mem "m")))'
        found = classify(f"(component {instance('A', read, CALLBACK_LIFT, STREAM)} {EXPORT_A})")
        assert found.class_ is class_


WRITE = 'write|(param i32 i32 i32) (result i32)|(canon stream.write $s async (memory (core memory $mem "m")))'
START = '(func (export "f") {0} (canon lift (core func $code "f")))'


def test_work_left_by_a_sync_typed_export_is_orphaned_if_a_task_can_wait_for_it() -> None:
    writer = instance("A", WRITE, START.format(""), STREAM)
    waiter = instance("B", "", CALLBACK_LIFT)
    found = classify(f"(component {writer} {waiter} {EXPORT_A} {EXPORT_B})")
    assert [each.obstacle for each in found.orphans] == [Obstacle.ORPHANS]
    # an async-typed export has an engine task that goes on
    again = instance("A", WRITE, START.format("async"), STREAM)
    assert not classify(f"(component {again} {waiter} {EXPORT_A} {EXPORT_B})").orphans
    # nobody waits in an event loop
    assert not classify(f"(component {writer} {EXPORT_A})").orphans
    # making a set leaves nothing to do
    maker = instance("A", "new|(result i32)|(canon waitable-set.new)", START.format(""))
    assert not classify(f"(component {maker} {waiter} {EXPORT_A} {EXPORT_B})").orphans


def test_a_call_that_leaves_no_work_needs_nobody_to_come_back_for_it() -> None:
    found = classify(f"(component {instance('A', WRITE, SYNC_LIFT, STREAM)} {instance('B', '', SYNC_LIFT)} {EXPORT_A})")
    assert found.working == {0}
