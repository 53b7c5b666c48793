"""Names in a fused output: whose they are, and what an adapter crosses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import meldpy
from meldpy.engine.text import assemble
from meldpy.model.core import CoreModule, FuncImportType, IndirectNameKind, NameKind, NameSection
from meldpy.pipeline import FuseInput
from tests.debug.test_dwarf import fused
from tests.support.asyncs import TOGETHER
from tests.support.dwarf.fused import fuse
from tests.support.dwarf.reader import core_modules

ROOT = Path(__file__).parents[2]


def section(module: CoreModule) -> NameSection | None:
    found = [custom.section for custom in module.customs if isinstance(custom.section, NameSection)]
    return found[0] if found else None


def names(style: str, kind: NameKind) -> list[str]:
    found = section(fused("app-4-0", "lib-4-0", meldpy.FuseOptions(names=style)).main)
    assert found is not None
    return [name for _, name in dict(found.maps)[kind]]


def test_functions_say_where_they_come_from() -> None:
    found = names("full", NameKind.FUNCTION)
    assert "app/app-4-0.core.wasm::call_twice" in found
    assert "lib/lib-4-0.core.wasm::walk_down" in found


def test_adapters_say_what_they_cross() -> None:
    files = [ROOT / "fixtures" / "strings" / f"{name}.wasm" for name in ("relay", "api")]
    named = zip(("app", "lib"), files, strict=True)
    relay, api = (FuseInput(name, path.name, path.read_bytes()) for name, path in named)
    found = section(fuse([relay, api]).main)
    assert found is not None
    functions = [name for _, name in dict(found.maps)[NameKind.FUNCTION]]
    assert "adapter app -> lib demo:strings/api@1.0.0#concat" in functions
    assert "trap: invalid utf8" in functions


def test_globals_memories_and_data_say_where_they_come_from() -> None:
    globals_ = names("full", NameKind.GLOBAL)
    assert {"app/app-4-0.core.wasm::__stack_pointer", "lib/lib-4-0.core.wasm::__stack_pointer"} <= set(globals_)
    data: list[str] = []
    result = fused("app-4-0", "lib-4-0")
    sections = [section(module) for module in core_modules(result.data)]
    for found in sections:
        assert found is not None
        maps = dict(found.maps)
        data += [name for _, name in maps[NameKind.DATA]] if NameKind.DATA in maps else []
    assert "lib/lib-4-0.core.wasm::.data" in data
    assert len(data) == len(set(data))


@pytest.mark.parametrize("more", [{}, {"memory": "single"}, {"memory": "single", "features": "wasm1"}])
def test_core_outputs_have_the_same_names(more: dict[str, Any]) -> None:
    """All that the main module of a component has, and names for the helpers of a single memory."""
    options = meldpy.FuseOptions(core=True, **more)
    found, plain = (section(fused("app-4-0", "lib-4-0", each).main) for each in (options, None))
    assert found is not None
    assert plain is not None
    for kind in (NameKind.FUNCTION, NameKind.GLOBAL):
        there, here = ({name for _, name in dict(each.maps)[kind]} for each in (found, plain))
        assert {name for name in here if "::" in name} <= there
    guests = [name for _, name in dict(found.maps)[NameKind.FUNCTION] if "::" in name]
    assert len(guests) == len(set(guests)) > 5
    assert NameKind.MEMORY not in dict(found.maps) or "memory" not in more


def test_short_names_are_the_inputs_own() -> None:
    assert {"call_twice", "walk_down"} <= set(names("short", NameKind.FUNCTION))
    assert names("short", NameKind.GLOBAL).count("__stack_pointer") == 2


@pytest.mark.parametrize("style", ["full", "short"])
def test_names_say_nothing_that_is_not_there(style: str) -> None:
    main = fused("app-5-2", "shapes-5-2", meldpy.FuseOptions(names=style)).main
    found = section(main)
    assert found is not None
    imported = len(main.imports)
    indices = [index for index, _ in dict(found.maps)[NameKind.FUNCTION]]
    assert max(indices) < imported + len(main.funcs)
    assert indices == sorted(set(indices))
    locals_ = dict(dict(found.indirect)[IndirectNameKind.LOCAL]) if found.indirect else {}
    assert all(index < imported + len(main.funcs) for index in locals_)


PARTLY_NAMED = """(component
  (core module $m
    (func $named (export "a") (result i32) (call 3))
    (func (export "b") (result i32) (call $named))
    (func (export "never") (result i32) (i32.const 1))
    (func (result i32) (i32.const 2)))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "b"))))"""


def test_a_function_without_a_name_says_where_it_comes_from() -> None:
    found = section(fuse([FuseInput("lib", "lib.wat", assemble(PARTLY_NAMED.encode(), "lib"))]).main)
    assert found is not None
    assert [name for _, name in dict(found.maps)[NameKind.FUNCTION]] == [
        "lib/m::named",
        "lib/m::b",
        "lib/m::function 3",
    ]


ALL_NAMED = """(component
  (core module $in-NAME
    (memory $heap (export "m") 1)
    (global $count (mut i32) (i32.const 0))
    (table $slots 1 funcref)
    (data $greeting (i32.const 8) "hello")
    (elem $handlers (i32.const 0) $f)
    (func $f (export "f") (param $number i32) (result i32) (local $sum i32)
      (global.set $count (local.get $number))
      (drop (call_indirect $slots (param i32) (result i32) (local.get 0) (local.get 0)))
      (local.tee $sum (i32.load (local.get $number)))))
  (core instance $i (instantiate $in-NAME))
  (func (export "NAME") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"""


def test_every_kind_of_item_keeps_its_name() -> None:
    texts = {name: ALL_NAMED.replace("NAME", name) for name in "ab"}
    result = fuse([FuseInput(name, f"{name}.wat", assemble(text.encode(), name)) for name, text in texts.items()])
    found: dict[NameKind, set[str]] = {}
    locals_: list[tuple[str, ...]] = []
    for each in map(section, core_modules(result.data)):
        for kind, names_ in () if each is None else each.maps:
            found.setdefault(kind, set()).update(name for _, name in names_)
        for _, functions in () if each is None else each.indirect:
            locals_ += [tuple(name for _, name in local) for _, local in functions]
    for owner in "ab":
        for kind, name in {
            NameKind.FUNCTION: "f",
            NameKind.MEMORY: "heap",
            NameKind.GLOBAL: "count",
            NameKind.DATA: "greeting",
            NameKind.ELEM: "handlers",
        }.items():
            assert f"{owner}/in-{owner}::{name}" in found[kind]
    assert locals_.count(("number", "sum")) == 2


def test_modules_without_names_stay_without() -> None:
    stripped = assemble(PARTLY_NAMED.replace("$named (", "(").replace("$named", "0").encode(), "lib")
    found = section(fuse([FuseInput("lib", "lib.wat", stripped)]).main)
    assert found is None or NameKind.FUNCTION not in dict(found.maps)


def test_every_function_has_a_name_if_the_inputs_have_names() -> None:
    """The runtime's too, of which some are known by what they export."""
    main = fuse([FuseInput("all", "all.wat", assemble(TOGETHER.encode(), "all"))]).main
    found = section(main)
    assert found is not None
    names = dict(dict(found.maps)[NameKind.FUNCTION])
    imported = sum(isinstance(item.type, FuncImportType) for item in main.imports)
    assert sorted(names) == list(range(imported + len(main.funcs)))
    assert any(name.startswith("runtime ") for name in names.values())


def test_no_names_at_all() -> None:
    assert section(fused("app-4-0", "lib-4-0", meldpy.FuseOptions(names="none")).main) is None
