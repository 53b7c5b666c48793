"""No component reaches the memory of another by any address (through values: test_isolation.py).

Code of one component instance names no memory, table or global of another, nor those of the handle tables; and what
its addresses reach is all of its own memory, and no more. Where tables share one, code reaches its own part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
from wasmtime import Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

import meldpy
from meldpy.binary.decode import decode_component
from meldpy.engine.config import full_engine
from meldpy.fixture import Fixture, Stage
from meldpy.fixture.prove import fuse as fuse_fixture
from meldpy.fixture.sections import EXPORT, SORT_CORE, read_externs, sections
from meldpy.fixture.shape import shape_faults
from meldpy.model.component import CoreModuleSection
from meldpy.model.core import CoreModule, CoreSort, FuncImportType, MemoryType
from meldpy.model.facts import RefKind
from meldpy.pipeline import scan
from tests.support.fixtures import all_fixtures, load

# --- addresses: what code can name ------------------------------------------------------------------------------------
SPACES = {
    "memory": {RefKind.MEMORY_READ, RefKind.MEMORY_WRITE},
    "table": {RefKind.TABLE_READ, RefKind.TABLE_WRITE, RefKind.CALL_INDIRECT},
    "global": {RefKind.GLOBAL_GET, RefKind.GLOBAL_SET},
}
HANDLES = "the handle tables"
SMALL = [
    pytest.param(f, id=f.name, marks=[pytest.mark.deep] if f.name.endswith(("-rust", "-runner", "-both")) else [])
    for f in all_fixtures()
    if f.stage is Stage.RUNTIME and not f.needs_build
]
"""Those that are the same again from another toolchain or in another arrangement are for long runs."""


@dataclass(slots=True)
class Merged:
    """What the merger was seen doing: the units of core instances with the functions that each became."""

    graph: Any = None
    layout: Any = None
    maps: list[Any] = field(default_factory=list)

    def parts(self) -> Iterator[tuple[Any, Any]]:
        """The units whose code calls through parts of a table, with what the kernel was told of them."""
        units = [unit for unit in self.layout.units if self.layout.kept.funcs[unit.id]]
        for unit, maps in zip(units, self.maps, strict=True):
            if maps.parts is not None:
                yield unit, maps.parts

    def owners(self) -> dict[int, object]:
        """For each function of the merged module that is a guest's or of the handle tables: whose.

        Transcoders are left out: like adapters they have to reach both sides, and have no memory of their own.
        """
        found: dict[int, object] = {}
        for unit in self.layout.units:
            if unit.runtime and not unit.module.memories:
                continue
            owner = HANDLES if unit.runtime else self.graph.core_instances[unit.id].instance
            for index in self.layout.kept.funcs[unit.id]:
                found[self.layout.funcs[unit.id][index]] = owner
        return found

    def values_beside(self) -> bool:
        """Whether values of the outer edge wait in the memory of the tables, so that its canonical options name that
        memory (ADR-0128). Nobody else can: what has no memory imports none, and the component exports no core items.
        """
        runtimes = (unit.module for unit in self.layout.units if unit.runtime and not unit.module.memories)
        return any(export.name == "hold" for module in runtimes for export in module.exports)


@pytest.fixture
def merged(monkeypatch: pytest.MonkeyPatch) -> Merged:
    seen, module = Merged(), import_module("meldpy.merger.merge")
    units_of: Any = module.units_of  # type: ignore[attr-defined]
    write_guests: Any = module.write_guests  # type: ignore[attr-defined]

    def watch_units(graph: Any, *rest: Any) -> Any:
        seen.graph = graph
        return units_of(graph, *rest)

    def watch_guests(layout: Any, segments: Any, reindex: Any, *rest: Any) -> Any:
        seen.layout = layout

        def watch_maps(bodies: Any, count: Any, maps: Any, *more: Any, **named: Any) -> Any:
            seen.maps.append(maps)
            return reindex(bodies, count, maps, *more, **named)

        return write_guests(layout, segments, watch_maps, *rest)

    monkeypatch.setattr(module, "units_of", watch_units)
    monkeypatch.setattr(module, "write_guests", watch_guests)
    return seen


def modules_of(data: bytes) -> list[CoreModule]:
    return [s.module for s in decode_component(data, "test").sections if isinstance(s, CoreModuleSection)]


def named_by(module: CoreModule, owners: Mapping[int, object]) -> dict[str, dict[object, set[int]]]:
    """For each space and owner, the indices that its functions name, as a scan of the output's bytes finds them."""
    facts = scan(module)
    imported = sum(isinstance(each.type, FuncImportType) for each in module.imports)
    found: dict[str, dict[object, set[int]]] = {space: defaultdict(set) for space in SPACES}
    for number in range(module.code.count):
        owner = owners.get(imported + number)
        if owner is None:
            continue  # an adapter, which has to reach both sides
        for at in range(facts.spans[number], facts.spans[number + 1]):
            for space, kinds in SPACES.items():
                if facts.kinds[at] in kinds:
                    found[space][owner].add(facts.indices[at])
    return found


@pytest.mark.parametrize("fixture", SMALL)
def test_code_names_nothing_of_another_instance(fixture: Fixture, merged: Merged) -> None:
    output = fuse_fixture(fixture, fixture.forms[0]).bytes
    assert not shape_faults(output)
    modules = modules_of(output)
    main = max(modules, key=lambda module: len(module.code.bodies))
    owners = merged.owners()
    assert len(owners) <= main.code.count
    parted = {merged.layout.table(table) for table in merged.layout.parts}
    for space, by_owner in named_by(main, owners).items():
        for owner, indices in by_owner.items():
            for other, others in by_owner.items():
                shared = (indices & others) - (parted if space == "table" else set())
                assert owner == other or not shared, f"{owner} and {other} share {space} {shared}"
    for unit, parts in merged.parts():
        owner = merged.graph.core_instances[unit.id].instance
        for table, first, size in zip(unit.tables, parts.first, parts.size, strict=True):
            if size:
                assert merged.graph.core_instances[table.instance].instance == owner
                assert range(first, first + size) == merged.layout.parts[table]
    private = named_by(main, owners)["memory"][HANDLES]
    exported = {export.index for export in main.exports if export.sort is CoreSort.MEMORY}
    assert merged.values_beside() or not private & exported, "the handle tables are exported"
    for module in modules:
        if module is not main:
            assert not any(isinstance(each.type, MemoryType) for each in module.imports), "a carrier sees a memory"
    for section, body in sections(output):
        if section == EXPORT:
            assert all(item.sort != SORT_CORE for item in read_externs(body, exports=True))


@pytest.mark.parametrize(
    ("name", "instances", "handles"),
    [("hello", 2, False), ("chain", 3, False), ("resource-basics", 2, True), ("resource-same-name", 3, True)],
)
def test_fixtures_have_instances_to_keep_apart(name: str, instances: int, handles: bool, merged: Merged) -> None:
    """So that the test above is about something: guests side by side, and tables of handles."""
    fixture = load(name)
    fuse_fixture(fixture, fixture.forms[0])
    owners = set(merged.owners().values())
    assert len(owners - {HANDLES}) >= instances
    assert (HANDLES in owners) == handles


# --- addresses: what a guest can do at run time -----------------------------------------------------------------------
def wild(count: int, wide: bool) -> str:
    """`count` instances of a guest that does what it is told to its memory, and one of which owns resources."""
    p = "i64" if wide else "i32"
    size = f"({p}.shl (memory.size) ({p}.const 16))"
    guest = f"""(component $wild
      (core module $m (memory (export "m") {"i64 " if wide else ""}1 8)
        (func (export "fill") (param i32) (memory.fill ({p}.const 0) (local.get 0) {size}))
        (func (export "grow") (result u) (memory.grow ({p}.const 2)))
        (func (export "copy") (memory.copy ({p}.const 3) ({p}.const 0) ({p}.sub {size} ({p}.const 3))))
        (func (export "count") (param i32) (result i32) (local $at {p}) (local $n i32)
          (loop $next
            (local.set $n (i32.add (local.get $n) (i32.eq (local.get 0) (i32.load8_u (local.get $at)))))
            (local.set $at ({p}.add (local.get $at) ({p}.const 1)))
            (br_if $next ({p}.lt_u (local.get $at) {size})))
          (local.get $n))
        (func (export "peek") (param u) (result i32) (i32.load8_u (local.get 0)))
        (func (export "poke") (param u) (i32.store8 (local.get 0) (i32.const 1))))
      (core instance $i (instantiate $m))
      (func (export "fill") (param "x" u8) (canon lift (core func $i "fill")))
      (func (export "grow") (result N) (canon lift (core func $i "grow")))
      (func (export "copy") (canon lift (core func $i "copy")))
      (func (export "count") (param "x" u8) (result u32) (canon lift (core func $i "count")))
      (func (export "peek") (param "at" N) (result u8) (canon lift (core func $i "peek")))
      (func (export "poke") (param "at" N) (canon lift (core func $i "poke"))))"""
    guest = guest.replace("(result u)", f"(result {p})").replace("(param u)", f"(param {p})")
    guest = guest.replace(" N)", " u64)" if wide else " u32)")
    each = range(count)
    names = ("fill", "grow", "copy", "count", "peek", "poke")
    owner = """(component $owner
      (type $r' (resource (rep i32)))
      (export $r "r" (type $r'))
      (core func $new (canon resource.new $r'))
      (core module $m (import "" "new" (func $new (param i32) (result i32)))
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "get") (param i32) (result i32) (local.get 0)))
      (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
      (func (export "make") (param "x" u32) (result (own $r)) (canon lift (core func $i "make")))
      (func (export "get") (param "x" (borrow $r)) (result u32) (canon lift (core func $i "get"))))"""
    keeper = """(component $keeper
      (import "r" (type $r (sub resource)))
      (import "make" (func $make (param "x" u32) (result (own $r))))
      (import "get" (func $get (param "x" (borrow $r)) (result u32)))
      (core func $make (canon lower (func $make)))
      (core func $get (canon lower (func $get)))
      (core module $m (import "" "make" (func $make (param i32) (result i32)))
        (import "" "get" (func $get (param i32) (result i32)))
        (memory 1)
        (func (export "keep") (param i32) (result i32)
          (memory.fill (i32.const 0) (i32.const 255) (i32.const 65536)) (call $make (local.get 0)))
        (func (export "ask") (param i32) (result i32)
          (memory.fill (i32.const 0) (i32.const 255) (i32.const 65536)) (call $get (local.get 0))))
      (core instance $i (instantiate $m (with "" (instance
        (export "make" (func $make)) (export "get" (func $get))))))
      (func (export "keep") (param "x" u32) (result u32) (canon lift (core func $i "keep")))
      (func (export "ask") (param "x" u32) (result u32) (canon lift (core func $i "ask"))))"""
    return f"""(component {guest} {owner} {keeper}
      {" ".join(f"(instance $w{i} (instantiate $wild))" for i in each)}
      (instance $owner (instantiate $owner))
      (instance $keeper (instantiate $keeper (with "r" (type $owner "r"))
        (with "make" (func $owner "make")) (with "get" (func $owner "get"))))
      {" ".join(f'(export "{name}{i}" (func $w{i} "{name}"))' for i in each for name in names)}
      (export "keep" (func $keeper "keep")) (export "ask" (func $keeper "ask")))"""


class Alive:
    """An instance of a component, whose functions are called by name; a trap ends it."""

    def __init__(self, data: bytes) -> None:
        engine = full_engine().engine
        self.store = Store(engine)
        self.instance = wc.Linker(engine).instantiate(self.store, wc.Component(engine, data))

    def __call__(self, name: str, *args: int) -> Any:
        func = self.instance.get_func(self.store, name)
        assert func is not None
        return func(self.store, *args)


@pytest.mark.parametrize("wide", [False, True])
def test_a_guest_reaches_all_of_its_memory_and_nothing_else(wide: bool) -> None:
    count, page = 4, 65536
    fused = meldpy.fuse([bytes(wat2wasm(wild(count, wide)))]).bytes
    call = Alive(fused)
    handles = [call("keep", 1000 + i) for i in range(50)]
    for i in range(count):
        assert call(f"count{i}", 0) == page, "untouched by what others did before"
        call(f"fill{i}", i + 1)
    assert [call(f"grow{i}") for i in (0, 2)] == [1, 1]
    call("fill0", 0x77)
    call("copy2")
    assert [call(f"count{i}", byte) for i, byte in enumerate((0x77, 2, 3, 4))] == [3 * page, page, page + 3, page]
    assert call("count2", 0) == 2 * page - 3
    assert [call("ask", handle) for handle in handles] == [1000 + i for i in range(50)]
    for address in (0, page - 1, page, 3 * page - 1):
        call("poke0", address)
    assert [call(f"count{i}", byte) for i, byte in enumerate((0x77, 2, 3, 4))] == [3 * page - 4, page, page + 3, page]


@pytest.mark.parametrize("access", ["peek", "poke"])
@pytest.mark.parametrize("wide", [False, True])
def test_every_address_behind_a_memory_traps(wide: bool, access: str) -> None:
    fused = meldpy.fuse([bytes(wat2wasm(wild(3, wide)))]).bytes
    most = 2 ** (64 if wide else 32)
    addresses = [65536, 65537, 2 * 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 65536, 2**32 - 1, most - 65536, most - 1]
    for guest in range(3):
        for address in addresses:
            with pytest.raises(WasmtimeError, match="out of bounds memory access"):
                Alive(fused)(f"{access}{guest}", address)
        Alive(fused)(f"{access}{guest}", 65535)


def callers(count: int) -> str:
    """`count` instances of a guest with a table of six slots, one of them filled, that calls any slot it is told to."""
    guest = """(component $guest
      (core module $m
        (type $f (func (param i32) (result i32)))
        (global $calls (mut i32) (i32.const 0))
        (table 6 funcref) (elem (i32.const 3) func $count)
        (func $count (type $f) (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls))
        (func (export "go") (param i32) (result i32) (call_indirect (type $f) (i32.const 0) (local.get 0)))
        (func (export "calls") (result i32) (global.get $calls)))
      (core instance $i (instantiate $m))
      (func (export "go") (param "slot" u32) (result u32) (canon lift (core func $i "go")))
      (func (export "calls") (result u32) (canon lift (core func $i "calls"))))"""
    instances = " ".join(f"(instance $i{i} (instantiate $guest))" for i in range(count))
    exports = " ".join(f'(export "{name}{i}" (func $i{i} "{name}"))' for i in range(count) for name in ("go", "calls"))
    return f"(component {guest} {instances} {exports})"


def test_a_guest_calls_its_own_slots_and_no_others() -> None:
    count = 4
    fused = meldpy.fuse([bytes(wat2wasm(callers(count)))]).bytes
    (table,) = [table for module in modules_of(fused) for table in module.tables]
    assert table.type.limits.min == 6 * count, "they share one"
    call = Alive(fused)
    assert [call(f"go{i}", 3) for i in range(count)] == [1] * count
    assert call("go2", 3) == 2
    assert [call(f"calls{i}") for i in range(count)] == [1, 1, 2, 1]
    beyond = [*range(6, 6 * count + 3), 2**31 - 1, 2**31, *(2**32 - i for i in range(1, 6 * count + 3))]
    for guest in range(count):
        for slot in (0, 2, 4, 5):
            with pytest.raises(WasmtimeError, match="uninitialized element"):
                Alive(fused)(f"go{guest}", slot)
        for slot in beyond:
            with pytest.raises(WasmtimeError, match="undefined element: out of bounds"):
                Alive(fused)(f"go{guest}", slot)
