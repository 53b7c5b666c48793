"""Runs `handles.wat` by itself under the engine: call by call, or in batches beside the model."""

from __future__ import annotations

import struct
from functools import cache
from typing import TypeAlias

import wasmtime
from wasmtime import Func, FuncType, Instance, Memory, Module, Store

from meldpy import runtime
from tests.support.handle_model import HandleModel, Scope, Trapped

Result: TypeAlias = "int | tuple[int, int] | None"
PAGE = 65536


@cache
def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    return wasmtime.Engine(config)


@cache
def module(drivers: str = "") -> Module:
    """The library with functions of a test's own in it, so that they call as fused code does."""
    text = runtime.sources()[runtime.HANDLES].rstrip()
    assert text.endswith(")")
    own = '(func (export "pages") (result i32) memory.size) (export "memory" (memory $handles))'
    return Module(engine(), bytes(wasmtime.wat2wasm(f"{text[:-1]}{own}{drivers})")))


def unsigned(value: int) -> int:
    return value & 0xFFFF_FFFF


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


class Handles:
    """One instance of the library; all numbers are unsigned. A trap is raised as Trapped and does no harm."""

    def __init__(self, drivers: str = "", pages: int | None = None) -> None:
        self.store = Store(engine())
        if pages is not None:
            self.store.set_limits(memory_size=pages * PAGE)
        code = module(drivers)
        traps = [self._trap_function(item.name or "") for item in code.imports]
        self.exports = Instance(self.store, code, traps).exports(self.store)
        self._functions: dict[str, Func] = {}

    def call(self, export: str, *args: int) -> Result:
        if export not in self._functions:
            function = self.exports[export]
            assert isinstance(function, Func)
            self._functions[export] = function
        result = self._functions[export](self.store, *map(signed, args))
        match result:
            case None:
                return None
            case int():
                return unsigned(result)
            case [int() as first, int() as second]:
                return unsigned(first), unsigned(second)
        raise AssertionError(f"{export} returned {result!r}")

    def count(self, export: str, *args: int) -> int:
        """`call` of a function that returns one number."""
        result = self.call(export, *args)
        assert isinstance(result, int)
        return result

    def trap_of(self, export: str, *args: int) -> str | None:
        """The name of the trap of a call, None if it does not trap."""
        try:
            self.call(export, *args)
        except Trapped as trap:
            return str(trap)
        return None

    def _trap_function(self, name: str) -> Func:
        def fail() -> None:
            raise Trapped(name)

        return Func(self.store, FuncType([], []), fail)


# --- beside the model ---------------------------------------------------------------------------------------
# A call from Python takes as long as thousands of these operations, so a function beside them performs scripts of
# records: the operation, up to four arguments, and room for two results.
_OPERATIONS = {
    "new-own": (3, 1),
    "take-own": (3, 1),
    "rep": (3, 1),
    "drop": (3, 2),
    "lend": (3, 1),
    "unlend": (2, 0),
    "lend-pushed": (3, 1),
    "lenders": (0, 1),
    "release-to": (1, 0),
    "scope-enter": (0, 1),
    "lower-borrow": (4, 1),
    "scope-exit": (1, 0),
}
_NUMBERS = {operation: number for number, operation in enumerate(_OPERATIONS)}
_RECORD = struct.Struct("<5I8x4x")
_RESULTS_AT = 20
_SCRIPT_AT = _RECORD.size
_BATCH = 2000


def _performed(operation: str) -> str:
    """The instructions that perform one operation and leave its results in the record."""
    params, results = _OPERATIONS[operation]
    args = " ".join(f"(i32.load $script offset={4 + 4 * i} (local.get $at))" for i in range(params))
    call = f"(call $handle.{operation.replace('-', '_')} {args})"
    stores = [
        f"(local.set $result) (i32.store $script offset={_RESULTS_AT + 4 * i} (local.get $at) (local.get $result))"
        for i in reversed(range(results))
    ]
    number = "(i32.load $script (local.get $at))"
    return f"(if (i32.eq {number} (i32.const {_NUMBERS[operation]})) (then {call} {' '.join(stores)}))"


# The first word of the script's memory says which record is being performed: a trap is that one's.
_PERFORM = f"""
  (memory $script (export "script") 2)
  (func (export "perform") (param $at i32) (param $end i32) (local $result i32)
    loop $next
      (i32.store $script (i32.const 0) (local.get $at))
      {" ".join(map(_performed, _OPERATIONS))}
      (local.set $at (i32.add (local.get $at) (i32.const {_RECORD.size})))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end)))
    end)
"""


class Beside:
    """The library and the model, given the same operations: both must return or trap alike, each time.

    The methods answer what the model says. The library follows in batches; `settle` makes it catch up.
    """

    def __init__(self) -> None:
        self.model = HandleModel()
        self.library = Handles(_PERFORM)
        script = self.library.exports["script"]
        assert isinstance(script, Memory)
        self._script = script
        self._pending: list[tuple[str, tuple[int, ...], Result | str]] = []

    def indexed(self, operation: str, table: int, type: int, last: int) -> Result | str:
        """rep, take-own, drop, lend, lend-pushed of an index; new-own of a rep."""
        expected: Result | str
        try:
            expected = getattr(self.model, operation.replace("-", "_"))(table, type, last)
        except Trapped as trap:
            expected = str(trap)
        return self._follow(operation, (runtime.table_address(table), runtime.resource_tag(type), last), expected)

    def new_own(self, table: int, type: int, rep: int) -> Result | str:
        return self.indexed("new-own", table, type, rep)

    def unlend(self, table: int, index: int) -> None:
        self.model.unlend(table, index)
        self._follow("unlend", (runtime.table_address(table), index), None)

    def lenders(self) -> int:
        mark = self.model.lenders()
        self._follow("lenders", (), mark)
        return mark

    def release_to(self, mark: int) -> None:
        self.model.release_to(mark)
        self._follow("release-to", (mark,), None)

    def scope_enter(self) -> Scope:
        scope = self.model.scope_enter()
        self._follow("scope-enter", (), scope.number)
        return scope

    def lower_borrow(self, table: int, type: int, rep: int, scope: Scope) -> Result | str:
        args = (runtime.table_address(table), runtime.resource_tag(type), rep, scope.number)
        return self._follow("lower-borrow", args, self.model.lower_borrow(table, type, rep, scope))

    def scope_exit(self, scope: Scope) -> Result | str:
        """None, or the trap; then the scope is still open."""
        trap: str | None = None
        try:
            self.model.scope_exit(scope)
        except Trapped as held:
            trap = str(held)
        return self._follow("scope-exit", (scope.number,), trap)

    def compare(self, types: int) -> None:
        """Every handle of every table, by every type, and the holes around them."""
        for number, table in list(self.model.tables.items()):
            for index in range(len(table.array) + 2):
                handle = table.array[index] if index < len(table.array) else None
                self.indexed("rep", number, handle.type if handle else index % types, index)
        self.settle()

    def settle(self) -> None:
        """AssertionError if the library does anything else than the model."""
        batch, self._pending = self._pending, []
        records = b"".join(_RECORD.pack(_NUMBERS[name], *args, *[0] * (4 - len(args))) for name, args, _ in batch)
        self._script.write(self.library.store, records, _SCRIPT_AT)
        traps = self._perform(len(batch))
        results = self._script.read(self.library.store, _SCRIPT_AT, _SCRIPT_AT + len(records))
        for number, (operation, args, expected) in enumerate(batch):
            pair = struct.unpack_from("<2I", results, number * _RECORD.size + _RESULTS_AT)
            returned = (None, pair[0], pair)[_OPERATIONS[operation][1]]
            assert traps.get(number, returned) == expected, (operation, args)

    def _perform(self, length: int) -> dict[int, str]:
        """Performs the whole script, trap by trap: which of its operations trapped, and how."""
        traps: dict[int, str] = {}
        start, end = _SCRIPT_AT, _SCRIPT_AT + length * _RECORD.size
        while start < end:
            try:
                self.library.call("perform", start, end)
                break
            except Trapped as trap:
                (at,) = struct.unpack("<I", self._script.read(self.library.store, 0, 4))
                traps[(at - _SCRIPT_AT) // _RECORD.size] = str(trap)
                start = at + _RECORD.size
        return traps

    def _follow(self, operation: str, args: tuple[int, ...], expected: Result | str) -> Result | str:
        self._pending.append((operation, args, expected))
        if len(self._pending) == _BATCH:
            self.settle()
        return expected
