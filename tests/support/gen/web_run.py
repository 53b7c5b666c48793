"""Random runs of a web: every guest's memory before and after, predicted by the model and seen under the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from wasmtime import WasmtimeError, wat2wasm

import meldpy
from meldpy.pipeline import FuseInput, FuseOptions
from tests.support.gen.calls import CORE_SIZES, Expected, bad_script, cross, mood, with_script
from tests.support.gen.encode import Encoder, Full
from tests.support.gen.guests import ARGS, FAIL_AT, HEAP, IMAGE, PAGE, PORT, RESULT, lowered_params
from tests.support.gen.layout import core_result, flat_params, pointer_size, spills_result
from tests.support.gen.model import Script, Side, Trapped, Undetermined
from tests.support.gen.run import COMPOSED, FUSED, Runner, differences
from tests.support.gen.scenario import (
    Tally,
    count_cells,
    digest,
    has_fixed,
    realloc_trapped_first,
    room_came_first,
    tags_differ,
)
from tests.support.gen.types import Type
from tests.support.gen.values import Budget, random_value
from tests.support.gen.web import Definition, Web, is_range
from tests.support.gen.web_text import web_text
from tests.support.kept import fuse_keeping, linked, with_code
from tests.support.shape import assert_fused_shape


@dataclass(frozen=True, slots=True)
class Start:
    """Every node's memory before a run, and how its realloc behaves."""

    run: int
    images: tuple[bytes, ...]
    scripts: tuple[Script, ...]


def prepare_run(rng: Random, web: Web, run: int, broken: bool) -> Start | None:
    """A run with random values; `broken`: with one rule broken somewhere. None if the values do not fit."""
    seed, bad_realloc = rng.getrandbits(32), broken and rng.randrange(4) == 0
    try:
        images, sites = _images(web, run, Random(seed), -1, top=not bad_realloc)
        if broken and not bad_realloc and sites:
            images, _ = _images(web, run, Random(seed), rng.randrange(sites), top=True)
    except Full:
        return None
    start = Start(run, tuple(map(bytes, images)), (Script(),) * len(images))
    if not bad_realloc:
        return _scripted(start, tuple(mood(rng) for _ in images))
    expected = expect_run(web, start)
    busy = [n for n, side in enumerate(expected.sides or ()) if side.log]
    if expected.sides is None or not busy:
        return start
    chosen = rng.choice(busy)
    scripts = [Script()] * len(images)
    scripts[chosen] = bad_script(rng, expected.sides[chosen].log, web.of(chosen).guest)
    return _scripted(start, tuple(scripts))


def _scripted(start: Start, scripts: tuple[Script, ...]) -> Start:
    images = tuple(with_script(image, script) for image, script in zip(start.images, scripts, strict=True))
    return Start(start.run, images, scripts)


def _images(web: Web, run: int, rng: Random, target: int, top: bool) -> tuple[list[bytearray], int]:
    """The memories with the values of all calls of the run, and the number of places where a rule can be broken."""
    values, sites, images = Random(rng.getrandbits(32)), 0, []
    for node, (imports, exports) in enumerate(zip(*_reached(web, run), strict=True)):
        image = _Image(web.of(node), rng, values, target - sites, top)
        for number in imports:
            image.arguments(number)
        for number in exports:
            image.result(number)
        images.append(image.encoder.data)
        sites += image.encoder.sites
    return images, sites


class _Image:
    """The memory of one node. One encoder writes it all; the encoding is each function's."""

    def __init__(self, definition: Definition, rng: Random, values: Random, target: int, top: bool) -> None:
        guest = definition.guest
        data = bytearray([guest.pattern]) * (guest.pages * PAGE)
        data[FAIL_AT:ARGS] = bytes(ARGS - FAIL_AT)
        self.definition, self.values = definition, values
        self.encoder = Encoder(rng, guest.wide, "", data, IMAGE, HEAP, target, top=len(data) if top else 0)

    def arguments(self, number: int) -> None:
        """What the call of an import passes."""
        encoder, func = self.encoder, self.definition.imports[number].func
        encoder.encoding = func.encodings[0]
        flat = encoder.params(func.params, [self._value(t) for t in func.params])
        if func.result is not None and spills_result(func.result, encoder.wide):
            flat.append(encoder.free_area(func.result))
        at = ARGS + PORT * self.definition.import_port(number)
        for i, (bits, core) in enumerate(zip(flat, lowered_params(func, encoder.wide), strict=True)):
            encoder.put(at + 8 * i, CORE_SIZES[core], bits)

    def result(self, number: int) -> None:
        """What an export returns."""
        encoder, func = self.encoder, self.definition.exports[number]
        encoder.encoding = func.encodings[1]
        returned = core_result(func.result, encoder.wide)
        at = RESULT + PORT * self.definition.export_port(number)
        if number in self.definition.echoes:
            room = pointer_size(encoder.wide)
            encoder.put(at, room, encoder.block(2 * room, room))
        elif func.result is not None and returned is not None:
            encoder.put(at, CORE_SIZES[returned], encoder.result(func.result, self._value(func.result)))

    def _value(self, type: Type) -> Any:
        return random_value(type, self.values, Budget(self.values.choice((100, 300, 1200))))


def _reached(web: Web, run: int) -> tuple[list[list[int]], list[list[int]]]:
    """For each node, the imports that it calls in the run, and its exports that are called."""
    imports: list[list[int]] = [[] for _ in web.nodes]
    exports: list[list[int]] = [[] for _ in web.nodes]

    def visit(node: int, calls: tuple[int, ...]) -> None:
        for number in calls:
            if number not in imports[node]:
                imports[node].append(number)
            callee, export = callee_of(web, node, number)
            if export not in exports[callee]:
                exports[callee].append(export)
                visit(callee, web.of(callee).calls[export])

    visit(web.root, web.of(web.root).runs[run])
    return imports, exports


def callee_of(web: Web, node: int, number: int) -> tuple[int, int]:
    """The node and its export that an import of `node` is."""
    imported = web.of(node).imports[number]
    return web.nodes[node].targets[imported.target], imported.export


def expect_run(web: Web, start: Start, quirks: Callable[[int, int], bool] = lambda caller, callee: False) -> Expected:
    """What the spec says of the run; what the engine that runs compositions does in the crossings with `quirks`."""
    sides = tuple(
        Side(web.of(n).guest.wide, "", bytearray(image), HEAP, script)
        for n, (image, script) in enumerate(zip(start.images, start.scripts, strict=True))
    )

    def cross_by(caller: int, callee: int) -> None:
        for node in (caller, callee):
            sides[node].quirks = quirks(caller, callee)

    def call(node: int, number: int) -> None:
        callee, export = callee_of(web, node, number)
        func = web.of(node).imports[number].func
        ports = web.of(node).import_port(number), web.of(callee).export_port(export)

        def body() -> None:
            for inner in web.of(callee).calls[export]:
                call(callee, inner)
            cross_by(node, callee)
            if export in web.of(callee).echoes:
                _echo(sides[callee], func.params[0], ports[1])

        cross_by(node, callee)
        cross(sides[node], sides[callee], export, func, ports, body)

    try:
        for number in web.of(web.root).runs[start.run]:
            call(web.root, number)
    except Trapped as trapped:
        return Expected(traps=trapped.kinds)
    except Undetermined:
        return Expected()
    return Expected(sides=sides)


def _echo(side: Side, type: Type, port: int) -> None:
    """What the guest does with its memory: see `web_text`."""
    args, result, room = ARGS + PORT * port, RESULT + PORT * port, pointer_size(side.wide)
    if is_range(type):
        area = side.number(result, room)
        for i in (0, 1):
            side.put(area + i * room, room, side.number(args + 8 * i, room))
        return
    core = flat_params((type,), side.wide)[0]
    count = CORE_SIZES[core]
    if core in ("f32", "f64") and args in side.nans:
        raise Undetermined
    side.put(result, count, side.number(args, count))


@dataclass(frozen=True, slots=True)
class Mixed:
    """A fused form in which some nodes are kept, and the crossings that are left to the engine."""

    runner: Runner
    engines: Callable[[int, int], bool]

    @classmethod
    def of(cls, web: Web, binary: bytes, rng: Random) -> Mixed:
        """With one node at least that is kept."""
        item = FuseInput("web", "web", binary)
        instances = with_code(linked([item], FuseOptions()))
        assert len(instances) == len(web.nodes)
        chosen = rng.sample(instances, rng.randint(1, max(1, len(instances) - 1)))
        output, cut = fuse_keeping([item], FuseOptions(), lambda graph: chosen, validate=False)
        group = {instances.index(id_): n for n, part in enumerate(cut.parts) if part.fused for id_ in part.instances}
        return cls(
            Runner.of(output),
            lambda caller, callee: caller not in group or callee not in group or group[caller] != group[callee],
        )


def check_web(web: Web, rng: Random, runs: int, tally: Tally | None = None, *, keep: Random | None = None) -> list[str]:
    """Makes each of the root's runs `runs` times, every other one with a broken rule; the differences.

    keep: also in a form in which a random choice of nodes is kept.
    """
    tally = Tally() if tally is None else tally
    binary = bytes(wat2wasm(web_text(web)))
    composed = _composed(web, binary)
    output = meldpy.fuse([binary], FuseOptions(validate=False)).bytes  # the runners compile both, which is stricter
    assert_fused_shape(output)
    fused = Runner.of(output)
    mixed = None if keep is None or composed is None else Mixed.of(web, binary, keep)
    tally.compositions += 1
    tally.structures.add(digest(web))
    tally.shapes[web.shape] += 1
    tally.unjudged += composed is None
    for func, widths in web.funcs():
        count_cells(tally, func, widths)
    found = []
    for run in range(len(web.of(web.root).runs)):
        for number in range(runs):
            start = prepare_run(rng, web, run, broken=number % 2 == 1)
            if start is not None:
                found += [f"run {run}, {text}" for text in _judge(web, start, composed, fused, mixed, tally)]
    return found


def _composed(web: Web, binary: bytes) -> Runner | None:
    """None where the engine cannot compile the composition: see `fixed-list-in-64-bit-memory`, divergences.toml."""
    try:
        return Runner.of(binary)
    except WasmtimeError as error:
        odd = any(any(widths) and has_fixed(func) for func, widths in web.funcs())
        if odd and "Invalid input WebAssembly code" in str(error):
            return None
        raise


def _judge(
    web: Web, start: Start, composed: Runner | None, fused: Runner, mixed: Mixed | None, tally: Tally
) -> list[str]:
    names = [f"n{n}" for n in range(len(web.nodes))]
    patterns = [web.of(n).guest.pattern for n in range(len(web.nodes))]
    images = dict(zip(names, start.images, strict=True))
    grows = any(script.grows_at for script in start.scripts)
    expected = expect_run(web, start)
    if expected.open:
        return []
    tally.calls += sum(map(len, _reached(web, start.run)[0]))
    tally.traps.update(expected.traps[:1])
    seen = fused.play(f"run{start.run}", images, grows)
    beside = None if composed is None else composed.play(f"run{start.run}", images, grows)
    odd = any(tags_differ(func, widths) for func, widths in web.funcs())
    if realloc_trapped_first(expected, seen, None if odd else beside):
        return []
    texts = differences(expected, seen, patterns, FUSED, names)
    if beside is not None and not room_came_first(expected, beside):
        quirky = _with_quirks(web, start, expected, lambda caller, callee: True)
        texts += differences(quirky, beside, patterns, COMPOSED, names)
    if mixed is not None:
        between = mixed.runner.play(f"run{start.run}", images, grows)
        if not room_came_first(expected, between):
            quirky = _with_quirks(web, start, expected, mixed.engines)
            texts += [f"some kept: {text}" for text in differences(quirky, between, patterns, COMPOSED, names)]
    return [f"realloc {start.scripts}: {text}" for text in texts]


def _with_quirks(web: Web, start: Start, expected: Expected, engines: Callable[[int, int], bool]) -> Expected:
    """What happens if the engine makes some crossings; a run that ends in a trap may end in what the spec says, too."""
    quirky = expect_run(web, start, engines)
    return Expected(traps=(*quirky.traps, *expected.traps)) if quirky.traps else quirky
