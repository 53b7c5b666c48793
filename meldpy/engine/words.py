"""The engine's error messages as a chain of causes, one sentence each."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+: ")
_PLACE = re.compile(r"--> (.*):(\d+):(\d+)")
_OFFSET = re.compile(r" \(at offset 0x([0-9a-f]+)\)$")
_EXCERPT = re.compile(r"\d* *\|")


def causes_of(error: Exception) -> tuple[str, ...]:
    """The sentences of an engine's message, without its own numbering; a place in a text joins the sentence before."""
    return causes_in(str(error))


def causes_in(words: str) -> tuple[str, ...]:
    """The same, of the message itself."""
    causes: list[str] = []
    for line in words.splitlines():
        line = _NUMBER.sub("", line.strip(), count=1) if _NUMBER.match(line.strip()) else line.strip()
        place = _PLACE.fullmatch(line)
        if place is not None:
            where = f"line {place[2]}, column {place[3]}"
            causes[-1:] = [f"{causes[-1]} at {where}" if causes else where]
        elif line and line != "Caused by:" and not _EXCERPT.match(line):
            causes.append(line)
    return tuple(causes)


def offset_in(causes: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    """The first byte offset that the engine names at the end of a sentence, and the sentences without it."""
    for i, cause in enumerate(causes):
        found = _OFFSET.search(cause)
        if found is not None:
            return int(found[1], 16), (*causes[:i], cause[: found.start()], *causes[i + 1 :])
    return None, causes
