"""The JSON form of a report: it follows from the fields of its dataclasses, and `schemas/` describes it.

Enums become their values, tuples lists; an underscore that keeps a field from being a keyword is left out.
"""

from __future__ import annotations

from enum import Enum

from meldpy.records import fields, is_dataclass


def form(schema: str, report: object) -> dict[str, object]:
    """`report`, a dataclass, ready for `json.dumps`, with the name of its schema in front."""
    made = _plain(report)
    assert isinstance(made, dict), "a report is a dataclass"
    return {"schema": schema, **made}


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {each.name.rstrip("_"): _plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            return value
