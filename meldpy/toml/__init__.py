"""TOML files that people write, read so that a fault names the line: every key known, every value of its type. And text
for those that we write (`write`).

What keys there are is for those who read a kind of file: `fixture` (fixture.toml), `comparison` (scenarios), `manifest`
(meld.toml).
"""

from __future__ import annotations

from meldpy.toml.fields import Table
from meldpy.toml.lines import Place, locate
from meldpy.toml.read import read_table
from meldpy.toml.write import basic_string

__all__ = ["Place", "Table", "basic_string", "locate", "read_table"]
