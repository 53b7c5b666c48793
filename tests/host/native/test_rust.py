"""The Rust SDK: its own tests, its mirror of the header, and its example under a sanitizer."""

from __future__ import annotations

import pytest

from tests.host.native.test_header import offsets_in_c
from tests.support.native.rust import CRATE, cargo, example
from tests.support.native.sanitizers import check


def test_the_crate_passes_its_own_tests() -> None:
    passed = cargo("test", "--quiet").stdout
    assert "4 passed" in passed
    assert "0 failed" in passed


def test_its_mirror_has_the_sizes_and_offsets_of_the_header(tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = cargo("run", "--quiet", "--example", "layout").stdout.splitlines()
    said = {name: int(value) for name, value in (line.split() for line in lines)}
    assert said == offsets_in_c(tmp_path_factory.mktemp("layout"))


def test_its_example_says_nothing_unsafe_and_loses_nothing() -> None:
    source = (CRATE / "examples" / "tally.rs").read_text()
    assert "#![forbid(unsafe_code)]" in source
    done = check("clang-19", example("tally"), "sum", "x" * 10_000, "nope", "18446744073709551615", "nope", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "message: code 1: the total would be too large" in done.stdout


def test_it_needs_no_other_crate() -> None:
    assert (CRATE / "Cargo.lock").read_text().count("[[package]]") == 1
