"""Code metadata: remarks about single instructions or functions, by function index and offset in the body.

All sections `metadata.code.*` share one frame, but what a remark says is the business of its kind, and may hold indices
in its turn. Kinds that are known to hold none are moved; others are left out.

Spec: code metadata framework; branch hinting; compilation hints.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from meldpy.asm.leb import unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import Bytes, FuncImportType, RawCustom
from meldpy.model.fused import MergedUnit

MOVED: Final = (
    "metadata.code.branch_hint",
    "metadata.code.compilation_priority",
    "metadata.code.instr_freq",
    "metadata.code.trace_inst",
)
"""Kinds without indices inside. They lie in front of the code section."""

_Hints: TypeAlias = "list[tuple[int, bytes]]"


def join_hints(units: Iterable[MergedUnit]) -> tuple[dict[str, bytes], list[str]]:
    """The joined section of each kind that occurs, and notes about those that are malformed."""
    found: dict[str, dict[int, _Hints]] = {}
    notes: list[str] = []
    for unit in units:
        for custom in unit.module.customs:
            section = custom.section
            if isinstance(section, RawCustom) and section.name in MOVED:
                try:
                    moved = _moved(section.data, unit)
                except Malformed:
                    notes.append(f"dropped {section.name} of {unit.label} in {unit.component}: it is malformed")
                    continue
                found.setdefault(section.name, {}).update(moved)
    return {name: _written(functions) for name, functions in found.items() if functions}, notes


def _moved(data: Bytes, unit: MergedUnit) -> dict[int, _Hints]:
    """Remarks by new function index and new offset; those about what was left out go."""
    cursor = Cursor(data)
    imported = sum(isinstance(import_.type, FuncImportType) for import_ in unit.module.imports)
    starts = _body_starts(unit.module.code.bodies)
    functions: dict[int, _Hints] = {}
    for _ in range(cursor.u32()):
        function = cursor.u32()
        hints: _Hints = [(cursor.u32(), cursor.take(cursor.u32())) for _ in range(cursor.u32())]
        if not imported <= function < imported + len(starts):
            raise Malformed
        new = unit.funcs[function]
        if new < 0 or unit.positions is None:
            continue
        start, end = starts[function - imported]
        if any(not 0 <= offset < end - start for offset, _ in hints):
            raise Malformed
        place = unit.positions.new
        functions[new] = [(place(start + offset) - place(start), hint) for offset, hint in hints]
    if cursor.remaining:
        raise Malformed
    return functions


def _body_starts(bodies: Bytes) -> list[tuple[int, int]]:
    """Where the content of each body begins and ends. (Decoding has checked the sizes.)"""
    cursor = Cursor(bodies)
    spans: list[tuple[int, int]] = []
    while cursor.remaining:
        size = cursor.u32()
        spans.append((cursor.position, cursor.position + size))
        cursor.position += size
    return spans


def _written(functions: dict[int, _Hints]) -> bytes:
    parts = [unsigned(len(functions))]
    for function in sorted(functions):
        hints = functions[function]
        parts += [unsigned(function), unsigned(len(hints))]
        for offset, hint in hints:
            parts += [unsigned(offset), unsigned(len(hint)), hint]
    return b"".join(parts)
