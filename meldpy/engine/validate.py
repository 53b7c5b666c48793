"""Is this component valid? The engine's answer, given before anything is trusted and before anything is written.

There is no component validator in the embedded engine but compiling. Small components are compiled as they are.
Large ones are checked in two halves that cover the same: each core module by the engine's module validator, and a
skeleton (see `skeleton`) by compiling. Which features are needed is not known beforehand, so the plain engine is
asked first and the one with gated features only when it refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import wasmtime
from wasmtime import component

from meldpy.engine import tools
from meldpy.engine.config import full_engine, plain_engine
from meldpy.errors import Location, ValidationError

SMALL = 64 * 1024
"""Bytes up to which a component is compiled whole: below this, building a skeleton costs more than it saves."""


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """A component to check: its bytes, and, for large ones, its skeleton and its core modules with their offsets."""

    source: str
    data: bytes
    skeleton: bytes | None = None
    modules: tuple[tuple[int, bytes], ...] = ()


def validate(subject: Subject) -> tuple[str, ...]:
    """Raise ValidationError, with the engine's words, if `subject` is invalid. Returns notes for `-v`."""
    refused = _refusal(subject, plain_engine())
    if refused is None:
        return ()
    full = full_engine()
    refused = _refusal(subject, full.engine)
    if refused is None:
        return ()
    where, words = refused
    causes = [line.strip() for line in words.splitlines() if line.strip()]
    causes += [f"wasm-tools: {line}" for line in tools.validation_message(subject.data)]
    if full.missing:
        causes.append(f"note: this wasmtime has no support for {', '.join(full.missing)}")
    raise ValidationError(
        "the component is invalid",
        Location(subject.source, where),
        causes=tuple(causes),
        remedy="rebuild the input with the tool that made it; `wasm-tools validate` gives details",
    )


def _refusal(subject: Subject, engine: wasmtime.Engine) -> tuple[int | None, str] | None:
    """(offset, the engine's words), or None if it accepts."""
    whole = subject.data if subject.skeleton is None else subject.skeleton
    for offset, module in _modules(subject):
        try:
            wasmtime.Module.validate(engine, module)
        except wasmtime.WasmtimeError as error:
            return offset, str(error)
    try:
        component.Component(engine, whole)
    except wasmtime.WasmtimeError as error:
        return None, str(error)
    return None


def _modules(subject: Subject) -> Iterable[tuple[int, bytes]]:
    return subject.modules if subject.skeleton is not None else ()
