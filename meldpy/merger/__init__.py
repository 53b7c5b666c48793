"""Merge: the physical link of a set of core instances, the runtime library and emitted code into one core module.

The job: entities by identity go in, one module with indices comes out, with its carriers and the boundary as data.
Not its job: what is live and what forwards (analysis), what emitted code does (adapter), the outer component's
types and sections (wrapper), the rewriting of index immediates inside bodies (kernel, handed in as a function).
Design sections 4 and 7.
"""

from meldpy.merger.merge import merge
from meldpy.merger.protocols import MergeOptions, Reindex, Scan

__all__ = ["MergeOptions", "Reindex", "Scan", "merge"]
