"""A composition whose own instantiations do not fit: beside the engine's words, both types and what comes near."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import meldpy
from meldpy.cli.main import run
from meldpy.errors import LinkError, ValidationError

NAME = "demo:lib/math@0.2.1"


def composition(*, declared: str = "u32", given: str = NAME, extra: str = "", argument: str = "") -> bytes:
    """An application inside that wants `scale`, and a library inside that has it, of type u32 -> u32."""
    argument = argument or f'(instance $l "{NAME}")'
    return f"""(component
      (component $lib
        (core module $m (func (export "f") (param i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func $f (param "x" u32) (result u32) (canon lift (core func $i "f")))
        (instance $e (export "scale" (func $f)))
        (export "{NAME}" (instance $e)))
      (component $app
        (import "{NAME}" (instance $m (export "scale" (func (param "x" {declared}) (result u32))) {extra}))
        (alias export $m "scale" (func $f))
        (export "run" (func $f)))
      (instance $l (instantiate $lib))
      (alias export $l "{NAME}" (instance $m))
      (alias export $m "scale" (func $scale))
      (instance $a (instantiate $app (with "{given}" {argument})))
      (export "run" (func $a "run")))""".encode()


def refused(data: bytes, **options: object) -> ValidationError | LinkError:
    with pytest.raises((ValidationError, LinkError)) as caught:
        meldpy.fuse([data], meldpy.FuseOptions(**options))  # type: ignore[arg-type]
    return caught.value


def test_what_fits_is_fused() -> None:
    assert meldpy.fuse([composition()]).bytes


def test_a_type_that_does_not_fit_is_shown_beside_what_is_declared() -> None:
    error = refused(composition(declared="u64"))
    assert isinstance(error, ValidationError)
    assert error.diff == ("- scale: func(x: u64) -> u32;", "+ scale: func(x: u32) -> u32;")
    assert f"the argument `{NAME}` does not fit what the component declares" in error.causes
    assert "parameter `x` differs" in error.causes
    text = error.render()
    assert "What is imported (-) and what is provided (+):\n    - scale: func(x: u64) -> u32;" in text
    assert "component 1" in text, "the place is in the component that declares it"


def test_what_is_missing_in_an_instance_is_shown() -> None:
    error = refused(composition(extra='(export "twice" (func (param "x" u32) (result u32)))'))
    assert "- twice: func(x: u32) -> u32;" in error.diff
    assert any("`twice` is not among what is provided: scale" in cause for cause in error.causes)


@pytest.mark.parametrize("validate", [True, False])
def test_an_argument_under_another_name_comes_near(validate: bool) -> None:
    error = refused(composition(given="demo:lib/math@0.3.0"), validate=validate)
    assert "given is `demo:lib/math@0.3.0`, which comes near" in error.causes


def test_a_near_argument_of_another_type_is_shown_with_it() -> None:
    error = refused(composition(given="demo:lib/math@0.3.0", declared="u64"))
    assert error.diff == ("- scale: func(x: u64) -> u32;", "+ scale: func(x: u32) -> u32;")


def test_what_is_given_is_listed_where_nothing_comes_near() -> None:
    error = refused(composition(given="other"))
    assert "given are: `other`" in error.causes


def test_an_argument_of_another_kind_is_told() -> None:
    error = refused(composition(argument="(func $scale)"))
    assert any("declares a" in cause and "provider has a" in cause for cause in error.causes)
    unchecked = refused(composition(argument="(func $scale)"), validate=False)
    assert "which is not what the importer declares" in unchecked.reason


def passing_a_component(declared: str, broken: str = "") -> bytes:
    """An instantiation that is given a component, which has `f` of type -> u32."""
    return f"""(component
      (component $lib
        (core module $m (func (export "f") (result i32) i32.const 1 {broken}))
        (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (component $app
        (import "lib" (component $l (export "f" (func (result {declared})))))
        (instance $i (instantiate $l))
        (export "run" (func $i "f")))
      (instance $a (instantiate $app (with "lib" (component $lib))))
      (export "run" (func $a "run")))""".encode()


def test_a_component_that_fits_is_no_reason() -> None:
    error = refused(passing_a_component("u32", broken="drop"))
    assert error.diff == ()
    assert not any("argument" in cause for cause in error.causes)


def test_a_component_that_does_not_fit_is_told() -> None:
    error = refused(passing_a_component("u64"))
    assert "the argument `lib` does not fit what the component declares" in error.causes
    assert "an instance of the component has not what the importer expects" in error.causes
    assert "u64 is not u32" in error.causes


def test_what_is_wrong_elsewhere_is_told_in_the_engines_words() -> None:
    broken = composition().replace(b"local.get 0", b"local.get 9")
    error = refused(broken)
    assert error.diff == ()
    assert not any("argument" in cause for cause in error.causes)


def test_the_types_are_told_to_machines_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.wat"
    file.write_bytes(composition(declared="u64"))
    assert run(["--error-format", "json", "validate", str(file)]) == 1
    told = json.loads(capsys.readouterr().err)
    assert told["diff"] == ["- scale: func(x: u64) -> u32;", "+ scale: func(x: u32) -> u32;"]
