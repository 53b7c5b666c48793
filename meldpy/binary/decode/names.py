"""Custom sections of core modules: `name` and `producers` are read, any other stays a slice.

A custom section cannot make a module invalid: one that does not follow its rules is kept as a RawCustom. Padded
integers inside are normalised (LLVM writes them), since the information is the same. A subsection that is unknown or
comes twice has no place in the model, so such a section stays raw too.
Spec: core specification, appendix "Custom Sections"; tool conventions, "Producers Section".
"""

from __future__ import annotations

from typing import Final

from meldpy.binary.reader import Reader
from meldpy.binary.sections import MODULE_NAME_SUBSECTION, NAME_SECTION, PRODUCERS_SECTION
from meldpy.errors import DecodeError
from meldpy.model.core import (
    CoreCustom,
    IndirectNameKind,
    NameKind,
    NameMap,
    NameSection,
    ProducersSection,
    RawCustom,
)

NAME_KINDS: Final = {kind.value: kind for kind in NameKind}
INDIRECT_NAME_KINDS: Final = {kind.value: kind for kind in IndirectNameKind}


def name_assoc(r: Reader) -> tuple[int, str]:
    return r.u32(), r.name("name", None)


def name_map(r: Reader) -> NameMap:
    return tuple([name_assoc(r) for _ in range(r.count("names", None))])


def indirect_assoc(r: Reader) -> tuple[int, NameMap]:
    return r.u32(), name_map(r)


def indirect_name_map(r: Reader) -> tuple[tuple[int, NameMap], ...]:
    return tuple([indirect_assoc(r) for _ in range(r.count("name maps", None))])


def name_section(r: Reader) -> NameSection:
    """Raises DecodeError for whatever NameSection cannot hold."""
    module: str | None = None
    maps: list[tuple[NameKind, NameMap]] = []
    indirect: list[tuple[IndirectNameKind, tuple[tuple[int, NameMap], ...]]] = []
    order: list[int] = []
    while r.remaining:
        offset = r.offset
        kind = r.byte("name subsection")
        if kind in order:
            raise r.error(f"name subsection {kind} comes twice", offset)
        part = r.part(r.u32(), "name subsection")
        if kind == MODULE_NAME_SUBSECTION:
            module = part.name("module name", None)
        elif kind in NAME_KINDS:
            maps.append((NAME_KINDS[kind], name_map(part)))
        elif kind in INDIRECT_NAME_KINDS:
            indirect.append((INDIRECT_NAME_KINDS[kind], indirect_name_map(part)))
        else:
            raise r.unknown("name subsection", kind, offset)
        part.finish("a name subsection")
        order.append(kind)
    return NameSection(module, tuple(maps), tuple(indirect), tuple(order))


def producers_value(r: Reader) -> tuple[str, str]:
    return r.name("producer", None), r.name("producer version", None)


def producers_field(r: Reader) -> tuple[str, tuple[tuple[str, str], ...]]:
    field = r.name("producers field", None)
    return field, tuple([producers_value(r) for _ in range(r.count("producers", None))])


def producers_section(r: Reader) -> ProducersSection:
    fields = tuple([producers_field(r) for _ in range(r.count("producers fields", None))])
    r.finish("the producers section")
    return ProducersSection(fields)


def raw_custom(r: Reader) -> RawCustom:
    """The content of a custom section, uninterpreted."""
    return RawCustom(r.name("custom section name"), r.rest())


def core_custom(r: Reader) -> CoreCustom:
    """The content of a custom section of a core module."""
    start = r.position
    custom = raw_custom(r)
    if custom.name not in (NAME_SECTION, PRODUCERS_SECTION):
        return custom
    r.position = start
    r.name("custom section name")
    try:
        return name_section(r) if custom.name == NAME_SECTION else producers_section(r)
    except DecodeError:
        return custom
