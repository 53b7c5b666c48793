"""What the attributes of import and export names add to their names.

`implements` says which interface a plainly named instance is of, `external-id` which thing of the host's is meant. The
specification's type checks ignore both; to a linker they say that two things of one plain name are not the same thing.
A name without an attribute contradicts nothing. Spec: Explainer.md "Import and Export Definitions".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from meldpy.model.extern import Attributes, ExternName
from meldpy.resolver.semver import Version, versioned

_IMPLEMENTS, _SUFFIX, _EXTERNAL_ID = range(3)
_ATTRIBUTED = 0x02


def interface(name: ExternName) -> ExternName | None:
    """The interface that `name` implements, with its version's suffix; None if it does not say."""
    attributes = name.attributes
    if attributes.implements is None:
        return None
    return ExternName(attributes.implements, Attributes(version_suffix=attributes.version_suffix))


def contradiction(a: ExternName, b: ExternName) -> tuple[str, str] | None:
    """What the attributes of `a` and of `b` say if that cannot be about one thing, in words; None if it can."""
    first, second = interface(a), interface(b)
    if first is not None and second is not None and not same_interface(first, second):
        return f"implements `{_full(first)}`", f"implements `{_full(second)}`"
    x, y = a.attributes.external_id, b.attributes.external_id
    if x is not None and y is not None and x != y:
        return f"has the external id `{x}`", f"has the external id `{y}`"
    return None


def same_interface(a: ExternName, b: ExternName) -> bool:
    """Whether two interface names are equal or on one version track."""
    if a.name == b.name:
        return True
    first, second = versioned(a), versioned(b)
    return first is not None and second is not None and first.track == second.track


def joined(names: Sequence[ExternName]) -> ExternName:
    """One name for imports whose names do not contradict each other: the highest version, and what any of them says.

    The order of `names` does not matter.
    """
    return reduce(_join, sorted(names, key=rank, reverse=True))


def rank(name: ExternName) -> tuple[bool, Version, str, bool, Version, str]:
    """By version, of the name or of what it implements; what has none is lowest; names decide between equal ones."""
    return *_version(name), *_version(interface(name))


def _version(name: ExternName | None) -> tuple[bool, Version, str]:
    found = None if name is None else versioned(name)
    if name is None or found is None:
        return False, Version(0, 0, 0, ""), "" if name is None else name.name
    return True, found.version, _full(name)


def _join(name: ExternName, other: ExternName) -> ExternName:
    """`name` with the attributes that only `other` has."""
    mine, its = name.attributes, other.attributes
    implements, suffix = mine.implements, mine.version_suffix
    if implements is None and its.implements is not None and suffix is None:
        implements, suffix = its.implements, its.version_suffix
    external_id = its.external_id if mine.external_id is None else mine.external_id
    if (implements, suffix, external_id) == (mine.implements, mine.version_suffix, mine.external_id):
        return name
    values = {_IMPLEMENTS: implements, _SUFFIX: suffix, _EXTERNAL_ID: external_id}
    order = tuple(opcode for opcode, value in values.items() if value is not None)
    return ExternName(name.name, Attributes(_ATTRIBUTED, implements, suffix, external_id, order))


def _full(name: ExternName) -> str:
    return name.name + (name.attributes.version_suffix or "")
