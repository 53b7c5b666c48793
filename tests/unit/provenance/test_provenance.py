"""What an output says of where it came from is true, follows from inputs and options alone, and is there if wanted."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

import meldpy
from meldpy import FuseInput, FuseOptions
from meldpy.asm.leb import unsigned
from meldpy.cli.main import run
from meldpy.debug.cursor import Malformed
from meldpy.debugging import modules_in, with_custom
from meldpy.errors import DecodeError, UsageError
from meldpy.fixture import load
from meldpy.fixture.files import components
from meldpy.model.core import CoreModule, FuncImportType, NameKind, NameSection
from meldpy.pipeline import encode
from meldpy.provenance.section import SECTION, read
from meldpy.provenance.trace import trace
from meldpy.records import replace

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
HELLO = [str(FIXTURES / "hello" / name) for name in ("greeter.wasm", "app.wasm")]
ASKED = FuseOptions(provenance=True)


def inputs(fixture: str) -> list[FuseInput]:
    return [FuseInput(name, name, data) for name, data in components(load(FIXTURES / fixture)).items()]


def function_names(module: CoreModule) -> dict[int, str]:
    for custom in module.customs:
        if isinstance(custom.section, NameSection):
            return {i: name for kind, map_ in custom.section.maps if kind is NameKind.FUNCTION for i, name in map_}
    return {}


def function_type(module: CoreModule, index: int) -> str | None:
    """In words; None if the module defines no such function."""
    types = [repr(type_) for group in module.types for type_ in group.types]
    at = index - sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
    return types[module.funcs[at]] if 0 <= at < len(module.funcs) else None


def test_without_the_option_no_byte_changes() -> None:
    plain = meldpy.fuse(HELLO).bytes
    assert SECTION.encode() not in plain
    asked = meldpy.fuse(HELLO, ASKED).bytes
    assert SECTION.encode() in asked
    assert len(asked) - len(plain) < 1_000


@pytest.mark.parametrize("fixture", ["hello", "geometry", "resource-values", "reexport-floats", "chain"])
@pytest.mark.parametrize(
    "options",
    [
        ASKED,
        FuseOptions(provenance=True, core=True),
        FuseOptions(provenance=True, core=True, memory="single"),
        FuseOptions(provenance=True, core=True, memory="single", features="-bulk-memory-opt,-sign-extension"),
    ],
    ids=["component", "core", "single memory", "lowered"],
)
def test_every_function_is_the_one_that_the_section_names(fixture: str, options: FuseOptions) -> None:
    """By its type, and by its name where there are names (the fused module has the component in front)."""
    given = inputs(fixture)
    data = meldpy.fuse(given, replace(options, links=load(FIXTURES / fixture).links)).bytes
    found = trace(data, "out")
    assert [each.sha256 for each in found.inputs] == [sha256(item.data).hexdigest() for item in given]
    assert [each.name for each in found.inputs] == [item.name for item in given]
    checked = 0
    for fused, module in zip(modules_in(data, "out"), found.modules, strict=True):
        for each in module.traced:
            if each.input is None or each.index is None:
                continue
            theirs = list(modules_in(given[each.input].data, "input"))
            assert any(function_type(fused, each.function) == function_type(of, each.index) for of in theirs)
            names = [function_names(inner) for inner in theirs]
            if each.name is not None and any(each.index in of for of in names):
                assert any(each.name.endswith(of[each.index]) for of in names if each.index in of), each
            checked += 1
    assert checked > 3


def test_functions_of_adapters_are_ours_and_all_are_told_of() -> None:
    data = meldpy.fuse(HELLO, ASKED).bytes
    found = trace(data, "out")
    main = max(found.modules, key=lambda module: module.functions)
    module = list(modules_in(data, "out"))[main.number]
    imported = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
    assert [each.function for each in main.traced] == list(range(imported, imported + len(module.funcs)))
    assert {each.input for each in main.traced} == {0, 1, None}


def test_names_and_places_of_files_are_not_told(tmp_path: Path) -> None:
    elsewhere = []
    for number, path in enumerate(HELLO):
        elsewhere.append(tmp_path / f"other{number}.wasm")
        elsewhere[-1].write_bytes(Path(path).read_bytes())
    assert meldpy.fuse(elsewhere, ASKED).bytes == meldpy.fuse(HELLO, ASKED).bytes
    assert [each.name for each in trace(meldpy.fuse(HELLO, ASKED).bytes, "x").inputs] == ["input1", "input2"]


def test_options_that_shape_the_output_are_told() -> None:
    options = FuseOptions(provenance=True, names="short", renames=("greet=welcome",), file="x.wasm", validate=False)
    assert trace(meldpy.fuse(HELLO, options).bytes, "x").options == {"renames": ["greet=welcome"], "names": "short"}


def test_what_is_kept_is_listed_as_not_fused() -> None:
    options = FuseOptions(provenance=True, keeps=("greeter",))
    found = trace(meldpy.fuse(HELLO, options).bytes, "x")
    assert {module.origin is None for module in found.modules} == {True, False}


def test_what_a_kept_part_says_of_an_earlier_fuse_is_not_said_of_the_file() -> None:
    earlier = meldpy.fuse([HELLO[0]], ASKED).bytes
    again = [FuseInput("earlier", "earlier", earlier), HELLO[1]]
    found = trace(meldpy.fuse(again, replace(ASKED, keeps=("earlier",))).bytes, "x")
    assert [each.name for each in found.inputs] == ["earlier", "input2"]
    assert found.inputs[0].sha256 == sha256(earlier).hexdigest()
    assert found.options == {"keeps": ["earlier"]}
    assert {each.input for module in found.modules for each in module.traced} == {1}
    assert sum(module.origin is not None for module in found.modules) == 1


@pytest.mark.parametrize(("options", "causes"), [(FuseOptions(keeps=("e",)), 1), (FuseOptions(), 0)])
def test_a_file_of_parts_that_say_something_says_nothing(options: FuseOptions, causes: int) -> None:
    earlier = FuseInput("e", "e", meldpy.fuse([HELLO[0]], ASKED).bytes)
    with pytest.raises(UsageError, match="does not say where it came from") as error:
        trace(meldpy.fuse([earlier, HELLO[1]], options).bytes, "x")
    assert len(error.value.causes) == causes


UNIT = b'{"code":0,"component":"","first":0,"funcs":0,"input":-1,"module":""}'
HEAD = b'{"inputs":[],"options":{},"tool":"x","units":[' + UNIT + b'],"version":1}'
NEGATIVE = unsigned(len(HEAD)) + HEAD
"""A unit of the input -1."""
MANY = HEAD.replace(b'"funcs":0,"input":-1', b'"funcs":9,"input":0').replace(
    b"[]", b'[{"name":"","sha256":"","size":0}]'
)
RUNS = (b"\0\0", b"\0\x0a", b"\0\x08", b"\0\x08\0")
"""For nine functions: none, too many, too few, and a run without its length."""


@pytest.mark.parametrize(
    "content", [b"", b"\x02{}", b"\x05hello", b'\x0d{"version":9}', b'\x0d{"version":1}', NEGATIVE]
)
def test_a_section_that_says_nonsense_is_malformed(content: bytes) -> None:
    with pytest.raises(Malformed):
        read(content)


def test_runs_of_functions_are_read_back() -> None:
    runs = b"\0\x03" + b"\x80\x80\x80\x80\x78\x02" + b"\x05\x01" + b"\x7e\x01" + b"\0\x02"
    (unit,) = read(unsigned(len(MANY)) + MANY + runs).units
    assert unit.funcs == (0, 1, 2, None, None, 8, 7, 8, 9)


def test_a_broken_section_is_an_error_with_its_place() -> None:
    (module,) = modules_in(meldpy.fuse(HELLO, FuseOptions(core=True)).bytes, "x")
    with pytest.raises(DecodeError, match="cannot be read") as error:
        trace(encode(with_custom(module, SECTION, b"\x05hello")), "x.wasm")
    assert "x.wasm › core module 0 › custom section meld.provenance" in error.value.render()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("provenance") / "out.wasm"
    assert run(["-q", "fuse", *HELLO, "--provenance", "-o", str(path)]) == 0
    return str(path)


def test_the_command_tells_people(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provenance", output]) == 0
    out = capsys.readouterr().out
    assert f"made by meldpy {meldpy.__version__}" in out
    assert f"input 0: input1  sha256:{sha256(Path(HELLO[0]).read_bytes()).hexdigest()}" in out
    assert run(["provenance", output, "--functions"]) == 0
    out = capsys.readouterr().out
    assert ": made by meldpy" in out
    assert "input 1, " in out


def test_the_command_tells_machines(output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "told.json"
    assert run(["provenance", output, "--json", "--functions", "-o", str(file)]) == 0
    told = json.loads(file.read_text())
    assert told["schema"] == "meld.provenance/1"
    assert told["tool"] == meldpy.__version__
    assert any(module.get("trace") for module in told["modules"])


def test_the_statement_is_in_totos_and_always_the_same(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provenance", output, "--statement", "--builder", "https://ci.example/1"]) == 0
    first = capsys.readouterr().out
    told = json.loads(first)
    assert told["_type"].endswith("/Statement/v1")
    assert told["subject"][0]["digest"] == {"sha256": sha256(Path(output).read_bytes()).hexdigest()}
    assert len(told["predicate"]["buildDefinition"]["resolvedDependencies"]) == 2
    assert told["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/1"
    assert run(["provenance", output, "--statement", "--builder", "https://ci.example/1"]) == 0
    assert capsys.readouterr().out == first


def test_the_bill_of_materials_is_cyclonedx_and_always_the_same(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["provenance", output, "--sbom"]) == 0
    first = capsys.readouterr().out
    told = json.loads(first)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert len(told["components"]) == 2
    (depends,) = [each["dependsOn"] for each in told["dependencies"] if "dependsOn" in each]
    assert sorted(depends) == sorted(each["bom-ref"] for each in told["components"])
    assert run(["provenance", output, "--sbom"]) == 0
    assert capsys.readouterr().out == first


def test_without_the_extra_the_error_names_it(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cyclonedx.model", None)
    assert run(["provenance", output, "--sbom"]) == 2
    assert "pip install 'meldpy[sbom]'" in capsys.readouterr().err


def test_what_is_told_does_not_replace_what_it_is_told_of(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(output).read_bytes()
    assert run(["provenance", output, "-o", output]) == 2
    assert "is also an input" in capsys.readouterr().err
    assert Path(output).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--sbom"], "only one of"),
        (["--builder", "x"], "use it with --statement"),
    ],
)
def test_what_excludes_each_other_is_a_usage_error(
    output: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["provenance", output, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_output_that_says_nothing_is_an_error_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provenance", HELLO[0]]) == 2
    assert "help: fuse it with --provenance" in capsys.readouterr().err
