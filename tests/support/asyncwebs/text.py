"""A web as component text: all of it, or the instances of one group, whose other callees are imports."""

from __future__ import annotations

from collections.abc import Collection

from tests.support.asyncwebs.guest import component, exported, imported
from tests.support.asyncwebs.program import Web


def group(web: Web, members: Collection[int]) -> str:
    """A component of some instances. It imports and exports what instances outside give to them and want of them."""
    types = {name: type for instance in web.instances[1:] for name, type in exported(web, instance.number).items()}
    owner = {name: each.number for each in web.instances[1:] for name in exported(web, each.number)}
    defines, ordered = web.last in members, sorted(members, reverse=True)
    wanted = {name: None for number in ordered for name in imported(web, number)}
    outside = {
        name: None for each in web.instances if each.number not in members for name in imported(web, each.number)
    }
    imports = [] if defines else ['(import "thing" (type $thing (sub resource)))']
    imports += [f'(import "{name}" (func ${name} {types[name]}))' for name in wanted if owner[name] not in members]
    body = []
    for number in ordered:
        given = ["log", *imported(web, number)]
        args = [f'(with "{name}" (func ${name}))' for name in given]
        args += [] if number == web.last else ['(with "thing" (type $thing))']
        body += [component(web, number), f"(instance $i{number} (instantiate $I{number} {' '.join(args)}))"]
        if number == web.last:
            body += [f'(alias export $i{number} "thing" (type $thing))']
        body += [f'(alias export $i{number} "{name}" (func ${name}))' for name in types if owner[name] == number]
    exports = ['(export $given "thing" (type $thing))'] if defines and outside else []
    for name in outside:
        if owner[name] in members:
            # the type is said in terms of what is exported
            given = types[name].replace("$thing", "$given") if defines else types[name]
            exports.append(f'(export "{name}" (func ${name}) (func {given}))')
    if 0 in members:
        exports += [f'(export "{name}" (func $i0 "{name}"))' for name in ("run", "poke")]
    lines = ["(type $bytes (stream u8))", '(import "log" (func $log (param "x" u32)))', *imports, *body, *exports]
    return "(component\n" + "\n".join(lines) + ")"
