"""A component, resolved and wrapped again around a stub: the same world without the code."""

from __future__ import annotations

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.binary.encode import encode_component
from meldpy.model.component import Component
from meldpy.model.linked import LinkedGraph
from meldpy.resolver import ResolveOptions, ResolverInput, resolve
from meldpy.wrapper import wrap
from tests.support.stub_fused import stub_fused


def graph_of(data: bytes) -> LinkedGraph:
    component = decode_component(data, "test")
    return resolve([ResolverInput("test", "test.wasm", len(data), component)], ResolveOptions())


def rewrapped_model(data: bytes) -> Component:
    graph = graph_of(data)
    return wrap(graph, stub_fused(graph))


def rewrapped(data: bytes) -> bytes:
    return bytes(encode_component(rewrapped_model(data)))


def parse(text: str) -> bytes:
    return bytes(wat2wasm(text))
