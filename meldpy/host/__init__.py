"""The host: modules that are loaded, swapped, isolated and stopped while the program around them runs.

The job: the run-time half of meldpy. A module's dependencies are linked and fused when it is loaded, so that one
artefact runs; it talks to others by messages only, works under limits and grants, and is replaced with its state kept.
`module` has the two contracts that everything here is built on, `wit/host.wit` the same for guests.

Not its job: fusing (`meldpy.pipeline`), running one component once (`meldpy.engine.run`), the engine itself
(`meldpy.engine.guests` is the only way from here to wasmtime). The fuser never imports this package.

It wants packages that the fuser does not: the extra `meldpy[host]`.
"""
