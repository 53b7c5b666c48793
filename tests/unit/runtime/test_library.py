"""The library as data: every module of it assembles, is valid by itself and fit to be merged."""

from __future__ import annotations

import pytest
import wasmtime

from meldpy import runtime
from meldpy.runtime import MemoryShape
from tests.support.string_harness import M32, M64, PAIRS_OF_SHAPES, engine

names = pytest.mark.parametrize("name", list(runtime.sources()))


@names
def test_every_module_is_valid_and_has_nothing_but_functions(name: str) -> None:
    text = runtime.sources()[name]
    module = wasmtime.Module(engine(), wasmtime.wat2wasm(text))
    assert module.exports
    assert all(isinstance(item.type, wasmtime.FuncType) for item in module.exports)
    for field in ("(start", "(data", "(table", "(elem"):
        assert field not in text


@names
def test_no_placeholder_is_left(name: str) -> None:
    words = set(runtime.sources()[name].replace("(", " ").replace(")", " ").split())
    assert not {word for word in words if word.split(".")[0].split("_")[0] in ("S", "D", "C") or ".from_" in word}


def test_names_tell_the_shapes_apart() -> None:
    assert runtime.string_source(M32) == "string_source/32"
    assert runtime.string_source(MemoryShape(memory64=True, page_size_log2=0)) == "string_source/64p"
    assert {runtime.strings(*shapes) for shapes in PAIRS_OF_SHAPES} <= set(runtime.sources())
    assert runtime.strings(MemoryShape(page_size_log2=0), M64) == "strings/32p-64"
    assert len(runtime.sources()) == 24


def test_memories_have_the_address_types_of_their_shapes() -> None:
    for source, destination in PAIRS_OF_SHAPES:
        module = wasmtime.Module(engine(), wasmtime.wat2wasm(runtime.sources()[runtime.strings(source, destination)]))
        memories = [item.type for item in module.imports if isinstance(item.type, wasmtime.MemoryType)]
        assert [memory.is_64 for memory in memories] == [source.memory64, destination.memory64]


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        runtime.sources()["strings/16-32"]
    assert M64.utf16_tag == 1 << 63
