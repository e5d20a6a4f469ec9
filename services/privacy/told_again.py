"""What was told by records whose keys are lost is told again: every reply ends in a known fate.

The log is the outbox and outbound's ledger has each fate, so both are told from where they are kept; who knows them
already passes them over, by reply and attempt. So are items that were to be read again: they keep their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from services.outbound.ledger import Ledger
from services.privacy.tables import GONE
from services.projector.relay import Outbox, outbox_of
from shared.contracts import codec, topics
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.log import read_some
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import EventUnreadable
from shared.read_models import holes
from shared.transport.protocol import Outgoing, Publisher

BATCH = 500
ASKED = (e.ReplyRequested, e.ActionRequested, e.ReplyRetried)
FATES = (e.ReplySent, e.ReplyFailed, e.ReplyFateUnknown)
_ITEMS = (e.InboundQuarantined, e.QuarantineRetried, e.QuarantineResolved)
_TYPES = [event.__name__ for event in (*ASKED, *FATES, *_ITEMS)]
NOBODY = ""
"""Owns in the ledger what any outbound is to tell."""
Key = tuple[UUID, int]
"""A reply and its attempt."""


async def tell(database: Database, publisher: Publisher) -> int:
    """Bring to outbound what it was never told of, and have it tell the log what that does not know; to ingest, what it
    is to read again. Return how many.

    May be repeated. Raises DatabaseUnavailable, TransportUnavailable.
    """
    owed, retried = await _without_fate(database)
    known = await database.write(partial(_announce_again, owed=list(owed)))
    await tell_of(database, publisher, [*(recorded for key, recorded in owed.items() if key not in known), *retried])
    return len(owed) + len(retried)


async def tell_of(database: Database, publisher: Publisher, untold: Sequence[e.Recorded]) -> None:
    """Bring what some events ask for to whom it is asked of. Raises as `tell`."""
    for start in range(0, len(untold), BATCH):
        records, lost, held = await database.read(partial(_records, events=untold[start : start + BATCH]))
        if held:
            await database.write(partial(holes.note, holes=[holes.untold(each) for each in held]))
        await Ledger(database, NOBODY).fail_unheard(lost, GONE, "erased")
        for topic, outgoing in records.items():
            await publisher.publish_many(topic, outgoing)


def known_of(tx: Transaction, keys: Iterable[Key]) -> set[Key]:
    """Return which of them stand in outbound's ledger."""
    wanted = set(keys)
    ids = sorted({str(reply_id) for reply_id, _ in wanted})
    rows = tx.rows_in("SELECT reply_id, attempt FROM deliveries WHERE reply_id", ids)
    return {(UUID(reply_id), int(attempt)) for reply_id, attempt in rows} & wanted


async def _without_fate(database: Database) -> tuple[dict[Key, e.Recorded], list[e.Recorded]]:
    """Return what was asked for and has no fate in the log, in its order: replies, and items to be read again.

    Reads all that is about them. An item of which nothing is left cannot be read again.
    """
    owed, position, before = dict[Key, e.Recorded](), 0, -1
    items = dict[UUID, e.Recorded]()
    erased = set[UUID]()
    while position != before:
        before = position
        position, events = await database.read(partial(read_some, after=position, limit=BATCH, types=_TYPES))
        for recorded in events:
            event = recorded.event
            if isinstance(event, ASKED):
                owed[event.reply_id, getattr(event, "attempt", 1)] = recorded
            elif isinstance(event, FATES):
                owed.pop((event.reply_id, event.attempt), None)
            elif isinstance(event, _ITEMS):
                items[event.item_id] = recorded
                erased |= {event.item_id} if recorded.erased else set()
    retried = [each for id_, each in items.items() if isinstance(each.event, e.QuarantineRetried) and id_ not in erased]
    return owed, retried


def _announce_again(tx: Transaction, owed: Sequence[Key]) -> set[Key]:
    """Return which of them outbound knows; those that have a fate there are told again."""
    known = known_of(tx, owed)
    sql = "UPDATE deliveries SET announced = 0 WHERE reply_id = ? AND attempt = ? AND announced = 1"
    for reply_id, attempt in known:
        tx.run(sql, (str(reply_id), attempt))
    return known


def _records(tx: Transaction, events: Sequence[e.Recorded]) -> tuple[Outbox, list[OutboundReply], list[e.Recorded]]:
    """Return what is to be told; what cannot be, as the log has nothing of it left; and what speaks of a hole.

    An older record of it may still be read by outbound, so its failure is for the ledger to say, which knows both.
    """
    gone = {recorded.position for recorded in events if _is_gone(tx, recorded)}
    held: list[e.Recorded] = []
    lost = outbox_of(tx, [recorded for recorded in events if recorded.position in gone], held).get(topics.OUTBOUND, [])
    whole = outbox_of(tx, [recorded for recorded in events if recorded.position not in gone], held)
    return whole, [_reply(outgoing) for outgoing in lost], held


def _reply(outgoing: Outgoing) -> OutboundReply:
    reply = codec.decode(outgoing.value, dict(outgoing.headers))
    assert isinstance(reply, OutboundReply)
    return reply


def _is_gone(tx: Transaction, recorded: e.Recorded) -> bool:
    """A further attempt says nothing itself: what it sends was said when it was asked for first."""
    event = recorded.event
    if not isinstance(event, e.ReplyRetried):
        return recorded.erased
    asked = (e.ReplyRequested, e.ActionRequested)
    try:
        stream = read_stream(tx, event.conversation_id)
    except EventUnreadable:
        return False
    return any(p.erased for p in stream if isinstance(p.event, asked) and p.event.reply_id == event.reply_id)
