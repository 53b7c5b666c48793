"""An input in the text format. No function has a body to speak of: what counts is whether it links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.support.matrix.model import Input, Interface, Kind, Member, Sig

Types = Mapping[str, str]
"""Identifiers in the text for `leg`, `pt`, `r` and `q`."""

CORE = "(core module $m " + " ".join(
    f'(func (export "f{params}{result}") {"(param " + "i32 " * params + ")" if params else ""}'
    f' {"(result i32)" if result else ""} unreachable)'
    for params in range(3) for result in range(2)
) + ") (core instance $m (instantiate $m))"  # fmt: skip


def value(kind: Kind, types: Types) -> str:
    if kind in ("u32", "u8"):
        return kind
    how, _, what = kind.rpartition(" ")
    return f"({how} {types[what]})" if how else types[what]


def sig(of: Sig, types: Types) -> str:
    params = " ".join(f'(param "{label}" {value(kind, types)})' for label, kind in of.params)
    return f"{params} " + ("" if of.result is None else f"(result {value(of.result, types)})")


def declared(of: Interface, used: Types) -> str:
    """The declarators of an instance type; `used`: what is used, in the scope around it."""
    inner = {"pt": "$pt", "r": "$r"}
    parts = []
    if of.pt is not None:
        equal = "(alias outer 1 {} (type $pt'))".format(used["pt"]) if "pt" in used else f"(type $pt' {record(of.pt)})"
        parts.append(f"""{equal} (export "pt" (type $pt (eq $pt')))""")
    if of.r and "r" in used:
        parts.append(f"""(alias outer 1 {used["r"]} (type $r')) (export "r" (type $r (eq $r')))""")
    elif of.r:
        parts.append('(export "r" (type $r (sub resource)))')
    parts += [f'(export "{member.name}" (func {sig(member.sig, inner)}))' for member in of.members]
    return " ".join(parts)


def record(field: str) -> str:
    return f'(record (field "{field}" u32))'


def component(of: Input) -> str:
    return "(component " + "\n  ".join([*_imports(of), CORE, *_exports(of)]) + ")"


def root_types(of: Input) -> dict[str, str]:
    """What signatures at the root may mention."""
    return {"leg": "$leg", "pt": "$pt", "r": "$r", "q": "$q"}


def _used(number: int | None, of: Interface, source: Interface | None) -> dict[str, str]:
    """Identifiers for what `of` uses from import `number`."""
    if number is None or source is None:
        return {}
    return {
        what: f"$i{number}-{what}"
        for what, there in (("pt", of.pt is not None and source.pt is not None), ("r", of.r and source.r))
        if there
    }


def _imports(of: Input) -> Iterator[str]:
    for number, interface in enumerate(of.interfaces):
        source = None if interface.uses is None else of.interfaces[interface.uses]
        text = declared(interface, _used(interface.uses, interface, source))
        yield f"(import {interface.name} (instance $i{number} {text}))"
        if interface.pt is not None:
            yield f'(alias export $i{number} "pt" (type $i{number}-pt))'
        if interface.r:
            yield f'(alias export $i{number} "r" (type $i{number}-r))'
    source = of.source()
    if source is not None and source.pt is not None:
        yield f'(import "pt" (type $pt (eq $i{of.used}-pt)))'
    if source is not None and source.r:
        yield f'(import "r" (type $r (eq $i{of.used}-r)))'
    if of.leg is not None:
        yield f"""(type $leg' {record(of.leg[1])}) (import "{of.leg[0]}" (type $leg (eq $leg')))"""
    if of.root is not None:
        yield f'(import "{of.root.name}" (type $q (sub resource)))'
        for member in of.root.members:
            yield f'(import "{member.name}" (func {sig(member.sig, root_types(of))}))'
    for func in of.functions:
        yield f"(import {func.name} (func {sig(func.sig, root_types(of))}))"


def _exports(of: Input) -> Iterator[str]:
    for number, interface in enumerate(of.exported):
        yield from _exported(of, number, interface)
    for number, func in enumerate(of.exports):
        yield f"(func $x{number} {sig(func.sig, root_types(of))} {lift(func.sig)})"
        yield f"(export {func.name} (func $x{number}))"


def lift(of: Sig) -> str:
    return f'(canon lift (core func $m "f{len(of.params)}{int(of.result is not None)}"))'


def _exported(of: Input, number: int, interface: Interface) -> Iterator[str]:
    """An interface by a component that names things, as toolchains do."""
    source = None if interface.uses is None else of.interfaces[interface.uses]
    used = _used(interface.uses, interface, source)
    outside = {"pt": used.get("pt", f"$e{number}-pt"), "r": used.get("r", f"$e{number}-r")}
    if interface.pt is not None and "pt" not in used:
        yield f"(type $e{number}-pt {record(interface.pt)})"
    if interface.r and "r" not in used:
        yield f"(type $e{number}-r (resource (rep i32)))"
    parts, args = [], []
    if interface.pt is not None:
        parts.append(f"""(type $pt'' {record(interface.pt)}) (import "pt" (type $pt' (eq $pt'')))""")
        args.append(f'(with "pt" (type {outside["pt"]}))')
    if interface.r:
        parts.append("""(import "r" (type $r' (sub resource)))""")
        args.append(f'(with "r" (type {outside["r"]}))')
    for position, member in enumerate(interface.members):
        yield f"(func $e{number}-{position} {sig(member.sig, outside)} {lift(member.sig)})"
        inside = {"pt": "$pt'", "r": "$r'"}
        parts.append(f'(import "f{position}" (func $f{position} {sig(member.sig, inside)}))')
        args.append(f'(with "f{position}" (func $e{number}-{position}))')
    parts += [f"""(export ${what} "{what}" (type ${what}'))""" for what, there in _types(interface) if there]
    parts += [_named(position, member) for position, member in enumerate(interface.members)]
    yield f"(component $n{number} {' '.join(parts)}) (instance $n{number} (instantiate $n{number} {' '.join(args)}))"
    yield f"(export {interface.name} (instance $n{number}))"


def _types(of: Interface) -> tuple[tuple[str, bool], ...]:
    return ("pt", of.pt is not None), ("r", of.r)


def _named(position: int, member: Member) -> str:
    return f'(export "{member.name}" (func $f{position}) (func {sig(member.sig, {"pt": "$pt", "r": "$r"})}))'
