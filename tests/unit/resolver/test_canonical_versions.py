"""Names that carry only the compatible part of a version, with and without the rest as an attribute."""

from __future__ import annotations

import pytest

from meldpy.model.extern import Attributes, ExternName
from meldpy.resolver.semver import Version, Versioned, versioned


@pytest.mark.parametrize(
    ("name", "suffix", "track", "version"),
    [
        ("a:b/c@1", None, "a:b/c@1", Version(1, 0, -1, "")),
        ("a:b/c@7", None, "a:b/c@7", Version(7, 0, -1, "")),
        ("a:b/c@0.2", None, "a:b/c@0.2", Version(0, 2, -1, "")),
        ("a:b/c@0.12", None, "a:b/c@0.12", Version(0, 12, -1, "")),
        ("a:b/c@1", ".2.3", "a:b/c@1", Version(1, 2, 3, "")),
        ("a:b/c@0.2", ".6", "a:b/c@0.2", Version(0, 2, 6, "")),
        ("a:b/c@0.0.5", None, "a:b/c@0.0.5", Version(0, 0, 5, "")),
        ("a:b/c@3.4.5+six", None, "a:b/c@3", Version(3, 4, 5, "six")),
        ("a:b/c@3.4.5-six", None, "a:b/c@3.4.5-six", Version(3, 4, 5, "")),
        ("a:b/c@3.4.5-six+seven", None, "a:b/c@3.4.5-six", Version(3, 4, 5, "seven")),
        ("a:b/c@0.4.5-six+seven.8", None, "a:b/c@0.4.5-six", Version(0, 4, 5, "seven.8")),
    ],
)
def test_track_and_version(name: str, suffix: str | None, track: str, version: Version) -> None:
    assert versioned(ExternName(name, Attributes(version_suffix=suffix))) == Versioned(track, version)


@pytest.mark.parametrize("name", ["plain", "a:b", "a:b/c@", "a:b/c@0", "a:b/c@0.0", "a:b/c@01", "a:b/c@1.2", "a:b@x"])
def test_names_without_a_version(name: str) -> None:
    assert versioned(ExternName(name)) is None


def test_versions_of_one_track_are_ordered() -> None:
    names = ["a:b/c@1", "a:b/c@1.0.0", "a:b/c@1.0.0+a", "a:b/c@1.0.1", "a:b/c@1.2.0", "a:b/c@1.10.0"]
    found = [versioned(ExternName(name)) for name in names]
    versions = [each.version for each in found if each is not None]
    assert len(versions) == len(names)
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


def test_a_suffix_without_a_version_means_nothing() -> None:
    assert versioned(ExternName("a:b/c", Attributes(version_suffix="1.2.3"))) is None
