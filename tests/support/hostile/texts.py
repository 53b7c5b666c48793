"""The text format, broken and oversized: text is an input like any other."""

from __future__ import annotations

from random import Random

from tests.support.hostile.names import hostile_name

_PIECES = (
    "(",
    ")",
    '"',
    "(;",
    ";)",
    ";;",
    "(component",
    "(core module",
    "$",
    "0x",
    "@",
    "\\",
    "\0",
    "\x1b[31m",
    "é",
    " ",
)


def change_text(rng: Random, text: str) -> bytes:
    """`text` with one to three changes, as bytes that may not be UTF-8."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 3, 40)))
        match rng.randrange(5):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:end] + text[at:end] + text[end:]
            case 2:
                text = text[:at] + rng.choice(_PIECES) + text[at:]
            case 3:
                text = text[:at] + hostile_name(rng) + text[end:]
            case _:
                text = text[:at]
    data = text.encode("utf-8", "replace")
    if rng.randrange(6) == 0 and data:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80")) + data[at:]
    return data or b" "


def text_bomb(rng: Random) -> bytes:
    """Nesting and sizes that a recursive parser cannot stand."""
    depth = rng.choice((50, 200, 1000, 20_000, 200_000))
    piece, close = rng.choice(
        (
            ("(", ")"), ("(;", ";)"), ("(component ", ")"), ("(type (component ", "))"), ("(core module) ", ""),
            ("(core module (func (block ", ")))"), ("(component (type (tuple ", ")))"),
            ("(import \"a\" (func)) " if depth < 20_000 else "(", ""),
        )
    )  # fmt: skip
    body = piece * depth + (close * depth if rng.randrange(3) else "")
    match rng.randrange(4):
        case 0:
            return body.encode()
        case 1:
            return f"(component (core module (func {'(block ' * depth}{')' * depth})))".encode()
        case 2:
            return f"(component (type {'(list ' * depth}u8{')' * depth}))".encode()
        case _:
            return f"(component {body})".encode()
