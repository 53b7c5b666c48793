"""Errors for machines: as JSON on stderr (`--error-format json`), and as SARIF in a file (`--sarif FILE`), which CI
systems show beside the code. What an error is, `meldpy.errors` says; words for people are `terminal`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from meldpy import __version__
from meldpy.errors import Location, MeldError

SCHEMA: Final = "meld.error/1"


def as_json(error: MeldError) -> str:
    """One line."""
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "meldpy": __version__,
        "kind": type(error).__name__,
        "reason": error.reason,
        "location": None if error.location is None else _location(error.location),
        "causes": list(error.causes),
        "diff": list(error.diff),
        "remedy": error.advice,
        "exit_code": error.exit_code,
    }
    return json.dumps(told)


def as_sarif(errors: Sequence[MeldError]) -> str:
    """A log with these errors, in their order."""
    rules = [{"id": kind} for kind in dict.fromkeys(type(error).__name__ for error in errors)]
    driver: dict[str, Any] = {"name": "meld", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": list(map(_result, errors))}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def write_log(path: str, errors: Sequence[MeldError]) -> None:
    """The same in a file."""
    from meldpy.cli.io import write_output

    write_output(path, as_sarif(errors).encode())


_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def _result(error: MeldError) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ruleId": type(error).__name__,
        "level": "error",
        "message": {"text": error.render()},
    }
    if error.location is not None:
        place = _location(error.location)
        region = {"startLine": "line", "startColumn": "column", "byteOffset": "offset"}
        physical: dict[str, Any] = {"artifactLocation": {"uri": place["source"]}}
        known = {key: place[name] for key, name in region.items() if place.get(name) is not None}
        if known:
            physical["region"] = known
        told["locations"] = [{"physicalLocation": physical}]
        if error.location.path:
            logical = {"fullyQualifiedName": " › ".join(error.location.path)}
            told["locations"][0]["logicalLocations"] = [logical]
    return told


def _location(location: Location) -> dict[str, Any]:
    told: dict[str, Any] = {"source": location.source}
    known = {"line": location.line, "column": location.column, "offset": location.offset}
    told |= {name: number for name, number in known.items() if number is not None}
    if location.path:
        told["path"] = list(location.path)
    return told
