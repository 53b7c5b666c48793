"""A registry of OCI images beside a test: go-containerregistry's, built from the module proxy on first use."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.engines import go_build


@contextmanager
def running_registry() -> Iterator[str]:
    """Its HOST:PORT on the loopback; what it was given is gone at the end."""
    program = go_build(Path(__file__).parent)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def push(layout: Path, address: str, name: str, tag: str) -> None:
    """The only image of a layout, as clients do by the distribution specification: each blob, then the manifest."""
    (image,) = json.loads((layout / "index.json").read_text())["manifests"]
    raw = _blob(layout, image["digest"])
    manifest = json.loads(raw)
    base = f"http://{address}/v2/{name}"
    for part in (manifest["config"], *manifest["layers"]):
        url = f"{base}/blobs/uploads/?digest={part['digest']}"
        _send("POST", url, _blob(layout, part["digest"]), "application/octet-stream")
    _send("PUT", f"{base}/manifests/{tag}", raw, image["mediaType"])


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def _send(method: str, url: str, data: bytes, kind: str) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201
