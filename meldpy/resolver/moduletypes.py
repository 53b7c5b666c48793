"""Does a core module fit a core module type?

It may import less than the type declares, and export more; what both have must agree: functions and tags by structure,
globals exactly, memories and tables within their limits. Types that refer to other types agree only if both sides have
the same types, which is less than a validator knows and never more. Spec: Explainer.md "Type Checking"; core
specification, "Import Subtyping".
"""

from __future__ import annotations

from collections.abc import Mapping

from meldpy.model.core import (
    CoreExternType,
    CoreFuncType,
    CoreModule,
    FuncImportType,
    GlobalType,
    Limits,
    MemoryType,
    RefType,
    TableType,
    TagType,
)
from meldpy.model.extern import CoreModuleType


def misfit(declared: CoreModuleType, actual: CoreModuleType) -> str | None:
    """Why a module of type `actual` does not fit `declared`; None if it does."""
    allowed = {(import_.module, import_.name): import_.type for import_ in declared.shape.imports}
    for import_ in actual.shape.imports:
        given = allowed.get((import_.module, import_.name))
        if given is None:
            return f"the module imports `{import_.module}` `{import_.name}`, which is not declared"
        if not _fits(import_.type, actual.shape, given, declared.shape):
            return f"the module imports `{import_.module}` `{import_.name}` as something else than is declared"
    found = _exports(actual)
    for name, wanted in _exports(declared).items():
        if name not in found:
            return f"the module does not export `{name}`"
        if not _fits(wanted, declared.shape, found[name], actual.shape):
            return f"the module exports `{name}` as something else than is declared"
    return None


def _exports(type_: CoreModuleType) -> Mapping[str, CoreExternType]:
    found: dict[str, CoreExternType] = {}
    for export, each in zip(type_.shape.exports, type_.export_types, strict=True):
        assert isinstance(each, FuncImportType | TableType | MemoryType | GlobalType | TagType)
        found[export.name] = each
    return found


def _fits(wanted: CoreExternType, at: CoreModule, given: CoreExternType, of: CoreModule) -> bool:
    """Whether an item of type `given` (its indices are those of `of`) can be used where `wanted` (of `at`) is."""
    match wanted, given:
        case (FuncImportType(a), FuncImportType(b)) | (TagType(a), TagType(b)):
            return _same_func(a, at, b, of)
        case GlobalType(), GlobalType():
            return wanted == given and _stands_alone(wanted.value)
        case MemoryType(a), MemoryType(b):
            return _within(a, b)
        case TableType(), TableType():
            same = wanted.element == given.element and _stands_alone(wanted.element)
            return same and _within(wanted.limits, given.limits)
        case _:
            return False


def _within(wanted: Limits, given: Limits) -> bool:
    kinds = [(each.is64, each.shared, each.page_size_log2) for each in (wanted, given)]
    upper = wanted.max is None or (given.max is not None and given.max <= wanted.max)
    return kinds[0] == kinds[1] and given.min >= wanted.min and upper


def _same_func(a: int, at: CoreModule, b: int, of: CoreModule) -> bool:
    first, second = (
        [sub for group in module.types for sub in group.types][index] for index, module in ((a, at), (b, of))
    )
    if not isinstance(first.comp, CoreFuncType) or first != second:
        return False
    return all(map(_stands_alone, (*first.comp.params, *first.comp.results))) and not first.supertypes


def _stands_alone(type_: object) -> bool:
    """Whether a value type refers to no other type."""
    return not (isinstance(type_, RefType) and isinstance(type_.heap, int))
