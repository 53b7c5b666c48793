"""Components out of OCI images, in the layout that wkg writes: a config of the type of WebAssembly, the component as
the only layer of that type, and for modules that were made for a host their `module.toml` in a layer beside it.

A source is `oci-layout:FOLDER[:TAG]` or `oci://HOST/NAME:TAG` (or `@sha256:…`). What is fetched is compared with its
digest, so a source that was locked stays what it was. Registries are asked without a login, and in plain text on the
loopback only.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar, final

import msgspec

from meldpy.errors import FileError, UsageError
from meldpy.records import dataclass

LAYOUT, REGISTRY = "oci-layout:", "oci://"
WASM = "application/wasm"
TOML = "application/vnd.meld.module.v1+toml"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MOST = 512 << 20
"""Bytes of one blob."""


@final
@dataclass(frozen=True, slots=True)
class Pulled:
    """digest: of the image's manifest; toml: the module.toml that came with it; name, version: what the image says."""

    digest: str
    component: bytes
    toml: bytes | None
    name: str
    version: str | None


class _Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A blob, as whatever refers to it says."""

    digest: str
    media_type: str = ""
    annotations: dict[str, str] | None = None


class _Manifest(msgspec.Struct, frozen=True):
    """Of an image."""

    layers: tuple[_Descriptor, ...] = ()
    annotations: dict[str, str] | None = None


class _Index(msgspec.Struct, frozen=True):
    """Of a layout."""

    manifests: tuple[_Descriptor, ...] = ()


T = TypeVar("T")


class _Store(Protocol):
    def manifest(self) -> bytes:
        """The image's manifest."""

    def blob(self, digest: str) -> bytes:
        """A blob, not compared yet."""


def is_reference(source: str) -> bool:
    return source.startswith((LAYOUT, REGISTRY))


_DAMAGED = "the image is damaged: copy or push it again"


def pull(source: str) -> Pulled:
    """FileError if something is not there, or is not what its digest says; UsageError for a source that is none."""
    store: _Store
    if source.startswith(LAYOUT):
        folder, _, tag = source.removeprefix(LAYOUT).partition(":")
        store, name = _Layout(Path(folder), tag or None), Path(folder).name
    else:
        store = _Registry(source.removeprefix(REGISTRY))
        name = store.name.rpartition("/")[2]
    raw = store.manifest()
    manifest = _read_as(_Manifest, raw, source)
    component = toml = None
    for layer in manifest.layers:
        if layer.media_type == WASM and component is None:
            component = _compared(store, layer.digest)
        elif layer.media_type == TOML:
            toml = _compared(store, layer.digest)
    if component is None:
        raise FileError(f"{source} has no layer of the type {WASM}", remedy="name an image that holds a component")
    version = (manifest.annotations or {}).get("org.opencontainers.image.version")
    return Pulled(f"sha256:{sha256(raw).hexdigest()}", component, toml, name, version)


def _compared(store: _Store, digest: str) -> bytes:
    data = store.blob(_checked(digest))
    if f"sha256:{sha256(data).hexdigest()}" != digest:
        raise FileError(f"a blob is not what its digest says: {digest}", remedy=_DAMAGED)
    return data


def _checked(digest: str) -> str:
    """A digest ends up in a path."""
    kind, _, text = digest.partition(":")
    if kind != "sha256" or len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise FileError(
            f"not a digest of the kind that is understood: {digest!r}", remedy="write sha256:…, in 64 digits"
        )
    return digest


def _read_as(kind: type[T], data: bytes, source: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FileError(f"{source}: not what an image has: {error}", remedy=_DAMAGED) from None


@final
class _Layout:
    """A folder."""

    def __init__(self, folder: Path, tag: str | None) -> None:
        self._folder, self._tag = folder, tag

    def manifest(self) -> bytes:
        images = _read_as(_Index, self._read(self._folder / "index.json"), str(self._folder)).manifests
        found = [each for each in images if self._tag in (None, _tag(each))]
        if len(found) != 1:
            tags = ", ".join(str(_tag(each)) for each in images) or "nothing"
            raise UsageError(f"{self._folder}: which image is meant? It has {tags}", remedy=f"say {LAYOUT}FOLDER:TAG")
        digest = _checked(found[0].digest)
        data = self.blob(digest)
        if f"sha256:{sha256(data).hexdigest()}" != digest:
            raise FileError(f"{self._folder}: the manifest is not what its digest says", remedy=_DAMAGED)
        return data

    def blob(self, digest: str) -> bytes:
        return self._read(self._folder / "blobs" / "sha256" / digest.partition(":")[2])

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _tag(descriptor: _Descriptor) -> str | None:
    return (descriptor.annotations or {}).get("org.opencontainers.image.ref.name")


@final
class _Registry:
    """HOST/NAME:TAG or HOST/NAME@sha256:…"""

    def __init__(self, reference: str) -> None:
        host, slash, rest = reference.partition("/")
        self._pinned: str | None = None
        if "@" in rest:
            self.name, _, self._reference = rest.partition("@")
            self._pinned = _checked(self._reference)
        else:
            self.name, _, self._reference = rest.partition(":")
        if not slash or not self.name or not self._reference:
            raise UsageError(f"{REGISTRY}{reference} is no reference", remedy=f"{REGISTRY}HOST/NAME:TAG")
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        self._base = f"{'http' if local else 'https'}://{host}/v2/{self.name}"

    def manifest(self) -> bytes:
        data = self._get(f"{self._base}/manifests/{self._reference}", _MANIFEST)
        if self._pinned is not None and f"sha256:{sha256(data).hexdigest()}" != self._pinned:
            raise FileError(f"{self.name}: the manifest is not what its digest says", remedy=_DAMAGED)
        return data

    def blob(self, digest: str) -> bytes:
        return self._get(f"{self._base}/blobs/{digest}", "*/*")

    def _get(self, url: str, accept: str) -> bytes:
        request = urllib.request.Request(url, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                data = answer.read(_MOST + 1)
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise FileError(
                f"cannot fetch {url}: {error}",
                remedy="check the reference, and that the registry can be reached from here",
            ) from error
        if len(data) > _MOST:
            raise FileError(f"{url} is larger than {_MOST} bytes", remedy="install it from a folder")
        assert isinstance(data, bytes)
        return data
