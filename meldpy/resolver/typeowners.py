"""Which exports have to go with others, because they name types that those mention.

A type that an export mentions must have been named before: by the interface that introduced it, exported too. If the
name of that interface is taken, or the command line hides it, a type is exported by itself; a hidden resource type is
not, because methods that nobody can see are rarely what is meant. What is exported at all is decided by `exports`.
Spec: Binary.md "Import and Export Definitions" (types that exports mention are named by imports or exports).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import final

from meldpy.errors import LinkError, Location
from meldpy.model.extern import ExternName, TypeNode
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.records import dataclass
from meldpy.resolver.determined import Importable, is_nominal
from meldpy.resolver.names import resource_label, strong
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
class TypeOwners:
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
            for _, node in _introduced(candidate.item, candidate.name):
                self.by_node.setdefault(node, []).append(candidate)
                if isinstance(node, ResourceType):
                    self.by_resource.setdefault(node.id, []).append(candidate)

    def closure(self, chosen: list[Candidate], hidden: Container[Candidate]) -> list[Candidate]:
        """`chosen` and what they need for their types, each behind what it needs."""
        members = set(chosen)
        taken = {strong(candidate.name.name) for candidate in chosen}
        work = list(chosen)
        while work:
            candidate = work.pop(0)
            for node, owners in list(self._needed(candidate)):
                visible = [o for o in owners if o not in hidden]
                if not visible and isinstance(node, ResourceType):
                    raise _hidden(candidate, owners[0])
                if not members.isdisjoint(visible) or self._is_named(node, members):
                    continue
                owner = next((o for o in visible if o.type_only or strong(o.name.name) not in taken), None)
                if owner is None and (is_nominal(node) or isinstance(node, ResourceType)):
                    owner = self._alone(node, owners[0])
                if owner is not None:
                    members.add(owner)
                    taken.add(strong(owner.name.name))
                    work.append(owner)
                    chosen.append(owner)
        return self._sorted(chosen, members)

    def _is_named(self, node: TypeNode, members: Container[Candidate]) -> bool:
        """Whether one of `members` is there to name the resource type."""
        found = self.by_resource.get(node.id, []) if isinstance(node, ResourceType) else []
        return any(candidate.type_only and candidate in members for candidate in found)

    def _alone(self, node: TypeNode, owner: Candidate) -> Candidate:
        """`node` as an export of its own, where that of the interface `owner` is hidden or its name is taken."""
        name = next(name for name, inner in _introduced(owner.item, owner.name) if _is_same(inner, node))
        made = Candidate(owner.input, name, TypeValue(node), owner.location, consumed=True, type_only=True)
        self.by_node.setdefault(node, []).append(made)
        if isinstance(node, ResourceType):
            self.by_resource.setdefault(node.id, []).append(made)
        return made

    def _needed(self, candidate: Candidate) -> Iterator[tuple[TypeNode, list[Candidate]]]:
        """Each type that the candidate mentions but does not introduce itself, and who does."""
        for node in self.importable.reached(mentioned_by(candidate.item)):
            owners = self.by_node.get(node, [])
            if not owners and isinstance(node, ResourceType) and self.is_defined(node.id):
                # Its definer may name it otherwise inside than where it exports it.
                owners = self.by_resource.get(node.id, [])
            if owners and candidate not in owners:
                yield node, owners
        label = resource_label(candidate.name.name)
        named = None if label is None else self.by_name.get((candidate.input, label))
        if named is not None and isinstance(named.item, TypeValue):
            yield named.item.type, [named]

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
            next((o for o in owners if o in members), owners[0]) for _, owners in self._needed(candidate)
        )
        return [o for o in found if o in members and o not in entered]


def _is_same(a: TypeNode, b: TypeNode) -> bool:
    """Whether the nodes are one type; a definer may name a resource type otherwise inside than where it exports it."""
    return a is b or (isinstance(a, ResourceType) and isinstance(b, ResourceType) and a.id == b.id)


def _hidden(candidate: Candidate, owner: Candidate) -> LinkError:
    return LinkError(
        f"export `{candidate.name.name}` uses resource types of `{owner.name.name}`, which --hide leaves out",
        candidate.location,
        remedy="hide both or neither",
    )


def _introduced(item: Item, name: ExternName) -> Iterator[tuple[ExternName, TypeNode]]:
    """The types that an export of `item` as `name` introduces, with their names, inside of instances too."""
    match item:
        case TypeValue():
            if isinstance(item.type, DefinedType | ResourceType):
                yield name, item.type
        case InstanceValue():
            for inner, value in item.exports.values():
                yield from _introduced(value, inner)
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
