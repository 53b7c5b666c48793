"""A module's life: loaded, started, stopped, swapped, restarted after it died, unloaded.

The job: what is run and under which rules (`plan`), how an instance comes to be (`birth`), what handling a message
means (`handling`), when a module that dies is started again (`breaker`), the swap that keeps state (`reload`), and one
module with all of this (`hosted`). Everything that touches an instance happens on its module's own thread.

Not its job: where artefacts come from (`meldpy.host.registry`), who sends what (`meldpy.host.bus`).
"""
