"""The examples of the SDKs are modules like any other, and one language's state is the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from meldpy.host.faults import FailureCode, ModuleFailure, SchemaRefused, StateError
from meldpy.host.limits import Grants
from meldpy.host.module import Capabilities, Envelope, Level, ModuleState
from tests.support.native import EVERYTHING, SDK, Recorder, library, running
from tests.support.native.sanitizers import STRICT


def example(language: str) -> Path:
    if language == "rust":
        from tests.support.native.rust import example as built

        return built("tally")
    return library("tally", *STRICT, compiler=language, source=SDK / "c" / "examples" / "tally.c")


LANGUAGES = ["gcc", "clang-19", "rust"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_lives_its_life(language: str) -> None:
    services = Recorder()
    with running(example(language), services) as module:
        assert module.introduction.name == "tally"
        assert module.introduction.version == "0.1.0"
        assert "meld" in module.introduction.built_with
        assert module.capabilities() == Capabilities(("total", "sum"), ("numbers/*",), 1)
        assert module.execute("total", b"") == b"0"
        assert module.handle_message(Envelope(1, "numbers/a", b"40", wants_reply=True)) == b"40"
        assert module.handle_message(Envelope(2, "numbers/a", b"2")) == b""
        assert module.execute("total", b"") == b"42"
        with pytest.raises(ModuleFailure) as failure:
            module.execute("subtract", b"")
        assert failure.value.code is FailureCode.UNSUPPORTED
        assert "no command subtract" in failure.value.reason
        with pytest.raises(ModuleFailure) as failure:
            module.handle_message(Envelope(3, "numbers/a", b"many"))
        assert failure.value.code is FailureCode.ARGUMENT
        module.shutdown()
    assert services.lines == [(Level.INFO, "counting from 0")]


@pytest.mark.parametrize("older", LANGUAGES)
@pytest.mark.parametrize("newer", LANGUAGES)
def test_state_goes_from_one_version_to_the_next(older: str, newer: str) -> None:
    with running(example(older)) as module:
        module.handle_message(Envelope(1, "numbers/a", b"18446744073709551615"))
        state = module.get_state()
    assert state == ModuleState(1, b"18446744073709551615")
    with running(example(newer)) as module:
        with pytest.raises(SchemaRefused, match="schema 2"):
            module.restore_state(ModuleState(2, b"1"))
        module.restore_state(state)
        assert module.execute("total", b"") == state.data


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_job_goes_on_from_its_checkpoint(language: str) -> None:
    payload = bytes(range(256)) * 100
    services = Recorder()
    with running(example(language), services) as module:
        assert module.execute("sum", payload) == str(sum(payload)).encode()
    assert services.said[:2] == [("progress", 4096, 25600, "adding"), ("checkpoint", b"4096 522240")]
    services.kept = b"25500 7"
    with running(example(language), services) as module:
        assert module.execute("sum", payload) == str(7 + sum(payload[25500:])).encode()
        services.kept, services.cancelled = None, True
        with pytest.raises(ModuleFailure) as failure:
            module.execute("sum", payload)
        assert failure.value.code is FailureCode.CANCELLED
        services.cancelled, services.kept = False, b"nonsense"
        with pytest.raises(ModuleFailure):
            module.execute("sum", payload)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_job_needs_no_job_to_run(language: str) -> None:
    class NoJob(Recorder):
        def checkpoint(self, data: bytes) -> None:
            raise StateError("no job runs")

    for grants in (EVERYTHING, Grants()):
        with running(example(language), NoJob(), grants=grants) as module:
            assert module.execute("sum", b"abc") == b"294"
