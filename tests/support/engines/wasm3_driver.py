"""Core outputs in wasm3: see __init__.py for the lines that are spoken here. Functions are compiled when called."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence

import wasm3

Value = int | float
Signature = tuple[str, str, str, str]
_FORMATS = {"i": "<i", "I": "<q", "f": "<f", "d": "<d"}
_NAMES = {"i": "i", "I": "I", "f": "f", "d": "F"}
STACK = 1 << 20


class HostFailedError(Exception):
    """What a failed host function leaves with; wasm3 makes a trap of it."""


def say(*words: object) -> None:
    print(*words, flush=True)


def unhex(text: str) -> str:
    return "" if text == "-" else bytes.fromhex(text).decode()


def letters(text: str) -> str:
    return "" if text == "-" else text


def from_bits(types: str, words: Sequence[str]) -> list[Value]:
    packed = [
        struct.pack("<Q", int(word))[: struct.calcsize(_FORMATS[t])] for t, word in zip(types, words, strict=True)
    ]
    return [struct.unpack(_FORMATS[t], data)[0] for t, data in zip(types, packed, strict=True)]


def to_bits(types: str, values: Sequence[Value]) -> list[int]:
    wrapped = [
        value if isinstance(value, float) else (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        for value, bits in zip(values, (8 * struct.calcsize(_FORMATS[t]) for t in types), strict=True)
    ]
    return [int.from_bytes(struct.pack(_FORMATS[t], value), "little") for t, value in zip(types, wrapped, strict=True)]


class Driver:
    """One module, and what is said about it."""

    def __init__(self) -> None:
        self.code = b""
        self.imports: list[Signature] = []
        self.exports: list[Signature] = []

    def go(self) -> None:
        environment = wasm3.Environment()
        self.runtime = environment.new_runtime(STACK)
        module = environment.parse_module(self.code)
        self.runtime.load(module)
        for number, (where, name, params, results) in enumerate(self.imports):
            result = _NAMES[results] if results else "v"
            signature = f"{result}({' '.join(_NAMES[each] for each in params)})".replace(" ", "")
            module.link_function(where, name, signature, self.host(number))

    def host(self, number: int) -> Callable[..., Value | None]:
        _, _, params, results = self.imports[number]

        def called(*args: Value) -> Value | None:
            say("host", number, *to_bits(params, args))
            words = self.serve()
            if words is None:
                raise HostFailedError
            return from_bits(results, words)[0] if results else None

        return called

    def call(self, number: str, *words: str) -> list[int]:
        _, name, params, results = self.exports[int(number)]
        returned = self.runtime.find_function(name)(*from_bits(params, words))
        return to_bits(results, [returned] if results else [])

    def attempt(self, action: Callable[[], Sequence[int]], done: str) -> None:
        try:
            say(done, *action())
        except (RuntimeError, HostFailedError) as error:
            kind = "trap" if "[trap]" in str(error) or isinstance(error, HostFailedError) else "error"
            say(kind, str(error).replace("\n", " "))

    def serve(self) -> list[str] | None:
        """Commands until the host returns; None if it failed."""
        for line in sys.stdin:
            word, *rest = line.split()
            match word:
                case "load":
                    self.code = bytes.fromhex(rest[0])
                case "I":
                    self.imports.append((unhex(rest[0]), unhex(rest[1]), letters(rest[2]), letters(rest[3])))
                case "E":
                    self.exports.append(("", unhex(rest[0]), letters(rest[1]), letters(rest[2])))
                case "go":
                    self.attempt(lambda: self.go() or (), "ok")
                case "call":
                    self.attempt(lambda words=rest: self.call(*words), "done")
                case "read":
                    at, size = map(int, rest)
                    say("data", bytes(self.runtime.get_memory(0)[at : at + size]).hex())
                case "write":
                    data = bytes.fromhex(rest[1]) if len(rest) > 1 else b""
                    self.runtime.get_memory(0)[int(rest[0]) : int(rest[0]) + len(data)] = data
                    say("ok")
                case "size":
                    memory = self.runtime.get_memory(0)
                    say("data", 0 if memory is None else len(memory))
                case "return":
                    return rest
                case "fail":
                    return None
        sys.exit()


Driver().serve()
