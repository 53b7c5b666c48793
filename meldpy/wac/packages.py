"""Where packages are: `--dep ns:pkg=FILE`, else `deps/ns/pkg.wasm` beside the file, as wac has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

from meldpy.errors import Location, UsageError
from meldpy.model.component import ExportSection, ImportSection, Sort, TypeDesc
from meldpy.options import FuseInput
from meldpy.pipeline import decode
from meldpy.records import dataclass, replace
from meldpy.wac.model import WacError


def parse_dep(text: str) -> tuple[str, str]:
    """(package, path). Raises UsageError."""
    package, equals, path = text.partition("=")
    if not equals or ":" not in package or not path:
        raise UsageError(
            f"--dep wants PACKAGE=FILE, not {text!r}", remedy="for example --dep demo:greeter=greeter.wasm"
        )
    return package, path


@final
@dataclass(frozen=True, slots=True)
class Packages:
    """deps: path by package, with or without version. folder: what `deps` lies in. read: a file as an input."""

    deps: dict[str, str]
    folder: Path
    read: Callable[[str], FuseInput]

    def provide(self, package: str, name: str, at: Location) -> FuseInput:
        """The component of `package`, as the input `name`."""
        path = self._path(package, at)
        return replace(self.read(path), name=name, given=True)

    def _path(self, package: str, at: Location) -> str:
        plain = package.partition("@")[0]
        for known in (package, plain):
            if known in self.deps:
                return self.deps[known]
        beside = self.folder.joinpath("deps", *plain.split(":"))
        for file in _files(beside):
            if file.exists():
                return str(file)
        raise WacError(
            f"there is no package `{package}`",
            at,
            causes=(f"it was looked for at {beside}.wasm",),
            remedy=f"say where it is: --dep {plain}=FILE",
        )


def surface(item: FuseInput) -> tuple[list[str], list[str]]:
    """The names of what a component imports and exports, types apart: those follow from what needs them."""
    imports: list[str] = []
    exports: list[str] = []
    for section in decode(item).sections:
        match section:
            case ImportSection(items):
                imports += [each.name.name for each in items if not isinstance(each.desc, TypeDesc)]
            case ExportSection(items):
                exports += [each.name.name for each in items if each.item.sort is not Sort.TYPE]
            case _:
                pass
    return imports, exports


def _files(stem: Path) -> Sequence[Path]:
    return [stem.with_name(stem.name + ending) for ending in (".wasm", ".wat")]
