"""Versions in import and export names, and which of them are compatible.

Two names are on one *track* if they differ only in a compatible part of the version: same major; for major 0 same
minor; 0.0.x and pre-releases are compatible with nothing but themselves. A canonical name (`a:b/c@0.2`) may carry the
rest of its version as the `versionsuffix` attribute. Spec: Explainer.md "Canonical Interface Name"; semver.org.
"""

from __future__ import annotations

import re
from typing import final

from meldpy.model.extern import ExternName
from meldpy.records import dataclass

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_FULL = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDS}))?(?:\+({_IDS}))?")
_CANONICAL = re.compile(r"([1-9][0-9]*)|0\.([1-9][0-9]*)")


@final
@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Ordered as versions are; a canonical one without its suffix is the lowest of its track. `build` breaks ties."""

    major: int
    minor: int
    patch: int
    build: str


@final
@dataclass(frozen=True, slots=True)
class Versioned:
    """A name on a track: `track` is the name with the compatible part of its version."""

    track: str
    version: Version


def is_version(text: str) -> bool:
    """Whether it is a full semantic version, of numbers that engines can hold."""
    full = _FULL.fullmatch(text)
    if full is None or any(int(full[i]) >> 64 for i in (1, 2, 3)):
        return False
    # a number before a release has no leading zero
    return re.search(r"(?:^|\.)0[0-9]+(?:\.|$)", full[4] or "") is None


def versioned(name: ExternName) -> Versioned | None:
    """The track of `name`, or None if nothing but the very same name is compatible with it."""
    base, at, written = name.name.partition("@")
    if not at:
        return None
    text = written + (name.attributes.version_suffix or "")
    full = _FULL.fullmatch(text)
    if full is None:
        return _canonical(base, text)
    major, minor, patch = (int(full[i]) for i in (1, 2, 3))
    if full[4] is not None:
        return Versioned(f"{base}@{major}.{minor}.{patch}-{full[4]}", Version(major, minor, patch, full[5] or ""))
    return Versioned(_track(base, major, minor, patch), Version(major, minor, patch, full[5] or ""))


def _track(base: str, major: int, minor: int, patch: int) -> str:
    if major:
        return f"{base}@{major}"
    return f"{base}@0.{minor}" if minor else f"{base}@0.0.{patch}"


def _canonical(base: str, text: str) -> Versioned | None:
    found = _CANONICAL.fullmatch(text)
    if found is None:
        return None
    major, minor = int(found[1] or 0), int(found[2] or 0)
    return Versioned(_track(base, major, minor, 0), Version(major, minor, -1, ""))
