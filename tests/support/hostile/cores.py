"""Core modules changed where it hurts: bodies, locals, branch tables, memories, segments, globals, names.

Additions are meant to be valid more often than not, so that they reach the merger and the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from meldpy.model.component import Component, ComponentSection, CoreModuleSection
from meldpy.model.core import (
    FUNCREF,
    Code,
    ConstOp,
    CoreExport,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    DataSegment,
    ElementSegment,
    FuncImportType,
    Global,
    GlobalType,
    IndirectNameKind,
    Limits,
    MemoryType,
    NameKind,
    NameSection,
    NumType,
    Op,
    PlacedCustom,
    ProducersSection,
    RawCustom,
    RecGroup,
    SegmentMode,
    SubType,
    Table,
    TableType,
)
from meldpy.model.ids import CoreFuncIndex, CoreMemoryIndex, CoreTableIndex, CoreTypeIndex
from tests.support.hostile.names import hostile_name
from tests.support.hostile.tree import uleb

_ZERO = (ConstOp(Op.I32_CONST, 0),)


def change_core(rng: Random, component: Component) -> Component:
    """One or two changes to one core module of `component`; the same component if it has none."""
    places = [at for at, section in enumerate(component.sections) if isinstance(section, CoreModuleSection)]
    nested = [at for at, section in enumerate(component.sections) if isinstance(section, ComponentSection)]
    if nested and (not places or rng.randrange(2)):
        at = rng.choice(nested)
        outer = component.sections[at]
        assert isinstance(outer, ComponentSection)
        changed = replace(outer, component=change_core(rng, outer.component))
        return replace(component, sections=(*component.sections[:at], changed, *component.sections[at + 1 :]))
    if not places:
        return component
    at = rng.choice(places)
    section = component.sections[at]
    assert isinstance(section, CoreModuleSection)
    module = section.module
    for _ in range(rng.choice((1, 1, 2))):
        module = rng.choice(_CHANGES)(rng, module)
    changed_section = replace(section, module=module)
    return replace(component, sections=(*component.sections[:at], changed_section, *component.sections[at + 1 :]))


# --- bodies -----------------------------------------------------------------------------------------------------
def _imported(module: CoreModule) -> int:
    return sum(isinstance(item.type, FuncImportType) for item in module.imports)


def with_body(module: CoreModule, body: bytes, run: bool) -> CoreModule:
    """A function () -> () more; `run`: as the start function, so that it is live."""
    types = sum(len(group.types) for group in module.types)
    index = CoreFuncIndex(_imported(module) + len(module.funcs))
    return replace(
        module,
        types=(*module.types, RecGroup((SubType(CoreFuncType((), ())),))),
        funcs=(*module.funcs, CoreTypeIndex(types)),
        code=Code(module.code.count + 1, bytes(module.code.bodies) + uleb(len(body)) + body),
        start=index if run else module.start,
    )


def _body(rng: Random, module: CoreModule) -> CoreModule:
    depth = rng.choice((10, 1000, 20_000, 200_000))
    count = rng.choice((0, 1, 1000, 100_000))
    wild = rng.choice((0, 1, 5, 127, 128, 16384, 2**28, 2**32 - 1))
    body = rng.choice(
        (
            b"\0" + b"\x02\x40" * depth + b"\x0b" * depth + b"\x0b",
            b"\0" + b"\x03\x40" * depth + b"\x0b" * (depth - 1) + b"\x0b",
            b"\0" + b"\x02\x40\x41\0\x0e" + uleb(count) + b"\0" * (count + 1) + b"\x0b\x0b",
            b"\0" + b"\x00\x0e" + uleb(rng.choice((2**31, 2**32 - 1, 7_654_320))) + b"\0\x0b",
            b"\1" + uleb(rng.choice((1, 49_999, 50_000, 50_001, 2**32 - 1))) + b"\x7f\x0b",
            uleb(1000) + (uleb(49) + b"\x7b") * 1000 + b"\x0b",
            b"\2" + uleb(2**32 - 1) + b"\x7f" + uleb(2**32 - 1) + b"\x7e" + b"\x0b",
            b"\0\x10" + uleb(wild) + b"\x0b",
            b"\0\xd2" + uleb(wild) + b"\x1a\x0b",
            b"\0\x41\0\x28" + uleb(rng.choice((2, 0x42, 0x40, 0x7F, 2**31))) + uleb(wild) + b"\0\x1a\x0b",
            b"\0\x23" + uleb(wild, 5) + b"\x1a\x0b",
            b"\0\xfd" + uleb(rng.choice((12, 0x113, 300, 2**32 - 1)), 3) + rng.randbytes(16) + b"\x1a\x0b",
            b"\0\xfc" + uleb(rng.randrange(24)) + uleb(wild) + b"\0\x0b",
            b"\0\xfb" + uleb(rng.randrange(40)) + uleb(wild) + b"\0\x1a\x0b",
            b"\0\xfe" + uleb(rng.randrange(0x50)) + b"\2\0\x1a\x0b",
            b"\0\x1f\x40" + uleb(count) + b"\2\0" * count + b"\x0b\x0b",
            b"\0" + b"\x01" * rng.choice((0, 100_000, 7_654_319)) + b"\x0b",
            b"\0" + rng.randbytes(rng.choice((1, 5, 50))) + b"\x0b",
            b"\0\x0b" + rng.randbytes(3),
            b"",
        )
    )
    return with_body(module, body, rng.randrange(3) != 0)


def _bits(rng: Random, module: CoreModule) -> CoreModule:
    bodies = bytearray(module.code.bodies)
    for _ in range(rng.choice((1, 1, 3)) if bodies else 0):
        bodies[rng.randrange(len(bodies))] = rng.choice(
            (0, 1, 0x0B, 0x10, 0x20, 0x41, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFF)
        )
    return replace(module, code=Code(module.code.count, bytes(bodies)))


def _many_bodies(rng: Random, module: CoreModule) -> CoreModule:
    if not module.funcs:
        return module
    count = rng.choice((1, 10, 100, 100, 300, 3000, 20_000))
    return replace(
        module,
        funcs=module.funcs + module.funcs[:1] * count,
        code=Code(module.code.count + count, bytes(module.code.bodies) + b"\3\0\0\x0b" * count),
    )


# --- the rest ---------------------------------------------------------------------------------------------------
def _limits(rng: Random) -> Limits:
    low = rng.choice((0, 1, 65535, 65536, 65537, 2**31, 2**32 - 1, 2**48, 2**64 - 1))
    high = rng.choice((None, 0, 1, low, low + 1, 65536, 2**32 - 1))
    wide = low >= 2**32 or (high or 0) >= 2**32 or rng.randrange(4) == 0
    page = rng.choice((None, None, None, None, 0, 16, 1, 64))
    return Limits(low, high, wide, rng.randrange(6) == 0, page)


def _memories(rng: Random, module: CoreModule) -> CoreModule:
    count = rng.choice((1, 1, 1, 2, 50, 99, 100))
    if rng.randrange(2):
        return replace(module, memories=(*module.memories, *(MemoryType(Limits(0)) for _ in range(count))))
    return replace(module, memories=(*module.memories[1:], *(MemoryType(_limits(rng)) for _ in range(min(count, 3)))))


def _tables(rng: Random, module: CoreModule) -> CoreModule:
    size = rng.choice((0, 10, 10_000_000, 10_000_001, 2**32 - 1))
    table = Table(TableType(FUNCREF, replace(_limits(rng), min=size, shared=False, page_size_log2=None, max=None)))
    return replace(module, tables=module.tables + (table,) * rng.choice((1, 1, 2, 50, 100)))


def _data(rng: Random, module: CoreModule) -> CoreModule:
    count = rng.choice((1, 1, 10, 10, 100, 1000, 1000, 30_000, 100_001))
    at = (ConstOp(Op.I32_CONST, rng.choice((0, 65535, 65536, -1, 2**31 - 1))),)
    data = bytes(rng.choice((0, 1, 10))) if count > 1 else bytes(rng.choice((0, 65536, 1_000_000)))
    active = DataSegment(SegmentMode.ACTIVE, data, CoreMemoryIndex(rng.choice((0, 0, 1, 100))), at)
    segment = rng.choice((active, active, DataSegment(SegmentMode.PASSIVE, data)))
    return replace(module, data=module.data + (segment,) * count, data_count=rng.choice((None, 0, module.data_count)))


def _elements(rng: Random, module: CoreModule) -> CoreModule:
    count = rng.choice((1, 10, 100, 1000, 50_000))
    items = (CoreFuncIndex(rng.choice((0, 0, len(module.funcs)))),) * count
    active = ElementSegment(SegmentMode.ACTIVE, FUNCREF, items, table=CoreTableIndex(0), offset=_ZERO)
    element = rng.choice((active, ElementSegment(SegmentMode.DECLARATIVE, FUNCREF, items)))
    return replace(module, elements=module.elements + (element,) * rng.choice((1, 1, 20)))


def _globals(rng: Random, module: CoreModule) -> CoreModule:
    """Each global twice the one before: an initialiser that doubles if it is written out."""
    imported = sum(isinstance(item.type, GlobalType) for item in module.imports)
    first = imported + len(module.globals)
    chain = [Global(GlobalType(NumType.I32, False), (ConstOp(Op.I32_CONST, 1),))]
    for i in range(rng.choice((3, 40, 300))):
        get = ConstOp(Op.GLOBAL_GET, first + i)
        chain.append(Global(GlobalType(NumType.I32, False), (get, get, ConstOp(Op.I32_ADD))))
    last = (ConstOp(Op.GLOBAL_GET, first + len(chain) - 1),)
    data = (DataSegment(SegmentMode.ACTIVE, b"x", CoreMemoryIndex(0), last),) if rng.randrange(2) else ()
    return replace(module, globals=(*module.globals, *chain), data=(*module.data, *data))


def _types(rng: Random, module: CoreModule) -> CoreModule:
    first = sum(len(group.types) for group in module.types)
    groups: tuple[RecGroup, ...]
    match rng.randrange(3):
        case 0:
            groups = (RecGroup((SubType(CoreFuncType((NumType.I32,) * rng.choice((1, 1000)), ())),)),)
            groups *= rng.choice((1, 10, 100, 1000))
        case 1:
            chain = [SubType(CoreFuncType((), ()), False)]
            chain += [
                SubType(CoreFuncType((), ()), False, (CoreTypeIndex(first + i),))
                for i in range(rng.choice((5, 62, 63, 64, 2000)))
            ]
            groups = tuple(RecGroup((item,)) for item in chain)
        case _:
            groups = (RecGroup((SubType(CoreFuncType((), ())),) * rng.choice((0, 2, 10, 100, 10_000)), True),)
    return replace(module, types=(*module.types, *groups))


def _exports(rng: Random, module: CoreModule) -> CoreModule:
    if not module.exports:
        return module
    chosen = rng.choice(module.exports)
    count = rng.choice((1, 1, 10, 100, 5_000))
    added = tuple(CoreExport(f"x{i}", chosen.sort, chosen.index) for i in range(count))
    odd = CoreExport(hostile_name(rng), rng.choice(list(CoreSort)), chosen.index)
    return replace(module, exports=(*module.exports, *(added if rng.randrange(2) else (odd,))))


def _imports(rng: Random, module: CoreModule) -> CoreModule:
    if not module.imports:
        return module
    chosen = rng.choice(module.imports)
    renamed = CoreImport(hostile_name(rng, chosen.module), hostile_name(rng, chosen.name), chosen.type)
    return replace(module, imports=(*module.imports, rng.choice((chosen, renamed))))


def _start(rng: Random, module: CoreModule) -> CoreModule:
    return replace(module, start=CoreFuncIndex(rng.choice((0, _imported(module), 2**32 - 1, rng.randrange(20)))))


def _names(rng: Random, module: CoreModule) -> CoreModule:
    """Names of functions end up in the output's name section, in backtraces and in messages."""
    count = rng.choice((1, 1, 5, 1000))
    entries = tuple((rng.choice((i, 0, 2**32 - 1)), hostile_name(rng)) for i in range(count))
    section = rng.choice(
        (
            NameSection(hostile_name(rng), ((NameKind.FUNCTION, entries),), (), (0, 1)),
            NameSection(None, ((rng.choice(list(NameKind)), entries),), (), ()),
            NameSection(None, (), ((IndirectNameKind.LOCAL, ((0, entries), (2**32 - 1, entries))),), ()),
            RawCustom("name", rng.randbytes(rng.choice((0, 2, 30)))),
            RawCustom("name", b"\1\xff\xff\xff\xff\x0f"),
            RawCustom(hostile_name(rng), rng.randbytes(5)),
            RawCustom(rng.choice((".debug_info", "linking", "dylink.0", "target_features", "sourceMappingURL")), b"\1"),
            ProducersSection(((hostile_name(rng), ((hostile_name(rng), hostile_name(rng)),)),) * rng.choice((1, 2))),
            RawCustom("producers", rng.randbytes(rng.choice((0, 5)))),
        )
    )
    others = module.customs if rng.randrange(2) else ()
    return replace(
        module,
        customs=(*others, *(PlacedCustom(rng.choice((0, 7, 10, 11)), section) for _ in range(rng.choice((1, 1, 2))))),
    )


_CHANGES: tuple[Callable[[Random, CoreModule], CoreModule], ...] = (
    _body, _body, _body, _bits, _bits, _many_bodies, _memories, _tables, _data, _elements, _globals, _types, _exports,
    _imports, _start, _names, _names,
)  # fmt: skip
