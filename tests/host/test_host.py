"""The host as programs see it: sync and asyncio, watched files, numbers and logs."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from meldpy.errors import UsageError
from meldpy.host import extra
from meldpy.host.aio import AsyncHost
from meldpy.host.bus.subscription import Subscription
from meldpy.host.faults import Denied, StateError, TimedOut
from meldpy.host.handles import Module
from meldpy.host.host import Host
from meldpy.host.limits import Grants
from meldpy.host.logs import JsonLines
from meldpy.host.module import Envelope
from meldpy.host.telemetry import instrument
from meldpy.host.watch import Watcher

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tests" / "support" / "hosted" / "probe.wasm"
EVERYTHING = Grants(True, True, True, True, ("*",), ("*",), ("*",))
GRANTS = "log = true\nkv = true\nclock = true\njobs = true\npublish = ['*']\nsubscribe = ['*']\nsend = ['*']\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A module that asks for everything."""
    made = tmp_path / "probe"
    made.mkdir()
    shutil.copy(PROBE, made / "it.wasm")
    (made / "module.toml").write_text(
        f'[module]\nname = "probe"\nversion = "1.0.0"\ncomponent = "it.wasm"\n[grants]\n{GRANTS}'
    )
    return made


def test_a_program_loads_calls_sends_and_unloads(folder: Path, tmp_path: Path) -> None:
    with Host(tmp_path / "host", allow={"*": EVERYTHING}) as host:
        probe = host.load(folder)
        assert probe.execute("echo", b"x") == b"x"
        assert probe.capabilities().state_schema == 1
        with host.bus.subscribe("seq/*", "meld/*") as messages:
            host.bus.publish("seq/x", b"1")
            assert messages.get(10).payload == b"1"
            assert host.reload("probe") < 60
            assert messages.get(10).topic == "meld/reloaded"
            with pytest.raises(TimedOut):
                messages.get(0.01)
        assert probe.request("seq/x", b"2") == b"<> 2 2 0 0"
        job = probe.job("count-to", b"5")
        assert (job.wait(60).exit_code, job.result) == (0, b"5")
        probe.stop()
        with pytest.raises(StateError):
            probe.execute("echo")
        probe.start()
        assert [info.generation for info in host.modules()] == [1]
        probe.unload()
        with pytest.raises(StateError):
            host.module("probe")


def test_what_nobody_allowed_is_not_granted(folder: Path) -> None:
    with Host() as host, pytest.raises(Denied, match="was not granted"):
        host.load(folder)
    with Host(allow={"other": EVERYTHING}) as host, pytest.raises(Denied):
        host.load(folder)


def test_a_component_by_itself_is_a_module_without_state(tmp_path: Path) -> None:
    with Host() as host:
        greeter = host.load(ROOT / "fixtures" / "hello" / "greeter.wasm")
        assert greeter.capabilities().commands == ()
        with pytest.raises(Exception, match="does not export meld:host/module"):
            greeter.execute("x")


def test_the_same_on_asyncio(folder: Path) -> None:
    async def run() -> None:
        async with AsyncHost(allow={"*": EVERYTHING}) as host:
            probe = await host.load(folder)
            answers = await asyncio.gather(*(probe.execute("echo", bytes([n])) for n in range(50)))
            assert answers == [bytes([n]) for n in range(50)]
            heard = asyncio.ensure_future(anext(host.listen("seq/*")))
            await asyncio.sleep(0.1)
            await host.publish("seq/x", b"1")
            assert (await asyncio.wait_for(heard, 30)).payload == b"1"
            assert await probe.request("seq/x", b"2") == b"<> 2 2 0 0"
            await host.reload("probe")
            job = await probe.job("count-to", b"3")
            assert (await job.wait(60)).exit_code == 0
            await host.unload("probe")

    asyncio.run(run())


def test_a_module_whose_file_changes_is_swapped(folder: Path) -> None:
    with Host(allow={"*": EVERYTHING}) as host:
        probe = host.load(folder)
        watcher = Watcher(host)
        time.sleep(0.5)
        text = (folder / "module.toml").read_text()
        deadline = time.monotonic() + 60
        while probe.version != "1.0.1" and time.monotonic() < deadline:
            (folder / "module.toml").write_text(text.replace("1.0.0", "1.0.1"))
            time.sleep(0.5)
        watcher.close()
        assert probe.version == "1.0.1"


def test_a_module_whose_folder_comes_back_is_watched_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    (other / "module.toml").write_text((folder / "module.toml").read_text().replace('"probe"', '"other"'))
    with Host(allow={"*": EVERYTHING}) as host:
        probe, second = host.load(folder), host.load(other)
        watcher = Watcher(host)

        def changed(module: Module, where: Path, version: str) -> None:
            deadline = time.monotonic() + 60
            text = (where / "module.toml").read_text()
            while module.version != version and time.monotonic() < deadline:
                (where / "module.toml").write_text(re.sub(r'version = ".*"', f'version = "{version}"', text))
                time.sleep(0.5)
            assert module.version == version

        changed(probe, folder, "1.0.1")
        folder.rename(folder.with_name("away"))
        changed(second, other, "1.0.1")
        folder.with_name("away").rename(folder)
        changed(probe, folder, "1.0.2")
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(host, "reload", lambda _name: {}["a defect"])
            deadline = time.monotonic() + 60
            while "the host failed" not in caplog.messages and time.monotonic() < deadline:
                (folder / "module.toml").touch()
                time.sleep(0.2)
        changed(probe, folder, "1.0.3")
        watcher.close()


def test_what_is_loaded_while_others_look_is_seen_or_not(folder: Path) -> None:
    with Host(allow={"*": EVERYTHING}) as host:
        probe = host.load(folder)
        find = host.core.modules.find

        def gone_meanwhile(name: str) -> object:
            found = find(name)
            host.core.unload(name)
            return found

        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(host.core.modules, "find", gone_meanwhile)
            assert [(info.name, info.status) for info in host.modules()] == [("probe", "unloaded")]
        with pytest.raises(StateError):
            probe.unload()
        with pytest.raises(StateError):
            host.unload("probe")
        assert host.folders() == {}


def test_a_subscription_is_closed_though_it_is_full_and_still_offered_messages() -> None:
    subscription = Subscription(("*",), 1, lambda _: None)
    subscription.offer(Envelope(1, "x", b""))
    take = subscription._queue.get_nowait

    def offered_meanwhile() -> object:
        subscription._queue.get_nowait = take  # type: ignore[method-assign]
        take()
        subscription.offer(Envelope(2, "x", b""))
        raise Empty  # as if somebody had read what was there

    subscription._queue.get_nowait = offered_meanwhile  # type: ignore[method-assign]
    subscription.close()
    with pytest.raises(StateError, match="closed"):
        subscription.get(10)


def test_sigint_is_answered_while_a_guest_runs(folder: Path) -> None:
    program = f"""
import threading
from meldpy.host.host import Host
from meldpy.host.limits import Grants
with Host(allow={{"*": Grants(True, True, True, True, ("*",), ("*",), ("*",))}}) as host:
    probe = host.load({str(folder)!r})
    future = probe.execute_future("spin", deadline=600)
    while not future.running():
        pass
    try:
        print("ready", flush=True)
        future.result()
    except KeyboardInterrupt:
        host.core.close(grace=0.1)
        print(type(future.exception()).__name__, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "Interrupted\n"
    assert process.returncode == 0


def test_numbers_are_there_for_opentelemetry(folder: Path) -> None:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    with Host(allow={"*": EVERYTHING}) as host:
        instrument(host.core)
        probe = host.load(folder)
        probe.request("seq/x", b"1")
        data = reader.get_metrics_data()
        assert data is not None
        found = {
            metric.name: [
                (dict(point.attributes or {}), getattr(point, "value", None)) for point in metric.data.data_points
            ]
            for metric in data.resource_metrics[0].scope_metrics[0].metrics
        }
    assert found["meld.messages.handled"] == [({"module": "probe"}, 1)]
    ((_, used),) = found["meld.cpu"]
    assert used > 0
    assert found["meld.running"] == [({"module": "probe"}, 1)]
    assert found["meld.jobs.running"] == [({}, 0)]


def test_logs_are_lines_of_json(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "meldpy.host"), Host(allow={"*": EVERYTHING}) as host:
        host.load(folder).execute("log", "größer".encode())
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "log"]
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["module"], line["text"]) == ("warning", "probe", "größer")


def test_a_package_that_is_missing_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match="needs the package watchfiles") as refused:
        extra.need("watchfiles")
    assert refused.value.remedy == "pip install 'meldpy[host]'"
