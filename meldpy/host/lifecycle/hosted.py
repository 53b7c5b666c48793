"""One module in a host: its mailbox, its life, and the orders it is given.

One thread at a time does everything that touches the instance (the module's thread, lent by the crew), one thing after
another: orders (start, stop, swap) first, then work in the order in which it arrived. While an order is carried out
messages wait, which is all that quiescing is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from time import monotonic
from typing import TypeVar, final

from meldpy.host.bus.bus import Bus
from meldpy.host.bus.mailbox import Mailbox, Work
from meldpy.host.bus.turns import Turns
from meldpy.host.faults import HostError, StateError, defect
from meldpy.host.lifecycle.birth import put_down
from meldpy.host.lifecycle.crew import Crew
from meldpy.host.lifecycle.handling import Handler
from meldpy.host.lifecycle.later import STORE_REST, Later
from meldpy.host.lifecycle.life import Life, Status
from meldpy.host.lifecycle.meter import Meter
from meldpy.host.lifecycle.plan import ModulePlan, Persist
from meldpy.host.lifecycle.reload import Swap
from meldpy.host.limits import allows
from meldpy.host.module import Envelope, ModuleInstance
from meldpy.host.store.database import Database
from meldpy.host.store.messages import Messages
from meldpy.host.store.modules import Modules

logger = logging.getLogger("meldpy.host")
T = TypeVar("T")


@final
class Hosted:
    """See the module. Any thread may call any method; what it returns as a Future is done on the module's thread."""

    def __init__(self, plan: ModulePlan, bus: Bus, database: Database, turns: Turns, crew: Crew) -> None:
        self.handled = 0
        self._bus, self._database, self._turns = bus, database, turns
        self._messages, self._modules = Messages(database), Modules(database)
        meter = Meter()
        self._share = share = turns.share(lambda: meter.seconds)
        self._mailbox = Mailbox(
            plan.name, plan.limits.mailbox, lambda: crew.run(partial(self._mailbox.attend, turns.sent(share)))
        )
        self._life = Life(plan, bus, database, lambda: turns.aside(share), self._take_up, self._try_after, meter)
        self._trying = Later(self._mailbox.order, self._life.try_again)
        self._catching_up = Later(self._mailbox.order, self._catch_up)
        self._handler = Handler(plan.name, self._life, bus, database)
        self._over = threading.Event()

    # --- what it is --------------------------------------------------------------------------------------------------
    @property
    def plan(self) -> ModulePlan:
        return self._life.plan

    @property
    def name(self) -> str:
        return self._life.plan.name

    @property
    def status(self) -> Status:
        return self._life.status

    @property
    def deaths(self) -> int:
        return self._life.deaths

    @property
    def used(self) -> float:
        """Seconds of processor time that its calls and messages took, and its processes where it has any."""
        return self._share.seconds

    # --- a receiver of the bus ---------------------------------------------------------------------------------------
    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What it asked for when it lived last, and was granted: one that is stopped still gets what is durable."""
        return tuple(each for each in self._life.topics if allows(self.plan.grants.subscribe, each))

    def is_durable(self, topic: str) -> bool:
        return allows(self.plan.durable, topic)

    def reserve(self, wait: float) -> None:
        self._mailbox.reserve(wait)

    def cancel(self) -> None:
        self._mailbox.cancel()

    def awaited(self) -> Callable[[], None]:
        return self._turns.sent(self._share)

    def deliver(self, message: Envelope, reply: Future[bytes] | None, *, durable: bool, reserved: bool) -> None:
        def run() -> None:
            try:
                with self._turns.turn(self._share):
                    self.handled += self._handler.handle(message, reply, durable=durable)
            except HostError as error:
                text = "a message is not handled: %s"
                logger.error(text, error.reason, extra={"module_name": self.name, "event": "not-handled"})
                failed(error)
                if durable:
                    self._catching_up.after(STORE_REST)
            except Exception as error:
                failed(defect(error, self.name))

        def failed(error: HostError) -> None:
            if durable:
                self._handler.look_back()  # it is in the store still
            if reply is not None and not reply.done() and reply.set_running_or_notify_cancel():
                reply.set_exception(error)

        def abandon(error: HostError) -> None:
            if not durable:  # what is kept is delivered when the module runs again
                self._handler.give_up(message, reply, error, durable=False)

        self._mailbox.put(Work(run, abandon), reserved=reserved)

    @property
    def waiting(self) -> int:
        """Messages and calls in the mailbox."""
        return len(self._mailbox)

    # --- work --------------------------------------------------------------------------------------------------------
    def ask(self, run: Callable[[ModuleInstance], T], wait: float = 0.0) -> Future[T]:
        """Have the module's thread call its instance, in turn with its messages. Busy after `wait` seconds."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                with self._turns.turn(self._share):
                    _settle(future, lambda: self._call(run))

        def abandon(error: HostError) -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

        self._mailbox.reserve(wait)
        self._mailbox.put(Work(work, abandon), reserved=True)
        return future

    def _call(self, run: Callable[[ModuleInstance], T]) -> T:
        alive = self._life.alive()
        try:
            result = run(alive.instance)
        except HostError as error:
            if error.fatal:
                self._life.died(error)
            raise
        self._life.lived()
        return result

    # --- orders ------------------------------------------------------------------------------------------------------
    def order(self, run: Callable[[], T]) -> Future[T]:
        """Have the module's thread do something before its next piece of work. StateError if it has ended."""
        future: Future[T] = Future()
        self._mailbox.order(Work(lambda: _settle(future, run), future.set_exception))
        return future

    def start(self) -> Future[None]:
        return self.order(self._start)

    def stop(self) -> Future[None]:
        return self.order(self._stop)

    def reload(self, plan: ModulePlan, observe: Callable[[str], None]) -> Future[float]:
        """Swap to `plan`; the seconds during which no message was handled. Raises what kept the old one."""
        return self.order(lambda: self._swap(plan, observe))

    def unload(self, reason: str = "it is unloaded") -> None:
        """Stop, free everything, and take nothing more. Waits for it."""
        if self._over.is_set():
            return
        self._life.leaving.set()
        try:
            self.stop().result()
        finally:
            self._bus.leave(self)
            self._life.status = Status.UNLOADED
            self._mailbox.close(reason)
            self._mailbox.order(Work(self._end, _nothing))
            self._over.wait()

    def interrupt(self, reason: str) -> None:
        """End the call that runs now, if one does."""
        alive = self._life.now
        if alive is not None:
            alive.instance.interrupt(reason)

    def _start(self) -> None:
        self._check_stays()
        if self.status is not Status.STOPPED:
            return
        born = self._life.born()
        try:
            with self._database.transaction() as within:
                self._modules.loaded(within, self.name, self.plan.version)
        except BaseException:
            put_down(born.instance)
            raise
        self._life.now = born
        self._life.status = Status.RUNNING
        self._bus.join(self)
        self._mailbox.open()
        self._take_up()

    def _stop(self) -> None:
        if self.status in (Status.STOPPED, Status.UNLOADED):
            return
        self._mailbox.close("it is stopped")
        self._life.status = Status.STOPPED
        alive, self._life.now = self._life.now, None
        if alive is None:
            return
        try:
            keeps = alive.plan.persist is not Persist.NEVER and alive.capabilities.state_schema is not None
            if keeps and alive.instance.alive:
                state = alive.instance.get_state()
                with self._database.transaction() as within:
                    self._modules.keep_state(within, self.name, state)
        finally:
            put_down(alive.instance)

    def _swap(self, plan: ModulePlan, observe: Callable[[str], None]) -> float:
        self._check_stays()
        begin = monotonic()
        life = self._life
        if self.status is Status.STOPPED:
            life.adopt(plan)
            self._mailbox.limit = plan.limits.mailbox
            return 0.0
        old = life.now if life.now is not None and life.now.instance.alive else None
        swap = Swap(life.plan, old, plan, life.services_for(plan), self._database, observe)
        try:
            alive = swap.run(life.kept_state())
        except HostError as error:
            if old is not None and not old.instance.alive:
                life.died(error)
            raise
        life.swapped(alive)
        self._mailbox.limit = plan.limits.mailbox
        pause = monotonic() - begin
        swap.finish()
        return pause

    def _check_stays(self) -> None:
        """An order that comes between the last stop and the end must not bring up what nobody would put down."""
        if self._life.leaving.is_set():
            raise StateError(f"{self.name} is unloaded")

    def _end(self) -> None:
        self._mailbox.end("it is unloaded")
        self._over.set()

    # --- on the module's thread --------------------------------------------------------------------------------------
    def _take_up(self) -> None:
        """What was accepted before: a host that died, or a module that was broken, left it. What is queued as well is
        handled once: its row is gone then. What came before this is queued ahead of them, and looks back."""
        self._handler.look_back()
        for message in self._messages.waiting(self.name):
            self.deliver(message, None, durable=True, reserved=False)

    def _try_after(self, seconds: float) -> None:
        self._trying.after(seconds)

    def _catch_up(self) -> None:
        """What the store did not let it handle, though nothing comes. One that does not run does so when it starts."""
        if self.status is Status.RUNNING:
            try:
                with self._turns.turn(self._share):
                    self._handler.catch_up()
            except HostError:
                self._handler.look_back()
                self._catching_up.after(STORE_REST)


def _nothing(_error: HostError) -> None:
    """For an order that nobody waits for."""


def _settle(future: Future[T], run: Callable[[], T]) -> None:
    try:
        result = run()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
