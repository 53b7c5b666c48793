"""An in-toto statement in the shape of SLSA's provenance v1: what a CI system signs. No time, no machine."""

from __future__ import annotations

import json
from typing import Final

from meldpy.provenance.trace import Trace

BUILD_TYPE: Final = "urn:meldpy:fuse:v1"
BUILDER: Final = "urn:meldpy:local"


def statement(found: Trace, *, builder: str = BUILDER) -> str:
    """The JSON text. builder: the identity of what ran the build, as a URI."""
    told = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": found.source, "digest": {"sha256": found.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"options": found.options, "inputs": [each.name for each in found.inputs]},
                "internalParameters": {},
                "resolvedDependencies": [
                    {"name": each.name, "digest": {"sha256": each.sha256}} for each in found.inputs
                ],
            },
            "runDetails": {"builder": {"id": builder, "version": {"meldpy": found.tool}}},
        },
    }
    return json.dumps(told, indent=2) + "\n"
