"""The two guests as two components that jco transpiles apart, so that every value between them is a JavaScript value.

Here nothing is shared with the other engine: jco's own JavaScript lifts from one memory and lowers into the other. It
allocates in another order than the spec says, and it looks at little of what it lifts; so calls that break no rule are
played, and the values are compared, lifted from both memories by the model, not the bytes. Also compared is what the
callee saw: one call, and its post-return after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final, TypeVar

from wasmtime import wat2wasm

from tests.support.gen.calls import CORE_SIZES, Ready, Work
from tests.support.gen.encode import Full
from tests.support.gen.guests import (
    ARGS,
    HEAP,
    REALLOC,
    RESULT,
    Func,
    Guest,
    callee_component,
    caller_component,
    lowered_params,
    signature_text,
)
from tests.support.gen.layout import (
    MAX_FLAT_PARAMS,
    MAX_FLAT_RESULTS,
    cases_of,
    element_of,
    fields_of,
    flat_params,
    flatten,
    spills_result,
)
from tests.support.gen.model import NAN_BITS, Side, is_nan
from tests.support.gen.run import events
from tests.support.gen.scenario import Scenario
from tests.support.gen.types import DECLARED, STRING, Prim, Type, TypeText
from tests.support.gen.values import Budget, random_value
from tests.support.jco.edge import lists_at_the_edge
from tests.support.jco.player import Part

LINKED: Final = "linked"
INTERFACE: Final = "guests:apart/callee"
Item = TypeVar("Item")


def parts(scenario: Scenario) -> list[Part]:
    caller, callee = scenario.guests
    texts = (
        _exporting(callee_component(scenario.funcs, callee)[0]),
        _importing(caller_component(scenario.funcs, caller), scenario.funcs),
    )
    binaries = [bytes(wat2wasm(lists_at_the_edge(text))) for text in texts]
    return [Part(binaries[0]), Part(binaries[1], uses=0)]


def _exporting(callee: str) -> str:
    """The callee's functions and types as an interface: jco takes no types at the root."""
    return f'(component {callee} (instance $c (instantiate $callee)) (export "{INTERFACE}" (instance $c)))'


def _importing(caller: str, funcs: list[Func]) -> str:
    types = TypeText(DECLARED)
    signatures = [signature_text(func, types) for func in funcs]
    declared = types.lines + [f'(export "f{i}" (func {signature}))' for i, signature in enumerate(signatures)]
    links = [f'(with "{name}" (type $callee "{name}"))' for name in types.named.values()]
    links += [f'(with "f{i}" (func $callee "f{i}"))' for i in range(len(funcs))]
    names = [f"run{i}" for i in range(len(funcs))] + ["caller-load", "caller-dump"]
    return f"""(component
  (import "{INTERFACE}" (instance $callee {" ".join(declared)}))
  {caller}
  (instance $c (instantiate $caller {" ".join(links)}))
  {" ".join(f'(export "{name}" (func $c "{name}"))' for name in names)})"""


class FirstChoice(Random):
    """Always takes the first choice: for an encoder that is a value without noise."""

    def choice(self, seq: Sequence[Item]) -> Item:  # type: ignore[override]
        return seq[0]

    def getrandbits(self, k: int, /) -> int:
        return 0


def prepare(rng: Random, number: int, func: Func, guests: tuple[Guest, Guest]) -> Ready | None:
    """A call that breaks no rule. Nor has it any bits set that the spec ignores, for jco takes offence at them."""
    budget = Budget(1200)
    args = [random_value(t, rng, budget) for t in func.params]
    result = None if func.result is None else random_value(func.result, rng, budget)
    try:
        return Work(number, func, guests, args, result).images(FirstChoice(0), -1, top=False)[0]
    except Full:
        return None


def arrived(func: Func, ready: Ready, memories: tuple[bytes, ...]) -> list[Any]:
    """The arguments and the result as they lie in the memories after a call, and what the callee logged but realloc."""
    caller, callee = (
        Side(False, encoding, bytearray(memory), HEAP)
        for encoding, memory in zip(func.encodings, memories, strict=True)
    )
    flat = [callee.number(ARGS + 8 * i, CORE_SIZES[core]) for i, core in enumerate(flat_params(func.params, False))]
    values = callee.lift_values(func.params, flat, MAX_FLAT_PARAMS)
    found = [plain(t, value) for t, value in zip(func.params, values, strict=True)]
    if func.result is not None:
        if spills_result(func.result, False):
            at = int.from_bytes(ready.caller[ARGS + 8 * (len(lowered_params(func, False)) - 1) :][:4], "little")
            value = caller.load(func.result, at)
        else:
            bits = caller.number(RESULT, CORE_SIZES[flatten(func.result, False)[0]])
            [value] = caller.lift_values((func.result,), [bits], MAX_FLAT_RESULTS)
        found.append(plain(func.result, value))
    return [*found, [event[0] for event in events(memories[1]) if event[0] != REALLOC]]


def plain(type: Type, value: Any) -> Any:
    """A lifted value without what JavaScript cannot carry: the bits of NaNs."""
    if type == STRING:
        return value.text
    if isinstance(type, Prim):
        return "NaN" if type.name in NAN_BITS and is_nan(type.name, value) else value
    fields, cases, element = fields_of(type), cases_of(type), element_of(type)
    if element is not None:
        return [plain(element, item) for item in value]
    if fields is not None:
        return [plain(t, item) for t, item in zip(fields, value, strict=True)]
    if cases is not None:
        case, payload = value
        inner = cases[case]
        return case, None if inner is None else plain(inner, payload)
    return value
