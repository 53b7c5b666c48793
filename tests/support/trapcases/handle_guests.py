"""The guests that exchange handles, as component text, and the composition of them.

Two instances of one definer make two resource types that have all but their identity in common. A giver and taker (W)
and a passer (V) exchange handles with the driver (X), whose exports are called with the index to be used. In the
tables of X, W and of the definers, handle 1 is as it should be, 2 is of another type, 3 has been dropped, and 4 is as
it should be too; 5 and above were never there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """Of values that hold one handle, `$h` in these instructions.

    type: with %s for the handle. flat: core parameters. write: puts what is not flat into memory; args: the core
    arguments. read: the handle, from the parameters. answer: writes a result and leaves its pointer (or the handle);
    got: the handle, from the result (of the pointer 1024, or the flat `$got`).
    """

    type: str
    flat: str
    write: str
    args: str
    read: str
    answer: str
    got: str


_DEEP = "(i32.store8 (i32.const 256) (i32.const 1)) (i32.store (i32.const 264) (local.get $h))"
_LIST_AT_512 = "(i32.store (i32.const 512) (i32.const 256)) (i32.store (i32.const 516) (i32.const 1)) (i32.const 512)"
_CASE = "(i32.store8 (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (local.get $h)) (i32.const 512)"
_SECOND_WORD = "(i32.load (i32.const 1028))"
SHAPES: Final = {
    "top": Shape("%s", "i32", "", "(local.get $h)", "(local.get 0)", "(local.get $h)", "(local.get $got)"),
    "tuple": Shape(
        "(tuple u8 %s)", "i32 i32", "", "(i32.const 5) (local.get $h)", "(local.get 1)", _CASE, _SECOND_WORD
    ),
    "list": Shape(
        "(list %s)", "i32 i32", "(i32.store (i32.const 256) (local.get $h))", "(i32.const 256) (i32.const 1)",
        "(i32.load (local.get 0))", f"(i32.store (i32.const 256) (local.get $h)) {_LIST_AT_512}",
        "(i32.load (i32.load (i32.const 1024)))",
    ),
    "option": Shape(
        "(option %s)", "i32 i32", "", "(i32.const 1) (local.get $h)", "(local.get 1)", _CASE, _SECOND_WORD
    ),
    "result": Shape(
        "(result u8 (error %s))", "i32 i32", "", "(i32.const 1) (local.get $h)", "(local.get 1)", _CASE, _SECOND_WORD
    ),
    "deep": Shape(
        "(list (option (tuple u8 %s)))", "i32 i32", _DEEP, "(i32.const 256) (i32.const 1)",
        "(i32.load offset=8 (local.get 0))", f"{_DEEP} {_LIST_AT_512}",
        "(i32.load offset=8 (i32.load (i32.const 1024)))",
    ),
    "spilled": Shape(
        "%s", "i32", "(i32.store (i32.const 272) (local.get $h))", "(i32.const 256)",
        "(i32.load offset=16 (local.get 0))", "", "",
    ),
}  # fmt: skip
RETURNED: Final = [name for name in SHAPES if name != "spilled"]
KINDS: Final = ("own", "borrow")

MEMORY: Final = """
    (core module $Memory
      (memory (export "memory") 1)
      (global $next (mut i32) (i32.const 4096))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $next (i32.add (global.get $next) (i32.const 64)))
        (global.get $next)))
    (core instance $memory (instantiate $Memory))"""
OPTIONS: Final = '(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))'

DEFINER: Final = """
  (component $Definer
    (core module $Dtor (func (export "dtor") (param i32)))
    (core instance $dtor (instantiate $Dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (type $t (resource (rep i32)))
    (core func $new (canon resource.new $r))
    (core func $new-t (canon resource.new $t))
    (core func $rep (canon resource.rep $r))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "new-t" (func $new-t (param i32) (result i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "setup")
        (drop (call $new (i32.const 61)))
        (drop (call $new-t (i32.const 62)))
        (drop (call $new (i32.const 63)))
        (drop (call $new (i32.const 64)))
        (call $drop (i32.const 3)))
      (func (export "rep") (param i32) (result i32) (call $rep (local.get 0)))
      (func (export "drop") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance
      (export "new" (func $new)) (export "new-t" (func $new-t)) (export "rep" (func $rep)) (export "drop" (func $drop))
    ))))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "setup") (canon lift (core func $m "setup")))
    (func (export "rep") (param "h" u32) (result u32) (canon lift (core func $m "rep")))
    (func (export "drop") (param "h" u32) (result u32) (canon lift (core func $m "drop"))))"""
DEFINERS: Final = """
    (import "d" (instance $d
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "setup" (func))
      (export "rep" (func (param "h" u32) (result u32)))
      (export "drop" (func (param "h" u32) (result u32)))))
    (import "e" (instance $e
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))))
    (alias export $d "r" (type $r))
    (core func $make (canon lower (func $d "make")))
    (core func $make-s (canon lower (func $e "make")))
    (core func $drop (canon resource.drop $r))"""
MAKERS: Final = (
    ("make", "(func $make (param i32) (result i32))"),
    ("make-s", "(func $make-s (param i32) (result i32))"),
    ("drop", "(func $drop (param i32))"),
)
SETUP: Final = """(func $setup
        (drop (call $make (i32.const 51)))
        (drop (call $make-s (i32.const 52)))
        (drop (call $make (i32.const 53)))
        (drop (call $make (i32.const 54)))
        (call $drop (i32.const 3)))"""


@dataclass(frozen=True, slots=True)
class Func:
    """One of the functions that are imported by one component and exported by another."""

    name: str
    signature: str
    core: str


def _typed(shape: str, kind: str) -> str:
    return SHAPES[shape].type % f"({kind} $r)"


def _params(shape: str, kind: str) -> str:
    before = " ".join(f'(param "p{i}" u8)' for i in range(16)) if shape == "spilled" else ""
    return f'{before} (param "v" {_typed(shape, kind)})'


def taken(shape: str, kind: str) -> Func:
    return Func(
        f"take-{kind}-{shape}", f"{_params(shape, kind)} (result u32)", f"(param {SHAPES[shape].flat}) (result i32)"
    )


def both(shape: str) -> Func:
    signature = f'(param "b" (borrow $r)) (param "v" {_typed(shape, "own")}) (result u32)'
    return Func(f"both-{shape}", signature, f"(param i32 {SHAPES[shape].flat}) (result i32)")


def given(shape: str) -> Func:
    return Func(f"give-{shape}", f'(param "h" u32) (result {_typed(shape, "own")})', _returning(shape, "i32"))


def returned(shape: str) -> Func:
    """A borrow comes in, an own handle goes out."""
    return Func(f"back-{shape}", f'(param "b" (borrow $r)) (result {_typed(shape, "own")})', _returning(shape, "i32"))


def passed(shape: str) -> Func:
    return Func(
        f"pass-{shape}", '(param "b" (borrow $r)) (param "as-own" u32) (result u32)', "(param i32 i32) (result i32)"
    )


def _returning(shape: str, params: str) -> str:
    return f"(param {params}) (result i32)" if shape == "top" else f"(param {params} i32)"


OWN_THEN_BORROW: Final = Func(
    "own-then-borrow", '(param "o" (own $r)) (param "b" (borrow $r)) (result u32)', "(param i32 i32) (result i32)"
)
KEEP: Final = Func("keep", '(param "yes" u32)', "(param i32)")
OF_W: Final = [
    KEEP,
    OWN_THEN_BORROW,
    *(taken(shape, kind) for shape in SHAPES for kind in KINDS),
    *(both(shape) for shape in RETURNED),
    *(given(shape) for shape in RETURNED),
    *(returned(shape) for shape in RETURNED),
]
OF_V: Final = [passed(shape) for shape in SHAPES]


def _interface(name: str, funcs: list[Func]) -> str:
    exports = " ".join(f'(export "{f.name}" (func {f.signature}))' for f in funcs)
    # the instance is about the definer's type, which lies outside it
    exports = f"(alias outer 1 $r (type $r)) {exports}"
    return f'(import "{name}" (instance ${name} {exports}))'


def _lowers(name: str, funcs: list[Func]) -> str:
    return "\n".join(f'(core func ${f.name} (canon lower (func ${name} "{f.name}") {OPTIONS}))' for f in funcs)


def _core_imports(funcs: list[Func]) -> str:
    makers = " ".join(f'(import "" "{name}" {type})' for name, type in MAKERS)
    return f"{makers} " + " ".join(f'(import "" "{f.name}" (func ${f.name} {f.core}))' for f in funcs)


def _instance(funcs: list[Func], more: str = "") -> str:
    names = [*(name for name, _ in MAKERS), *(f.name for f in funcs)]
    exports = " ".join(f'(export "{name}" (func ${name}))' for name in names)
    return f"""(core instance $m (instantiate $M
      (with "memory" (instance $memory)) (with "" (instance {exports} {more}))))"""


def _lifts(funcs: list[Func]) -> str:
    return "\n".join(
        f'(func (export "{f.name}") {f.signature} (canon lift (core func $m "{f.name}") {OPTIONS}))' for f in funcs
    )


def _w() -> str:
    """Gives and takes. Borrows are dropped, unless it was told to keep them."""
    bodies = []
    for name, shape in SHAPES.items():
        for kind in KINDS:
            drop = f"(call $drop {shape.read})"
            drop = f"(if (i32.eqz (global.get $keep)) (then {drop}))" if kind == "borrow" else drop
            bodies.append(
                f'(func (export "take-{kind}-{name}") (param {shape.flat}) (result i32) {drop} (i32.const 1))'
            )
    for name in RETURNED:
        shape = SHAPES[name]
        bodies.append(f"""(func (export "give-{name}") (param $h i32) (result i32)
          (if (i32.eqz (global.get $ready)) (then (call $setup) (global.set $ready (i32.const 1))))
          {shape.answer})""")
        bodies.append(f"""(func (export "back-{name}") (param $h i32) (result i32)
          (if (i32.eqz (global.get $keep))
            (then (call $drop (local.get $h)) (local.set $h (call $make (i32.const 55)))))
          {shape.answer})""")
        bodies.append(f"""(func (export "both-{name}") (param $b i32) (param {shape.flat}) (result i32)
          (call $drop (local.get $b)) (i32.const 1))""")
    return f"""(component $W
    {DEFINERS}
    {MEMORY}
    (core module $M
      (import "memory" "memory" (memory 1))
      {_core_imports([])}
      (global $keep (mut i32) (i32.const 0))
      (global $ready (mut i32) (i32.const 0))
      {SETUP}
      (func (export "keep") (param i32) (global.set $keep (local.get 0)))
      (func (export "own-then-borrow") (param i32 i32) (result i32) (call $drop (local.get 1)) (i32.const 1))
      {chr(10).join(bodies)})
    {_instance([])}
    {_lifts(OF_W)})"""


def _v() -> str:
    """Passes a borrow on as if it were its own, or drops it and passes one of its own."""
    used = [taken(shape, "own") for shape in SHAPES]
    bodies = [
        f"""(func (export "pass-{name}") (param $h i32) (param i32) (result i32)
          (if (i32.eqz (local.get 1))
            (then (call $drop (local.get $h)) (local.set $h (call $make (i32.const 56)))))
          {shape.write} (call $take-own-{name} {shape.args}))"""
        for name, shape in SHAPES.items()
    ]
    return f"""(component $V
    {DEFINERS}
    {_interface("w", used)}
    {MEMORY}
    {_lowers("w", used)}
    (core module $M
      (import "memory" "memory" (memory 1))
      {_core_imports(used)}
      {chr(10).join(bodies)})
    {_instance(used)}
    {_lifts(OF_V)})"""


def _x() -> str:
    """The driver: what the host calls, with the index of a handle."""
    bodies: dict[str, str] = {}
    for name, shape in SHAPES.items():
        for kind in KINDS:
            bodies[f"{kind}-{name}"] = f"{shape.write} (call $take-{kind}-{name} {shape.args})"
        # the borrow of handle 1 is dropped by the taker, or kept
        bodies[f"held-{name}"] = f"""
          (call $keep (local.get $h)) (local.set $h (i32.const 1))
          {shape.write} (call $take-borrow-{name} {shape.args})"""
        bodies[f"pass-{name}"] = f"(call $pass-{name} (i32.const 1) (local.get $h))"
    for name in RETURNED:
        shape = SHAPES[name]
        bodies[f"both-{name}"] = f"{shape.write} (call $both-{name} (i32.const 1) {shape.args})"
        for verb, arg in (("give", "(local.get $h)"), ("back", "(i32.const 1)")):
            call = f"(call ${verb}-{name} {arg}" + (")" if name == "top" else " (i32.const 1024))")
            call = f"(local.set $got {call})" if name == "top" else call
            keep = "(call $keep (local.get $h))" if verb == "back" else ""
            bodies[f"{verb}-{name}"] = f"{keep} {call} (call $drop {shape.got}) (i32.const 1)"
    bodies["own-then-borrow"] = "(call $own-then-borrow (i32.const 1) (local.get $h))"
    bodies["drop"] = "(call $drop (local.get $h)) (i32.const 1)"
    bodies["definer-drop"] = "(call $definer-setup) (call $definer-drop (local.get $h))"
    bodies["definer-rep"] = "(call $definer-setup) (call $definer-rep (local.get $h))"
    funcs = "\n".join(
        f"""(func (export "{name}") (param $h i32) (result i32) (local $got i32)
          (if (i32.eqz (global.get $ready)) (then (call $setup) (global.set $ready (i32.const 1))))
          {body})"""
        for name, body in bodies.items()
    )
    exported = [Func(name, '(param "h" u32) (result u32)', "") for name in bodies]
    return f"""(component $X
    {DEFINERS}
    {_interface("w", OF_W)}
    {_interface("v", OF_V)}
    {MEMORY}
    {_lowers("w", OF_W)}
    {_lowers("v", OF_V)}
    (core func $definer-setup (canon lower (func $d "setup")))
    (core func $definer-rep (canon lower (func $d "rep")))
    (core func $definer-drop (canon lower (func $d "drop")))
    (core module $M
      (import "memory" "memory" (memory 1))
      {_core_imports([*OF_W, *OF_V])}
      (import "" "definer-setup" (func $definer-setup))
      (import "" "definer-rep" (func $definer-rep (param i32) (result i32)))
      (import "" "definer-drop" (func $definer-drop (param i32) (result i32)))
      (global $ready (mut i32) (i32.const 0))
      {SETUP}
      {funcs})
    {
        _instance(
            [*OF_W, *OF_V],
            '(export "definer-setup" (func $definer-setup)) '
            '(export "definer-rep" (func $definer-rep)) (export "definer-drop" (func $definer-drop))',
        )
    }
    {_lifts(exported)})"""


def composition() -> str:
    exports = [*(f"{kind}-{shape}" for kind in ("own", "borrow", "held", "pass") for shape in SHAPES)]
    exports += [f"{kind}-{shape}" for kind in ("both", "give", "back") for shape in RETURNED]
    exports += ["own-then-borrow", "drop", "definer-drop", "definer-rep"]
    return f"""(component
  {DEFINER}
  {_w()}
  {_v()}
  {_x()}
  (instance $d (instantiate $Definer))
  (instance $e (instantiate $Definer))
  (instance $w (instantiate $W (with "d" (instance $d)) (with "e" (instance $e))))
  (instance $v (instantiate $V (with "d" (instance $d)) (with "e" (instance $e)) (with "w" (instance $w))))
  (instance $x (instantiate $X
    (with "d" (instance $d)) (with "e" (instance $e)) (with "w" (instance $w)) (with "v" (instance $v))))
  {" ".join(f'(export "{name}" (func $x "{name}"))' for name in exports)})"""
