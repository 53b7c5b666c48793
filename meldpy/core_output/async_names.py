"""What async is called at the edge of a core module: the same convention, for functions that take their time.

    import of a function, called with the option async      ns:pkg/iface@1.2.3  [async-lower]f
    export, lifted with a callback                          [async-lift]ns:pkg/iface@1.2.3#f, [callback][async-lift]…
    export, lifted without one                              [async-lift-stackful]ns:pkg/iface@1.2.3#f
    what its task returns                                   [export]ns:pkg/iface@1.2.3  [task-return]f
    ends of streams and futures                             the interface, or [export] and it  [stream-new-N]f, …
    all that knows no types                                 $root  [waitable-set-new], [subtask-drop], …

A built-in for a type is named after a function: one whose result it returns, or one in whose type the stream or future
is number N, counted from 0 in order of mention, what is inside of another before that. Any such function will do, since
types are compared by structure. A type that no function of the world mentions has no name:
`all_named` tells before anything is decided, and what must have a name all the same is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, final

from meldpy.cabi import Abi
from meldpy.errors import Location, UnsupportedError
from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    TaskReturn,
    TextOptions,
    ThreadStart,
)
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import OuterAsyncFunc
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.extern import FuncType, InstanceType
from meldpy.model.facts import Live
from meldpy.model.fused import BoundOptions
from meldpy.model.linked import AsyncBuiltin, FuncItem, InstanceItem, LinkedGraph
from meldpy.model.valtype import (
    DefinedType,
    FutureType,
    ListType,
    PrimValType,
    RecordType,
    StreamType,
    ValType,
    VariantType,
)

Name: TypeAlias = "tuple[str, str]"
"""Module and field of an import."""

ROOT: Final = "$root"
_EXPORT: Final = "[export]"
_LOWERED: Final = "[async-lower]"
_CANCELLABLE: Final = "[cancellable]"
_WITH_CALLBACK: Final = "[async-lift]"
_STACKFUL: Final = "[async-lift-stackful]"
_CALLBACK: Final = "[callback]"
_ENCODINGS: Final = {
    StringEncoding.UTF8: "utf8",
    StringEncoding.UTF16: "utf16",
    StringEncoding.LATIN1_UTF16: "latin1+utf16",
}
_NO_MATTER: Final = CoreFuncType((), ())
"""In place of a core type, which no name depends on."""
_COPIES: Final = frozenset(
    {BuiltinOp.STREAM_READ, BuiltinOp.STREAM_WRITE, BuiltinOp.FUTURE_READ, BuiltinOp.FUTURE_WRITE}
)
_CONTEXTS: Final = frozenset({BuiltinOp.CONTEXT_GET, BuiltinOp.CONTEXT_SET})


def lowered_name(name: str, *, async_: bool) -> str:
    """The field of an imported function."""
    return f"{_LOWERED}{name}" if async_ else name


def lifted_name(name: str, options: BoundOptions) -> str:
    """The export that is a lifted function."""
    if options.callback is not None:
        return f"{_WITH_CALLBACK}{name}"
    return f"{_STACKFUL}{name}" if options.async_ else name


def callback_name(name: str) -> str:
    return f"{_CALLBACK}{_WITH_CALLBACK}{name}"


def all_named(graph: LinkedGraph, live: Live) -> bool:
    """Whether every live built-in of async has a name, so that all of them can be left to whoever runs the module."""
    names = AsyncNames(graph)
    return all(
        names.has(builtin)
        for builtin in graph.builtins
        if isinstance(builtin, AsyncBuiltin) and builtin.id in live.builtins
    )


@final
class AsyncNames:
    """Hands out the names of one world's built-ins; no two get one name."""

    def __init__(self, graph: LinkedGraph) -> None:
        self._graph = graph
        self._abi = Abi()
        imports, exports = list(_imported(graph)), list(_exported(graph))
        self._functions = [*imports, *exports]
        self._exports = exports
        self._taken: set[Name] = set()

    def has(self, builtin: AsyncBuiltin) -> bool:
        """Whether there is a name for a guest's built-in, taken or not."""
        func = OuterAsyncFunc(builtin.op, _NO_MATTER, immediates=builtin.immediates)
        return next(self._names(func), None) is not None

    def name(self, func: OuterAsyncFunc) -> Name:
        """Raises UnsupportedError for a built-in that has none."""
        for found in self._names(func):
            if found not in self._taken:
                self._taken.add(found)
                return found
        raise UnsupportedError(
            "in a core output",
            f"the built-in {func.op.value[1]} is used with a type or in a way for which core modules have no name",
            self._place(func),
            remedy="fuse without --core",
        )

    # --- inside -----------------------------------------------------------------------------------------------
    def _place(self, func: OuterAsyncFunc) -> Location | None:
        """Where a guest's built-in is defined; None: it is emitted code's."""
        for builtin in self._graph.builtins:
            if isinstance(builtin, AsyncBuiltin) and (builtin.op, builtin.immediates) == (func.op, func.immediates):
                return builtin.location
        return None

    def _names(self, func: OuterAsyncFunc) -> Iterator[Name]:
        word = func.op.value[1].replace(".", "-")
        match func.immediates:
            case TaskReturn(result):
                yield from self._returning(result)
            case ContextSlot(type=type_, slot=slot):
                yield ROOT, f"[{word}-{'i64-' if type_ is NumType.I64 else ''}{slot}]"
            case EndType(type=type_):
                yield from self._ends(type_, word, async_=False)
            case Copy(type=type_, options=options):
                yield from self._ends(type_, word, async_=options.async_)
            case CancelCopy(type=type_, async_=async_):
                yield from self._ends(type_, word, async_=async_)
            case TextOptions(options=options):
                yield ROOT, f"[{word}-{_ENCODINGS[options.string_encoding]}]"
            case EventPlace(cancellable=cancellable):
                yield ROOT, f"{_CANCELLABLE if cancellable else ''}[{word}]"
            case FlagImmediate(value=value):
                mark = _LOWERED if func.op is BuiltinOp.SUBTASK_CANCEL else _CANCELLABLE
                yield ROOT, f"{mark if value else ''}[{word}]"
            case ThreadStart():
                return
            case _:
                yield from self._ours(func, word)

    def _ours(self, func: OuterAsyncFunc, word: str) -> Iterator[Name]:
        """Of a built-in without immediates of a guest's: what emitted code uses, or one that has none."""
        if func.op is BuiltinOp.TASK_RETURN:
            yield from self._returning(func.type)
        elif func.op is BuiltinOp.TASK_CANCEL:
            yield f"{_EXPORT}{ROOT}", f"[{word}]"
        elif func.op in _CONTEXTS:
            yield ROOT, f"[{word}-0]"
        elif func.type is not None:
            yield from self._ends(func.type, word, async_=func.async_ or func.op in _COPIES)
        else:
            yield ROOT, f"{_LOWERED if func.async_ else ''}[{word}]"

    def _returning(self, result: ValType | None) -> Iterator[Name]:
        wanted = self._key(result)
        for module, name, type_ in self._exports:
            if type_.async_ and self._key(type_.result) == wanted:
                yield module, f"[task-return]{name}"

    def _ends(self, type_: ValType, word: str, *, async_: bool) -> Iterator[Name]:
        mark = _LOWERED if async_ else ""
        shape = self._abi.shape(type_)
        if isinstance(shape, StreamType | FutureType) and shape.element is None:
            yield ROOT, f"{mark}[{word}-unit]"
            return
        wanted = self._key(type_)
        for module, name, func_type in self._functions:
            values = [*(param for _, param in func_type.params), *([func_type.result] if func_type.result else [])]
            for number, end in enumerate(end for value in values for end in self._mentioned(value)):
                if self._key(end) == wanted:
                    yield module, f"{mark}[{word}-{number}]{name}"

    def _key(self, type_: ValType | None) -> int | None:
        return None if type_ is None else self._abi.keys.key(type_)

    def _mentioned(self, type_: ValType) -> Iterator[DefinedType]:
        """Each stream and future in a type, as often as it is there, after what is inside of it."""
        if isinstance(type_, PrimValType):
            return
        match self._abi.shape(type_):
            case RecordType(fields):
                inside = [field.type for field in fields]
            case VariantType(cases):
                inside = [case.type for case in cases if case.type is not None]
            case ListType(element):
                inside = [element]
            case StreamType(element) | FutureType(element):
                inside = [] if element is None else [element]
                for each in inside:
                    yield from self._mentioned(each)
                yield type_
                return
            case _:
                return
        for each in inside:
            yield from self._mentioned(each)


_Function: TypeAlias = "tuple[str, str, FuncType]"
"""Module of what belongs to a function of the world, its name, its type."""


def _imported(graph: LinkedGraph) -> Iterator[_Function]:
    for import_ in graph.imports:
        match import_.type:
            case FuncType() as type_:
                yield ROOT, import_.name.name, type_
            case InstanceType(exports=exports):
                for export in exports:
                    if isinstance(export.type, FuncType):
                        yield import_.name.name, export.name.name, export.type
            case _:
                pass


def _exported(graph: LinkedGraph) -> Iterator[_Function]:
    for export in graph.exports:
        match export.item:
            case FuncItem(type=type_):
                yield f"{_EXPORT}{ROOT}", export.name.name, type_
            case InstanceItem(exports=items):
                for name, item in items:
                    if isinstance(item, FuncItem):
                        yield f"{_EXPORT}{export.name.name}", name.name, item.type
            case _:
                pass
