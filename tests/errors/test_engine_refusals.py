"""What engines, clusters and running hosts have not or cannot, and what is too large: each error says what helps."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime.component as wc
from wasmtime import wat2wasm

from meldpy.batch import cluster
from meldpy.binary.decode import decode_module
from meldpy.cli.main import run
from meldpy.engine.config import plain_engine
from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import Guest
from meldpy.engine.guests.wasi import Wasi
from meldpy.engine.guests.wave import call_text
from meldpy.engine.run import Environment, invoke
from meldpy.engine.wavecodec import SMALLEST, WaveCodec
from meldpy.errors import MeldError
from tests.support.hosted import LIMITS, on_guest_thread

PLAIN = """(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f"))) (export "f" (func $f))
  (instance $e (export "g" (func $f))) (export "demo:a/e" (instance $e)))"""
HANDLE = """(component
  (type $mine (resource (rep i32))) (export $r "r" (type $mine))
  (core func $new (canon resource.new $mine))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "f") (result i32) (call $new (i32.const 7))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func (export "f") (result (own $r)) (canon lift (core func $i "f"))))"""
BROKEN = b"\0asm\x0d\0\1\0\xff"


def leb(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def large_body() -> object:
    size = 8_000_000
    code = b"\1" + leb(size) + bytes(size)
    return decode_module(b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + leb(len(code)) + code, "large.wasm")


def own_type() -> wc.ValType:
    """The type of a handle that a component has."""
    engine = plain_engine()
    found = wc.Component(engine, bytes(wat2wasm(HANDLE))).type.exports(engine)["f"].ty
    assert isinstance(found, wc.FuncType)
    assert found.result is not None
    return found.result


def on_thread(do: Callable[[], object]) -> object:
    return on_guest_thread(do)


def guest(text: str, wasi: Wasi | None = None) -> Guest:
    return Guest(load(bytes(wat2wasm(text))), {}, wasi or Wasi(), LIMITS, deadline=5)


class Workers:
    """A cluster's client that hears this of its workers."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer

    def run(self, *_: object, **__: object) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def others(answer: dict[str, Any] | Exception) -> None:
    cluster._refuse_others(Workers(answer), "tcp://x:1", False)  # type: ignore[arg-type]


CASES: dict[str, Callable[[], object]] = {
    "the component cannot be compiled": lambda: load(BROKEN),
    "imports a function `f` by itself": lambda: load(bytes(wat2wasm('(component (import "f" (func)))'))),
    "cannot give the guest the directory gone": lambda: on_thread(
        lambda: guest(PLAIN, Wasi(directories=(("gone", "/", False),)))
    ),
    "f takes 0 arguments, 1 were given": lambda: on_thread(lambda: call_text(guest(PLAIN), ("f",), "f(1)", 5)),
    "demo:a/e is not a function": lambda: invoke(bytes(wat2wasm(PLAIN)), ("demo:a/e",), "e()", Environment()),
    "a value of type own has no text form": lambda: invoke(bytes(wat2wasm(HANDLE)), ("f",), "f()", Environment()),
    "a host that is made up has no handles to give": lambda: WaveCodec().to_host(own_type(), SMALLEST),
    "function body has 8000000 bytes": large_body,
    "the cluster at tcp://x:1 has no workers": lambda: others({}),
}


@pytest.mark.parametrize("words", CASES)
def test_it_is_told(words: str) -> None:
    with pytest.raises(MeldError) as caught:
        CASES[words]()
    assert words in caught.value.render()


def test_a_cluster_without_workers_is_told_however_it_says_so() -> None:
    with pytest.raises(MeldError, match="no workers"):
        others(ValueError("no workers"))


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 0.2)
    with pytest.raises(MeldError, match="there is no Dask scheduler at nonsense"):
        cluster._connected("nonsense://x")


COMMANDS = {
    "a reply comes from one module": ["host", "send", "topic", "--reply", "1"],
    "cannot read gone": ["host", "send", "topic", "@gone"],
}


@pytest.mark.parametrize("words", COMMANDS)
def test_a_message_that_cannot_be_sent_is_told(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from meldpy.host.control import protocol
    from meldpy.host.control.server import SOCKET

    monkeypatch.chdir(tmp_path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(SOCKET)
    server.listen()

    def serve() -> None:
        channel, _ = server.accept()
        protocol.send(channel, protocol.Hello(protocol.VERSION, 1))
        channel.recv(1)
        channel.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert run([*COMMANDS[words], "--folder", str(tmp_path)]) in (1, 2)
    thread.join()
    server.close()
    assert words in capsys.readouterr().err
