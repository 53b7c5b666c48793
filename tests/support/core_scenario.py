"""A fixture's scenario on a core output, through `meldpy.core` and any engine.

What WAVE says becomes Python values by the function's type, and back; handles are named r1, r2, … in order of arrival,
as everywhere in fixtures. Traps are compared by kind where the engine tells kinds apart.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from meldpy import core
from meldpy.core.surface import Function
from meldpy.engine.coreapi import CoreEngine, wasmtime_engine
from meldpy.engine.traps import same_trap, trap_kind
from meldpy.engine.wave import Braces, Char, Name, Number, Sequence, Text, Tree, parse_call
from meldpy.engine.wavecodec import parse_value, same_value
from meldpy.fixture import Fixture
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    TupleType,
    ValType,
    VariantType,
)


@dataclass
class Player:
    """One instance of a core output, which a scenario is played on. events: calls of host functions."""

    module: bytes
    fixture: Fixture
    engine: CoreEngine = wasmtime_engine
    kinds: bool = True
    wasi: core.Wasi | None = None
    handles: dict[str, core.Handle] = field(default_factory=dict)
    given_out: int = 0
    events: list[tuple[str, list[Tree]]] = field(default_factory=list)
    instance: core.Instance | None = None

    def play(self) -> list[str]:
        """The faults that were found."""
        faults = []
        for number, call in enumerate(self.fixture.calls):
            found = self._step(call)
            faults += [f"call {number}, {call.call or call.drop}: {fault}" for fault in found]
        return faults

    def _step(self, call: Any) -> list[str]:
        if self.instance is None:
            self.start()
        self.events.clear()
        expected, value, trap = call.expected, None, None
        try:
            if call.drop is not None:
                self.handles.pop(call.drop).drop()
            else:
                value = self.call(call.call)
        except core.GuestTrap as error:
            trap = trap_kind(str(error))
            self.instance = None
        faults = []
        if (trap is None) != (expected.trap is None):
            faults.append(f"trap {trap}, foretold {expected.trap}")
        elif trap is not None and self.kinds and not (same_trap(expected.trap, trap) or same_trap(trap, expected.trap)):
            faults.append(f"trapped with {trap}, not {expected.trap}")
        elif trap is None and not _same_result(value, expected.returns):
            faults.append(f"returned {value}, not {expected.returns}")
        made = [f"{name}({', '.join(map(str, args))})" for name, args in self.events]
        wanted = [parse_call(event) for event in call.events]
        if len(wanted) != len(self.events) or not all(
            name == seen and len(args or ()) == len(given) and all(map(same_value, args or (), given))
            for (name, args), (seen, given) in zip(wanted, self.events, strict=True)
        ):
            faults.append(f"called the host: {made}, foretold {call.events}")
        return faults

    def start(self) -> None:
        self.handles.clear()
        self.given_out = 0
        self.instance = core.load(self.module, self._host(), self.engine, wasi=self.wasi)

    def call(self, text: str) -> str | None:
        assert self.instance is not None
        name, trees = parse_call(text)
        function = self._function(name)
        assert trees is not None
        params = [param for _, param in function.type.params]
        args = [self.value(param, tree) for param, tree in zip(params, trees, strict=True)]
        result = self.instance.call(function.label, *args)
        return None if function.type.result is None else self.text(function.type.result, result)

    def _function(self, name: str) -> Function:
        """The export of that name, else of another version, as an engine finds it."""
        assert self.instance is not None
        exports = self.instance.surface.exports
        exact = [each for each in exports if each.label == name]
        return (exact or [each for each in exports if _unversioned(each.label) == _unversioned(name)])[0]

    def _host(self) -> dict[str, Callable[..., Any]]:
        surface = core.read_surface(self.module)
        returns = {each.func: each.returns for each in self.fixture.host}
        return {f.label: self._host_function(f, returns[f.label]) for f in surface.imports if f.label in returns}

    def _host_function(self, function: Function, returns: str | None) -> Callable[..., Any]:
        def called(*args: Any) -> Any:
            params = [param for _, param in function.type.params]
            given = [parse_value(self.text(param, arg)) for param, arg in zip(params, args, strict=True)]
            self.events.append((function.label, given))
            if function.type.result is None or returns is None:
                return None
            return self.value(function.type.result, parse_value(returns))

        return called

    # --- values -----------------------------------------------------------------------------------------------
    def value(self, type_: ValType, tree: Tree) -> Any:
        if isinstance(type_, PrimValType):
            return _scalar(type_, tree)
        match type_.definition, tree:
            case PrimValType() as primitive, _:
                return _scalar(primitive, tree)
            case RecordType(fields), Braces(entries):
                given = dict(entries)
                return {f.label: self._field(f.type, given.get(f.label)) for f in fields}
            case TupleType(types), Sequence(items=items):
                return tuple(self.value(of, item) for of, item in zip(types, items, strict=True))
            case ListType(element), Sequence(items=items):
                return [self.value(element, item) for item in items]
            case MapType(key, value), Sequence(items=items):
                return {self.value(key, each.items[0]): self.value(value, each.items[1]) for each in items}
            case FlagsType(), Braces(entries):
                return {label for label, _ in entries}
            case EnumType(), Name(label):
                return label
            case OptionType(some), Name(label, payload):
                if _is_option(some):
                    return core.Case(label, None if payload is None else self.value(some, payload))
                return None if payload is None else self.value(some, payload)
            case ResultType(ok, error), Name(label, payload):
                of = ok if label == "ok" else error
                label = "error" if label == "err" else label
                return core.Case(label, None if payload is None or of is None else self.value(of, payload))
            case VariantType(cases), Name(label, payload):
                of = next(case.type for case in cases if case.label == label)
                return core.Case(label, None if payload is None or of is None else self.value(of, payload))
            case OwnType(), Name(label):
                return self.handles.pop(label)
            case BorrowType(), Name(label):
                return self.handles[label]
        raise AssertionError(f"{tree} does not fit {type_}")

    def _field(self, type_: ValType, tree: Tree | None) -> Any:
        return None if tree is None else self.value(type_, tree)

    def text(self, type_: ValType, value: Any) -> str:
        if isinstance(type_, PrimValType):
            return _scalar_text(type_, value)
        match type_.definition:
            case PrimValType() as primitive:
                return _scalar_text(primitive, value)
            case RecordType(fields):
                return "{" + ", ".join(f"{_label(f.label)}: {self.text(f.type, value[f.label])}" for f in fields) + "}"
            case TupleType(types):
                return "(" + ", ".join(self.text(of, item) for of, item in zip(types, value, strict=True)) + ")"
            case ListType(element):
                return "[" + ", ".join(self.text(element, item) for item in value) + "]"
            case MapType(key, of):
                return "[" + ", ".join(f"({self.text(key, k)}, {self.text(of, v)})" for k, v in value.items()) + "]"
            case FlagsType(labels):
                return "{" + ", ".join(_label(label) for label in labels if label in value) + "}"
            case EnumType():
                return _label(value)
            case OptionType(some):
                if _is_option(some):
                    return value.label if value.label == "none" else f"some({self.text(some, value.value)})"
                return "none" if value is None else f"some({self.text(some, value)})"
            case ResultType(ok, error):
                label, of_ = ("ok", ok) if value.label == "ok" else ("err", error)
                return label if of_ is None else f"{label}({self.text(of_, value.value)})"
            case VariantType(cases):
                payload = next(case.type for case in cases if case.label == value.label)
                label = _label(value.label)
                return label if payload is None else f"{label}({self.text(payload, value.value)})"
            case OwnType() | BorrowType():
                self.given_out += 1
                name = f"r{self.given_out}"
                self.handles[name] = value
                return name
        raise AssertionError(f"{value} of {type_}")


def _unversioned(name: str) -> str:
    return re.sub("@[^#]*", "", name)


def _same_result(value: str | None, expected: str | None) -> bool:
    if value is None or expected is None:
        return value is expected
    return same_value(parse_value(value), parse_value(expected))


def _is_option(type_: ValType) -> bool:
    return isinstance(type_, DefinedType) and isinstance(type_.definition, OptionType)


def _scalar(type_: PrimValType, tree: Tree) -> Any:
    match tree:
        case Text(value) | Char(value):
            return value
        case Name(label):
            return {"true": True, "false": False, "nan": math.nan, "inf": math.inf}[label]
        case Number(text):
            if type_ in (PrimValType.F32, PrimValType.F64):
                return float(text)
            return int(text)
    raise AssertionError(f"{tree} does not fit {type_}")


def _scalar_text(type_: PrimValType, value: Any) -> str:
    match type_:
        case PrimValType.BOOL:
            return "true" if value else "false"
        case PrimValType.STRING:
            return '"' + "".join(_escaped(c, '"') for c in value) + '"'
        case PrimValType.CHAR:
            return "'" + _escaped(value, "'") + "'"
        case PrimValType.F32 | PrimValType.F64:
            if math.isnan(value):
                return "nan"
            if math.isinf(value):
                return "inf" if value > 0 else "-inf"
            return f"{_single(value) if type_ is PrimValType.F32 else Decimal(repr(value)):f}"
        case _:
            return str(value)


def _single(value: float) -> Decimal:
    """The shortest decimal that reads back as the same 32-bit float."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return Decimal(text)
    return Decimal(repr(value))


def _escaped(char: str, quote: str) -> str:
    if char in ("\\", quote):
        return f"\\{char}"
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


def _label(label: str) -> str:
    return f"%{label}" if label in {"true", "false", "some", "none", "ok", "err", "inf", "nan"} else label
