"""WASI 0.2 for a guest of a host: what it was granted and nothing else; without a grant an empty context."""

from __future__ import annotations

from pathlib import Path
from typing import final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.errors import EngineError
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Wasi:
    """directories: (path here, path there, may it write); output: a file for what the guest prints, else it is lost."""

    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    directories: tuple[tuple[str, str, bool], ...] = ()
    network: bool = False
    output: Path | None = None


def define(linker: wc.Linker, imports: tuple[str, ...]) -> None:
    """Give a linker the interfaces that are imported. Whoever is instantiated by it must be given a context."""
    if imports:
        linker.add_wasip2()
    if _wants_http(imports):
        linker.add_wasi_http()


def configure(store: wasmtime.Store, imports: tuple[str, ...], given: Wasi) -> None:
    """Give `store` the context for what is imported. EngineError."""
    config = wasmtime.WasiConfig()
    config.argv = list(given.arguments)
    config.env = list(given.variables)
    if given.output is not None:
        config.stderr_file = str(given.output)
    if given.network:
        ffi.wasi_config_inherit_network(config.ptr())
        ffi.wasi_config_allow_ip_name_lookup(config.ptr(), True)
    for host, guest, write in given.directories:
        try:
            config.preopen_dir(host, guest, write)
        except wasmtime.WasmtimeError as error:
            raise EngineError(
                f"cannot give the guest the directory {host}",
                remedy="check that it is a directory that this process may read",
            ) from error
    store.set_wasi(config)
    if _wants_http(imports):
        if not given.network:
            raise EngineError(
                "the component imports wasi:http, and the network was not granted",
                remedy="grant it the network, or leave out what imports wasi:http",
            )
        store.set_wasi_http()


def _wants_http(imports: tuple[str, ...]) -> bool:
    return any(name.startswith("wasi:http/") for name in imports)
