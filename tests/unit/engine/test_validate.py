"""The engine's answer on valid and invalid components, whole and as a skeleton."""

from __future__ import annotations

import pytest
import wasmtime
from wasmtime import component

from meldpy.binary.decode import decode_component
from meldpy.binary.encode import encode_component
from meldpy.engine import config
from meldpy.engine import validate as engine_validate
from meldpy.engine.config import FullEngine, full_engine, plain_engine
from meldpy.engine.gated import gated_features
from meldpy.engine.skeleton import skeleton
from meldpy.engine.validate import Subject, validate
from meldpy.engine.words import causes_in, offset_in
from meldpy.errors import ValidationError
from meldpy.model.component import Component, ComponentSection, CoreModuleSection

GATED = {
    "threads": "(component (core func (canon thread.index)))",
    "error-context": "(component (core func (canon error-context.drop)))",
    "fixed-length lists": "(component (type (list u8 4)))",
    "values as references": config._GATED[3].probe,
    "64-bit component memories": config._GATED[4].probe,
}


def subject(text: str, large: bool) -> Subject:
    data = bytes(wasmtime.wat2wasm(text))
    decoded = decode_component(data, "test")
    modules = tuple(
        (s.module.offset, data[s.module.offset : s.module.offset + s.module.size])
        for s in decoded.sections
        if isinstance(s, CoreModuleSection)
    )
    inside = skeleton(decoded)

    def box() -> bytes:
        return encode_component(Component((ComponentSection(inside),)))

    return Subject("test", data, decoded, modules, encode_component(inside) if large else None, box)


VALID = {
    "nothing": "(component)",
    "a module": """(component (core module (memory 1) (data (i32.const 0) "x") (data "passive")
      (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1)))))""",
    "a lift": """(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func (export "f") (canon lift (core func $i "f"))))""",
    "references": "(component (core module (func $f) (func (drop (ref.func $f))) (elem declare func $f)))",
    **GATED,
}
INVALID = {
    "a body": "(component (core module (func (result i32))))",
    "a second body": "(component (core module (func)) (core module (func) (func (drop))))",
    "a data index": '(component (core module (memory 1) (func (data.drop 3)) (data "x")))',
    "a lift": """(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
      (func (canon lift (core func $i "f"))))""",
    "an instantiation": '(component (core module $m (import "a" "b" (func))) (core instance (instantiate $m)))',
    "a type": '(component (type $t (record (field "a" u8))) (import "f" (func (param "a" (own $t)))))',
    "an export name": '(component (core module $m) (export "A_B" (core module $m)))',
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_valid_components_are_accepted(text: str, large: bool) -> None:
    assert validate(subject(text, large)) == ()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_components_are_refused_like_a_full_compile_does(text: str, large: bool) -> None:
    given = subject(text, large)
    with pytest.raises(wasmtime.WasmtimeError):
        component.Component(full_engine().engine, given.data)
    with pytest.raises(ValidationError) as caught:
        validate(given)
    assert caught.value.causes


@pytest.mark.parametrize("large", [False, True])
def test_offsets_are_about_the_file(large: bool) -> None:
    given = subject(INVALID["a second body"], large)
    with pytest.raises(ValidationError) as caught:
        validate(given)
    location = caught.value.location
    assert location is not None
    start, module = given.modules[1]
    assert location.offset is not None
    assert start < location.offset <= start + len(module)


def test_a_skeleton_keeps_the_outside_and_drops_the_inside() -> None:
    given = subject(VALID["a module"], True)
    assert given.skeleton is not None
    assert len(given.skeleton) < len(given.data)
    assert b"passive" not in given.skeleton


def test_a_skeleton_that_is_refused_wrongly_does_not_refuse_the_component() -> None:
    given = subject(VALID["a lift"], False)
    assert validate(Subject("test", given.data, given.component, given.modules, b"\0asm\x0d\0\x01\0\xff")) == ()


# --- gated features ----------------------------------------------------------------------------------------------
def test_gated_features_are_on_and_verified() -> None:
    assert full_engine().missing == ()
    for text in GATED.values():
        with pytest.raises(wasmtime.WasmtimeError):
            component.Component(plain_engine(), text)
        component.Component(full_engine().engine, text)


def test_a_bit_that_cannot_be_found_leaves_the_feature_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel that is laid out otherwise: nothing is flipped blindly, and the names say what is missing."""
    monkeypatch.setattr(config, "_CONFIG_BYTES", 0)
    full = full_engine.__wrapped__()
    assert set(full.missing) == set(GATED)
    component.Component(full.engine, "(component)")


def test_a_bit_that_turns_out_to_be_another_feature_leaves_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = tuple(config._Gated(g.name, g.neighbour, g.distance + 20, g.probe) for g in config._GATED)
    monkeypatch.setattr(config, "_GATED", moved)
    assert set(full_engine.__wrapped__().missing) == set(GATED)


@pytest.mark.parametrize("feature", GATED)
def test_the_use_of_a_gated_feature_is_seen(feature: str) -> None:
    assert feature in gated_features(subject(GATED[feature], False).component)
    assert not gated_features(subject(VALID["a lift"], False).component)


@pytest.fixture
def poor_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    poor = FullEngine(plain_engine(), tuple(GATED))
    monkeypatch.setattr(engine_validate, "full_engine", lambda: poor)


@pytest.mark.usefixtures("poor_engine")
def test_without_the_feature_our_own_checks_decide_and_a_note_says_so() -> None:
    for feature, text in GATED.items():
        (note,) = validate(subject(text, False))
        assert feature in note


@pytest.mark.usefixtures("poor_engine")
def test_without_the_feature_core_modules_are_still_checked() -> None:
    with pytest.raises(ValidationError):
        validate(subject("(component (type (list u8 4)) (core module (func (result i32))))", False))
    with pytest.raises(ValidationError, match="no support for"):
        validate(subject(INVALID["a lift"], False))


def test_the_engines_words_become_causes() -> None:
    words = "failed to compile\n\nCaused by:\n    0: WebAssembly translation error\n    1: bad (at offset 0x1f)\n"
    assert causes_in(words) == ("failed to compile", "WebAssembly translation error", "bad (at offset 0x1f)")
    assert offset_in(causes_in(words)) == (0x1F, ("failed to compile", "WebAssembly translation error", "bad"))
    assert offset_in(("no place",)) == (None, ("no place",))


# --- what only the engine cannot do ------------------------------------------------------------------------------
LIMITED = {
    "a re-exported function": '(component (import "f" (func $f)) (export "g" (func $f)))',
    "a re-exported function of an instance": """(component
      (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (func $f)) (export "g" (func $f)))""",
    "a re-exported instance": '(component (import "i" (instance $i (export "f" (func)))) (export "j" (instance $i)))',
    "a re-exported method": """(component
      (import "i" (instance $i (export "r" (type $r (sub resource)))
        (export "[method]r.m" (func (param "self" (borrow $r))))))
      (export "j" (instance $i)))""",
    "one inside an instance of exports": """(component
      (import "f" (func $f)) (instance $i (export "g" (func $f))) (export "i" (instance $i)))""",
    "one through a nested component": """(component (import "f" (func $f))
      (component $c (import "f" (func $f)) (export "g" (func $f)))
      (instance $i (instantiate $c (with "f" (func $f)))) (export "i" (instance $i)))""",
    "an exported component": '(component (component $c) (export "c" (component $c)))',
    "an imported component": '(component (import "c" (component)))',
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("text", LIMITED.values(), ids=LIMITED)
def test_what_only_the_engine_cannot_do_makes_nothing_invalid(text: str, large: bool) -> None:
    given = subject(text, large)
    with pytest.raises(wasmtime.WasmtimeError):
        component.Component(full_engine().engine, given.data)
    (note,) = validate(given)
    assert "valid, but the embedded engine cannot run it by itself: " in note


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_a_limit_excuses_nothing_else(text: str) -> None:
    """The engine may name its limit first, so what is invalid beside it must still be found."""
    inside = text.removeprefix("(component").removesuffix(")")
    with pytest.raises(ValidationError):
        validate(subject(f'(component (import "f" (func $f)) (export "g" (func $f)) {inside})', True))
