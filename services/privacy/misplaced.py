"""Events that the destruction of their key would not reach: those stored plain, and what tells of somebody else too.

They are sealed anew: the one exception to a log that is only added to. What the hash chain has of them is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store import chain, resealed
from shared.event_store.log import Stored, opened, read_stored
from shared.event_store.mapper import About, Happening, key_of, to_sealed_state
from shared.event_store.recorders import EVENTS
from shared.keys.ring import KeyRing


def seal(database: Database, keys: KeyRing, owner: UUID, positions: Sequence[int]) -> set[bytes]:
    """Return the keys that the events at these positions are sealed with now, as far as they are to be destroyed."""
    used: set[bytes] = set()
    for position in positions:
        with database.writing() as tx:
            stored = read_stored(tx, position - 1, 1)[0]
            recorded = opened(tx, [stored])[0]
            if not recorded.erased:
                used |= _seal(tx, keys, owner, stored, recorded)
    return used


def _seal(tx: Transaction, keys: KeyRing, owner: UUID, stored: Stored, recorded: e.Recorded) -> set[bytes]:
    """A message that was moved away leaves its ids with whose it was: those go, the rest stays theirs."""
    event, stays = recorded.event, False
    if isinstance(event, e.MessageMoved) and event.customer_id != owner:
        event, owner, stays = replace(event, known_as=()), event.customer_id, True
    key = keys.to_seal(owner, None, recorded.recorded_at)
    happening = Happening(event, About(recorded.occurred_at, recorded.actor, recorded.cause))
    state = to_sealed_state(happening, recorded.recorded_at, lambda: key, keys.pseudonym)
    if key_of(state) is None and state == stored.state:
        return set()
    before = chain.stored(tx, stored.position - 1, stored.position, 1)[0]
    column = "rowid" if tx.dialect == "sqlite" else "notification_id"
    tx.run(f"UPDATE {EVENTS} SET state = ? WHERE {column} = ?", (state, stored.position))
    resealed.note(tx, stored.position, before.hash, chain.stored(tx, stored.position - 1, stored.position, 1)[0].hash)
    return set() if stays or key_of(state) is None else {key.id}
