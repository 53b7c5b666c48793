"""The WAT of a topology. Numbers on the tape and in the log are bytes below 128; on the tape 127 stands for -1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.flows.topology import HOST, Func, Known, Slot, Topology

# Operations of an instance; those after DROP are one per known resource type, then one per imported function.
END: Final = 0
FLUSH: Final = 1
NEW: Final = 2
REP: Final = 3
DROP: Final = 4

# Marks in the log.
DONE: Final = 120
DESTRUCTOR: Final = 110
INSTANCE: Final = 64
MINUS_ONE: Final = 127


def number_of_func(func: Func, node: Known) -> int:
    """How a function calls itself in the log."""
    return node.funcs.index(func)


def wat(topology: Topology, package: str = "") -> str:
    """`package`: in front of the names of what the composition imports and exports."""
    nodes = [node for node in topology.known.values() if not node.is_host]
    texts = {node.number: _component(node) for node in nodes}
    definitions = {text: f"$K{i}" for i, text in enumerate(dict.fromkeys(texts.values()))}
    parts = ['(import "flush" (func $flush (param "s" string)))']
    if HOST in topology.known:
        parts.append(_import(HOST, topology.known[HOST], {}, package))
    parts.append(_tape(len(nodes)))
    parts.append('(instance $tape (instantiate $Tape (with "flush" (func $flush))))')
    parts += [f"(component {name} {text})" for text, name in definitions.items()]
    for node in nodes:
        tape = " ".join(
            f'(export "{name}" (func $tape "{there}"))'
            for name, there in (("next", "next"), ("flush", "flush"), ("log", f"log{node.number}"))
        )
        given = " ".join(f'(with "{p.node.name if p.is_host else f"p{i}"}" (instance ${p.node.name}))'
                         for i, p in enumerate(node.providers))  # fmt: skip
        definition = definitions[texts[node.number]]
        parts.append(f'(instance ${node.node.name} (instantiate {definition} (with "tape" (instance {tape})) {given}))')
        if not node.node.hidden:
            parts.append(f'(export "{package}{node.node.name}" (instance ${node.node.name}))')
    parts += ['(export "load" (func $tape "load"))', '(export "flush-rest" (func $tape "flush"))']
    return "(component\n" + "\n".join(parts) + ")"


def _tape(instances: int) -> str:
    logs = "\n".join(
        f'(func (export "log{i}") (param i32) (call $put (i32.const {INSTANCE + i})) (call $put (local.get 0)))'
        for i in range(instances)
    )
    lifted = "\n".join(
        f'(func (export "log{i}") (param "x" u32) (canon lift (core func $m "log{i}")))' for i in range(instances)
    )
    return f"""
(component $Tape
  (import "flush" (func $flush (param "s" string)))
  (core module $Memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $Memory))
  (core func $flushed (canon lower (func $flush) (memory (core memory $memory "memory"))))
  (core module $M
    (import "m" "memory" (memory 1))
    (import "m" "flush" (func $flush (param i32 i32)))
    (global $at (mut i32) (i32.const 0))
    (global $end (mut i32) (i32.const 32768))
    (func (export "load") (param i32 i32) (global.set $at (local.get 0)))
    (func (export "next") (result i32)
      (i32.load8_u (global.get $at))
      (global.set $at (i32.add (global.get $at) (i32.const 1))))
    (func $put (param i32)
      (i32.store8 (global.get $end) (i32.and (local.get 0) (i32.const 127)))
      (global.set $end (i32.add (global.get $end) (i32.const 1))))
    (func (export "flush")
      (call $flush (i32.const 32768) (i32.sub (global.get $end) (i32.const 32768)))
      (global.set $end (i32.const 32768)))
    {logs})
  (core instance $m (instantiate $M (with "m" (instance
    (export "memory" (memory $memory "memory")) (export "flush" (func $flushed))))))
  (func (export "load") (param "s" string)
    (canon lift (core func $m "load")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (func (export "next") (result u32) (canon lift (core func $m "next")))
  (func (export "flush") (canon lift (core func $m "flush")))
  {lifted})
"""


def _import(name: str, provider: Known, known: dict[int, str], package: str = "") -> str:
    """An instance import. known: the names of resource types that came before."""
    lines = [f'(import "{package}{name}" (instance ${name}']
    for local, type in enumerate(provider.types):
        bound = f"(eq {known[type]})" if type in known else "(sub resource)"
        lines.append(f'(export "t{local}" (type $t{local} {bound}))')
    lines += [f'(export "{func.name}" (func {func.text}))' for func in provider.funcs]
    return "\n  ".join(lines) + "))"


def _component(node: Known) -> str:
    """The body of the node's definition, which has nothing of the node itself but its shape."""
    names = {type: f"$known{local}" for local, type in enumerate(node.types)}
    parts = [
        """(import "tape" (instance $tape
          (export "next" (func (result u32)))
          (export "log" (func (param "x" u32)))
          (export "flush" (func))))""",
        *_provided(node, names),
        """(core module $Memory
          (memory (export "memory") 1)
          (table (export "table") 1 1 funcref)
          (type $dtor (func (param i32)))
          (global $top (mut i32) (i32.const 1024))
          (func (export "dtor") (param i32) (call_indirect (type $dtor) (local.get 0) (i32.const 0)))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $top)
            (global.set $top (i32.add (global.get $top) (local.get 3)))))
        (core instance $memory (instantiate $Memory))""",
    ]
    builtins: list[tuple[str, str]] = []
    if node.node.own:
        dtor = '(dtor (core func $memory "dtor"))' if node.node.dtor else ""
        parts.append(f"(type $known0 (resource (rep i32) {dtor}))")
        builtins += [("new", "resource.new $known0"), ("rep", "resource.rep $known0")]
    builtins += [(f"drop{local}", f"resource.drop $known{local}") for local in range(len(node.types))]
    parts += [f"(core func ${name} (canon {canon}))" for name, canon in builtins]
    parts += [f'(core func ${name} (canon lower (func $tape "{name}")))' for name in ("next", "log", "flush")]
    for p, func in node.imports:
        parts.append(
            f'(core func ${_place(node, p)}-{func.name} (canon lower (func ${_place(node, p)} "{func.name}")'
            ' (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))'
        )
    parts.append(_main(node, [name for name, _ in builtins]))
    handed = ["next", "log", "flush", *(name for name, _ in builtins)]
    handed += [f"{_place(node, p)}-{func.name}" for p, func in node.imports]
    exports = " ".join(f'(export "{name}" (func ${name}))' for name in handed)
    parts.append(
        f"""(core instance $main (instantiate $Main
          (with "memory" (instance $memory)) (with "" (instance {exports}))))"""
    )
    parts += [f'(export $t{local} "t{local}" (type $known{local}))' for local in range(len(node.types))]
    parts += [
        f'(func (export "{func.name}") {func.text} (canon lift (core func $main "{func.name}")'
        f' (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")) {_post_return(func)}))'
        for func in node.funcs
    ]
    return "\n".join(parts)


def _post_return(func: Func) -> str:
    """Some functions have one, which checks that it is given what the function returned."""
    if func.result is None or func.type % 2:
        return ""
    return '(post-return (core func $main "post-return"))'


def _place(node: Known, provider: Known) -> str:
    return provider.node.name if provider.is_host else f"p{node.providers.index(provider)}"


def _provided(node: Known, names: dict[int, str]) -> Iterator[str]:
    known: dict[int, str] = {}
    for provider in node.providers:
        place = _place(node, provider)
        yield _import(place, provider, known)
        for local, type in enumerate(provider.types):
            if type not in known:
                known[type] = names[type]
                yield f'(alias export ${place} "t{local}" (type {names[type]}))'


def _main(node: Known, builtins: list[str]) -> str:
    """The core module: the interpreter, and the exported functions around it."""
    imports = []
    operations = ["(return)", "(call $flush)"]
    operations += [_operation("new", 1, True), _operation("rep", 1, True)] if node.node.own else ["(unreachable)"] * 2
    for name in builtins:
        result = "" if name.startswith("drop") else "(result i32)"
        imports.append(f'(import "" "{name}" (func ${name} (param i32) {result}))')
    operations += [_operation(f"drop{local}", 1, False) for local in range(len(node.types))]
    for p, func in node.imports:
        name = f"{_place(node, p)}-{func.name}"
        core = func.core
        if func.result is not None and func.result.many:
            core = core.replace(") (result i32)", " i32)")
        imports.append(f'(import "" "{name}" (func ${name} {core}))')
        operations.append(_call(name, func))
    assert len(operations) < MINUS_ONE
    blocks = "\n".join("(block" for _ in operations)
    targets = " ".join(map(str, range(len(operations))))
    bodies = "\n".join(f") {text} (br $again)" for text in operations)
    loop = f"(loop $again (block {blocks} (br_table {targets} {len(operations)} (call $next)) {bodies} ) unreachable)"
    # a branch to the block behind the last operation traps: the tape was misread
    return f"""
(core module $Main
  (import "memory" "memory" (memory 1))
  (import "memory" "table" (table 1 1 funcref))
  (import "memory" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "" "next" (func $next (result i32)))
  (import "" "log" (func $log (param i32)))
  (import "" "flush" (func $flush))
  {" ".join(imports)}
  (elem (i32.const 0) $dtor)
  (func $alloc (param i32) (result i32) (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (local.get 0)))
  (func $in (result i32) (local i32)
    (local.set 0 (call $next))
    (select (i32.const -1) (local.get 0) (i32.eq (local.get 0) (i32.const {MINUS_ONE}))))
  (func $in-list (result i32 i32) (local $count i32) (local $at i32) (local $i i32)
    (local.set $count (call $next))
    (local.set $at (call $alloc (i32.mul (local.get $count) (i32.const 4))))
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (i32.store (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 4))) (call $in))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (local.get $at) (local.get $count))
  (func $in-option (result i32 i32)
    (if (result i32 i32) (call $next)
      (then (i32.const 1) (call $in))
      (else (i32.const 0) (i32.const 0))))
  (func $log-option (param $case i32) (param $handle i32)
    (call $log (local.get $case))
    (if (local.get $case) (then (call $log (local.get $handle)))))
  (func $log-list (param $at i32) (param $count i32)
    (call $log (local.get $count))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $count)))
        (call $log (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $again))))
  (global $returned (mut i32) (i32.const 0))
  (func (export "post-return") (param i32)
    (if (i32.ne (local.get 0) (global.get $returned)) (then (unreachable))))
  (func $dtor (param i32)
    (call $log (i32.const {DESTRUCTOR})) (call $log (local.get 0)) (call $interpret))
  (func $interpret (local $area i32) (local $first i32) (local $second i32)
    {loop})
  {" ".join(_function(i, func) for i, func in enumerate(node.funcs))})
"""


def _operation(name: str, params: int, result: bool) -> str:
    call = f"(call ${name} {'(call $in) ' * params})"
    return f"(call $log {call})" if result else f"{call} (call $log (i32.const {DONE}))"


def _call(name: str, func: Func) -> str:
    args = _spilled(func) if func.spilled else " ".join(map(_read, func.params))
    if func.result is None:
        return f"{args} (call ${name}) (call $log (i32.const {DONE}))"
    if not func.result.many:
        return f"{args} (call ${name}) (call $log)"
    area = "(local.tee $area (call $alloc (i32.const 8)))"
    # what is called in between has an $area of its own
    return f"{args} {area} (call ${name}) {_log(func.result, *_pair('$area', 0))}"


def _read(slot: Slot) -> str:
    """The core values of a parameter, from the tape."""
    return "(call $in)" if slot.shape == "one" else f"(call $in-{slot.shape})"


def _spilled(func: Func) -> str:
    """All parameters to memory; their address."""
    lines, at = [], 0
    for slot in func.params:
        if slot.many:
            lines.append(f"""{_read(slot)} (local.set $second) (local.set $first)
              (i32.store offset={at} (local.get $area) (local.get $first))
              (i32.store offset={at + 4} (local.get $area) (local.get $second))""")
        else:
            lines.append(f"(i32.store offset={at} (local.get $area) {_read(slot)})")
        at += 4 + 4 * slot.many
    return f"(local.set $area (call $alloc (i32.const {at}))) {' '.join(lines)} (local.get $area)"


def _pair(base: str, at: int) -> tuple[str, str]:
    """Two words in memory."""
    return f"(i32.load offset={at} (local.get {base}))", f"(i32.load offset={at + 4} (local.get {base}))"


def _log(slot: Slot, first: str, second: str) -> str:
    return f"(call $log {first})" if slot.shape == "one" else f"(call $log-{slot.shape} {first} {second})"


def _function(number: int, func: Func) -> str:
    logs, at = [f"(call $log (i32.const {number}))"], 0
    for slot in func.params:
        first, second = _pair("0", 4 * at) if func.spilled else (f"(local.get {at})", f"(local.get {at + 1})")
        logs.append(_log(slot, first, second))
        at += 1 + slot.many
    result = ""
    if func.result is not None:
        result = "(local.set $area (call $in))"
        if func.result.many:
            result = f"""(local.set $area (call $alloc (i32.const 8)))
              {_read(func.result)} (local.set $second) (local.set $first)
              (i32.store (local.get $area) (local.get $first))
              (i32.store offset=4 (local.get $area) (local.get $second))"""
        result += " (global.set $returned (local.get $area)) (local.get $area)"
    return f"""(func (export "{func.name}") {func.core} (local $area i32) (local $first i32) (local $second i32)
      {" ".join(logs)} (call $interpret) {result})"""
