"""Is this component valid? The engine's answer, given before anything is trusted and before anything is written.

There is no component validator in the embedded engine but compiling, and compiling code that nobody trusts yet can
take minutes: 56 kB of functions with many locals took 20 s. So a component is checked in two halves that cover the
same: each core module by the engine's module validator, and a skeleton (see `skeleton`) by compiling. The halves only
ever say yes: a refusal is repeated on the whole component, so that the engine's words and offsets are about the file.

Compiling asks for more than validity: the engine also lays out what it would run, and there are things that it cannot
do (a component that exports a function it imports; adapters beyond its size). Those say nothing about the component,
which may run well as a part of another. So before a component is called invalid, its skeleton is put into a box, a
component that contains it and never instantiates it: the engine checks all of it, and lays out nothing.

Which features are needed is not known beforehand, so the plain engine is asked first and the one with gated features
only when it refuses. A component that uses a gated feature this wasmtime cannot be given is checked as far as
possible: its core modules by the engine, the rest by decoding and resolving it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import final

import wasmtime

from meldpy.engine.compiling import refusal
from meldpy.engine.config import FullEngine, full_engine, plain_engine
from meldpy.engine.gated import gated_features
from meldpy.engine.words import causes_of, offset_in
from meldpy.errors import EngineError, Location, ValidationError
from meldpy.model.component import Component
from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """A component to check: bytes, model, core modules with their offsets in the bytes, and its skeleton.

    Without a skeleton the bytes are compiled as they are. box: a component that contains the skeleton and does nothing
    with it; made when it is needed.
    """

    source: str
    data: bytes = field(repr=False)
    component: Component = field(repr=False)
    modules: tuple[tuple[int, bytes], ...] = field(repr=False)
    skeleton: bytes | None = field(default=None, repr=False)
    box: Callable[[], bytes] | None = field(default=None, repr=False)


def validate(subject: Subject) -> tuple[str, ...]:
    """Raise ValidationError, with the engine's words, if `subject` is invalid. Returns notes for `-v`."""
    for engine in _engines():
        objection = _objection(subject, engine)
        if objection is None:
            return ()
        if _is_compile_failure(objection):
            if _is_valid_in_a_box(subject):
                return (_limit_note(subject, objection),)
            raise _not_compiled(subject, objection)
    full = full_engine()
    refused = _refused_module(subject, full.engine) or _refusal(subject, full.engine)
    if refused is None:
        return ()
    lacking = gated_features(subject.component) & set(full.missing)
    if lacking and _refused_module(subject, full.engine) is None:
        return (_lacking_note(subject, lacking),)
    where, causes = refused
    if _is_valid_in_a_box(subject):
        return (_limit_note(subject, causes),)
    raise _invalid(subject, where, causes, full)


def validate_module(source: str, data: bytes) -> None:
    """The same for a core module."""
    full = full_engine()
    try:
        wasmtime.Module.validate(full.engine, data)
    except wasmtime.WasmtimeError as error:
        inside, causes = offset_in(causes_of(error))
        raise ValidationError("the core module is invalid", Location(source, inside), causes=causes) from error


def _engines() -> Iterator[wasmtime.Engine]:
    yield plain_engine()
    yield full_engine().engine


def _objection(subject: Subject, engine: wasmtime.Engine) -> tuple[str, ...] | None:
    """None if the engine accepts; otherwise its words, whose offsets may be about the skeleton."""
    refused = _refused_module(subject, engine)
    if refused is not None:
        return refused[1]
    error = _compile(subject.data if subject.skeleton is None else subject.skeleton, engine)
    return None if error is None else causes_of(error)


def _compile(data: bytes, engine: wasmtime.Engine) -> wasmtime.WasmtimeError | None:
    return refusal(engine, data)


def _refusal(subject: Subject, engine: wasmtime.Engine) -> tuple[int | None, tuple[str, ...]] | None:
    """The engine's words against the whole component; None if it accepts after all."""
    error = _compile(subject.data, engine)
    return None if error is None else offset_in(causes_of(error))


def _refused_module(subject: Subject, engine: wasmtime.Engine) -> tuple[int | None, tuple[str, ...]] | None:
    """Where in the file the engine refuses a core module, and its words; None if it accepts all."""
    for offset, module in subject.modules:
        try:
            wasmtime.Module.validate(engine, module)
        except wasmtime.WasmtimeError as error:
            inside, causes = offset_in(causes_of(error))
            return offset if inside is None else offset + inside, causes
    return None


def _is_compile_failure(causes: tuple[str, ...]) -> bool:
    """Whether the engine failed in translating a function: bodies of core modules are valid, so one of its adapters."""
    return any(cause.startswith("failed to compile: wasm[") for cause in causes)


def _is_valid_in_a_box(subject: Subject) -> bool:
    """Whether the engine finds the component valid where it has nothing to do with it but that."""
    engine = full_engine().engine
    if subject.box is None or _refused_module(subject, engine) is not None:
        return False
    return _compile(subject.box(), engine) is None


def _limit_note(subject: Subject, causes: tuple[str, ...]) -> str:
    """What the engine cannot do with this component by itself, in its words."""
    return f"{subject.source}: valid, but the embedded engine cannot run it by itself: {causes[-1]}"


def _not_compiled(subject: Subject, causes: tuple[str, ...]) -> EngineError:
    """It is not asked again, nor about the whole: making adapters for a large composition can take seconds."""
    return EngineError(
        "the embedded engine cannot compile this component, though it finds nothing invalid in it",
        Location(subject.source),
        causes=causes,
        remedy="check it with `wasm-tools validate`, and fuse with --no-validate if that is content",
    )


def _lacking_note(subject: Subject, lacking: set[str] | frozenset[str]) -> str:
    features = ", ".join(sorted(lacking))
    return f"{subject.source}: this wasmtime has no support for {features}; only core modules were checked by it"


def _invalid(subject: Subject, where: int | None, causes: tuple[str, ...], full: FullEngine) -> ValidationError:
    from meldpy.engine import tools

    said = tools.validation_message(subject.data)
    causes += tuple(f"wasm-tools: {line}" for line in said if line.partition(" (at offset")[0] not in causes)
    if full.missing:
        causes += (f"note: this wasmtime has no support for {', '.join(full.missing)}",)
    return ValidationError(
        "the component is invalid",
        Location(subject.source, where),
        causes=causes,
        remedy="rebuild the input with the tool that made it; `wasm-tools validate` gives details",
    )
