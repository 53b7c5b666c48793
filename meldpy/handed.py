"""What the pipeline hands to stages, which know nothing of each other: the kernel's loops over a module's code, the
runtime library, and the tools of the last stages of a core output.

Each is a function of the model's types; what it needs is imported when it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, final

from meldpy.model.core import CoreModule, FuncImportType, GlobalType, MemoryType, TableType, TagType
from meldpy.model.facts import CodeFacts
from meldpy.model.regions import Seen
from meldpy.model.reindexed import IndexCounts

if TYPE_CHECKING:
    from meldpy.core_output import LoweringTools, Tools


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
    from meldpy import kept, runtime
    from meldpy.binary.decode import decode_module
    from meldpy.engine.text import assemble

    source = f"runtime library, {name}"
    flavour = "vectors" if vectors else "scalars"
    place, origin = f"{flavour}-{name.replace('/', '-')}", runtime.everything()
    data = kept.read(place, origin)
    if data is None:
        data = assemble(runtime.sources(vectors=vectors)[name].encode(), source)
        kept.write(place, origin, data)
    return decode_module(data, source)


# --- for a core output ----------------------------------------------------------------------------------------------
def rebasing_tools(with_positions: bool = False) -> Tools:
    """What `in_one_memory` is handed. with_positions: where each byte of the bodies goes, too."""
    from meldpy.binary.decode import decode_module
    from meldpy.core_output import Tools
    from meldpy.engine.text import assemble
    from meldpy.kernel.rebase import rebase, survey
    from meldpy.kernel.reindex import reindex

    return Tools(
        survey=lambda module: survey(module.code.bodies, module.code.count, counts(module)),
        rebase=lambda module, params, regions: rebase(
            module.code.bodies, module.code.count, counts(module), params, regions, with_positions
        ),
        reindex=lambda module, maps: reindex(module.code.bodies, module.code.count, maps).bodies,
        assemble=lambda text: decode_module(assemble(text.encode(), "helpers of a single memory"), "helpers"),
    )


def lowering_tools(with_positions: bool = False) -> LoweringTools:
    """What `lowered` is handed. with_positions: where each byte of the bodies goes, too."""
    from meldpy.core_output import LoweringTools
    from meldpy.kernel.lower import lower

    tools = rebasing_tools()
    return LoweringTools(
        see=opcodes,
        survey=tools.survey,
        scan=scan,
        lower=lambda module, given: lower(module.code.bodies, module.code.count, counts(module), given, with_positions),
        reindex=tools.reindex,
        assemble=tools.assemble,
    )


def opcodes(module: CoreModule) -> tuple[Seen, ...]:
    """The opcodes that the bodies of `module` use, and where first."""
    from meldpy.kernel.rebase import opcodes_seen

    return opcodes_seen(module.code.bodies, module.code.count, counts(module))
