"""Small inputs that stand for much: each once took minutes, gigabytes or pages of message."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from meldpy.cli.main import run
from tests.support.hostile import bytecode as b
from tests.support.hostile.tree import uleb
from tests.support.hostile.worker import peak, reset_peak

FUNC, TYPE, INSTANCE = b"\x01", b"\x03", b"\x05"


class Tool:
    """The command line in this process, on one file."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.capsys = capsys
        self.stdout = self.stderr = ""
        self.seconds = 0.0
        self.memory = 0

    def fuse(self, data: bytes | str, *options: str) -> int:
        return self("fuse", data, "-o", str(self.directory / "out.wasm"), *options)

    def __call__(self, command: str, data: bytes | str, *options: str) -> int:
        path = self.directory / "in.wasm"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        began, before = resource.getrusage(resource.RUSAGE_SELF).ru_utime, reset_peak()
        code = run(["-q", command, str(path), *options])
        self.seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
        self.memory = peak() - before
        self.stdout, self.stderr = self.capsys.readouterr()
        assert (self.directory / "out.wasm").exists() == (code == 0 and command == "fuse")
        return code


@pytest.fixture
def tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tool:
    return Tool(tmp_path, capsys)


def doubling_instances(levels: int) -> str:
    """2^levels instances, found through outer aliases."""
    parts = ["(component $c0)"]
    for i in range(1, levels):
        parts.append(
            f"(component $c{i} (alias outer $root $c{i - 1} (component $d))"
            " (instance (instantiate $d)) (instance (instantiate $d)))"
        )
    return f"(component $root {' '.join(parts)} (instance (instantiate $c{levels - 1})))"


@pytest.mark.parametrize("command", ["fuse", "validate"])
def test_nested_instantiation_is_capped_before_the_engine_expands_it(tool: Tool, command: str) -> None:
    """The engine has no cap of its own: validating this took all the memory there was."""
    assert (tool.fuse if command == "fuse" else lambda data: tool("validate", data))(doubling_instances(26)) == 1
    assert "expands to more than 10000 component instances" in tool.stderr
    assert "--max-instances" in tool.stderr


NOT_OURS = '(component $root (import "m" (component))'
"""What we do not fuse, at the beginning, so that evaluation ends before it has counted."""


def test_what_is_not_supported_hides_no_expansion(tool: Tool) -> None:
    assert tool("validate", doubling_instances(26).replace("(component $root", NOT_OURS)) == 1
    assert "unsupported imported component" in tool.stderr


def closures(levels: int) -> str:
    """2^levels instances from two places that instantiate: each level exports a component that holds the one before."""
    double = (
        '(component $double (import "x" (component $x)) (component $twice (alias outer $double $x (component $y))'
        ' (instance (instantiate $y)) (instance (instantiate $y))) (export "twice" (component $twice)))'
    )
    parts = ["(component $c0)", double]
    for i in range(levels):
        parts.append(f'(instance $i{i} (instantiate $double (with "x" (component $c{i}))))')
        parts.append(f'(alias export $i{i} "twice" (component $c{i + 1}))')
    return f"(component $root {' '.join(parts)} (instance (instantiate $c{levels})))"


def test_components_that_hold_components_hide_no_expansion(tool: Tool) -> None:
    text = closures(20).replace("(component $root", NOT_OURS)
    assert tool("validate", closures(20)) == 1
    assert "--max-instances" in tool.stderr
    assert tool("validate", text) == 1
    assert "unsupported imported component" in tool.stderr
    assert tool("validate", closures(3)) == 0


def test_a_valid_component_that_is_not_supported_is_valid(tool: Tool) -> None:
    text = doubling_instances(4).replace("(component $root", NOT_OURS)
    assert tool("validate", text) == 0
    assert tool.fuse(text) == 0


def test_instantiation_below_the_cap_is_fused(tool: Tool) -> None:
    assert tool.fuse(doubling_instances(8)) == 0


def bundles(levels: int, *, exported: bool = False) -> bytes:
    """Instances of inline exports that hold the one before twice: 2^levels paths, in 10 bytes each."""
    parts = [b.instances(b.bundle())]
    parts += [b.instances(b.bundle(("a", INSTANCE + uleb(i)), ("b", INSTANCE + uleb(i)))) for i in range(levels)]
    return b.component(*parts, b.exports(("x", INSTANCE + uleb(levels))) if exported else b"")


@pytest.mark.parametrize("exported", [False, True])
@pytest.mark.parametrize("option", ["--validate", "--no-validate"])
def test_instances_inside_instances_are_capped(tool: Tool, exported: bool, option: str) -> None:
    """The engine needed 1.5 GB for eighteen levels, and we a minute."""
    assert tool.fuse(bundles(18, exported=exported), option) == 1
    assert "an instance holds more than 50000 items" in tool.stderr
    assert "help:" in tool.stderr


def test_the_cap_on_instances_inside_instances_can_be_raised(tool: Tool) -> None:
    assert tool.fuse(bundles(15)) == 1
    assert "--max-definitions" in tool.stderr
    assert tool.fuse(bundles(15), "--max-definitions", "600000") == 0


def test_instances_inside_instances_below_the_cap_are_fused(tool: Tool) -> None:
    assert tool.fuse(bundles(9, exported=True)) == 0


def test_one_instance_exported_in_many_places_counts_in_each(tool: Tool) -> None:
    places = 40
    exports = b.exports(*((f"x{i}", INSTANCE + uleb(12)) for i in range(places)))
    assert tool.fuse(bundles(12) + exports) == 1
    assert "--max-definitions" in tool.stderr


def test_doubling_instance_types_are_capped(tool: Tool) -> None:
    """Every import of an instance has types of its own: 2^15 of them."""
    chain = [b.instance_type(b.type_decl(b.func()), b.export_decl("f", FUNC + b"\0"))]
    for i in range(15):
        twice = b.export_decl("a", INSTANCE + b"\0"), b.export_decl("b", INSTANCE + b"\0")
        chain.append(b.instance_type(b"\2" + b.outer_type(1, i), *twice))
    assert tool.fuse(b.component(b.types(*chain), b.imports(("i", INSTANCE + uleb(15))))) == 1
    assert "--max-definitions" in tool.stderr


@pytest.mark.parametrize("how", ["imports", "exports"])
def test_names_of_names_take_linear_time(tool: Tool, how: str) -> None:
    """A type under 12,000 names, each the name of the one before: 20 s, once."""
    links = range(12_000)
    record = b.types(b.record_of(b"\x7d"))
    if how == "imports":
        data = b.component(record, b.imports(*((f"t{i}", TYPE + b"\0" + uleb(i)) for i in links)))
    else:
        data = b.component(record, b.exports(*((f"t{i}", TYPE + uleb(i)) for i in links)))
    assert tool.fuse(data) == 0
    assert tool.seconds < 8


@pytest.mark.parametrize("name", ["a" * 99_000, "\x1b[31m" * 19_000], ids=["letters", "escapes"])
def test_a_long_name_does_not_flood_the_terminal(tool: Tool, name: str) -> None:
    assert tool.fuse(b.component(b.types(b.func()), b.imports((name + "!", FUNC + b"\0")))) == 1
    assert "characters left out" in tool.stderr
    assert len(tool.stderr) < 20_000
    assert "\x1b" not in tool.stderr


def test_inspecting_an_invalid_component_is_no_internal_error(tool: Tool) -> None:
    """Resource types are known only when all is linked, which trusted bodies that nobody had checked."""
    body = b"\0\x10\x7f\x0b"
    module = b.module(
        b.section(1, b"\x60\0\0"), b.section(3, b"\0"), b.raw_section(8, b"\0"), b.section(10, uleb(len(body)) + body)
    )
    resource_type = b.types(b"\x3f\x7f\0")
    data = b.component(b.core(module), b.section(2, b"\0\0\0"), resource_type, b.section(8, b"\2\0"))
    assert tool("inspect", data) == 0
    assert "unknown, " in tool.stdout


def test_what_inspect_says_of_a_broken_component_is_escaped(tool: Tool) -> None:
    aliased = b.section(6, b"\1\0\0" + b.name("\ue000\x1b[31m"))
    data = b.component(b.instances(b.bundle()), aliased)
    assert tool("inspect", data) == 0
    assert "\\u{e000}\\u{1b}[31m" in tool.stdout


def insides(kind: str) -> bytes:
    """A core module with a million elements, 250,000 functions, or 350 million locals in 56 kB."""
    functions = {"elements": 1, "functions": 250_000, "locals": 7_000}[kind]
    items = 50_000 if kind == "elements" else 1
    segments = [b"\0\x41\0\x0b" + uleb(items) + b"\0" * items] * (20 if kind == "elements" else 1)
    body = b"\1" + uleb(50_000) + b"\x7f\x0b" if kind == "locals" else b"\0\x0b"
    return b.module(
        b.section(1, b"\x60\0\0"),
        b.raw_section(3, uleb(functions) + b"\0" * functions),
        b.section(4, b"\x70\0" + uleb(50_000)),
        b.section(7, b.name("f") + b"\0\0"),
        b.section(9, *segments),
        b.raw_section(10, uleb(functions) + (uleb(len(body)) + body) * functions),
    )


@pytest.mark.parametrize("kind", ["elements", "functions", "locals"])
def test_a_large_module_is_checked_without_compiling_it(tool: Tool, kind: str) -> None:
    """The engine took 8 GB to compile the elements, 1.4 GB for the functions, and 20 s for the locals."""
    lift = b.types(b.func()) + b.section(8, b"\0\0\0\0\0") + b.exports(("f", FUNC + b"\0"))
    data = b.component(b.core(insides(kind)), b.section(2, b"\0\0\0"), b.section(6, b"\0\0\1\0\1f"), lift)
    assert tool.fuse(data) == 0
    assert tool.memory < 400 << 20
    assert tool.seconds < 8


def test_many_causes_do_not_flood_the_terminal(tool: Tool) -> None:
    imports = b.imports(*((f"f{i}", FUNC + b"\0") for i in range(3_000)))
    assert tool.fuse(b.component(b.types(b.func()), imports), "--strict") == 1
    assert "… and 2950 more" in tool.stderr
    assert "--allow-import" in tool.stderr
