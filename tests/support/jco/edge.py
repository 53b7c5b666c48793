"""The composition of a random test with lists of bytes at its host boundary, where it has latin1+utf16 strings.

jco does not know that encoding. Nothing else differs, so what the guests exchange is the same.
"""

from __future__ import annotations

from typing import Final

EDGE: Final = (
    ('-load") (param "image" string)', '-load") (param "image" (list u8))'),
    ('-dump") (result string)', '-dump") (result (list u8))'),
    (") string-encoding=latin1+utf16 (memory $relay-mem)", ") (memory $relay-mem)"),
)


def lists_at_the_edge(text: str) -> str:
    """`text`: a component with guests of tests.support.gen."""
    loads, dumps, options = (text.count(strings) for strings, _ in EDGE)
    assert loads == dumps == options / 2 > 0, "the guests' host functions have changed"
    for strings, lists in EDGE:
        text = text.replace(strings, lists)
    return text
