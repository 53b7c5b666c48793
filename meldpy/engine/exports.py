"""The functions that a component exports, with the types of what they take: before it runs, and as a running instance
has them (whose resource types are its own)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from wasmtime import Engine
from wasmtime import component as wc
from wasmtime.component._types import ComponentExtern

from meldpy.engine.arbitrary import obstacle
from meldpy.engine.observe import Guest
from meldpy.engine.prepare import Prepared
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """name: "interface#function", or a root function's. obstacle: why it cannot be called with values made up here."""

    name: str
    params: tuple[wc.ValType, ...]
    obstacle: str | None

    def params_in(self, guest: Guest) -> list[wc.ValType]:
        """The same in a running instance."""
        return [of for _, of in guest.type(self.name).params]


def exported(prepared: Prepared) -> list[Exported]:
    """All of them, in the order of the component's type."""
    return list(_functions(prepared.engine, "", prepared.component.type.exports(prepared.engine)))


def _functions(engine: Engine, prefix: str, items: dict[str, ComponentExtern]) -> Iterator[Exported]:
    for name, extern in items.items():
        match extern.ty:
            case wc.FuncType() as func:
                yield _exported(prefix + name, func)
            case wc.ComponentInstanceType() as instance if not prefix:
                yield from _functions(engine, f"{name}#", instance.exports(engine))
            case _:
                pass


def _exported(name: str, func: wc.FuncType) -> Exported:
    try:
        params, result = [of for _, of in func.params], func.result
    except TypeError as error:  # the binding has no values for, say, fixed-length lists and maps
        return Exported(name, (), str(error))
    found = [obstacle(of) for of in params]
    stuck = next((each for each in found if each is not None), None) or obstacle(result, result=True)
    return Exported(name, tuple(params), stuck)
