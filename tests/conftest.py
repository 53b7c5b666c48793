"""What holds for every test: in CI a skipped test is a failure, and hypothesis runs a quick profile by default."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.support.witnesses import pytest_runtest_call  # noqa: F401  # a hook: which test reaches which error

settings.register_profile(
    "quick", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Tests hand texts to the engine's parser themselves. It reads them as meld does, whichever test comes first.
os.environ.setdefault("WAST_STRICT_COMPONENT_INDICES", "0")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job starts with it ignored, and so does what tests start and want to interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Forbid skips in CI: a missing tool or fixture must not look like success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("skipped tests are failures in CI", red=True)
