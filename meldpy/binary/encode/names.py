"""Custom sections of core modules, written: the mirror of `decode/names`."""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.leb128 import unsigned
from meldpy.binary.sections import MODULE_NAME_SUBSECTION, NAME_SECTION, PRODUCERS_SECTION
from meldpy.binary.writer import Writer, name, vec
from meldpy.model.core import CoreCustom, NameMap, NameSection, ProducersSection, RawCustom


def name_assoc(item: tuple[int, str]) -> bytes:
    return unsigned(item[0]) + name(item[1])


def indirect_assoc(item: tuple[int, NameMap]) -> bytes:
    return unsigned(item[0]) + vec(item[1], name_assoc)


def name_section(section: NameSection) -> bytes:
    """Subsections in the order the model asks for, else by id."""
    subsections: dict[int, bytes] = {}
    if section.module is not None:
        subsections[MODULE_NAME_SUBSECTION] = name(section.module)
    for kind, names in section.maps:
        subsections[kind.value] = vec(names, name_assoc)
    for indirect_kind, maps in section.indirect:
        subsections[indirect_kind.value] = vec(maps, indirect_assoc)
    order = section.order or sorted(subsections)
    assert sorted(order) == sorted(subsections), "the order of a name section lists what it has"
    return b"".join(bytes((kind,)) + unsigned(len(subsections[kind])) + subsections[kind] for kind in order)


def producers_value(item: tuple[str, str]) -> bytes:
    return name(item[0]) + name(item[1])


def producers_field(item: tuple[str, tuple[tuple[str, str], ...]]) -> bytes:
    return name(item[0]) + vec(item[1], producers_value)


def raw_custom(section: RawCustom) -> Writer:
    return Writer(name(section.name), section.data)


def core_custom(section: CoreCustom) -> Writer:
    """The content of a custom section."""
    match section:
        case NameSection():
            return Writer(name(NAME_SECTION), name_section(section))
        case ProducersSection(fields):
            return Writer(name(PRODUCERS_SECTION), vec(fields, producers_field))
        case RawCustom():
            return raw_custom(section)
        case _:
            assert_never(section)
