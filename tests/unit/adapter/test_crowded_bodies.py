"""Where one function would hold too much, its parts become helpers; where it holds little, they do not."""

from __future__ import annotations

from meldpy.model.code import Adapted
from meldpy.model.valtype import DefinedType, Field, ListType, RecordType, ValType
from tests.support.canonical_model import P
from tests.support.crossing import Crossing, GuestSide, limits


def record(*types: ValType) -> DefinedType:
    return DefinedType(RecordType(tuple(Field(f"f{i}", type) for i, type in enumerate(types))))


def made(type: ValType) -> Adapted:
    return Crossing([type, P.U8], caller=GuestSide(limits(False, 16)), callee=GuestSide(limits(False, 16))).adapted()


def bodies(adapted: Adapted) -> list[int]:
    return [sum(len(chunk) if isinstance(chunk, bytes) else 4 for chunk in f.body) for f in adapted.functions]


def test_thousands_of_small_parts_are_calls_of_one_helper() -> None:
    part = record(*[P.CHAR] * 20)
    adapted = made(record(*[part] * 5_000))
    assert max(bodies(adapted)) < 150_000
    helpers = [function.name for function in adapted.functions if function.name.startswith("translate ")]
    assert sorted(helpers) == [f"translate {what} from caller to callee" for what in ("record", "record", "tuple")]


def test_few_small_parts_stay_where_they_are() -> None:
    part = record(*[P.CHAR] * 8)
    adapted = made(DefinedType(ListType(record(part, part))))
    assert not [function.name for function in adapted.functions if function.name.startswith("translate ")]
