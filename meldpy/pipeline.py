"""The narrated driver: from input bytes to the bytes of one fused component, one call and one comment per stage.

Stages know the model and nothing of each other; what one needs of another (the kernel's loops, the runtime
library) is handed in here. `fuse` is the whole Python API of the job; the command line adds only files and words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from meldpy.errors import FileError, InternalError, MeldError, UnsupportedError, UsageError
from meldpy.model.code import Target
from meldpy.model.component import Component
from meldpy.model.core import CoreModule, FuncImportType, GlobalType, MemoryType, TableType, TagType
from meldpy.model.debug import NameStyle
from meldpy.model.facts import CodeFacts
from meldpy.model.fused import FusedModule
from meldpy.model.linked import InstanceItem, LinkedGraph, ModuleItem, OuterItem
from meldpy.model.record import Stages
from meldpy.model.regions import Seen
from meldpy.model.reindexed import IndexCounts
from meldpy.options import FuseInput, FuseOptions
from meldpy.outcome import FuseReport, FuseResult, KeptInstance, kept_by_hand, result_of, untouched
from meldpy.records import dataclass, replace
from meldpy.timing import stage

if TYPE_CHECKING:
    from meldpy.core_output import LoweringTools, Tools
    from meldpy.debugging import DebugOptions

__all__ = [
    "FuseInput",
    "FuseOptions",
    "FuseReport",
    "FuseResult",
    "KeptInstance",
    "blaming_invalid_input",
    "build",
    "build_core",
    "counts",
    "decode",
    "encode",
    "fuse",
    "link",
    "lowering_tools",
    "merged",
    "named_input",
    "rebasing_tools",
    "returns_zero",
    "scan",
    "utf8_name",
    "validate",
]

_ANY: Final = Target()


def fuse(inputs: Sequence[FuseInput | str | Path | bytes], options: FuseOptions | None = None) -> FuseResult:
    """Link `inputs` and fuse them into one component.

    Each input is a path, the bytes of a component (binary or text), or a FuseInput. Raises a MeldError: see
    `meldpy.errors` for the kinds. The same inputs and options give the same bytes.
    """
    options = FuseOptions() if options is None else options
    named = [named_input(i, item) for i, item in enumerate(inputs)]
    if not named:
        raise UsageError("there is nothing to fuse", remedy="give at least one component")
    options.check()
    notes: list[str] = []
    debug_options(options).check()

    # Decode: bytes to model; text goes through the engine's parser first.
    with stage("decode"):
        components = [(item, decode(item)) for item in named]
    # Validate: a fuser that trusts its input miscompiles it.
    if options.validate:
        with stage("validate inputs"):
            notes += _validate_all(components, options)
    # From here on everything about the output follows from what was decoded.
    with blaming_invalid_input(components, options):
        return _fuse_decoded(components, options, notes)


def _fuse_decoded(
    components: Sequence[tuple[FuseInput, Component]], options: FuseOptions, notes: Sequence[str]
) -> FuseResult:
    from meldpy.parts import Built, assemble

    sizes = tuple((item.name, len(item.data)) for item, _ in components)
    only_flat = options.flat or options.core
    alone = len(components) == 1 and not (options.roots or options.exports or options.hides or options.renames)
    # Resolve: link the inputs, and evaluate every instantiation; everything gets its identity.
    try:
        with stage("resolve"):
            graph = link(components, options)
    except UnsupportedError as error:
        if not alone or only_flat or options.strict:
            raise
        return untouched(_as_it_is(*components[0]), sizes, error, notes)
    outputs: list[_Encoded] = []
    taken: dict[str, bytes] = {}  # the files beside all groups and tries, so that no two have one name

    def flat(part: LinkedGraph) -> Built:
        before = set(taken)
        found: list[Stages] = []
        output, said, carriers = (build_core if options.core else build)(part, options, taken, found)
        beside = {name: data for name, data in taken.items() if name not in before}
        return Built(output, said, carriers, beside, tuple(found) if options.record else ())

    def check(output: Component | CoreModule) -> None:
        if options.provenance and isinstance(output, Component):
            output = _with_root(output, graph, options)
        outputs.append(_encoded(output, options))

    # Build: one fused group if that is possible, else several parts. Each candidate is encoded, and validated.
    keep = kept_by_hand(graph, options.keeps)
    with stage("partition"):
        assembled = assemble(graph, flat, scan, check, keep, only_flat=only_flat, verbatim=alone)
    encoded = outputs[-1] if assembled.built is not None else _Encoded(_as_it_is(*components[0]))
    return result_of(encoded.data, encoded.limits, sizes, graph, assembled, notes, record=options.record)


@final
@dataclass(frozen=True, slots=True)
class _Encoded:
    """limits: what the embedded engine cannot do with the bytes, which are valid."""

    data: bytes
    limits: tuple[str, ...] = ()


def _encoded(output: Component | CoreModule, options: FuseOptions) -> _Encoded:
    """The bytes of what we made, validated before anybody sees them. LimitError if engines cannot take it."""
    with stage("encode"):
        data = encode(output)
    if not options.validate:
        return _Encoded(data)
    from meldpy.validation import validate_core_output, validate_output

    with stage("validate output"):
        if isinstance(output, Component):
            return _Encoded(data, validate_output(data, output))
        validate_core_output(data)
        return _Encoded(data)


def _as_it_is(item: FuseInput, component: Component) -> bytes:
    """An input of which nothing is fused comes out as it went in, in the binary format."""
    from meldpy.engine.text import is_text

    return encode(component) if is_text(item.data) else bytes(item.data)


def build(
    graph: LinkedGraph, options: FuseOptions, beside: dict[str, bytes], found: list[Stages] | None = None
) -> tuple[Component, list[str], int]:
    """The output component of a linked graph, notes for `-v`, and the number of carriers; files go into `beside`, what
    the stages found into `found`."""
    from meldpy.debugging import finish
    from meldpy.wrapper import wrap

    fused, notes = merged(graph, options, found)
    # Finish: what can be said only of a module that does not change any more.
    main, more = finish(fused.main, fused.units, debug_options(options), beside)
    if options.provenance:
        main = _with_provenance(main, fused, graph, options)
    # Wrap: the outer component, with the world of the composition.
    return wrap(graph, replace(fused, main=main)), [*notes, *more], len(fused.carriers)


def build_core(
    graph: LinkedGraph, options: FuseOptions, beside: dict[str, bytes], found: list[Stages] | None = None
) -> tuple[CoreModule, list[str], int]:
    """The same for a core output, which has no carriers."""
    from meldpy.core_output import check_features, in_one_memory, lowered, parse_features, present
    from meldpy.debugging import finish
    from meldpy.resolver import as_users_call
    from meldpy.wrapper import world_type

    for export in graph.exports:
        if has_module(export.item):
            reason = f"`{export.name.name}` is or holds a core module, which a core module cannot export"
            raise UnsupportedError("exported core module", reason, export.location, remedy="leave it out with --hide")
    allowed = parse_features(options.features)
    target = Target("simd" in allowed, "multi-value" in allowed)
    fused, notes = merged(graph, options, found, target=target)
    assert fused.boundary.core is not None
    # Present: the names that the ecosystem gives a guest's edge, and the world as a type.
    world = encode(world_type(graph, fused.boundary.core.string_encoding))
    module = present(graph, fused, world)
    if options.memory == "single":
        # Rebase: for engines that have one memory only.
        module = in_one_memory(
            module, as_users_call(graph, fused.memory_names), options.memory_limits(), rebasing_tools()
        )
    if options.features:
        # Lower: what the target lacks and can be said otherwise; then it must have what the module uses.
        module = lowered(module, allowed, lowering_tools())
        check_features(module, _opcodes(module), allowed)
    if options.memory == "single":
        return module, notes, 0
    module, more = finish(module, fused.units, debug_options(options), beside)
    if options.provenance:
        module = _with_provenance(module, fused, graph, options)
    return module, [*notes, *more], 0


def _with_provenance(module: CoreModule, fused: FusedModule, graph: LinkedGraph, options: FuseOptions) -> CoreModule:
    """`module` with what its functions came from."""
    from meldpy import __version__
    from meldpy.debugging import with_custom
    from meldpy.provenance.section import SECTION, written

    return with_custom(module, SECTION, written(__version__, options.shaping(), graph.inputs, fused.units))


def _with_root(component: Component, graph: LinkedGraph, options: FuseOptions) -> Component:
    """`component` with which fuse it came from: a part that was kept may say something else of itself."""
    from meldpy import __version__
    from meldpy.model.component import CustomSection
    from meldpy.model.core import RawCustom
    from meldpy.provenance.section import ROOT, fuse_sum, origins

    content = fuse_sum(__version__, options.shaping(), origins(graph.inputs))
    return replace(component, sections=(*component.sections, CustomSection(RawCustom(ROOT, content))))


def _sum(item: FuseInput) -> str:
    from hashlib import sha256

    return sha256(item.data).hexdigest()


def debug_options(options: FuseOptions) -> DebugOptions:
    """What becomes of debugging information. Where code moves once more, nothing follows it."""
    from meldpy.debugging import DebugOptions

    if options.moves_code_again():
        return DebugOptions("drop", "drop")
    return DebugOptions(options.dwarf, options.source_map, options.origins, options.file)


def has_module(item: OuterItem) -> bool:
    """Whether `item` is or holds a core module."""
    return isinstance(item, ModuleItem) or (
        isinstance(item, InstanceItem) and any(has_module(inner) for _, inner in item.exports)
    )


def rebasing_tools() -> Tools:
    from meldpy.binary.decode import decode_module
    from meldpy.core_output import Tools
    from meldpy.engine.text import assemble
    from meldpy.kernel.rebase import rebase, survey
    from meldpy.kernel.reindex import reindex

    return Tools(
        survey=lambda module: survey(module.code.bodies, module.code.count, counts(module)),
        rebase=lambda module, params, regions: rebase(
            module.code.bodies, module.code.count, counts(module), params, regions
        ),
        reindex=lambda module, maps: reindex(module.code.bodies, module.code.count, maps).bodies,
        assemble=lambda text: decode_module(assemble(text.encode(), "helpers of a single memory"), "helpers"),
    )


def lowering_tools() -> LoweringTools:
    from meldpy.core_output import LoweringTools
    from meldpy.kernel.lower import lower

    tools = rebasing_tools()
    return LoweringTools(
        see=_opcodes,
        survey=tools.survey,
        scan=scan,
        lower=lambda module, given: lower(module.code.bodies, module.code.count, counts(module), given),
        reindex=tools.reindex,
        assemble=tools.assemble,
    )


def _opcodes(module: CoreModule) -> tuple[Seen, ...]:
    from meldpy.kernel.rebase import opcodes_seen

    return opcodes_seen(module.code.bodies, module.code.count, counts(module))


def merged(
    graph: LinkedGraph, options: FuseOptions, found: list[Stages] | None = None, *, target: Target = _ANY
) -> tuple[FusedModule, list[str]]:
    """All code of a linked graph in one module, and notes for `-v`; what the stages found goes into `found`.

    `target`: what our own code may use.
    """
    from meldpy import __version__
    from meldpy.adapter import adapt, declared_opaque, opaque_notes
    from meldpy.analysis import analyse
    from meldpy.debugging import carry_customs, dropped_note, needs_positions
    from meldpy.kernel.reindex import reindex
    from meldpy.merger import MergeOptions, merge
    from meldpy.resolver import with_written_names

    # Analyse: what is live, what throws, what leaves, which calls only go through wit-component's shim.
    with stage("analyse"):
        facts = analyse(graph, scan, returns_zero=returns_zero)
    named = with_written_names(graph)
    # Adapt: code for every crossing, with symbolic references, before anything has an index.
    opaque = declared_opaque(graph, options.opaque_reps)
    with stage("adapt"):
        adapted = adapt(named, facts, RuntimeLibrary(target.vectors), opaque, core=options.core, target=target)
    # Merge: the physical link; identities become indices of one core module and its carriers.
    debug = debug_options(options)
    moves = needs_positions([module.module for module in graph.modules], debug)
    merge_options = MergeOptions(version=__version__, names=NameStyle(options.names), positions=moves)
    with stage("merge"):
        fused = merge(named, facts, adapted, reindex, scan, merge_options)
    if found is not None:
        found.append(Stages(graph, facts, adapted, fused))
    # Carry: the custom sections that hold offsets into the code, or speak of it, unless the code moves once more.
    if options.moves_code_again():
        carried = dropped_note(fused.dropped_customs)
    else:
        fused, carried = carry_customs(fused, debug)
    notes = [*opaque_notes(graph, options.opaque_reps, adapted), *carried]
    if adapted.passing is not None:
        label = graph.instances[adapted.passing].label
        notes.append(f"the async of `{label}` stays the engine's: no call between components has to do with it")
    return fused, notes


def encode(output: Component | CoreModule) -> bytes:
    """The bytes of a component or core module."""
    from meldpy.binary.encode import encode_component, encode_module

    return encode_component(output) if isinstance(output, Component) else encode_module(output)


# --- inputs ------------------------------------------------------------------------------------------------------
def named_input(position: int, item: FuseInput | str | Path | bytes) -> FuseInput:
    """What a caller gave as input number `position`, read and named."""
    match item:
        case FuseInput():
            return item
        case bytes():
            name = f"input{position + 1}"
            return FuseInput(name, name, item, given=False)
        case _:
            path = Path(item)
            try:
                return FuseInput(utf8_name(path.stem), str(path), path.read_bytes(), given=False)
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
        [
            ResolverInput(
                item.name,
                item.source,
                len(item.data),
                component,
                item.given,
                _sum(item) if options.provenance else None,
            )
            for item, component in components
        ],
        ResolveOptions(
            strict=options.strict,
            allow_imports=options.allow_imports,
            links=options.links,
            opens=options.opens,
            chain=options.chain,
            roots=options.roots,
            exports=options.exports,
            hides=options.hides,
            renames=options.renames,
            max_instances=options.max_instances,
            max_core_instances=options.max_core_instances,
            max_definitions=options.max_definitions,
        ),
    )


# --- validation ----------------------------------------------------------------------------------------------------
@contextmanager
def blaming_invalid_input(components: Sequence[tuple[FuseInput, Component]], options: FuseOptions) -> Iterator[None]:
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
    from meldpy.validation import validate_input

    given = FuseOptions() if options is None else options
    caps = FuseOptions(
        max_instances=given.max_instances,
        max_core_instances=given.max_core_instances,
        max_definitions=given.max_definitions,
    )
    return validate_input(source, data, component, lambda: link([(FuseInput(source, source, data), component)], caps))


# --- what stages are handed ------------------------------------------------------------------------------------------
def scan(module: CoreModule) -> CodeFacts:
    """What the bodies of `module` refer to."""
    from meldpy.kernel.scan import scan as kernel_scan

    return kernel_scan(module.code.bodies, module.code.count, counts(module), source_offset=module.code.offset)


def returns_zero(module: CoreModule, body: memoryview) -> bool:
    """Whether the function of `module` with this body (its size in front) returns nothing but 0."""
    from meldpy.kernel.zero import returns_zero as kernel_returns_zero

    return kernel_returns_zero(body, counts(module))


def counts(module: CoreModule) -> IndexCounts:
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
    """The runtime library's modules by name, in one of its flavours, assembled when they are asked for."""

    def __init__(self, vectors: bool = True) -> None:
        self._vectors = vectors

    def __getitem__(self, name: str) -> CoreModule:
        return _runtime_module(name, self._vectors)

    def __iter__(self) -> Iterator[str]:
        from meldpy.runtime import sources

        return iter(sources())

    def __len__(self) -> int:
        from meldpy.runtime import sources

        return len(sources())


@cache
def _runtime_module(name: str, vectors: bool) -> CoreModule:
    from meldpy.binary.decode import decode_module
    from meldpy.engine.text import assemble
    from meldpy.runtime import sources

    source = f"runtime library, {name}"
    return decode_module(assemble(sources(vectors=vectors)[name].encode(), source), source)
