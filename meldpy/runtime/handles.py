"""What emitted code must know of the handle tables (`handles.wat`): how a table and a resource type are named there.

The numbers come from the caller, who numbers the component instances that need a table, and the resource types, from
0 each. The names of the module's exports and what they do are in the essay of the WAT file.
"""

from __future__ import annotations

from typing import Final

from meldpy.errors import LimitError

HANDLES: Final = "handles"
"""The name of the module. It must be instantiated once, since all tables and what is lent among them are in it."""

# The layout at the start of the module's memory.
_TABLES_AT = 0x40
_TABLES_END = 0x3_0000
_ROW = 16

MAX_TABLES: Final = (_TABLES_END - _TABLES_AT) // _ROW

# The low bits of a type word say what kind of handle it is; the others identify the resource type.
_KIND_BITS = 4
_RESOURCE_KIND = 1
_REMEDY: Final = "fuse fewer inputs at once, or instantiate fewer copies of them"
MAX_RESOURCE_TYPES: Final = 1 << (32 - _KIND_BITS)


SUBTASK_TAG: Final = 2
SET_TAG: Final = 3
_END_KINDS: Final = {(False, False): 4, (False, True): 5, (True, False): 6, (True, True): 7}


def end_tag(number: int, *, future: bool, writable: bool) -> int:
    """`$type` of an end of stream or future type `number` (from 0). LimitError if there are too many."""
    if number >= MAX_RESOURCE_TYPES:
        raise LimitError(f"more than {MAX_RESOURCE_TYPES} types", remedy=_REMEDY)
    return number << _KIND_BITS | _END_KINDS[future, writable]


def table_address(number: int) -> int:
    """`$table` of handle table `number` (from 0): the address of its descriptor. LimitError if there is no room."""
    assert number >= 0, "tables are numbered from 0"
    if number >= MAX_TABLES:
        raise LimitError(f"more than {MAX_TABLES} component instances need a handle table", remedy=_REMEDY)
    return _TABLES_AT + number * _ROW


def resource_tag(number: int) -> int:
    """`$type` of resource type `number` (from 0): an unsigned i32, never 0. LimitError if there are too many."""
    assert number >= 0, "resource types are numbered from 0"
    if number >= MAX_RESOURCE_TYPES:
        raise LimitError(f"more than {MAX_RESOURCE_TYPES} resource types", remedy=_REMEDY)
    return number << _KIND_BITS | _RESOURCE_KIND
