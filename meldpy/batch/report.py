"""What a batch did, as JSON (`meld.batch/1`) and as JUnit, which CI systems show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, final
from xml.etree import ElementTree

import meldpy
from meldpy.batch.model import Done, Failed, Result
from meldpy.errors import InternalError, MeldError, escape, shorten
from meldpy.records import dataclass

SCHEMA: Final = "meld.batch/1"


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One build. result: None if it was not begun; failure: what went wrong before it was a job, or after."""

    manifest: str
    output: str
    result: Result | None
    cached: bool = False
    failure: MeldError | None = None

    @property
    def error(self) -> MeldError | None:
        """Why there is no output, if there is none."""
        if self.failure is not None:
            return self.failure
        return self.result.error if isinstance(self.result, Failed) else None

    @property
    def is_defect(self) -> bool:
        """Whether it failed by a fault of ours."""
        return isinstance(self.error, InternalError)


def as_json(entries: Sequence[Entry], seconds: float) -> str:
    """The whole batch; entries in the order of the manifests."""
    told = {
        "schema": SCHEMA,
        "meldpy": meldpy.__version__,
        "seconds": round(seconds, 3),
        "builds": len(entries),
        "failed": sum(entry.error is not None for entry in entries),
        "cached": sum(entry.cached for entry in entries),
        "results": list(map(_entry, entries)),
    }
    return json.dumps(told, indent=2) + "\n"


def _entry(entry: Entry) -> dict[str, object]:
    told: dict[str, object] = {"manifest": entry.manifest, "output": entry.output, "cached": entry.cached}
    if entry.result is not None:
        told |= {"key": entry.result.key, "seconds": round(entry.result.seconds, 4)}
    if entry.error is not None:
        return told | {"kind": type(entry.error).__name__, "error": entry.error.render()}
    assert isinstance(entry.result, Done)
    return told | {
        "size": len(entry.result.data),
        "sha256": sha256(entry.result.data).hexdigest(),
        "call_sites": entry.result.call_sites,
        "kept": entry.result.kept,
    }


def as_junit(entries: Sequence[Entry], seconds: float) -> str:
    """A test suite with a case for each build. A defect of meldpy is an error, anything else a failure."""
    errors = sum(entry.is_defect for entry in entries)
    failures = sum(entry.error is not None for entry in entries) - errors
    counts = {
        "tests": str(len(entries)), "failures": str(failures), "errors": str(errors), "time": f"{seconds:.3f}"
    }  # fmt: skip
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "meld batch", **counts})
    for entry in entries:
        took = 0.0 if entry.result is None or entry.cached else entry.result.seconds
        names = {"classname": escape(entry.manifest), "name": escape(entry.output), "time": f"{took:.3f}"}
        case = ElementTree.SubElement(suite, "testcase", names)
        if entry.error is not None:
            about = {"message": escape(shorten(entry.error.reason)), "type": type(entry.error).__name__}
            failure = ElementTree.SubElement(case, "error" if entry.is_defect else "failure", about)
            failure.text = entry.error.render()
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
