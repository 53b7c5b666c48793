"""Commands as core outputs, called through `meldpy.core` with its own WASI: they print what their scenarios say."""

from __future__ import annotations

from io import BytesIO

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy import core
from meldpy.core import Case
from meldpy.fixture import Fixture
from meldpy.pipeline import FuseOptions
from tests.differential.test_core_api import NEED_WASI
from tests.support.core_output import core_of
from tests.support.core_scenario import Player
from tests.support.fixtures import load


def printed(fixture: Fixture, memory: str) -> list[str]:
    """How the calls of a scenario differ from what it foretells."""
    module = core_of(fixture, memory=memory)
    faults, player, streams = [], Player(module, fixture), (BytesIO(), BytesIO())
    for call in fixture.calls:
        if call.argv is not None or player.instance is None:
            streams = (BytesIO(), BytesIO())
            wasi = core.Wasi(["guest", *(call.argv or ())], call.env, stdout=streams[0], stderr=streams[1])
            player = Player(module, fixture, wasi=wasi)
            player.start()
        for stream in streams:
            stream.seek(0)
            stream.truncate()
        seen: list[object] = [None, None, None]
        assert call.call is not None
        try:
            seen[0] = player.call(call.call)
        except core.Exit as exited:
            seen[2], player.instance = exited.code, None
        except core.GuestTrap:
            seen[1], player.instance = True, None
        wanted = [call.expected.returns, call.expected.trap and True, call.expected.exit]
        if seen != wanted:
            faults.append(f"{call.call}: {seen}, foretold {wanted}")
        for stream, text in zip(streams, (call.stdout, call.stderr), strict=True):
            said = stream.getvalue().decode()
            if text is not None and said != text and call.expected.trap is None:
                faults.append(f"{call.call} said {said!r}, foretold {text!r}")
    return faults


@pytest.mark.parametrize("memory", ["separate", "single"])
@pytest.mark.parametrize("name", sorted(NEED_WASI))
def test_commands_print_what_their_scenarios_say(name: str, memory: str) -> None:
    assert not printed(load(name), memory)


READS = """(component
  (import "wasi:io/streams@0.2.3" (instance $streams
    (export "input-stream" (type $in (sub resource)))
    (type $error (variant (case "closed")))
    (export "stream-error" (type $stream-error (eq $error)))
    (export "[method]input-stream.blocking-read" (func (param "self" (borrow $in)) (param "len" u64)
      (result (result (list u8) (error $stream-error)))))))
  (alias export $streams "input-stream" (type $in))
  (import "wasi:cli/stdin@0.2.3" (instance $stdin
    (alias outer 1 $in (type $in-here))
    (export "input-stream" (type $in-stream (eq $in-here)))
    (export "get-stdin" (func (result (own $in-stream))))))
  (core module $Memory (memory (export "m") 1)
    (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $memory (instantiate $Memory))
  (core func $stdin (canon lower (func $stdin "get-stdin")))
  (core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory (core memory $memory "m")) (realloc (core func $memory "r"))))
  (core module $M
    (import "" "stdin" (func $stdin (result i32)))
    (import "" "read" (func $read (param i32 i64 i32)))
    (import "" "m" (memory 1))
    (global $in (mut i32) (i32.const 0))
    (func (export "read") (param i64) (result i32)
      (if (i32.eqz (global.get $in)) (then (global.set $in (call $stdin))))
      (call $read (global.get $in) (local.get 0) (i32.const 16))
      (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.const -1)) (else (i32.load (i32.const 24))))))
  (core instance $m (instantiate $M (with "" (instance
    (export "stdin" (func $stdin)) (export "read" (func $read)) (export "m" (memory $memory "m"))))))
  (func (export "read") (param "length" u64) (result s32) (canon lift (core func $m "read"))))"""


def test_standard_input_is_read_to_its_end() -> None:
    module = meldpy.fuse([bytes(wat2wasm(READS))], FuseOptions(core=True)).bytes
    guest = core.load(module, wasi=core.Wasi(stdin=b"seven b"))
    assert [guest.call("read", 4) for _ in range(3)] == [4, 3, -1]


def test_functions_of_the_host_come_before_those_of_wasi() -> None:
    module = meldpy.fuse([bytes(wat2wasm(READS))], FuseOptions(core=True)).bytes
    streams = "wasi:io/streams@0.2.3#[method]input-stream.blocking-read"
    guest = core.load(module, {streams: lambda stream, length: Case("ok", [0] * 9)}, wasi=core.Wasi())
    assert guest.call("read", 4) == 9
