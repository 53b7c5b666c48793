"""Start, stop, restart, swap: what is kept, and what a module that misbehaves can do (nothing to others)."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import Guest
from meldpy.engine.guests.wasi import Wasi
from meldpy.engine.text import assemble
from meldpy.errors import EngineError, MeldError, UsageError
from meldpy.host.core import Core
from meldpy.host.faults import (
    DeadlineExceeded,
    Denied,
    HostError,
    Interrupted,
    ModuleFailure,
    ModuleTrapped,
    SchemaRefused,
    StateError,
)
from meldpy.host.lifecycle.breaker import Breaker
from meldpy.host.lifecycle.life import Status
from meldpy.host.lifecycle.plan import Persist, RestartPolicy
from meldpy.host.lifecycle.reload import STEPS
from meldpy.host.limits import Directory, Grants, Limits
from meldpy.host.module import ModuleInstance
from meldpy.host.wasm.instance import WasmInstance
from meldpy.records import replace
from tests.support.hosted import LIMITS, execute, on_guest_thread, probe, scripted, seen

ROOT = Path(__file__).parents[2]
QUICK = RestartPolicy(delay=0.001, longest=0.01)
EVERYTHING = Grants(True, True, True, True, ("*",), ("*",), ("*",))


def count(core: Core, numbers: range, name: str = "one") -> None:
    for number in numbers:
        core.bus.send("", name, "seq/x", str(number).encode(), 10)


# --- start and stop --------------------------------------------------------------------------------------------------
def test_state_is_kept_from_stop_to_start_and_from_host_to_host(tmp_path: Path) -> None:
    first = Core(tmp_path)
    one = first.load(probe("one"))
    count(first, range(1, 11))
    assert seen(one) == {"": [10, 10, 0, 0]}
    one.stop().result()
    one.start().result()
    count(first, range(11, 21))
    assert seen(one) == {"": [20, 20, 0, 0]}  # what waits in a mailbox when a host is closed is a dead letter
    first.close()
    second = Core(tmp_path)
    assert seen(second.load(probe("one"))) == {"": [20, 20, 0, 0]}
    second.close()


def test_a_module_that_cannot_start_is_not_there(core: Core) -> None:
    for word, error in (("fail-at-start", ModuleFailure), ("trap-at-start", ModuleTrapped)):
        with pytest.raises(error):
            core.load(probe("one", word))
        with pytest.raises(StateError):
            core.find("one")
    core.load(probe("one"))
    with pytest.raises(StateError, match="loaded already"):
        core.load(probe("one"))
    core.find("one")


def test_a_second_module_of_a_name_leaves_the_first_on_the_bus(core: Core) -> None:
    one = core.load(probe("one"))
    with pytest.raises(StateError, match="loaded already"):
        core.load(probe("one"))
    count(core, range(1, 4))
    assert seen(one) == {"": [3, 3, 0, 0]}


def test_a_module_that_is_unloaded_twice_at_once_answers_both_and_its_successor_stays(core: Core) -> None:
    for _ in range(20):
        one = core.load(probe("one", persist=Persist.NEVER))
        hold = threading.Event()
        one.order(hold.wait)
        outcomes: list[str] = []

        def unload(outcomes: list[str] = outcomes) -> None:
            try:
                core.unload("one")
                outcomes.append("unloaded")
            except StateError:
                outcomes.append("was unloaded")

        threads = [threading.Thread(target=unload) for _ in range(4)]
        for thread in threads:
            thread.start()
        hold.set()
        for thread in threads:
            thread.join(30)
        assert len(outcomes) == 4
    again = core.load(probe("one", persist=Persist.NEVER))
    one.unload()
    core._remove(one)
    count(core, range(1, 4))
    assert seen(core.find("one")) == seen(again) == {"": [3, 3, 0, 0]}


def test_an_order_to_a_module_that_ends_meanwhile_is_answered(core: Core) -> None:
    one = core.load(probe("one"))
    hold = threading.Event()
    one.order(hold.wait)
    ending = threading.Thread(target=core.unload, args=("one",))
    ending.start()
    refused: list[BaseException | None] = []
    original = one._mailbox.end

    def end(reason: str) -> None:
        asked = one.order(lambda: None)  # after the thread's last look
        original(reason)
        refused.append(asked.exception(10))

    one._mailbox.end = end  # type: ignore[method-assign]
    hold.set()
    ending.join(30)
    deadline = time.monotonic() + 10
    while not refused and time.monotonic() < deadline:
        time.sleep(0.001)
    assert isinstance(refused[0], StateError)


def test_a_module_that_is_unloaded_is_gone(core: Core) -> None:
    one = core.load(probe("one"))
    core.unload("one")
    assert one.status is Status.UNLOADED
    with pytest.raises(StateError):
        execute(one, "echo")
    with pytest.raises(StateError):
        one.start().result()


def test_a_last_call_that_traps_keeps_nobody(core: Core) -> None:
    core.load(probe("one", "trap-at-end"))
    core.unload("one")


# --- a module that misbehaves ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("command", "error"),
    [("trap", ModuleTrapped), ("overflow", ModuleTrapped), ("bomb", ModuleTrapped), ("spin", DeadlineExceeded)],
)
def test_what_ends_a_module_ends_that_module_alone_and_it_comes_back(
    core: Core, command: str, error: type[HostError]
) -> None:
    limits = Limits(memory=16 << 20, deadline=0.3)
    one, two = core.load(probe("one", policy=QUICK, limits=limits)), core.load(probe("two"))
    with pytest.raises(error):
        execute(one, command)
    assert execute(two, "echo", b"x") == execute(one, "echo", b"x") == b"x"
    assert (one.deaths, two.deaths) == (1, 0)


def test_a_module_that_dies_comes_back_with_the_state_that_was_kept_last(kept_core: Core) -> None:
    one = kept_core.load(probe("one", policy=QUICK, durable=("seq/*",), persist=Persist.MESSAGE))
    count(kept_core, range(1, 6))
    kept_core.bus.send("", "one", "poison", b"", 1)
    count(kept_core, range(6, 11))
    assert seen(one) == {"": [10, 10, 0, 0]}
    assert one.deaths == 1


def test_a_module_that_dies_too_often_rests_and_is_tried_again(core: Core) -> None:
    policy = replace(QUICK, deaths=3, rest=0.2)
    one = core.load(probe("one", policy=policy, limits=Limits(deadline=0.2)))
    for _ in range(3):
        with pytest.raises(ModuleTrapped):
            execute(one, "trap")
    with pytest.raises(StateError, match="died too often"):
        execute(one, "echo")
    assert one.status is Status.BROKEN
    time.sleep(0.3)
    assert execute(one, "echo", b"x") == b"x"
    assert one.status is Status.RUNNING


def test_durable_messages_outlast_a_module_that_is_broken_and_keep_their_order(kept_core: Core) -> None:
    policy = replace(QUICK, deaths=1, rest=0.3)
    one = kept_core.load(probe("one", policy=policy, durable=("seq/*",)))
    with pytest.raises(ModuleTrapped):
        execute(one, "trap")
    count(kept_core, range(1, 6))
    time.sleep(0.4)
    count(kept_core, range(6, 11))
    assert seen(one) == {"": [10, 10, 0, 0]}


def test_a_module_may_be_left_dead(core: Core) -> None:
    one = core.load(probe("one", policy=RestartPolicy(restart=False)))
    with pytest.raises(ModuleTrapped):
        execute(one, "trap")
    with pytest.raises(StateError):
        execute(one, "echo")
    core.reload(probe("one"))
    assert execute(one, "echo", b"x") == b"x"


def test_the_breaker_breaks_rests_tries_and_heals() -> None:
    now = [0.0]
    breaker = Breaker(RestartPolicy(delay=1, longest=3, deaths=3, window=10, rest=5), lambda: now[0])
    assert (breaker.delay, breaker.broken) == (0, None)
    breaker.died()
    assert breaker.delay == 1
    now[0] = 11  # the first death is forgotten
    breaker.died()
    breaker.died()
    assert (breaker.delay, breaker.broken) == (2, None)
    breaker.died()
    assert (breaker.delay, breaker.broken) == (3, 5)
    now[0] = 17
    assert breaker.broken is None
    breaker.died()
    assert breaker.broken == 5, "one death in the trial is enough"
    now[0] = 23
    assert breaker.broken is None
    breaker.lived()
    breaker.died()
    assert (breaker.delay, breaker.broken) == (1, None)


def test_a_host_that_is_closed_ends_a_module_that_does_not_end() -> None:
    core = Core(None)
    one = core.load(probe("one", limits=Limits(deadline=600)))
    future = one.ask(lambda instance: instance.execute("spin", b""))
    while not future.running():
        time.sleep(0.001)
    core.close(grace=0.1)
    with pytest.raises(Interrupted):
        future.result(0)


# --- reach -----------------------------------------------------------------------------------------------------------
def test_a_module_sees_the_directories_it_was_granted_and_nothing_beside(core: Core, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "note").write_text("hello")
    (tmp_path / "open" / "way-out").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    grants = replace(EVERYTHING, directories=(Directory(str(tmp_path / "open"), "/data"),))
    one = core.load(probe("one", grants=grants))
    assert execute(one, "read", b"/data/note") == b"hello"
    outside = [
        "/data/../secret",
        "/data/way-out",
        str(tmp_path / "secret"),
        "/etc/passwd",
        "/data/./../secret",
        "secret",
    ]
    for path in outside:
        with pytest.raises(ModuleFailure):
            execute(one, "read", path.encode())
    with pytest.raises(ModuleFailure):
        execute(one, "write", b"/data/note")
    with pytest.raises(ModuleFailure):
        execute(one, "link", b"/data/../secret\n/data/mine")
    assert (tmp_path / "open" / "note").read_text() == "hello"


def test_a_module_has_no_network_and_no_variables_but_those_it_was_granted(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setenv("MELD_TEST_SHOWN", "1")
    monkeypatch.setenv("MELD_TEST_HIDDEN", "1")
    one = core.load(probe("one", grants=replace(EVERYTHING, environment=("MELD_TEST_SHOWN",))))
    two = core.load(probe("two", grants=replace(EVERYTHING, network=True)))
    assert execute(one, "environment") == b"MELD_TEST_SHOWN=1"
    assert execute(two, "environment") == b""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}".encode()
        for module in (one, two):  # the engine's C interface has no way to allow TCP: the grant is wasi:http
            with pytest.raises(ModuleFailure, match="Permission denied"):
                execute(module, "connect", address)


def test_a_component_that_imports_http_needs_the_network(core: Core) -> None:
    text = b"""(component (import "wasi:http/types@0.2.0" (instance
      (export "http-error-code" (func (param "n" u32)))))
      (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func (export "f") (canon lift (core func $i "f"))))"""
    artefact = load(assemble(text, "http"))
    with pytest.raises(EngineError, match="the network was not granted"):
        on_guest_thread(lambda: Guest(artefact, {}, Wasi(), LIMITS, deadline=5))
    plan = probe("one")
    make = lambda services: WasmInstance("one", artefact, services, plan.grants, plan.limits)  # noqa: E731
    with pytest.raises(Denied, match=r"imports wasi:http/types@0\.2\.0, and was not granted it") as refused:
        core.load(replace(plan, make=make))
    assert refused.value.remedy is not None


def test_a_large_payload_goes_by_a_file_in_the_modules_scratch_directory(core: Core, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(os.urandom(1 << 20))
    one = core.load(probe("one", grants=replace(EVERYTHING, scratch=True), scratch=str(tmp_path)))
    assert execute(one, "copy-large", b"/scratch/in") == b"/scratch/in.out"
    assert (tmp_path / "in.out").read_bytes() == (tmp_path / "in").read_bytes()


# --- the swap --------------------------------------------------------------------------------------------------------
def test_a_swap_keeps_state_and_every_message(kept_core: Core) -> None:
    one = kept_core.load(probe("one", limits=Limits(mailbox=10_000)))
    sending = threading.Thread(target=count, args=(kept_core, range(1, 501)))
    sending.start()
    for version in range(2, 12):
        kept_core.reload(probe("one", version=f"{version}.0.0", limits=Limits(mailbox=10_000)))
    sending.join()
    assert seen(one) == {"": [500, 500, 0, 0]}
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert (one.plan.version, kept.version, kept.generation, kept.intent) == ("11.0.0", "11.0.0", 10, None)


def test_a_swap_that_fails_leaves_everything_as_it_was(kept_core: Core) -> None:
    one = kept_core.load(probe("one"))
    count(kept_core, range(1, 4))
    bad: list[tuple[tuple[str, ...], type[HostError]]] = [
        (("trap-at-start",), ModuleTrapped),
        (("fail-at-start",), ModuleFailure),
        (("trap-at-restore",), ModuleTrapped),
        (("spin-at-restore",), DeadlineExceeded),
        (("schema-2-only",), SchemaRefused),
        (("stateless",), SchemaRefused),
        (("health", "ill"), ModuleFailure),
    ]
    for words, error in bad:
        with pytest.raises(error):
            kept_core.reload(probe("one", *words, version="2.0.0", limits=Limits(deadline=0.3)))
        assert (one.plan.version, one.status) == ("1.0.0", Status.RUNNING)
    count(kept_core, range(4, 7))
    assert seen(one) == {"": [6, 6, 0, 0]}
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert (kept.version, kept.generation, kept.intent, one.deaths) == ("1.0.0", 0, None, 0)


def test_an_old_version_that_cannot_say_its_state_goes_on(kept_core: Core) -> None:
    one = kept_core.load(probe("one", "fail-at-get-state", persist=Persist.NEVER))
    count(kept_core, range(1, 4))
    with pytest.raises(ModuleFailure):
        kept_core.reload(probe("one", version="2.0.0"))
    assert seen(one) == {"": [3, 3, 0, 0]}


def test_an_old_version_that_dies_of_the_swap_is_started_again(kept_core: Core) -> None:
    one = kept_core.load(probe("one", "trap-at-get-state", policy=QUICK, persist=Persist.NEVER))
    with pytest.raises(ModuleTrapped):
        kept_core.reload(probe("one", version="2.0.0"))
    assert execute(one, "echo", b"x") == b"x"
    assert (one.plan.version, one.deaths) == ("1.0.0", 1)


def test_a_version_that_cannot_start_is_not_the_one_that_lives(kept_core: Core) -> None:
    kept_core.load(probe("one"))
    kept_core.unload("one")
    with pytest.raises(SchemaRefused):
        kept_core.load(probe("one", "schema-2-only", version="2.0.0"))
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert kept.version == "1.0.0"


def test_a_swap_that_fails_of_a_defect_or_an_observer_leaves_nothing_half_done(
    kept_core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    one = kept_core.load(probe("one"))

    def make(_services: object) -> ModuleInstance:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        kept_core.reload(replace(probe("one", version="2.0.0"), make=make))
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert (kept.version, kept.intent, one.plan.version) == ("1.0.0", None, "1.0.0")

    def observe(_module: str, _step: str) -> None:
        raise KeyError("an observer's defect")

    kept_core._observe = observe
    kept_core.reload(probe("one", version="2.0.0"))
    kept = kept_core.modules.find("one")
    assert kept is not None
    assert (kept.version, one.plan.version) == ("2.0.0", "2.0.0")
    assert sum(record.getMessage() == "an observer failed" for record in caplog.records) == len(STEPS)


def test_a_directory_that_is_gone_keeps_a_module_from_starting_and_not_its_thread(core: Core, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    grants = replace(EVERYTHING, directories=(Directory(str(tmp_path / "data"), "/data"),))
    core.load(probe("one", grants=grants, policy=replace(QUICK, deaths=3, rest=0.2)))
    (tmp_path / "data").rmdir()
    with pytest.raises(ModuleTrapped):
        core.bus.request("", "one", "poison", b"", 10)
    with pytest.raises(StateError, match="died too often"):
        core.bus.request("", "one", "seq/x", b"1", 10)
    (tmp_path / "data").mkdir()
    time.sleep(0.3)
    assert core.bus.request("", "one", "seq/x", b"1", 10) == b"<> 1 1 0 0"


def test_a_state_of_a_new_schema_goes_on_from_there(kept_core: Core) -> None:
    one = kept_core.load(probe("one"))
    count(kept_core, range(1, 4))
    kept_core.reload(probe("one", "schema-2", version="2.0.0"))
    kept_core.reload(probe("one", "schema-2", "schema-2-only", version="3.0.0"))
    assert seen(one) == {"": [3, 3, 0, 0]}


CRASH = """
import os, sys
from pathlib import Path
from meldpy.host.core import Core
from meldpy.host.lifecycle.plan import Persist
from tests.support.hosted import probe
folder, step = Path(sys.argv[1]), sys.argv[2]
core = Core(folder, observe=lambda module, at: os._exit(7) if at == step else None)
one = core.load(probe("one", durable=("seq/*",), persist=Persist.MESSAGE))
for number in range(1, 6):
    core.bus.send("", "one", "seq/x", str(number).encode(), 10)
one.ask(lambda instance: instance.execute("echo", b"")).result()
one.order(lambda: [core.bus.send("", "one", "seq/x", str(number).encode(), 10) for number in range(6, 11)])
core.reload(probe("one", version="2.0.0", durable=("seq/*",), persist=Persist.MESSAGE))
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_host_that_dies_in_a_swap_loses_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), step], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 7
    core = Core(tmp_path)
    kept = core.modules.find("one")
    assert kept is not None
    assert kept.version == ("2.0.0" if STEPS.index(step) >= STEPS.index("committed") else "1.0.0")
    one = core.load(probe("one", version=kept.version, durable=("seq/*",), persist=Persist.MESSAGE))
    core.bus.send("", "one", "seq/x", b"11", 10)
    assert seen(one) == {"": [11, 11, 0, 0]}
    core.close()


# --- what is left behind ---------------------------------------------------------------------------------------------
def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cycle(core: Core, times: int) -> None:
    for _ in range(times):
        core.load(probe("one", persist=Persist.NEVER))
        core.unload("one")
    gc.collect()


def test_unloading_frees_everything(core: Core) -> None:
    cycle(core, 50)
    before, threads, files = resident(), threading.active_count(), len(os.listdir("/proc/self/fd"))
    cycle(core, 100)
    # The crew has one more each time that work came before whoever did the last was idle again: rare, and never many.
    assert threading.active_count() < threads + 10, "a thread is left by each"
    assert len(os.listdir("/proc/self/fd")) == files
    assert resident() - before < 100 * 50_000, "an instance holds more than 50 kB each"


@pytest.mark.deep
def test_unloading_frees_everything_ten_thousand_times(core: Core) -> None:
    cycle(core, 1_000)
    before = resident()
    cycle(core, 10_000)
    grown = resident() - before
    print(f"\n10,000 cycles: {grown / 1024:.0f} kB more")
    assert grown < 8 << 20


# --- what comes between ----------------------------------------------------------------------------------------------
def test_an_order_between_the_last_stop_and_the_end_brings_nothing_up(core: Core) -> None:
    one = core.load(scripted("one", lambda *_: None))
    ordered: list[Future[None] | Future[float]] = []
    stop = one._stop

    def stopped() -> None:
        stop()
        ordered.extend((one.start(), one.reload(one.plan, lambda _step: None)))

    one._stop = stopped  # type: ignore[method-assign]
    core.unload("one")
    for each in ordered:
        with pytest.raises(StateError, match="one is unloaded"):
            each.result(30)
    assert one._life.now is None
    assert one.status is Status.UNLOADED


def test_a_module_that_dies_alone_is_made_again_by_the_next_call(core: Core) -> None:
    one = core.load(scripted("one", lambda *_: None, policy=QUICK))
    assert one._life.now is not None
    one._life.now.instance.close()
    assert execute(one, "seen") == b""
    assert one.deaths == 1


def test_a_module_that_is_unloaded_while_it_rests_says_so(core: Core) -> None:
    def die(*_: object) -> None:
        raise ModuleTrapped("died")

    one = core.load(scripted("one", die, policy=RestartPolicy(delay=60.0, longest=60.0)))
    core.bus.send("", "one", "x", b"", 0)
    waits = one.ask(lambda instance: instance.execute("seen", b""), 10)
    while not one.deaths or one.waiting:
        time.sleep(0.001)
    core.unload("one")
    with pytest.raises(StateError, match="one is unloaded"):
        waits.result(30)


def test_what_an_instance_is_asked_for_is_checked_by_itself(core: Core) -> None:
    one = core.load(probe("one"))

    def asked(words: str, kind: type[MeldError], ask: Callable[[WasmInstance], object]) -> None:
        def run(instance: ModuleInstance) -> object:
            assert isinstance(instance, WasmInstance)
            return ask(instance)

        with pytest.raises(kind, match=words):
            one.ask(run).result(30)

    def closed(instance: WasmInstance) -> object:
        instance.close()
        return instance.execute("seen", b"")

    asked("one exports no function gone", UsageError, lambda instance: instance.call_text("gone()"))
    most = one.plan.limits.payload
    asked("the payload is larger than", ModuleFailure, lambda instance: instance.execute("seen", bytes(most + 1)))
    asked("one: the guest is dead", StateError, closed)
