"""WIT: evaluated types as the text that people know them by.

The job: worlds, interfaces and functions as WIT, such that `wasm-tools component wit` reads a world of plain interfaces
and finds in it what it finds in the component. Not its job: evaluating types (resolver), writing them as bytes
(wrapper), one-line descriptions inside a sentence (`resolver.describe`). What WIT cannot say (a record without a name,
an instance in an instance, a core module) is written in its manner all the same: for people to read.
"""

from meldpy.wit.diff import diff
from meldpy.wit.interfaces import interface_lines
from meldpy.wit.names import Names, introduced
from meldpy.wit.values import function, primitive, value
from meldpy.wit.world import world_text

__all__ = ["Names", "diff", "function", "interface_lines", "introduced", "primitive", "value", "world_text"]
