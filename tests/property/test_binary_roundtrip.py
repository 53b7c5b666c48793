"""Decoding and encoding are each other's inverse, for models and bytes that no toolchain would think of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.binary.decode import decode_component, decode_module
from meldpy.binary.encode import encode_component, encode_module
from meldpy.binary.leb128 import read_signed, read_unsigned, signed, unsigned
from meldpy.errors import DecodeError
from meldpy.model.component import Component
from meldpy.model.core import CoreModule
from tests.support.binary_models import components, core_modules

QUICK = settings(max_examples=60, deadline=None)


@QUICK
@given(core_modules())
def test_a_module_survives_encoding_and_decoding(module: CoreModule) -> None:
    data = encode_module(module)
    decoded = decode_module(data, "generated")
    assert decoded == module
    assert encode_module(decoded) == data
    assert decoded.size == len(data)


@QUICK
@given(components)
def test_a_component_survives_encoding_and_decoding(component: Component) -> None:
    data = encode_component(component)
    decoded = decode_component(data, "generated")
    assert decoded == component
    assert encode_component(decoded) == data


@QUICK
@given(components, st.data())
def test_a_mutated_component_is_decoded_or_refused(component: Component, data: st.DataObject) -> None:
    mutated = bytearray(encode_component(component))
    for position in data.draw(st.lists(st.integers(8, max(8, len(mutated) - 1)), min_size=1, max_size=4)):
        mutated[position : position + 1] = data.draw(st.binary(max_size=2))
    try:
        decoded = decode_component(bytes(mutated), "mutated")
    except DecodeError as error:
        location = error.location
    else:
        assert decode_component(encode_component(decoded), "again") == decoded
        return
    assert location is not None
    assert location.offset is not None
    assert 0 <= location.offset <= len(mutated)


@given(st.integers(0, 2**64 - 1))
def test_unsigned_integers_read_as_written(value: int) -> None:
    data = memoryview(unsigned(value))
    assert read_unsigned(data, 0, len(data), 64) == (value, len(data))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_integers_read_as_written(value: int) -> None:
    data = memoryview(signed(value))
    assert read_signed(data, 0, len(data), 64) == (value, len(data))
