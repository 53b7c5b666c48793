"""What authors of native modules need: `c` has the header of the ABI, `rust` a crate. No Python of the host's.

`python -m meldpy.host.sdk c` prints the folder, for a build to point at.
"""

from __future__ import annotations

from pathlib import Path

LANGUAGES = ("c", "rust")


def folder(language: str) -> Path:
    """Where the SDK for a language is."""
    if language not in LANGUAGES:
        raise ValueError(f"there is no SDK for {language}; there is one for {' and '.join(LANGUAGES)}")
    return Path(__file__).parent / language
