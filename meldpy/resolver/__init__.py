"""Resolve: link inputs, evaluate compositions, give everything an identity."""

from meldpy.resolver.builder import Caps
from meldpy.resolver.inputs import Link, ResolveOptions, ResolverInput, parse_link
from meldpy.resolver.nearmiss import words as near_miss_words
from meldpy.resolver.outer import EXPORTED_COMPONENT
from meldpy.resolver.resolve import resolve
from meldpy.resolver.restrict import restrict
from meldpy.resolver.written import as_users_call, with_written_names

__all__ = [
    "EXPORTED_COMPONENT",
    "Caps",
    "Link",
    "ResolveOptions",
    "ResolverInput",
    "as_users_call",
    "near_miss_words",
    "parse_link",
    "resolve",
    "restrict",
    "with_written_names",
]
