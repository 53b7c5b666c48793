"""Analysis: what can be proved about a linked graph before anything is emitted.

The job: which functions of the composition are only jumps through wit-component's shim table (`forwards`), what
anything reaches (`reach`), which functions can throw or can leave their instance (`effects`), how far tasks can block
(`blocking`, `synchronous`), what calls leave to do (`work`), and whether async can be left to the engine in a fused
output (`passing`). Not its job: deciding what to emit for those facts (adapter), or dropping what is dead (merger).
Every fact errs on the safe side.
"""

from meldpy.analysis.analyse import analyse

__all__ = ["analyse"]
