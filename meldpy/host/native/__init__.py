"""Native modules: shared libraries over a stable C ABI, each in a process of its own.

The job: `load` takes a library that speaks `meld_module.h` and gives a `ModuleInstance` like any other. `elf` looks at
the file before anything of it runs; `process` starts a small Python process (`worker`) that loads it, confined by its
limits and grants; `channel` carries calls there and the module's own calls back; `services` answers those. What a
module does to its process, a segmentation fault, an abort, an endless loop, a leak, is a failed call here.

Not its job: when to start a module again, and what becomes of its messages (the lifecycle, which knows
`meldpy.host.module.ModuleInstance` only); the header and the SDKs for authors (`meldpy/host/sdk`).

Linux only, for what it rests on: pidfds, sealed memory files, sequenced-packet sockets, landlock.
"""

from __future__ import annotations

from meldpy.host.native.elf import LibraryRefused
from meldpy.host.native.instance import Beat, Introduction, NativeInstance
from meldpy.host.native.process import NativeOptions

__all__ = ["Beat", "Introduction", "LibraryRefused", "NativeInstance", "NativeOptions"]
