"""Components that use what is refused: the traps that only these could meet are out of reach.

Beside each stands another that uses async: a single one would be left to the engine as it is (`analysis/passing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasmtime import wat2wasm

import meldpy
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions
from tests.support.trapcases.table import Refused

BUILTIN: Final = """
(component
  (core module $M
    (memory (export "m") 1)
    (table (export "t") 1 funcref)
    (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $m (instantiate $M))
  (core type $start (func (param i32)))
  (type $s (stream u8))
  (type $f (future u8))
  (core func $it (canon %s))
  (core module $User (import "" "it" (func $it)) (func (export "run") (call $it)))
  (core instance $user (instantiate $User (with "" (instance (export "it" (func $it))))))
  (func (export "run") (canon lift (core func $user "run"))))
"""

FORMS: Final = {
    "async lift": """
(component
  (core module $M (func (export "f")))
  (core instance $m (instantiate $M))
  (func (export "f") async (canon lift (core func $m "f") async)))
""",
    "callback": """
(component
  (core module $M
    (func (export "f") (result i32) (i32.const 0)) (func (export "c") (param i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $m (instantiate $M))
  (func (export "f") async (canon lift (core func $m "f") async (callback (core func $m "c")))))
""",
    "async type": """
(component
  (core module $M (func (export "f")))
  (core instance $m (instantiate $M))
  (func (export "f") async (canon lift (core func $m "f"))))
""",
    "async lower": """
(component
  (import "g" (func $g async))
  (core func $g (canon lower (func $g) async))
  (core module $M (import "" "g" (func $g (result i32))) (func (export "f") (drop (call $g))))
  (core instance $m (instantiate $M (with "" (instance (export "g" (func $g))))))
  (func (export "f") (canon lift (core func $m "f"))))
""",
}
OTHER: Final = """
(component
  (core module $M
    (import "" "new" (func $new (result i32)))
    (func (export "other") (drop (call $new))))
  (core func $new (canon waitable-set.new))
  (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
  (func (export "other") (canon lift (core func $m "other"))))
"""
SHORT: Final = (('(memory $m "m")', '(memory (core memory $m "m"))'),)


def problems(refused: Refused) -> Iterator[str]:
    for canon in refused.canon:
        name, text = canon.split()[0], canon
        for short, long in SHORT:
            text = text.replace(short, long)
        said = refusal(BUILTIN % text)
        if said is None or f"built-in {name} " not in said:
            yield f"{canon}: {said}"
    for form in refused.forms:
        said = refusal(FORMS[form])
        if said is None or "async" not in said:
            yield f"{form}: {said}"


def refusal(text: str) -> str | None:
    """Unvalidated, so that it does not matter which of these the engine knows yet."""
    try:
        meldpy.fuse([bytes(wat2wasm(text)), bytes(wat2wasm(OTHER))], FuseOptions(validate=False, flat=True))
    except UnsupportedError as error:
        return str(error)
    return None
