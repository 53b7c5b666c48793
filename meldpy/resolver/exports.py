"""Which exports the fused component has.

By default: what the roots export, the inputs that satisfy no import of another. An input that satisfies one is a
library, and what else it exports stays inside: guests of one toolchain all export `init` or the like, and a component
that virtualises WASI exports a dozen interfaces that nobody wants in the world of the whole. The command line can
choose otherwise. In any case: interfaces whose types the chosen exports mention, because a type belongs to the
interface that introduced it; a component in such an interface stays inside, since no engine takes one from a root.
Each export follows those whose types it mentions; apart from that the order is that of the inputs and of their exports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import final

from meldpy.errors import LinkError
from meldpy.model.bindings import OpenImport
from meldpy.model.ids import ResourceId
from meldpy.records import dataclass, replace
from meldpy.resolver.byhand import unknown
from meldpy.resolver.determined import Determined, Importable, is_nominal
from meldpy.resolver.inputs import ResolveOptions
from meldpy.resolver.names import clash, free, strong
from meldpy.resolver.nodes import names_of
from meldpy.resolver.renames import renamed
from meldpy.resolver.typeowners import Candidate, TypeOwners
from meldpy.resolver.values import ComponentValue, InstanceValue, Item, TypeValue


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """exports: in order. for_types: those of them that are there only because others mention their types, without the
    components in them.

    inside: what libraries export besides what satisfied an import, and nobody asked for; none with `--root`.
    """

    exports: tuple[Candidate, ...]
    for_types: tuple[Candidate, ...]
    inside: tuple[Candidate, ...]


ALL_ROOTS = "all"
"""What `--root` calls every input."""


def choose_exports(
    candidates: Sequence[Candidate],
    options: ResolveOptions,
    is_defined: Callable[[ResourceId], bool],
    importable: Importable,
    determined: Iterable[Determined] = (),
    open_imports: Sequence[OpenImport] = (),
) -> Choice:
    """The exports of the fused component.

    is_defined: whether a resource type is defined by an input (rather than imported from outside).
    determined: types that equal others and may need a name; those that are `importable` are not exported for that.
    open_imports: what could have been meant to use exports of one name.
    LinkError for names that mean nothing, names that may not stand side by side, and hidden types that are needed.
    """
    roots = _roots(candidates, options.roots)
    hidden = {c for text in options.hides for c in _named(candidates, text, "--hide")}
    asked = {c for text in options.exports for c in _named(candidates, text, "--export")}
    wanted = [c for c in candidates if c not in hidden and (c in asked or c.input in roots)]
    types = TypeOwners(candidates, is_defined, importable)
    types.add(_type_exports(determined, types))
    found = types.closure(list(wanted), hidden)
    seen = [c if c in wanted else replace(c, item=_without_components(c.item)) for c in found]
    exports = renamed(_freely_named(seen), options.renames)
    _refuse_clashes(exports, roots, open_imports)
    left = [] if options.roots else [c for c in candidates if c.library and not c.consumed]
    return Choice(
        tuple(exports),
        tuple(c for c in found if c not in wanted and not c.type_only),
        tuple(c for c in left if c not in found and c not in hidden),
    )


def _roots(candidates: Sequence[Candidate], given: Sequence[str]) -> frozenset[str]:
    """The names of the inputs whose exports the whole has."""
    names = [c.input for c in candidates]
    if not given:
        return frozenset(c.input for c in candidates if not c.library)
    for root in given:
        if root != ALL_ROOTS and root not in names:
            raise unknown(f"--root: no input that exports something is called `{root}`", names)
    if ALL_ROOTS not in given:
        return frozenset(given)
    if ALL_ROOTS in names:
        remedy = "name that input otherwise (NAME=FILE), or name every root"
        raise LinkError("`--root all` means every input, and one of the inputs is called `all`", remedy=remedy)
    return frozenset(names)


def _named(candidates: Sequence[Candidate], text: str, flag: str) -> list[Candidate]:
    """The candidates that NAME or INPUT:NAME means."""
    found = [c for c in candidates if text in (c.name.name, c.full_name)]
    if not found:
        raise unknown(f"{flag}: no input exports `{text}`", (c.full_name for c in candidates))
    return found


def _refuse_clashes(chosen: Iterable[Candidate], roots: frozenset[str], open_imports: Sequence[OpenImport]) -> None:
    found = clash((candidate.name.name, candidate) for candidate in chosen)
    if found is None:
        return
    (name, other), (own, candidate) = found
    if name == own:
        reason = f"inputs `{other.input}` and `{candidate.input}` both export `{name}`"
    else:
        reason = (
            f"input `{other.input}` exports `{name}` and input `{candidate.input}` exports `{own}`, which one component"
            " cannot both export: case and hyphens do not tell names apart"
        )
    hide = f"--hide {candidate.full_name}"
    links = _links(open_imports, (other, candidate))
    if links:
        remedy = f"if they are meant for open imports, say which is which, for example {links}; else"
        remedy += f" say whose exports you want: --root {other.input}, or leave one out: {hide}"
    elif other.input in roots and candidate.input in roots:
        remedy = f"say whose exports you want, for example --root {other.input}, or leave one out: {hide}"
    else:
        remedy = f"leave one out, for example with {hide}"
    causes = (f"the other export is at {other.location}",)
    raise LinkError(reason, candidate.location, causes=causes, remedy=remedy)


def _links(open_imports: Iterable[OpenImport], exports: Sequence[Candidate]) -> str:
    """The options that give each import one of `exports` that comes near what it asks for, in turn."""
    wanting = [
        (import_, near)
        for import_ in open_imports
        if (near := [e for e in exports if any((m.provider, m.export) == (e.input, e.name.name) for m in import_.near)])
    ]
    chosen = ((import_, near[turn % len(near)]) for turn, (import_, near) in enumerate(wanting[:2]))
    return " ".join(f"--link {i.importer}:{i.name.name}={export.full_name}" for i, export in chosen)


def _type_exports(determined: Iterable[Determined], types: TypeOwners) -> list[Candidate]:
    """Types that equal others, that cannot be imported, and that no export names."""
    return [
        Candidate(each.input, each.name, TypeValue(each.type), each.location, consumed=True, type_only=True)
        for each in determined
        if is_nominal(each.type)
        and each.type not in types.importable.types
        and not any(name in types.by_node or name in types.importable.named for name in names_of(each.type))
    ]


def _without_components(item: Item) -> Item:
    """`item`, where nobody can see the components in it."""
    if not isinstance(item, InstanceValue):
        return item
    exports = {
        key: (name, _without_components(inner))
        for key, (name, inner) in item.exports.items()
        if not isinstance(inner, ComponentValue)
    }
    unchanged = len(exports) == len(item.exports) and all(
        inner is item.exports[key][1] for key, (_, inner) in exports.items()
    )
    return item if unchanged else replace(item, exports=exports)


def _freely_named(chosen: Sequence[Candidate]) -> list[Candidate]:
    """`chosen`, with free names for what is exported for the sake of a type only."""
    taken = {strong(candidate.name.name) for candidate in chosen if not candidate.type_only}
    found = []
    for candidate in chosen:
        name = free(candidate.name, taken) if candidate.type_only else candidate.name
        taken.add(strong(name.name))
        found.append(replace(candidate, name=name) if candidate.type_only else candidate)
    return found
