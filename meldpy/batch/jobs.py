"""From builds to jobs: each is named by the content of what its output follows from, so equal ones are done once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import meldpy
from meldpy.batch.model import Job, Source
from meldpy.errors import FileError
from meldpy.options import FuseInput, FuseOptions
from meldpy.records import fields


def planned(inputs: Sequence[FuseInput], options: FuseOptions, self_check: str | None = None) -> Job:
    """The job of one build. self_check: the path of its scenario. Raises FileError."""
    sources = tuple(
        Source(item.name, str(Path(item.source).resolve()), item.given, sha256(item.data).hexdigest())
        for item in inputs
    )
    scenario = None if self_check is None else (self_check, _text(self_check))
    return Job(_key(sources, options, scenario), sources, options, scenario)


def version(optimise: bool = False) -> str:
    """What two machines must have in common to make the same bytes: the engine assembles text, and what it does not
    take is built in another way. optimise: some of them go through wasm-opt."""
    from importlib.metadata import version as installed

    versions = f"meldpy {meldpy.__version__}, wasmtime {installed('wasmtime')}"
    if not optimise:
        return versions
    from meldpy.engine.binaryen import version as of_wasm_opt

    return f"{versions}, wasm-opt {of_wasm_opt() or 'missing'}"


def _key(sources: Sequence[Source], options: FuseOptions, scenario: tuple[str, str] | None) -> str:
    told = {
        "made by": version(options.optimise),
        "options": {each.name: getattr(options, each.name) for each in fields(options)},
        "inputs": [[source.name, source.given, source.sha256] for source in sources],
        "scenario": None if scenario is None else scenario[1],
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
