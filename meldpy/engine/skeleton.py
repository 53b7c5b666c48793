"""A component with the same outside and no insides, for checking a large component cheaply.

Compiling 18 MB of code to learn that it is valid costs seconds. Everything a component-level check looks at
(types, imports, exports, canonical definitions, instantiation) survives if a module keeps only the functions that it
exports, each with `unreachable` for a body, if data segments become empty, and if elements and the start function are
left out. The modules themselves are checked one by one, without compiling them. (The engine compiles every function
and every item of an element segment at a cost of kilobytes: one megabyte of items took it 8 GB and 24 s.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meldpy.model.component import Component, ComponentSection, CoreModuleSection, CustomSection, Section
from meldpy.model.core import Code, ConstExpr, ConstOp, CoreExport, CoreModule, CoreSort, FuncImportType, Op, Table
from meldpy.records import replace

_UNREACHABLE_ENTRY = b"\x03\x00\x00\x0b"
"""A code section entry: size 3, no locals, unreachable, end."""


def skeleton(component: Component) -> Component:
    """`component` without insides and custom sections, at every depth (bounded by the decoder)."""
    kept = (s for s in component.sections if not isinstance(s, CustomSection))
    return replace(component, sections=tuple(_section(s) for s in kept))


def _section(section: Section) -> Section:
    match section:
        case CoreModuleSection(module=module):
            return replace(section, module=_module(module))
        case ComponentSection(component=component):
            return replace(section, component=skeleton(component))
        case _:
            return section


def _module(module: CoreModule) -> CoreModule:
    imported = sum(isinstance(import_.type, FuncImportType) for import_ in module.imports)
    # An index that does not exist stays as it is: the check of the module itself refuses it.
    kept = sorted({i for i in _mentioned(module) if imported <= i < imported + len(module.funcs)})
    moved = {old: imported + position for position, old in enumerate(kept)}
    return replace(
        module,
        funcs=tuple(module.funcs[index - imported] for index in kept),
        tables=tuple(_table(table, moved) for table in module.tables),
        globals=tuple(replace(each, init=_expression(each.init, moved)) for each in module.globals),
        exports=tuple(_export(export, moved) for export in module.exports),
        start=None,
        elements=(),
        code=Code(len(kept), _UNREACHABLE_ENTRY * len(kept)),
        data=tuple(replace(segment, data=b"") for segment in module.data),
        customs=(),
        sections=(),
    )


def _mentioned(module: CoreModule) -> Iterator[int]:
    """The functions that exports and initialisers name."""
    yield from (export.index for export in module.exports if export.sort is CoreSort.FUNC)
    inits = [each.init for each in module.globals] + [table.init for table in module.tables if table.init is not None]
    for init in inits:
        yield from (op.operand for op in init if op.opcode == Op.REF_FUNC and isinstance(op.operand, int))


def _export(export: CoreExport, moved: Mapping[int, int]) -> CoreExport:
    if export.sort is not CoreSort.FUNC:
        return export
    return replace(export, index=moved.get(export.index, export.index))


def _table(table: Table, moved: Mapping[int, int]) -> Table:
    return table if table.init is None else replace(table, init=_expression(table.init, moved))


def _expression(init: ConstExpr, moved: Mapping[int, int]) -> ConstExpr:
    return tuple(_op(op, moved) for op in init)


def _op(op: ConstOp, moved: Mapping[int, int]) -> ConstOp:
    if op.opcode != Op.REF_FUNC or not isinstance(op.operand, int):
        return op
    return ConstOp(op.opcode, moved.get(op.operand, op.operand))
