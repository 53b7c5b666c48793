"""The process around one native module: loads the library, calls it, and passes its calls to the host.

It runs as `python -I -S` with the standard library and this folder alone, because it is started for every module and
after every crash: nothing here imports `meldpy`, and imports between these files are relative. The host imports `wire`
and `abi` from here, so that both ends read one description.

Not its job: to protect the host from the module. Everything in this process is at the module's mercy, this code too;
the host believes nothing that comes from here without looking.
"""

from __future__ import annotations
