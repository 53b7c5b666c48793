"""A module keeps to a target's features, or is refused with what needs more."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.core_output import check_features, parse_features
from meldpy.core_output.features import FEATURES, TARGETS, instruction_feature
from meldpy.errors import UnsupportedError, UsageError
from meldpy.kernel.opcodes import _ATOMIC, _GC, _MISC, _ONE_BYTE, _VECTOR
from meldpy.kernel.rebase import opcodes_seen
from meldpy.model.reindexed import IndexCounts
from tests.support.core_output import core_of
from tests.support.fixtures import load


def check(wat: str, features: str) -> None:
    module = decode_module(bytes(wat2wasm(wat)), "module")
    types = sum(len(group.types) for group in module.types)
    counts = IndexCounts(
        types=types,
        funcs=len(module.funcs),
        tables=len(module.tables),
        memories=len(module.memories),
        globals=len(module.globals),
        tags=len(module.tags),
        elems=len(module.elements),
        data=len(module.data),
    )
    check_features(module, opcodes_seen(module.code.bodies, module.code.count, counts), parse_features(features))


BODIES = {
    "sign-extension": "(func $f (drop (i32.extend8_s (i32.const 0))))",
    "nontrapping-fptoint": "(func $f (drop (i32.trunc_sat_f32_u (f32.const 0))))",
    "multi-value": "(func $f (i32.const 1) (block (param i32) (drop)))",
    "bulk-memory-opt": "(memory 1) (func $f (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
    "bulk-memory": "(memory 1) (data $d) (func $f (data.drop $d))",
    "reference-types": "(func $f (drop (ref.is_null (ref.null func))))",
    "simd": "(func $f (drop (i8x16.splat (i32.const 0))))",
    "relaxed-simd": "(func $f (drop (i8x16.relaxed_swizzle (i8x16.splat (i32.const 0)) (i8x16.splat (i32.const 0)))))",
    "tail-call": "(func $f (return_call $f))",
    "threads": "(func $f (atomic.fence))",
    "exceptions": "(func $f (throw_ref (ref.null exn)))",
    "gc": "(func $f (drop (ref.i31 (i32.const 0))))",
    "function-references": "(func $f (drop (ref.as_non_null (ref.null func))))",
    "multi-memory": "(memory 1) (memory 1)",
    "memory64": "(memory i64 1)",
    "custom-page-sizes": "(memory 1 (pagesize 1))",
    "extended-const": "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "wide-arithmetic": "(func $f (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) (drop) (drop))",
}


@pytest.mark.parametrize("feature", BODIES)
def test_what_needs_a_feature_is_refused_without_it(feature: str) -> None:
    body = BODIES[feature]
    check(f"(module {body})", "")
    with pytest.raises(UnsupportedError, match=f"needs {feature}"):
        check(f"(module {body})", f"-{feature}")


@pytest.mark.parametrize(
    "types",
    [
        "(type $open (sub (func)))",
        "(type $open (sub (func))) (type (sub final $open (func)))",
        "(type (struct))",
        "(rec (type (func)) (type (func)))",
        "(rec (type (func)))",
    ],
)
def test_types_that_code_does_not_use_need_their_feature_as_well(types: str) -> None:
    with pytest.raises(UnsupportedError, match="needs gc"):
        check(f"(module {types})", "-gc")


def test_a_second_memory_is_refused_with_what_makes_one_of_them() -> None:
    with pytest.raises(UnsupportedError) as caught:
        core_of(load("hello"), features="wazero")
    assert caught.value.remedy == "fuse with --memory single, or allow it: +multi-memory"
    core_of(load("hello"), features="wazero", memory="single")


def test_refusal_names_instruction_function_and_offset() -> None:
    words = r"instruction 0xfd 0xf of function late, at 0x[0-9a-f]+ in the code, needs simd"
    with pytest.raises(UnsupportedError, match=words):
        check("(module (func $early (nop)) (func $late (drop (i8x16.splat (i32.const 0)))))", "-simd")


def test_wasm1_takes_what_is_of_version_1() -> None:
    body = "(drop (i32.load (i32.const 0))) (block (nop)) (loop (if (i32.const 0) (then)))"
    check(f"(module (memory 1) (func {body}))", "wasm1")


def test_every_instruction_behind_a_prefix_has_a_feature() -> None:
    for prefix, group in ((0xFB, _GC), (0xFC, _MISC), (0xFD, _VECTOR), (0xFE, _ATOMIC)):
        assert {instruction_feature(prefix, opcode) for opcode in group} <= FEATURES


def test_every_instruction_of_version_1_has_none_and_all_others_have_one() -> None:
    control, parametric, variables = (*range(0x06), *range(0x0B, 0x12)), (0x1A, 0x1B), range(0x20, 0x25)
    version_1 = {*control, *parametric, *variables, *range(0x28, 0xC0)}
    known = {opcode for opcode in _ONE_BYTE if opcode < 0xFB}
    assert {opcode for opcode in known if instruction_feature(0, opcode) is None} == version_1
    assert {instruction_feature(0, opcode) for opcode in known - version_1} <= FEATURES


def test_targets_are_made_of_features_and_can_be_changed() -> None:
    assert all(features <= FEATURES for features in TARGETS.values())
    assert parse_features("wazero,+tail-call,-simd") == (TARGETS["wazero"] | {"tail-call"}) - {"simd"}
    with pytest.raises(UsageError, match="there is no -vectors"):
        parse_features("-vectors")


def test_fixtures_keep_to_wazero_in_one_memory_and_not_apart() -> None:
    fixture = load("hello")
    core_of(fixture, memory="single", features="wazero")
    with pytest.raises(UnsupportedError, match="a second memory needs multi-memory"):
        core_of(fixture, features="wazero")
