"""An argument of an instantiation that is missing or does not fit, and what is told of it: both types as a diff, and
what is given under a name that comes near.

Only invalid components have such. The engine refuses them before anything is evaluated, in its words; it is then that
`validation` asks here for better ones. What one input provides to another is not this: see `binding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.errors import LinkError
from meldpy.model.extern import ExternType
from meldpy.resolver.sides import type_diff
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.values import Item

REMEDY = "the component is invalid: mend what made it, or rebuild both against one version of the interface"


def missing(name: str, declared: ExternType | None, args: Mapping[str, Item]) -> LinkError:
    """No argument is called `name`; `declared` is what was to be given, None for a resource type."""
    from difflib import get_close_matches

    near = get_close_matches(name, args, 3)
    causes = [f"given is `{each}`, which comes near" for each in near]
    if not near:
        causes.append(f"given are: {', '.join(f'`{each}`' for each in args) or 'none'}")
    error = LinkError(f"a component imports `{name}`, which no argument provides", causes=tuple(causes), remedy=REMEDY)
    if near and declared is not None:
        error.diff = type_diff(name, declared, args[near[0]])
    return error


def unfit(error: LinkError, name: str, declared: ExternType, item: Item) -> LinkError:
    """`error` about the argument `name`, with both types."""
    error.diff = error.diff or type_diff(name, declared, item)
    return error


@final
class ArgumentCheck:
    """Compares every argument with what is declared, which a valid component has no need of."""

    def __init__(self, subtyping: Subtyping) -> None:
        self.subtyping = subtyping

    def check(self, name: str, declared: ExternType, item: Item, substitution: Substitution) -> None:
        try:
            self.subtyping.check(declared, item, substitution)
        except Mismatch as mismatch:
            reason = f"the argument `{name}` does not fit what the component declares"
            raise unfit(LinkError(reason, causes=mismatch.reasons, remedy=REMEDY), name, declared, item) from None
