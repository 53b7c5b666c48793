"""The strategy again, in Python: it takes what the version in Rust knew, and buys whenever a price is below 100."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import bus
from wit_world.imports.types import Capabilities, Envelope, Failure, FailureCode, State

seen = [0, 0]


class Module(exports.Module):
    def initialize(self, config: str) -> None:
        pass

    def get_capabilities(self) -> Capabilities:
        return Capabilities(["seen"], ["prices/*"], 1)

    def execute(self, command: str, payload: bytes) -> bytes:
        if command != "seen":
            raise Err(Failure(FailureCode.ARGUMENT, "there is one command: seen"))
        return b"%d %d" % tuple(seen)

    def handle_message(self, message: Envelope) -> bytes:
        price = int(message.payload)
        word = b"buy" if price < 100 else b"wait"
        seen[0] += 1
        seen[1] += price
        bus.publish("orders/new", b"limit %s %d" % (word, price))
        return word

    def shutdown(self) -> None:
        pass

    def get_state(self) -> State:
        return State(1, b"%d %d" % tuple(seen))

    def restore_state(self, state: State) -> None:
        if state.schema != 1:
            raise Err(Failure(FailureCode.SCHEMA, "schema 1 was expected"))
        seen[:] = map(int, state.data.split())
