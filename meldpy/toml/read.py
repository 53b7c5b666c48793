"""From a TOML file to a table that knows its lines."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from meldpy.errors import Location, MeldError
from meldpy.toml.fields import Table
from meldpy.toml.lines import locate


def read_table(file: Path, error: type[MeldError]) -> Table:
    """The file as a table whose faults are of the kind `error`, which is raised for what is no TOML."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as failure:
        raise error(f"cannot read {file}: {failure.strerror or failure}") from failure
    except UnicodeDecodeError as failure:
        raise error(f"not UTF-8: {failure.reason} at byte {failure.start}", Location(str(file))) from failure
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        found = re.search(r"at line (\d+)", str(failure))
        line = int(found[1]) if found else text.count("\n") + 1
        raise error(f"not TOML: {failure}", Location(str(file), line=line)) from failure
    return Table(file, table, locate(text), (), error)
