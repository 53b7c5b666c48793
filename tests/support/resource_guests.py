"""Components in WAT that make, lend, give and drop resources, and compositions of them.

The definer of a resource type logs its destructor's calls as decimal digits, so that count and order of one-digit reps
can be read from a number. Every guest has a bump allocator in a memory of its own.
"""

from __future__ import annotations

MEMORY = """
  (core module $Memory
    (memory (export "memory") 1)
    (global $bump (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (global.set $bump
        (i32.and
          (i32.add (global.get $bump) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.get $bump)
      (memory.copy (global.get $bump) (local.get $old) (local.get $size))
      (global.set $bump (i32.add (global.get $bump) (local.get $new)))))
  (core instance $memory (instantiate $Memory))
"""

LIFTED = '(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))'

MANY = " ".join(f'(param "p{i}" u32)' for i in range(15)) + ' (param "o" (own $r)) (param "b" (borrow $r))'
"""More parameters than travel flat."""

DEFINER_API = f"""
      (export "r" (type $r (sub resource)))
      (type $mix' (record (field "a" (own $r)) (field "name" string) (field "b" (borrow $r)) (field "n" u64)))
      (export "mix" (type $mix (eq $mix')))
      (type $either' (variant (case "one" (own $r)) (case "lent" (borrow $r)) (case "number" u64) (case "real" f32)))
      (export "either" (type $either (eq $either')))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "peek" (func (param "r" (borrow $r)) (result u32)))
      (export "take" (func (param "r" (own $r)) (result u32)))
      (export "both" (func (param "b" (borrow $r)) (param "o" (own $r)) (result u32)))
      (export "sum" (func (param "rs" (list (borrow $r))) (result u32)))
      (export "reverse" (func (param "rs" (list (own $r))) (result (list (own $r)))))
      (export "maybe" (func (param "r" (option (borrow $r))) (result u32)))
      (export "mixed" (func (param "m" $mix) (result (tuple (own $r) string))))
      (export "choose" (func (param "e" $either) (result u32)))
      (export "try-make" (func (param "rep" u32) (result (result (own $r) (error string)))))
      (export "many" (func {MANY} (result u32)))
      (export "drops" (func (result u64)))
"""
"""The instance type of the definer, as whoever imports it writes it."""

DEFINER = f"""
(component $Definer
  {MEMORY}
  (core module $Log
    (global $drops (mut i64) (i64.const 0))
    (func (export "dtor") (param i32)
      (global.set $drops
        (i64.add (i64.mul (global.get $drops) (i64.const 10)) (i64.extend_i32_u (local.get 0)))))
    (func (export "drops") (result i64) (global.get $drops)))
  (core instance $log (instantiate $Log))
  (type $r (resource (rep i32) (dtor (core func $log "dtor"))))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (data (i32.const 64) "no such thing")
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "peek") (param i32) (result i32) (local.get 0))
    (func $take (export "take") (param i32) (result i32)
      (call $rep (local.get 0))
      (call $drop (local.get 0)))
    (func (export "both") (param i32 i32) (result i32)
      (i32.add (i32.mul (local.get 0) (i32.const 10)) (call $take (local.get 1))))
    (func (export "sum") (param $at i32) (param $count i32) (result i32)
      (local $sum i32)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10)) (i32.load (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))
      (local.get $sum))
    (func (export "reverse") (param $at i32) (param $count i32) (result i32)
      (local $to i32)
      (i32.store (i32.const 16) (i32.const 512))
      (i32.store (i32.const 20) (local.get $count))
      (local.set $to (i32.add (i32.const 512) (i32.mul (local.get $count) (i32.const 4))))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (local.set $to (i32.sub (local.get $to) (i32.const 4)))
          (i32.store (local.get $to) (i32.load (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))
      (i32.const 16))
    (func (export "post-reverse") (param i32)
      (if (i32.ne (local.get 0) (i32.const 16)) (then unreachable)))
    (func (export "maybe") (param i32 i32) (result i32)
      (if (result i32) (local.get 0) (then (local.get 1)) (else (i32.const 99))))
    ;; (a, name, b, n) -> (a, name), a twice in another guise
    (func (export "mixed") (param $a i32) (param $name i32) (param $length i32) (param $b i32) (param $n i64)
      (result i32)
      (i32.store (i32.const 32)
        (call $new
          (i32.add (i32.add (call $take (local.get $a)) (local.get $b)) (i32.wrap_i64 (local.get $n)))))
      (i32.store (i32.const 36) (local.get $name))
      (i32.store (i32.const 40) (local.get $length))
      (i32.const 32))
    (func (export "choose") (param $case i32) (param $payload i64) (result i32)
      (block $real
        (block $number
          (block $lent
            (block $one
              (br_table $one $lent $number $real (local.get $case)))
            (return (i32.add (i32.const 100) (call $take (i32.wrap_i64 (local.get $payload))))))
          (return (i32.add (i32.const 200) (i32.wrap_i64 (local.get $payload)))))
        (return (i32.add (i32.const 300) (i32.wrap_i64 (local.get $payload)))))
      (i32.trunc_f32_u (f32.reinterpret_i32 (i32.wrap_i64 (local.get $payload)))))
    (func (export "many") (param i32) (result i32)
      (i32.add
        (i32.mul (i32.load offset=56 (local.get 0)) (i32.const 100))
        (i32.add
          (i32.mul (call $take (i32.load offset=60 (local.get 0))) (i32.const 10))
          (i32.load offset=64 (local.get 0)))))
    (func (export "try-make") (param i32) (result i32)
      (if (local.get 0)
        (then
          (i32.store (i32.const 48) (i32.const 0))
          (i32.store (i32.const 52) (call $new (local.get 0))))
        (else
          (i32.store (i32.const 48) (i32.const 1))
          (i32.store (i32.const 52) (i32.const 64))
          (i32.store (i32.const 56) (i32.const 13))))
      (i32.const 48)))
  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (export $x "r" (type $r))
  (type $mix' (record (field "a" (own $x)) (field "name" string) (field "b" (borrow $x)) (field "n" u64)))
  (export $mix "mix" (type $mix'))
  (type $either' (variant (case "one" (own $x)) (case "lent" (borrow $x)) (case "number" u64) (case "real" f32)))
  (export $either "either" (type $either'))
  (func (export "make") (param "rep" u32) (result (own $x))
    (canon lift (core func $main "make") {LIFTED}))
  (func (export "peek") (param "r" (borrow $x)) (result u32)
    (canon lift (core func $main "peek") {LIFTED}))
  (func (export "take") (param "r" (own $x)) (result u32)
    (canon lift (core func $main "take") {LIFTED}))
  (func (export "both") (param "b" (borrow $x)) (param "o" (own $x)) (result u32)
    (canon lift (core func $main "both") {LIFTED}))
  (func (export "sum") (param "rs" (list (borrow $x))) (result u32)
    (canon lift (core func $main "sum") {LIFTED}))
  (func (export "reverse") (param "rs" (list (own $x))) (result (list (own $x)))
    (canon lift (core func $main "reverse") {LIFTED} (post-return (core func $main "post-reverse"))))
  (func (export "maybe") (param "r" (option (borrow $x))) (result u32)
    (canon lift (core func $main "maybe") {LIFTED}))
  (func (export "mixed") (param "m" $mix) (result (tuple (own $x) string))
    (canon lift (core func $main "mixed") {LIFTED}))
  (func (export "choose") (param "e" $either) (result u32)
    (canon lift (core func $main "choose") {LIFTED}))
  (func (export "try-make") (param "rep" u32) (result (result (own $x) (error string)))
    (canon lift (core func $main "try-make") {LIFTED}))
  (func (export "many") {MANY.replace("$r", "$x")} (result u32)
    (canon lift (core func $main "many") {LIFTED}))
  (func (export "drops") (result u64)
    (canon lift (core func $log "drops") {LIFTED}))
)
"""

_FUNCTIONS = ["make", "peek", "take", "both", "sum", "reverse", "maybe", "mixed", "choose", "try-make", "many", "drops"]


def middle(name: str = "Middle") -> str:
    """A component that imports the definer's interface as `d` and exports it again, through a handle table of its own.

    `index` gives the index of a borrow, `new-index` that of an own handle; `hold` keeps a borrow, `stale` drops one
    twice, `forge` drops what was never there, `wrong` passes a borrow on as if it were owned, `lent` gives away what it
    has lent, `keep` and `unkeep` store one own handle.
    """
    aliases = "\n".join(
        f'  (core func ${f} (canon lower (func $d "{f}") (memory $mem) (realloc (core func $memory "realloc"))))'
        for f in _FUNCTIONS
    )
    args = " ".join(f'(export "{f}" (func ${f}))' for f in _FUNCTIONS)
    return f"""
(component ${name}
  (import "d" (instance $d {DEFINER_API}))
  (alias export $d "r" (type $r))
  (alias export $d "mix" (type $dmix))
  (alias export $d "either" (type $deither))
  {MEMORY}
  (alias core export $memory "memory" (core memory $mem))
{aliases}
  (core func $drop (canon resource.drop $r))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "d" "make" (func $make (param i32) (result i32)))
    (import "d" "peek" (func $peek (param i32) (result i32)))
    (import "d" "take" (func $take (param i32) (result i32)))
    (import "d" "both" (func $both (param i32 i32) (result i32)))
    (import "d" "sum" (func $sum (param i32 i32) (result i32)))
    (import "d" "reverse" (func $reverse (param i32 i32 i32)))
    (import "d" "maybe" (func $maybe (param i32 i32) (result i32)))
    (import "d" "mixed" (func $mixed (param i32 i32 i32 i32 i64 i32)))
    (import "d" "choose" (func $choose (param i32 i64) (result i32)))
    (import "d" "try-make" (func $try-make (param i32 i32)))
    (import "d" "many" (func $many (param i32) (result i32)))
    (import "d" "drops" (func $drops (result i64)))
    (import "d" "drop" (func $drop (param i32)))
    (global $kept (mut i32) (i32.const 0))
    (func (export "make") (param i32) (result i32) (call $make (local.get 0)))
    (func (export "peek") (param i32) (result i32) (call $peek (local.get 0)) (call $drop (local.get 0)))
    (func (export "take") (param i32) (result i32) (call $take (local.get 0)))
    (func (export "both") (param i32 i32) (result i32)
      (call $both (local.get 0) (local.get 1))
      (call $drop (local.get 0)))
    (func (export "sum") (param $at i32) (param $count i32) (result i32)
      (call $sum (local.get $at) (local.get $count))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (call $drop (i32.load (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (func (export "reverse") (param i32 i32) (result i32)
      (call $reverse (local.get 0) (local.get 1) (i32.const 16))
      (i32.const 16))
    (func (export "maybe") (param i32 i32) (result i32)
      (call $maybe (local.get 0) (local.get 1))
      (if (local.get 0) (then (call $drop (local.get 1)))))
    (func (export "mixed") (param i32 i32 i32 i32 i64) (result i32)
      (call $mixed
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 32))
      (call $drop (local.get 3))
      (i32.const 32))
    (func (export "choose") (param i32 i64) (result i32)
      (call $choose (local.get 0) (local.get 1))
      (if (i32.eq (local.get 0) (i32.const 1)) (then (call $drop (i32.wrap_i64 (local.get 1))))))
    (func (export "try-make") (param i32) (result i32)
      (call $try-make (local.get 0) (i32.const 48))
      (i32.const 48))
    (func (export "many") (param i32) (result i32)
      (call $many (local.get 0))
      (call $drop (i32.load offset=64 (local.get 0))))
    (func (export "drops") (result i64) (call $drops))
    (func (export "index") (param i32) (result i32) (call $drop (local.get 0)) (local.get 0))
    (func (export "new-index") (param i32) (result i32) (call $drop (local.get 0)) (local.get 0))
    (func (export "hold") (param i32))
    (func (export "stale") (param i32) (call $drop (local.get 0)) (call $drop (local.get 0)))
    (func (export "forge") (param i32) (call $drop (local.get 0)))
    (func (export "wrong") (param i32) (drop (call $take (local.get 0))))
    (func (export "lent") (param i32) (drop (call $both (local.get 0) (local.get 0))))
    (func (export "keep") (param i32) (global.set $kept (local.get 0)))
    (func (export "unkeep") (result i32) (global.get $kept) (global.set $kept (i32.const 0)))
    (func (export "drop-kept") (call $drop (global.get $kept))))
  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "d" (instance {args} (export "drop" (func $drop))))))
  (export $x "r" (type $r))
  (export $mix "mix" (type $dmix))
  (export $either "either" (type $deither))
{_lifts("$main")}
{_lifts_of_middle()}
)
"""


def _lifts(core: str) -> str:
    lines = []
    for line in DEFINER_API.splitlines():
        if "(func " in line:
            name = line.split('"')[1]
            signature = line[line.index("(func") + 5 :].strip()[:-2].replace("$r)", "$x)")
            lines.append(f'  (func (export "{name}") {signature} (canon lift (core func {core} "{name}") {LIFTED}))')
    return "\n".join(lines)


def _lifts_of_middle() -> str:
    functions = {
        "index": "(borrow $x)) (result u32)",
        "new-index": "(own $x)) (result u32)",
        "hold": "(borrow $x))",
        "stale": "(own $x))",
        "forge": "u32)",
        "wrong": "(borrow $x))",
        "lent": "(own $x))",
        "keep": "(own $x))",
    }
    lines = [
        f'  (func (export "{name}") (param "r" {type} (canon lift (core func $main "{name}")))'
        for name, type in functions.items()
    ]
    lines.append('  (func (export "unkeep") (result (own $x)) (canon lift (core func $main "unkeep")))')
    lines.append('  (func (export "drop-kept") (canon lift (core func $main "drop-kept")))')
    return "\n".join(lines)


def chain(depth: int) -> str:
    """The definer behind `depth` middles, all exported: `d`, then `m1` next to it, and so on."""
    middles = "".join(
        f"""
  {middle(f"M{i}")}
  (instance $m{i} (instantiate $M{i} (with "d" (instance ${"d" if i == 1 else f"m{i - 1}"}))))
  (export "m{i}" (instance $m{i}))"""
        for i in range(1, depth + 1)
    )
    return f"""
(component
  {DEFINER}
  (instance $d (instantiate $Definer))
  (export "d" (instance $d))
  {middles})
"""


def on_host() -> str:
    """Two middles side by side on the host's own resources, `m1` and `m2`, and a third, `m3`, on `m2`."""
    return f"""
(component
  (import "d" (instance $d {DEFINER_API}))
  {middle("M")}
  (instance $m1 (instantiate $M (with "d" (instance $d))))
  (instance $m2 (instantiate $M (with "d" (instance $d))))
  (instance $m3 (instantiate $M (with "d" (instance $m2))))
  (export "m1" (instance $m1))
  (export "m2" (instance $m2))
  (export "m3" (instance $m3)))
"""


BOXER = f"""
(component $Boxer
  (import "d" (instance $d {DEFINER_API}))
  (alias export $d "r" (type $r))
  {MEMORY}
  (alias core export $memory "memory" (core memory $mem))
  (core func $make (canon lower (func $d "make")))
  (core func $peek (canon lower (func $d "peek")))
  (core func $drop-r (canon resource.drop $r))
  ;; a box's rep is a handle of its own
  (core module $Dtor
    (import "d" "drop" (func $drop (param i32)))
    (global $opened (mut i32) (i32.const 0))
    (func (export "dtor") (param i32)
      (global.set $opened (i32.add (global.get $opened) (i32.const 1)))
      (call $drop (local.get 0)))
    (func (export "opened") (result i32) (global.get $opened)))
  (core instance $dtor (instantiate $Dtor (with "d" (instance (export "drop" (func $drop-r))))))
  (type $box (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (core func $new (canon resource.new $box))
  (core func $rep (canon resource.rep $box))
  (core func $drop (canon resource.drop $box))
  (core module $Main
    (import "d" "make" (func $make (param i32) (result i32)))
    (import "d" "peek" (func $peek (param i32) (result i32)))
    (import "box" "new" (func $new (param i32) (result i32)))
    (import "box" "rep" (func $rep (param i32) (result i32)))
    (import "box" "drop" (func $drop (param i32)))
    (func (export "pack") (param i32) (result i32) (call $new (call $make (local.get 0))))
    (func (export "wrap") (param i32) (result i32) (call $new (local.get 0)))
    ;; the result is one that a post-return wants back
    (func (export "unwrap") (param i32) (result i32) (call $rep (local.get 0)))
    (func (export "post-unwrap") (param i32) (if (i32.ne (local.get 0) (i32.const 1)) (then unreachable)))
    (func (export "look") (param i32) (result i32) (call $peek (local.get 0)))
    (func (export "burn") (param i32) (call $drop (local.get 0))))
  (core instance $main (instantiate $Main
    (with "d" (instance (export "make" (func $make)) (export "peek" (func $peek))))
    (with "box" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (export $b "box" (type $box))
  (export $x "r" (type $r))
  (func (export "pack") (param "n" u32) (result (own $b)) (canon lift (core func $main "pack")))
  (func (export "wrap") (param "r" (own $x)) (result (own $b)) (canon lift (core func $main "wrap")))
  (func (export "unwrap") (param "b" (own $b)) (result (own $x))
    (canon lift (core func $main "unwrap") (post-return (core func $main "post-unwrap"))))
  (func (export "look") (param "b" (borrow $b)) (result u32) (canon lift (core func $main "look")))
  (func (export "burn") (param "b" (own $b)) (canon lift (core func $main "burn")))
  (func (export "opened") (result u32) (canon lift (core func $dtor "opened")))
)
"""
"""Re-exports the definer's resource type, and wraps its resources in a type of its own."""


def boxed() -> str:
    """The definer, a boxer on it, and a second boxer on the same definer: two types `box`."""
    return f"""
(component
  {DEFINER}
  (instance $d (instantiate $Definer))
  {BOXER}
  (instance $b1 (instantiate $Boxer (with "d" (instance $d))))
  (instance $b2 (instantiate $Boxer (with "d" (instance $d))))
  (export "d" (instance $d))
  (export "b1" (instance $b1))
  (export "b2" (instance $b2)))
"""


MIXER = f"""
(component $Mixer
  (import "a" (instance $a {DEFINER_API}))
  (import "b" (instance $b {DEFINER_API}))
  (alias export $a "r" (type $ra))
  (alias export $b "r" (type $rb))
  (core func $make-a (canon lower (func $a "make")))
  (core func $make-b (canon lower (func $b "make")))
  (core func $take-a (canon lower (func $a "take")))
  (core func $take-b (canon lower (func $b "take")))
  (core func $peek-a (canon lower (func $a "peek")))
  (core func $drop-a (canon resource.drop $ra))
  (core func $drop-b (canon resource.drop $rb))
  (core module $Main
    (import "" "make-a" (func $make-a (param i32) (result i32)))
    (import "" "make-b" (func $make-b (param i32) (result i32)))
    (import "" "take-a" (func $take-a (param i32) (result i32)))
    (import "" "take-b" (func $take-b (param i32) (result i32)))
    (import "" "peek-a" (func $peek-a (param i32) (result i32)))
    (import "" "drop-a" (func $drop-a (param i32)))
    (import "" "drop-b" (func $drop-b (param i32)))
    ;; indices of four handles in a row, and what they give
    (func (export "indices") (result i32)
      (local $1 i32) (local $2 i32) (local $3 i32) (local $4 i32)
      (local.set $1 (call $make-a (i32.const 5)))
      (local.set $2 (call $make-b (i32.const 6)))
      (local.set $3 (call $make-a (i32.const 7)))
      (call $drop-a (local.get $1))
      (call $drop-b (local.get $2))
      (local.set $4 (call $make-b (i32.const 8)))
      (i32.add
        (i32.add (i32.mul (local.get $1) (i32.const 1000)) (i32.mul (local.get $2) (i32.const 100)))
        (i32.add (i32.mul (local.get $3) (i32.const 10)) (local.get $4))))
    (func (export "own-of-wrong-type") (result i32) (call $take-b (call $make-a (i32.const 5))))
    (func (export "borrow-of-wrong-type") (result i32) (call $peek-a (call $make-b (i32.const 5))))
    (func (export "drop-of-wrong-type") (call $drop-a (call $make-b (i32.const 5))))
    (func (export "zero") (call $drop-a (i32.const 0)))
    (func (export "forged-own") (result i32) (call $take-a (i32.const 77)))
    (func (export "forged-borrow") (result i32) (call $peek-a (i32.const -1)))
    (func (export "twice") (result i32)
      (local i32)
      (local.set 0 (call $make-a (i32.const 5)))
      (i32.add (call $take-a (local.get 0)) (call $take-a (local.get 0)))))
  (core instance $main (instantiate $Main (with "" (instance
    (export "make-a" (func $make-a)) (export "make-b" (func $make-b))
    (export "take-a" (func $take-a)) (export "take-b" (func $take-b))
    (export "peek-a" (func $peek-a)) (export "drop-a" (func $drop-a)) (export "drop-b" (func $drop-b))))))
  (func (export "indices") (result u32) (canon lift (core func $main "indices")))
  (func (export "own-of-wrong-type") (result u32) (canon lift (core func $main "own-of-wrong-type")))
  (func (export "borrow-of-wrong-type") (result u32) (canon lift (core func $main "borrow-of-wrong-type")))
  (func (export "drop-of-wrong-type") (canon lift (core func $main "drop-of-wrong-type")))
  (func (export "zero") (canon lift (core func $main "zero")))
  (func (export "forged-own") (result u32) (canon lift (core func $main "forged-own")))
  (func (export "forged-borrow") (result u32) (canon lift (core func $main "forged-borrow")))
  (func (export "twice") (result u32) (canon lift (core func $main "twice")))
)
"""


def mixed() -> str:
    """One component instantiated twice, so that there are two types `r`, and a third that uses both."""
    return f"""
(component
  {DEFINER}
  (instance $a (instantiate $Definer))
  (instance $b (instantiate $Definer))
  {MIXER}
  (instance $x (instantiate $Mixer (with "a" (instance $a)) (with "b" (instance $b))))
  (export "a" (instance $a))
  (export "b" (instance $b))
  (export "x" (instance $x)))
"""


THROWER = """
(component
  (component $D
    (core module $Dtor
      (tag $oops)
      (func (export "dtor") (param i32) (if (i32.eq (local.get 0) (i32.const 13)) (then (throw $oops)))))
    (core instance $dtor (instantiate $Dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $new (canon resource.new $r))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new))))
  (instance $d (instantiate $D))
  (component $U
    (import "d" (instance $d
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))))
    (alias export $d "r" (type $r))
    (core func $make (canon lower (func $d "make")))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      ;; 1: the destructor returned, 2: its exception came out here
      (func (export "try") (param i32) (result i32)
        (block $caught
          (try_table (catch_all $caught)
            (call $drop (call $make (local.get 0))))
          (return (i32.const 1)))
        (i32.const 2)))
    (core instance $m (instantiate $M
      (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
    (func (export "try") (param "rep" u32) (result u32) (canon lift (core func $m "try"))))
  (instance $u (instantiate $U (with "d" (instance $d))))
  (export "u" (instance $u)))
"""
"""A destructor that throws for the rep 13, and a user who would catch it."""

PARENT = """
(component
  (component $Child
    (import "f" (func $f (param "n" u32)))
    (core module $Dtor
      (global $drops (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $drops (i32.add (global.get $drops) (local.get 0))))
      (func (export "drops") (result i32) (global.get $drops)))
    (core instance $dtor (instantiate $Dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $new (canon resource.new $r))
    (core func $f (canon lower (func $f)))
    (core module $M (import "" "f" (func $f (param i32))) (func (export "run") (param i32) (call $f (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "run") (param "n" u32) (canon lift (core func $m "run")))
    (func (export "drops") (result u32) (canon lift (core func $dtor "drops"))))
  ;; The parent's functions go through a table, since its child needs one of them first.
  (core module $Table
    (table (export "table") 1 1 funcref)
    (type $f (func (param i32)))
    (func (export "f") (param i32) (call_indirect (type $f) (local.get 0) (i32.const 0))))
  (core instance $table (instantiate $Table))
  (func $f (param "n" u32) (canon lift (core func $table "f")))
  (instance $child (instantiate $Child (with "f" (func $f))))
  (alias export $child "r" (type $r))
  (core func $make (canon lower (func $child "make")))
  (core func $run (canon lower (func $child "run")))
  (core func $drop (canon resource.drop $r))
  (core module $M
    (import "t" "table" (table 1 1 funcref))
    (import "c" "make" (func $make (param i32) (result i32)))
    (import "c" "run" (func $run (param i32)))
    (import "c" "drop" (func $drop (param i32)))
    (elem (i32.const 0) $f)
    (global $held (mut i32) (i32.const 0))
    (func $f (param i32) (if (local.get 0) (then (call $drop (global.get $held)))))
    (func (export "go") (param i32)
      (global.set $held (call $make (i32.const 5)))
      (call $run (local.get 0))
      (if (i32.eqz (local.get 0)) (then (call $drop (global.get $held))))))
  (core instance $m (instantiate $M
    (with "t" (instance $table))
    (with "c" (instance (export "make" (func $make)) (export "run" (func $run)) (export "drop" (func $drop))))))
  (func $go (param "n" u32) (canon lift (core func $m "go")))
  (instance $p (export "go" (func $go)))
  (export "p" (instance $p))
  (export "c" (instance $child)))
"""
"""A parent that drops a handle of its child's resource type: beside a call of the child (0), or inside one (1)."""

PING = """
(component
  (component $D
    (core module $Log
      (global $drops (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $drops (i32.add (global.get $drops) (local.get 0))))
      (func (export "drops") (result i32) (global.get $drops)))
    (core instance $log (instantiate $Log))
    (type $r (resource (rep i32) (dtor (core func $log "dtor"))))
    (core func $new (canon resource.new $r))
    (core module $M
      (func (export "peek") (param i32) (result i32) (local.get 0))
      (func (export "echo") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "peek") (param "r" (borrow $x)) (result u32) (canon lift (core func $m "peek")))
    (func (export "echo") (param "r" (own $x)) (result (own $x)) (canon lift (core func $m "echo")))
    (func (export "drops") (result u32) (canon lift (core func $log "drops"))))
  (instance $d (instantiate $D))
  (component $U
    (import "d" (instance $d
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "peek" (func (param "r" (borrow $r)) (result u32)))
      (export "echo" (func (param "r" (own $r)) (result (own $r))))))
    (alias export $d "r" (type $r))
    (core func $make (canon lower (func $d "make")))
    (core func $peek (canon lower (func $d "peek")))
    (core func $echo (canon lower (func $d "echo")))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "peek" (func $peek (param i32) (result i32)))
      (import "" "echo" (func $echo (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "borrows") (param i32) (result i32)
        (local $h i32) (local $sum i32)
        (local.set $h (call $make (i32.const 3)))
        (loop $again
          (local.set $sum (i32.add (local.get $sum) (call $peek (local.get $h))))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $drop (local.get $h))
        (local.get $sum))
      (func (export "round-trips") (param i32) (result i32)
        (local $h i32)
        (local.set $h (call $make (i32.const 3)))
        (loop $again
          (local.set $h (call $echo (local.get $h)))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $peek (local.get $h))
        (call $drop (local.get $h)))
      (func (export "creations") (param i32) (result i32)
        (loop $again
          (call $drop (call $make (i32.const 3)))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.const 0)))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "peek" (func $peek)) (export "echo" (func $echo))
      (export "drop" (func $drop))))))
    (func (export "borrows") (param "n" u32) (result u32) (canon lift (core func $m "borrows")))
    (func (export "round-trips") (param "n" u32) (result u32) (canon lift (core func $m "round-trips")))
    (func (export "creations") (param "n" u32) (result u32) (canon lift (core func $m "creations"))))
  (instance $u (instantiate $U (with "d" (instance $d))))
  (export "demo:ping/d@1.0.0" (instance $d))
  (export "u" (instance $u)))
"""
"""Many calls of one kind in a row."""
