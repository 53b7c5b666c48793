"""Middleware as it is in the wild: a handler whose requests are resources of the host, layer upon layer.

`wasi:http` is of this shape: every layer imports the interface that defines the resource type, imports a handler that
uses it, and exports the same handler. In a chain the handlers meet; the types are the host's for all.
"""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime
from wasmtime import component as wc

import meldpy
from meldpy.errors import LinkError

TYPES = """(import "h:h/types@{types}" (instance $types
    (export "req" (type $req (sub resource)))
    (export "[method]req.path" (func (param "self" (borrow $req)) (result u32)))))
  (alias export $types "req" (type $req))
  (core func $path (canon lower (func $types "[method]req.path")))
  (core func $drop (canon resource.drop $req))"""
EXPORT = """(func $handle (param "r" (own $req)) (result u32) (canon lift (core func $i "handle")))
  (component $shape
    (import "req" (type $r (sub resource)))
    (import "handle" (func $handle (param "r" (own $r)) (result u32)))
    (export $r2 "req" (type $r))
    (export "handle" (func $handle) (func (param "r" (own $r2)) (result u32))))
  (instance $out (instantiate $shape (with "req" (type $req)) (with "handle" (func $handle))))
  (export "h:h/handler@{handler}" (instance $out))"""
LAYER = """(component {head}
  (import "h:h/handler@{imported}" (instance $next
    (alias outer 1 $req (type $o)) (export "req" (type $r (eq $o)))
    (export "handle" (func (param "r" (own $r)) (result u32)))))
  (core func $next (canon lower (func $next "handle")))
  (core module $m
    (import "" "path" (func $path (param i32) (result i32)))
    (import "" "next" (func $next (param i32) (result i32)))
    (func (export "handle") (param i32) (result i32)
      (i32.add (i32.mul (call $path (local.get 0)) (i32.const 0))
        (i32.add (i32.mul (call $next (local.get 0)) (i32.const 10)) (i32.const {digit})))))
  (core instance $i (instantiate $m (with "" (instance (export "path" (func $path)) (export "next" (func $next))))))
  {tail})"""
END = """(component {head}
  (core module $m
    (import "" "path" (func $path (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "handle") (param i32) (result i32) (local $path i32)
      (local.set $path (call $path (local.get 0)))
      (call $drop (local.get 0))
      (local.get $path)))
  (core instance $i (instantiate $m (with "" (instance (export "path" (func $path)) (export "drop" (func $drop))))))
  {tail})"""


def layer(digit: int, types: str = "1.0.0", imported: str = "1.0.0", handler: str = "1.0.0") -> str:
    head, tail = TYPES.replace("{types}", types), EXPORT.replace("{handler}", handler)
    text = LAYER.replace("{imported}", imported).replace("{digit}", str(digit))
    return text.replace("{head}", head).replace("{tail}", tail)


def end(types: str = "1.0.0", handler: str = "1.0.0") -> str:
    head, tail = TYPES.replace("{types}", types), EXPORT.replace("{handler}", handler)
    return END.replace("{head}", head).replace("{tail}", tail)


def run(inputs: dict[str, str], **options: object) -> tuple[int, list[object]]:
    """What the outermost handler gives for a request with path 5, and what the host saw."""
    given = [meldpy.FuseInput(name, name, text.encode()) for name, text in inputs.items()]
    fused = meldpy.fuse(given, meldpy.FuseOptions(**options))  # type: ignore[arg-type]  # each test names its options
    engine = wasmtime.Engine()
    component = wc.Component(engine, fused.bytes)
    store, linker, seen = wasmtime.Store(engine), wc.Linker(engine), list[object]()

    def rep(handle: Any) -> int:
        found: int = handle.to_host(store).rep
        return found

    def path(_: object, request: Any) -> int:
        seen.append("path")
        return rep(request)

    def handle(_: object, request: Any) -> int:
        seen.append("host handles")
        return rep(request) + 2

    with linker.root() as root:
        for name in component.type.imports(engine):
            with root.add_instance(name) as instance:
                if "/types@" in name:
                    kind = wc.ResourceType.host(3)
                    instance.add_resource("req", kind, lambda _, dropped: seen.append(f"dropped {dropped}"))
                    instance.add_func("[method]req.path", path)
                else:
                    instance.add_resource("req", wc.ResourceType.host(3), lambda _, dropped: None)
                    instance.add_func("handle", handle)
    running = linker.instantiate(store, component)
    (name,) = component.type.exports(engine)
    index = running.get_export_index(store, "handle", running.get_export_index(store, name))
    assert index is not None
    func = running.get_func(store, index)
    assert func is not None
    value = func(store, wc.ResourceHost.own(5, 3).to_any(store))
    func.post_return(store)
    assert isinstance(value, int)
    return value, seen


def test_a_closed_chain_hands_the_request_to_its_end() -> None:
    inputs = {"one": layer(1), "two": layer(2), "end": end()}
    assert run(inputs, chain=True) == (521, ["path", "path", "path", "dropped 5"])
    twice = {"a": layer(1), "b": layer(1), "end": end()}
    assert run(twice, chain=True) == (511, ["path", "path", "path", "dropped 5"])


def test_an_open_chain_hands_it_to_the_host() -> None:
    two = {"one": layer(1), "two": layer(2)}
    assert run(two, chain=True) == (721, ["path", "path", "host handles"])
    link = "one:h:h/handler@1.0.0=two:h:h/handler@1.0.0"
    with pytest.raises(LinkError, match="in a circle") as caught:
        run(two, links=(link,))
    assert caught.value.remedy is not None
    assert "--open two:h:h/handler@1.0.0" in caught.value.remedy
    assert run(two, links=(link,), opens=("two:h:h/handler@1.0.0",)) == (721, ["path", "path", "host handles"])


def test_layers_of_several_versions_of_one_track_make_a_chain() -> None:
    inputs = {
        "new": layer(1, types="1.2.0", imported="1.3.0", handler="1.3.0"),
        "old": layer(2, types="1.0.0", imported="1.1.0", handler="1.0.0"),
        "end": end(types="1.1.0", handler="1.2.0"),
    }
    assert run(inputs, chain=True) == (521, ["path", "path", "path", "dropped 5"])
    del inputs["end"]
    assert run(inputs, chain=True) == (721, ["path", "path", "host handles"])


def test_a_link_goes_around_a_layer() -> None:
    inputs = {"one": layer(1), "two": layer(2), "end": end()}
    link = "one:h:h/handler@1.0.0=end:h:h/handler@1.0.0"
    assert run(inputs, chain=True, links=(link,), roots=("one",)) == (51, ["path", "path", "dropped 5"])
