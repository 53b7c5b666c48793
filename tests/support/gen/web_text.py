"""A web as component text.

Every node is an instance of its definition's component; an import of a target is one instance import, `dep0`…, whose
type has the functions that are used and their types. The root component exports `run0`…, and each node's load and dump.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.gen.guests import (
    ARGS,
    PORT,
    RESULT,
    Func,
    callee_func,
    canon_options,
    core_import,
    host_functions,
    kit_text,
    outgoing,
    run_func,
    signature_text,
)
from tests.support.gen.layout import flat_params, pointer_size, pointer_type
from tests.support.gen.types import DECLARED, EXPORTED, PLAIN, Type, TypeText
from tests.support.gen.web import Definition, Web, is_range


def web_text(web: Web) -> str:
    """The composition. Definitions stand in the outermost component, and are aliased into nested ones."""
    definitions = "\n".join(_component(web, number) for number in range(len(web.definitions)))
    levels = (*web.nested, len(web.nodes))
    body = _level(web, levels, len(levels) - 1)
    exports = [f'(export "run{i}" (func $n{web.root} "run{i}"))' for i in range(len(web.of(web.root).runs))]
    for node in range(len(web.nodes)):
        exports += [f'(export "n{node}-{name}" (func $n{node} "own-{name}"))' for name in ("load", "dump")]
    return f"(component $root\n{definitions}\n{body}\n{' '.join(exports)})"


def _level(web: Web, levels: tuple[int, ...], level: int) -> str:
    """The instances of one component of the nest; those of the component inside it are its exports."""
    lines = []
    if level:
        inner = _level(web, levels, level - 1)
        given = " ".join(f'(export "n{node}" (instance $n{node}))' for node in range(levels[level - 1]))
        aliases = " ".join(f"(alias outer $root $def{d} (component $def{d}))" for d in range(len(web.definitions)))
        lines.append(f"(component $inner {aliases}\n{inner}\n{given})\n(instance $inner (instantiate $inner))")
        lines += [f'(alias export $inner "n{node}" (instance $n{node}))' for node in range(levels[level - 1])]
    for node in range(levels[level - 1] if level else 0, levels[level]):
        lines += _instance(web, node)
    return "\n".join(lines)


def _instance(web: Web, node: int) -> list[str]:
    lines, links = [], []
    for position, target in enumerate(web.nodes[node].targets):
        source = f"$n{target}"
        if (node, position) in web.relayed:
            passing = f"{node}-{position}"
            type = _instance_type(web, node, position, {})
            lines += [
                f'(component $pass{passing} (import "it" (instance $it {type})) (export "same" (instance $it)))',
                f'(instance $passed{passing} (instantiate $pass{passing} (with "it" (instance {source}))))',
                f'(alias export $passed{passing} "same" (instance $same{passing}))',
            ]
            source = f"$same{passing}"
        links.append(f'(with "dep{position}" (instance {source}))')
        if web.of(target).uses:
            lines.append(f'(alias export $n{target} "types" (instance $types{node}-{position}))')
            links.append(f'(with "types{position}" (instance $types{node}-{position}))')
    return [*lines, f"(instance $n{node} (instantiate $def{web.nodes[node].definition} {' '.join(links)}))"]


def _component(web: Web, number: int) -> str:
    """The component of a definition."""
    node = next(n for n, node in enumerate(web.nodes) if node.definition == number)
    definition, wide = web.definitions[number], web.definitions[number].guest.wide
    funcs = [i.func for i in definition.imports]
    lowers = [
        f'(core func $l{i} (canon lower (func $dep{imported.target} "{_export_name(web, node, i)}") '
        f"{canon_options(imported.func, wide, '$k', lift=False)}))"
        for i, imported in enumerate(definition.imports)
    ]
    given = " ".join(f'(export "f{i}" (func $l{i}))' for i in range(len(funcs)))
    return f"""(component $def{number}
    {" ".join(_imports(web, node))}
    (core module $kit {kit_text(definition.guest)})
    (core instance $k (instantiate $kit))
    (alias core export $k "mem" (core memory $mem))
    {" ".join(lowers)}
    {_module(definition)}
    (core instance $i (instantiate $m (with "" (instance {given})) (with "kit" (instance $k))))
    {" ".join(_lifts(definition))}
    {host_functions(definition.guest, "$k", "own")})"""


def _export_name(web: Web, node: int, number: int) -> str:
    imported = web.of(node).imports[number]
    return web.of(web.nodes[node].targets[imported.target]).name(imported.export)


def _module(definition: Definition) -> str:
    """The core module of the guest's functions; imported function `i` has the lowered name f`i`, exported ones x`i`."""
    wide = definition.guest.wide
    calls = [outgoing(i, x.func, wide, definition.import_port(i)) for i, x in enumerate(definition.imports)]
    imports = " ".join(core_import(i, x.func, wide) for i, x in enumerate(definition.imports))
    exports = " ".join(
        callee_func(
            i, func, wide, definition.export_port(i), " ".join([*(calls[c] for c in body), _echo(definition, i)])
        )
        for i, (func, body) in enumerate(zip(definition.exports, definition.calls, strict=True))
    )
    runs = " ".join(run_func(i, " ".join(calls[c] for c in run)) for i, run in enumerate(definition.runs))
    memory = f"(memory {'i64 ' if wide else ''}{definition.guest.pages})"
    log = '(import "kit" "log" (func $log (param i64 i64 i64 i64 i64 i64)))'
    return f'(core module $m (import "kit" "mem" {memory}) {log} {imports} {exports} {runs})'


def _echo(definition: Definition, export: int) -> str:
    """Returns the arguments: see `can_echo`."""
    if export not in definition.echoes:
        return ""
    wide, shift = definition.guest.wide, PORT * definition.export_port(export)
    [type] = definition.exports[export].params
    p, size = pointer_type(wide), pointer_size(wide)
    if not is_range(type):
        core = flat_params((type,), wide)[0]
        value = f"({core}.load offset={ARGS + shift} ({p}.const 0))"
        return f"({core}.store offset={RESULT + shift} ({p}.const 0) {value})"
    area = f"({p}.load offset={RESULT + shift} ({p}.const 0))"
    return " ".join(
        f"({p}.store offset={i * size} {area} ({p}.load offset={ARGS + shift + 8 * i} ({p}.const 0)))" for i in (0, 1)
    )


def _lifts(definition: Definition) -> list[str]:
    """Types and lifted functions of the exports."""
    types = _types_of_exports(definition)
    lines = [f"(instance $named {_type_exports(definition)})", '(export $types "types" (instance $named))']
    before = [*_plain_types(definition).lines, *lines] if definition.uses else []
    lifts = []
    for i, func in enumerate(definition.exports):
        post = f'(post-return (core func $i "post{i}"))' if func.post_return else ""
        options = canon_options(func, definition.guest.wide, "$k", lift=True)
        lifts.append(
            f'(func (export "{definition.name(i)}") {signature_text(func, types)} '
            f'(canon lift (core func $i "f{i}") {options} {post}))'
        )
    runs = [f'(func (export "run{i}") (canon lift (core func $i "run{i}")))' for i in range(len(definition.runs))]
    return [*before, *types.lines, *lifts, *runs]


def _plain_types(definition: Definition) -> TypeText:
    """All types of the exports without a name yet, for an interface of types."""
    types = TypeText(PLAIN, prefix="plain")
    for func in definition.exports:
        signature_text(func, types)
    return types


def _type_exports(definition: Definition) -> str:
    types = _plain_types(definition)
    return " ".join(f'(export "{name}" (type {types.names[type]}))' for type, name in types.named.items())


def _types_of_exports(definition: Definition) -> TypeText:
    """The types as the exports are written with them: exported beside them, or from the interface of types."""
    types = TypeText(EXPORTED)
    if definition.uses:
        named = _plain_types(definition).named
        types.shared = {type: f'(alias export $types "{name}" (type {{id}}))' for type, name in named.items()}
    return types


def _names(definition: Definition) -> Mapping[Type, str]:
    """What the exports' types are called, wherever they are exported."""
    if definition.uses:
        return _plain_types(definition).named
    types = TypeText(EXPORTED)
    for func in definition.exports:
        signature_text(func, types)
    return types.named


def _imports(web: Web, node: int) -> list[str]:
    lines = []
    for position, target in enumerate(web.nodes[node].targets):
        shared: dict[Type, str] = {}
        if web.of(target).uses:
            names = _names(web.of(target))
            types = TypeText(DECLARED, called=names)
            for func in _imported(web, node, position):
                signature_text(func, types)
            lines.append(f'(import "types{position}" (instance $types{position} {" ".join(types.lines)}))')
            for number, (type, name) in enumerate(types.named.items()):
                id = f"$used{position}-{number}"
                lines.append(f'(alias export $types{position} "{name}" (type {id}))')
                shared[type] = f"(alias outer 1 {id} (type {{id}}))"
        type_text = _instance_type(web, node, position, shared)
        lines.append(f'(import "dep{position}" (instance $dep{position} {type_text}))')
    return lines


def _imported(web: Web, node: int, position: int) -> list[Func]:
    return [i.func for i in web.of(node).imports if i.target == position]


def _instance_type(web: Web, node: int, position: int, shared: Mapping[Type, str]) -> str:
    """What the node wants of a target. shared: types that come from elsewhere."""
    provider = web.of(web.nodes[node].targets[position])
    types = TypeText(DECLARED, called=_names(provider), shared=shared)
    wanted = [i for i in web.of(node).imports if i.target == position]
    funcs = [f'(export "{provider.name(i.export)}" (func {signature_text(i.func, types)}))' for i in wanted]
    return " ".join([*types.lines, *funcs])
