"""Components of WASI 0.3, and async functions of the host, composed beside fused, under the oracle of support/wasi3.

Deep, because the oracle takes long to build where no cache has it.
"""

from __future__ import annotations

from typing import Any

import pytest

import meldpy
from meldpy.fixture.compose import compose
from meldpy.fixture.files import components
from meldpy.fixture.model import Wire
from tests.support import wasi3
from tests.support.fixtures import load

pytestmark = pytest.mark.deep

WORDS = "demo:words/api@1.0.0"


def guest(name: str) -> bytes:
    return (wasi3.GUESTS / f"{name}.wasm").read_bytes()


def both(user: str) -> tuple[bytes, bytes]:
    """A user of the words, with their provider: composed, and fused."""
    parts = {"words": guest("words"), user: guest(user)}
    composed = compose(parts, [Wire(user, WORDS, "words", WORDS)])
    inputs = [meldpy.FuseInput(name, name, data) for name, data in parts.items()]
    return composed, meldpy.fuse(inputs, meldpy.FuseOptions(flat=True)).bytes


@pytest.mark.parametrize("arguments", [[], ["one"], ["a text", "of several", "arguments that are longer"]])
def test_a_command_streams_to_stdout(arguments: list[str]) -> None:
    composed, fused = both("command")
    ran = wasi3.ask("run", composed, *arguments)
    assert ran.code == 0, ran.stderr
    words = " ".join(["program", *arguments]).split()
    assert ran.stdout == "\n".join([*words, str(len(words))]).upper() + "\n"
    assert wasi3.ask("run", fused, *arguments) == ran


@pytest.mark.parametrize(("path", "body"), [("/", ""), ("/one/two", "a body"), ("/x", "a longer body " * 500)])
def test_a_handler_streams_a_body_through(path: str, body: str) -> None:
    composed, fused = both("handler")
    ran = wasi3.ask("handle", composed, "POST", path, body)
    assert ran.code == 0, ran.stderr
    head, _, text = ran.stdout.partition("\n\n")
    assert head.splitlines() == ["200", f"x-words: {len(path.replace('/', ' ').split())}"]
    assert text == body.upper().replace(" ", "\n") + "\n"
    assert wasi3.ask("handle", fused, "POST", path, body) == ran


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_chain_of_middleware_streams_bodies_both_ways(hops: int) -> None:
    parts = [(f"m{i}", guest("middleware")) for i in range(hops)]
    parts += [("handler", guest("handler")), ("words", guest("words"))]
    inputs = [meldpy.FuseInput(name, name, data) for name, data in parts]
    # each is kept: the root wires them, and every adapter is the engine's
    composed = meldpy.fuse(inputs, meldpy.FuseOptions(chain=True, keeps=tuple(name for name, _ in parts))).bytes
    ran = wasi3.ask("handle", composed, "PUT", "/a/b/c", "some text")
    assert ran.code == 0, ran.stderr
    head, _, text = ran.stdout.partition("\n\n")
    assert head.splitlines() == ["200", f"x-hops: {'+' * hops}", "x-words: 3"]
    assert text == "< " * hops + ">\n" * hops + "SOME\nTEXT\n"
    fused = meldpy.fuse(inputs, meldpy.FuseOptions(chain=True, flat=True)).bytes
    assert wasi3.ask("handle", fused, "PUT", "/a/b/c", "some text") == ran


PLAIN = "demo:words/plain@1.0.0"


@pytest.mark.parametrize("arguments", [[], ["some", "words here"]])
def test_a_toolkit_with_interfaces_of_two_generations_is_fused_with_an_older_command(arguments: list[str]) -> None:
    """One module exports async functions, which nobody calls, and the plain ones that the command calls."""
    parts = {"toolkit": guest("toolkit"), "app": guest("app")}
    composed = compose(parts, [Wire("app", PLAIN, "toolkit", PLAIN)])
    ran = wasi3.ask("run", composed, *arguments)
    text = " ".join(arguments)
    shown = text.upper().replace(" ", "\n")
    assert ran == wasi3.Ran(0, f'lines of "{text}", for {len(arguments) + 1} words\n{shown}\n', "")
    inputs = [meldpy.FuseInput(name, name, data) for name, data in parts.items()]
    fused = meldpy.fuse(inputs, meldpy.FuseOptions(flat=True))
    assert fused.report.engine_call_sites == 0
    assert wasi3.ask("run", fused.bytes, *arguments) == ran
    kept = meldpy.fuse(inputs, meldpy.FuseOptions(keeps=("toolkit",)))
    assert kept.report.engine_call_sites == 1
    assert wasi3.ask("run", kept.bytes, *arguments) == ran


HOST: dict[str, Any] = {
    "demo:slow/api@1.0.0#now": {"when": 0, "returns": "7"},
    "demo:slow/api@1.0.0#later": {"when": 5, "returns": "11"},
    "demo:slow/api@1.0.0#never": {"when": None, "returns": None},
}
STEPS: list[list[tuple[str, list[str]]]] = [
    [("run-now", ["1"])],
    [("run-later", ["2", "1"])],
    [("run-both", ["3", "1"])],
    [("run-blocking", ["3", "1"])],
    [("run-later", ["1", "1"]), ("run-now", ["2"]), ("run-blocking", ["1", "2"])],
    [("run-never", ["1"])],
    [("run-now", ["1"])],
]


def test_host_functions_complete_now_later_or_never() -> None:
    asking = components(load("async-host"))["guest"]
    seen = wasi3.play(asking, HOST, STEPS)
    outcomes = [[outcome.get("returns", "pending") for outcome in step["outcomes"]] for step in seen]
    assert outcomes[:4] == [["7"], ["11"], ["18"], ["11"]]
    assert outcomes[5:] == [["pending"], ["7"]]
    assert wasi3.play(meldpy.fuse([asking]).bytes, HOST, STEPS) == seen
