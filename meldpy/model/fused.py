"""The merged main module, its carriers, and how the outer component connects them: the boundary as data.

`wrap` turns this into a component; a later writer can turn the same data into a core module with a manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, final

from meldpy.model.canon import StringEncoding
from meldpy.model.code import OuterAsyncFunc
from meldpy.model.core import CoreModule, CoreSort
from meldpy.model.ids import ImportFuncId, LiftId, ResourceId
from meldpy.model.regions import RegionCode
from meldpy.model.reindexed import Positions
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class CoreExportRef:
    """An export of carrier number `carrier`, or of the main module if that is None."""

    carrier: int | None
    name: str
    sort: CoreSort


@final
@dataclass(frozen=True, slots=True)
class BoundOptions:
    """Canonical options of an outer canon lift or lower, with their places."""

    string_encoding: StringEncoding
    memory: CoreExportRef | None
    realloc: CoreExportRef | None
    post_return: CoreExportRef | None
    callback: CoreExportRef | None = None
    async_: bool = False


@final
@dataclass(frozen=True, slots=True)
class BoundLower:
    """A main-module import satisfied by `canon lower` of an imported function. Options lie in carriers only."""

    func: ImportFuncId
    options: BoundOptions


@final
@dataclass(frozen=True, slots=True)
class BoundBuiltin:
    """A main-module import satisfied by `canon resource.{new,drop,rep}` (`op`) of `resource`."""

    op: str
    resource: ResourceId


@final
@dataclass(frozen=True, slots=True)
class BoundUncalled:
    """A main-module import of an imported function that nothing calls (core outputs only)."""

    import_: int
    path: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class BoundAsync:
    """A main-module import satisfied by an async built-in; `memory` and `realloc` lie in carriers."""

    func: OuterAsyncFunc
    memory: CoreExportRef | None
    realloc: CoreExportRef | None = None


MainImport: TypeAlias = "BoundLower | BoundBuiltin | BoundAsync | BoundUncalled | CoreExportRef"
"""What one import of the main module is bound to; a CoreExportRef is a carrier's memory, table or function."""


@final
@dataclass(frozen=True, slots=True)
class BoundLift:
    """An outer `canon lift` of `core_func` (an export of the main module) for the exported lift `lift`."""

    lift: LiftId
    core_func: CoreExportRef
    options: BoundOptions


@final
@dataclass(frozen=True, slots=True)
class BoundResource:
    """A resource type that the outer component defines; a destructor is a carrier's forwarder."""

    resource: ResourceId
    dtor: CoreExportRef | None


@final
@dataclass(frozen=True, slots=True)
class CoreBoundary:
    """What the host of a core output works with: exports of the main module, and how strings are encoded there."""

    memory: CoreExportRef | None
    realloc: CoreExportRef | None
    string_encoding: StringEncoding


@final
@dataclass(frozen=True, slots=True)
class Boundary:
    """Everything the outer component has to say about core items.

    main_imports[i] binds `main.imports[i]` (all imports of main have distinct (module, name) pairs).
    lifts: by the lifts that the graph's exports mention. resources: in an order in which they can be defined. core:
    set for a core output, which has no carriers.
    """

    main_imports: tuple[MainImport, ...]
    lifts: tuple[BoundLift, ...]
    resources: tuple[BoundResource, ...]
    core: CoreBoundary | None = None


@final
@dataclass(frozen=True, slots=True)
class MergedUnit:
    """One core instance of the inputs as it lies in the main module: what moving its debugging information needs.

    module: what it is an instance of; component: the component instance it belongs to, `label` its own, for readers;
    input: which input it came from, None for the only one.
    funcs, globals: old index → index in main, -1 if it was left out. base: offset in main's `bodies` of its first body.
    positions: where each byte of its bodies went, counted from `base`; None unless asked for, and without bodies.
    memory: index in main of its first memory, if it has one. region: where that lies, if all memories are one now.
    """

    module: CoreModule
    component: str
    label: str
    source: str
    funcs: Sequence[int]
    globals: Sequence[int]
    base: int
    positions: Positions | None
    input: int | None = None
    memory: int | None = None
    region: RegionCode | None = None


@final
@dataclass(frozen=True, slots=True)
class FusedModule:
    """carriers: instantiated first, in order, with no imports. main: all guest code and adapters.

    units: the guests' core instances, in the order in which their code lies in main. dropped_customs: names of the
    custom sections that merging alone leaves out (they hold offsets or indices); what moves them is `debug`.
    memory_names: what users call the memories, by their index in main; distinct.
    """

    carriers: tuple[CoreModule, ...]
    main: CoreModule
    boundary: Boundary
    units: tuple[MergedUnit, ...] = ()
    dropped_customs: tuple[str, ...] = ()
    memory_names: tuple[str, ...] = ()
