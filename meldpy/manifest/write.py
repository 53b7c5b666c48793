"""Builds to `meld.toml`: only what is not the default is written, and reading it gives the same builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meldpy.manifest.keys import KEYS
from meldpy.manifest.model import Build
from meldpy.options import FuseOptions
from meldpy.toml import basic_string

_DEFAULTS = FuseOptions()


def written(builds: Sequence[Build]) -> str:
    """The text of a manifest with these builds."""
    if len(builds) == 1:
        return "".join(_lines(builds[0]))
    return "\n".join("[[build]]\n" + "".join(_lines(build)) for build in builds)


def _lines(build: Build) -> Iterator[str]:
    yield _line("inputs", build.inputs)
    if build.output is not None:
        yield _line("output", build.output)
    if build.deps:
        yield _line("dep", build.deps)
    for key, field in KEYS.items():
        value = getattr(build.options, field)
        if value != getattr(_DEFAULTS, field):
            yield _line(key, value)
    for key, text in (("self-check", build.self_check), ("core-manifest", build.core_manifest)):
        if text is not None:
            yield _line(key, text)
    if build.wat:
        yield _line("wat", True)


def _line(key: str, value: object) -> str:
    return f"{key} = {_value(value)}\n"


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return basic_string(value)
        case tuple() if len(value) < 2:
            return f"[{', '.join(map(_value, value))}]"
        case tuple():
            return "[\n" + "".join(f"  {_value(each)},\n" for each in value) + "]"
        case _:
            raise AssertionError(f"no option is a {type(value).__name__}")
