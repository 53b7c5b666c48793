"""Strings that whoever reads, prints or matches names may stumble over."""

from __future__ import annotations

from random import Random

CONTROLS = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\nb",
    "a\r\nerror: b",
    "\x00",
    "a\x00b",
    "\x7f",
    "\x9b2J",
    "\x85",
    "\u2028",
)
MARKUP = (
    "<script>alert(1)</script>",
    '"]; digraph {',
    "[bold]x[/bold]",
    "%s%n{}{0}",
    "\\u{41}",
    "`rm`",
    "$(x)",
    "|a\\l",
)
UNICODE = ("\u202edoc.exe", "\u200b", "\ufeff", "e\u0301", "\U0010ffff", "\ufffd", "ǅ", "𝕏", "\ue000", "ﬁ", "İ")
KEBAB = ("a", "A", "a-b", "A-B", "a-B", "a1", "a--b", "-a", "a-", "1a", "a_b", "", "x" * 64)
EXTERN = (
    "a:b/c", "a:b/c@1.0.0", "a:b/c@1.0.0-rc.1", "a:b/c@0.0.1", "a:b/c@99999999999999999999.0.0", "a:b/c@1", "a:b/c@",
    "a:b", "a:b/c/d", "a:/c", ":/@", "[method]r.m", "[constructor]r", "[static]r.s", "[resource-drop]r", "[method]r",
    "[]", "[async]f", "[method]R.m", "url=<https://x>", "url=<a>,integrity=<sha256-a>", "locked-dep=<a:b>",
    "unlocked-dep=<a:b@{>=1.0.0}>", "integrity=<sha512-x>", "wasi:cli/run@0.2.0", "cabi_realloc", "$imports", "memory",
)  # fmt: skip
TRICKY = (*CONTROLS, *MARKUP, *UNICODE, *KEBAB, *EXTERN)

LONGEST = 100_000
"""Bytes that engines accept in a name."""


def long_name(rng: Random) -> str:
    """Up to and past the engines' limit; the pattern stays a valid label, or does not."""
    pattern = rng.choice(("a", "ab-", "a1-", "x:y/", "\x1b[0m", "é", "𝕏", "a.b"))
    size = rng.choice((1000, 10_000, LONGEST - 1, LONGEST, LONGEST + 1, LONGEST * 2))
    return (pattern * (size // len(pattern.encode()) + 1))[: size // len(pattern.encode())] + "z"


def hostile_name(rng: Random, old: str = "") -> str:
    """A name in the place of `old`."""
    match rng.randrange(10):
        case 0:
            return long_name(rng)
        case 1:
            return old + rng.choice(TRICKY)
        case 2:
            return rng.choice(TRICKY) + old
        case 3:
            return old[: rng.randrange(len(old) + 1)]
        case 4:
            return old.swapcase()
        case 5:
            return old.replace("@0", "@1", 1) if "@" in old else old + "@1.0.0"
        case _:
            return rng.choice(TRICKY)
