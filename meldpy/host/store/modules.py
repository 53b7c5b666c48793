"""What is known of each module beyond its life: version, generation, state, keys; and a reload that was under way."""

from __future__ import annotations

from typing import final

from meldpy.host.module import ModuleState
from meldpy.host.store.database import Database, Transaction
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """generation: how often the module was swapped; intent: the version that a reload was about to switch to when the
    host ended: it did not."""

    version: str
    generation: int
    intent: str | None
    state: ModuleState | None


@final
class Modules:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> Kept | None:
        rows = self._database.rows("SELECT version, generation, intent, schema, state FROM module WHERE name = ?", name)
        for version, generation, intent, schema, state in rows:
            return Kept(version, generation, intent, None if schema is None else ModuleState(schema, state))
        return None

    def loaded(self, within: Transaction, name: str, version: str) -> None:
        """The module lives in this version; whatever was intended is not any more."""
        within.execute(
            "INSERT INTO module (name, version, generation) VALUES (?, ?, 0)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version, intent = NULL",
            (name, version),
        )

    def intend(self, within: Transaction, name: str, version: str) -> None:
        """A reload to `version` begins."""
        within.execute("UPDATE module SET intent = ? WHERE name = ?", (version, name))

    def switched(self, within: Transaction, name: str, version: str, state: ModuleState | None) -> None:
        """The reload's one moment of truth: version, generation and state change together."""
        within.execute(
            "UPDATE module SET version = ?, generation = generation + 1, intent = NULL WHERE name = ?", (version, name)
        )
        self.keep_state(within, name, state)

    def keep_state(self, within: Transaction, name: str, state: ModuleState | None) -> None:
        schema, data = (None, None) if state is None else (state.schema, state.data)
        within.execute("UPDATE module SET schema = ?, state = ? WHERE name = ?", (schema, data, name))

    # --- keys --------------------------------------------------------------------------------------------------------
    def get(self, module: str, key: str) -> bytes | None:
        for (value,) in self._database.rows("SELECT value FROM kv WHERE module = ? AND key = ?", module, key):
            assert isinstance(value, bytes)
            return value
        return None

    def set(self, within: Transaction, module: str, key: str, value: bytes | None) -> None:
        """None removes the key."""
        if value is None:
            within.execute("DELETE FROM kv WHERE module = ? AND key = ?", (module, key))
        else:
            within.execute("INSERT OR REPLACE INTO kv (module, key, value) VALUES (?, ?, ?)", (module, key, value))

    def keys(self, module: str, prefix: str) -> tuple[str, ...]:
        query = "SELECT key FROM kv WHERE module = ? AND substr(key, 1, ?) = ? ORDER BY key"
        return tuple(key for (key,) in self._database.rows(query, module, len(prefix), prefix))
