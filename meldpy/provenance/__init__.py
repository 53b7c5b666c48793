"""Provenance: what an output says about where it came from, if it was asked to (`--provenance`).

The job: the custom section `meld.provenance` of each fused core module, written and read (`section`); what it says of a
whole file (`trace`); and the two forms that supply-chain tools want: a CycloneDX bill of materials (`sbom`, extra
`sbom`) and an in-toto statement in the shape of SLSA's provenance (`statement`), for a CI system to sign.

Not the job: where each *byte* came from, which debuggers want (`debug.origins`); signing.

The section holds the tool's version, the options that shaped the output, every input with its SHA-256, and for every
function the input, core module and index it had there. It follows from inputs and options, so it is deterministic. It
does not hold where files lie or what they are called. See ADR-0069 for why it is not written unless asked for.
"""
