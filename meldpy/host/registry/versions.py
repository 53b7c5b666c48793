"""Versions of modules and interfaces, and ranges of them, as semver.org and cargo have them.

A range is a list of comparisons, all of which must hold: `^1.2` (compatible: the first part that is not zero stays),
`~1.2` (the minor stays), `=1.2.3`, `>=1`, `<2`, `*`; a bare version is `^`. A pre-release fits only a range that names
a pre-release of the same three numbers.
"""

from __future__ import annotations

import re
from typing import final

from meldpy.records import dataclass

_PART = r"(?:0|[1-9][0-9]*)"
_FULL = re.compile(rf"({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_COMPARISON = re.compile(r"(\^|~|>=|<=|>|<|=)?\s*(\S+)")


@final
@dataclass(frozen=True, slots=True)
class Version:
    """Three numbers, and the identifiers of a pre-release."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises ValueError."""
        found = _FULL.fullmatch(text)
        if found is None or found[3] is None:
            raise ValueError(f"{text!r} is no version: three numbers are wanted, 1.2.3")
        return cls(int(found[1]), int(found[2]), int(found[3]), () if found[4] is None else tuple(found[4].split(".")))

    @property
    def key(self) -> tuple[object, ...]:
        """Ordered as versions are: a pre-release before its release, numbers before words."""
        parts = tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts)

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __le__(self, other: Version) -> bool:
        return self.key <= other.key

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{'-' + '.'.join(self.pre) if self.pre else ''}"


@final
@dataclass(frozen=True, slots=True)
class Range:
    """comparisons: (least, below), each a half-open interval; `text` as it was written."""

    text: str
    intervals: tuple[tuple[Version, Version | None], ...]
    pre: tuple[Version, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Range:
        """Raises ValueError."""
        if text.strip() in ("*", ""):
            return cls(text, ())
        intervals: list[tuple[Version, Version | None]] = []
        named: list[Version] = []
        for part in text.split(","):
            found = _COMPARISON.fullmatch(part.strip())
            full = None if found is None else _FULL.fullmatch(found[2])
            if found is None or full is None:
                raise ValueError(f"{part.strip()!r} is no range of versions")
            numbers = [int(each) for each in (full[1], full[2], full[3]) if each is not None]
            pre = () if full[4] is None else tuple(full[4].split("."))
            major, minor, patch, *_ = [*numbers, 0, 0]
            low = Version(major, minor, patch, pre)
            intervals.append(_interval(found[1] or "^", low, numbers))
            if pre:
                named.append(low)
        return cls(text, tuple(intervals), tuple(named))

    def __contains__(self, version: Version) -> bool:
        if version.pre and not any(
            (each.major, each.minor, each.patch) == (version.major, version.minor, version.patch) for each in self.pre
        ):
            return False
        return all(low <= version and (high is None or version < high) for low, high in self.intervals)

    def __str__(self) -> str:
        return self.text


_FIRST = Version(0, 0, 0, ("0",))


def _interval(operator: str, low: Version, numbers: list[int]) -> tuple[Version, Version | None]:
    after = _after(low, len(numbers) - 1)
    match operator:
        case "^":
            first = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
            return low, _after(low, first)
        case "~":
            return low, _after(low, min(1, len(numbers) - 1))
        case "=":
            return low, after
        case ">=":
            return low, None
        case ">":
            return after, None
        case "<":
            return _FIRST, low
        case _:
            return _FIRST, after


def _after(version: Version, part: int) -> Version:
    """The first version in which the part (0 major, 1 minor, 2 patch) is one more; before its pre-releases."""
    numbers = [version.major, version.minor, version.patch]
    if part == 2 and version.pre:
        return Version(numbers[0], numbers[1], numbers[2], ())
    raised = [*numbers[:part], numbers[part] + 1, *([0] * (2 - part))]
    return Version(raised[0], raised[1], raised[2])
