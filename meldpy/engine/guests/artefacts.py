"""Compiled components: made once, kept on disk under their digest, and shared by every instance.

The files are `precompiled`'s business. An artefact knows what its component imports and exports, each function with
its signature, so that no instance has to ask.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import final

import wasmtime
from wasmtime import component as wc

from meldpy.engine.config import base_config
from meldpy.engine.guests import wasi as wasi_of_the_engine
from meldpy.engine.guests.callbacks import define
from meldpy.engine.guests.precompiled import Precompiled
from meldpy.engine.guests.signatures import Signature
from meldpy.engine.guests.threads import Clock, check_process
from meldpy.engine.words import causes_of
from meldpy.errors import EngineError
from meldpy.records import dataclass

_engines: list[GuestEngine] = []


@final
@dataclass(frozen=True, slots=True)
class GuestEngine:
    """An engine for guests: epochs end their calls, and with `fuel` their instructions are counted."""

    engine: wasmtime.Engine
    clock: Clock
    fuel: bool


@cache
def guest_engine(fuel: bool = False) -> GuestEngine:
    """One for the whole process, of each kind."""
    check_process()
    config = base_config(optimise=True)
    config.epoch_interruption = True
    if fuel:
        config.consume_fuel = True
    engine = wasmtime.Engine(config)
    made = GuestEngine(engine, Clock(engine), fuel)
    _engines.append(made)
    return made


@final
@dataclass(frozen=True, slots=True)
class Artefact:
    """imports: interface -> function -> signature, of what a host must provide, WASI left out; exports: path ->
    signature; wasi: names of the WASI interfaces it imports; linker: with all of them, for every instance."""

    digest: str
    engine: GuestEngine
    component: wc.Component
    imports: Mapping[str, Mapping[str, Signature]]
    exports: Mapping[tuple[str, ...], Signature]
    wasi: tuple[str, ...]
    linker: wc.Linker


def load(data: bytes, *, fuel: bool = False, cache_folder: Path | None = None, digest: str | None = None) -> Artefact:
    """Compile a component, or take it from the cache. EngineError if the engine does not take it.

    digest: the SHA-256 of `data`, from whoever computed it already.
    """
    check_process()
    engine = guest_engine(fuel)
    digest = sha256(data).hexdigest() if digest is None else digest
    kept = None if cache_folder is None else Precompiled(cache_folder, digest, engine.fuel)
    component = None if kept is None else kept.load(engine.engine)
    if component is None:
        try:
            component = wc.Component(engine.engine, data)
        except wasmtime.WasmtimeError as error:
            raise EngineError("the component cannot be compiled", causes=causes_of(error)) from error
        if kept is not None:
            kept.keep(component)
    imports, wasi = _imports(engine.engine, component)
    linker = wc.Linker(engine.engine)
    linker.allow_shadowing = True
    wasi_of_the_engine.define(linker, wasi)
    define(linker, imports)
    return Artefact(digest, engine, component, imports, dict(_exports(engine.engine, component)), wasi, linker)


# --- what a component has -------------------------------------------------------------------------------------------
def _imports(
    engine: wasmtime.Engine, component: wc.Component
) -> tuple[dict[str, dict[str, Signature]], tuple[str, ...]]:
    found: dict[str, dict[str, Signature]] = {}
    wasi: list[str] = []
    for name, item in component.type.imports(engine).items():
        if name.startswith("wasi:"):
            wasi.append(name)
        elif isinstance(item.ty, wc.ComponentInstanceType):
            functions = item.ty.exports(engine).items()
            found[name] = {inner: Signature(each.ty) for inner, each in functions if isinstance(each.ty, wc.FuncType)}
        elif isinstance(item.ty, wc.FuncType):
            raise EngineError(
                f"the component imports a function `{name}` by itself, which a host does not provide",
                remedy="import it from an interface, as host functions are",
            )
    return {name: functions for name, functions in found.items() if functions}, tuple(wasi)


def _exports(engine: wasmtime.Engine, component: wc.Component) -> list[tuple[tuple[str, ...], Signature]]:
    found: list[tuple[tuple[str, ...], Signature]] = []
    for name, item in component.type.exports(engine).items():
        if isinstance(item.ty, wc.FuncType):
            found.append(((name,), Signature(item.ty)))
        elif isinstance(item.ty, wc.ComponentInstanceType):
            for inner, each in item.ty.exports(engine).items():
                if isinstance(each.ty, wc.FuncType):
                    found.append(((name, inner), Signature(each.ty)))
    return found


@atexit.register
def _at_exit() -> None:
    """Engines go before the binding's modules are torn down, and their clocks before them."""
    while _engines:
        _engines.pop().clock.stop()
    guest_engine.cache_clear()
