"""The artefact that runs: a module's component, linked and fused with the components of what it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import final

from meldpy.errors import FileError
from meldpy.host.registry.manifest import Manifest
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Linked:
    """data: one component; digest: of it; parts: what is in it, each as "name version sha256:…"."""

    data: bytes
    digest: str
    parts: tuple[str, ...]


def link(module: Manifest, dependencies: Sequence[Manifest], cache: Path | None = None) -> Linked:
    """Fuse; a module without dependencies is taken as it is. MeldErrors of the pipeline, FileError.

    cache: a folder in which the result is kept under the digests of what went into it.
    """
    manifests = [module, *dependencies]
    contents = [_read(each) for each in manifests]
    sums = [sha256(data).hexdigest() for data in contents]
    parts = tuple(f"{each.name} {each.version} sha256:{sum_}" for each, sum_ in zip(manifests, sums, strict=True))
    if not dependencies:
        return Linked(contents[0], sums[0], parts)
    kept = None if cache is None else cache / f"{sha256(chr(10).join(parts).encode()).hexdigest()}.wasm"
    if kept is not None and kept.exists():
        data = kept.read_bytes()
    else:
        inputs = [
            FuseInput(each.name, str(each.component), data) for each, data in zip(manifests, contents, strict=True)
        ]
        data = fuse(inputs, FuseOptions(roots=(module.name,))).bytes
        if kept is not None:
            _keep(kept, data)
    return Linked(data, sha256(data).hexdigest(), parts)


def _read(manifest: Manifest) -> bytes:
    assert manifest.component is not None, "native modules are not linked"
    try:
        return manifest.component.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {manifest.component}: {error.strerror or error}") from error


def _keep(path: Path, data: bytes) -> None:
    """A cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        return
