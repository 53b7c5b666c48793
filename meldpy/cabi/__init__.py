"""Canonical ABI arithmetic on resolved types: what a type looks like in memory and in core values.

No emission, no instances: only sizes, alignments, offsets, flat types and predicates. Types are DAGs of nodes that
are compared by identity and can be exponentially large as trees, so every computation is memoised per node; the
memos live in one `Abi`, made once per run.

Spec: CanonicalABI.md "Despecialization", "Type Predicates", "Alignment", "Element Size", "Flattening".
"""

from meldpy.cabi.abi import Abi
from meldpy.cabi.contents import Content
from meldpy.cabi.despecialize import Shape, Shapes
from meldpy.cabi.flatten import (
    MAX_FLAT_ASYNC_PARAMS,
    MAX_FLAT_PARAMS,
    MAX_FLAT_RESULTS,
    Context,
    FlatFunc,
    Flattener,
    join,
)
from meldpy.cabi.functions import Needs, lift_context, lower_context, value_types
from meldpy.cabi.key import Keys
from meldpy.cabi.layout import (
    MAX_LIST_BYTE_LENGTH,
    MAX_STRING_BYTE_LENGTH,
    Extent,
    Layouts,
    align_to,
    discriminant_size,
    flags_size,
)

__all__ = [
    "MAX_FLAT_ASYNC_PARAMS",
    "MAX_FLAT_PARAMS",
    "MAX_FLAT_RESULTS",
    "MAX_LIST_BYTE_LENGTH",
    "MAX_STRING_BYTE_LENGTH",
    "Abi",
    "Content",
    "Context",
    "Extent",
    "FlatFunc",
    "Flattener",
    "Keys",
    "Layouts",
    "Needs",
    "Shape",
    "Shapes",
    "align_to",
    "discriminant_size",
    "flags_size",
    "join",
    "lift_context",
    "lower_context",
    "value_types",
]
