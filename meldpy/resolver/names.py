"""Names as the specification compares them: two of one scope must be *strongly unique*.

Equality of strings decides what satisfies what (`match`). Whether two names may stand side by side is another question:
case does not tell them apart, nor do hyphens, and an annotation hides what it annotates, because bindings generators
make one identifier of all of them. Spec: Explainer.md "Name Uniqueness"; that hyphens do not count is what the engines
enforce (the proposal's text leaves step 1 at case).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import chain, count
from typing import TypeVar

from meldpy.model.extern import ExternName

_ANNOTATIONS = ("[constructor]", "[method]", "[static]", "[get]", "[set]")
_ANNOTATED = re.compile(r"((?:\[[a-z]+\])+)([^.:\]]+)((?:\..*)?)")
"""The annotations, the resource type's label, and the rest with its dot."""
_KEPT = ("[constructor]", "[set]")
"""Annotations that tell a name apart: a class and its constructor, a property and its setter, share the rest."""


def strong(name: str) -> str:
    """The canonical form of an import or export name: equal for two names that may not stand in one scope."""
    if name.partition("<")[0].endswith("="):
        return name  # url=<…>, integrity=<…> and the like are opaque
    if ":" in name:
        base, at, version = name.partition("@")
        return strong_label(base) + at + version
    return _plain(name)


def _plain(name: str) -> str:
    kept = ""
    while (annotation := next((a for a in _ANNOTATIONS if name.startswith(a)), None)) is not None:
        name = name[len(annotation) :]
        kept = annotation if annotation in _KEPT else kept
    label = strong_label(name)
    resource, dot, member = label.partition(".")
    return resource if dot and resource == member else kept + label


def strong_label(label: str) -> str:
    """The canonical form of a label: of a parameter, field, case, flag, or of an unannotated name."""
    return label.replace("-", "").lower()


def resource_label(name: str) -> str | None:
    """The label of the resource type that an annotated function name belongs to; None for other names."""
    found = _ANNOTATED.fullmatch(name)
    return None if found is None else found[2]


def annotated(name: str, label: str) -> str:
    """The annotated function name `name` with `label` for the resource type it belongs to."""
    found = _ANNOTATED.fullmatch(name)
    assert found is not None
    return found[1] + label + found[3]


def free(name: ExternName, taken: AbstractSet[str]) -> ExternName:
    """`name`, or if its canonical form is `taken`, the first of `name-2`, `name-3`, … whose is not."""
    base = name.name.rpartition("/")[2].partition("@")[0] if ":" in name.name else name.name
    names = chain([name.name], (f"{base}-{number}" for number in count(2)))
    found = next(candidate for candidate in names if strong(candidate) not in taken)
    return name if found == name.name else ExternName(found)


T = TypeVar("T")


def clash(named: Iterable[tuple[str, T]]) -> tuple[tuple[str, T], tuple[str, T]] | None:
    """The first two of `named` whose names are not strongly unique, in order; None if all are."""
    seen: dict[str, tuple[str, T]] = {}
    for each in named:
        other = seen.setdefault(strong(each[0]), each)
        if other is not each:
            return other, each
    return None
