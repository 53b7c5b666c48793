"""What a call site does, found in what was written for it: the marks on its trampoline and on all that this calls.

A trampoline calls shared helpers and functions of the runtime library, or has them in place of calls; what those do, it
does. Guests' own functions are where the looking ends, and so are other call sites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import final

from meldpy.model.canon import ENCODING_WORDS
from meldpy.model.code import Adapted, Crossing, EmittedFunc, FuncRef, FuncSymbol, RuntimeArg, RuntimeInstance
from meldpy.model.core import CoreModule, FuncImportType
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.ids import CoreFuncIndex, FuncId
from meldpy.model.marks import Checked, Handed, Inlined, Mark, Moved, Proved, Transcoded
from meldpy.report.explanation import AdapterClass


@final
class Marks:
    """The marks of one fused group. scan: reads the bodies of runtime modules."""

    def __init__(self, adapted: Adapted, scan: Callable[[CoreModule], CodeFacts]) -> None:
        self._functions = {EmittedFunc(each.id): each for each in adapted.functions}
        self._runtime = {each.id: each for each in adapted.runtime}
        self._modules = {each.id: each.module for each in adapted.modules}
        self._sites = {each.func for each in adapted.crossings}
        self._scan = scan
        self._code: dict[int, CodeFacts] = {}
        self._calls: dict[FuncSymbol, tuple[FuncSymbol, ...]] = {}

    def of(self, crossing: Crossing) -> tuple[Mark, ...]:
        """Everything that is said of the call site, without repetition."""
        found: dict[Mark, None] = {}
        seen: set[FuncSymbol] = {crossing.func}
        work: list[FuncSymbol] = [crossing.func]
        while work:
            symbol = work.pop()
            if isinstance(symbol, EmittedFunc):
                found.update(dict.fromkeys(self._functions[symbol].marks))
            for called in self._called(symbol):
                if called not in seen and called not in self._sites:
                    seen.add(called)
                    work.append(called)
        return tuple(found)

    def _called(self, symbol: FuncSymbol) -> tuple[FuncSymbol, ...]:
        if symbol not in self._calls:
            self._calls[symbol] = tuple(self._find(symbol))
        return self._calls[symbol]

    def _find(self, symbol: FuncSymbol) -> Iterator[FuncSymbol]:
        match symbol:
            case EmittedFunc():
                function = self._functions[symbol]
                yield from (chunk.func for chunk in function.body if isinstance(chunk, FuncRef))
                yield from (mark.func for mark in function.marks if isinstance(mark, Inlined))
            case FuncId(instance=instance) if instance in self._runtime:
                yield from self._in_library(self._runtime[instance], symbol.index)
            case _:
                pass

    def _in_library(self, instance: RuntimeInstance, index: int) -> Iterator[FuncSymbol]:
        module = self._modules[instance.module]
        if id(module) not in self._code:
            self._code[id(module)] = self._scan(module)
        code = self._code[id(module)]
        imported = [
            arg
            for import_, arg in zip(module.imports, instance.args, strict=True)
            if isinstance(import_.type, FuncImportType)
        ]
        position = index - len(imported)
        span = slice(code.spans[position], code.spans[position + 1])
        for kind, referent in zip(code.kinds[span], code.indices[span], strict=True):
            if kind in (RefKind.CALL, RefKind.REF_FUNC):
                if referent >= len(imported):
                    yield FuncId(instance.id, CoreFuncIndex(referent))
                else:
                    yield _function(imported[referent])


def _function(arg: RuntimeArg) -> FuncSymbol:
    assert isinstance(arg, FuncId | EmittedFunc), "a function import of the library is bound to a function"
    return arg


def class_of(marks: tuple[Mark, ...], crossing: Crossing, *, caller_async: bool) -> AdapterClass:
    """The dearest thing that a call site does."""
    if not isinstance(crossing.func, EmittedFunc):
        return AdapterClass.DIRECT
    if crossing.task or caller_async:
        return AdapterClass.ASYNC
    if any(isinstance(mark, Handed) and not mark.kept for mark in marks):
        return AdapterClass.HANDLES
    if any(isinstance(mark, Transcoded) and mark.source is not mark.destination for mark in marks):
        return AdapterClass.TRANSCODE
    if any(isinstance(mark, Moved | Transcoded) for mark in marks):
        return AdapterClass.COPY
    return AdapterClass.FLAT


def moves(marks: tuple[Mark, ...]) -> Iterator[str]:
    """How values get across, in words."""
    for mark in marks:
        match mark:
            case Moved(means, size):
                yield f"{means.value}: {size} byte{'s' * (size != 1)}{'' if means.name == 'IN_MEMORY' else ' each'}"
            case Transcoded(source, destination):
                to = "" if source is destination else f" to {ENCODING_WORDS[destination]}"
                yield f"string: {ENCODING_WORDS[source]}{to}"
            case Handed(kind, resource, kept):
                what = f"{kind.value} {resource}".rstrip()
                yield f"handle: {what}" + (", as it is" if kept else "")
            case _:
                pass


def checks(marks: tuple[Mark, ...]) -> tuple[str, ...]:
    return tuple(sorted({mark.rule for mark in marks if isinstance(mark, Checked)}))


def proofs(marks: tuple[Mark, ...]) -> tuple[Proved, ...]:
    """What need not be checked anywhere in the call."""
    made = {mark.rule for mark in marks if isinstance(mark, Checked)}
    return tuple(mark for mark in marks if isinstance(mark, Proved) and mark.what not in made)
