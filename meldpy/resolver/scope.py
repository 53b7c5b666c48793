"""What an index means inside a component type or an instance type, and from scope to scope outwards.

The scope of a component that is being instantiated has all sorts (`values.ComponentScope`); that of a type that is
being evaluated has types, core types and declared instances. Outer aliases walk from scope to scope.
Spec: Explainer.md "Index Spaces", "Alias Definitions".
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.errors import DecodeError, LimitError
from meldpy.model.extern import InstanceType, TypeNode
from meldpy.resolver.coretypes import CoreType
from meldpy.resolver.spaces import Space
from meldpy.resolver.values import MAX_DEPTH, ComponentScope


@final
class TypeScope:
    """The index spaces of a component type or an instance type while its declarators are evaluated."""

    __slots__ = ("core_types", "depth", "instances", "parent", "types")

    def __init__(self, parent: Scope) -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if isinstance(parent, TypeScope) else 1
        if self.depth > MAX_DEPTH:
            raise LimitError(f"types are nested more than {MAX_DEPTH} deep", remedy="flatten the nesting of types")
        self.core_types: Space[CoreType] = Space("core type")
        self.types: Space[TypeNode] = Space("type")
        self.instances: Space[InstanceType] = Space("instance")


Scope: TypeAlias = "ComponentScope | TypeScope"


def outward(scope: Scope, count: int) -> Scope:
    """The scope `count` steps further out (0 is `scope`); DecodeError beyond the outermost."""
    found: Scope | None = scope
    for _ in range(count):
        if found is None:
            break
        found = found.parent
    if found is None:
        raise DecodeError(f"an outer alias goes {count} scopes outwards, which is beyond the outermost component")
    return found
