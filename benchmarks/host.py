"""What the host costs and withstands: `python -m benchmarks.host [PART…]`; without a part, all that need nothing else.

calls     one call of a guest: this host, the engine's own binding, extism where it is installed; and load times
messages  request and reply, and one module to another, alone and beside 50 modules that saturate the machine
reload    swaps under 1,000 messages a second (RELOADS=100)
kills     kill -9 of a host with jobs and swaps under way (KILLS=20)
cache     a component from the cache of machine code (COMPONENT=FILE, a guest in Python say)
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import component as wc

from meldpy.engine.guests.artefacts import load
from meldpy.host.core import Core
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.lifecycle.plan import Persist
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Envelope
from meldpy.records import replace
from tests.support.hosted import GUESTS, artefact, execute, guest, on_guest_thread, probe, seen

ROOT = Path(__file__).parents[1]
WORLD = {"test:host/calls": {"quiet": lambda _: None, "loud": lambda n: n + 1}}


def timed(run: Callable[[], object], times: int) -> list[float]:
    """Microseconds of each call, of the thread's own clock: others work on this machine too."""
    found = []
    for _ in range(times):
        start = time.thread_time_ns()
        run()
        found.append((time.thread_time_ns() - start) / 1000)
    return found


def say(what: str, times: list[float], unit: str = "us") -> None:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    print(f"  {what:44} median {statistics.median(times):9.1f} {unit}  p99 {p99:9.1f}  of {len(times)}", flush=True)


# --- calls -----------------------------------------------------------------------------------------------------------
def calls() -> None:
    def ours() -> None:
        one = guest("hazards", WORLD)
        say("this host, nop", timed(lambda: one.call(("nop",), deadline=5), 3000))
        say("this host, string there and back", timed(lambda: one.call(("echo-text",), "hello", deadline=5), 3000))
        say("this host, instance made and closed", timed(lambda: guest("hazards", WORLD).close(), 300))
        say(
            "this host, load (compiled)",
            timed(lambda: load((GUESTS / "probe.wasm").read_bytes(), cache_folder=cache), 20),
        )

    def binding() -> None:
        compiled = artefact("hazards")
        linker = wc.Linker(compiled.engine.engine)
        with linker.root() as root, root.add_instance("test:host/calls") as instance:
            instance.add_func("quiet", lambda _store, _n: None)
            instance.add_func("loud", lambda _store, n: n + 1)

        def made() -> tuple[wasmtime.Store, wc.Instance]:
            store = wasmtime.Store(compiled.engine.engine)
            store.set_epoch_deadline(1 << 40)
            return store, linker.instantiate(store, compiled.component)

        store, instance = made()
        nop, echo = instance.get_func(store, "nop"), instance.get_func(store, "echo-text")
        assert nop is not None
        assert echo is not None
        say("the binding alone, nop", timed(lambda: nop(store), 3000))
        say("the binding alone, string there and back", timed(lambda: echo(store, "hello"), 3000))
        say("the binding alone, instance made and closed", timed(lambda: made()[0].close(), 300))

    cache = Path(tempfile.mkdtemp())
    on_guest_thread(ours)
    on_guest_thread(binding)
    try:
        import extism
    except ImportError:
        print("  extism is not installed")
        return
    module = bytes(
        wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "nop") (result i32) i32.const 0))')
    )
    plugin = extism.Plugin(module)
    say("extism, nop", timed(lambda: plugin.call("nop", b""), 3000))
    say("extism, plugin made", timed(lambda: extism.Plugin(module), 100))


# --- messages --------------------------------------------------------------------------------------------------------
def messages() -> None:
    """What others do on the machine is told as well: a thread that wakes waits for them up to a tick of the system's,
    whatever their priority. `chrt -r 1 python -m benchmarks.host messages` leaves them out (as root)."""
    core = Core(None)
    way = _Way()
    core.load(replace(probe("one"), make=lambda services: probe("one").make(way.from_(services))))
    core.load(replace(probe("two"), make=lambda services: way.to(probe("two").make(services))))

    def request() -> float:
        start = time.perf_counter_ns()
        core.bus.request("", "two", "seen", b"", 60)
        return (time.perf_counter_ns() - start) / 1000

    def between() -> float:
        way.arrived.clear()
        execute(core.find("one"), "publish", b"seq/x")
        assert way.arrived.wait(60)
        return way.took

    def show(beside: str) -> None:
        for what, once in (("request and reply", request), ("from module to module", between)):
            with _others() as said:
                found = [(once(), time.sleep(0.002))[0] for _ in range(1000)]  # type: ignore[func-returns-value]
            say(f"{what}, {beside}", found)
            print(f"  {'':44} others kept {said[0]:.1f} of {os.cpu_count()} cores busy", flush=True)

    show("nobody else")
    stop = threading.Event()

    def busy(hosted: Hosted) -> None:
        if not stop.is_set():
            slice_ = hosted.ask(lambda instance: instance.execute("work", b"100000"), 60)
            slice_.add_done_callback(lambda _: busy(hosted))

    deaf = Grants(True, True, True, True, ("*",), (), ("*",))
    computing = [core.load(probe(f"busy{n}", grants=deaf)) for n in range(50)]
    say("  (one slice of those that compute)", [_slice(computing[0]) for _ in range(20)])
    for each in computing:
        busy(each)
    time.sleep(3)
    show("beside 50 that saturate")
    stop.set()
    core.close()


class _Way:
    """From the call of a guest's import to the end of the call of the other guest's export."""

    def __init__(self) -> None:
        self.arrived, self.took, self._left = threading.Event(), 0.0, 0

    def from_(self, services: Any) -> Any:
        publish = services.publish

        def noting(topic: str, payload: bytes) -> None:
            self._left = time.perf_counter_ns()
            publish(topic, payload)

        services.publish = noting
        return services

    def to(self, instance: Any) -> Any:
        handle = instance.handle_message

        def noting(message: Envelope) -> bytes:
            said: bytes = handle(message)
            self.took = (time.perf_counter_ns() - self._left) / 1000
            self.arrived.set()
            return said

        instance.handle_message = noting
        return instance


@contextmanager
def _others() -> Iterator[list[float]]:
    """How many cores programs of others kept busy."""

    def now() -> tuple[float, float]:
        user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
        return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK") - time.process_time(), time.monotonic()

    said: list[float] = []
    used, begin = now()
    yield said
    end_used, end = now()
    said.append((end_used - used) / (end - begin))


def _slice(hosted: Hosted) -> float:
    start = time.perf_counter_ns()
    execute(hosted, "work", b"100000")
    return (time.perf_counter_ns() - start) / 1000


# --- reload ----------------------------------------------------------------------------------------------------------
def reload() -> None:
    count = int(os.environ.get("RELOADS", "100"))
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder))
        rules: dict[str, Any] = {"limits": Limits(mailbox=100_000), "durable": ("seq/*",), "persist": Persist.MESSAGE}
        one = core.load(probe("one", **rules))
        stop = threading.Event()
        sent = 0

        def send() -> None:
            nonlocal sent
            begin = time.monotonic()
            while not stop.is_set():
                sent += 1
                core.bus.send("", "one", "seq/x", str(sent).encode(), 60)
                time.sleep(max(0.0, begin + sent / 1000 - time.monotonic()))

        sender = threading.Thread(target=send)
        begin = time.monotonic()
        sender.start()
        pauses = [core.reload(probe("one", version=f"{n + 2}.0.0", **rules)) * 1e6 for n in range(count)]
        stop.set()
        sender.join()
        took = time.monotonic() - begin
        last, handled, gaps, again = seen(one)[""]
        say(f"pause of a swap, {sent / took:.0f} messages a second", pauses)
        print(
            f"  {count} swaps: {sent} sent, {handled} handled, {gaps} gaps, {again} repeated, last {last}", flush=True
        )
        assert (last, handled, gaps, again) == (sent, sent, 0, 0)
        core.close()


# --- kills -----------------------------------------------------------------------------------------------------------
VICTIM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from meldpy.host.core import Core
from meldpy.host.lifecycle.plan import Persist
from tests.support.hosted import probe
rules = dict(durable=("seq/*",), persist=Persist.MESSAGE)
core = Core(Path(sys.argv[1]))
kept = core.modules.find("one")
version = int(kept.version.split(".")[0]) if kept else 1
one = core.load(probe("one", version=f"{{version}}.0.0", **rules))
if not core.jobs.store.all():
    core.jobs.begin(one.plan, "count-to", b"1000000000")
number = int(sys.argv[2])
while True:
    number += 1
    core.bus.send("", "one", "seq/x", str(number).encode(), 60)
    print(number, flush=True)
    if number % 7 == 0:
        version += 1
        core.reload(probe("one", version=f"{{version}}.0.0", **rules))
"""


def kills() -> None:
    count = int(os.environ.get("KILLS", "20"))
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        acknowledged, reached = 0, 0
        for _ in range(count):
            command = [sys.executable, "-c", VICTIM.format(root=str(ROOT)), folder, str(acknowledged)]
            victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            assert victim.stdout is not None
            line = victim.stdout.readline()
            timer = threading.Timer(random.uniform(0.0, 0.3), victim.send_signal, (signal.SIGKILL,))
            timer.start()
            while line:
                acknowledged = int(line)
                line = victim.stdout.readline()
            victim.wait()
            core = Core(Path(folder))
            kept = core.modules.find("one")
            assert kept is not None
            handled = 0 if kept.state is None or not kept.state.data else int(kept.state.data.split()[1])
            waiting = [int(each.payload) for each in core.messages.waiting("one")]
            # what was accepted without our hearing of it counts too: it is not sent again
            acknowledged = max([acknowledged, handled, *waiting])
            assert [*range(handled + 1, acknowledged + 1)] == sorted(waiting), (handled, acknowledged, waiting)
            _, _, checkpoint = core.jobs.store.input(1)
            assert checkpoint is None or int(checkpoint) >= reached
            reached = 0 if checkpoint is None else int(checkpoint)
            core.close()
        core = Core(Path(folder))
        kept = core.modules.find("one")
        assert kept is not None
        one = core.load(probe("one", version=kept.version, durable=("seq/*",), persist=Persist.MESSAGE))
        last, handled, gaps, again = seen(one)[""]
        generation, runs = kept.generation, core.jobs.store.find(1).runs
        print(
            f"  {count} kills: {acknowledged} accepted, {handled} handled, {gaps} gaps, {again} repeated;"
            f" {generation} swaps, the job began {runs} times and reached {reached}",
            flush=True,
        )
        assert (last, handled, gaps, again) == (acknowledged, acknowledged, 0, 0)
        core.close(grace=1)


# --- cache -----------------------------------------------------------------------------------------------------------
def cache() -> None:
    data = Path(os.environ["COMPONENT"]).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        digest = load(data, cache_folder=Path(folder)).digest
        say(f"{len(data) >> 20} MiB from the cache", timed(lambda: load(data, cache_folder=Path(folder)), 20))
        again = timed(lambda: load(data, cache_folder=Path(folder), digest=digest), 20)
        say("the same, its digest known", again)


_PARTS = {part.__name__: part for part in (calls, messages, reload, kills, cache)}


def main() -> None:
    chosen = sys.argv[1:] or [name for name in _PARTS if name != "cache"]
    for name in chosen:
        print(name, flush=True)
        _PARTS[name]()


if __name__ == "__main__":
    main()
