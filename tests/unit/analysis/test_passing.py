"""Whether async passes through to the engine: each condition, where it says no, and the neighbour that passes."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from meldpy.model.asynchrony import Against, Asynchrony
from meldpy.pipeline import scan
from tests.unit.resolver.build import graph_of

MEMORY = '(core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))'
BUILTINS = """
  (core func $return (canon task.return))
  (core func $new (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $mem "m"))))
  (core func $poll (canon waitable-set.poll (memory (core memory $mem "m"))))
  (core func $get (canon context.get i32 0))
  (core func $more (canon backpressure.inc))
"""
CORE = """
  (core module $M
    (import "" "return" (func $return))
    (import "" "new" (func $new (result i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (import "" "poll" (func $poll (param i32 i32) (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "more" (func $more))
    (import "" "help" (func $help))
    (func (export "run") (result i32)
      (drop (call $wait (call $new) (i32.const 0))) (call $help) (call $return) (i32.const 0))
    (func (export "event") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "plain") %s)
    (func $start (export "start") %s)
    %s)
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "new" (func $new)) (export "wait" (func $wait))
    (export "poll" (func $poll)) (export "get" (func $get)) (export "more" (func $more))
    (export "help" (func $help))))))
"""
RUN = '(func $run (export "run") async (canon lift (core func $m "run") async (callback (core func $m "event"))))'


def user(*, plain: str = "", start: str = "", starts: str = "", more: str = "") -> str:
    """The one instance that uses async: it waits, and calls a sync function of another."""
    return f"""
  (component $X
    (import "help" (func $help))
    {MEMORY} {BUILTINS}
    (core func $help (canon lower (func $help)))
    {CORE % (plain, start, starts)}
    {RUN}
    (func (export "plain") (canon lift (core func $m "plain")))
    {more})
  (instance $x (instantiate $X (with "help" (func $helper "help"))))
  (export "run" (func $x "run"))"""


HELPER = """
  (component $Helper
    (core module $M (func (export "help")))
    (core instance $m (instantiate $M))
    (func (export "help") (canon lift (core func $m "help")))
    %s)
  (instance $helper (instantiate $Helper %s))"""
LATER = """
  (component $Later
    (import "f" (func $f %s))
    (core func $f (canon lower (func $f)))
    (core module $M (import "" "f" (func $f)) (func (export "f") (call $f)))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (func (export "later") (canon lift (core func $m "f"))))
  (instance $later (instantiate $Later (with "f" (func $x "%s"))))
  (export "later" (func $later "later"))"""


def found(*parts: str) -> Asynchrony:
    return analyse(graph_of(f"(component {' '.join(parts)})"), scan).asynchrony


def against(*parts: str) -> set[str]:
    asynchrony = found(*parts)
    assert (asynchrony.passing is None) == bool(asynchrony.against)
    return {each.kind.name for each in asynchrony.against}


def test_async_of_one_instance_beside_a_sync_one_passes() -> None:
    asynchrony = found(HELPER % ("", ""), user())
    assert asynchrony.against == ()
    assert asynchrony.passing is not None


def test_without_async_there_is_no_question() -> None:
    asynchrony = found(HELPER % ("", ""), '(export "help" (func $helper "help"))')
    assert (asynchrony.passing, asynchrony.against) == (None, ())


def test_async_of_two_instances_does_not_pass() -> None:
    second = user().replace("$X", "$Y").replace("$x", "$y").replace('(export "run" (func $y', '(export "run2" (func $y')
    assert against(HELPER % ("", ""), user(), second) == {Against.SEVERAL.name}


# --- 1: the table -----------------------------------------------------------------------------------------------------
DROPS = """
    (import "r" (type $r (sub resource)))
    (core func $drop (canon resource.drop $r))
    (core module $D (import "" "drop" (func $drop (param i32)))
      (func (export "take") (param i32) (call $drop (local.get 0))))
    (core instance $d (instantiate $D (with "" (instance (export "drop" (func $drop))))))
    (func (export "take") (param "r" (own $r)) (canon lift (core func $d "take")))"""


def test_handles_of_another_instance_at_the_edge_are_in_the_way() -> None:
    helper = HELPER % (DROPS, '(with "r" (type $r))')
    imported = '(import "r" (type $r (sub resource)))'
    assert against(imported, helper, user(), '(export "take" (func $helper "take"))') == {Against.SHARED_TABLE.name}
    # nobody can call it
    assert against(imported, helper, user()) == set()


def test_handles_that_are_exchanged_with_the_instance_are_in_the_way() -> None:
    helper = HELPER % (
        """
    (type $r' (resource (rep i32)))
    (export $r "r" (type $r'))
    (core func $make (canon resource.new $r'))
    (core module $D (import "" "make" (func $make (param i32) (result i32)))
      (func (export "make") (result i32) (call $make (i32.const 1))))
    (core instance $d (instantiate $D (with "" (instance (export "make" (func $make))))))
    (func (export "make") (result (own $r)) (canon lift (core func $d "make")))""",
        "",
    )
    takes = """
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (result (own $r))))
    (core func $make (canon lower (func $make)))
    (core module $D (import "" "make" (func $make (result i32))) (func (export "take") (drop (call $make))))
    (core instance $d (instantiate $D (with "" (instance (export "make" (func $make))))))
    (func (export "take") (canon lift (core func $d "take")))"""
    x = user(more=takes).replace(
        '(with "help"', '(with "r" (type $helper "r")) (with "make" (func $helper "make")) (with "help"'
    )
    x += '(export "take" (func $x "take"))'
    assert against(helper, x) == {Against.SHARED_TABLE.name}


# --- 2: calls inside --------------------------------------------------------------------------------------------------
def test_an_async_function_that_is_called_inside_is_in_the_way() -> None:
    assert against(HELPER % ("", ""), user(), LATER % ("async", "run")) == {
        Against.CALLED_INSIDE.name,
        Against.SYNC_CALL.name,
    }


# --- 3: sync calls ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("(drop (call $new))", True),
        ("(drop (call $get))", True),
        ("(drop (call $poll (call $new) (i32.const 0)))", True),
        ("(call $more)", True),
        ("(call $return)", False),
        ("(drop (call $wait (call $new) (i32.const 0)))", False),
    ],
)
def test_a_function_that_is_called_inside_reaches_nothing_that_depends_on_its_task(body: str, passes: bool) -> None:
    expected = set() if passes else {Against.SYNC_CALL.name}
    assert against(HELPER % ("", ""), user(plain=body), LATER % ("", "plain")) == expected
    # the host may call it
    assert against(HELPER % ("", ""), user(plain=body), '(export "plain" (func $x "plain"))') == set()


def test_a_start_function_that_uses_async_is_in_the_way() -> None:
    assert against(HELPER % ("", ""), user(start="(drop (call $new))", starts="(start $start)")) == {
        Against.SYNC_CALL.name
    }
    assert against(HELPER % ("", ""), user(start="(drop (call $new))")) == set()
    assert against(HELPER % ("", ""), user(start="(call $help)", starts="(start $start)")) == set()


# --- 4 and 5: exports of others ---------------------------------------------------------------------------------------
OTHER_EXPORT = '(func (export "other") async (canon lift (core func $m "help")))'


def test_async_exports_of_another_instance_are_in_the_way() -> None:
    helper = HELPER % (OTHER_EXPORT, "")
    assert against(helper, user(), '(export "other" (func $helper "other"))') == {Against.OTHER_EXPORTS.name}
    # the host cannot call it
    assert against(helper, user()) == set()


def test_backpressure_holds_back_exports_of_its_own_instance_only() -> None:
    helper, exported = HELPER % (OTHER_EXPORT, ""), '(export "other" (func $helper "other"))'
    x = user(plain="(call $more)") + '(export "plain" (func $x "plain"))'
    assert against(helper, x, exported) == {Against.OTHER_EXPORTS.name, Against.BACKPRESSURE.name}
    assert against(helper, x) == set()


# --- what no output of ours can name ----------------------------------------------------------------------------------
def test_a_thread_that_starts_in_a_table_is_in_the_way() -> None:
    thread = """
    (core type $start (func (param i32)))
    (core module $T (table (export "t") 1 funcref))
    (core instance $t (instantiate $T))
    (core func $thread (canon thread.new-indirect $start (core table $t "t")))
    (core module $D (import "" "thread" (func $thread (param i32 i32) (result i32)))
      (func (export "go") (drop (call $thread (i32.const 0) (i32.const 0)))))
    (core instance $d (instantiate $D (with "" (instance (export "thread" (func $thread))))))
    (func (export "go") (canon lift (core func $d "go")))"""
    x = user(more=thread) + '(export "go" (func $x "go"))'
    assert against(HELPER % ("", ""), x) == {Against.THREAD_TABLE.name}
