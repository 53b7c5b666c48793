"""Many builds: what was done is kept and checked, what dies is done again or fails alone, reports say what happened."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from meldpy import FuseInput, FuseOptions
from meldpy.batch import Cache, Done, Failed, Job, Result, planned, run
from meldpy.batch.cache import default_folder
from meldpy.batch.cluster import _given_up, _refuse_others
from meldpy.batch.local import run_local
from meldpy.batch.model import Source
from meldpy.batch.report import Entry, as_json, as_junit
from meldpy.batch.work import from_files, work
from meldpy.errors import (
    DecodeError,
    EngineError,
    FileError,
    InternalError,
    LimitError,
    LinkError,
    Location,
    MeldError,
    UnsupportedError,
)
from meldpy.manifest import ManifestError
from meldpy.records import replace

HELLO = Path(__file__).resolve().parents[3] / "fixtures" / "hello"
INPUTS = [FuseInput(name, str(HELLO / f"{name}.wasm"), (HELLO / f"{name}.wasm").read_bytes()) for name in
          ("greeter", "app")]  # fmt: skip
DONE = Done("ab" + "0" * 62, b"output", {"output.map": b"map"}, 3, 1, 0.5)


def test_the_key_follows_from_all_that_the_output_follows_from_and_nothing_else() -> None:
    key = planned(INPUTS, FuseOptions()).key
    elsewhere = [replace(item, source=f"/elsewhere/{item.name}") for item in INPUTS]
    assert planned(elsewhere, FuseOptions()).key == key
    others = [
        planned(INPUTS[::-1], FuseOptions()),
        planned([replace(INPUTS[0], name="other"), INPUTS[1]], FuseOptions()),
        planned([replace(INPUTS[0], given=False), INPUTS[1]], FuseOptions()),
        planned([replace(INPUTS[0], data=INPUTS[1].data), INPUTS[1]], FuseOptions()),
        planned(INPUTS, FuseOptions(names="none")),
        planned(INPUTS, FuseOptions(file="x.wasm")),
        planned(INPUTS, FuseOptions(), str(HELLO / "fixture.toml")),
    ]
    assert len({key, *(job.key for job in others)}) == len(others) + 1


def test_the_key_follows_from_what_makes_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    key = planned(INPUTS, FuseOptions()).key
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.0")
    assert planned(INPUTS, FuseOptions()).key != key


def test_which_wasm_opt_there_is_matters_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def keys(found: str | None) -> list[str]:
        monkeypatch.setattr("meldpy.engine.binaryen.version", lambda: found)
        return [planned(INPUTS, FuseOptions(optimise=optimise)).key for optimise in (False, True)]

    (plain, first), (also_plain, second), (_, none) = keys("132"), keys("133"), keys(None)
    assert plain == also_plain
    assert len({plain, first, second, none}) == 4


def test_a_cluster_with_another_wasm_opt_is_refused_only_by_what_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(theirs: str) -> SimpleNamespace:
        def asked(ask: Callable[[bool], str], optimise: bool, **_: object) -> dict[str, str]:
            with monkeypatch.context() as there:
                there.setattr("meldpy.engine.binaryen.version", lambda: theirs)
                return {"w": ask(optimise)}

        return SimpleNamespace(run=asked)

    monkeypatch.setattr("meldpy.engine.binaryen.version", lambda: "132")
    _refuse_others(client("131"), "a", False)  # type: ignore[arg-type]
    _refuse_others(client("132"), "a", True)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="wasm-opt 131, not"):
        _refuse_others(client("131"), "a", True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"w": ModuleNotFoundError("No module named 'meldpy'")}, "the worker w cannot run meldpy"),
        ({"w": "meldpy 0.1.0, wasmtime 49.0.0"}, "the worker w has meldpy 0.1.0, wasmtime 49.0.0, not meldpy"),
        ({}, "has no workers"),
    ],
)
def test_a_cluster_that_would_make_other_bytes_is_refused(found: dict[str, object], message: str) -> None:
    client = SimpleNamespace(run=lambda *_, **__: found)
    with pytest.raises(EngineError, match=message):
        _refuse_others(client, "a", False)  # type: ignore[arg-type]


def test_a_scenario_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(FileError, match="cannot read"):
        planned(INPUTS, FuseOptions(), "missing.toml")


def test_the_cache_gives_back_what_was_put(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get(DONE.key) is None
    cache.put(DONE)
    cache.put(DONE)
    assert cache.get(DONE.key) == DONE
    assert not list(tmp_path.rglob(".new-*"))


@pytest.mark.parametrize("name", ["output", "beside-0", "result.json"])
def test_the_cache_gives_nothing_that_was_changed(tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path)
    cache.put(DONE)
    (file,) = tmp_path.rglob(name)
    for content in (b"{}", b"[]", b'{"beside": [], "sums": [], "kept": 0}'):
        file.write_bytes(content)
        assert cache.get(DONE.key) is None


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write the cache") as error:
        Cache(tmp_path / "file").put(DONE)
    assert error.value.remedy is not None
    assert "--no-cache" in error.value.remedy


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MELDPY_CACHE", str(tmp_path / "a"))
    assert default_folder() == tmp_path / "a" / "batch"
    monkeypatch.delenv("MELDPY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert default_folder() == tmp_path / "b" / "meldpy" / "batch"


def test_a_worker_fuses_and_checks() -> None:
    job = planned(INPUTS, FuseOptions(), str(HELLO / "fixture.toml"))
    result = work(job, [item.data for item in INPUTS])
    assert isinstance(result, Done)
    assert result.call_sites == 1
    again = from_files(job)
    assert again == replace(result, seconds=again.seconds)


def test_a_failure_is_a_result() -> None:
    broken = [replace(INPUTS[0], data=b"\0asm\x0d\0\x01\0\x09\x09\x09")]
    result = work(planned(broken, FuseOptions()), [broken[0].data])
    assert isinstance(result, Failed)
    assert isinstance(result.error, DecodeError)
    assert result.error.location is not None
    assert result.error.location.source == broken[0].source


def test_a_file_that_changed_meanwhile_is_not_fused(tmp_path: Path) -> None:
    file = tmp_path / "a.wasm"
    file.write_bytes(INPUTS[0].data)
    job = planned([FuseInput("a", str(file), INPUTS[0].data)], FuseOptions())
    file.write_bytes(INPUTS[1].data)
    result = from_files(job)
    assert isinstance(result, Failed)
    assert "has changed since the batch began" in result.error.reason
    file.unlink()
    result = from_files(job)
    assert isinstance(result, Failed)
    assert "cannot read" in result.error.reason


def test_a_defect_in_a_worker_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("meldpy.pipeline.fuse", broken)
    result = work(planned(INPUTS, FuseOptions()), [item.data for item in INPUTS])
    assert isinstance(result, Failed)
    assert isinstance(result.error, InternalError)
    assert result.error.causes[0] == "ZeroDivisionError: oops"
    assert result.error.causes[1].startswith("in work, meldpy/batch/work.py:")
    travelled = pickle.loads(pickle.dumps(result))
    assert travelled.error.render() == result.error.render()


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (MemoryError(), LimitError, "too large or too deep"),
        (RecursionError(), LimitError, "too large or too deep"),
        (UnsupportedError("x", "y", Location("z")), UnsupportedError, "unsupported x: y"),
    ],
)
def test_what_the_machine_lacks_is_no_defect_in_a_worker_either(
    raised: Exception, kind: type[MeldError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise raised

    monkeypatch.setattr("meldpy.pipeline.fuse", broken)
    result = work(planned(INPUTS, FuseOptions()), [item.data for item in INPUTS])
    assert isinstance(result, Failed)
    assert type(result.error) is kind
    assert message in result.error.reason
    travelled = pickle.loads(pickle.dumps(result))
    assert (type(travelled.error), travelled.error.render()) == (kind, result.error.render())


def test_what_a_cluster_does_to_a_job_is_told_apart_from_our_defects() -> None:
    from distributed import CancelledError, KilledWorker

    assert isinstance(_given_up(KilledWorker("k", SimpleNamespace(address="w"), 3)), LimitError)
    assert isinstance(_given_up(CancelledError("k")), EngineError)
    assert isinstance(_given_up(OSError("closed")), EngineError)
    assert isinstance(_given_up(TypeError("cannot pickle")), InternalError)


def job_called(name: str) -> Job:
    return Job(name, (Source(name, name, True, ""),), FuseOptions())


def deadly(job: Job) -> Result:
    """In place of a fuse: one job kills its process, the others do not."""
    if job.key == "deadly":
        os._exit(9)
    return Done(job.key, b"")


def test_a_job_that_kills_its_process_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.batch.local.from_files", deadly)
    keys = ["a", "b", "deadly", "c", "d", "e", "f", "g"]
    results = {result.key: result for result in run_local(list(map(job_called, keys)), 2)}
    assert set(results) == set(keys)
    assert [key for key, result in results.items() if isinstance(result, Failed)] == ["deadly"]
    failed = results["deadly"]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, LimitError)
    assert "the process that fused it died" in failed.error.reason
    assert failed.error.remedy is not None


class BrokenAtSubmit(ProcessPoolExecutor):
    """A pool whose process has died when it is given its second job."""

    given = 0

    def submit(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        BrokenAtSubmit.given += 1
        if BrokenAtSubmit.given == 2:
            raise BrokenProcessPool
        return super().submit(*args, **kwargs)  # type: ignore[arg-type]


def test_a_job_is_not_lost_if_the_pool_breaks_before_it_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.batch.local.from_files", deadly)
    monkeypatch.setattr("meldpy.batch.local.ProcessPoolExecutor", BrokenAtSubmit)
    keys = ["a", "b", "c"]
    assert sorted(result.key for result in run_local(list(map(job_called, keys)), 1)) == keys


def test_workers_end_when_their_results_are_not_wanted_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.batch.local.from_files", deadly)
    results = run_local(list(map(job_called, "abcdefgh")), 2)
    next(results)
    assert active_children()
    results.close()
    assert not active_children()


def test_what_is_done_is_kept_as_it_comes_and_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.batch.local.from_files", deadly)
    jobs = list(map(job_called, ["a1", "b2", "deadly"]))
    cache = Cache(tmp_path)
    first = {each.result.key: each for each in run([*jobs, jobs[0]], cache, workers=2)}
    assert not any(each.cached for each in first.values())
    again = {each.result.key: each.cached for each in run(jobs, cache, workers=2)}
    assert again == {"a1": True, "b2": True, "deadly": False}


ENTRIES = [
    Entry("a.toml", "one.wasm", DONE),
    Entry("a.toml", "two.wasm", replace(DONE, seconds=1.0), cached=True),
    Entry("b.toml", "three\x1b.wasm", Failed("k", LinkError("it does not fit", Location("\x1bx")))),
    Entry("c.toml", "-", None, failure=ManifestError("not TOML")),
    Entry("d.toml", "four.wasm", Failed("l", InternalError("meldpy failed"))),
]


def test_the_json_report_counts_and_lists() -> None:
    told = json.loads(as_json(ENTRIES, 2.0))
    assert (told["schema"], told["builds"], told["failed"], told["cached"]) == ("meld.batch/1", 5, 3, 1)
    assert told["results"][0]["size"] == 6
    assert told["results"][2]["error"].startswith("it does not fit")
    assert [each.get("kind") for each in told["results"]] == [None, None, "LinkError", "ManifestError", "InternalError"]


def test_the_junit_report_is_xml_that_tools_read() -> None:
    root = ElementTree.fromstring(as_junit(ENTRIES, 2.0))
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "2", "1")
    assert [case.get("name") for case in suite] == ["one.wasm", "two.wasm", "three\\u{1b}.wasm", "-", "four.wasm"]
    assert [failure.get("message") for failure in root.iter("failure")] == ["it does not fit", "not TOML"]
    assert [error.get("type") for error in root.iter("error")] == ["InternalError"]
