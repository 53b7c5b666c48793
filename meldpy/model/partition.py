"""How a linked graph is cut: which component instances are fused with which, and which stay as they are, and why.

A *part* is one component of the output: a fused group, or *the rest's* share, one kept instance (or several that call
each other both ways). Parts are in the order in which the output instantiates them: each needs only earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, final

from meldpy.errors import Location, MeldError, UnsupportedError
from meldpy.model.ids import BuiltinId, InstanceId, LiftId, LowerId, ModuleId, ResourceId
from meldpy.model.linked import ComponentFunc, LinkedGraph
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Reason:
    """Why an instance is not fused. feature: what it has, as a refusal names it; text: the fact, a sentence's end.

    remedy: what would let it be fused, if anything would.
    """

    feature: str
    text: str
    location: Location | None = None
    remedy: str | None = None

    @classmethod
    def of(cls, error: MeldError) -> Reason:
        """What a refusal would say."""
        if not isinstance(error, UnsupportedError):
            return cls("limit", error.reason, error.location, error.remedy)
        text = error.reason.removeprefix(f"unsupported {error.feature}: ")
        return cls(error.feature, text, error.location, error.remedy)


@final
@dataclass(frozen=True, slots=True)
class Part:
    """instances: in order of ids. A part that is not fused has one, or is led by the one that all others are in."""

    instances: tuple[InstanceId, ...]
    fused: bool


@final
@dataclass(frozen=True, slots=True)
class Partition:
    """kept: the instances of the parts that are not fused, each with its reasons (one at least), in order of ids."""

    parts: tuple[Part, ...]
    kept: Mapping[InstanceId, tuple[Reason, ...]]

    @property
    def fused(self) -> int:
        """How many instances are fused."""
        return sum(len(part.instances) for part in self.parts if part.fused)

    @property
    def is_flat(self) -> bool:
        """Whether everything is one fused group: then there is nothing to wire."""
        return not self.kept and len(self.parts) <= 1


@final
@dataclass(frozen=True, slots=True)
class Used:
    """The canonical definitions of a graph that something names.

    callers: who lowers each used lift; users: whose definitions mention each resource type. None stands for the world,
    that is for an export.
    """

    lifts: frozenset[LiftId]
    lowers: frozenset[LowerId]
    builtins: frozenset[BuiltinId]
    callers: Mapping[LiftId, frozenset[InstanceId | None]]
    users: Mapping[ResourceId, frozenset[InstanceId | None]]


# --- one part, as a graph of its own ---------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class ModuleNeed:
    """A core module that the whole imports and the part instantiates."""

    module: ModuleId


Need: TypeAlias = "DefinedType | ResourceType | ComponentFunc | ModuleNeed"
"""What one import of a part is given by the whole: a type, a function, or a core module."""


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """A part of `whole` (another graph) as a graph of its own, whose world consists of made-up names.

    needs[i]: what the whole gives for `graph.imports[i]`. lifts, resources: the whole's that the piece exports, by the
    names of those exports. first: the whole's first core instance in it, None if it has none.
    """

    graph: LinkedGraph
    instances: tuple[InstanceId, ...]
    needs: tuple[Need, ...]
    lifts: Mapping[LiftId, str]
    resources: Mapping[ResourceId, str]
    first: int | None
