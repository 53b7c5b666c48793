"""What guest code may not do when it is called: throw out of a call, or leave while it allocates or cleans up.

A consumer calls a provider. One of the two is the actor: at one moment (its body, its realloc, its post-return, its
destructor) it does one thing (throws, calls an import, uses a resource built-in). Each pair of moment and action is a
composition of its own, so that whatever the fuser proves about it rests on that pair alone. The consumer would catch
any exception that reached it, and then say so.

`run(when)`: 0 never acts, 1 acts in the body of a call that is made to the actor, where it may, 2 acts at the moment,
and 3, for exceptions, at the moment too but catches what it throws. 1 is returned, or 99 for an exception caught.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.support.trapcases.acting import ACTIONS, DROP, IDLE, LEAVE, NEW, THROWN, THROWS, WAYS, Action, act_module
from tests.support.trapcases.case import Case, Played, Step

DEFINER: Final = """
  (component $Definer
    (core module $M (func (export "dtor") (param i32)))
    (core instance $m (instantiate $M))
    (type $r (resource (rep i32) (dtor (core func $m "dtor"))))
    (core func $new (canon resource.new $r))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new))))
  (component $Logger
    (core module $M (func (export "log")))
    (core instance $m (instantiate $M))
    (func (export "log") (canon lift (core func $m "log"))))
  (instance $definer (instantiate $Definer))
  (instance $logger (instantiate $Logger))"""

IMPORTS: Final = """
    (import "host" (func $host))
    (import "log" (func $log))
    (import "d" (instance $d
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))))
    (alias export $d "r" (type $theirs))
    (type $mine (resource (rep i32)))"""

WITH: Final = '(with "host" (func $host)) (with "log" (func $logger "log")) (with "d" (instance $definer))'


TYPES: Final = {"top": "string", "nested": "(option (list string))"}
"""What is allocated; nested: the second block counts, that of the string."""
FLAT: Final = {"top": "i32 i32", "nested": "i32 i32 i32"}
ARGS: Final = {"top": "(i32.const 64) (i32.const 2)", "nested": "(i32.const 1) (i32.const 80) (i32.const 1)"}
DATA: Final = {
    "top": r'(data (i32.const 32) "\40\00\00\00\02\00\00\00")',
    "nested": r'(data (i32.const 32) "\01\00\00\00\50\00\00\00\01\00\00\00")',
}


MEMORY: Final = r"""
    (core module $Memory
      (import "act" "moment" (func $moment))
      (memory (export "memory") 1)
      (global $next (mut i32) (i32.const 4096))
      (data (i32.const 64) "hi") (data (i32.const 80) "\40\00\00\00\02\00\00\00") {data}
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        {hook}
        (global.set $next (i32.add (global.get $next) (i32.const 64)))
        (global.get $next)))
    (core instance $memory (instantiate $Memory (with "act" (instance $act))))"""
OPTIONS: Final = '(memory (core memory $memory "memory"))'
REALLOC: Final = '(realloc (core func $memory "realloc"))'
MOMENT: Final = "(call $moment)"


def composition(moment: str, action: Action, shape: str, way: str = "call", holds: bool = False) -> str:
    """moment: one of MOMENTS. holds: the consumer has handles of the provider's, so that both need tables of ours."""
    acting = act_module(action, shape == "nested", way)
    consumer_acts = moment == "result"
    signature = {"params": f'(param "v" {TYPES[shape]})', "result": f"(result {TYPES[shape]})"}.get(
        moment, "(result u32)"
    )
    return f"""(component
  (import "host" (func $host))
  {DEFINER}
  {_provider(moment, IDLE if consumer_acts else acting, shape, signature)}
  {_consumer(moment, acting if consumer_acts else IDLE, shape, signature, holds)}
  (instance $provider (instantiate $Provider {WITH}))
  (instance $consumer (instantiate $Consumer {WITH} (with "p" (instance $provider))))
  (export "run" (func $consumer "run")))"""


def _memory(hook: bool, data: str = "") -> str:
    return MEMORY.format(hook=MOMENT if hook else "", data=data)


def _provider(moment: str, acting: str, shape: str, signature: str) -> str:
    params = f"(param {FLAT[shape]})" if moment == "params" else ""
    result = "" if moment == "params" else "(result i32)"
    returned = {"params": "", "result": "(i32.const 32)"}.get(moment, "(i32.const 1)")
    here = MOMENT if moment == "body" else ""
    post = MOMENT if moment == "post-return" else ""
    dtor = MOMENT if "destructor" in moment else ""
    options = f"{OPTIONS} {REALLOC if moment == 'params' else ''}"
    if moment == "post-return":
        options += ' (post-return (core func $m "post"))'
    drops = "(call $drop (call $new (i32.const 3)))" if moment.startswith("own") else ""
    return f"""(component $Provider
    {IMPORTS}
    {acting}
    {_memory(moment == "params", DATA[shape])}
    (core module $Dtor
      (import "act" "moment" (func $moment))
      (func (export "dtor") (param i32) {dtor}))
    (core instance $dtor (instantiate $Dtor (with "act" (instance $act))))
    (type $box (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $box-new (canon resource.new $box))
    (core func $box-drop (canon resource.drop $box))
    (core module $M
      (import "act" "prepare" (func $prepare (param i32)))
      (import "act" "body" (func $body))
      (import "act" "moment" (func $moment))
      (import "box" "new" {NEW})
      (import "box" "drop" {DROP})
      (func (export "prepare") (param i32) (call $prepare (local.get 0)))
      (func (export "f") {params} {result} (call $body) {here} {drops} {returned})
      (func (export "make") (result i32) (call $new (i32.const 3)))
      (func (export "post") (param i32) {post}))
    (core instance $m (instantiate $M
      (with "act" (instance $act))
      (with "box" (instance (export "new" (func $box-new)) (export "drop" (func $box-drop))))))
    (export $x "box" (type $box))
    (func (export "prepare") (param "when" u32) (canon lift (core func $m "prepare")))
    (func (export "make") (result (own $x)) (canon lift (core func $m "make")))
    (func (export "f") {signature} (canon lift (core func $m "f") {options})))"""


def _consumer(moment: str, acting: str, shape: str, signature: str, holds: bool) -> str:
    """It prepares both, and calls `f` inside a block that catches everything."""
    params = f"(param {FLAT[shape]})" if moment == "params" else ""
    if moment == "result":
        params, result, call = "(param i32)", "", "(call $f (i32.const 16))"
    elif moment == "params":
        result, call = "", f"(call $f {ARGS[shape]})"
    else:
        result, call = "(result i32)", "(drop (call $f))"
    if holds or moment in ("destructor", "own destructor"):
        call += " (call $drop (call $make))"
    options = f"{OPTIONS} {REALLOC if moment == 'result' else ''}"
    return f"""(component $Consumer
    {IMPORTS}
    (import "p" (instance $p
      (export "box" (type $box (sub resource)))
      (export "prepare" (func (param "when" u32)))
      (export "make" (func (result (own $box))))
      (export "f" (func {signature}))))
    (alias export $p "box" (type $box))
    {acting}
    {_memory(moment == "result")}
    (core func $prepare (canon lower (func $p "prepare")))
    (core func $make (canon lower (func $p "make")))
    (core func $drop-box (canon resource.drop $box))
    (core func $f (canon lower (func $p "f") {options}))
    (core module $M
      (import "act" "prepare" (func $prepare (param i32)))
      (import "act" "body" (func $body))
      (import "p" "prepare" (func $prepare-it (param i32)))
      (import "p" "make" (func $make (result i32)))
      (import "p" "drop" {DROP})
      (import "p" "f" (func $f {params} {result}))
      (func (export "run") (param i32) (result i32)
        (call $prepare (local.get 0))
        (call $prepare-it (local.get 0))
        (call $body)
        (block $caught
          (try_table (catch_all $caught) {call})
          (return (i32.const 1)))
        (i32.const 99)))
    (core instance $m (instantiate $M
      (with "act" (instance $act))
      (with "p" (instance
        (export "prepare" (func $prepare)) (export "make" (func $make)) (export "drop" (func $drop-box))
        (export "f" (func $f))))))
    (func (export "run") (param "when" u32) (result u32) (canon lift (core func $m "run"))))"""


MOMENTS: Final = {
    "body": ("callee", "callee: body"),
    "params": ("realloc", "params"),
    "result": ("realloc", "result"),
    "post-return": ("post-return", "callee: post-return"),
    "destructor": ("destructor", "callee: destructor"),
    "own destructor": ("destructor", "callee: destructor of its own"),
    "own destructor, no table": ("destructor", "callee: destructor of its own"),
}
"""The moments: what a condition's name says of them, and the position. Without a table of ours for the resource type,
it is the engine's canonical built-in that calls the destructor, and that says what is wrong."""
DIRECT: Final = ' (export "prepare" (func $provider "prepare")) (export "direct" (func $provider "f")))'
FREE: Final = ("body", "destructor", "own destructor", "own destructor, no table")
"""The moments at which a guest may leave."""
IN_POST_RETURN: Final = "leave-in-post-return"


def cases() -> Iterator[Case]:
    for moment, (word, place) in MOMENTS.items():
        for shape in TYPES if word == "realloc" else ("top",):
            for name, action in ACTIONS.items():
                position = f"{place}: {shape}" if word == "realloc" else place
                if action.trap == THROWN:
                    condition = f"throw-{word}"
                elif action.trap is None or moment in FREE:
                    continue
                else:
                    condition = f"leave-{'builtin' if name.startswith('resource') else 'import'}-{word}"
                played = Played(composition(moment, action, shape), _runs(moment, action), ("host",))
                yield played.case(condition, position, f"{name}, {position}")


def at_the_edge() -> Iterator[Case]:
    """The host calls the provider itself; then engine and fused form share the checks."""
    for moment, args in (("body", ()), ("params", ("hi",)), ("post-return", ())):
        word = MOMENTS[moment][0]
        for name, action in ACTIONS.items():
            if action.trap is None or (moment in FREE and action.trap == LEAVE):
                continue
            kind = "builtin" if name.startswith("resource") else "import"
            condition = f"throw-{word}" if action.trap == THROWN else f"leave-{kind}-{word}"
            runs = []
            for when in (0, 1, 2):
                trap = action.trap if when == 2 else None
                call = Step("direct", args, returns=None if args else 1, trap=trap, by_engine=True)
                safe = 3 if action.trap == THROWN and when == 1 and moment != "body" else when
                runs.append((Step("prepare", (safe,)), call))
            text = composition(moment, action, "top").removesuffix(")") + DIRECT
            yield Played(text, tuple(runs), ("host",)).case(
                condition, "host: export", f"{name}, {moment}, called by the host"
            )


def with_tables() -> Iterator[Case]:
    """The built-ins again, where they are ours: without tables of ours they are the engine's, behind a check."""
    for moment in ("params", "result", "post-return"):
        word, place = MOMENTS[moment]
        for name in ("resource.new", "resource.drop"):
            position = f"{place}: top" if word == "realloc" else place
            text = composition(moment, ACTIONS[name], "top", holds=True)
            played = Played(text, _runs(moment, ACTIONS[name]), ("host",))
            yield played.case(f"leave-builtin-{word}", position, f"{name}, {position}, in a table of ours")


def by_all_ways() -> Iterator[Case]:
    """Throwing and leaving, however the function that does it is called."""
    for moment, action, condition in (
        ("body", "throw", "throw-callee"),
        ("params", "throw", "throw-realloc"),
        ("result", "throw", "throw-realloc"),
        ("post-return", "throw", "throw-post-return"),
        ("destructor", "throw", "throw-destructor"),
        ("params", "host import", "leave-import-realloc"),
        ("result", "import of another instance", "leave-import-realloc"),
        ("post-return", "import of another instance", "leave-import-post-return"),
        ("params", "resource.new", "leave-builtin-realloc"),
    ):
        place = MOMENTS[moment][1]
        position = f"{place}: top" if moment in ("params", "result") else place
        chosen = ACTIONS[action]
        tried = [(way, chosen, way) for way in WAYS if way != "call"]
        if action == "throw":
            tried += [(name, replace(chosen, act=act), "call") for name, act in THROWS.items()]
        for name, doing, way in tried:
            played = Played(composition(moment, doing, "top", way), _runs(moment, doing)[-2:], ("host",))
            yield played.case(condition, position, f"{action}, {position}, {name}")


def neighbours() -> Iterator[Case]:
    """What may be done at these moments."""
    for moment, (_, place) in MOMENTS.items():
        for name, action in ACTIONS.items():
            if action.trap is None or (moment in FREE and action.trap == LEAVE):
                runs = tuple((Step("run", (when,), returns=1),) for when in (0, 1, 2))
                played = Played(composition(moment, action, "top"), runs, ("host",))
                yield played.case("may-leave", place, f"{name}, {place}")


def _runs(moment: str, action: Action) -> tuple[tuple[Step, ...], ...]:
    fine = [Step("run", (when,), returns=1) for when in ((0, 1, 3) if action.trap == THROWN else (0, 1))]
    divergence = IN_POST_RETURN if moment == "post-return" and action.trap == LEAVE else None
    bad = Step("run", (2,), trap=action.trap, divergence=divergence, by_engine=moment.endswith("no table"))
    return (*((step,) for step in fine), (fine[0], bad))
