"""What a backup has of the topics: records that nobody had read yet, and dead letters; each with a key of its own.

A day's key, which sealed them on their way, is destroyed by the next erasure of anybody: what a backup has outlives it,
but for what belongs to whoever is erased.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid5

from services.house import House
from services.privacy.readers import READERS
from services.privacy.tables import GONE
from shared.contracts import codec, topics
from shared.contracts.codec import Contract, UndecodableRecord
from shared.contracts.delivery import DeliveryReport
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.outbound import OutboundReply
from shared.contracts.retry import RetryUnreadable
from shared.keys.items import LETTER, Ciphers
from shared.keys.wrapping import seal, unseal
from shared.transport.letters import LETTER_ID, buried
from shared.transport.look import look
from shared.transport.protocol import Outgoing, Record
from shared.transport.sealed import ITEM, SealedTransport, letter_id, opening

AT_ONCE, AT_ONCE_BYTES = 500, 4_000_000
Places = Mapping[str, int]
Parcel = list[Any]
"""Topic, key, headers, id of the key (empty: sealed already), sealed value, and a `Fate` to tell where that is gone."""
Fate = list[Any] | None
"""Headers and value of a report of a reply, with nothing of anybody's: every reply ends somehow, an erased one too."""


async def ends(transport: SealedTransport) -> dict[str, int]:
    """Return where each topic ends: asked once the snapshot is taken, so that a busy system's backup ends too."""
    found: dict[str, int] = {}
    for topic in (topics.DEAD_LETTERS, *(topic for topic, _, _ in READERS)):
        found |= await transport.ends(topic)
    return found


async def packed(house: House, behind: Places, until: Places) -> AsyncIterator[list[Parcel]]:
    """Yield what lies between. Raises TransportUnavailable."""
    for topic, _, _ in READERS:
        found = look(house.settings, house.database, topic, behind=behind)
        async for records in opening(_up_to(found, until), house.wire_keys):
            yield await asyncio.to_thread(_pack, house, topic, records)
    async for letters in _up_to(look(house.settings, house.database, topics.DEAD_LETTERS), until):
        sealed = [each for each in letters if ITEM in each.headers]
        yield [[topics.DEAD_LETTERS, each.key, each.headers, "", each.value, None] for each in sealed]


async def publish(house: House, transport: SealedTransport, parcels: Iterator[Parcel]) -> tuple[int, int]:
    """Publish what a backup has; return how many records that were, and how many belong to somebody erased."""
    published = erased = 0
    publisher = transport.publisher()
    for part in _parts(parcels):
        records, gone = await asyncio.to_thread(_unpacked, house, part)
        for topic, those in records.items():
            await publisher.publish_again(topic, those)
        published, erased = published + len(part) - gone, erased + gone
    return published, erased


def _parts(parcels: Iterator[Parcel]) -> Iterator[list[Parcel]]:
    """Yield some at a time, of so many bytes at most: one by one each would wait for the disk."""
    part, size = list[Parcel](), 0
    for parcel in parcels:
        if part and (len(part) == AT_ONCE or size + len(parcel[4]) > AT_ONCE_BYTES):
            yield part
            part, size = [], 0
        part.append(parcel)
        size += len(parcel[4])
    if part:
        yield part


def _pack(house: House, topic: str, records: Sequence[Record]) -> list[Parcel]:
    read = [
        (record, contract, _item_id(house, record, contract)) for record in records for contract in (_contract(record),)
    ]
    ciphers = house.wire_keys.items.take([id_ for _, _, id_ in read])
    return [
        [topic, record.key, record.headers, id_, seal(cipher, id_, record.value) if cipher else b"", _fate(contract)]
        for record, contract, id_ in read
        for cipher in (ciphers[id_],)
    ]


def _unpacked(house: House, part: Sequence[Parcel]) -> tuple[dict[str, list[Outgoing]], int]:
    """Return the records by topic, in their order, and how many belong to somebody erased."""
    ciphers = house.wire_keys.items.openers([parcel[3] for parcel in part if parcel[3]])
    records, gone = defaultdict[str, list[Outgoing]](list), 0
    for parcel in part:
        topic, key, _, id_, _, fate = parcel
        if not id_ or ciphers[id_]:
            records[topic].append(_record(parcel, ciphers))
        else:
            gone += 1
            if fate:
                records[topics.DELIVERY].append(Outgoing(key, fate[1], fate[0]))
    return records, gone


def _record(parcel: Parcel, ciphers: Ciphers) -> Outgoing:
    _, key, headers, id_, sealed, _ = parcel
    if (cipher := ciphers.get(id_)) is None:
        return Outgoing(key, sealed, headers)
    if id_.startswith(LETTER):
        headers = {**headers, LETTER_ID: id_}
    return Outgoing(key, unseal(cipher, id_, sealed), headers)


def _contract(record: Record) -> Contract | None:
    try:
        return codec.decode(record.value, record.headers)
    except UndecodableRecord:
        return None


def _item_id(house: House, record: Record, contract: Contract | None) -> str:
    """Return the id of what a record is about, which the log will know it by; what is no contract is a letter's."""
    match contract:
        case None:
            place = {"okno-source": record.source, "okno-offset": str(record.offset)}
            return letter_id({**place, **record.headers}, house.wire_keys.digest(buried(record)))
        case FileFetched() | FileUnavailable():
            return str(contract.inbound_id)
        case DeliveryReport():
            return str(contract.reply_id)
        case RetryUnreadable():
            return str(contract.item.id)
        case _:
            return str(contract.id)


def _fate(contract: Contract | None) -> Fate:
    match contract:
        case OutboundReply(id=reply_id):
            place = (reply_id, contract.conversation_id, contract.channel_id, contract.attempt)
            report = DeliveryReport(*place, "failed", contract.requested_at, 0, error=GONE, code="erased")
        case DeliveryReport(code="erased"):
            report = contract
        case DeliveryReport():
            report = replace(contract, external_id="", known_as=(), error="")
        case _:
            return None
    id_ = uuid5(report.reply_id, f"{report.attempt}:{report.state}")
    encoded = codec.encode(report, id=id_, source=f"/channels/{report.channel_id}", at=report.at)
    return [encoded.headers, encoded.value]


async def _up_to(batches: AsyncIterator[list[Record]], until: Places) -> AsyncIterator[list[Record]]:
    async for records in batches:
        yield [record for record in records if record.offset <= until.get(record.source, -1)]
