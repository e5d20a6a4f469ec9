"""Follows the log to the transport: replies to outbound, retries to ingest.

The log is the outbox: a position is recorded after the publish, so a crash repeats and never loses.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid5

from shared.contracts import codec, topics
from shared.contracts.inbound import Address, FileRef, InboundUnreadable, Raw
from shared.contracts.outbound import OutboundReply, Quoted
from shared.contracts.retry import RetryUnreadable
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.domain import events as e
from shared.domain.unreadable import Unreadable
from shared.event_store.log import read_some
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import EventUnreadable
from shared.event_store.raw_items import raw_item
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import holes
from shared.said import said
from shared.transport.protocol import Outgoing, Publisher, TransportUnavailable

POSITION = "relay"
BATCH = 500
RECORD_EVERY = 1000
"""Events of other types that are passed over without recording the position: passing them again costs nothing."""
ROUND_SECONDS = 0.02
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
Outbox = dict[str, list[Outgoing]]
log = Log("projector")


class Relay:
    """What operators decided, on its way to other services."""

    def __init__(self, database: Database, store: EventStore, publisher: Publisher) -> None:
        self._database, self._store, self._publisher = database, store, publisher
        self._position: int | None = None
        self._recorded = 0

    async def run(self) -> None:
        listener, pace = self._store.listen(), Pace(ROUND_SECONDS)
        while True:
            await pace.keep()
            try:
                if not await self._relay_next():
                    await listener.wait(IDLE_SECONDS)
            except (DatabaseUnavailable, TransportUnavailable, WrongKeyStore) as error:
                self._position = None
                log.warning("relay_waiting", error=said(error)[:500])
                await asyncio.sleep(OUTAGE_SECONDS)

    async def _relay_next(self) -> int:
        """Return how many events were relayed or passed over."""
        if self._position is None:
            self._position = self._recorded = (await self._store.positions([POSITION])).get(POSITION, 0)
        before = self._position
        end, events = await self._next(before)
        if events:
            untold: list[e.Recorded] = []
            outbox = await self._database.read(partial(outbox_of, events=events, untold=untold))
            await self._note(untold, holes.of(events))
            for topic, records in outbox.items():
                await self._publisher.publish_many(topic, records)
        self._position = end
        if events or end - self._recorded > RECORD_EVERY:
            await self._store.move_position(POSITION, end)
            self._recorded = end
        return end - before

    async def _note(self, untold: Sequence[e.Recorded], passed_over: Sequence[holes.Hole]) -> None:
        """They go out once all of it can be read: see `services/mending`. Whoever follows the log may be far behind."""
        found = [holes.untold(each) for each in untold]
        if found or passed_over:
            await self._database.write(partial(holes.note, holes=[*found, *passed_over]))
        for hole in found:
            log.error("event_not_told", position=hole.position, why=hole.why)

    async def _next(self, position: int) -> tuple[int, list[e.Recorded]]:
        """Return a new position and what is to be relayed up to it: from memory if it is there, else from the log."""
        if recent := self._store.recent(position, BATCH):
            return recent[-1].position, [recorded for recorded in recent if type(recorded.event) in _OUTGOING]
        types = [event.__name__ for event in _OUTGOING]
        return await self._database.read(partial(read_some, after=position, limit=BATCH, types=types), brief=True)


def outbox_of(tx: Transaction, events: Sequence[e.Recorded], untold: list[e.Recorded] | None = None) -> Outbox:
    """Return the records that tell other services of some events, by topic, in their order.

    What cannot be told, as something it speaks of cannot be read, is added to `untold`; without that list it raises
    EventUnreadable. An event that cannot be read itself is passed over.
    """
    outbox: Outbox = defaultdict(list)
    for recorded in events:
        if isinstance(recorded.event, Unreadable):
            continue
        try:
            topic, outgoing = _OUTGOING[type(recorded.event)](tx, recorded)
        except EventUnreadable:
            if untold is None:
                raise
            untold.append(recorded)
        else:
            outbox[topic].append(outgoing)
    return outbox


def _requested(tx: Transaction, recorded: e.Recorded) -> tuple[str, Outgoing]:
    event = recorded.event
    assert isinstance(event, e.ReplyRequested)
    return _outgoing(tx, event, recorded)


def _acted(tx: Transaction, recorded: e.Recorded) -> tuple[str, Outgoing]:
    event = recorded.event
    assert isinstance(event, e.ActionRequested)
    return _action(event, recorded, recorded.actor.name)


def _retried(tx: Transaction, recorded: e.Recorded) -> tuple[str, Outgoing]:
    event = recorded.event
    assert isinstance(event, e.ReplyRetried)
    for past in read_stream(tx, event.conversation_id):
        if isinstance(past.event, e.ReplyRequested) and past.event.reply_id == event.reply_id:
            return _outgoing(tx, past.event, recorded, past.actor.name)
        if isinstance(past.event, e.ActionRequested) and past.event.reply_id == event.reply_id:
            return _action(past.event, recorded, past.actor.name)
    raise LookupError(f"no ReplyRequested for {event.reply_id}")


def _outgoing(tx: Transaction, event: e.ReplyRequested, recorded: e.Recorded, author: str = "") -> tuple[str, Outgoing]:
    reply = OutboundReply(
        event.reply_id,
        event.conversation_id,
        event.channel_id,
        _addresses(event.to),
        event.subject,
        event.text,
        author or recorded.actor.name,
        recorded.occurred_at,
        event.in_reply_to,
        event.references,
        event.thread_key,
        _quoted(tx, event),
        tuple(FileRef(f.sha256, f.size, f.name, f.media_type, f.content_id) for f in event.files),
        markup=event.markup,
        cc=_addresses(event.cc),
        bcc=_addresses(event.bcc),
        quotes=event.quotes,
        automatic=event.automatic,
        target=event.target,
        signature=event.signature,
    )
    return _record(reply, recorded)


def _action(event: e.ActionRequested, recorded: e.Recorded, author: str) -> tuple[str, Outgoing]:
    reply = OutboundReply(
        id=event.reply_id,
        conversation_id=event.conversation_id,
        channel_id=event.channel_id,
        to=_addresses(event.to),
        subject="",
        text=event.text,
        author=author,
        requested_at=recorded.occurred_at,
        in_reply_to="",
        references=(),
        thread_key=event.thread_key,
        quoted=None,
        files=(),
        action=event.action,
        target=event.target,
        markup=event.markup,
        operator_address=event.operator_address,
    )
    return _record(reply, recorded)


def _record(reply: OutboundReply, recorded: e.Recorded) -> tuple[str, Outgoing]:
    if isinstance(recorded.event, e.ReplyRetried):
        reply = replace(reply, attempt=recorded.event.attempt, lost=recorded.event.lost)
    source = f"/conversations/{reply.conversation_id}"
    encoded = codec.encode(reply, id=_record_id(recorded), source=source, at=recorded.recorded_at)
    return topics.OUTBOUND, Outgoing(str(reply.conversation_id), encoded.value, encoded.headers)


def _addresses(addresses: tuple[e.Address, ...]) -> tuple[Address, ...]:
    return tuple(Address(a.kind, a.address, a.name) for a in addresses)


def _quoted(tx: Transaction, reply: e.ReplyRequested) -> Quoted | None:
    """Return the message that is answered: looked up, so that its text is in the log only once."""
    for past in read_stream(tx, reply.conversation_id):
        event = past.event
        if isinstance(event, e.MessageReceived) and event.message_id == reply.answers and event.text:
            return Quoted(event.sender.name or event.sender.address, past.occurred_at, event.text)
    return None


def _retry(tx: Transaction, recorded: e.Recorded) -> tuple[str, Outgoing]:
    event = recorded.event
    assert isinstance(event, e.QuarantineRetried)
    items = [p for p in read_stream(tx, event.item_id) if isinstance(p.event, e.InboundQuarantined)]
    past, item = items[-1], items[-1].event
    assert isinstance(item, e.InboundQuarantined)
    raw = Raw(item.raw.sha256, item.raw.size, item.raw.media_type, raw_item(tx, _position(tx, past)))
    unreadable = InboundUnreadable(
        item.item_id,
        item.channel_id,
        item.channel_kind,
        item.external_id,
        past.occurred_at,
        item.reason,
        dict(item.context),
        raw,
    )
    contract = RetryUnreadable(unreadable, _actor_id(recorded))
    source = f"/quarantine/{item.item_id}"
    encoded = codec.encode(contract, id=_record_id(recorded), source=source, at=recorded.recorded_at)
    return topics.RETRIES, Outgoing(str(item.channel_id), encoded.value, encoded.headers)


def _position(tx: Transaction, past: e.Recorded) -> int:
    """Events of one stream are read without positions; the raw bytes are kept by them."""
    return next(r.position for r in read_streams(tx, [past.stream_id]) if r.version == past.version)


def _actor_id(recorded: e.Recorded) -> UUID:
    return UUID(recorded.actor.id) if recorded.actor.id else UUID(int=0)


def _record_id(recorded: e.Recorded) -> UUID:
    """The same event relayed twice is the same CloudEvent."""
    return uuid5(recorded.stream_id, str(recorded.version))


_OUTGOING: dict[type, Callable[[Transaction, e.Recorded], tuple[str, Outgoing]]] = {
    e.ReplyRequested: _requested,
    e.ActionRequested: _acted,
    e.ReplyRetried: _retried,
    e.QuarantineRetried: _retry,
}
