"""Remarks about single instructions, and what modules say they need, follow the code into the fused module."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.asm.leb import unsigned
from meldpy.binary.decode import decode_component, decode_module
from meldpy.debug.cursor import Cursor
from meldpy.debugging import modules_in
from meldpy.model.component import CoreModuleSection
from meldpy.model.core import CoreModule, FuncImportType, NameKind, NameSection, RawCustom
from tests.debug.test_dwarf import given

HINTS, FEATURES = "metadata.code.branch_hint", "target_features"
IF, BR_IF = 0x04, 0x0D


def guest(name: str, extra: str = "", first: str = "") -> bytes:
    """A component that exports `name`. Its function has two hints, and is behind 200 others whose indices grow.

    first: what it does before all else.
    """
    plain = " ".join(f"(func $p{i} (result i32) (i32.const {i}))" for i in range(200))
    return bytes(
        wat2wasm(f"""(component
          (core module $m {extra}
            (table funcref (elem {" ".join(f"$p{i}" for i in range(200))}))
            {plain}
            (func $hinted-{name} (export "f") (param i32) (result i32)
              {first}
              (block $out
                (drop (call $p199)) (drop (call $p3))
                (drop (call_indirect (result i32) (local.get 0)))
                (@metadata.code.branch_hint "\\00") (if (local.get 0) (then (drop (call $p150))))
                (@metadata.code.branch_hint "\\01") (br_if $out (local.get 0)))
              (call $p1)))
          (core instance $i (instantiate $m))
          (func (export "{name}") (param "x" u32) (result u32) (canon lift (core func $i "f"))))""")
    )


def features(*names: str) -> str:
    """The custom section, as text."""
    content = unsigned(len(names)) + b"".join(b"+" + unsigned(len(name)) + name.encode() for name in names)
    return f'(@custom "{FEATURES}" "' + "".join(f"\\{byte:02x}" for byte in content) + '")'


def fused(*inputs: bytes) -> CoreModule:
    component = decode_component(meldpy.fuse(list(inputs)).bytes, "fused")
    modules = [section.module for section in component.sections if isinstance(section, CoreModuleSection)]
    return max(modules, key=lambda module: module.code.count)


def section(module: CoreModule, name: str) -> bytes | None:
    found = [c.section.data for c in module.customs if isinstance(c.section, RawCustom) and c.section.name == name]
    return bytes(found[0]) if found else None


def bodies(module: CoreModule) -> dict[int, bytes]:
    """By function index, without their sizes."""
    cursor = Cursor(module.code.bodies)
    first = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
    return {first + number: cursor.take(cursor.u32()) for number in range(module.code.count)}


def hints(module: CoreModule) -> dict[str, list[tuple[int, bytes]]]:
    """By function name: the opcode at each hint's offset, and the hint."""
    (names,) = (c.section for c in module.customs if isinstance(c.section, NameSection))
    named = dict(dict(names.maps)[NameKind.FUNCTION])
    data = section(module, HINTS)
    assert data is not None
    code, cursor = bodies(module), Cursor(data)
    found = {}
    for _ in range(cursor.u32()):
        function = cursor.u32()
        marks = [(cursor.u32(), cursor.take(cursor.u32())) for _ in range(cursor.u32())]
        found[named[function]] = [(code[function][offset], hint) for offset, hint in marks]
    assert not cursor.remaining
    return found


def test_branch_hints_stay_at_their_branches() -> None:
    found = hints(fused(guest("a"), guest("b")))
    assert len(found) == 2
    for name, marks in found.items():
        assert "hinted-" in name
        assert marks == [(IF, b"\0"), (BR_IF, b"\1")]


def test_hints_stay_at_their_branches_where_instructions_are_replaced() -> None:
    guests = [guest(name, first="(drop (i32.extend8_s (local.get 0)))") for name in "ab"]

    def hints_for(target: str) -> dict[str, list[tuple[int, bytes]]] | None:
        result = meldpy.fuse(guests, meldpy.FuseOptions(core=True, features=target))
        module = decode_module(result.bytes, "core output")
        left_out = any(HINTS in note for note in result.report.notes)
        assert left_out == (section(module, HINTS) is None)
        return None if left_out else hints(module)

    for target in ("", "wasm3,+simd,+multi-memory,+reference-types", "-tail-call", "-sign-extension"):
        found = hints_for(target)
        assert found is not None
        assert list(found.values()) == [[(IF, b"\0"), (BR_IF, b"\1")]] * 2


def told(module: CoreModule) -> set[str] | None:
    data = section(module, FEATURES)
    if data is None:
        return None
    cursor = Cursor(data)
    entries = [(cursor.take(1), cursor.name()) for _ in range(cursor.u32())]
    assert {prefix for prefix, _ in entries} == {b"+"}
    return {name for _, name in entries}


def test_what_only_linkers_want_is_left_out_with_a_note() -> None:
    sections = '(@custom "linking" "\\02") (@custom "reloc.CODE" "\\00\\00") (@custom "reloc..debug_info" "\\00\\00")'
    result = meldpy.fuse([guest("a", sections)])
    (note,) = result.report.notes
    assert note.endswith("linking, reloc..debug_info, reloc.CODE")
    main = max(modules_in(result.bytes, "fused"), key=lambda module: module.code.count)
    assert not any(section(main, name) for name in ("linking", "reloc.CODE", "reloc..debug_info"))


def test_features_are_those_of_all_and_ours() -> None:
    found = told(fused(guest("a", features("tail-call")), guest("b", features("atomics", "sign-ext"))))
    assert found is not None
    assert found >= {"tail-call", "atomics", "sign-ext", "bulk-memory", "simd128", "multivalue"}


def test_what_stands_between_modules_has_no_say() -> None:
    """The async caller has a shim, which its linker made, and which names no features."""
    for suffix in ("4-0", "5-2"):
        result = meldpy.fuse([given(f"starts-{suffix}", "app"), given(f"tasks-{suffix}", "lib")])
        assert not [note for note in result.report.notes if FEATURES in note]
        found = told(max(modules_in(result.bytes, "fused"), key=lambda module: module.code.count))
        assert found is not None
        assert "bulk-memory" in found


SHIM = """
  (core module $s (type $t (func (param i32) (result i32))) (table (export "t") 1 1 funcref)
    (func (export "f") (type $t) {code}))"""


@pytest.mark.parametrize(
    ("code", "silent"),
    [
        ("(call_indirect (type $t) (local.get 0) (i32.const 0))", True),
        ("(i32.add (local.get 0) (i32.const 0))", False),
        ("(i32.extend8_s (local.get 0))", False),
        ("(local i32) (local.get 0)", False),
    ],
)
def test_only_what_hands_on_has_no_say(code: str, silent: bool) -> None:
    shim = SHIM.format(code=code)
    component = wat2wasm(f"""(component {shim}
      (core instance $s (instantiate $s))
      (func (export "s") (param "x" u32) (result u32) (canon lift (core func $s "f"))))""")
    found = told(fused(guest("a", features("tail-call")), bytes(component)))
    assert (found is not None) == silent


def test_features_say_nothing_unless_every_module_does() -> None:
    assert told(fused(guest("a", features("tail-call")), guest("b"))) is None
