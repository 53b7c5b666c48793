"""What guest code does at a moment: one of ACTIONS, by one of WAYS.

A fuser may leave out a check where it can prove that nothing breaks the rule; so there are all the ways in which one
core function comes to call another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEAVE: Final = "cannot leave component instance"
THROWN: Final = "uncaught exception"


@dataclass(frozen=True, slots=True)
class Action:
    """defs: canonical definitions; given: what the core module imports; prepare, act: core instructions."""

    defs: str
    given: tuple[tuple[str, str, str], ...]
    prepare: str
    act: str
    trap: str | None


def _call(name: str, func: str) -> Action:
    return Action(
        f"(core func $it (canon lower (func ${func})))", (("it", "(func $it)", "$it"),), "", "(call $it)", LEAVE
    )


NEW = "(func $new (param i32) (result i32))"
DROP = "(func $drop (param i32))"
_HOLD = "(global.set $held (call $new (i32.const 7)))"
ACTIONS: Final = {
    "throw": Action("", (), "", "(throw $oops)", THROWN),
    "host import": _call("host", "host"),
    "import of another instance": _call("log", "log"),
    "resource.new": Action(
        "(core func $new (canon resource.new $mine))", (("new", NEW, "$new"),), "",
        "(drop (call $new (i32.const 7)))", LEAVE,
    ),
    "resource.drop": Action(
        "(core func $new (canon resource.new $mine)) (core func $drop (canon resource.drop $mine))",
        (("new", NEW, "$new"), ("drop", DROP, "$drop")), _HOLD, "(call $drop (global.get $held))", LEAVE,
    ),
    "resource.drop of another's": Action(
        '(core func $new (canon lower (func $d "make"))) (core func $drop (canon resource.drop $theirs))',
        (("new", NEW, "$new"), ("drop", DROP, "$drop")), _HOLD, "(call $drop (global.get $held))", LEAVE,
    ),
    "resource.rep": Action(
        "(core func $new (canon resource.new $mine)) (core func $rep (canon resource.rep $mine))",
        (("new", NEW, "$new"), ("rep", "(func $rep (param i32) (result i32))", "$rep")), _HOLD,
        "(drop (call $rep (global.get $held)))", None,
    ),
}  # fmt: skip
"""The things that can be done, and the trap that they are at a moment when they may not be; None: they may always."""

THROWS: Final = {
    "throw_ref": """(block $ref (result exnref)
      (try_table (catch_all_ref $ref) (throw $oops)) (unreachable)) (throw_ref)""",
    "past a catch of another tag": "(block $no (try_table (catch $other $no) (throw $oops)))",
    "from a catch": "(block $yes (try_table (catch_all $yes) (throw $other)) (return)) (throw $oops)",
}
"""Other ways to throw."""

WAYS: Final = {
    "call": ("", "(call $do)"),
    "return_call": ("(func $tail (return_call $do))", "(call $tail)"),
    "call_indirect": ("(table $t 1 1 funcref) (elem (i32.const 0) func $do)", "(call_indirect $t (i32.const 0))"),
    "return_call_indirect": (
        "(table $t 1 1 funcref) (elem (i32.const 0) func $do) (func $tail (return_call_indirect $t (i32.const 0)))",
        "(call $tail)",
    ),
    "table.set": (
        "(table $t 1 1 funcref) (elem declare func $do)",
        "(table.set $t (i32.const 0) (ref.func $do)) (call_indirect $t (i32.const 0))",
    ),
    "table.init": (
        "(table $t 1 1 funcref) (elem $late func $do)",
        "(table.init $t $late (i32.const 0) (i32.const 0) (i32.const 1)) (call_indirect $t (i32.const 0))",
    ),
    "call_ref": ("(elem declare func $do)", "(call_ref $void (ref.func $do))"),
    "return_call_ref": ("(elem declare func $do) (func $tail (return_call_ref $void (ref.func $do)))", "(call $tail)"),
    "global": ("(global $ref (ref $void) (ref.func $do))", "(call_ref $void (global.get $ref))"),
    "start function": (
        "(elem declare func $do) (global $late (mut (ref null $void)) (ref.null $void))"
        " (func $start (global.set $late (ref.func $do))) (start $start)",
        "(call_ref $void (global.get $late))",
    ),
    "another module's table": ('(table $t (export "table") 1 1 funcref)', "(call_indirect $t (i32.const 0))"),
}
"""How the function that acts is called: definitions and instructions. The last: a module that is instantiated later
puts it into the table."""


def act_module(action: Action, second: bool, way: str = "call") -> str:
    """The actor's decisions. second: the moment counts when it comes for the second time."""
    imports = " ".join(f'(import "" "{name}" {type})' for name, type, _ in action.given)
    given = " ".join(f'(export "{name}" (func {func}))' for name, _, func in action.given)
    args = f'(with "" (instance {given}))' if given else ""
    definitions, call = WAYS[way]
    do = f"(tag $oops) (tag $other) (func $do (type $void) {action.act})"
    here, later = f"{imports} {do}", ""
    if way == "another module's table":
        here = ""
        later = f"""(core module $Later
      (type $void (func)) {imports} (import "act" "table" (table 1 1 funcref)) {do}
      (elem (i32.const 0) func $do))
    (core instance (instantiate $Later {args} (with "act" (instance $act))))"""
        args = ""
    safe = f"(block $caught (try_table (catch_all $caught) {call}))" if action.trap == THROWN else call
    return f"""{action.defs}
    (core module $Act
      (type $void (func))
      {here}
      {definitions}
      (global $when (mut i32) (i32.const 0))
      (global $times (mut i32) (i32.const {1 if second else 0}))
      (global $held (mut i32) (i32.const 0))
      (func (export "prepare") (param i32) {action.prepare} (global.set $when (local.get 0)))
      (func (export "body") (if (i32.eq (global.get $when) (i32.const 1)) (then {safe})))
      (func (export "moment")
        (if (global.get $times) (then (global.set $times (i32.const 0)) (return)))
        (if (i32.eq (global.get $when) (i32.const 3)) (then {safe}))
        (if (i32.eq (global.get $when) (i32.const 2)) (then (global.set $when (i32.const 0)) {call}))))
    (core instance $act (instantiate $Act {args}))
    {later}"""


IDLE: Final = """
    (core module $Act
      (func (export "prepare") (param i32)) (func (export "body")) (func (export "moment")))
    (core instance $act (instantiate $Act))"""
