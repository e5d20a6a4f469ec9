"""Any transport with what is personal sealed on the way: the values of records, and hashes in place of their keys.

Dead letters have a key each, as nobody reads them on: an erasure destroys those that are about the erased.
okno.events is for other systems, which have no key of ours: what it carries is decided by whoever fills it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Self
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts.topics import DEAD_LETTERS, EVENTS
from shared.database.protocol import DatabaseUnavailable
from shared.keys.items import LETTER
from shared.keys.pages import WrongKeyStore
from shared.keys.wire import LOOK_SECONDS, WireKeys
from shared.keys.wrapping import seal, unseal
from shared.logs import Log
from shared.transport.letters import LETTER_ID
from shared.transport.protocol import Consumer, Outgoing, Positions, Publisher, Record, Transport, TransportUnavailable

KEY = "okno-key"
"""The header that names the key of a record's value."""
ITEM = "okno-item"
"""The header that names the key of a dead letter's value."""
log = Log("transport")


class SealedTransport:
    """Wraps a transport; `keys` are those of the installation."""

    def __init__(self, transport: Transport, keys: WireKeys) -> None:
        self._transport, self.keys = transport, keys
        self._publisher = SealingPublisher(transport.publisher(), keys)

    def publisher(self) -> SealingPublisher:
        return self._publisher

    def consumer(self, topic: str, group: str, positions: Positions | None = None) -> OpeningConsumer:
        return OpeningConsumer(self._transport.consumer(topic, group, positions), self.keys, topic)

    async def ends(self, topic: str) -> Mapping[str, int]:
        return await self._transport.ends(topic)

    async def done(self, topic: str, group: str) -> Mapping[str, int]:
        return await self._transport.done(topic, group)

    async def start(self) -> None:
        await self._transport.start()

    async def close(self) -> None:
        await self._transport.close()


class SealingPublisher:
    """What took longer to publish than others wait for it is published again when its key has been replaced."""

    def __init__(self, publisher: Publisher, keys: WireKeys) -> None:
        self._publisher, self._keys = publisher, keys

    async def publish(self, topic: str, record: Outgoing) -> None:
        if topic == EVENTS:
            await self._publisher.publish(topic, record)
        elif topic == DEAD_LETTERS:
            await self._publisher.publish(topic, await asyncio.to_thread(self._letter, record))
        else:
            await self._sealing(lambda id_, cipher: self._publisher.publish(topic, self._seal(record, id_, cipher)))

    async def publish_many(self, topic: str, records: Sequence[Outgoing]) -> None:
        if topic == EVENTS:
            await self._publisher.publish_many(topic, records)
        elif topic == DEAD_LETTERS:
            letters = [await asyncio.to_thread(self._letter, record) for record in records]
            await self._publisher.publish_many(topic, letters)
        else:
            await self._sealing(
                lambda id_, cipher: self._publisher.publish_many(
                    topic, [self._seal(record, id_, cipher) for record in records]
                )
            )

    async def publish_again(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Publish what has hashes for keys already; what is sealed by itself, as it is."""
        await self._sealing(
            lambda id_, cipher: self._publisher.publish_many(
                topic, [record if ITEM in record.headers else _sealed(record, id_, cipher) for record in records]
            )
        )

    async def _sealing(self, publish: Callable[[str, AESGCM], Awaitable[None]]) -> None:
        while True:
            id_, cipher = await self._present()
            started = time.monotonic()
            await publish(id_, cipher)
            if time.monotonic() - started < LOOK_SECONDS or (await self._present())[0] == id_:
                return

    async def _present(self) -> tuple[str, AESGCM]:
        try:
            return await self._keys.present()
        except (DatabaseUnavailable, WrongKeyStore) as error:
            raise TransportUnavailable(f"no key to seal with: {error}") from error

    def _seal(self, record: Outgoing, id_: str, cipher: AESGCM) -> Outgoing:
        return _sealed(Outgoing(self._keys.record_key(record.key), record.value, record.headers), id_, cipher)

    def _letter(self, record: Outgoing) -> Outgoing:
        """What is buried again after its key was destroyed has nothing in it."""
        id_ = letter_id(record.headers, self._keys.digest(record.value))
        try:
            cipher = self._keys.items.take([id_])[id_]
        except (DatabaseUnavailable, WrongKeyStore) as error:
            raise TransportUnavailable(f"no key to seal with: {error}") from error
        value = seal(cipher, id_, record.value) if cipher else b""
        return Outgoing(self._keys.record_key(record.key), value, {**record.headers, ITEM: id_})


def _sealed(record: Outgoing, id_: str, cipher: AESGCM) -> Outgoing:
    return Outgoing(record.key, seal(cipher, id_, record.value), {**record.headers, KEY: id_})


def letter_id(headers: Mapping[str, str], digest: str) -> str:
    """Return the id of a dead letter: the same for a record that is buried twice.

    `digest` of what is in it: after a restore a topic begins anew, and its places with it.
    """
    if id_ := headers.get(LETTER_ID):
        return id_
    source, offset = headers.get("okno-source"), headers.get("okno-offset")
    return f"{LETTER}{source} {offset} {digest}" if source and offset else f"{LETTER}{uuid4()}"


def _logged(record: Record) -> None:
    log.warning("record_erased", source=record.source, offset=record.offset)


async def opening(
    batches: AsyncIterator[list[Record]], keys: WireKeys, passed_over: Callable[[Record], None] = _logged
) -> AsyncIterator[list[Record]]:
    """Yield batches of records as they were published; `passed_over` is told those whose keys are destroyed."""
    async for records in batches:
        yield await _all_opened(records, keys, passed_over)


class OpeningConsumer:
    """A record whose key is destroyed was read long ago, or was erased with its customer: it is passed over."""

    def __init__(self, consumer: Consumer, keys: WireKeys, topic: str) -> None:
        self._consumer, self._keys, self._topic = consumer, keys, topic

    async def __aenter__(self) -> Self:
        await self._consumer.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._consumer.__aexit__(*exc)

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            records = await self._consumer.batch(limit, left)
            if opened := await self._opened(records):
                return opened
            if not records:
                return []

    async def commit(self, records: Sequence[Record]) -> None:
        await self._consumer.commit(records)

    async def rewind(self) -> None:
        await self._consumer.rewind()

    async def lag(self) -> int:
        return await self._consumer.lag()

    async def _opened(self, records: Sequence[Record]) -> list[Record]:
        try:
            return await _all_opened(records, self._keys, _logged)
        except (DatabaseUnavailable, WrongKeyStore) as error:
            await self._consumer.rewind()
            raise TransportUnavailable(f"no key to open records with: {error}") from error


async def _all_opened(records: Sequence[Record], keys: WireKeys, passed_over: Callable[[Record], None]) -> list[Record]:
    ids = {id_ for record in records if (id_ := record.headers.get(KEY))}
    letters = {id_ for record in records if (id_ := record.headers.get(ITEM))}
    ciphers = await keys.openers(ids) if ids else {}
    items = await asyncio.to_thread(keys.items.openers, letters) if letters else {}
    found: list[Record] = []
    for record in records:
        if opened := _opened(record, ciphers, items):
            found.append(opened)
        else:
            passed_over(record)
    return found


def _opened(record: Record, ciphers: Mapping[str, AESGCM | None], items: Mapping[str, AESGCM | None]) -> Record | None:
    """Return the record as it was published; one that was not sealed, or was changed on the way, as it is.

    None: its key is destroyed.
    """
    name = KEY if KEY in record.headers else ITEM
    id_ = record.headers.get(name)
    if not id_:
        return record
    if (cipher := (ciphers if name == KEY else items)[id_]) is None:
        return None
    try:
        value = unseal(cipher, id_, record.value)
    except InvalidTag:
        return record
    headers = dict(record.headers)
    del headers[name]
    return Record(record.source, record.offset, record.key, value, headers)
