"""The component text of one instance: its types, what it imports, its canonical definitions and its lifts."""

from __future__ import annotations

from typing import Final

from tests.support.asyncwebs.common import common
from tests.support.asyncwebs.program import Instance, Web
from tests.support.asyncwebs.steps import functions

TYPES: Final = {
    "number": 'async (param "x" u32) (result u32)',
    "text": 'async (param "x" string) (result string)',
    "lend": 'async (param "x" (borrow $thing)) (result u32)',
    "own": 'async (param "x" (own $thing)) (result (own $thing))',
}
OPTIONS: Final = '(memory (core memory $memory "m")) (realloc (core func $memory "realloc"))'
_SYNC: Final = {"text": "(param i32 i32 i32)"}
_ASYNC: Final = {"text": "(param i32 i32 i32) (result i32)"}
_END: Final = "(param i32) (result i32)"


def exported(web: Web, number: int) -> dict[str, str]:
    """The functions of an instance that others call, by the names that they import them under, with their types."""
    instance, element = web.instances[number], web.element
    async_ = "" if instance.plain else "async "
    found = {f"i{number}-t{i}": TYPES[task.kind] for i, task in enumerate(instance.tasks)}
    found[f"i{number}-take"] = f'{async_}(param "x" {element.stream})'
    found[f"i{number}-give"] = f"{async_}(result {element.stream})"
    found[f"i{number}-ftake"] = f'{async_}(param "x" {element.future})'
    found[f"i{number}-fgive"] = f"{async_}(result {element.future})"
    found[f"i{number}-poke"] = async_.strip()
    if number == web.last:
        found["make"] = '(param "x" u32) (result (own $thing))'
    return found


def imported(web: Web, number: int) -> dict[str, str]:
    """What an instance imports of others."""
    found: dict[str, str] = {}
    for callee in web.instances[number].calls:
        found |= {name: type for name, type in exported(web, callee).items() if name != "make"}
    return found | ({} if number == web.last else {"make": exported(web, web.last)["make"]})


def component(web: Web, number: int) -> str:
    """The text of an instance's component, called `$I<number>`."""
    instance, element, defines = web.instances[number], web.element, number == web.last
    canon = _canon(web, number)
    imports = "" if defines else '(import "thing" (type $thing (sub resource)))'
    imports += "".join(f'\n  (import "{name}" (func ${name} {type}))' for name, type in imported(web, number).items())
    declared = "\n    ".join(f'(import "" "{name}" (func ${name} {type}))' for name, (_, type) in canon.items())
    lowered = "\n  ".join(f"(core func ${name}' (canon {text}))" for name, (text, _) in canon.items())
    given = " ".join(f"""(export "{name}" (func ${name}'))""" for name in canon)
    resource = """
  (core module $Dtor (import "" "log" (func $log (param i32)))
    (func (export "dtor") (param i32) (call $log (i32.add (i32.const 9000) (local.get 0)))))
  (core instance $dtor (instantiate $Dtor (with "" (instance (export "log" (func $log'))))))
  (type $thing' (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (export $thing "thing" (type $thing'))"""
    first, rest = lowered.split("\n", 1)
    return f"""
(component $I{number}
  (type $bytes (stream u8))
  (import "log" (func $log (param "x" u32)))
  {imports}
  (core module $Memory (memory (export "m") 1)
    (data (i32.const 0x400) "{_escaped(element.buffer)}") (data (i32.const 0x480) "instance {number:02}'s text")
    (global $top (mut i32) (i32.const 0x1000))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const 0xFFF8)))))
  (core instance $memory (instantiate $Memory))
  {first}
  {resource if defines else ""}
  (type $stream {element.stream}) (type $future {element.future})
  {rest}
  (core module $M
    (import "" "m" (memory 1))
    {declared}
    {common(element)}
    {functions(web, instance)})
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
  {_lifts(web, instance)})"""


def _escaped(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)


def _canon(web: Web, number: int) -> dict[str, tuple[str, str]]:
    """Everything that the core module may import: the canonical definition and the core type. `log` is first."""
    memory = '(memory (core memory $memory "m"))'
    buffer = OPTIONS if web.element.type else ""
    found = {"log": ("lower (func $log)", "(param i32)")}
    if number == web.last:
        found["make"] = ("resource.new $thing'", _END)
    found["thing-drop"] = ("resource.drop $thing", "(param i32)")
    for name, type in imported(web, number).items():
        kind = next((kind for kind, of in TYPES.items() if of == type), None)
        if kind is not None:
            found[name] = (f"lower (func ${name}) async {OPTIONS}", _ASYNC.get(kind, "(param i32 i32) (result i32)"))
            found[f"sync-{name}"] = (f"lower (func ${name}) {OPTIONS}", _SYNC.get(kind, _END))
        else:
            core = ("(param i32)" if "param" in type else "") + ("(result i32)" if "result" in type else "")
            found[name] = (f"lower (func ${name})", core)
    for prefix, type, lengths in (("", "stream", " i32"), ("f", "future", "")):
        copied = f"(param i32 i32{lengths}) (result i32)"
        found[f"{prefix}new"] = (f"{type}.new ${type}", "(result i64)")
        for op, end in (("read", "readable"), ("write", "writable")):
            found[f"{prefix}{op}"] = (f"{type}.{op} ${type} async {buffer}", copied)
            found[f"{prefix}cancel-{op}"] = (f"{type}.cancel-{op} ${type}", _END)
            found[f"{prefix}drop-{end}"] = (f"{type}.drop-{end} ${type}", "(param i32)")
    found["bytes-new"] = ("stream.new $bytes", "(result i64)")
    found |= {f"set-{op}": (f"waitable-set.{op} {memory}", "(param i32 i32) (result i32)") for op in ("wait", "poll")}
    for name, text, type in (
        ("set-new", "waitable-set.new", "(result i32)"),
        ("set-drop", "waitable-set.drop", "(param i32)"),
        ("join", "waitable.join", "(param i32 i32)"),
        ("cancel", "subtask.cancel", _END),
        ("call-drop", "subtask.drop", "(param i32)"),
        ("hold", "backpressure.inc", ""),
        ("let-in", "backpressure.dec", ""),
        ("context-get", "context.get i32 0", "(result i32)"),
        ("context-set", "context.set i32 0", "(param i32)"),
        ("return-number", f"task.return (result u32) {memory}", "(param i32)"),
        ("return-text", f"task.return (result string) {memory}", "(param i32 i32)"),
        ("return-own", f"task.return (result (own $thing)) {memory}", "(param i32)"),
        ("task-cancel", "task.cancel", ""),
        ("thread-yield", "thread.yield", "(result i32)"),
    ):
        found[name] = (text, type)
    return found


def _lifts(web: Web, instance: Instance) -> str:
    """The functions that others call; of the first one, `run` and `poke`, which the host calls."""
    lifts = []
    for index, task in enumerate(instance.tasks):
        name = f"i{instance.number}-t{index}"
        callback = 'async (callback (core func $m "callback"))' if task.callback else ""
        outer = "run" if instance.number == 0 else name
        lifts.append(
            f'(func (export "{outer}") {TYPES[task.kind]} (canon lift (core func $m "{name}") {callback} {OPTIONS}))'
        )
    if instance.number == 0:
        return "\n  ".join([*lifts, '(func (export "poke") async (canon lift (core func $m "poke")))'])
    types = exported(web, instance.number)
    for what in ("take", "give", "ftake", "fgive", "poke"):
        name = f"i{instance.number}-{what}"
        lifts.append(f'(func (export "{name}") {types[name]} (canon lift (core func $m "{what}")))')
    if "make" in types:
        lifts.append(f"""(core func $new (canon resource.new $thing'))
  (func (export "make") {types["make"]} (canon lift (core func $new)))""")
    return "\n  ".join(lifts)
