"""Events that the destruction of their key would not reach: those stored plain, and what was moved from somebody else.

They are sealed anew, with a key that is about to be destroyed: the one exception to a log that is only added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.database.protocol import Database
from shared.event_store.log import opened, read_stored
from shared.event_store.mapper import About, Happening, to_sealed_state
from shared.event_store.recorders import EVENTS
from shared.keys.ring import KeyRing


def seal(database: Database, keys: KeyRing, owner: UUID, positions: Sequence[int]) -> set[bytes]:
    """Return the keys that the events at these positions are sealed with now."""
    used: set[bytes] = set()
    for position in positions:
        with database.writing() as tx:
            stored = read_stored(tx, position - 1, 1)[0]
            recorded = opened(tx, [stored])[0]
            key = keys.to_seal(owner, None, recorded.recorded_at)
            happening = Happening(recorded.event, About(recorded.occurred_at, recorded.actor, recorded.cause))
            state = to_sealed_state(happening, recorded.recorded_at, lambda key=key: key, keys.pseudonym)  # type: ignore[misc]
            column = "rowid" if tx.dialect == "sqlite" else "notification_id"
            tx.run(f"UPDATE {EVENTS} SET state = ? WHERE {column} = ?", (state, position))
            used.add(key.id)
    return used
