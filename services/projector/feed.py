"""Follows the log to okno.events: every stored event, for other systems; waits while operators' screens are behind."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID, uuid5

import msgspec

from shared.contracts import topics
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.event_store.log import head, read_stored
from shared.event_store.log_rows import Stored, opened
from shared.event_store.mapper import About, EventUnreadable, Happening, to_state
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import live
from shared.said import said
from shared.transport.protocol import Outgoing, Publisher, TransportUnavailable

POSITION = "feed"
BATCH = 500
ROUND_SECONDS = 0.02
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
UNREADABLE_SECONDS = 60.0
BEHIND_EVENTS = 1000
"""Read models further behind than this have the processor to themselves."""
YIELD_SECONDS = 0.5
log = Log("projector")


class _Owner(msgspec.Struct):
    customer_id: UUID | None = None


class _Times(msgspec.Struct):
    recorded_at: str
    event: _Owner


_times = msgspec.json.Decoder(_Times)


class Feed:
    """Runs in one process at a time; a crash repeats records, with the same CloudEvent ids.

    Others were promised every event in order: it waits at one that cannot be read.

    `in_full`: with what is personal, which then no erasure takes back; else ids, times, kinds, states and numbers.
    """

    def __init__(self, database: Database, store: EventStore, publisher: Publisher, *, in_full: bool = False) -> None:
        self._database, self._store, self._publisher = database, store, publisher
        self._in_full = in_full

    async def run(self) -> None:
        listener, pace = self._store.listen(), Pace(ROUND_SECONDS)
        while True:
            await pace.keep()
            try:
                if await self._database.read(_is_behind):
                    await asyncio.sleep(YIELD_SECONDS)
                elif not await self._publish_next():
                    await listener.wait(IDLE_SECONDS)
            except (DatabaseUnavailable, TransportUnavailable, WrongKeyStore) as error:
                log.warning("feed_waiting", error=said(error)[:500])
                await asyncio.sleep(OUTAGE_SECONDS)
            except (EventUnreadable, msgspec.MsgspecError) as error:
                log.warning("feed_waiting", error=said(error)[:500])
                await asyncio.sleep(UNREADABLE_SECONDS)

    async def _publish_next(self) -> int:
        """Return how many events were published."""
        position = (await self._store.positions([POSITION])).get(POSITION, 0)
        stored = await self._database.read(partial(_next, after=position, in_full=self._in_full))
        if stored:
            await self._publisher.publish_many(topics.EVENTS, [record_of(event, data) for event, data in stored])
            await self._store.move_position(POSITION, stored[-1][0].position)
        return len(stored)


def _next(tx: Transaction, after: int, in_full: bool) -> list[tuple[Stored, bytes]]:
    """Return the next events with the JSON of their envelopes."""
    stored = read_stored(tx, after, BATCH)
    if not in_full:
        return [(each, each.plain) for each in stored]
    whole = [
        to_state(Happening(r.event, About(r.occurred_at, r.actor, r.cause)), r.recorded_at) for r in opened(tx, stored)
    ]
    return list(zip(stored, whole, strict=True))


def record_of(stored: Stored, data: bytes) -> Outgoing:
    """Return the CloudEvent of a stored event."""
    about = _times.decode(data)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid5(stored.stream_id, str(stored.version))),
        "ce_source": f"/streams/{stored.stream_id}",
        "ce_type": f"okno.event.{stored.type}.v1",
        "ce_time": about.recorded_at,
        "ce_sequence": str(stored.position),
        "content-type": "application/json",
    }
    return Outgoing(str(about.event.customer_id or stored.stream_id), data, headers)


def _is_behind(tx: Transaction) -> bool:
    return head(tx) - live.position(tx) > BEHIND_EVENTS
