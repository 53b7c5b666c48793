"""The narrated driver: from input bytes to the bytes of one fused component, one call and one comment per stage.

Stages know the model and nothing of each other; what one needs of another (the kernel's loops, the runtime
library) is in `handed`, and is handed in here; what callers give becomes inputs in `inputs`. `fuse` is the whole
Python API of the job; the command line adds only files and words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from meldpy.errors import InternalError, MeldError, UnsupportedError, UsageError
from meldpy.handed import RuntimeLibrary, counts, lowering_tools, opcodes, rebasing_tools, returns_zero, scan
from meldpy.inputs import decode, named_input, sum_of, utf8_name
from meldpy.model.code import Target
from meldpy.model.component import Component
from meldpy.model.core import CoreModule
from meldpy.model.debug import NameStyle
from meldpy.model.facts import Facts
from meldpy.model.fused import FusedModule
from meldpy.model.linked import InstanceItem, LinkedGraph, ModuleItem, OuterItem
from meldpy.model.record import Stages
from meldpy.options import FuseInput, FuseOptions
from meldpy.outcome import FuseReport, FuseResult, KeptInstance, kept_by_hand, result_of, untouched
from meldpy.records import dataclass, replace
from meldpy.timing import stage

if TYPE_CHECKING:
    from meldpy.debugging import DebugOptions

__all__ = [
    "FuseInput",
    "FuseOptions",
    "FuseReport",
    "FuseResult",
    "KeptInstance",
    "RuntimeLibrary",
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
    if options.optimise:
        from meldpy.engine.binaryen import require

        require()
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
            from meldpy.provenance.attach import with_root

            output = with_root(output, graph, options.shaping())
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
    if options.optimise:
        # Optimise: by binaryen, which knows nothing of what lies around the module.
        from meldpy.optimising import optimised_fused

        with stage("optimise"):
            fused, said = optimised_fused(fused, names=options.names != "none")
        notes = [*notes, *said]
    # Finish: what can be said only of a module that does not change any more.
    main, more = finish(fused.main, fused.units, debug_options(options), beside)
    if options.provenance:
        from meldpy.provenance.attach import with_provenance

        main = with_provenance(main, fused, graph, options.shaping())
    # Wrap: the outer component, with the world of the composition.
    return wrap(graph, replace(fused, main=main)), [*notes, *more], len(fused.carriers)


def build_core(
    graph: LinkedGraph, options: FuseOptions, beside: dict[str, bytes], found: list[Stages] | None = None
) -> tuple[CoreModule, list[str], int]:
    """The same for a core output, which has no carriers."""
    from meldpy.core_output import check_features, in_one_memory, lowered, parse_features, present
    from meldpy.debugging import carry_customs, finish, followed
    from meldpy.resolver import as_users_call
    from meldpy.wrapper import world_type

    for export in graph.exports:
        if has_module(export.item):
            reason = f"`{export.name.name}` is or holds a core module, which a core module cannot export"
            raise UnsupportedError("exported core module", reason, export.location, remedy="leave it out with --hide")
    allowed = parse_features(options.features)
    target = Target("simd" in allowed, "multi-value" in allowed, "reference-types" in allowed)
    fused, notes = merged(graph, options, found, target=target)
    assert fused.boundary.core is not None
    # Present: the names that the ecosystem gives a guest's edge, and the world as a type.
    world = encode(world_type(graph, fused.boundary.core.string_encoding))
    module = present(graph, fused, world)
    debug, units = debug_options(options), fused.units
    traced = any(unit.positions is not None for unit in units)
    if options.memory == "single":
        # Rebase: for engines that have one memory only.
        names = as_users_call(graph, fused.memory_names)
        joined = in_one_memory(module, names, options.memory_limits(), rebasing_tools(traced))
        module, units = joined.module, followed(units, joined.positions, joined.regions)
    if options.features:
        # Lower: what the target lacks and can be said otherwise; then it must have what the module uses.
        low = lowered(module, allowed, lowering_tools(traced))
        module, units = low.module, followed(units, low.positions)
        check_features(module, opcodes(module), allowed)
    if options.moves_code_again():
        # Carry: only now does the code lie where it stays.
        fused, carried = carry_customs(
            replace(fused, main=module, units=units), debug, say_features=not options.features
        )
        module, notes = fused.main, [*notes, *carried]
    if options.optimise:
        from meldpy.optimising import optimised_module

        with stage("optimise"):
            module, said = optimised_module(module, names=options.names != "none")
        notes = [*notes, *said]
    module, more = finish(module, units, debug, beside)
    if options.provenance:
        from meldpy.provenance.attach import with_provenance

        module = with_provenance(module, fused, graph, options.shaping())
    return module, [*notes, *more], 0


def debug_options(options: FuseOptions) -> DebugOptions:
    """What becomes of debugging information."""
    from meldpy.debugging import DebugOptions

    dwarf, source_map = options.dwarf, options.source_map
    if options.optimise:
        # what is kept by default cannot be kept
        dwarf, source_map = "drop" if dwarf == "keep" else dwarf, "drop" if source_map == "inline" else source_map
    return DebugOptions(dwarf, source_map, options.origins, options.file)


def has_module(item: OuterItem) -> bool:
    """Whether `item` is or holds a core module."""
    return isinstance(item, ModuleItem) or (
        isinstance(item, InstanceItem) and any(has_module(inner) for _, inner in item.exports)
    )


def merged(
    graph: LinkedGraph, options: FuseOptions, found: list[Stages] | None = None, *, target: Target = _ANY
) -> tuple[FusedModule, list[str]]:
    """All code of a linked graph in one module, and notes for `-v`; what the stages found goes into `found`.

    `target`: what our own code may use.
    """
    from meldpy import __version__
    from meldpy.adapter import adapt, async_notes, declared_opaque, opaque_notes
    from meldpy.analysis import analyse
    from meldpy.debugging import carry_customs, needs_positions
    from meldpy.kernel.reindex import reindex
    from meldpy.merger import MergeOptions, merge
    from meldpy.resolver import with_written_names

    # Analyse: what is live, what throws, what leaves, which calls only go through wit-component's shim.
    with stage("analyse"):
        facts = analyse(graph, scan, returns_zero=returns_zero)
    named = with_written_names(graph)
    # Adapt: code for every crossing, with symbolic references, before anything has an index.
    opaque = declared_opaque(graph, options.opaque_reps)
    passes_first = options.core and _all_named(graph, facts)
    with stage("adapt"):
        adapted = adapt(
            named, facts, RuntimeLibrary(target.vectors), opaque,
            core=options.core, passes_first=passes_first, target=target, tell_values=options.trap_values,
        )  # fmt: skip
    # Merge: the physical link; identities become indices of one core module and its carriers.
    debug = debug_options(options)
    moves = needs_positions([module.module for module in graph.modules], debug)
    merge_options = MergeOptions(version=__version__, names=NameStyle(options.names), positions=moves)
    with stage("merge"):
        fused = merge(named, facts, adapted, reindex, scan, merge_options)
    if found is not None:
        found.append(Stages(graph, facts, adapted, fused))
    notes = opaque_notes(graph, options.opaque_reps, adapted)
    if not options.moves_code_again():
        # Carry: the custom sections that hold offsets into the code, or speak of it.
        fused, carried = carry_customs(fused, debug)
        notes = [*notes, *carried]
    return fused, [*notes, *async_notes(graph, facts.asynchrony, adapted)]


def _all_named(graph: LinkedGraph, facts: Facts) -> bool:
    """Whether a core output has names for all async, so that a guest's may pass through with the guest's own memory."""
    from meldpy.core_output import all_named

    return all_named(graph, facts.live)


def encode(output: Component | CoreModule) -> bytes:
    """The bytes of a component or core module."""
    from meldpy.binary.encode import encode_component, encode_module

    return encode_component(output) if isinstance(output, Component) else encode_module(output)


def link(
    components: Sequence[tuple[FuseInput, Component]], options: FuseOptions, *, check_arguments: bool = False
) -> LinkedGraph:
    """Resolve decoded inputs into one graph. check_arguments: what instantiations inside are given, too."""
    from meldpy.resolver import ResolveOptions, ResolverInput, resolve

    return resolve(
        [
            ResolverInput(
                item.name,
                item.source,
                len(item.data),
                component,
                item.given,
                sum_of(item) if options.provenance else None,
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
            check_arguments=check_arguments,
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
    except Exception as error:
        foreseen = isinstance(error, MeldError) and not isinstance(error, InternalError)
        if not foreseen and not options.validate:
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
    alone = [(FuseInput(source, source, data), component)]
    return validate_input(source, data, component, lambda check: link(alone, caps, check_arguments=check))
