"""One build: what is fused, how, where it goes, and what must hold before it is written."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from meldpy.errors import Location, MeldError
from meldpy.options import FuseOptions
from meldpy.records import dataclass, field


@final
class ManifestError(MeldError):
    """A manifest that is wrong or says what cannot be done; with file and line."""

    usual_remedy: ClassVar[str] = "`meld docs manifest` says what a manifest has; --print-manifest writes one"


@final
@dataclass(frozen=True, slots=True)
class Build:
    """inputs: as on the command line, FILE or NAME=FILE. output: None or `-` for stdout. directory: what relative paths
    start from; None for the current one. location: where it is written down."""

    inputs: tuple[str, ...]
    output: str | None = None
    options: FuseOptions = FuseOptions()
    self_check: str | None = None
    core_manifest: str | None = None
    wat: bool = False
    deps: tuple[str, ...] = ()
    directory: Path | None = field(default=None, compare=False)
    location: Location | None = field(default=None, compare=False)

    def path(self, given: str) -> str:
        """A path of this build as the process sees it."""
        return given if self.directory is None or given == "-" else str(self.directory / given)

    def input_path(self, argument: str) -> str:
        """The same for `NAME=FILE`: a file that exists is taken as it is, as on the command line."""
        name, equals, path = argument.partition("=")
        if not equals or not name or Path(self.path(argument)).exists():
            return self.path(argument)
        return f"{name}={self.path(path)}"

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it reads."""
        inputs = [self.input_path(argument) for argument in self.inputs]
        named = [path if Path(path).exists() else path.partition("=")[2] or path for path in inputs]
        deps = [self.path(dep.partition("=")[2]) for dep in self.deps]
        return (*named, *deps, *(() if self.self_check is None else (self.path(self.self_check),)))
