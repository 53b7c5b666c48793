"""What a host, its registry and its control channel refuse when no module runs: each error names what it is about."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from meldpy.cli.asking import is_export
from meldpy.errors import MeldError
from meldpy.host.aio import AsyncHost
from meldpy.host.control import protocol
from meldpy.host.control.client import Client
from meldpy.host.control.server import SOCKET
from meldpy.host.host import Host
from meldpy.host.limits import Grants
from meldpy.host.planning import Planner
from meldpy.host.registry import oci
from meldpy.host.registry.installed import Registry, _stage_image
from meldpy.host.registry.link import _read
from meldpy.host.registry.lock import FILE as LOCK
from meldpy.host.registry.lock import Lock, LockFile
from meldpy.host.registry.manifest import FILE, allowed_from, read
from meldpy.host.registry.oci import Pulled, pull
from meldpy.host.registry.world import interfaces_of
from meldpy.host.store.database import Database
from meldpy.host.wasm.imports import check_imports

MANIFEST = '[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a.wasm"\n'


def module(folder: Path, text: str = MANIFEST) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text)
    (folder / "a.wasm").write_bytes(b"\0asm\x0d\0\1\0")
    return folder


def layout(folder: Path, manifest: object, *, index: object | None = None, digest: str | None = None) -> str:
    """An image in a folder, whose manifest is this."""
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    sum_ = digest or f"sha256:{sha256(data).hexdigest()}"
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (blobs / sum_.partition(":")[2]).write_bytes(data)
    found = {"manifests": [{"digest": sum_}]} if index is None else index
    (folder / "index.json").write_text(found if isinstance(found, str) else json.dumps(found))
    return f"oci-layout:{folder}"


def registry(folder: Path) -> Registry:
    folder.mkdir()
    return Registry(folder)


def installed(tmp_path: Path) -> Registry:
    found = registry(tmp_path / "r")
    found.install(str(module(tmp_path / "m")))
    return found


def answered(tmp_path: Path, *frames: object, read: int = 4096) -> object:
    """What a client makes of a host that says this, reads so much of what it is asked, and ends."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / SOCKET))
    server.listen()

    def serve() -> None:
        channel, _ = server.accept()
        for frame in frames:
            protocol.send(channel, frame)
        channel.recv(read)
        channel.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        with Client(tmp_path) as client:
            return client.ask(protocol.End())
    finally:
        thread.join()
        server.close()


HELLO = protocol.Hello(protocol.VERSION, 1)


def other_version(tmp_path: Path) -> object:
    connection = sqlite3.connect(tmp_path / "host.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    return Database(tmp_path)


def with_host(tmp_path: Path, do: Callable[[Host], object]) -> object:
    with Host(tmp_path) as host:
        return do(host)


def locked_as(tmp_path: Path, text: str) -> object:
    (tmp_path / LOCK).write_text(text)
    return LockFile(tmp_path).read()


def moved(tmp_path: Path) -> object:
    """A version whose folder says that it is another."""
    found = installed(tmp_path)
    file = tmp_path / "r" / "a" / "1.0.0" / FILE
    file.write_text(MANIFEST.replace("1.0.0", "2.0.0"))
    return found.find("a", "1.0.0")


def subscription_closed(host: Host) -> object:
    subscription = host.core.bus.listen("x")
    subscription.close()
    return subscription.get()


def load_into_closed(path: Path) -> object:
    host = Host(path)
    plan = Planner(None, {}, None, None).plan(str(module(path / "m"))).plan
    host.close()
    return host.core.load(plan)


def paused_before_it_ran(host: Host) -> None:
    id_ = host.core.jobs.store.create("a", "work", b"")
    host.core.jobs.pause(id_)


CASES: dict[str, Callable[[Path], object]] = {
    "the host is closed": load_into_closed,
    "f(1) is an export, which has no payload": lambda _: is_export("f(1)", "2"),
    "does not run: it is waiting": lambda path: with_host(path, paused_before_it_ran),
    "a imports x:y/z, which a host does not provide": lambda _: check_imports(
        "a",
        SimpleNamespace(imports={"x:y/z": {}}, wasi=()),
        Grants(),  # type: ignore[arg-type]
    ),
    "the host is not open": lambda _: AsyncHost().sync,
    "there is no module gone": lambda path: with_host(path, lambda host: host.reload("gone")),
    "a host without a registry has no history": lambda path: with_host(path, lambda host: host.rollback("a")),
    "there is no job 7": lambda path: with_host(path, lambda host: host.core.jobs.wait(7)),
    "the subscription is closed": lambda path: with_host(path, subscription_closed),
    "no host runs in": lambda path: Client(path),
    "another version of the protocol": lambda path: answered(path, protocol.Hello(99, 1)),
    "ended before it answered": lambda path: answered(path, HELLO),
    " ended: ": lambda path: answered(path, HELLO, read=1),
    "no such thing": lambda path: answered(
        path, HELLO, protocol.Answer(error="no such thing", remedy="ask for something that is there")
    ),
    "gone is neither a folder": lambda _: Planner(None, {}, None, None).plan("gone"),
    "a has dependencies, and there is no registry": lambda path: Planner(None, {}, None, None).plan(
        str(module(path / "m", MANIFEST + '[dependencies]\n"demo:b/c" = "1"\n'))
    ),
    "a 2.0.0 is not installed; installed are 1.0.0": lambda path: installed(path).find("a", "2.0.0"),
    "says that it is a 2.0.0": moved,
    "a 3.0.0 is not installed": lambda path: installed(path).uninstall("a", "3.0.0"),
    "b is not installed; installed is a": lambda path: installed(path).find("b"),
    "names no component": lambda path: _stage_image(
        Pulled("d", b"", b'[module]\nname = "a"\nversion = "1.0.0"\nlibrary = "a.so"\n', "a", None), path / "i"
    ),
    "the image says no version": lambda path: _stage_image(Pulled("d", b"", None, "a", None), path / "i"),
    "the lock file cannot be read": lambda path: locked_as(path, "no json"),
    "the lock file cannot be written": lambda path: LockFile(path / "gone").write(Lock()),
    "cannot read": lambda path: read(path / "gone"),
    "at allowed.toml": lambda _: allowed_from({"a": {"network": 3}}, "allowed.toml"),
    "has no layer of the type": lambda path: pull(layout(path / "i", {"layers": []})),
    "not a digest of the kind": lambda path: pull(layout(path / "i", {}, index={"manifests": [{"digest": "md5:1"}]})),
    "truncated": lambda path: pull(layout(path / "i", {}, index="{")),
    "Expected `object`, got `array`": lambda path: pull(layout(path / "i", [])),
    "missing required field `digest` - at `$.layers[0]`": lambda path: pull(layout(path / "i", {"layers": [{}]})),
    "Expected `str`, got `int` - at `$.layers[0].digest`": lambda path: pull(
        layout(path / "i", {"layers": [{"mediaType": oci.WASM, "digest": 1}]})
    ),
    "which image is meant? It has nothing": lambda path: pull(layout(path / "i", {}, index={"manifests": []})),
    "the manifest is not what its digest says": lambda path: pull(layout(path / "i", {}, digest=f"sha256:{'0' * 64}")),
    "gone/index.json": lambda path: pull(f"oci-layout:{path}/gone"),
    "is no reference": lambda _: pull("oci://nothing"),
    "cannot fetch": lambda _: pull("oci://127.0.0.1:1/a:b"),
    "gone.wasm": lambda path: interfaces_of(path / "gone.wasm"),
    "the store has version 99": other_version,
}


@pytest.mark.parametrize("words", CASES)
def test_it_is_told(words: str, tmp_path: Path) -> None:
    with pytest.raises(MeldError) as caught:
        CASES[words](tmp_path)
    assert words in caught.value.render()


def test_a_component_that_is_gone_when_it_is_linked_is_told(tmp_path: Path) -> None:
    manifest = read(module(tmp_path))
    (tmp_path / "a.wasm").unlink()
    with pytest.raises(MeldError, match=r"cannot read .*a\.wasm"):
        _read(manifest)


def test_an_image_that_is_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oci, "_MOST", 3)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: io.BytesIO(bytes(9)))
    with pytest.raises(MeldError, match="is larger than 3 bytes"):
        pull("oci://127.0.0.1/a:b")


def test_a_program_without_an_interpreter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meldpy.host.native.process import WorkerProcess

    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(MeldError, match="does not know its Python interpreter"):
        WorkerProcess(tmp_path / "a.so", None, None, None)  # type: ignore[arg-type]
