"""Core outputs from Python: load one, call its exports, provide its imports, through the Canonical ABI.

    from meldpy import core

    guest = core.load("out.wasm", {"demo:log/log#say": print})
    guest.call("greet", "world")

The job: what a host-side bindings generator would write for `meld fuse --core` output, as a library, and the reference
for whoever writes one for another host: `surface` reads what the module's `component-type` section says, `values` moves
values between memory and Python, `pythonvalues` says what fits, `handles` keeps the table that the engine of a
component would keep, `callside` is a guest during one call, `instance` makes calls, `manifest` says the same as JSON,
`wasi` is a host for commands that print. Not its job: running core code (`engine.coreapi`, or any other engine with the
same few functions), and async: a function that takes its time is refused when it is called, as is a guest that asks for
async.

Values: numbers, bool and str as they are (a char is a str), list, tuple; a record is a dict by label; flags are a set
of labels; an enum is a label; `Case(label, value)` is a case of a variant or a result ("ok", "error"); an option is
None or the value, but `Case("some", value)` where the value is itself an option; a map is a dict (or pairs). An own
handle of a guest's resource type is a `Handle`; one of the host's resource types is whatever object the host uses.
"""

from __future__ import annotations

from meldpy.core.handles import Handle
from meldpy.core.instance import GuestTrap, Instance, load
from meldpy.core.manifest import manifest
from meldpy.core.pythonvalues import Case
from meldpy.core.surface import Surface, read_surface, world_sections
from meldpy.core.wasi import Exit, Wasi

__all__ = [
    "Case",
    "Exit",
    "GuestTrap",
    "Handle",
    "Instance",
    "Surface",
    "Wasi",
    "load",
    "manifest",
    "read_surface",
    "world_sections",
]
