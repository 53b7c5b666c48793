"""Source maps of several inputs in one: every mapping of code that is left, at its new place."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import meldpy
from meldpy.cli.main import run
from meldpy.debug.sourcemap import inline_map, mapping_url
from meldpy.model.core import CoreModule
from meldpy.pipeline import FuseInput
from tests.debug.test_dwarf import given
from tests.support.dwarf.expected import Moves
from tests.support.dwarf.frames import instructions
from tests.support.dwarf.fused import Fused, fuse
from tests.support.dwarf.reader import core_modules
from tests.support.reference_decoder import encode_u

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def vlq(number: int) -> str:
    value = -2 * number + 1 if number < 0 else 2 * number
    digits = ""
    while value >= 32:
        digits += DIGITS[value & 31 | 32]
        value >>= 5
    return digits + DIGITS[value]


def decoded(mappings: str) -> list[tuple[int, ...]]:
    """Absolute segments, by the book."""
    segments = []
    state = [0] * 5
    for text in mappings.split(","):
        numbers, value, shift = [], 0, 0
        for digit in text:
            bits = DIGITS.index(digit)
            value |= (bits & 31) << shift
            shift += 5
            if not bits & 32:
                numbers.append(-(value >> 1) if value & 1 else value >> 1)
                value = shift = 0
        for place, number in enumerate(numbers):
            state[place] += number
        segments.append(tuple(state[: len(numbers)]))
    return segments


def encoded(segments: list[tuple[int, ...]]) -> str:
    state = [0] * 5
    parts = []
    for segment in segments:
        parts.append("".join(vlq(number - state[place]) for place, number in enumerate(segment)))
        state[: len(segment)] = segment
    return ",".join(parts)


def main_of(item: FuseInput) -> CoreModule:
    return max(core_modules(item.data), key=lambda module: module.size)


def segments_for(module: CoreModule, names: bool) -> list[tuple[int, ...]]:
    """Every instruction on a line of its own."""
    first = module.code.offset - module.offset - module.code.lead
    return [
        (first + address, number % 2, number, number % 7, *((number % 2,) if names and number % 3 else ()))
        for number, address in enumerate(instructions(module))
    ]


def map_for(module: CoreModule, stem: str, **more: Any) -> dict[str, Any]:
    return {
        "version": 3,
        "sources": [f"{stem}.ts", "~lib/shared.ts"],
        "sourcesContent": [f"// {stem}", "// shared"],
        "names": [f"{stem}_name", "shared_name"],
        "mappings": encoded(segments_for(module, True)),
        **more,
    }


def with_url(item: FuseInput, url: str) -> FuseInput:
    """The component with a section in its main module that names a map."""
    module = main_of(item)
    name = b"sourceMappingURL"
    content = encode_u(len(name)) + name + encode_u(len(url)) + url.encode()
    section = b"\0" + encode_u(len(content)) + content
    end = module.offset + module.size
    core = item.data[module.offset : end] + section
    # the section that holds the module: its id, and its size just before the module
    size_at = item.data.rindex(encode_u(module.size), 0, module.offset)
    assert size_at + len(encode_u(module.size)) == module.offset
    data = item.data[:size_at] + encode_u(len(core)) + core + item.data[end:]
    return FuseInput(item.name, item.source, data)


def inline(given_map: dict[str, Any]) -> str:
    return "data:application/json;base64," + base64.b64encode(json.dumps(given_map).encode()).decode()


def joined_map(result: Fused) -> dict[str, Any]:
    url = mapping_url(result.main)
    assert url is not None
    loaded = json.loads(inline_map(url))
    assert isinstance(loaded, dict)
    return loaded


def check(result: Fused, stems: list[str]) -> None:
    found = joined_map(result)
    assert found["sources"][0] == f"{stems[0]}.ts"
    said = {
        segment[0]: (
            found["sources"][segment[1]],
            *segment[2:4],
            *(found["names"][name] for name in segment[4:]),
        )
        for segment in decoded(found["mappings"])
        if len(segment) > 1
    }
    first = result.main.code.offset - result.main.offset - result.main.code.lead
    expected = {}
    for unit, stem in zip(result.units, stems, strict=True):
        moves = Moves(unit, result.lead)
        old_first = unit.module.code.offset - unit.module.offset - unit.module.code.lead
        sources, names = [f"{stem}.ts", "~lib/shared.ts"], [f"{stem}_name", "shared_name"]
        for column, source, line, at, *name in segments_for(unit.module, True):
            if moves.kept(column - old_first):
                place = first + moves.place(column - old_first)
                expected[place] = (sources[source], line, at, *(names[n] for n in name))
    assert said == expected
    assert len(said) > 100
    columns = [segment[0] for segment in decoded(found["mappings"])]
    assert columns == sorted(columns)
    # nothing of the last input's goes on into the code that is ours
    ends = [segment[0] for segment in decoded(found["mappings"]) if len(segment) == 1]
    assert len(ends) == len(stems)
    assert sum(source == "~lib/shared.ts" for source in found["sources"]) == 1
    assert found["sourcesContent"][found["sources"].index("~lib/shared.ts")] == "// shared"


def pair() -> tuple[FuseInput, FuseInput]:
    return given("app-4-0", "app"), given("lib-4-0", "lib")


def order(result: Fused) -> list[str]:
    return [Path(unit.source).stem.partition("-")[0] for unit in result.units]


def test_every_mapping_is_at_its_new_place() -> None:
    app, lib = pair()
    maps = {item.name: with_url(item, inline(map_for(main_of(item), item.name))) for item in (app, lib)}
    result = fuse([maps["app"], maps["lib"]])
    assert result.notes == ()
    check(result, order(result))


@pytest.mark.parametrize(
    "options",
    [
        meldpy.FuseOptions(core=True),
        meldpy.FuseOptions(core=True, memory="single"),
        meldpy.FuseOptions(core=True, memory="single", features="wasm1"),
    ],
    ids=["core", "single", "wasm1"],
)
def test_mappings_follow_into_core_outputs(options: meldpy.FuseOptions) -> None:
    app, lib = pair()
    maps = {item.name: with_url(item, inline(map_for(main_of(item), item.name))) for item in (app, lib)}
    result = fuse([maps["app"], maps["lib"]], options)
    check(result, order(result))


def test_a_map_of_maps_is_made_flat() -> None:
    app, lib = pair()
    flat = map_for(main_of(lib), "lib")
    segments = segments_for(main_of(lib), True)
    shift = segments[50][0]
    halves = [segments[:50], [(column - shift, *rest) for column, *rest in segments[50:]]]
    parts = [
        {"offset": {"line": 0, "column": column}, "map": {**flat, "mappings": encoded(half)}}
        for column, half in zip((0, shift), halves, strict=True)
    ]
    indexed = {"version": 3, "sections": parts}
    result = fuse([with_url(app, inline(map_for(main_of(app), "app"))), with_url(lib, inline(indexed))])
    check(result, order(result))


def test_a_map_beside_the_input_is_read_and_one_goes_beside_the_output(tmp_path: Path) -> None:
    paths = []
    for item in pair():
        path = tmp_path / f"{item.name}.wasm"
        path.write_bytes(with_url(item, f"./{item.name}.wasm.map").data)
        (tmp_path / f"{item.name}.wasm.map").write_text(json.dumps(map_for(main_of(item), item.name)))
        paths.append(path)
    result = fuse(list(paths))
    check(result, order(result))
    out = tmp_path / "out.wasm"
    assert run(["-q", "fuse", *map(str, paths), "-o", str(out), "--source-map", "file"]) == 0
    main = max(core_modules(out.read_bytes()), key=lambda module: module.size)
    assert mapping_url(main) == "./out.wasm.map"
    beside = json.loads((tmp_path / "out.wasm.map").read_text())
    assert decoded(beside["mappings"]) == decoded(joined_map(result)["mappings"])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.org/a.map", "was not found"),
        ("../secret.map", "was not found"),
        ("/etc/hostname", "was not found"),
        ("data:application/json;base64,!!!", "malformed"),
        ("data:application/json,{}", "malformed"),
        (inline({"version": 2, "sources": [], "mappings": ""}), "malformed"),
        (inline({"version": 3, "sources": ["a"], "mappings": "AAAA;AAAA"}), "malformed"),
        (inline({"version": 3, "sources": ["a"], "mappings": "AECA"}), "malformed"),
        (inline({"version": 3, "sources": ["a"], "mappings": "A*"}), "malformed"),
        (inline({"version": 3, "sources": [7], "mappings": "AAAA"}), "malformed"),
        (inline({"version": 3, "sections": [{}]}), "malformed"),
    ],
)
def test_maps_that_cannot_be_read_are_left_out_with_a_note(url: str, words: str) -> None:
    app, lib = pair()
    result = fuse([app, with_url(lib, url)])
    (note,) = result.notes
    assert "dropped the source map of" in note
    assert words in note
    assert mapping_url(result.main) is None


def test_source_maps_can_be_dropped() -> None:
    app, lib = pair()
    mapped = with_url(lib, inline(map_for(main_of(lib), "lib")))
    result = fuse([app, mapped], meldpy.FuseOptions(source_map="drop"))
    assert mapping_url(result.main) is None
    assert any("sourceMappingURL" in note for note in result.notes)
