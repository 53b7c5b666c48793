"""`wasm-tools component wit` prints the same world before and after: names, order, `use`, aliases, resources."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.rewrap import rewrapped

pytestmark = pytest.mark.toolchain

WORLDS = Path(__file__).parent / "worlds"
EXPORTS = WORLDS / "deps" / "exports"


def wasm_tools(*arguments: str, data: bytes = b"") -> bytes:
    """Its output. Fails, and does not skip, where wasm-tools is missing."""
    done = subprocess.run(["wasm-tools", *arguments], input=data, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def component_for(wit: Path, world: str) -> bytes:
    """A component with this world whose functions trap."""
    module = wasm_tools("component", "embed", "--dummy", str(wit), "--world", world)
    return wasm_tools("component", "new", "-", data=module)


def wit_of(data: bytes) -> str:
    return wasm_tools("component", "wit", data=data).decode()


def text_of(data: bytes, name: str) -> str:
    """The text of a component, named so that it can be nested in another."""
    text = wasm_tools("print", "-", data=data).decode().strip()
    assert text.startswith("(component")
    return f"(component ${name}{text.removeprefix('(component')}"


@pytest.mark.parametrize("world", ["exporter", "provider", "both-ways", "at-the-root", "importer"])
def test_world_of_one_component_is_kept(world: str) -> None:
    original = component_for(EXPORTS, world)
    output = rewrapped(original)
    wasm_tools("validate", "-", data=output)
    assert wit_of(output) == wit_of(original)


def test_world_of_a_composition_is_kept() -> None:
    """The consumer's exports use types that the provider exports: in the world they are one interface's types."""
    provider = text_of(component_for(EXPORTS, "provider"), "provider")
    original = wasm_tools(
        "parse",
        "-",
        data=f"""(component
          {provider}
          {text_of(component_for(WORLDS, "consumer"), "consumer")}
          (import "log" (func $log (param "text" (list string)) (result (option string))))
          (instance $p (instantiate $provider))
          (alias export $p "test:exports/types@1.2.3" (instance $types))
          (alias export $p "test:exports/uses@1.2.3" (instance $uses))
          (instance $c (instantiate $consumer
            (with "test:exports/types@1.2.3" (instance $types))
            (with "test:exports/uses@1.2.3" (instance $uses))
            (with "log" (func $log))))
          (export "test:exports/types@1.2.3" (instance $types))
          (export "test:exports/uses@1.2.3" (instance $uses))
          (alias export $c "test:consumer/api" (instance $api))
          (export "test:consumer/api" (instance $api))
          (export "plain" (func $c "plain")))""".encode(),
    )
    output = rewrapped(original)
    wasm_tools("validate", "-", data=output)
    assert wit_of(output) == wit_of(original)
    assert "use test:exports/uses@1.2.3.{brush};" in wit_of(output)
