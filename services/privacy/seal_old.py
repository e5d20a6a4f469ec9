"""Seals what was recorded before there were keys: events, raw items and files. May be stopped and begun again.

As with what an erasure seals anew, the hash chain keeps what it had of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.privacy.misplaced import replace_stored
from shared.blobs import Blobs
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store import raw_items
from shared.event_store.log import read_plain, read_stored
from shared.event_store.log_rows import Stored, opened
from shared.event_store.log_streams import read_beginnings
from shared.event_store.mapper import About, Happening, has_personal, key_of
from shared.event_store.recorders import EVENTS
from shared.event_store.traces import Trace, trace_of
from shared.keys.ring import KeyRing

BATCH = 200


@dataclass(slots=True)
class Sealed:
    """How much was sealed."""

    events: int = 0
    raw_items: int = 0
    files: int = 0


def any_plain(tx: Transaction) -> bool:
    """Return whether anything was recorded before there were keys; reads the log when nothing was."""
    position = 0
    while stored := read_plain(tx, position, BATCH):
        if any(has_personal(_happening(recorded)) for recorded in opened(tx, stored)):
            return True
        position = stored[-1].position
    return False


def _happening(recorded: e.Recorded) -> Happening:
    return Happening(recorded.event, About(recorded.occurred_at, recorded.actor, recorded.cause))


async def seal_old(
    database: Database, keys: KeyRing, blobs: Blobs, tell: Callable[[int], None] = lambda position: None
) -> Sealed:
    """Seal everything; `tell` is told how far it is. Okno may be running meanwhile. Raises DatabaseUnavailable."""
    done, position = Sealed(), 0
    while found := await asyncio.to_thread(_batch, database, keys, position, done):
        position = found
        tell(position)
    done.files = await asyncio.to_thread(_files, blobs)
    await asyncio.to_thread(database.wipe, ("raw_items",))  # an earlier run may have been stopped before it
    return done


def _batch(database: Database, keys: KeyRing, after: int, done: Sealed) -> int:
    """Seal some events; return the position of the last one, 0 at the log's end."""
    with database.reading() as tx:
        stored = read_stored(tx, after, BATCH)
    if _plain(stored):
        with database.writing() as tx:
            _seal(tx, keys, _held(tx, after), done)
    return stored[-1].position if stored else 0


def _plain(stored: Sequence[Stored]) -> list[Stored]:
    return [each for each in stored if key_of(each.state) is None]


def _held(tx: Transaction, after: int) -> list[Stored]:
    """Return what is plain of some events that nobody else seals meanwhile: an erasure may have been there first."""
    if tx.dialect == "postgres":
        where = "notification_id > ? ORDER BY notification_id"
        tx.rows(f"SELECT 1 FROM {EVENTS} WHERE {where} LIMIT {BATCH} FOR UPDATE", (after,))
    return _plain(read_stored(tx, after, BATCH))


def _seal(tx: Transaction, keys: KeyRing, plain: Sequence[Stored], done: Sealed) -> None:
    traces = [trace_of(each) for each in plain]
    channels = _channels(tx, traces)
    for stored, trace, recorded in zip(plain, traces, opened(tx, plain), strict=True):
        channel_id = trace.channel_id or channels.get(trace.conversation_id)
        key = keys.to_seal(trace.owner, channel_id, recorded.recorded_at)
        sealed_with = replace_stored(tx, keys, key, stored, recorded, recorded.event, channel_id)
        done.events += sealed_with is not None
        if raw_items.any_plain(tx, [stored.position]):
            raw_items.reseal(tx, stored.position, key)
            done.raw_items += 1


def _channels(tx: Transaction, traces: Sequence[Trace]) -> dict[UUID | None, UUID]:
    """Return the channel of each conversation."""
    ids = sorted({trace.conversation_id for trace in traces if trace.conversation_id})
    beginnings = [(recorded.stream_id, recorded.event) for recorded in read_beginnings(tx, ids)]
    return {id_: event.channel_id for id_, event in beginnings if isinstance(event, e.ConversationOpened)}


def _files(blobs: Blobs) -> int:
    """Seal files that lie under their sha256 as they are; return how many."""
    plain = [path for path in sorted(blobs.folder.glob("??/*")) if blobs.is_plain(path)]
    for path in plain:
        blobs.put_now(path.read_bytes())
        blobs.remove_plain_now(path.name)
    return len(plain)
