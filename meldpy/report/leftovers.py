"""What is in a fused group beside call sites: its memories, what was left out of it, what host calls hold on to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meldpy.model.canon import ENCODING_WORDS, StringEncoding
from meldpy.model.code import OuterOptions
from meldpy.model.core import CoreModule, FuncImportType, MemoryType, NameKind, NameSection
from meldpy.model.ids import FuncId, MemoryId
from meldpy.model.linked import LinkedGraph
from meldpy.model.record import Stages
from meldpy.report.explanation import Memory, Removed
from meldpy.report.modules import limits_text
from meldpy.resolver import as_users_call

_LARGEST = 3


def memories(stages: Stages, group: int, whole: LinkedGraph) -> Iterator[Memory]:
    """In the order of the main module's index space; what it imports lies in a carrier."""
    main = stages.fused.main
    imported = [each.type for each in main.imports if isinstance(each.type, MemoryType)]
    types = [(type_, "carrier") for type_ in imported] + [(type_, "main") for type_ in main.memories]
    names = as_users_call(whole, stages.fused.memory_names)
    for (type_, place), name in zip(types, names, strict=True):
        yield Memory(name, limits_text(type_.limits), place, group)


def removed(stages: Stages, labels: Sequence[str]) -> Iterator[Removed]:
    """Per core instance, what analysis found that nothing reaches, and jumps that no call goes through any more."""
    graph, facts = stages.graph, stages.facts
    live: dict[int, set[int]] = {}
    for func in facts.live.funcs:
        if func not in facts.forwards:
            live.setdefault(func.instance, set()).add(func.index)
    for core_instance in graph.core_instances:
        module = graph.modules[core_instance.module]
        own = sum(isinstance(each.type, FuncImportType) for each in module.module.imports)
        bounds = facts.code[core_instance.module].bounds
        sizes = {own + i: bounds[i + 1] - bounds[i] for i in range(len(module.module.funcs))}
        gone = sorted(sizes.keys() - live.get(core_instance.id, set()), key=lambda index: (-sizes[index], index))
        names = _function_names(module.module)
        data = [len(segment.data) for segment in module.module.data]
        kept = sum(size for index, size in enumerate(data) if (core_instance.id, index) in facts.live.data)
        yield Removed(
            instance=labels[core_instance.instance],
            instance_id=core_instance.instance,
            module=module.label,
            functions=len(sizes),
            functions_removed=len(gone),
            code_bytes=sum(sizes.values()),
            code_bytes_removed=sum(sizes[index] for index in gone),
            data_bytes=sum(data),
            data_bytes_removed=sum(data) - kept,
            largest=tuple(
                f"{names.get(index, f'function {index}')}: {sizes[index]} bytes" for index in gone[:_LARGEST]
            ),
        )


def _function_names(module: CoreModule) -> dict[int, str]:
    for custom in module.customs:
        if isinstance(custom.section, NameSection):
            return dict(dict(custom.section.maps).get(NameKind.FUNCTION, ()))
    return {}


def needs(options: OuterOptions, stages: Stages, whole: LinkedGraph) -> Iterator[str]:
    """What a host call holds on to: only what its type needs."""
    if options.memory is not None:
        yield f"memory of {_owner(options.memory, stages, whole)}"
    if options.realloc is not None:
        theirs = isinstance(options.realloc, FuncId)
        yield f"realloc of {_owner(options.realloc, stages, whole)}" if theirs else "realloc, behind a check"
    if options.string_encoding is not StringEncoding.UTF8:
        yield f"strings in {ENCODING_WORDS[options.string_encoding]}"
    if options.callback is not None:
        yield "a callback"


def _owner(item: object, stages: Stages, whole: LinkedGraph) -> str:
    assert isinstance(item, FuncId | MemoryId)
    if item.instance < len(stages.graph.core_instances):
        return whole.instances[stages.graph.core_instances[item.instance].instance].label
    return "the boundary"
