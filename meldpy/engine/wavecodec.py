"""Component values as WAVE for the observer: trees or text in, text out.

A handle that the guest returns is given a name, `r1`, `r2` and so on in the order of arrival within one instance;
that name, written where a value of the resource's type is wanted, stands for the handle. WAVE itself has no notation
for handles.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, final

from wasmtime import component as wc

from meldpy.engine.arbitrary import smallest
from meldpy.engine.values import escaped_text, label_text, to_text, to_value
from meldpy.engine.wave import CLOSERS, Braces, Char, Name, Number, Sequence, Text, Tree, parse_call
from meldpy.engine.worldtext import cases, show
from meldpy.errors import UsageError
from meldpy.records import dataclass, field

_REMEDY = "give a value of that type: `meld inspect` shows the function's"

SMALLEST: Final = object()
"""Given to the engine, it stands for the smallest value of whatever type is wanted."""


@final
@dataclass(slots=True)
class WaveCodec:
    """See the module; `handles`: those that the host holds, by name."""

    handles: dict[str, wc.ResourceAny] = field(default_factory=dict)
    given_out: int = 0

    def fresh(self) -> None:
        self.handles.clear()
        self.given_out = 0

    def kept(self, name: object) -> wc.ResourceAny:
        label = name.label if isinstance(name, Name) else str(name)
        if label not in self.handles:
            raise UsageError(
                f"the host holds no handle {label}", remedy=f"it holds {', '.join(self.handles) or 'none'}"
            )
        return self.handles.pop(label)

    def fitting(self, ty: wc.ValType) -> list[str]:
        """The names of handles that may be given as `ty`."""
        assert isinstance(ty, wc.OwnType | wc.BorrowType)
        return [name for name, handle in self.handles.items() if handle.owned and handle.type == ty.ty]

    def to_host(self, ty: wc.ValType, value: object) -> object:
        """The engine's value for a tree, or for WAVE text. Raises UsageError where they do not fit."""
        tree = parse_value(value) if isinstance(value, str) else smallest(ty) if value is SMALLEST else value
        if tree is None:
            raise UsageError("a host that is made up has no handles to give", remedy="let a component provide them")
        assert isinstance(tree, Number | Text | Char | Name | Sequence | Braces)
        match ty, tree:
            case wc.OwnType(), Name(payload=None):
                return self.kept(tree)
            case wc.BorrowType(), Name(label=label, payload=None) if label in self.handles:
                return self.handles[label]
            case ((wc.OwnType() | wc.BorrowType()), _):
                raise UsageError(
                    "a handle is written as the name it was given out under",
                    remedy="write the name that a call before it returned",
                )
            case wc.ListType(), Sequence(open="[") if isinstance(ty.element, wc.OwnType | wc.BorrowType):
                return [self.to_host(ty.element, item) for item in tree.items]
            case _:
                return to_value(tree, ty)

    def from_host(self, ty: wc.ValType, value: object) -> str:
        match ty, value:
            case _, wc.ResourceAny():
                self.given_out += 1
                name = f"r{self.given_out}"
                self.handles[name] = value
                return name
            case _ if not _holds_handles(ty):
                return to_text(value, ty)
            case wc.ListType(), list():
                return "[" + ", ".join(self.from_host(ty.element, item) for item in value) + "]"
            case wc.TupleType(), tuple():
                pairs = zip(ty.elements, value, strict=True)
                return "(" + ", ".join(self.from_host(of, item) for of, item in pairs) + ")"
            case ((wc.OptionType() | wc.ResultType() | wc.VariantType()), wc.Variant()):
                payload = cases(ty)[value.tag]
                return value.tag if payload is None else f"{value.tag}({self.from_host(payload, value.payload)})"
            case _:
                raise UsageError(
                    f"a handle in a {show(ty)} has no text form",
                    remedy="call another function: no scenario can write it",
                )


def _holds_handles(ty: wc.ValType) -> bool:
    match ty:
        case wc.OwnType() | wc.BorrowType():
            return True
        case wc.ListType():
            return _holds_handles(ty.element)
        case wc.TupleType():
            return any(map(_holds_handles, ty.elements))
        case wc.RecordType():
            return any(_holds_handles(of) for _, of in ty.fields)
        case wc.OptionType() | wc.ResultType() | wc.VariantType():
            return any(of is not None and _holds_handles(of) for of in cases(ty).values())
        case _:
            return False


def tree_text(tree: Tree) -> str:
    """The WAVE text of a tree, on one line."""
    match tree:
        case Number(text=text):
            return text
        case Text(value=value):
            return f'"{escaped_text(value, chr(34))}"'
        case Char(value=value):
            return f"'{escaped_text(value, chr(39))}'"
        case Name(label=label, payload=payload, escaped=escaped):
            name = label_text(label) if escaped else label
            return name if payload is None else f"{name}({tree_text(payload)})"
        case Sequence(open=opener, items=items):
            return opener + ", ".join(map(tree_text, items)) + CLOSERS[opener]
        case Braces(entries=entries):
            return "{" + ", ".join(_entry(name, value) for name, value in entries) + "}"


def _entry(name: str, value: Tree | None) -> str:
    return label_text(name) if value is None else f"{label_text(name)}: {tree_text(value)}"


def parse_value(text: str) -> Tree:
    """The tree of one value in WAVE. Raises UsageError."""
    _, trees = parse_call(f"({text})")
    assert trees is not None
    if len(trees) != 1:
        raise UsageError(f"one value was expected, not {text!r}", remedy=_REMEDY)
    return trees[0]


def same_value(left: Tree | None, right: Tree | None) -> bool:
    """Whether two trees mean the same: numbers by value, -0 apart from 0; record fields and flags in any order."""
    match left, right:
        case Number(text=one), Number(text=other):
            a, b = Decimal(one), Decimal(other)
            return a == b and a.is_signed() == b.is_signed()
        case Sequence(), Sequence():
            return (
                left.open == right.open
                and len(left.items) == len(right.items)
                and all(map(same_value, left.items, right.items))
            )
        case Braces(entries=one_entries), Braces(entries=other_entries):
            ours, theirs = dict(one_entries), dict(other_entries)
            return ours.keys() == theirs.keys() and all(same_value(ours[name], theirs[name]) for name in ours)
        case Name(label=label, payload=payload), Name() if label == right.label:
            return same_value(payload, right.payload)
        case _:
            return left == right
