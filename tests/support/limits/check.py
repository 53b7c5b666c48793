"""What must hold on each side of a limit."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from wasmtime import Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

import meldpy
from meldpy.engine.config import full_engine
from meldpy.engine.traps import trap_kind
from meldpy.errors import MeldError
from tests.support.limits.rows import Case
from tests.support.shape import assert_fused_shape


def binary(given: str | bytes) -> bytes:
    return given if isinstance(given, bytes) else bytes(wat2wasm(given))


def answer(data: bytes) -> int | str:
    """What `f` returns, or its trap; imports trap if they are called, and are not."""
    engine = full_engine().engine
    component = wc.Component(engine, data)
    linker, store = wc.Linker(engine), Store(engine)
    linker.define_unknown_imports_as_traps(component)
    func = linker.instantiate(store, component).get_func(store, "f")
    assert func is not None
    try:
        result = func(store)
    except WasmtimeError as error:
        return trap_kind(str(error))
    assert isinstance(result, int)
    return result


def check(case: Case) -> None:
    """Fuses, validates and runs, as the composition does; or is refused with a reason, a place and a remedy."""
    inputs = [binary(given) for given in case.inputs]
    if case.refused is not None:
        check_refusal(case, inputs)
        return
    fused = meldpy.fuse(list(inputs), case.options).bytes
    assert_fused_shape(fused)
    assert answer(fused) == (42 if case.trap is None else case.trap)
    if case.trap is None:
        assert answer(inputs[0]) == 42, "the input is no example of what it should show"


def check_refusal(case: Case, inputs: list[bytes]) -> None:
    assert case.refused is not None
    kind, words = case.refused
    with pytest.raises(MeldError) as caught:
        meldpy.fuse(list(inputs), replace(case.options, flat=True))
    error, text = caught.value, caught.value.render()
    assert type(error).__name__ == kind, text
    assert error.exit_code == 1
    assert re.search(words, text), text
    assert len(text) < 5_000
    if kind == "LimitError":
        assert error.remedy
    else:
        assert error.location is not None
        assert error.location.offset is not None
