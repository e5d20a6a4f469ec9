"""Events that the destruction of their key would not reach: those stored plain, and what tells of somebody else too.

They are sealed anew: the one exception to a log that is only added to. What the hash chain has of them is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.privacy.found import Found
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store import chain, raw_items, resealed
from shared.event_store.log import read_stored
from shared.event_store.log_rows import Stored, opened
from shared.event_store.mapper import About, Envelope, key_of, to_sealed_state
from shared.event_store.personal import CLASSES
from shared.event_store.recorders import EVENTS
from shared.event_store.traces import Trace
from shared.keys.ring import Key, KeyRing


def seal(database: Database, keys: KeyRing, owner: UUID, what: Found) -> set[bytes]:
    """Return the keys that misplaced events are sealed with now, as far as they are to be destroyed."""
    used: set[bytes] = set()
    for position in what.misplaced:
        with database.writing() as tx:
            stored = read_stored(tx, position - 1, 1)[0]
            recorded = opened(tx, [stored])[0]
            if not recorded.erased:
                used |= _seal(tx, keys, owner, stored, recorded, what)
    return used


def seal_apart(database: Database, keys: KeyRing, moved_out: Sequence[Trace]) -> None:
    """Seal what is on somebody else's timeline now with a key of the message's own: wherever it is moved, it is there.

    It goes with whoever has it, as any message that was moved to them.
    """
    for trace in moved_out:
        with database.writing() as tx:
            stored = read_stored(tx, trace.position - 1, 1)[0]
            recorded = opened(tx, [stored])[0]
            if not recorded.erased:
                assert trace.message_id
                key = keys.to_seal(trace.message_id, trace.channel_id, recorded.recorded_at)
                replace_stored(tx, keys, key, stored, recorded, recorded.event, trace.channel_id)
                raw_items.reseal(tx, trace.position, key)


def _seal(tx: Transaction, keys: KeyRing, owner: UUID, stored: Stored, recorded: e.Recorded, what: Found) -> set[bytes]:
    """A message that was moved away leaves its ids with whose it was: those go, the rest stays theirs."""
    event, stays = recorded.event, False
    if isinstance(event, e.MessageMoved) and event.customer_id != owner:
        event, owner, stays = _without(event, stored.position, keys, what), event.customer_id, True
    key = keys.to_seal(owner, None, recorded.recorded_at)
    sealed_with = replace_stored(tx, keys, key, stored, recorded, event)
    return set() if stays or sealed_with is None else {sealed_with}


def _without(event: e.MessageMoved, position: int, keys: KeyRing, what: Found) -> e.MessageMoved:
    """Return the event without the ids of what was moved, or without what stayed behind then and was moved since."""
    if position in what.lefts:
        left = CLASSES[e.MessageMoved].left["left"](event.left, keys.pseudonym)
        event = replace(event, left=left)
    return event if what.lefts.get(position) else replace(event, known_as=())


def replace_stored(
    tx: Transaction,
    keys: KeyRing,
    key: Key,
    stored: Stored,
    recorded: e.Recorded,
    event: e.Event,
    channel_id: UUID | None = None,
) -> bytes | None:
    """Store an event anew; return the id of its key, None when nothing of it has to be sealed."""
    envelope = Envelope(About(recorded.occurred_at, recorded.actor, recorded.cause), recorded.recorded_at)
    state = to_sealed_state(event, envelope, lambda: key, keys.pseudonym, channel_id)
    if key_of(state) is None and key_of(stored.state) is None:
        return None
    before = chain.stored(tx, stored.position - 1, stored.position, 1)[0]
    column = "rowid" if tx.dialect == "sqlite" else "notification_id"
    tx.run(f"UPDATE {EVENTS} SET state = ? WHERE {column} = ?", (state, stored.position))
    resealed.note(tx, stored.position, before.hash, chain.stored(tx, stored.position - 1, stored.position, 1)[0].hash)
    return key_of(state)
