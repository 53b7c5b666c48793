"""Carriers: what must exist before the main module, because host functions' lowers and destructors need it.

A carrier holds at most one memory (with its hoisted data) and at most one table. One of them also holds the
*forwarders*: a realloc or destructor that the outer component must name before the main module exists passes its
parameters on through a private table, which the main module fills by an active element segment. A carrier imports
nothing and runs nothing at instantiation. Design section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from meldpy.asm.leb import signed, unsigned
from meldpy.merger.bodies import CodeWriter
from meldpy.merger.exprs import merged_memory_type, merged_table_type
from meldpy.merger.layout import Layout
from meldpy.merger.limits import check_sums
from meldpy.merger.names import Names
from meldpy.merger.placement import CarrierPlace, Placement
from meldpy.merger.segments import Segments
from meldpy.merger.types import TypeTable, heap_references, remap_table
from meldpy.merger.units import Symbols
from meldpy.model.code import Adapted, FuncSymbol
from meldpy.model.core import (
    FUNCREF,
    Code,
    CoreExport,
    CoreModule,
    CoreSort,
    CoreTypeIndex,
    Limits,
    NameKind,
    NameMap,
    NameSection,
    PlacedCustom,
    Table,
    TableType,
)
from meldpy.model.fused import CoreExportRef
from meldpy.records import dataclass

MEMORY: Final = "memory"
TABLE: Final = "table"
_LOCAL_GET = b"\x20"
_I32_CONST = b"\x41"
_CALL_INDIRECT = b"\x11"
_DATA_SECTION = 11


@final
@dataclass(frozen=True, slots=True)
class Forwarder:
    """A function of the main module that is reached through slot number = its position; `name` is the export's."""

    func: FuncSymbol
    name: str


def forwarders_of(adapted: Adapted, symbols: Symbols) -> tuple[Forwarder, ...]:
    """One for each distinct realloc of a host function's lower or of a built-in, and each distinct destructor, but in a
    core output."""
    if adapted.core is not None:
        return ()
    found: dict[FuncSymbol, str] = {}
    for lower in adapted.outer_lowers:
        if lower.options.realloc is not None:
            found.setdefault(symbols.need(lower.options.realloc), "realloc")
    for builtin in adapted.outer_async:
        if builtin.realloc is not None:
            found.setdefault(symbols.need(builtin.realloc), "realloc")
    for resource in adapted.outer_resources:
        if resource.dtor is not None:
            found.setdefault(symbols.need(resource.dtor), "dtor")
    return tuple(Forwarder(func, f"{name} {number}") for number, (func, name) in enumerate(found.items()))


def forwarder_table(count: int) -> TableType:
    return TableType(FUNCREF, Limits(count, count))


@final
@dataclass(frozen=True, slots=True)
class CarriedFuncs:
    """Where the outer component finds each forwarder."""

    carrier: int
    forwarders: tuple[Forwarder, ...]

    def ref(self, func: FuncSymbol) -> CoreExportRef:
        (name,) = [each.name for each in self.forwarders if each.func == func]
        return CoreExportRef(self.carrier, name, CoreSort.FUNC)


def carried_funcs(placement: Placement, forwarders: tuple[Forwarder, ...]) -> CarriedFuncs | None:
    for number, carrier in enumerate(placement.carriers):
        if carrier.forwarders:
            return CarriedFuncs(number, forwarders)
    return None


def carrier_modules(
    placement: Placement, forwarders: Sequence[Forwarder], layout: Layout, segments: Segments, names: Names | None
) -> tuple[CoreModule, ...]:
    return tuple(
        _carrier(f"carrier {number}", carrier, forwarders if carrier.forwarders else (), layout, segments, names)
        for number, carrier in enumerate(placement.carriers)
    )


def _carrier(
    label: str,
    place: CarrierPlace,
    forwarders: Sequence[Forwarder],
    layout: Layout,
    segments: Segments,
    names: Names | None,
) -> CoreModule:
    types = TypeTable()
    exports: list[CoreExport] = []
    tables: list[Table] = []
    if place.table is not None:
        merged = merged_table_type(layout, place.table)
        projected = types.absorb(layout.types.groups, heap_references(merged.element))
        tables.append(Table(remap_table(merged, projected.__getitem__)))
    elif place.forwarders:
        tables.append(Table(forwarder_table(len(forwarders))))
    if tables:
        exports.append(CoreExport(TABLE, CoreSort.TABLE, 0))
    memories = () if place.memory is None else (merged_memory_type(layout, place.memory),)
    if memories:
        exports.append(CoreExport(MEMORY, CoreSort.MEMORY, 0))
    called = [layout.func_type(each.func) for each in forwarders]
    projected = types.absorb(layout.types.groups, called)
    funcs: list[CoreTypeIndex] = []
    code = CodeWriter()
    for slot, (forwarder, merged_type) in enumerate(zip(forwarders, called, strict=True)):
        type_ = layout.types.func_type(merged_type)
        # The target's own type for the call: a subtype is not equal to a plain type of the same shape.
        body = b"".join([_LOCAL_GET + unsigned(i) for i in range(len(type_.params))])
        body += _I32_CONST + signed(slot) + _CALL_INDIRECT + unsigned(projected[merged_type]) + unsigned(0)
        code.entry(forwarder.name, (), len(type_.params), body)
        funcs.append(CoreTypeIndex(types.func(type_)))
        exports.append(CoreExport(forwarder.name, CoreSort.FUNC, slot))
    data = () if place.memory is None else tuple(segments.carried.get(place.memory, ()))
    check_sums(label, {"data segments": len(data), "functions": len(funcs)})
    customs = () if names is None else (PlacedCustom(_DATA_SECTION, _named(label, place, forwarders, names)),)
    return CoreModule(
        types=tuple(types.groups),
        funcs=tuple(funcs),
        tables=tuple(tables),
        memories=memories,
        exports=tuple(exports),
        code=Code(code.count, code.join()),
        data=data,
        customs=customs,
    )


def _named(label: str, place: CarrierPlace, forwarders: Sequence[Forwarder], names: Names) -> NameSection:
    functions = tuple((index, forwarder.name) for index, forwarder in enumerate(forwarders))
    maps: tuple[tuple[NameKind, NameMap], ...] = ((NameKind.FUNCTION, functions),) if functions else ()
    if place.memory is not None:
        maps += names.carried(place.memory)
    return NameSection(label, maps, order=(0, *(kind.value for kind, _ in maps)))
