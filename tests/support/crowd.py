"""A composition of as many components as one likes: a tree in which each calls those below it.

For what has to stay readable, or quick, with many components.
"""

from __future__ import annotations

from meldpy.pipeline import FuseInput


def crowd(count: int) -> list[FuseInput]:
    """Number 0 is the application; number i calls 2i+1 and 2i+2, if there are such."""
    return [FuseInput(f"part-{i}", f"part-{i}.wat", _part(i, count).encode()) for i in range(count)]


def _part(number: int, count: int) -> str:
    below = [child for child in (2 * number + 1, 2 * number + 2) if child < count]
    imports = "".join(
        f"""(import "demo:crowd/part-{child}@1.0.0" (instance $i{child}
          (export "size" (func (param "of" string) (result u32))) (export "add" (func (param "n" u32) (result u32)))))
        (core func $size{child} (canon lower (func $i{child} "size") (memory $mem)))
        (core func $add{child} (canon lower (func $i{child} "add")))
        """
        for child in below
    )
    core_imports = "".join(
        f"""(import "{child}" "size" (func $size{child} (param i32 i32) (result i32)))
          (import "{child}" "add" (func $add{child} (param i32) (result i32)))"""
        for child in below
    )
    calls = "".join(f"(i32.add (call $size{child} (local.get 0) (local.get 1)))" for child in below)
    adds = "".join(f"(call $add{child})" for child in below)
    given = "".join(
        f'(with "{child}" (instance (export "size" (func $size{child})) (export "add" (func $add{child}))))'
        for child in below
    )
    return f"""(component
      (core module $memory (memory (export "mem") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
      (core instance $memory (instantiate $memory))
      (alias core export $memory "mem" (core memory $mem))
      {imports}
      (core module $m {core_imports} (import "memory" "mem" (memory 1))
        (func (export "size") (param i32 i32) (result i32) (local.get 1) {calls})
        (func (export "add") (param i32) (result i32) (local.get 0) {adds})
        (data (i32.const 1024) "{"x" * (64 + 37 * (number % 11))}"))
      (core instance $i (instantiate $m (with "memory" (instance $memory)) {given}))
      (func $size (param "of" string) (result u32)
        (canon lift (core func $i "size") (memory $mem) (realloc (func $memory "realloc"))))
      (func $add (param "n" u32) (result u32) (canon lift (core func $i "add")))
      (instance $e (export "size" (func $size)) (export "add" (func $add)))
      (export "demo:crowd/part-{number}@1.0.0" (instance $e)))"""
