"""Guests that live long, beside each other, in a process that must not die of them: the engine under `meldpy.host`.

The job: compile once and cache (`artefacts`), one store a guest under limits and deadlines (`guest`), values by a call
path of our own (`marshal`), host functions that cannot break the process (`callbacks`).

Not its job: what a module is, who may call whom, restarts (`meldpy.host`). Commands that run once are
`meldpy.engine.run`; the judge's runs are `meldpy.engine.observe`. Those use the binding's own call path, which is fine
for one guest on one thread and has ten ways to end or fool a process that has many. Each has its rule here:

1.  A BaseException that leaves a host function unwinds through the engine: segmentation fault. `callbacks` catches
    everything, and the guest's call ends with an error.
2.  A store that is closed while a call runs in it: segmentation fault. A guest is closed by whoever holds its lock; a
    close that comes from inside the call waits for the call's end (`guest.Guest.close`).
3.  A guest that overflows a small thread's stack: segmentation fault. A call on a thread whose stack cannot hold the
    engine's is refused (`threads.check_stack`).
4.  The binding keeps the last exception of any host function in one global: other threads raise it. Ours are kept by
    the guest.
5.  A component that imports WASI in a store without a WASI context ends the process. Every store has a context; by
    default an empty one.
6.  A precompiled component with flipped bits is run as machine code. The cache checks a digest of its own, and files
    are their owner's alone (`precompiled`).
7.  After a fork, compiling in the child hangs. A child refuses (`threads.check_process`).
8.  An integer that does not fit its type is cut off in silence. `marshal` raises.
9.  Handles that the host holds are not dropped with the store, so destructors do not run. A guest has a table of them,
    and drops them when it is closed.
10. SIGINT waits for the end of a guest's call on the main thread. `guest` can be interrupted from any thread, and the
    host's guests never run on the main one (`meldpy.host.actors`).
"""
