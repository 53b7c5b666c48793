"""present: the fused module as a core module, for engines that know no components.

The job: give the main module of a core output (which has no carriers) the names, exports and custom section that the
ecosystem's bindings generators give their guests, so that `wasm-tools component new` makes the component of it again
and every host that takes such modules takes it. Not its job: moving values between the one exported memory and the
inner ones (adapter, `one_memory`), the world's type (wrapper, `world_type`), bytes (binary).
"""

from __future__ import annotations

from meldpy.core_output.present import present

__all__ = ["present"]
