"""A component compiled once, to be run many times; and calls that are given up after a while.

Compiling is most of what a short run costs, so whoever runs a component again and again prepares it first. A call that
may never end (arguments are random, say) is given a deadline: the engine interrupts it by its own means, an epoch that
somebody else must count up, and that is a trap of its own kind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, final

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime import component as wc

from meldpy.engine.config import base_config, full_engine
from meldpy.engine.words import causes_of
from meldpy.errors import EngineError
from meldpy.records import dataclass

INTERRUPTED: Final = "interrupt"
"""The kind of trap of a call that passed its deadline."""

_TICKS: Final = 8
"""Into how many ticks a deadline is divided: it is kept to one of them."""


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """deadline: seconds that one call may take; None: for ever."""

    engine: Engine
    component: wc.Component
    deadline: float | None = None

    def begin(self, store: Store) -> None:
        """A call begins in `store`: its time is counted from now."""
        if self.deadline is not None:
            store.set_epoch_deadline(_TICKS)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Time passes meanwhile: without it no deadline ever comes."""
        if self.deadline is None:
            yield
            return
        over = threading.Event()
        period = self.deadline / _TICKS

        def count() -> None:
            while not over.wait(period):
                self.engine.increment_epoch()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def prepare(binary: bytes, engine: Engine | None = None, *, deadline: float | None = None) -> Prepared:
    """`binary` compiled. Without an `engine` it is one with the defaults or, if that does not take the component, one
    with all features. Raises EngineError if the component does not compile. A deadline wants an engine of our own."""
    assert engine is None or deadline is None
    if engine is None:
        config = _quick() if deadline is None else base_config()
        if deadline is not None:
            config.epoch_interruption = True
        try:
            return Prepared(plain := Engine(config), wc.Component(plain, binary), deadline)
        except WasmtimeError:
            engine = full_engine().engine
    try:
        return Prepared(engine, wc.Component(engine, binary))
    except WasmtimeError as error:
        raise EngineError("the component cannot be compiled", causes=causes_of(error)) from error


def _quick() -> Config:
    """The defaults, but for optimising: what is observed is over before that pays."""
    config = Config()
    config.cranelift_opt_level = "none"
    return config
