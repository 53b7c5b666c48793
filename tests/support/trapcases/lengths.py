"""Strings and lists of just as many bytes as are allowed, and of one more: for memories that are large enough.

These take a quarter of a gigabyte and some seconds each, so they are not among the cases of every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.support.trapcases.case import Step

LIMIT: Final = 1 << 28
PAGES: Final = 4200


@dataclass(frozen=True, slots=True)
class Long:
    """A value in the middle of its type. unit: bytes of an element or code unit; divergence: the engine's limit."""

    name: str
    type: str
    encoding: str
    unit: int
    trap: str
    divergence: str

    @property
    def most(self) -> int:
        return (LIMIT - 1) // self.unit


VALUES: Final = (
    Long("utf8", "string", "utf8", 1, "string too long", "string-limit"),
    Long("utf16", "string", "utf16", 2, "string too long", "string-limit"),
    Long("latin1", "string", "latin1+utf16", 1, "string too long", "string-limit"),
    Long("bytes", "(list u8)", "utf8", 1, "list too long", "list-limit"),
    Long("chars", "(list char)", "utf8", 4, "list too long", "list-limit"),
)
SHAPES: Final = {"top": "%s", "nested": "(option (tuple u8 %s))"}


def composition(value: Long, shape: str) -> str:
    """`take` passes a value of so many units, `give` receives one, and both return its length."""
    nested, options = shape == "nested", f'string-encoding={value.encoding} (memory (core memory $m "memory"))'
    type, flat, at = SHAPES[shape] % value.type, "i32 i32" + " i32 i32" * nested, 8 if nested else 0
    realloc = '(realloc (core func $m "realloc"))'
    before = "(i32.const 1) (i32.const 0)" if nested else ""
    memory = f"""(memory (export "memory") {PAGES})
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))"""
    return f"""(component
  (component $Provider
    (core module $M
      {memory}
      (func (export "take") (param {flat}) (result i32) (local.get {3 if nested else 1}))
      (func (export "give") (param i32) (result i32)
        (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store offset={at} (i32.const 16) (i32.const 65536))
        (i32.store offset={at + 4} (i32.const 16) (local.get 0))
        (i32.const 16)))
    (core instance $m (instantiate $M))
    (func (export "take") (param "it" {type}) (result u32) (canon lift (core func $m "take") {options} {realloc}))
    (func (export "give") (param "n" u32) (result {type}) (canon lift (core func $m "give") {options})))
  (component $Consumer
    (import "take" (func $take (param "it" {type}) (result u32)))
    (import "give" (func $give (param "n" u32) (result {type})))
    (core module $Memory {memory})
    (core instance $m (instantiate $Memory))
    (core func $take (canon lower (func $take) {options}))
    (core func $give (canon lower (func $give) {options} {realloc}))
    (core module $M
      (import "m" "memory" (memory {PAGES}))
      (import "" "take" (func $take (param {flat}) (result i32)))
      (import "" "give" (func $give (param i32 i32)))
      (func (export "take") (param i32) (result i32) (call $take {before} (i32.const 65536) (local.get 0)))
      (func (export "give") (param i32) (result i32)
        (call $give (local.get 0) (i32.const 16))
        (i32.load offset={at + 4} (i32.const 16))))
    (core instance $i (instantiate $M
      (with "m" (instance $m)) (with "" (instance (export "take" (func $take)) (export "give" (func $give))))))
    (func (export "take") (param "n" u32) (result u32) (canon lift (core func $i "take")))
    (func (export "give") (param "n" u32) (result u32) (canon lift (core func $i "give"))))
  (instance $provider (instantiate $Provider))
  (instance $consumer (instantiate $Consumer
    (with "take" (func $provider "take")) (with "give" (func $provider "give"))))
  (export "take" (func $consumer "take"))
  (export "give" (func $consumer "give")))"""


def steps(value: Long, export: str) -> list[Step]:
    """The longest value returns, one more unit is too long."""
    most = value.most
    return [
        Step(export, (most,), returns=most),
        Step(export, (most + 1,), trap=value.trap, divergence=value.divergence),
    ]
