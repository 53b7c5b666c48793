"""Webs (tests.support.gen.web) as jco and V8 play them: compositions of more guests, composed and fused."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from wasmtime import wat2wasm

import meldpy
from meldpy.pipeline import FuseOptions
from tests.support.gen.guests import Func
from tests.support.gen.run import COMPOSED, FUSED, Runner
from tests.support.gen.web import Definition, Web, random_web
from tests.support.gen.web_run import Start, expect_run, prepare_run
from tests.support.gen.web_text import web_text
from tests.support.jco.edge import lists_at_the_edge
from tests.support.jco.known import Disagreement, Known
from tests.support.jco.oracle import Tally, kinds_of, unlike, unplayable_funcs
from tests.support.jco.player import Part, Player


def random_playable_web(rng: Random) -> Web:
    """One of two is what jco can play as a composition; the others come as they are."""
    web = random_web(rng)
    return web if rng.randrange(2) else replace(web, definitions=tuple(map(_playable, web.definitions)))


def _playable(definition: Definition) -> Definition:
    return replace(
        definition,
        guest=replace(definition.guest, wide=False),
        exports=tuple(map(_recoded, definition.exports)),
        imports=tuple(replace(imported, func=_recoded(imported.func)) for imported in definition.imports),
    )


def _recoded(func: Func) -> Func:
    """With encodings that jco has. What becomes of one side's must not depend on the other's but for callers."""
    caller, callee = ("utf8" if encoding == "latin1+utf16" else encoding for encoding in func.encodings)
    return replace(func, encodings=("utf8" if callee == "utf16" else caller, callee))


def check_web(player: Player, known: Known, web: Web, rng: Random, runs: int, tally: Tally) -> list[str]:
    """Makes each of the root's runs `runs` times, every other one with a broken rule; the differences."""
    player.renew()
    text = web_text(web)
    strings, lists = (bytes(wat2wasm(each)) for each in (text, lists_at_the_edge(text)))
    reason = unplayable_funcs((func for func, _ in web.funcs()), any(d.guest.wide for d in web.definitions))
    forms = [FUSED] if reason else [FUSED, COMPOSED]
    tally.left_out.update([(COMPOSED, reason)] if reason else [])
    runners = {}
    for form in forms:
        binaries = [strings, lists]
        if form == FUSED:
            binaries = [meldpy.fuse([binary], FuseOptions(validate=False)).bytes for binary in binaries]
        runners[form] = Runner.of(binaries[0])
        player.load(form, [Part(binaries[1])])
    tally.played.update(forms)
    tally.kinds |= kinds_of(t for func, _ in web.funcs() for t in (*func.params, func.result))
    found = []
    for run in range(len(web.of(web.root).runs)):
        for number in range(runs):
            start = prepare_run(rng, web, run, broken=number % 2 == 1)
            if start is not None:
                found += [f"run {run}, {text}" for text in _judge(player, known, web, start, runners, tally)]
    return found


def _judge(player: Player, known: Known, web: Web, start: Start, runners: dict[str, Runner], tally: Tally) -> list[str]:
    names = [f"n{n}" for n in range(len(web.nodes))]
    patterns = [web.of(n).guest.pattern for n in range(len(web.nodes))]
    images = dict(zip(names, start.images, strict=True))
    played = f"run{start.run}", images, any(script.grows_at for script in start.scripts)
    expected = expect_run(web, start)
    if expected.open:
        return []
    tally.traps.update(expected.traps[:1])
    found = []
    for form, runner in runners.items():
        quirky = expect_run(web, start, lambda *_: True) if form == COMPOSED else expected
        seen, other = player.play(form, *played), runner.play(*played)
        tally.calls[form] += 1
        differing = unlike(expected, quirky, seen, other, form, patterns, names)
        if differing and form == COMPOSED:
            funcs = tuple(func for func, _ in web.funcs())
            differing = [] if known.explains(Disagreement(form, funcs, expected, seen)) else differing
        found += [f"realloc {start.scripts}: jco, {text}" for text in differing]
    return found
