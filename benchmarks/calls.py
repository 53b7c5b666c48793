"""What one call across a component boundary costs, composed and fused, for every kind of value that is not text.

`text.py` has strings in all encodings and scripts, `resources.py` handles. Arguments on the command line choose the
cases whose names contain one of them; `-O` among them has wasm-opt optimise what is fused.
"""

from __future__ import annotations

import struct
import sys

from crossing import TEXT_AT, composition, rows
from timing import heading

SCALARS = ("u8", "s16", "u32", "s64", "f32", "f64", "char", "bool")
EIGHT = (
    "(call $f (i32.const 1) (i32.const 2) (i32.const 3) (i64.const 4) (f32.const 5) (f64.const 6)"
    " (i32.const 65) (i32.const 1))"
)
PAIR = "(param i32 i32)"
POINTERS = b"".join(struct.pack("<II", TEXT_AT + 1024 + 16 * i, 16) for i in range(64)) + bytes(512) + b"x" * 2048


def list_of(element: str, length: int, data: bytes = b"") -> str:
    call = f"(call $f (i32.const {TEXT_AT}) (i32.const {length}))"
    return composition(f'(param "x" (list {element}))', PAIR, call, data=data)


def result_of(type: str, data: bytes) -> str:
    """The callee returns where its result lies; the caller says where it wants it."""
    return composition(
        f"(result {type})",
        "(result i32)",
        "(call $f (i32.const 512))",
        callee=f"(i32.const {TEXT_AT})",
        data=data,
        lowered="(param i32)",
    )


FIELDS = struct.pack("<IIII", 7, 1, 65, 3)
STRING = struct.pack("<II", TEXT_AT + 64, 16) + bytes(60) + b"sixteen bytes of"

CASES = {
    "u32": composition(
        '(param "x" u32) (result u32)', "(param i32) (result i32)", "(drop (call $f (local.get $n)))",
        callee="local.get 0", memory=False,
    ),
    "8 scalars": composition(
        " ".join(f'(param "p{i}" {t})' for i, t in enumerate(SCALARS)),
        "(param i32 i32 i32 i64 f32 f64 i32 i32)", EIGHT, memory=False,
    ),
    "list<u32>, 1024": list_of("u32", 1024),
    "list<u8>, 4096": list_of("u8", 4096),
    "list<bool>, 1024": list_of("bool", 1024, bytes([0, 1] * 512)),
    "list<char>, 1024": list_of("char", 1024, struct.pack("<I", 0x416) * 1024),
    "list<bool>, 10": list_of("bool", 10),
    "list<char>, 10": list_of("char", 10),
    "list<tuple<u32, bool>>, 256": list_of("(tuple u32 bool)", 256, bytes([7, 7, 7, 7, 1, 9, 9, 9]) * 256),
    "list<tuple<u32, bool, char, u8>>, 256": list_of("(tuple u32 bool char u8)", 256, FIELDS * 256),
    "list<tuple<u32, bool, char, u8>>, 3": list_of("(tuple u32 bool char u8)", 3, FIELDS * 3),
    "list<option<u32>>, 256": list_of("(option u32)", 256, struct.pack("<IIII", 1, 5, 0, 7) * 128),
    "list<result<u8, u64>>, 256": list_of("(result u8 (error u64))", 256, struct.pack("<QQQQ", 0, 5, 1, 7) * 128),
    "list<tuple<u8, u64>>, 256": list_of("(tuple u8 u64)", 256),
    "list<string>, 64 of 16 bytes": list_of("string", 64, POINTERS),
    "list<list<u8>>, 64 of 16 bytes": list_of("(list u8)", 64, POINTERS),
    "tuple<u32, string>": composition(
        '(param "x" (tuple u32 string))', "(param i32 i32 i32)",
        f"(call $f (i32.const 1) (i32.const {TEXT_AT}) (i32.const 16))", data=b"sixteen bytes of",
    ),
    "option<u32>": composition(
        '(param "x" (option u32))', PAIR, "(call $f (i32.const 1) (i32.const 7))", memory=False,
    ),
    "result<u32, f32>": composition(
        '(param "x" (result u32 (error f32)))', PAIR, "(call $f (i32.const 1) (i32.const 7))", memory=False,
    ),
    "17 u64 (spilled)": composition(
        " ".join(f'(param "p{i}" u64)' for i in range(17)), "(param i32)", f"(call $f (i32.const {TEXT_AT}))",
    ),
    "result: string": result_of("string", STRING),
    "result: tuple<u32, u32>": result_of("(tuple u32 u32)", bytes(8)),
    "result: tuple<u32, string>": result_of("(tuple u32 string)", bytes(4) + STRING),
    "result: option<u32>": result_of("(option u32)", bytes([1, 0, 0, 0, 7, 0, 0, 0])),
    "result: result<string, u32>": result_of("(result string (error u32))", bytes(4) + STRING),
}  # fmt: skip


def main() -> None:
    optimise, chosen = "-O" in sys.argv, [word for word in sys.argv[1:] if word != "-O"]
    heading("one call, fused with -O" if optimise else "one call")
    cases = ((name, text) for name, text in CASES.items() if not chosen or any(word in name for word in chosen))
    rows(cases, optimise=optimise)


if __name__ == "__main__":
    main()
