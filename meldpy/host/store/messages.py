"""Messages that were accepted and not handled yet, and those that nobody could handle."""

from __future__ import annotations

from time import time
from typing import final

from meldpy.host.module import Envelope
from meldpy.host.store.database import Database, Transaction
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that its receiver could not handle. id: of the letter, not of the message."""

    id: int
    receiver: str
    message: Envelope
    reason: str
    at: float


@final
class Messages:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, within: Transaction, receiver: str, topic: str, sender: str, payload: bytes) -> Envelope:
        """Keep a message for `receiver`; from the end of the transaction on it is not lost."""
        row = within.execute(
            "INSERT INTO inbox (receiver, topic, sender, payload, attempt) VALUES (?, ?, ?, ?, 0)",
            (receiver, topic, sender, payload),
        )
        assert row.lastrowid is not None
        return Envelope(row.lastrowid, topic, payload, sender)

    def attempt(self, id_: int) -> int | None:
        """Note that a message is delivered once more; which attempt this is, or None if it was handled already. It
        counts if the process dies of it."""
        with self._database.transaction() as within:
            found = within.execute("UPDATE inbox SET attempt = attempt + 1 WHERE id = ? RETURNING attempt", (id_,))
            row = found.fetchone()
        if row is None:
            return None
        assert isinstance(row[0], int)
        return row[0]

    def handled(self, within: Transaction, id_: int) -> None:
        """Its effects are in the same transaction."""
        within.execute("DELETE FROM inbox WHERE id = ?", (id_,))

    def waiting(self, receiver: str) -> list[Envelope]:
        """What was accepted for `receiver` and not handled, in order."""
        query = "SELECT id, topic, payload, sender FROM inbox WHERE receiver = ? ORDER BY id"
        return [Envelope(*row) for row in self._database.rows(query, receiver)]

    def bury(self, within: Transaction, receiver: str, message: Envelope, reason: str) -> None:
        """Put a message on the list of dead letters."""
        within.execute(
            "INSERT INTO dead (message, receiver, topic, sender, payload, attempts, reason, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.id & ((1 << 63) - 1),
                receiver,
                message.topic,
                message.sender,
                message.payload,
                message.attempt,
                reason,
                time(),
            ),
        )

    def dead(self, receiver: str | None = None) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        query = "SELECT id, receiver, message, topic, payload, sender, attempts, reason, at FROM dead ORDER BY id"
        return [
            DeadLetter(id_, to, Envelope(message, topic, payload, sender, attempts), reason, at)
            for id_, to, message, topic, payload, sender, attempts, reason, at in self._database.rows(query)
            if receiver in (None, to)
        ]

    def forget_dead(self, within: Transaction, id_: int) -> None:
        within.execute("DELETE FROM dead WHERE id = ?", (id_,))
