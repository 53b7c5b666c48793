"""What a component exports and imports, by name, read from its bytes without compiling anything."""

from __future__ import annotations

from pathlib import Path
from typing import final

from meldpy.errors import FileError
from meldpy.host.registry.versions import Version
from meldpy.model.component import ExportSection, ImportSection
from meldpy.pipeline import FuseInput, decode
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Interfaces:
    """Interface -> version (None: it has none)."""

    exports: dict[str, Version | None]
    imports: dict[str, Version | None]


def interfaces_of(path: Path) -> Interfaces:
    """Of the component in a file."""
    try:
        component = decode(FuseInput(path.stem, str(path), path.read_bytes(), given=False))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    sections = component.sections
    exports = [each.name.name for part in sections if isinstance(part, ExportSection) for each in part.items]
    imports = [each.name.name for part in sections if isinstance(part, ImportSection) for each in part.items]
    return Interfaces(dict(map(_split, exports)), dict(map(_split, imports)))


def _split(name: str) -> tuple[str, Version | None]:
    base, at, text = name.partition("@")
    if not at:
        return base, None
    try:
        return base, Version.parse(text)
    except ValueError:
        return name, None
