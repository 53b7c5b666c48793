"""One module in a host: its thread, its mailbox, its instance, and the orders it is given.

The thread does everything that touches the instance, one thing after another: orders (start, stop, swap) first, then
work in the order in which it arrived. While an order is carried out messages wait, which is all that quiescing is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from time import monotonic
from typing import TypeVar, final

from meldpy.engine.guests.threads import start_thread
from meldpy.host.bus.bus import Bus
from meldpy.host.bus.mailbox import Mailbox, Work
from meldpy.host.bus.turns import Share, Turns
from meldpy.host.faults import HostError, ModuleTrapped, StateError
from meldpy.host.lifecycle.birth import bring_up, put_down
from meldpy.host.lifecycle.breaker import Breaker
from meldpy.host.lifecycle.handling import Alive, Handler
from meldpy.host.lifecycle.plan import ModulePlan, Persist
from meldpy.host.lifecycle.reload import Swap
from meldpy.host.limits import allows
from meldpy.host.module import Envelope, ModuleInstance, ModuleState
from meldpy.host.services import ModuleServices
from meldpy.host.store.database import Database
from meldpy.host.store.messages import Messages
from meldpy.host.store.modules import Modules

logger = logging.getLogger("meldpy.host")
T = TypeVar("T")


@final
class Status(Enum):
    """Where in its life a module is."""

    STOPPED = "stopped"
    RUNNING = "running"
    BROKEN = "broken"
    UNLOADED = "unloaded"


@final
class Hosted:
    """See the module. Any thread may call any method; what it returns as a Future is done on the module's thread."""

    def __init__(self, plan: ModulePlan, bus: Bus, database: Database, turns: Turns) -> None:
        self.plan = plan
        self.status = Status.STOPPED
        self.deaths = self.handled = 0
        self._bus, self._database, self._turns = bus, database, turns
        self._messages, self._modules = Messages(database), Modules(database)
        self._mailbox = Mailbox(plan.name, plan.limits.mailbox)
        self._breaker = Breaker(plan.policy)
        self._handler = Handler(plan.name, self, bus, database)
        self._share = Share()
        self._alive: Alive | None = None
        self._topics: tuple[str, ...] = ()
        self._leaving, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"meld-{plan.name}", daemon=True)
        start_thread(self._thread)

    # --- a receiver of the bus ---------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What it asked for when it lived last, and was granted: one that is stopped still gets what is durable."""
        return tuple(each for each in self._topics if allows(self.plan.grants.subscribe, each))

    def is_durable(self, topic: str) -> bool:
        return allows(self.plan.durable, topic)

    def reserve(self, wait: float) -> None:
        self._mailbox.reserve(wait)

    def cancel(self) -> None:
        self._mailbox.cancel()

    def deliver(self, message: Envelope, reply: Future[bytes] | None, *, durable: bool, reserved: bool) -> None:
        def run() -> None:
            try:
                with self._turns.turn(self._share):
                    self.handled += self._handler.handle(message, reply, durable=durable)
            except Exception as error:
                if reply is not None and not reply.done():
                    reply.set_exception(error)
                if durable:
                    self._handler.look_back()  # it is in the store still
                raise

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
        alive = self.alive()
        try:
            result = run(alive.instance)
        except HostError as error:
            if error.fatal:
                self.died(error)
            raise
        self.lived()
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
        """Stop, free everything, and end the thread. Waits for it."""
        if self._over.is_set():
            return
        self._leaving.set()
        try:
            self.stop().result()
        finally:
            self._bus.leave(self)
            self.status = Status.UNLOADED
            self._mailbox.close(reason)
            self._mailbox.order(Work(self._over.set, _nothing))
            self._over.wait()

    def interrupt(self, reason: str) -> None:
        """End the call that runs now, if one does."""
        alive = self._alive
        if alive is not None:
            alive.instance.interrupt(reason)

    def _start(self) -> None:
        if self.status is not Status.STOPPED:
            return
        born = self._born(self._kept_state())
        try:
            with self._database.transaction() as within:
                self._modules.loaded(within, self.name, self.plan.version)
        except BaseException:
            put_down(born.instance)
            raise
        self._alive = born
        self.status = Status.RUNNING
        self._bus.join(self)
        self._mailbox.open()
        self._take_up()

    def _stop(self) -> None:
        if self.status in (Status.STOPPED, Status.UNLOADED):
            return
        self._mailbox.close("it is stopped")
        self.status = Status.STOPPED
        alive, self._alive = self._alive, None
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
        begin = monotonic()
        if self.status is Status.STOPPED:
            self._adopt(plan)
            return 0.0
        old = self._alive if self._alive is not None and self._alive.instance.alive else None
        swap = Swap(self.plan, old, plan, self._services_for(plan), self._database, observe)
        try:
            self._alive = swap.run(self._kept_state())
        except HostError as error:
            if old is not None and not old.instance.alive:
                self.died(error)
            raise
        self._topics = self._alive.capabilities.topics
        self._adopt(plan)
        self._heal()
        pause = monotonic() - begin
        swap.finish()
        return pause

    def _adopt(self, plan: ModulePlan) -> None:
        self.plan = plan
        self._breaker = Breaker(plan.policy)
        self._mailbox.limit = plan.limits.mailbox

    # --- life and death ----------------------------------------------------------------------------------------------
    def alive(self) -> Alive:
        """See `handling.Patient`. Waits for the delay that the policy asks for."""
        while self._alive is None or not self._alive.instance.alive:
            if self._alive is not None:
                self.died(ModuleTrapped(f"{self.name} died while nobody called it"))
            rest = self._breaker.broken
            if rest is not None:
                self._break(rest)
                raise StateError(f"{self.name} died too often, and rests for {rest:.0f} s")
            with self._turns.aside(self._share):
                if self._leaving.wait(self._breaker.delay):
                    raise StateError(f"{self.name} is unloaded")
            try:
                self._alive = self._born(self._kept_state())
            except HostError as error:
                self.died(error)
        self._heal()
        return self._alive

    def _break(self, rest: float) -> None:
        """Refuse what comes, and try again by itself when the rest is over."""
        if self.status is Status.BROKEN:
            return
        self.status = Status.BROKEN
        if rest != float("inf"):
            again = Work(self._try_again, _nothing)
            timer = threading.Timer(rest + 0.01, self._mailbox.order, (again,))
            timer.daemon = True
            timer.start()

    def _try_again(self) -> None:
        if self.status is Status.BROKEN:
            self.status = Status.RUNNING
            try:
                self.alive()
            except HostError:
                return
            self._take_up()

    def _heal(self) -> None:
        if self.status is Status.BROKEN:
            self.status = Status.RUNNING
            self._take_up()

    def died(self, error: HostError) -> None:
        """See `handling.Patient`."""
        self.deaths += 1
        alive, self._alive = self._alive, None
        if alive is not None:
            alive.instance.close()
        self._breaker.died()
        logger.error("%s", error.reason, extra={"module_name": self.name, "event": "died"})
        self._bus.announce("meld/died", f"{self.name}: {error.reason}".encode())

    def lived(self) -> None:
        """See `handling.Patient`."""
        self._breaker.lived()

    def _born(self, state: ModuleState | None) -> Alive:
        services = self._services_for(self.plan)
        instance, capabilities = bring_up(self.plan, services, state)
        self._topics = capabilities.topics
        return Alive(self.plan, instance, capabilities, services)

    def _services_for(self, plan: ModulePlan) -> ModuleServices:
        return ModuleServices(
            plan.name,
            plan.grants,
            plan.limits,
            self._bus,
            self._database,
            self._modules,
            lambda: self._turns.aside(self._share),
        )

    def _kept_state(self) -> ModuleState | None:
        kept = self._modules.find(self.name)
        return None if kept is None or self.plan.persist is Persist.NEVER else kept.state

    def _take_up(self) -> None:
        """What was accepted before: a host that died, or a module that was broken, left it. What is queued as well is
        handled once: its row is gone then. What came before this is queued ahead of them, and looks back."""
        self._handler.look_back()
        for message in self._messages.waiting(self.name):
            self.deliver(message, None, durable=True, reserved=False)

    def _live(self) -> None:
        while not self._over.is_set():
            try:
                self._mailbox.take()()
            except Exception:
                # a defect of ours; one piece of work is lost, and said so, but not the module's thread
                logger.exception("the host failed", extra={"module_name": self.name, "event": "defect"})
        self._mailbox.end("it is unloaded")


def _nothing(_error: HostError) -> None:
    """For an order that nobody waits for."""


def _settle(future: Future[T], run: Callable[[], T]) -> None:
    try:
        result = run()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
