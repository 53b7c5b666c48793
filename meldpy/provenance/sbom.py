"""A CycloneDX bill of materials: the output, and the inputs that it is made of (extra `sbom`).

It is as deterministic as what it is about: its serial number follows from the output's sum, and it has no time.
"""

from __future__ import annotations

import json
from uuid import NAMESPACE_URL, uuid5

from meldpy.errors import UsageError
from meldpy.provenance.trace import Trace


def sbom(found: Trace) -> str:
    """The JSON text, by CycloneDX 1.6. Raises UsageError without the extra."""
    try:
        from cyclonedx.model import HashAlgorithm, HashType, Property
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError as error:
        raise UsageError("a bill of materials needs cyclonedx", remedy="pip install 'meldpy[sbom]'") from error

    def component(name: str, sum_: str, kind: ComponentType) -> Component:
        return Component(
            name=name, type=kind, bom_ref=f"sha256:{sum_}", hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sum_)]
        )

    output = component(found.source, found.sha256, ComponentType.APPLICATION)
    tool = Component(name="meldpy", version=found.tool, type=ComponentType.APPLICATION, bom_ref="meldpy")
    metadata = BomMetaData(component=output, properties=[Property(name="meldpy:fused-by", value=found.tool)])
    metadata.tools.components.add(tool)
    by_sum = {each.sha256: each for each in found.inputs}  # one file may be several inputs
    inputs = [component(each.name, sum_, ComponentType.LIBRARY) for sum_, each in by_sum.items()]
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"sha256:{found.sha256}"), metadata=metadata, components=inputs)
    bom.register_dependency(output, inputs)
    told = json.loads(JsonV1Dot6(bom).output_as_string())
    del told["metadata"]["timestamp"]
    return json.dumps(told, indent=2, sort_keys=True) + "\n"
