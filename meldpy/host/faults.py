"""What can go wrong between a host and a module, each kind a type of its own.

Two things matter to whoever catches one. `code` is what the other side is told, in the words of `meld:host` (a module
never sees a Python exception). `fatal` says that the module's instance is dead: nothing may call it any more, and the
lifecycle ends it and follows the module's restart policy.
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import ClassVar, final

from meldpy.errors import InternalError, MeldError

logger = logging.getLogger("meldpy.host")


@final
class FailureCode(Enum):
    """`failure-code` of meld:host/types, in its order."""

    FAILED = "failed"
    ARGUMENT = "argument"
    STATE = "state"
    CANCELLED = "cancelled"
    UNSUPPORTED = "unsupported"
    SCHEMA = "schema"
    DENIED = "denied"
    BUSY = "busy"
    TIMEOUT = "timeout"


class HostError(MeldError):
    """Base of what is below; an instance of it is an error without a finer kind."""

    code: FailureCode = FailureCode.FAILED
    fatal: ClassVar[bool] = False


@final
class HostFailed(HostError):
    """The host itself failed, not the module: a defect, whose traceback is in the log."""

    exit_code = InternalError.exit_code
    usual_remedy: ClassVar[str] = "please report this with the host's log; this is a defect of meldpy"


def defect(error: BaseException, module: str = "") -> HostFailed:
    """For what nobody foresaw: its traceback goes to the log, and what is returned to whoever waits."""
    logger.error("the host failed", exc_info=error, extra={"module_name": module, "event": "defect"})
    return HostFailed("the host failed", causes=(f"{type(error).__name__}: {error}",))


@final
class StoreFailed(HostError):
    """The store cannot be read or written: no space left, a damaged file. Nothing of the transaction was kept."""

    usual_remedy: ClassVar[str] = "check the host's folder, its permissions and the space that is left"


# --- the module said no ----------------------------------------------------------------------------------------------
@final
class ModuleFailure(HostError):
    """The module answered with a `failure` of its own; it goes on."""

    def __init__(self, code: FailureCode, text: str) -> None:
        super().__init__(text or code.value)
        self.code = code


# --- the module's instance is dead -----------------------------------------------------------------------------------
class ModuleDead(HostError):
    """The instance ended in the call; base of the ways in which it can."""

    fatal = True


@final
class ModuleTrapped(ModuleDead):
    """A trap, a panic, a signal; the engine's or the system's words are in `causes`."""


@final
class DeadlineExceeded(ModuleDead):
    """The call took longer than it may, and was ended."""

    code = FailureCode.TIMEOUT


@final
class Interrupted(ModuleDead):
    """The host ended the call: a cancelled or paused job, a module that is unloaded while it runs."""

    code = FailureCode.CANCELLED


@final
class NotKept(ModuleDead):
    """What the handling of a message did could not be kept. The instance knows of it and the store does not, so that
    it is ended, and made again from what was kept."""


# --- the host said no ------------------------------------------------------------------------------------------------
@final
class StateError(HostError):
    """Not in this state of the module's life: not loaded, stopped, called from within its own call."""

    code = FailureCode.STATE


@final
class Denied(HostError):
    """The module was not granted what it asked for."""

    code = FailureCode.DENIED


@final
class Busy(HostError):
    """A mailbox is full."""

    code = FailureCode.BUSY


@final
class TimedOut(HostError):
    """No answer in time; the module goes on."""

    code = FailureCode.TIMEOUT


@final
class Unsupported(HostError):
    """The module does not have what was asked for."""

    code = FailureCode.UNSUPPORTED


@final
class SchemaRefused(HostError):
    """The module cannot take a state of this schema."""

    code = FailureCode.SCHEMA
