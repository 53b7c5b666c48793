"""Outputs that tell the values which broke a rule: `meld fuse --trap-values`, read from backtraces.

Each rule whose check has values at hand is broken with values of the test's choice; an engine's backtrace must say just
these, and the rule must be the one that fires without the option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from wasmtime import component as components

import meldpy
from meldpy.cli.main import run
from meldpy.debug.traces import rewritten, trap_told
from meldpy.debug.values import Part, part, values
from meldpy.debugging import modules_in, symbolizer
from meldpy.engine.text import assemble
from meldpy.engine.traps import trap_kind
from meldpy.pipeline import FuseInput
from tests.debug.test_core_dumps import dump, frame, stack_of
from tests.debug.test_symbolize import trapping
from tests.support.harness import Trap
from tests.support.trapcases import async_scripts
from tests.support.trapcases.case import Played, engine, play

TELLING = meldpy.FuseOptions(trap_values=True)
TALKATIVE = ", telling values"


@dataclass(frozen=True)
class Rule:
    """How a rule is broken, and what must be told.

    type: of the function that is called. given: the core values it is called with. lowered: options of `canon lower`.
    room: what the callee's realloc returns. returns: what the callee returns, if it returns anything.
    """

    told: str
    type: str
    given: tuple[int, ...]
    lowered: str = ""
    room: int = 64
    returns: int | None = None

    @property
    def caller(self) -> bytes:
        flat = " ".join("i32" for _ in self.given)
        values = " ".join(f"(i32.const {value})" for value in self.given)
        text = f"""(component
          (import "take" (func $take {self.type}))
          (core module $m (memory (export "m") 1))
          (core instance $mem (instantiate $m))
          (core func $lowered (canon lower (func $take) (memory $mem "m") {self.lowered}))
          (core module $main (import "" "take" (func $take (param {flat})))
            (func $go (export "go") (call $take {values})))
          (core instance $i (instantiate $main (with "" (instance (export "take" (func $lowered))))))
          (func (export "go") (canon lift (core func $i "go"))))"""
        return assemble(text.encode(), "app")

    @property
    def callee(self) -> bytes:
        # a result that does not fit is returned by its address, and the caller says where it goes
        count = len(self.given) - (self.returns is not None)
        flat = " ".join("i32" for _ in range(count))
        body = "" if self.returns is None else f"(result i32) (i32.const {self.returns})"
        text = f"""(component
          (core module $m (memory (export "m") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {self.room}))
            (func (export "take") (param {flat}) {body}))
          (core instance $i (instantiate $m))
          (func (export "take") {self.type}
            (canon lift (core func $i "take") (memory $i "m") (realloc (func $i "realloc")))))"""
        return assemble(text.encode(), "lib")

    def fused(self, options: meldpy.FuseOptions | None = None) -> bytes:
        return meldpy.fuse([FuseInput("app", "a", self.caller), FuseInput("lib", "l", self.callee)], options).bytes


def of(type: str) -> str:
    return f'(param "v" {type})'


SPILLED = " ".join(f'(param "p{number}" u32)' for number in range(17))
PAIR = "(result (tuple u32 u64))"
RULES = {
    "invalid char": Rule("char 0x110000", of("char"), (0x110000,)),
    "invalid variant discriminant": Rule("discriminant 0xffffffff, cases 0x2", of("(option u32)"), (-1, 0)),
    "list too long": Rule("length 0x8000000", of("(list u16)"), (0, 0x8000000)),
    "list pointer misaligned": Rule("pointer 0x106", of("(list u32)"), (0x106, 1)),
    "list out of bounds": Rule("pointer 0xfffc, bytes 0x8", of("(list u32)"), (0xFFFC, 2)),
    "string too long": Rule("units 0x10000000", of("string"), (0, 0x10000000)),
    "string pointer misaligned": Rule("pointer 0x9", of("string"), (9, 1), "string-encoding=utf16"),
    "string out of bounds": Rule("pointer 0xff00, bytes 0x102", of("string"), (0xFF00, 0x81), "string-encoding=utf16"),
    "realloc returned a misaligned pointer": Rule("pointer 0x44, alignment 0x8", of("(list u64)"), (8, 1), room=0x44),
    "realloc result out of bounds": Rule("pointer 0xfff0, bytes 0x18", of("(list u64)"), (8, 3), room=0xFFF0),
    "parameters pointer misaligned": Rule("pointer 0x2", SPILLED, (2,)),
    "parameters pointer out of bounds": Rule("pointer 0xffffffc0, bytes 0x44", SPILLED, (-64,)),
    "result pointer misaligned": Rule("pointer 0x24", PAIR, (16,), returns=0x24),
    "result pointer out of bounds": Rule("pointer 0xfff8, bytes 0x10", PAIR, (0xFFF8,), returns=16),
}


@pytest.mark.parametrize("name", RULES)
def test_the_values_that_broke_a_rule_are_told(name: str) -> None:
    rule = RULES[name]
    plain, telling = (trapping(rule.fused(options), "go") for options in (None, TELLING))
    assert trap_kind(plain) == trap_kind(telling) == name
    symbols = symbolizer(rule.fused(TELLING), "out")
    for lines in (trap_told(telling, symbols), rewritten(telling.splitlines(), symbols)):
        first, second, *others = [line for line in lines if re.match(r" +(\d+:|with)", line)]
        assert first == f"   0: trap: {name}"
        assert second == f"      with {rule.told}"
        assert not [line for line in others if "value" in line and TALKATIVE not in line]
        assert others[-1].endswith(": app: go")


def asynchronous(condition: str) -> Played:
    """A script of the table of trap conditions that ends in it."""
    found = [case for case in async_scripts.cases() if case.condition == condition]
    (played, *_) = [case.problems.__self__ for case in found]  # type: ignore[attr-defined]
    assert isinstance(played, Played)
    return played


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("buffer-misaligned", {"pointer"}),
        ("buffer-outside", {"pointer", "bytes"}),
        ("buffer-too-long", {"length"}),
    ],
)
def test_buffers_of_streams_are_told(condition: str, names: set[str]) -> None:
    played = asynchronous(condition)
    output = meldpy.fuse([assemble(played.text.encode(), condition)], TELLING).bytes
    symbols = symbolizer(output, "out")
    for steps in played.runs:
        last = play(components.Component(engine(), output), played.host, steps)[-1]
        if steps[-1].trap is None:
            assert not isinstance(last, Trap)
            continue
        assert isinstance(last, Trap)
        assert last.kind == steps[-1].trap
        (told,) = re.findall(r"^ +with (.*)$", "\n".join(trap_told(last.message, symbols)), re.MULTILINE)
        found = dict(each.split(" ") for each in told.split(", "))
        assert set(found) == names
        if condition == "buffer-misaligned":
            assert int(found["pointer"], 16) % 4
        elif condition == "buffer-outside":
            assert int(found["pointer"], 16) + int(found["bytes"], 16) > 0x10000
        else:
            assert int(found["length"], 16) > (1 << 28) - 1


def test_a_trace_that_ends_within_values_says_none() -> None:
    rule = RULES["list out of bounds"]
    text = trapping(rule.fused(TELLING), "go")
    symbols = symbolizer(rule.fused(TELLING), "out")
    lines = text.splitlines()
    last = max(number for number, line in enumerate(lines) if "value: " in line)
    for end in range(2, last + 2):
        told = list(rewritten(lines[:end], symbols))
        assert not any("with" in line for line in told)
        assert len(told) == end
    assert any("with" in line for line in rewritten(lines[: last + 2], symbols))


def test_traces_of_browsers_say_them_too() -> None:
    rule = RULES["list out of bounds"]
    output = rule.fused(TELLING)
    symbols = symbolizer(output, "out")
    text = trapping(output, "go")
    start = max(modules_in(output, "out"), key=lambda module: module.size).offset
    lines = []
    for offset in (int(found, 16) for found in re.findall(r"^ +\d+: +0x([0-9a-f]+) - ", text, re.MULTILINE)):
        (index,) = [index for index in range(60) if symbols.frames_in_module(offset - start, index)]
        lines.append(f"    at (wasm://wasm/abc:wasm-function[{index}]:{offset - start:#x})")
    told = list(rewritten(["RuntimeError: unreachable", *lines], symbols))
    assert told[2:5] == ["        trap: list out of bounds", "      with pointer 0xfffc, bytes 0x8", lines[-2]]


def test_core_dumps_say_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = RULES["list out of bounds"].fused(TELLING)
    main = max(modules_in(output, "out"), key=lambda module: module.size)
    out, core = tmp_path / "out.wasm", tmp_path / "core"
    out.write_bytes(output)
    stack = stack_of(output, main.offset, trapping(output, "go"))
    core.write_bytes(dump([frame(0, function, offset) for function, offset, _ in stack]))
    assert run(["symbolize", str(out), "--core-dump", str(core)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1:3] == ["   0: trap: list out of bounds", "      with pointer 0xfffc, bytes 0x8"]
    assert told[-1].endswith("app: go")


def test_functions_of_guests_with_such_a_name_are_no_values() -> None:
    assert part("pointer", b"\x00\x0b", 1) is None
    assert values([Part("a", 3)]) is None
    assert values([Part("a", None), Part("b", 3)]) is None
    assert values([Part("b", None), Part("a", None), Part("a", 1), Part("a", 2)]) == [("a", 0x102), ("b", 0)]


def test_an_output_that_was_not_asked_has_nothing_of_it() -> None:
    rule = RULES["list out of bounds"]
    assert b"value: " not in rule.fused()
    assert b"value: " in rule.fused(TELLING)
    named = meldpy.FuseOptions(trap_values=True, names="none")
    assert trap_kind(trapping(rule.fused(named), "go")) == "wasm `unreachable` instruction executed"


def test_run_and_manifests_know_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = RULES["invalid char"]
    app, lib, out = (tmp_path / f"{name}.wasm" for name in ("app", "lib", "out"))
    app.write_bytes(rule.caller)
    lib.write_bytes(rule.callee)
    assert run(["-q", "fuse", f"app={app}", f"lib={lib}", "--trap-values", "-o", str(out)]) == 0
    assert run(["run", str(out), "--invoke", "go()"]) == 134
    told = capsys.readouterr().err
    assert "the call broke a rule of the Canonical ABI: invalid char" in told
    assert "with char 0x110000" in told
    assert out.read_bytes() == rule.fused(TELLING)
    manifest = tmp_path / "meld.toml"
    manifest.write_text('inputs = ["app=app.wasm", "lib=lib.wasm"]\noutput = "again.wasm"\ntrap-values = true\n')
    assert run(["-q", "fuse", "--manifest", str(manifest)]) == 0
    assert (tmp_path / "again.wasm").read_bytes() == out.read_bytes()
