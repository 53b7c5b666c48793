"""wrap: the outer component around a fused module, with the world of the composition.

Consumes `LinkedGraph` (what the world says) and `FusedModule` (modules, carriers and the boundary between them) and
returns a component model; bytes are made by `binary`, and validated by `engine`. `world_type` is the world alone, for
core outputs.
"""

from __future__ import annotations

from meldpy.wrapper.rest import Child, write_whole
from meldpy.wrapper.world import world_type
from meldpy.wrapper.wrap import wrap

__all__ = ["Child", "world_type", "wrap", "write_whole"]
