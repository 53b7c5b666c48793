"""`python -m meldpy.host.sdk LANGUAGE`: where that SDK is."""

from __future__ import annotations

import sys

from meldpy.host.sdk import LANGUAGES, folder

if len(sys.argv) != 2 or sys.argv[1] not in LANGUAGES:
    sys.exit(f"usage: python -m meldpy.host.sdk {{{','.join(LANGUAGES)}}}")
print(folder(sys.argv[1]))
