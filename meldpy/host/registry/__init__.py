"""Modules on disk: which there are, in which versions, what they need, and what runs when they are loaded.

The job: `module.toml` (`manifest`), version ranges (`versions`), the folder with everything installed, its history and
its lock (`installed`, `lock`), sources that are OCI layouts or registries (`oci`), the choice of dependencies
(`resolve`), and the artefact that is fused from a module and what it depends on (`link`).

Not its job: running anything (`meldpy.host.lifecycle`), fusing itself (`meldpy.pipeline`).
"""

from meldpy.host.extra import need

need("msgspec")
need("resolvelib")
