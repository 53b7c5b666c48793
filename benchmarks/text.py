"""What one string costs across a component boundary, composed and fused: nine pairs of encodings, five scripts, sizes.

Arguments on the command line choose the rows whose names contain one of them; `-O` among them has
wasm-opt optimise what is fused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from crossing import TEXT_AT, composition, rows
from timing import heading

SCRIPTS = {
    "ASCII": "The quick brown fox jumps over the lazy dog. ",
    "German": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ",
    "Russian": "Съешь ещё этих мягких французских булок, да выпей чаю. ",
    "Chinese": "視野無限廣，窗外有藍天。微風迎客，軟語伴茶。",
    "emoji": "🦊🐶🍰👍🎉🚀🌍🔥",
}
ENCODINGS = ("utf8", "utf16", "latin1+utf16")


def encoded(script: str, encoding: str, size: int) -> tuple[bytes, int]:
    """Text of about `size` bytes, and its length as the ABI counts it."""
    text = SCRIPTS[script]
    codec = {"utf8": "utf-8", "utf16": "utf-16-le"}.get(encoding)
    if codec is None:
        codec = "latin-1" if max(map(ord, text)) < 256 else "utf-16-le"
    wide = codec == "utf-16-le"
    taken = ""
    while len((taken + text[len(taken) % len(text)]).encode(codec)) <= size:
        taken += text[len(taken) % len(text)]
    data = taken.encode(codec)
    units = len(data) // (2 if wide else 1)
    return data, units | (1 << 31) if wide and encoding == "latin1+utf16" else units


def case(script: str, pair: tuple[str, str], size: int) -> str:
    data, length = encoded(script, pair[0], size)
    call = f"(call $f (i32.const {TEXT_AT}) (i32.const {length}))"
    return composition('(param "x" string)', "(param i32 i32)", call, data=data, encodings=pair)


def cases(words: list[str]) -> Iterator[tuple[str, str]]:
    for source in ENCODINGS:
        for destination in ENCODINGS:
            sizes = (8, 11, 16, 24, 32, 100, 4096) if source == destination == "utf8" else (16, 4096)
            for script in SCRIPTS:
                for size in sizes:
                    name = f"{source} to {destination}, {script}, {size} B"
                    if not words or any(word in name for word in words):
                        yield name, case(script, (source, destination), size)


def main() -> None:
    optimise, words = "-O" in sys.argv, [word for word in sys.argv[1:] if word != "-O"]
    heading("one string, fused with -O" if optimise else "one string")
    rows(cases(words), optimise=optimise)


if __name__ == "__main__":
    main()
