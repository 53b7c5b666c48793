"""Adapters: for each call site (one lower paired with one lift) plan, then emit the trampoline by recursion over types.

The job: code for every crossing of a component boundary, and the canonical definitions at the outer edge. Not its
job: what reaches what (`analysis`), laying out functions and memories (`merger`), component types (`wrapper`).
Start with `adapt`; `places` says where values are, `translate` moves them, `trampoline` puts a call together.
"""

from meldpy.adapter.adapt import adapt
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.forms import unsupported_forms
from meldpy.adapter.naming import lifted_names
from meldpy.adapter.notes import async_notes
from meldpy.adapter.opaque import declared_opaque, opaque_notes
from meldpy.adapter.refusals import ASYNC, unsupported
from meldpy.adapter.uses import ResourceUse, TableKind, resource_uses

__all__ = [
    "ASYNC",
    "ResourceUse",
    "TableKind",
    "adapt",
    "async_notes",
    "declared_opaque",
    "exported_lifts",
    "lifted_names",
    "opaque_notes",
    "resource_uses",
    "unsupported",
    "unsupported_forms",
]
