"""A module's life: loaded, started, stopped, swapped, restarted after it died, unloaded.

The job: what is run and under which rules (`plan`), how an instance comes to be (`birth`), what handling a message
means (`handling`), when a module that dies is started again (`breaker`, `life`), the swap that keeps state (`reload`),
and one module with all of this (`hosted`). Everything that touches an instance of a module happens on one thread at a
time, which is lent to it (`crew`).

Not its job: where artefacts come from (`meldpy.host.registry`), who sends what (`meldpy.host.bus`).
"""
