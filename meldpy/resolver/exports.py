"""Which exports the fused component has.

By default: what the roots export, the inputs that satisfy no import of another. An input that satisfies one is a
library, and what else it exports stays inside: guests of one toolchain all export `init` or the like, and a component
that virtualises WASI exports a dozen interfaces that nobody wants in the world of the whole. The command line can
choose otherwise. In any case: interfaces whose types the chosen exports mention, because a type belongs to the
interface that introduced it. Each export follows those whose types it mentions; apart from that the order is that of
the inputs and of their exports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import final

from meldpy.errors import LinkError, Location
from meldpy.model.extern import ExternName, TypeNode
from meldpy.model.ids import ResourceId
from meldpy.model.linked import OpenImport
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.records import dataclass, replace
from meldpy.resolver.byhand import unknown
from meldpy.resolver.determined import Determined, Importable, is_nominal
from meldpy.resolver.inputs import ResolveOptions
from meldpy.resolver.names import clash, free, resource_label, strong
from meldpy.resolver.nodes import names_of
from meldpy.resolver.values import FuncValue, InstanceValue, Item, TypeValue


@final
@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An export of an input. `consumed`: it satisfied an import; `library`: some export of its input did.

    type_only: no export but an import, of a type that equals another; it is exported if that needs a name.
    """

    input: str
    name: ExternName
    item: Item
    location: Location
    consumed: bool = False
    library: bool = False
    type_only: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.input}:{self.name.name}"


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """exports: in order. for_types: those of them that are there only because others mention their types.

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
    types = _Types(candidates, is_defined, importable)
    types.add(_type_exports(determined, types))
    exports = types.closure(list(wanted), hidden)
    exports = _renamed(exports)
    _refuse_clashes(exports, roots, open_imports)
    left = [] if options.roots else [c for c in candidates if c.library and not c.consumed]
    return Choice(
        tuple(exports),
        tuple(c for c in exports if c not in wanted and not c.type_only),
        tuple(c for c in left if c not in exports and c not in hidden),
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


def _type_exports(determined: Iterable[Determined], types: _Types) -> list[Candidate]:
    """Types that equal others, that cannot be imported, and that no export names."""
    return [
        Candidate(each.input, each.name, TypeValue(each.type), each.location, consumed=True, type_only=True)
        for each in determined
        if is_nominal(each.type)
        and each.type not in types.importable.types
        and not any(name in types.by_node or name in types.importable.named for name in names_of(each.type))
    ]


def _renamed(chosen: Sequence[Candidate]) -> list[Candidate]:
    """`chosen`, with free names for what is exported for the sake of a type only."""
    taken = {strong(candidate.name.name) for candidate in chosen if not candidate.type_only}
    found = []
    for candidate in chosen:
        name = free(candidate.name, taken) if candidate.type_only else candidate.name
        taken.add(strong(name.name))
        found.append(replace(candidate, name=name) if candidate.type_only else candidate)
    return found


@final
class _Types:
    """Which candidate introduces which type."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        is_defined: Callable[[ResourceId], bool],
        importable: Importable,
    ) -> None:
        self.is_defined = is_defined
        self.importable = importable
        self.by_node: dict[TypeNode, list[Candidate]] = {}
        self.by_resource: dict[ResourceId, list[Candidate]] = {}
        self.by_name: dict[tuple[str, str], Candidate] = {}
        self.add(candidates)

    def add(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            self.by_name.setdefault((candidate.input, candidate.name.name), candidate)
            for node in _introduced(candidate.item):
                self.by_node.setdefault(node, []).append(candidate)
                if isinstance(node, ResourceType):
                    self.by_resource.setdefault(node.id, []).append(candidate)

    def closure(self, chosen: list[Candidate], hidden: set[Candidate]) -> list[Candidate]:
        """`chosen` and what they need for their types, each behind what it needs."""
        members = set(chosen)
        work = list(chosen)
        while work:
            candidate = work.pop(0)
            for owners, is_resource in self._needed(candidate):
                visible = [o for o in owners if o not in hidden]
                if not visible and is_resource:
                    raise _hidden(candidate, owners[0])
                if visible and members.isdisjoint(visible):
                    members.add(visible[0])
                    work.append(visible[0])
                    chosen.append(visible[0])
        return self._sorted(chosen, members)

    def _needed(self, candidate: Candidate) -> Iterator[tuple[list[Candidate], bool]]:
        """For each type that the candidate mentions but does not introduce itself: who does."""
        for node in self.importable.reached(mentioned_by(candidate.item)):
            owners = self.by_node.get(node, [])
            is_resource = isinstance(node, ResourceType)
            if not owners and isinstance(node, ResourceType) and self.is_defined(node.id):
                # Its definer may name it otherwise inside than where it exports it.
                owners = self.by_resource.get(node.id, [])
            if owners and candidate not in owners:
                yield owners, is_resource
        label = resource_label(candidate.name.name)
        if label is not None and (named := self.by_name.get((candidate.input, label))) is not None:
            yield [named], True

    def _sorted(self, chosen: Sequence[Candidate], members: set[Candidate]) -> list[Candidate]:
        """Depth first, so that each follows what it needs; needs never form a circle across inputs."""
        done: dict[Candidate, None] = {}
        stack: list[Candidate] = []
        entered: set[Candidate] = set()
        for first in chosen:
            stack.append(first)
            while stack:
                candidate = stack[-1]
                missing = [] if candidate in entered else self._missing(candidate, members, entered)
                entered.add(candidate)
                if missing:
                    stack += reversed(missing)
                else:
                    done.setdefault(stack.pop())
        return list(done)

    def _missing(self, candidate: Candidate, members: set[Candidate], entered: set[Candidate]) -> list[Candidate]:
        """What must come before `candidate`, one introducer of each type."""
        found = dict.fromkeys(
            next((o for o in owners if o in members), owners[0]) for owners, _ in self._needed(candidate)
        )
        return [o for o in found if o in members and o not in entered]


def _hidden(candidate: Candidate, owner: Candidate) -> LinkError:
    return LinkError(
        f"export `{candidate.name.name}` uses resource types of `{owner.name.name}`, which --hide leaves out",
        candidate.location,
        remedy="hide both or neither",
    )


def _introduced(item: Item) -> Iterator[TypeNode]:
    match item:
        case TypeValue():
            if isinstance(item.type, DefinedType | ResourceType):
                yield item.type
        case InstanceValue():
            for _, inner in item.exports.values():
                yield from _introduced(inner)
        case _:
            return


def mentioned_by(item: Item) -> Iterator[TypeNode]:
    """The types that an export of `item` mentions."""
    match item:
        case TypeValue() | FuncValue():
            yield item.type
        case InstanceValue():
            for _, inner in item.exports.values():
                yield from mentioned_by(inner)
        case _:
            return
