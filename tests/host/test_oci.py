"""Components out of OCI images: from folders, and from a registry that runs on the loopback."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from meldpy.errors import FileError, UsageError
from meldpy.host.registry import oci
from meldpy.host.registry.installed import Registry
from tests.support.registry import push, running_registry

PROBE = Path(__file__).parents[1] / "support" / "hosted" / "probe.wasm"


def layout(folder: Path, component: bytes, toml: bytes | None, notes: dict[str, str]) -> str:
    """An image layout as wkg writes it; the manifest's digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> str:
        digest = sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return f"sha256:{digest}"

    def described(media: str, data: bytes) -> dict[str, object]:
        return {"mediaType": media, "digest": put(data), "size": len(data)}

    layers = [described(oci.WASM, component)] + ([] if toml is None else [described(oci.TOML, toml)])
    config = described("application/vnd.wasm.config.v0+json", b'{"architecture":"wasm","os":"wasip2"}')
    manifest = {"schemaVersion": 2, "config": config, "layers": layers, "annotations": notes}
    entry = described("application/vnd.oci.image.manifest.v1+json", json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "1.0"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return str(entry["digest"])


_VERSION = "org.opencontainers.image.version"
VERSION = {_VERSION: "1.2.3"}


def test_a_component_comes_out_of_an_oci_layout_with_its_digest(tmp_path: Path) -> None:
    digest = layout(tmp_path / "probe", PROBE.read_bytes(), None, VERSION)
    registry = Registry(tmp_path / "modules")
    manifest = registry.install(f"oci-layout:{tmp_path}/probe:1.0")
    assert (manifest.name, str(manifest.version)) == ("probe", "1.2.3")
    lock = json.loads((tmp_path / "modules" / "meld.lock").read_text())
    assert lock["modules"]["probe"]["versions"]["1.2.3"]["digest"] == digest


def test_an_image_may_bring_its_manifest(tmp_path: Path) -> None:
    toml = b'[module]\nname = "other"\nversion = "4.0.0"\ncomponent = "x/y.wasm"\n[grants]\nlog = true\n'
    layout(tmp_path / "probe", PROBE.read_bytes(), toml, {})
    manifest = Registry(tmp_path / "modules").install(f"oci-layout:{tmp_path}/probe")
    assert (manifest.name, manifest.grants.log) == ("other", True)


def test_what_an_image_says_of_its_version_is_nothing_but_a_version(tmp_path: Path) -> None:
    layout(tmp_path / "probe", PROBE.read_bytes(), None, {_VERSION: '1.0.0"\n[grants]\nnetwork = true\n#"'})
    with pytest.raises(UsageError, match="is no version"):
        Registry(tmp_path / "modules").install(f"oci-layout:{tmp_path}/probe")


def test_a_blob_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    layout(tmp_path / "probe", PROBE.read_bytes(), None, VERSION)
    (blob,) = [p for p in (tmp_path / "probe" / "blobs" / "sha256").iterdir() if p.stat().st_size > 10_000]
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    with pytest.raises(FileError, match="not what its digest says"):
        Registry(tmp_path / "modules").install(f"oci-layout:{tmp_path}/probe")


class _Files(http.server.SimpleHTTPRequestHandler):
    """/v2/NAME/… of a registry, out of a layout."""

    def translate_path(self, path: str) -> str:
        kind, reference = path.split("/")[-2:]
        folder = Path(self.directory)
        if kind == "manifests":
            index = json.loads((folder / "index.json").read_text())
            reference = index["manifests"][0]["digest"]
        return str(folder / "blobs" / "sha256" / reference.removeprefix("sha256:"))

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_registry_that_lies_is_refused(tmp_path: Path) -> None:
    layout(tmp_path / "probe", PROBE.read_bytes(), None, VERSION)
    with served(tmp_path / "probe") as address:
        assert Registry(tmp_path / "modules").install(f"oci://{address}/team/probe:1.0").name == "probe"
        with pytest.raises(FileError, match="not what its digest says"):
            Registry(tmp_path / "none").install(f"oci://{address}/team/probe@sha256:{'0' * 64}")


# --- a registry ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with running_registry() as address:
        yield address


@pytest.mark.toolchain
def test_a_component_comes_out_of_a_registry_by_tag_or_digest(tmp_path: Path, registry: str) -> None:
    digest = layout(tmp_path / "probe", PROBE.read_bytes(), None, VERSION)
    push(tmp_path / "probe", registry, "team/probe", "1.0")
    for number, reference in enumerate(("team/probe:1.0", f"team/probe@{digest}")):
        modules = tmp_path / f"modules{number}"
        manifest = Registry(modules).install(f"oci://{registry}/{reference}")
        assert (manifest.name, str(manifest.version)) == ("probe", "1.2.3")
        entry = json.loads((modules / "meld.lock").read_text())["modules"]["probe"]["versions"]["1.2.3"]
        assert (entry["source"], entry["digest"]) == (f"oci://{registry}/{reference}", digest)


@pytest.mark.toolchain
def test_a_tag_that_moves_is_noticed_and_what_its_digest_names_stays(tmp_path: Path, registry: str) -> None:
    first = layout(tmp_path / "first", PROBE.read_bytes(), None, VERSION)
    toml = b'[module]\nname = "moved"\nversion = "1.2.3"\ncomponent = "it.wasm"\n[grants]\nnetwork = true\n'
    layout(tmp_path / "second", PROBE.read_bytes(), toml, VERSION)
    push(tmp_path / "first", registry, "team/moved", "1.0")
    modules = Registry(tmp_path / "modules")
    modules.install(f"oci://{registry}/team/moved:1.0")
    push(tmp_path / "second", registry, "team/moved", "1.0")
    with pytest.raises(UsageError, match=r"moved 1\.2\.3 is installed with other contents"):
        modules.install(f"oci://{registry}/team/moved:1.0")
    assert not modules.install(f"oci://{registry}/team/moved@{first}").grants.network
    assert Registry(tmp_path / "others").install(f"oci://{registry}/team/moved:1.0").grants.network


@pytest.mark.toolchain
@pytest.mark.parametrize("reference", ["team/none:1.0", "team/there:2.0", f"team/there@sha256:{'0' * 64}"])
def test_what_a_registry_has_not_is_told(tmp_path: Path, registry: str, reference: str) -> None:
    layout(tmp_path / "there", PROBE.read_bytes(), None, VERSION)
    push(tmp_path / "there", registry, "team/there", "1.0")
    with pytest.raises(FileError, match=r"cannot fetch .*404"):
        Registry(tmp_path / "modules").install(f"oci://{registry}/{reference}")
