"""What a backup has of the topics: records that nobody had read yet, and dead letters; each with a key of its own.

A day's key, which sealed them on their way, is destroyed by the next erasure of anybody: what a backup has outlives it,
but for what belongs to whoever is erased.
"""

from __future__ import annotations

import asyncio
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
from shared.keys.items import LETTER, seal, unseal
from shared.transport.look import look
from shared.transport.protocol import Outgoing, Record
from shared.transport.sealed import ITEM, LETTER_ID, SealedTransport, letter_id, opening

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
    for parcel in parcels:
        record = await asyncio.to_thread(_unpacked, house, parcel)
        if record is not None:
            await publisher.publish_again(parcel[0], [record])
        elif fate := parcel[-1]:
            await publisher.publish_again(topics.DELIVERY, [Outgoing(parcel[1], fate[1], fate[0])])
        erased += record is None
        published += record is not None
    return published, erased


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


def _unpacked(house: House, parcel: Parcel) -> Outgoing | None:
    _, key, headers, id_, sealed, _ = parcel
    if not id_:
        return Outgoing(key, sealed, headers)
    cipher = house.wire_keys.items.openers([id_])[id_]
    if id_.startswith(LETTER):
        headers = {**headers, LETTER_ID: id_}
    return Outgoing(key, unseal(cipher, id_, sealed), headers) if cipher else None


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
            return letter_id({**place, **record.headers}, house.wire_keys.digest(record.value))
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
