"""Debugging information in the pipeline: what is carried, what waits for the final layout, and files beside the output.

This joins `debug` with what stages are not to know: the kernel's rewriter, encoding, and the files beside an input.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, final

from meldpy.errors import UsageError
from meldpy.model.component import Component, ComponentSection, CoreModuleSection
from meldpy.model.core import CoreModule, PlacedCustom, RawCustom
from meldpy.model.debug import LAST_SECTION
from meldpy.model.fused import FusedModule, MergedUnit
from meldpy.model.regions import RegionCode
from meldpy.model.reindexed import Positions
from meldpy.records import dataclass, replace

if TYPE_CHECKING:
    from meldpy.debug.coredump import DumpThread
    from meldpy.debug.symbols import Symbolizer

DWARF = ("keep", "drop", "split")
SOURCE_MAPS = ("inline", "file", "drop")
SOURCE_MAP = "sourceMappingURL"


@final
@dataclass(frozen=True, slots=True)
class DebugOptions:
    """dwarf: one of DWARF; source_map: one of SOURCE_MAPS; origins: say where code came from. file: the name of the
    output, from which files beside it are named; there is one if something is to lie beside it.
    """

    dwarf: str = "keep"
    source_map: str = "inline"
    origins: bool = False
    file: str | None = None

    def check(self) -> None:
        """Raises UsageError."""
        if self.dwarf not in DWARF or self.source_map not in SOURCE_MAPS:
            raise UsageError(f"debugging information cannot be {self.dwarf!r} or {self.source_map!r}")
        if self.file is None and (self.dwarf == "split" or self.source_map == "file"):
            raise UsageError("a file beside the output needs its name", remedy="write the output to a file, with -o")


def needs_positions(modules: Sequence[CoreModule], options: DebugOptions) -> bool:
    """Whether anything wants to know where each byte of the code went."""
    if options.origins:
        return True
    if not _sections(modules):
        return False
    from meldpy.debug.carry import needs_positions as customs_need_positions

    return customs_need_positions(modules, options.dwarf != "drop") or _has_map(modules, options)


def _sections(modules: Iterable[CoreModule]) -> set[str]:
    """The names of custom sections that are no model, in any of the modules. (Most inputs have none.)"""
    return {c.section.name for module in modules for c in module.customs if isinstance(c.section, RawCustom)}


def _has_map(modules: Iterable[CoreModule], options: DebugOptions) -> bool:
    return options.source_map != "drop" and SOURCE_MAP in _sections(modules)


def followed(
    units: Sequence[MergedUnit], positions: Positions | None, regions: Sequence[RegionCode] = ()
) -> tuple[MergedUnit, ...]:
    """The units after their code moved once more, and perhaps their memories: to `regions`, by index."""

    def moved(unit: MergedUnit) -> MergedUnit:
        if regions and unit.memory is not None:
            unit = replace(unit, region=regions[unit.memory])
        if positions is None or unit.positions is None:
            return unit
        return replace(unit, base=positions.new(unit.base), positions=unit.positions.then(unit.base, positions))

    return tuple(map(moved, units))


def carry_customs(
    fused: FusedModule, options: DebugOptions, say_features: bool = True
) -> tuple[FusedModule, list[str]]:
    """`fused` with the custom sections that follow its code, and notes about those that cannot.

    say_features: whether the code still uses what its inputs say that they use.
    """
    if not _sections(unit.module for unit in fused.units):
        return fused, dropped_note(fused.dropped_customs)
    from meldpy.debug.carry import carry
    from meldpy.kernel.dwarf import rewrite_dwarf

    carried = carry(fused, options.dwarf != "drop", rewrite_dwarf, say_features)
    finished_later = {SOURCE_MAP} if options.source_map != "drop" else set()
    notes = [*carried.notes, *dropped_note(name for name in carried.dropped if name not in finished_later)]
    main = replace(fused.main, customs=(*fused.main.customs, *carried.customs))
    return replace(fused, main=main), notes


def dropped_note(sections: Iterable[str]) -> list[str]:
    """The note about custom sections that are left out, if there are any."""
    names = ", ".join(sorted(set(sections)))
    return [f"dropped custom sections that fusing would make stale: {names}"] if names else []


def finish(
    module: CoreModule, units: Sequence[MergedUnit], options: DebugOptions, beside: dict[str, bytes]
) -> tuple[CoreModule, list[str]]:
    """What can be said only of a module whose layout is final but for custom sections at its end, and notes.

    Files that are to lie beside the output are put into `beside`, under names that are still free there.
    """
    notes: list[str] = []
    if options.origins:
        from meldpy.debug.origins import SECTION as ORIGINS
        from meldpy.debug.origins import origins_section

        module = with_custom(module, ORIGINS, origins_section(units))
    if _has_map([unit.module for unit in units], options):
        module, notes = _mapped(module, units, options, beside)
    if options.dwarf == "split":
        from meldpy.binary.encode import encode_module
        from meldpy.debug.aside import set_aside

        name = _free(options, "debug.wasm", beside)
        module, aside = set_aside(module, name)
        if aside is not None:
            beside[name] = encode_module(aside)
    return module, notes


def _free(options: DebugOptions, ending: str, beside: Container[str]) -> str:
    """A name for a file beside the output; a second fused group, or a second try, gets a number."""
    numbers = ("" if number == 1 else f".{number}" for number in count(1))
    return next(name for number in numbers if (name := f"{options.file}{number}.{ending}") not in beside)


def _mapped(
    module: CoreModule, units: Sequence[MergedUnit], options: DebugOptions, beside: dict[str, bytes]
) -> tuple[CoreModule, list[str]]:
    from meldpy.binary.decode import decode_module
    from meldpy.binary.encode import encode_module
    from meldpy.debug.sourcemap import inline_url, join_maps, section_of

    offset = decode_module(encode_module(module), "the fused module").code.offset
    joined, notes = join_maps(units, offset, _read_beside)
    if joined is None:
        return module, notes
    url = inline_url(joined)
    if options.source_map == "file":
        name = _free(options, "map", beside)
        url = f"./{name}"
        beside[name] = joined
    return with_custom(module, SOURCE_MAP, section_of(url)), notes


def with_custom(module: CoreModule, name: str, content: bytes) -> CoreModule:
    """`module` with a custom section at its end."""
    return replace(module, customs=(*module.customs, PlacedCustom(LAST_SECTION, RawCustom(name, content))))


def _read_beside(source: str, url: str) -> bytes | None:
    """A file in the input's folder or below. Nothing is fetched, and nothing is read elsewhere."""
    path = Path(url.removeprefix("./"))
    if "://" in url or path.is_absolute() or ".." in path.parts or not Path(source).is_file():
        return None
    try:
        return (Path(source).parent / path).read_bytes()
    except (OSError, ValueError):
        return None


# --- reading ----------------------------------------------------------------------------------------------------------
def symbolizer(data: bytes, source: str, where_from: bool = False) -> Symbolizer:
    """What functions, files and lines lie at offsets in a component or core module; DWARF beside it is found.

    where_from: also the input and offset that the code came from. UsageError if the file does not say.
    """
    from meldpy.debug.cursor import Malformed
    from meldpy.debug.symbols import NoOrigins, Symbolizer

    def beside(name: str) -> list[CoreModule]:
        content = _read_beside(source, name)
        return [] if content is None else list(modules_in(content, name))

    try:
        return Symbolizer(list(modules_in(data, source)), beside, where_from)
    except (NoOrigins, Malformed) as error:
        remedy = "fuse it with --origins"
        raise UsageError(f"{source} does not say where its code came from", remedy=remedy) from error


def dumped_threads(data: bytes, source: str) -> Sequence[DumpThread]:
    """The threads of a core dump. UsageError if it is none."""
    from meldpy.binary.decode import decode_module
    from meldpy.debug.coredump import threads_of
    from meldpy.debug.cursor import Malformed

    try:
        threads = threads_of(decode_module(data, source))
    except Malformed as error:
        raise UsageError(f"{source} is a malformed core dump", remedy="have the engine write it again") from error
    if threads is None:
        raise UsageError(f"{source} is no core dump", remedy="give a file that an engine wrote when a guest trapped")
    return threads


def modules_in(data: bytes, source: str) -> Iterator[CoreModule]:
    """The core modules of a component, or the one that `data` is."""
    from meldpy.binary.decode import decode_component, decode_module
    from meldpy.binary.sections import MODULE_VERSION

    if data[4:8] == MODULE_VERSION:
        yield decode_module(data, source)
    else:
        yield from modules_of(decode_component(data, source))


def modules_of(component: Component) -> Iterator[CoreModule]:
    """The core modules of a component, and of the components in it."""
    for section in component.sections:
        if isinstance(section, CoreModuleSection):
            yield section.module
        elif isinstance(section, ComponentSection):
            yield from modules_of(section.component)
