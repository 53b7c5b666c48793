"""Manifests: files that say what is fused of what, so that a build can be repeated and reviewed.

The job: read `meld.toml` into builds (`read`), and write the manifest of a command line (`write`). A build is
everything that `meld fuse` is told, with paths that need no current directory.

Not the job: fusing (`pipeline`), files in and out and what is said meanwhile (`cli`), many builds at once (`batch`),
wac's language (`wac`).

Each key of a manifest is the long name of the option of `meld fuse` that it stands for, so there is nothing to learn
twice: `link`, `open`, `chain`, `root`, `export`, `hide`, `rename`, `keep`, `core`, `features` and so on, with `inputs`
and `output` for what has no option. Several outputs are several `[[build]]`; what stands above them holds for each.
"""

from __future__ import annotations

from meldpy.manifest.model import Build, ManifestError

__all__ = ["Build", "ManifestError"]
