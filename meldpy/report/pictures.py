"""From an explained fuse to a drawing: which instances are worth a shape, and which calls make a line.

An instance without code that nobody calls is a wrapper: it has no shape. Calls are those that something reaches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import final

from meldpy.model.ids import InstanceId, ModuleId
from meldpy.model.linked import FuncItem, InstanceItem, LiftFunc, OuterItem
from meldpy.model.record import FuseRecord
from meldpy.outcome import FuseReport, FuseResult
from meldpy.records import dataclass
from meldpy.report.drawing import CALLER, HOST, Block, Detail, Drawing, Kind, Line, Picture, Shape
from meldpy.report.explain import explained
from meldpy.report.explanation import AdapterClass, Explanation, Removed

_DEAREST = {each.value: position for position, each in enumerate(AdapterClass)}
_WIRING = "types, names, wiring"
_OURS = "adapters, runtime library, types, names, longer indices"


def draw(result: FuseResult, detail: Detail) -> Drawing:
    """What a result shows that was made with `FuseOptions(record=True)`."""
    told = explained(result)
    if result.record is None:
        return _untouched(result.report)
    return _Pictures(result, result.record, told, detail).drawing()


def _untouched(report: FuseReport) -> Drawing:
    """A lone input of which nothing could be evaluated."""
    ((name, size),) = report.inputs
    details = tuple(f"{reason.feature}: {reason.text}" for kept in report.kept for reason in kept.reasons)
    before = Picture("before", (Shape(0, name, Kind.COMPONENT, None, size, ()),), ())
    after = Picture("after", (Shape(0, name, Kind.KEPT, None, size, details),), ())
    return Drawing(name, before, after, Block(name, size), Block(name, size))


@final
@dataclass(frozen=True, slots=True)
class _Call:
    source: int
    target: int
    interface: str
    function: str
    type: str
    class_: str


@final
class _Pictures:
    def __init__(self, result: FuseResult, record: FuseRecord, told: Explanation, detail: Detail) -> None:
        self.result = result
        self.graph = record.graph
        self.told = told
        self.detail = detail
        fused = [part for part in record.partition.parts if part.fused]
        self.group_of = {id_: number for number, part in enumerate(fused) for id_ in part.instances}
        self.kept = record.partition.kept
        self.calls = [*self._sites(), *self._host(), *self._exports()]
        self.before = self._blocks()
        self.after = self._blocks(removed=self.told.removed)

    def drawing(self) -> Drawing:
        report = self.result.report
        title = " + ".join(name for name, _ in report.inputs)
        return Drawing(
            title,
            self._picture("before", after=False),
            self._picture("after", after=True),
            _whole("inputs", sum(size for _, size in report.inputs), self._blocks(once=True).values(), _WIRING),
            _whole("output", report.output_size, self.after.values(), _OURS),
        )

    # --- calls -------------------------------------------------------------------------------------------------
    def _sites(self) -> Iterator[_Call]:
        for site in self.told.sites:
            interface, _, name = site.function.rpartition("#")
            yield _Call(site.caller_id, site.callee_id, interface, name, site.type, site.class_.value)

    def _host(self) -> Iterator[_Call]:
        for each in self.told.host:
            interface, _, name = each.name.rpartition("#")
            yield _Call(each.caller_id, HOST, interface, name, each.type, "host")

    def _exports(self) -> Iterator[_Call]:
        for export in self.graph.exports:
            for path, instance in self._exported((export.name.name,), export.item):
                yield _Call(CALLER, instance, "#".join(path[:-1]), path[-1], "", "export")

    def _exported(self, path: tuple[str, ...], item: OuterItem) -> Iterator[tuple[tuple[str, ...], int]]:
        match item:
            case FuncItem(func=LiftFunc(lift)):
                yield path, self.graph.lifts[lift].instance
            case InstanceItem(exports=exports):
                for name, inner in exports:
                    yield from self._exported((*path, name.name), inner)
            case _:
                pass

    # --- pictures ----------------------------------------------------------------------------------------------
    def _picture(self, title: str, *, after: bool) -> Picture:
        sizes = self.after if after else self.before
        seen = {end for call in self.calls for end in (call.source, call.target)} | set(sizes)
        shapes = [self._shape(id_, sizes.get(id_), after=after) for id_ in sorted(seen, reverse=True) if id_ < 0]
        shapes += [self._shape(id_, sizes.get(id_), after=after) for id_ in sorted(seen) if id_ >= 0]
        return Picture(title, tuple(shapes), tuple(self._lines(after=after)))

    def _shape(self, id_: int, block: Block | None, *, after: bool) -> Shape:
        if id_ < 0:
            kind, label = (Kind.HOST, "host") if id_ == HOST else (Kind.CALLER, "whoever calls")
            return Shape(id_, label, kind, None, 0, ())
        instance = self.graph.instances[id_]
        group = self.group_of.get(instance.id)
        size = 0 if block is None else block.bytes
        details = [f"{part.label}: {part.bytes} bytes" for part in (() if block is None else block.parts)]
        if after:
            details += [f"kept: {each.feature}: {each.text}" for each in self.kept.get(instance.id, ())]
            kind = Kind.KEPT if group is None else Kind.FUSED
        else:
            kind = Kind.COMPONENT
        return Shape(id_, instance.label, kind, group if after else None, size, tuple(details))

    def _lines(self, *, after: bool) -> Iterator[Line]:
        found: dict[tuple[int, int, str], list[_Call]] = {}
        for call in self.calls:
            key = {
                Detail.INSTANCES: "",
                Detail.INTERFACES: call.interface,
                Detail.FUNCTIONS: f"{call.interface}#{call.function}",
            }[self.detail]
            found.setdefault((call.source, call.target, key), []).append(call)
        for (source, target, _), calls in found.items():
            yield Line(source, target, self._label(calls), _class(calls, after=after), _told(calls, after=after))

    def _label(self, calls: Sequence[_Call]) -> str:
        first = calls[0]
        match self.detail:
            case Detail.FUNCTIONS:
                return first.function
            case Detail.INTERFACES:
                return first.interface or ", ".join(dict.fromkeys(call.function for call in calls))
            case Detail.INSTANCES:
                return f"{len(calls)} function{'s' * (len(calls) != 1)}"

    # --- bytes -------------------------------------------------------------------------------------------------
    def _blocks(self, *, removed: Sequence[Removed] = (), once: bool = False) -> dict[int, Block]:
        """Code and data of each instance, by core module, without what was `removed`.

        once: a core module that was instantiated several times counts where that is first, as it is there once.
        """
        gone: dict[int, list[Removed]] = {}
        for each in reversed(removed):  # of one instance, in the order of its core instances
            gone.setdefault(each.instance_id, []).append(each)
        parts: dict[InstanceId, list[Block]] = {}
        seen: set[ModuleId] = set()
        for core_instance in self.graph.core_instances:
            if once and core_instance.module in seen:
                continue
            seen.add(core_instance.module)
            module = self.graph.modules[core_instance.module]
            code = len(module.module.code.bodies)
            data = sum(len(segment.data) for segment in module.module.data)
            if core_instance.instance in gone:
                left_out = gone[core_instance.instance].pop()
                code, data = code - left_out.code_bytes_removed, data - left_out.data_bytes_removed
            inner = tuple(block for block in (Block("code", code), Block("data", data)) if block.bytes)
            if inner:
                parts.setdefault(core_instance.instance, []).append(Block(module.label, code + data, inner))
        return {
            id_: Block(self.graph.instances[id_].label, sum(block.bytes for block in blocks), tuple(blocks))
            for id_, blocks in parts.items()
        }


def _whole(label: str, size: int, parts: Collection[Block], rest: str) -> Block:
    total = sum(part.bytes for part in parts)
    left = max(0, size - total)
    return Block(label, max(size, total), (*parts, *([Block(rest, left)] if left else [])))


def _class(calls: Sequence[_Call], *, after: bool) -> str:
    """The dearest; before fusing, the engine does all that is not the host's or the world's."""
    own = [call.class_ for call in calls if call.class_ in _DEAREST]
    if not own:
        return calls[0].class_
    return max(own, key=lambda each: _DEAREST[each]) if after else AdapterClass.ENGINE.value


def _told(calls: Sequence[_Call], *, after: bool) -> tuple[str, ...]:
    lines = []
    for call in calls:
        name = f"{call.interface}#{call.function}" if call.interface else call.function
        how = f" ({call.class_})" if after and call.class_ in _DEAREST else ""
        lines.append(f"{name}{': ' + call.type if call.type else ''}{how}")
    return tuple(lines)
