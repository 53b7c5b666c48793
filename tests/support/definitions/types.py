"""Our types and options as those of `definitions.py`."""

from __future__ import annotations

from types import ModuleType
from typing import Any, final

from meldpy.model.extern import FuncType
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)


@final
class Types:
    """resources: the resource types of the run."""

    def __init__(self, defs: ModuleType, resources: dict[ResourceId, Any]) -> None:
        self._defs = defs
        self._resources = resources

    def func(self, type: FuncType) -> Any:
        params = [self.value(each) for _, each in type.params]
        return self._defs.FuncType(params, self.values(type.result), async_=type.async_)

    def values(self, type: ValType | None) -> list[Any]:
        """As results are: none or one."""
        return [] if type is None else [self.value(type)]

    def value(self, type: ValType | None) -> Any:
        defs = self._defs
        match type.definition if isinstance(type, DefinedType) else type:
            case None:
                return None
            case PrimValType() as primitive:
                return getattr(defs, "".join(part.title() for part in primitive.name.split("_")) + "Type")()
            case RecordType(fields):
                return defs.RecordType([defs.FieldType(field.label, self.value(field.type)) for field in fields])
            case VariantType(cases):
                return defs.VariantType([defs.CaseType(case.label, self.value(case.type)) for case in cases])
            case ListType(element, length):
                return defs.ListType(self.value(element), length)
            case TupleType(types):
                return defs.TupleType([self.value(each) for each in types])
            case FlagsType(labels):
                return defs.FlagsType(list(labels))
            case EnumType(labels):
                return defs.EnumType(list(labels))
            case OptionType(some):
                return defs.OptionType(self.value(some))
            case ResultType(ok, error):
                return defs.ResultType(self.value(ok), self.value(error))
            case MapType(key, value):
                return defs.MapType(self.value(key), self.value(value))
            case OwnType(resource):
                return defs.OwnType(self._resources[resource.id])
            case BorrowType(resource):
                return defs.BorrowType(self._resources[resource.id])
            case StreamType(element):
                return defs.StreamType(self.value(element))
            case FutureType(element):
                return defs.FutureType(self.value(element))
            case other:
                raise AssertionError(other)
