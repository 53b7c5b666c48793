"""Ten ways in which the engine's binding ends or fools a process with guests in it, each survived.

What would end the process runs in one of its own: a test that fails then says so, and does not end the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import End, Ended
from meldpy.engine.guests.threads import Refused, start_thread
from meldpy.engine.text import assemble
from tests.support.hosted import GUESTS, guest, on_guest_thread

ROOT = Path(__file__).parents[3]
HOST = {"test:host/calls": {"quiet": lambda _: None, "loud": lambda n: n + 1}}


def survives(body: str) -> str:
    """What a program prints that runs `body` in a process of its own, as far as its last line: "survived"."""
    lines = ["import threading, time, os, sys", "from tests.support.hosted import guest, on_guest_thread", body]
    program = "\n".join([*lines, "print('survived')"])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["survived"]), (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("function", ["call-quiet", "call-loud"])
@pytest.mark.parametrize("raised", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "ValueError", "MemoryError"])
def test_1_whatever_a_host_function_raises_ends_the_call_and_nothing_else(function: str, raised: str) -> None:
    survives(f"""
def refuse(n):
    raise {raised}("no")
def run():
    world = {{"test:host/calls": {{"quiet": refuse, "loud": refuse}}}}
    for _ in range(20):
        one = guest("hazards", world)
        try:
            one.call(("{function}",), 1, deadline=5)
        except Exception as error:
            assert type(error.__cause__) is {raised}, error.__cause__
        else:
            raise AssertionError("it returned")
on_guest_thread(run)
""")


def test_2_a_store_is_closed_when_its_call_is_over() -> None:
    survives("""
def from_elsewhere():
    one = guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}})
    closer = threading.Timer(0.05, one.close)
    closer.start()
    try:
        one.call(("spin",), deadline=0.3)
    except Exception as error:
        print(error)
    closer.join()
def from_inside():
    one = guest("hazards", {"test:host/calls": {"quiet": lambda n: one.close(), "loud": lambda n: n}})
    one.call(("call-quiet",), 1, deadline=5)
    assert not one.alive
for _ in range(5):
    on_guest_thread(from_elsewhere)
    on_guest_thread(from_inside)
""")


def test_3_a_thread_with_a_small_stack_is_refused() -> None:
    survives("""
from meldpy.engine.guests.threads import Refused
def run():
    try:
        guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}})
    except Refused as error:
        print(error)
    else:
        raise AssertionError("it ran")
threading.stack_size(256 * 1024)
small = threading.Thread(target=run)
small.start()
small.join()
""")


def test_3_a_guest_that_overflows_the_stack_traps_on_a_thread_of_ours() -> None:
    def run() -> None:
        one = guest("hazards", HOST)
        with pytest.raises(Ended) as ended:
            one.call(("deep",), deadline=5)
        assert "call stack exhausted" in ended.value.causes[-1]

    on_guest_thread(run)


def test_4_a_guest_never_ends_with_what_anothers_host_function_raised() -> None:
    wrong: list[object] = []

    def run(number: int) -> None:
        def refuse(_: int) -> None:
            raise ValueError(number)

        for turn in range(60):
            one = guest("hazards", {"test:host/calls": {"quiet": refuse, "loud": lambda n: n}})
            try:
                one.call(("trap",) if turn % 2 else ("call-quiet",), *(() if turn % 2 else (1,)), deadline=5)
            except Ended as ended:
                expected = (End.TRAP, None) if turn % 2 else (End.HOST, str(number))
                found = (ended.end, None if ended.__cause__ is None else str(ended.__cause__))
                if found != expected:
                    wrong.append((number, turn, found))
            one.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        start_thread(thread)
    for thread in threads:
        thread.join()
    assert not wrong


def test_5_a_component_that_imports_wasi_gets_an_empty_context() -> None:
    said = survives("""
from pathlib import Path
from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import Guest
from meldpy.engine.guests.wasi import Wasi
from tests.support.hosted import LIMITS
from meldpy.engine.text import assemble
text = '''(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-arguments" (func (result (list string))))))
  (core module $m (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $i (instantiate $m))
  (core func $get (canon lower (func $env "get-arguments") (memory $i "memory") (realloc (func $i "realloc"))))
  (core module $c (import "" "get" (func $get (param i32))) (import "" "memory" (memory 1))
    (func (export "count") (result i32) (call $get (i32.const 0)) (i32.load (i32.const 4))))
  (core instance $ci (instantiate $c
    (with "" (instance (export "get" (func $get)) (export "memory" (memory $i "memory"))))))
  (func (export "count") (result u32) (canon lift (core func $ci "count"))))'''
def run():
    one = Guest(load(assemble(text.encode(), "wasi")), {}, Wasi(), LIMITS, deadline=5)
    print("arguments:", one.call(("count",), deadline=5))
on_guest_thread(run)
""")
    assert "arguments: 0" in said


def test_6_flipped_bits_in_the_cache_are_never_run(tmp_path: Path) -> None:
    data = assemble((GUESTS / "hazards.wat").read_bytes(), "hazards")
    load(data, cache_folder=tmp_path)
    (code,) = tmp_path.glob("*.cwasm")
    assert code.stat().st_mode & 0o077 == 0
    survives(f"""
from pathlib import Path
from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import Guest
from meldpy.engine.guests.wasi import Wasi
from meldpy.engine.text import assemble
from tests.support.hosted import GUESTS, LIMITS
data = assemble((GUESTS / "hazards.wat").read_bytes(), "hazards")
code = Path({str(code)!r})
good = code.read_bytes()
world = {{"test:host/calls": {{"quiet": lambda n: None, "loud": lambda n: n + 1}}}}
def run():
    one = Guest(load(data, cache_folder=code.parent), world, Wasi(), LIMITS, deadline=5)
    assert one.call(("call-loud",), 1, deadline=5) == 2
for at in range(0, len(good), max(1, len(good) // 40)):
    bad = bytearray(good)
    bad[at] ^= 0x55
    code.write_bytes(bad)
    on_guest_thread(run)
    assert code.read_bytes() == good, "it was compiled again"
""")


def test_6_a_file_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    data = assemble((GUESTS / "hazards.wat").read_bytes(), "hazards")
    load(data, cache_folder=tmp_path)
    (code,) = tmp_path.glob("*.cwasm")
    code.chmod(0o666)
    load(data, cache_folder=tmp_path)
    assert code.stat().st_mode & 0o077 == 0, "it was compiled again"


def test_7_a_child_after_a_fork_refuses(tmp_path: Path) -> None:
    said = survives("""
from meldpy.engine.guests.threads import Refused
on_guest_thread(lambda: guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}}))
child = os.fork()
if not child:
    try:
        guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}})
    except Refused as error:
        os.write(1, f"child: {error}\\n".encode())
        os._exit(3)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
""")
    assert "child: this process was forked" in said


@pytest.mark.parametrize(
    ("function", "value"),
    [("same-u32", 2**40), ("same-u32", -1), ("same-u8", 256), ("same-u32", True), ("same-u32", 1.0)],
)
def test_8_an_argument_that_does_not_fit_is_refused(function: str, value: Any) -> None:
    def run() -> None:
        one = guest("hazards", HOST)
        with pytest.raises((ValueError, TypeError)):
            one.call((function,), value, deadline=5)
        assert one.call((function,), 200, deadline=5) == 200, "the guest goes on"

    on_guest_thread(run)


@pytest.mark.parametrize("value", [2**40, -1, True, "1", None])
def test_8_a_host_functions_result_that_does_not_fit_ends_the_call(value: Any) -> None:
    def run() -> None:
        one = guest("hazards", {"test:host/calls": {"quiet": lambda _: None, "loud": lambda _: value}})
        with pytest.raises(Ended) as ended:
            one.call(("call-loud",), 1, deadline=5)
        assert ended.value.end is End.HOST
        assert isinstance(ended.value.__cause__, ValueError | TypeError)

    on_guest_thread(run)


def test_9_destructors_of_handles_that_the_host_holds_run_when_the_guest_is_closed() -> None:
    dropped: list[int] = []

    def run() -> None:
        one = guest("holder", {"test:host/calls": {"dropped": dropped.append}})
        for rep in (5, 6, 7):
            one.call(("make",), rep, deadline=5)
        assert not dropped
        one.close()

    on_guest_thread(run)
    assert sorted(dropped) == [5, 6, 7]


def test_9_a_forged_handle_ends_the_guest_that_forged_it() -> None:
    def run() -> None:
        one, other = (guest("holder", {"test:host/calls": {"dropped": lambda _: None}}) for _ in range(2))
        with pytest.raises(Ended) as ended:
            one.call(("forge",), 77, deadline=5)
        assert "unknown handle index" in ended.value.causes[-1]
        other.call(("make",), 1, deadline=5)

    on_guest_thread(run)


def test_10_an_interrupt_ends_a_call_at_once_from_another_thread() -> None:
    taken: list[float] = []

    def run() -> None:
        one = guest("hazards", HOST)
        threading.Timer(0.1, one.interrupt, ("enough",)).start()
        start = time.monotonic()
        with pytest.raises(Ended) as ended:
            one.call(("spin",), deadline=60)
        taken.append(time.monotonic() - start)
        assert (ended.value.end, str(ended.value)) == (End.INTERRUPTED, "enough")

    on_guest_thread(run)
    assert taken[0] < 30


def test_10_sigint_reaches_a_program_whose_guest_runs_elsewhere() -> None:
    program = """
import threading
from tests.support.hosted import guest
from meldpy.engine.guests.threads import start_thread
one = None
def run():
    global one
    one = guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}})
    started.set()
    try:
        one.call(("spin",), deadline=600)
    except Exception as error:
        print(error, flush=True)
    done.set()
started, done = threading.Event(), threading.Event()
start_thread(threading.Thread(target=run))
started.wait()
try:
    print("ready", flush=True)
    done.wait()
except KeyboardInterrupt:
    one.interrupt("stopped by SIGINT")
    done.wait()
"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "stopped by SIGINT\n"
    assert process.returncode == 0


def test_a_guest_is_not_entered_from_its_own_host_function() -> None:
    refused: list[BaseException] = []

    def run() -> None:
        def enter(_: int) -> None:
            try:
                one.call(("nop",), deadline=1)
            except Refused as error:
                refused.append(error)

        one = guest("hazards", {"test:host/calls": {"quiet": enter, "loud": lambda n: n}})
        one.call(("call-quiet",), 1, deadline=5)
        one.call(("nop",), deadline=5)

    on_guest_thread(run)
    assert len(refused) == 1


def test_two_guests_share_nothing_but_the_code() -> None:
    def run() -> None:
        ok, dead = guest("hazards", HOST), guest("hazards", HOST)
        with pytest.raises(Ended):
            dead.call(("trap",), deadline=5)
        with pytest.raises(Refused):
            dead.call(("nop",), deadline=5)
        ok.call(("nop",), deadline=5)

    on_guest_thread(run)


def test_a_guest_that_runs_at_exit_does_not_keep_or_break_the_process() -> None:
    survives("""
from meldpy.engine.guests.threads import start_thread
def run():
    one = guest("hazards", {"test:host/calls": {"quiet": lambda n: None, "loud": lambda n: n}})
    started.set()
    one.call(("spin-in-host",), deadline=600)
started = threading.Event()
thread = threading.Thread(target=run, daemon=True)
start_thread(thread)
started.wait()
time.sleep(0.2)
""")
