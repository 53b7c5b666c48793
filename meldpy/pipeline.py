"""The narrated driver: from input bytes to the bytes of one fused component, one call and one comment per stage.

Stages know the model and nothing of each other; what one needs of another (the kernel's loops, the runtime
library) is handed in here. `fuse` is the whole Python API of the job; the command line adds only files and words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import final

from meldpy.errors import (
    FileError,
    InternalError,
    LimitError,
    Location,
    MeldError,
    UnsupportedError,
    UsageError,
    ValidationError,
)
from meldpy.model.component import (
    Component,
    ComponentSection,
    CoreModuleSection,
    InlineExports,
    InstanceSection,
    Sort,
)
from meldpy.model.core import CoreModule, FuncImportType, GlobalType, MemoryType, TableType, TagType
from meldpy.model.facts import CodeFacts
from meldpy.model.linked import LiftFunc, LinkedGraph
from meldpy.model.reindexed import IndexCounts


@final
@dataclass(frozen=True, slots=True)
class FuseInput:
    """One input. `name`: how the command line and messages call it; `source`: where it came from."""

    name: str
    source: str
    data: bytes


@final
@dataclass(frozen=True, slots=True)
class FuseOptions:
    """How to fuse; the defaults are right unless inputs are ambiguous.

    links: "IMPORTER:IMPORT=PROVIDER:EXPORT" decisions; strict: open imports are errors, but for `wasi:*` and the
    `allow_imports` patterns; roots, exports, hides: what the output exports (design section 3); validate: check the
    inputs and the output with the engine; names: keep the name section; opaque_reps: "INTERFACE.RESOURCE" names of
    resource types whose reps are opaque numbers (design section 6); max_*: caps on link-time expansion.
    """

    links: tuple[str, ...] = ()
    strict: bool = False
    allow_imports: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    validate: bool = True
    names: bool = True
    opaque_reps: tuple[str, ...] = ()
    max_instances: int = 10_000
    max_core_instances: int = 10_000
    max_definitions: int = 200_000


@final
@dataclass(frozen=True, slots=True)
class FuseReport:
    """What was done, in numbers. Sizes in bytes; `call_sites` counts the crossings that became core calls."""

    inputs: tuple[tuple[str, int], ...]
    output_size: int
    call_sites: int
    core_instances: int
    carriers: int
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class FuseResult:
    bytes: bytes = field(repr=False)
    report: FuseReport


def fuse(inputs: Sequence[FuseInput | str | Path | bytes], options: FuseOptions | None = None) -> FuseResult:
    """Link `inputs` and fuse them into one component.

    Each input is a path, the bytes of a component (binary or text), or a FuseInput. Raises a MeldError: see
    `meldpy.errors` for the kinds. The same inputs and options give the same bytes.
    """
    options = FuseOptions() if options is None else options
    named = [_named(i, item) for i, item in enumerate(inputs)]
    if not named:
        raise UsageError("there is nothing to fuse", remedy="give at least one component")
    notes: list[str] = []

    # Decode: bytes to model; text goes through the engine's parser first.
    components = [(item, decode(item)) for item in named]
    # Validate: a fuser that trusts its input miscompiles it.
    if options.validate:
        notes += _validate_all(components, options)
    # Resolve: link the inputs, and evaluate every instantiation; everything gets its identity.
    # Build: from the graph on, everything about the output follows from it.
    with _blaming_invalid_input(components, options):
        graph = link(components, options)
        component, merged_notes, carriers = build(graph, options)
    notes += merged_notes
    # Encode: the only place where the output becomes bytes.
    from meldpy.binary.encode import encode_component

    data = encode_component(component)
    # Validate what we made, before anybody sees it.
    if options.validate:
        _validate_output(data, component)
    report = FuseReport(
        tuple((item.name, len(item.data)) for item in named),
        len(data),
        sum(isinstance(lower.callee, LiftFunc) for lower in graph.lowers),
        len(graph.core_instances),
        carriers,
        tuple(notes),
    )
    return FuseResult(data, report)


def build(graph: LinkedGraph, options: FuseOptions) -> tuple[Component, list[str], int]:
    """The output component of a linked graph, notes for `-v`, and the number of carriers."""
    from meldpy import __version__
    from meldpy.adapter import adapt, declared_opaque, opaque_notes
    from meldpy.analysis import analyse
    from meldpy.kernel.reindex import reindex
    from meldpy.merger import MergeOptions, merge
    from meldpy.wrapper import wrap

    # Analyse: what is live, what throws, what leaves, which calls only go through wit-component's shim.
    facts = analyse(graph, scan)
    # Adapt: code for every crossing, with symbolic references, before anything has an index.
    opaque = declared_opaque(graph, options.opaque_reps)
    adapted = adapt(graph, facts, RuntimeLibrary(), opaque)
    # Merge: the physical link; identities become indices of one core module and its carriers.
    fused = merge(graph, facts, adapted, reindex, scan, MergeOptions(version=__version__, names=options.names))
    # Wrap: the outer component, with the world of the composition.
    component = wrap(graph, fused)
    dropped = sorted(set(fused.dropped_customs))
    notes = opaque_notes(graph, options.opaque_reps, adapted)
    if dropped:
        notes.append(f"dropped custom sections that fusing would make stale: {', '.join(dropped)}")
    return component, notes, len(fused.carriers)


@final
@dataclass(frozen=True, slots=True)
class ResourceInfo:
    """One resource type, for people. definer: None if it is imported; table: direct, table, opaque or outer."""

    name: str
    definer: str | None
    users: tuple[str, ...]
    table: str


def resources(item: FuseInput, component: Component) -> list[ResourceInfo]:
    """The resource types of one input, and where handles of them would be if it were fused by itself."""
    from meldpy.adapter import resource_uses
    from meldpy.analysis import analyse

    with _blaming_invalid_input([(item, component)], FuseOptions(validate=False)):
        graph = link([(item, component)], FuseOptions())
        if not graph.resources:
            return []
        uses = resource_uses(graph, analyse(graph, scan))
    return [ResourceInfo(use.name, use.definer, use.users, use.kind.value) for use in uses]


# --- inputs ------------------------------------------------------------------------------------------------------
def _named(position: int, item: FuseInput | str | Path | bytes) -> FuseInput:
    match item:
        case FuseInput():
            return item
        case bytes():
            name = f"input{position + 1}"
            return FuseInput(name, name, item)
        case _:
            path = Path(item)
            try:
                return FuseInput(utf8_name(path.stem), str(path), path.read_bytes())
            except OSError as error:
                raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def utf8_name(name: str) -> str:
    """`name` with escapes for bytes of a file name that are not UTF-8: names of inputs end up in the name section."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def decode(item: FuseInput) -> Component:
    """The model of one input, binary or text."""
    from meldpy.binary.decode import decode_component
    from meldpy.engine.text import assemble, is_text

    data = assemble(item.data, item.source) if is_text(item.data) else item.data
    return decode_component(data, item.source)


def link(components: Sequence[tuple[FuseInput, Component]], options: FuseOptions) -> LinkedGraph:
    """Resolve decoded inputs into one graph."""
    from meldpy.resolver import ResolveOptions, ResolverInput, resolve

    return resolve(
        [ResolverInput(item.name, item.source, len(item.data), component) for item, component in components],
        ResolveOptions(
            strict=options.strict,
            allow_imports=options.allow_imports,
            links=options.links,
            roots=options.roots,
            exports=options.exports,
            hides=options.hides,
            max_instances=options.max_instances,
            max_core_instances=options.max_core_instances,
            max_definitions=options.max_definitions,
        ),
    )


_LIMIT_WORDS = re.compile(r"exceeds (the )?(limit|maximum)")
"""How the engines' validator says that there is too much of something that is right otherwise."""


# --- validation ----------------------------------------------------------------------------------------------------
@contextmanager
def _blaming_invalid_input(components: Sequence[tuple[FuseInput, Component]], options: FuseOptions) -> Iterator[None]:
    """If building fails in an unforeseen way on inputs that were not validated: find out whether it is their fault.

    Raises the ValidationError of an invalid input in place of the failure; a failure on valid inputs stays.
    """
    try:
        yield
    except MeldError as error:
        if isinstance(error, InternalError) and not options.validate:
            _validate_all(components, options)
        raise
    except Exception:
        if not options.validate:
            _validate_all(components, options)
        raise


def _validate_all(components: Sequence[tuple[FuseInput, Component]], options: FuseOptions) -> list[str]:
    """Notes for `-v` about every input; raises ValidationError for the first that is invalid."""
    return [note for item, component in components for note in validate(item.source, item.data, component, options)]


def validate(source: str, data: bytes, component: Component, options: FuseOptions | None = None) -> tuple[str, ...]:
    """Have the engine check `component`, whose bytes are `data` (text or binary); notes for `-v`.

    LimitError if its nested instantiation passes the caps of `options`.
    """
    _refuse_expansion(source, data, component, FuseOptions() if options is None else options)
    from meldpy.engine.text import is_text
    from meldpy.engine.validate import SMALL, Subject
    from meldpy.engine.validate import validate as engine_validate

    if is_text(data):
        from meldpy.binary.encode import encode_component

        data = encode_component(component)
    modules = tuple(
        (module.offset, data[module.offset : module.offset + module.size]) for module in _modules(component)
    )
    return engine_validate(Subject(source, data, component, modules, _skeleton(data, component, SMALL)))


def _refuse_expansion(source: str, data: bytes, component: Component, options: FuseOptions) -> None:
    """The engine expands nested instances without a cap, until memory ends. So we expand first, under our caps."""
    if not _can_expand(component):
        return
    caps = FuseOptions(
        max_instances=options.max_instances,
        max_core_instances=options.max_core_instances,
        max_definitions=options.max_definitions,
    )
    try:
        link([(FuseInput(source, source, data), component)], caps)
    except (LimitError, UnsupportedError):
        raise
    except Exception:
        # Invalid, for all that we know; then the engine refuses it before it expands anything, in better words.
        return


def _can_expand(component: Component) -> bool:
    """Whether anything in `component` can be more than once what it is written once."""
    return any(
        isinstance(section, ComponentSection)
        or (
            isinstance(section, InstanceSection)
            and any(
                isinstance(item, InlineExports) and any(index.sort is Sort.INSTANCE for _, index in item.exports)
                for item in section.items
            )
        )
        for section in component.sections
    )


def _skeleton(data: bytes, component: Component, small: int) -> bytes | None:
    """The skeleton's bytes, if `data` is large enough to be worth it."""
    if len(data) <= small:
        return None
    from meldpy.binary.encode import encode_component
    from meldpy.engine.skeleton import skeleton

    return encode_component(skeleton(component))


def _modules(component: Component) -> Iterator[CoreModule]:
    """Every core module in `component`, at any depth (bounded by the decoder)."""
    for section in component.sections:
        if isinstance(section, CoreModuleSection):
            yield section.module
        elif isinstance(section, ComponentSection):
            yield from _modules(section.component)


def _validate_output(data: bytes, component: Component) -> None:
    """Check our own output; what the engine refuses here is our defect, and nothing is written.

    But for its limits: where many inputs, or a composition near a limit, become one component, sums can pass it.
    """
    from meldpy.binary.encode import encode_module
    from meldpy.engine.validate import SMALL, Subject
    from meldpy.engine.validate import validate as engine_validate

    modules = tuple((0, encode_module(module)) for module in _modules(component))
    try:
        engine_validate(Subject("output", data, component, modules, _skeleton(data, component, SMALL)))
    except ValidationError as error:
        if any(_LIMIT_WORDS.search(cause) for cause in error.causes):
            raise LimitError(
                "the fused component would pass a limit of the engines; nothing was written",
                Location("output"),
                causes=error.causes,
                remedy="fuse fewer inputs at once, or fewer instances",
            ) from error
        raise InternalError(
            "the fused component is invalid; nothing was written",
            Location("output"),
            causes=error.causes,
            remedy="please report this with the inputs; this is a defect of meldpy",
        ) from error


# --- what stages are handed ------------------------------------------------------------------------------------------
def scan(module: CoreModule) -> CodeFacts:
    """What the bodies of `module` refer to."""
    from meldpy.kernel.scan import scan as kernel_scan

    return kernel_scan(module.code.bodies, module.code.count, _counts(module), source_offset=module.code.offset)


def _counts(module: CoreModule) -> IndexCounts:
    """The sizes of a module's index spaces, imports included."""
    imported = Counter(type(import_.type) for import_ in module.imports)
    return IndexCounts(
        types=sum(len(group.types) for group in module.types),
        funcs=imported[FuncImportType] + len(module.funcs),
        tables=imported[TableType] + len(module.tables),
        memories=imported[MemoryType] + len(module.memories),
        globals=imported[GlobalType] + len(module.globals),
        tags=imported[TagType] + len(module.tags),
        elems=len(module.elements),
        data=len(module.data),
    )


@final
class RuntimeLibrary(Mapping[str, CoreModule]):
    """The runtime library's modules by name, assembled when they are asked for."""

    def __getitem__(self, name: str) -> CoreModule:
        return _runtime_module(name)

    def __iter__(self) -> Iterator[str]:
        from meldpy.runtime import sources

        return iter(sources())

    def __len__(self) -> int:
        from meldpy.runtime import sources

        return len(sources())


@cache
def _runtime_module(name: str) -> CoreModule:
    from meldpy.binary.decode import decode_module
    from meldpy.engine.text import assemble
    from meldpy.runtime import sources

    source = f"runtime library, {name}"
    return decode_module(assemble(sources()[name].encode(), source), source)
