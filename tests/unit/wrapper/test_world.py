"""The engine sees the same imports and exports before and after, with the same types, and accepts the output."""

from __future__ import annotations

import pytest
from wasmtime import Engine
from wasmtime import component as wc

from tests.support.rewrap import parse, rewrapped
from tests.support.values import world

CORE = """
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "get") (result i32) unreachable)
    (func (export "put") (param i32) unreachable)
    (func (export "put2") (param i32 i32) unreachable))
  (core instance $i (instantiate $m))
"""

WORLDS = {
    "nothing": "(component)",
    "functions at the root": f"""(component {CORE}
        (import "a" (func (param "x" (list u8)) (result string)))
        (import "b" (func (result f64)))
        (func (export "get") (result u32) (canon lift (core func $i "get")))
        (func (export "put") (param "x" (option bool)) (canon lift (core func $i "put2"))))""",
    "types at the root": f"""(component {CORE}
        (import "r" (type $r (sub resource)))
        (type $point (record (field "x" u32)))
        (import "point" (type $p (eq $point)))
        (import "f" (func (param "r" (borrow $r)) (result $p)))
        (type $E (enum "a" "b"))
        (export $e "e" (type $E))
        (export $again "again" (type $e))
        (func (export "put") (param "p" $p) (canon lift (core func $i "put")))
        (func (export "e-to-p") (param "e" $again) (param "r" (borrow $r)) (canon lift (core func $i "put2"))))""",
    "an import that nothing reaches": """(component
        (import "a:b/unused@1.2.3" (instance
          (type $rec (record (field "x" (list string))))
          (export "rec" (type $r (eq $rec)))
          (export "res" (type $res (sub resource)))
          (export "[static]res.f" (func (param "r" (own $res)) (result $r)))
          (export "inner" (instance (export "g" (func)))))))""",
    "an interface of named types": f"""(component {CORE}
        (type $f (flags "a" "b"))
        (type $v (variant (case "p" $f) (case "q")))
        (func $put (param "v" $v) (canon lift (core func $i "put2")))
        (func $put-flags (param "f" $f) (canon lift (core func $i "put")))
        (instance $it (export "f" (type $f)) (export "v" (type $v))
          (export "put" (func $put)) (export "put-flags" (func $put-flags)))
        (export "a:b/c" (instance $it)))""",
    "an exported resource without methods": f"""(component {CORE}
        (type $r (resource (rep i32)))
        (func $get (result (own $r)) (canon lift (core func $i "get")))
        (func $put (param "r" (borrow $r)) (canon lift (core func $i "put")))
        (instance $it (export "r" (type $r)) (export "get" (func $get)))
        (export $c "a:b/c" (instance $it))
        (alias export $c "r" (type $r1))
        (instance $user (export "r" (type $r1)) (export "put" (func $put)))
        (export "a:b/d" (instance $user))
        (export "plain" (func $put) (func (param "r" (borrow $r1)))))""",
    "methods of an exported resource": f"""(component {CORE}
        (type $R (resource (rep i32)))
        (func $get (result (own $R)) (canon lift (core func $i "get")))
        (func $put (param "self" (borrow $R)) (canon lift (core func $i "put")))
        (export $r "r" (type $R))
        (export "[constructor]r" (func $get) (func (result (own $r))))
        (export "[method]r.put" (func $put) (func (param "self" (borrow $r))))
        (component $names
          (import "r" (type $r (sub resource)))
          (import "get" (func $get (result (own $r))))
          (import "put" (func $put (param "self" (borrow $r))))
          (export $s "s" (type $r))
          (export "[constructor]s" (func $get) (func (result (own $s))))
          (export "[method]s.put" (func $put) (func (param "self" (borrow $s)))))
        (instance $it (instantiate $names (with "r" (type $R)) (with "get" (func $get)) (with "put" (func $put))))
        (export "a:b/c" (instance $it)))""",
    "an instance inside an exported instance": f"""(component {CORE}
        (type $r (record (field "x" u32)))
        (func $put (param "r" $r) (canon lift (core func $i "put")))
        (instance $inner (export "r" (type $r)))
        (instance $outer (export "inner" (instance $inner)) (export "put" (func $put)))
        (export $o "outer" (instance $outer))
        (alias export $o "inner" (instance $oi))
        (alias export $oi "r" (type $r1))
        (export "put" (func $put) (func (param "r" $r1))))""",
    "one component twice": f"""(component
        (component $c {CORE}
          (type $R (resource (rep i32)))
          (export $r "r" (type $R))
          (func (export "get") (result (own $r)) (canon lift (core func $i "get"))))
        (instance $one (instantiate $c))
        (instance $two (instantiate $c))
        (export "one" (instance $one))
        (export "two" (instance $two)))""",
    "an interface with the types of an import": f"""(component {CORE}
        (import "a:b/types" (instance $t
          (type $rec (record (field "x" u32)))
          (export "rec" (type (eq $rec)))
          (export "res" (type (sub resource)))))
        (alias export $t "rec" (type $rec))
        (alias export $t "res" (type $res))
        (func $put (param "r" $rec) (param "s" (own $res)) (canon lift (core func $i "put2")))
        (instance $it (export "rec" (type $rec)) (export "res" (type $res)) (export "put" (func $put)))
        (export "a:b/api" (instance $it)))""",
    "types of types": """(component
        (type $c (component
          (import "m" (core module (import "x" "y" (func (param i32))) (export "z" (memory 1))))
          (import "r" (type $r (sub resource)))
          (export "f" (func (param "r" (own $r))))
          (export "i" (instance (export "t" (type (sub resource)))))))
        (type $i (instance (export "t" (type (sub resource))) (export "n" (instance))))
        (export "c" (type $c))
        (export "i" (type $i))
        (type $f (func (param "x" (tuple u8 char))))
        (export "f" (type $f)))""",
}


@pytest.mark.parametrize("name", WORLDS)
def test_types_of_imports_and_exports_are_kept(name: str) -> None:
    engine = Engine()
    original = parse(WORLDS[name])
    before = world(engine, wc.Component(engine, original))
    after = world(engine, wc.Component(engine, rewrapped(original)))
    assert after == before
    assert list(after) == list(before)


@pytest.mark.parametrize("name", WORLDS)
def test_same_input_gives_the_same_bytes(name: str) -> None:
    original = parse(WORLDS[name])
    assert rewrapped(original) == rewrapped(original)


@pytest.mark.parametrize("name", WORLDS)
def test_an_output_is_an_input_again(name: str) -> None:
    once = rewrapped(parse(WORLDS[name]))
    engine = Engine()
    twice = rewrapped(once)
    assert world(engine, wc.Component(engine, twice)) == world(engine, wc.Component(engine, once))
