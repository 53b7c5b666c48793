"""Which canonical definitions of a graph something names, and which resource types whose functions mention.

Naming is less than reaching (`reach`): a lower counts as soon as a core instance is given it, whether or not any code
calls it. That is what matters where an instance is written down whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.cabi import Abi, value_types
from meldpy.model.builtins import CancelCopy, Copy, EndType, TaskReturn, TextOptions
from meldpy.model.ids import BuiltinId, InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import (
    AsyncBuiltin,
    Builtin,
    BuiltinFunc,
    CanonicalOptions,
    CoreItem,
    FuncItem,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    LowerFunc,
    OuterItem,
    ResourceBuiltin,
    TypeItem,
)
from meldpy.model.partition import Used
from meldpy.model.valtype import DefinedType, ResourceType, ValType


def used_definitions(graph: LinkedGraph) -> Used:
    """Everything that core instances, exports and destructors name, directly or through what they name."""
    return _Walk(graph).run()


def exported_items(graph: LinkedGraph) -> Iterator[OuterItem]:
    """Every exported item, instances opened up, in order."""
    stack = [export.item for export in graph.exports][::-1]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, InstanceItem):
            stack += [inner for _, inner in (*item.exports, *item.hidden)][::-1]


@final
class _Walk:
    def __init__(self, graph: LinkedGraph) -> None:
        self.graph = graph
        self.contents = Abi().contents
        self.lifts: set[LiftId] = set()
        self.lowers: set[LowerId] = set()
        self.builtins: set[BuiltinId] = set()
        self.callers: dict[LiftId, set[InstanceId | None]] = {}
        self.users: dict[ResourceId, set[InstanceId | None]] = {}
        self.pending: list[CoreItem | LiftFunc] = []

    def run(self) -> Used:
        for core_instance in self.graph.core_instances:
            self.pending += core_instance.args
        for resource in self.graph.resources:
            if resource.dtor is not None:
                self.pending.append(resource.dtor)
        for item in exported_items(self.graph):
            self._exported(item)
        while self.pending:
            self._visit(self.pending.pop())
        return Used(
            frozenset(self.lifts),
            frozenset(self.lowers),
            frozenset(self.builtins),
            {lift: frozenset(found) for lift, found in self.callers.items()},
            {resource: frozenset(found) for resource, found in self.users.items()},
        )

    def _exported(self, item: OuterItem) -> None:
        match item:
            case FuncItem(func=func, type=type_):
                self._mention(None, value_types(type_))
                if isinstance(func, LiftFunc):
                    self._call(None, func)
            case TypeItem(type=ResourceType(id=resource)):
                self.users.setdefault(resource, set()).add(None)
            case TypeItem(type=DefinedType() as node):
                self._mention(None, [node])
            case _:
                pass

    def _visit(self, item: CoreItem | LiftFunc) -> None:
        match item:
            case LowerFunc(lower=id_) if id_ not in self.lowers:
                self.lowers.add(id_)
                lower = self.graph.lowers[id_]
                self._mention(lower.instance, value_types(lower.type))
                self._options(lower.options)
                if isinstance(lower.callee, LiftFunc):
                    self._call(lower.instance, lower.callee)
            case LiftFunc(lift=lift_id) if lift_id not in self.lifts:
                self.lifts.add(lift_id)
                lift = self.graph.lifts[lift_id]
                self._mention(lift.instance, value_types(lift.type))
                self._options(lift.options)
                self.pending.append(lift.core_func)
            case BuiltinFunc(builtin=builtin_id) if builtin_id not in self.builtins:
                self.builtins.add(builtin_id)
                self._builtin(self.graph.builtins[builtin_id])
            case _:
                pass

    def _builtin(self, builtin: Builtin) -> None:
        match builtin:
            case ResourceBuiltin():
                self.users.setdefault(builtin.resource, set()).add(builtin.instance)
            case AsyncBuiltin(immediates=TaskReturn(result=result, options=options)):
                self._mention(builtin.instance, [] if result is None else [result])
                self._options(options)
            case AsyncBuiltin(immediates=Copy(type=type_, options=options)):
                self._mention(builtin.instance, [type_])
                self._options(options)
            case AsyncBuiltin(immediates=EndType(type=type_) | CancelCopy(type=type_)):
                self._mention(builtin.instance, [type_])
            case AsyncBuiltin(immediates=TextOptions(options=options)):
                self._options(options)
            case _:
                pass

    def _call(self, caller: InstanceId | None, func: LiftFunc) -> None:
        self.callers.setdefault(func.lift, set()).add(caller)
        self.pending.append(func)

    def _options(self, options: CanonicalOptions) -> None:
        self.pending += (f for f in (options.realloc, options.post_return, options.callback) if f is not None)

    def _mention(self, instance: InstanceId | None, types: list[ValType]) -> None:
        for resource in self.contents.resources(types):
            self.users.setdefault(resource, set()).add(instance)
