"""present: the fused module as a core module, for engines that know no components.

The job: give the main module of a core output (which has no carriers) the names, exports and custom section that the
ecosystem's bindings generators give their guests, so that `wasm-tools component new` makes the component of it again
and every host that takes such modules takes it. Not its job: moving values between the one exported memory and the
inner ones (adapter, `one_memory`), the world's type (wrapper, `world_type`), bytes (binary).

`in_one_memory` then makes one memory of all, for engines that have no more: `regions` plans it, `helpers` are the
functions that go with it, the kernel rewrites the bodies. `lowered` says otherwise what a target lacks, and
`check_features` refuses what is left of that.
"""

from __future__ import annotations

from meldpy.core_output.async_names import all_named
from meldpy.core_output.features import check_features, parse_features, used_features
from meldpy.core_output.lowering import LOWERABLE, LoweringTools, lowered
from meldpy.core_output.present import present
from meldpy.core_output.single import Tools, in_one_memory

__all__ = [
    "LOWERABLE",
    "LoweringTools",
    "Tools",
    "all_named",
    "check_features",
    "in_one_memory",
    "lowered",
    "parse_features",
    "present",
    "used_features",
]
