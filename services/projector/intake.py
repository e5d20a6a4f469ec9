"""Consumes a topic into the event store: events, index and position in one transaction, whatever goes wrong.

A record that cannot be handled is tried again for a few seconds, then given up by name; the ones behind it go on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shared.clock import now, to_text
from shared.contracts import codec, topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.event_store.recorders import Behind
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.said import said, said_with_kind
from shared.transport.letters import letter
from shared.transport.protocol import Consumer, Record, Transport, TransportUnavailable

BATCH = 500
BRIEF_BATCH = 200
"""In one process deciding shares a thread with everything else: what is decided at once takes some 20 ms."""
ROUND_SECONDS = 0.04
"""Between batches of a burst: a batch costs some 40 statements however many records it has."""
POISON_DELAYS = (0.1, 0.4, 1.0)
"""Seconds between the tries of a record that fails: in all below the 5 s that a poison message may take."""
OUTAGE_DELAYS = (0.1, 0.5, 1.0, 2.0, 5.0)
JOIN_AGAIN_SECONDS = 1.0
OUTAGES = (DatabaseUnavailable, TransportUnavailable, WrongKeyStore)
"""A key store that was taken away or put back older is no fault of the record that comes to it."""
Read = tuple[Record, Contract]
log = Log("projector")


@dataclass(frozen=True, slots=True)
class Intake:
    """What one topic does to the store. `handle` and `give_up` decide into the session; they may run repeatedly."""

    topic: str
    group: str
    handle: Callable[[Session, Transaction, Sequence[Contract]], None]
    give_up: Callable[[Session, Contract, str], None]
    """What is recorded of a record that cannot be handled, with the reason."""


class IntakeLoop:
    """Runs one intake until it is cancelled."""

    def __init__(self, store: EventStore, transport: Transport, intake: Intake, batch: int = BATCH) -> None:
        self._batch, self._store, self._transport, self._intake = batch, store, transport, intake
        self._publisher = transport.publisher()
        self._consumer: Consumer | None = None

    async def load(self, sources: Sequence[str]) -> dict[str, int]:
        """Return the positions recorded with the events (`Positions`)."""
        return await self._store.positions(sources)

    async def lag(self) -> int:
        """Return how many records wait in the partitions of this process."""
        return await self._consumer.lag() if self._consumer else 0

    async def run(self) -> None:
        while True:
            try:
                await self._consume()
            except OUTAGES as error:
                log.warning("intake_waiting", topic=self._intake.topic, error=said(error)[:500])
                await asyncio.sleep(JOIN_AGAIN_SECONDS)

    async def _consume(self) -> None:
        async with self._transport.consumer(self._intake.topic, self._intake.group, self) as consumer:
            self._consumer = consumer
            pace = Pace(ROUND_SECONDS)
            while True:
                await pace.keep()
                records = await consumer.batch(self._batch, 1.0)
                if records:
                    await self._take(consumer, records)

    async def _take(self, consumer: Consumer, records: Sequence[Record]) -> None:
        try:
            await self._through_outages(partial(self._record, records))
        except Behind:
            await consumer.rewind()  # another member has done these: a rebalance happened meanwhile
            return
        except Exception as error:
            log.warning("batch_failed", topic=self._intake.topic, records=len(records), error=repr(error)[:500])
            if not await self._one_by_one(records):
                await consumer.rewind()
                return
        await consumer.commit(records)

    async def _record(self, records: Sequence[Record]) -> None:
        read = [(record, codec.decode(record.value, record.headers)) for record in records]
        await self._store.record(partial(self._decide, read), _positions(records))

    def _decide(self, read: Sequence[Read], session: Session, tx: Transaction) -> None:
        self._intake.handle(session, tx, [contract for _, contract in read])

    async def _one_by_one(self, records: Sequence[Record]) -> bool:
        """Return False when another member has taken over."""
        for record in records:
            try:
                await self._with_patience(record)
            except Behind:
                return False
        return True

    async def _with_patience(self, record: Record) -> None:
        for delay in (*POISON_DELAYS, None):
            try:
                return await self._through_outages(partial(self._record, [record]))
            except Behind:
                raise
            except UndecodableRecord as error:
                return await self._bury(record, said(error))
            except Exception as error:
                if delay is None:
                    log.error("record_given_up", error, topic=self._intake.topic, offset=record.offset)
                    return await self._give_up(record, said_with_kind(error))
                await asyncio.sleep(delay)

    async def _give_up(self, record: Record, reason: str) -> None:
        contract = codec.decode(record.value, record.headers)
        decide = partial(self._decide_to_give_up, contract, reason)
        await self._through_outages(partial(self._store.record, decide, _positions([record])))

    def _decide_to_give_up(self, contract: Contract, reason: str, session: Session, tx: Transaction) -> None:
        self._intake.give_up(session, contract, reason)

    async def _bury(self, record: Record, reason: str) -> None:
        """Put what is no contract of ours into the dead letters, then move on."""
        log.error("record_unreadable", topic=self._intake.topic, source=record.source, offset=record.offset, why=reason)
        buried = letter(record, reason, to_text(now()))
        await self._through_outages(partial(self._publisher.publish, topics.DEAD_LETTERS, buried))
        await self._through_outages(partial(self._store.record, lambda session, tx: None, _positions([record])))

    async def _through_outages(self, work: Callable[[], Awaitable[object]]) -> None:
        """Repeat while the database, the transport or a key is away: that is nobody's fault and loses nothing."""
        for attempt in itertools.count():
            try:
                await work()
            except OUTAGES as error:
                delay = OUTAGE_DELAYS[min(attempt, len(OUTAGE_DELAYS) - 1)]
                log.warning("waiting", topic=self._intake.topic, seconds=delay, error=said(error)[:500])
                await asyncio.sleep(delay)
            else:
                return


def _positions(records: Sequence[Record]) -> dict[str, int]:
    return {record.source: record.offset for record in records}
