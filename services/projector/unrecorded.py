"""Is everything that was published in the log? What the rules would still record now was never recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from services.projector import inbound
from shared.audit.ledger import Hole, Ledger
from shared.contracts import codec
from shared.contracts.codec import UndecodableRecord
from shared.contracts.inbound import InboundMessage, InboundUnreadable
from shared.database.protocol import Database, Transaction
from shared.event_store.cache import StateCache
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.transport.protocol import Record

Item = InboundMessage | InboundUnreadable


@dataclass(frozen=True, slots=True)
class Published:
    """An item as it stands on the topic; `done`: the projector's position is behind it."""

    item: Item
    record: Record
    done: bool


async def compare(
    database: Database,
    store: EventStore,
    records: AsyncIterator[list[Record]],
    letters: frozenset[tuple[str, int]],
    ledger: Ledger,
    at: datetime,
    patience: timedelta,
) -> int:
    """Compare what the inbound topic holds with the log; return how many items it held.

    `letters`: source and offset of what was buried among the dead letters.
    """
    count = 0
    async for batch in records:
        positions = await store.positions(sorted({record.source for record in batch}))
        items = [each for record in batch if (each := _read(record, positions, letters, ledger, at))]
        count += len(items)
        for each in items:
            if not each.done:
                _on_the_way(each, ledger, at, patience)
        done = [each for each in items if each.done]
        for each in await database.read(partial(_missing, items=done)):
            ledger.of(each.item.channel_id).not_recorded += 1
            ledger.note(_hole("not_recorded", each, "nothing: it is still on the topic"))
    return count


async def buried(records: AsyncIterator[list[Record]]) -> frozenset[tuple[str, int]]:
    """Return which records lie among the dead letters."""
    found: set[tuple[str, int]] = set()
    async for batch in records:
        for record in batch:
            offset = record.headers.get("okno-offset", "")
            if offset.isdigit():
                found.add((record.headers.get("okno-source", ""), int(offset)))
    return frozenset(found)


def _read(
    record: Record, positions: dict[str, int], letters: frozenset[tuple[str, int]], ledger: Ledger, at: datetime
) -> Published | None:
    """Return the item of a record; None for files, and for what is no contract of ours, which must be buried."""
    done = record.offset <= positions.get(record.source, -1)
    try:
        contract = codec.decode(record.value, record.headers)
    except UndecodableRecord as error:
        if done and (record.source, record.offset) not in letters:
            what = f"the record {record.source} {record.offset} is no item ({error}) and not among the dead letters"
            ledger.note(Hole("not_recorded", None, at, what[:500], "nothing"))
        return None
    return Published(contract, record, done) if isinstance(contract, Item) else None


def _on_the_way(each: Published, ledger: Ledger, at: datetime, patience: timedelta) -> None:
    ledger.of(each.item.channel_id).on_the_way += 1
    if at - each.item.received_at >= patience:
        ledger.note(_hole("not_taken_in", each, "it waits in the transport; is a projector running?"))


def _missing(tx: Transaction, items: Sequence[Published]) -> list[Published]:
    """Return the items that are not known, under their own id or another, and that the rules would still record."""
    ids = {str(id_) for each in items for id_ in _ids(each.item)}
    known = {UUID(id_) for (id_,) in tx.rows_in("SELECT id FROM routing_seen WHERE id", sorted(ids))}
    unknown = [each for each in items if known.isdisjoint(_ids(each.item))]
    return [each for each in unknown if _says_something_new(tx, each.item)]


def _ids(item: Item) -> tuple[UUID, ...]:
    return (item.id, *(item.same_as if isinstance(item, InboundMessage) else ()))


def _says_something_new(tx: Transaction, item: Item) -> bool:
    """A second report of the same change of a call is known without a trace; an item that breaks the rules is not."""
    session = Session(tx, StateCache(), careful=True)
    try:
        inbound.receive(session, tx, [item])
    except Exception:  # whatever it is, such an item has to stand in the quarantine
        return True
    return bool(session.appended or session.entries.seen)


def _hole(kind: str, each: Published, done: str) -> Hole:
    item = each.item
    where = f"{each.record.source} {each.record.offset}"
    return Hole(kind, item.channel_id, item.received_at, f"item {item.id} ({item.external_id}), {where}", done)
