"""Components written byte by byte: what no tool writes, in few words. Spec: Binary.md."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.hostile.tree import COMPONENT, MODULE, uleb


def sleb(value: int) -> bytes:
    """Signed LEB128, as type indices in value types are written."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def name(text: str) -> bytes:
    data = text.encode()
    return uleb(len(data)) + data


def vec(items: Iterable[bytes]) -> bytes:
    items = list(items)
    return uleb(len(items)) + b"".join(items)


def raw_section(id_: int, content: bytes) -> bytes:
    return bytes([id_]) + uleb(len(content)) + content


def section(id_: int, *items: bytes) -> bytes:
    return raw_section(id_, vec(items))


def component(*sections: bytes) -> bytes:
    return COMPONENT + b"".join(sections)


def module(*sections: bytes) -> bytes:
    return MODULE + b"".join(sections)


def nested(content: bytes) -> bytes:
    return raw_section(4, content)


def core(content: bytes) -> bytes:
    return raw_section(1, content)


def types(*items: bytes) -> bytes:
    return section(7, *items)


def imports(*items: tuple[str, bytes]) -> bytes:
    """(name, extern description)."""
    return section(10, *(b"\0" + name(n) + desc for n, desc in items))


def exports(*items: tuple[str, bytes]) -> bytes:
    """(name, sort and index); no type is ascribed."""
    return section(11, *(b"\0" + name(n) + item + b"\0" for n, item in items))


def instances(*items: bytes) -> bytes:
    return section(5, *items)


def instantiate(index: int, *args: tuple[str, bytes]) -> bytes:
    return b"\0" + uleb(index) + vec(name(n) + item for n, item in args)


def bundle(*items: tuple[str, bytes]) -> bytes:
    """An instance of inline exports."""
    return b"\1" + vec(b"\0" + name(n) + item for n, item in items)


def func(*params: bytes, result: bytes | None = None) -> bytes:
    labelled = vec(name(f"p{i}") + type_ for i, type_ in enumerate(params))
    return b"\x40" + labelled + (b"\1\0" if result is None else b"\0" + result)


def tuple_of(*items: bytes) -> bytes:
    return b"\x6f" + vec(items)


def record_of(*items: bytes) -> bytes:
    return b"\x72" + vec(name(f"f{i}") + item for i, item in enumerate(items))


def variant_of(*items: bytes | None) -> bytes:
    cases = (name(f"c{i}") + (b"\0" if item is None else b"\1" + item) + b"\0" for i, item in enumerate(items))
    return b"\x71" + vec(cases)


def component_type(*decls: bytes) -> bytes:
    return b"\x41" + vec(decls)


def instance_type(*decls: bytes) -> bytes:
    return b"\x42" + vec(decls)


def export_decl(label: str, desc: bytes) -> bytes:
    return b"\4\0" + name(label) + desc


def type_decl(type_: bytes) -> bytes:
    return b"\1" + type_


def outer_type(count: int, index: int) -> bytes:
    """An alias, as an item of the alias section; as a declarator it has a 2 before it."""
    return b"\3\2" + uleb(count) + uleb(index)
