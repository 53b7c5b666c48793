"""Tracks of versions in names."""

from __future__ import annotations

import pytest

from meldpy.model.extern import Attributes, ExternName
from meldpy.resolver.semver import versioned


def track(name: str, suffix: str | None = None) -> str | None:
    found = versioned(ExternName(name, Attributes(version_suffix=suffix)))
    return None if found is None else found.track


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("x", None, None),
        ("x:y/z", None, None),
        ("x:y/z@1.2.3", None, "x:y/z@1"),
        ("x:y/z@2.1.2+abc", None, "x:y/z@2"),
        ("x:y/z@0.2.3", None, "x:y/z@0.2"),
        ("x:y/z@0.0.3", None, "x:y/z@0.0.3"),
        ("x:y/z@0.0.0", None, "x:y/z@0.0.0"),
        ("x:y/z@1.0.0-rc.1", None, "x:y/z@1.0.0-rc.1"),
        ("x:y/z@1", None, "x:y/z@1"),
        ("x:y/z@1", ".2.3", "x:y/z@1"),
        ("x:y/z@0.2", ".6", "x:y/z@0.2"),
        ("x:y/z@0.2", ".6-rc.1", "x:y/z@0.2.6-rc.1"),
        ("x:y/z@0.0.1", "-alpha", "x:y/z@0.0.1-alpha"),
        ("x:y/z@01.2.3", None, None),
        ("x:y/z@1.2.3.4", None, None),
        ("x:y/z@0", None, None),
    ],
)
def test_the_track_is_the_compatible_part(name: str, suffix: str | None, expected: str | None) -> None:
    assert track(name, suffix) == expected


def test_versions_are_ordered_as_numbers() -> None:
    names = ["a:b/c@0.2", "a:b/c@0.2.0", "a:b/c@0.2.9", "a:b/c@0.2.10", "a:b/c@0.2.10+b1"]
    found = [versioned(ExternName(name)) for name in names]
    versions = [v.version for v in found if v is not None]
    assert len(versions) == len(names)
    assert versions == sorted(versions)
    assert len(set(versions)) == len(names)
