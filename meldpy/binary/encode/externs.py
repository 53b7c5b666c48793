"""Sorts, names with their attributes, aliases, written: the mirror of `decode/externs`."""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.leb128 import unsigned
from meldpy.binary.sections import NAME_WITH_ATTRIBUTES, AliasOp, AttributeOp
from meldpy.binary.writer import name, vec
from meldpy.model.component import Alias, CoreExportAlias, ExportAlias, OuterAlias, Sort
from meldpy.model.extern import ExternName


# --- sorts and names ------------------------------------------------------------------------------
def sort(which: Sort) -> bytes:
    return bytes(which.value)


def extern_name(item: ExternName) -> bytes:
    """`nameattributes`. Attributes come in the order the model asks for, else by opcode."""
    attributes = item.attributes
    present = {
        opcode: text
        for opcode, text in (
            (AttributeOp.IMPLEMENTS, attributes.implements),
            (AttributeOp.VERSION_SUFFIX, attributes.version_suffix),
            (AttributeOp.EXTERNAL_ID, attributes.external_id),
        )
        if text is not None
    }
    encoded = bytes((attributes.form,)) + name(item.name)
    if attributes.form != NAME_WITH_ATTRIBUTES:
        assert not present, "a name of this form has no attributes"
        return encoded
    order = attributes.order or tuple(present)
    assert sorted(order) == sorted(present), "the order of attributes lists what there is"
    return encoded + vec(order, lambda opcode: bytes((opcode,)) + name(present[opcode]))


# --- aliases --------------------------------------------------------------------------------------
def alias(item: Alias) -> bytes:
    match item:
        case ExportAlias(which, instance, text):
            return sort(which) + bytes((AliasOp.EXPORT,)) + unsigned(instance) + name(text)
        case CoreExportAlias(which, core_instance, text):
            return sort(which) + bytes((AliasOp.CORE_EXPORT,)) + unsigned(core_instance) + name(text)
        case OuterAlias(which, count, index):
            return sort(which) + bytes((AliasOp.OUTER,)) + unsigned(count) + unsigned(index)
        case _:
            assert_never(item)
