"""Keys of what travels that the key store lacks: readers wait for them, and no erasure can look through the letters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.house import House
from services.privacy.readers import READERS, places
from services.privacy.referred import Look
from shared.contracts import topics
from shared.keys.wire import WireKeys
from shared.transport.look import look
from shared.transport.protocol import Record
from shared.transport.sealed import ITEM, KEY


@dataclass(slots=True)
class OnTheWay:
    """Ids of the missing keys. `unread`: how many records of each topic nobody has read, nor ever will without them."""

    wire: set[str] = field(default_factory=set)
    letters: set[str] = field(default_factory=set)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def any(self) -> bool:
        return bool(self.wire or self.letters)

    def take(self, topic: str, record: Record, wire: set[str], letters: set[str], is_read: bool) -> None:
        self.wire |= wire & {record.headers.get(KEY)}
        self.letters |= letters & {record.headers.get(ITEM)}
        lacks = record.headers.get(KEY) in wire or record.headers.get(ITEM) in letters
        self.unread[topic] += lacks and not is_read


async def find(house: House) -> OnTheWay:
    """Return what all topics name and the store lacks. Raises TransportUnavailable."""
    transport = house.transport()
    await transport.start()
    try:
        done = await places(house.store, transport)
    finally:
        await transport.close()
    found = OnTheWay()
    for topic in (*(topic for topic, _, _ in READERS), topics.DEAD_LETTERS):
        async for records in look(house.settings, house.database, topic):
            wire, letters = await asyncio.to_thread(_missing, house.wire_keys, records)
            for record in records if wire or letters else ():
                found.take(topic, record, wire, letters, record.offset <= done.get(record.source, -1))
    return found


async def is_passed_over(
    look_at: Look, keys: WireKeys, topic: str, done: Mapping[str, int], marks: Mapping[str, int]
) -> bool:
    """Return whether no record between two places of a topic can be opened: its reader shows no place for such."""
    async for records in look_at(topic, behind={source: done.get(source, -1) for source in marks}):
        ahead = [record for record in records if record.offset <= marks.get(record.source, -1)]
        ids = {record.headers.get(KEY, "") for record in ahead}
        missing = await asyncio.to_thread(keys.missing, ids)
        if missing:  # also of a record that was never sealed
            return False
        ciphers = await keys.openers(ids)
        if any(ciphers[id_] for id_ in ids):
            return False
    return True


def give_up(keys: WireKeys, wire: set[str], letters: set[str]) -> None:
    """Put destroyed keys in the place of missing ones: what they sealed is passed over."""
    keys.give_up(wire)
    keys.items.give_up(letters)


def _missing(keys: WireKeys, records: list[Record]) -> tuple[set[str], set[str]]:
    wire, letters = ({id_ for r in records if (id_ := r.headers.get(name))} for name in (KEY, ITEM))
    return keys.missing(wire), keys.items.missing(letters)
