"""The guests of an artefact have one linker, and each its own host functions."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial
from pathlib import Path

import pytest

from meldpy.engine.guests.guest import Guest
from meldpy.host.limits import Directory, Grants, Limits
from meldpy.host.wasm.instance import WasmInstance
from meldpy.records import replace
from tests.support.hosted import artefact, guest, on_guest_thread
from tests.support.native import Recorder


def adding(number: int) -> Guest:
    """A guest whose host adds `number`."""
    return guest("hazards", {"test:host/calls": {"quiet": lambda _: None, "loud": lambda n: n + number}})


def test_each_guest_calls_its_own_functions() -> None:
    def run() -> None:
        guests = {number: adding(number) for number in range(10)}
        for number in (3, 0, 9, 3):
            assert guests[number].call(("call-loud",), 1, deadline=5) == 1 + number
        guests[3].close()
        again = adding(100)  # perhaps where the store of the one that was closed lay
        assert again.call(("call-loud",), 1, deadline=5) == 101
        assert guests[9].call(("call-loud",), 1, deadline=5) == 10

    on_guest_thread(run)


def test_a_guest_is_called_from_within_another() -> None:
    def run() -> None:
        inner = adding(5)
        given = {"quiet": lambda _: None, "loud": lambda n: inner.call(("call-loud",), n, deadline=5) * 2}
        outer = guest("hazards", {"test:host/calls": given})
        assert outer.call(("call-loud",), 1, deadline=5) == 12
        assert inner.call(("call-loud",), 1, deadline=5) == 6

    on_guest_thread(run)


def test_guests_are_made_at_once_on_several_threads() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(50):
            one = adding(number)
            got = one.call(("call-loud",), 1, deadline=5)
            one.close()
            if got != 1 + number:
                wrong.append((number, got))

    artefact("hazards")
    threads = [threading.Thread(target=on_guest_thread, args=(partial(work, number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_world_without_an_imported_function_is_refused_before_the_guest_is_made() -> None:
    with pytest.raises(KeyError, match="loud"):
        on_guest_thread(lambda: guest("hazards", {"test:host/calls": {"quiet": lambda _: None}}))


def test_a_guest_that_nobody_closed_is_freed() -> None:
    def run() -> None:
        one = adding(1)
        one.call(("call-loud",), 1, deadline=5)
        seen = weakref.ref(one)
        del one
        gc.collect()
        assert seen() is None

    on_guest_thread(run)


def test_guests_of_one_artefact_have_directories_of_their_own(tmp_path: Path) -> None:
    """A linker has the interfaces of WASI; what they give belongs to the store."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    def made(name: str) -> WasmInstance:
        granted = Grants(log=True, kv=True, clock=True, jobs=True, publish=("*",))
        granted = replace(granted, directories=(Directory(str(tmp_path / name), "/data"),))
        return WasmInstance(name, artefact("probe"), Recorder(), granted, Limits())

    def run() -> None:
        for one, name in [(made(name), name) for name in ("a", "b")]:
            one.initialize("[]")
            assert one.execute("read", b"/data/file") == name.encode()

    on_guest_thread(run)
