"""Which of the features that wasmtime gates without a setter a component uses (names as in `config`).

Asked only when the engine refuses a component and lacks such a feature, so it may be slow, and it errs on the side of
saying that a feature is used: then our own checks decide, which hold for every component.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.model.canon import OPT_CORE_TYPE, OPT_GC, BuiltinOp, CanonOpt, OtherBuiltin
from meldpy.model.component import Component
from meldpy.model.core import Limits
from meldpy.model.valtype import ListType, PrimValType
from meldpy.records import fields, is_dataclass

_ERROR_CONTEXT = frozenset(
    {BuiltinOp.ERROR_CONTEXT_NEW, BuiltinOp.ERROR_CONTEXT_DEBUG_MESSAGE, BuiltinOp.ERROR_CONTEXT_DROP}
)
_THREADS = frozenset(op for op in BuiltinOp if op.value[0] >= BuiltinOp.THREAD_INDEX.value[0])


def gated_features(component: Component) -> frozenset[str]:
    """The gated features that anything in `component`, at any depth, uses."""
    return frozenset(feature for thing in _everything(component) for feature in _features(thing))


def _features(thing: object) -> Iterator[str]:
    match thing:
        case ListType(length=int()):
            yield "fixed-length lists"
        case PrimValType.ERROR_CONTEXT:
            yield "error-context"
        case OtherBuiltin(op=op) if op in _ERROR_CONTEXT:
            yield "error-context"
        case OtherBuiltin(op=op) if op in _THREADS:
            yield "threads"
        case CanonOpt(opcode=opcode) if opcode in (OPT_GC, OPT_CORE_TYPE):
            yield "values as references"
        case Limits(is64=True):
            yield "64-bit component memories"
        case _:
            pass


def _everything(root: object) -> Iterator[object]:
    """`root` and all that its fields and tuples hold."""
    pending = [root]
    while pending:
        thing = pending.pop()
        yield thing
        if isinstance(thing, tuple):
            pending.extend(thing)
        elif is_dataclass(thing):
            pending.extend(getattr(thing, item.name) for item in fields(thing))
