"""Which dead letters are about somebody: by who sent them, or by an address in their text that tells who it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from services.privacy.items import letters_about
from shared.contracts import topics
from shared.contracts.inbound import Address, partition_key
from shared.transport.look import look
from shared.transport.protocol import Outgoing, Record
from shared.transport.sealed import ITEM, SealedTransport, opening
from tests.privacy.test_under_way import closed_shop

ANNA = {("email", "anna@example.com"), ("telephony", "100")}


async def bury(transport: SealedTransport, key: str, text: str) -> None:
    """As whoever read a record it cannot decode, and knows the hash of its key only."""
    headers = {"okno-source": "okno.inbound/1", "okno-offset": str(abs(hash(text)))}
    record = Outgoing(transport.keys.record_key(key), text.encode(), headers)
    await transport.publisher().publish(topics.DEAD_LETTERS, record)


async def test_letters_are_known_by_sender_or_by_a_telling_address(tmp_path: Path) -> None:
    texts = {
        "from her": ("email:anna@example.com", "garbage"),
        "names her": ("email:boris@example.com", "please tell ANNA@example.com"),
        "somebody else's": ("email:boris@example.com", "room 100, 100 roubles"),
        "from her extension": (partition_key(Address("telephony", "100")), "beep"),
    }
    async with closed_shop(tmp_path) as (house, transport):
        for key, text in texts.values():
            await bury(transport, key, text)

        def letters() -> AsyncIterator[list[Record]]:
            return look(house.settings, house.database, topics.DEAD_LETTERS)

        about = await letters_about(letters(), house.wire_keys, ANNA)
        assert (len(about), await letters_about(letters(), house.wire_keys, ())) == (3, set())
        house.wire_keys.items.destroy(about)
        left = [record async for records in letters() for record in records if record.headers[ITEM] not in about]
        assert [r.headers["okno-offset"] for r in left] == [str(abs(hash("room 100, 100 roubles")))]
        assert await letters_about(letters(), house.wire_keys, ANNA) == set()


async def test_a_letter_from_a_place_that_another_one_had_is_not_erased_with_it(tmp_path: Path) -> None:
    """The places of a topic that was begun anew come again; a record that is buried twice is one letter."""

    def place(text: str) -> Outgoing:
        return Outgoing("k", text.encode(), {"okno-source": "okno.inbound/1", "okno-offset": "7"})

    async with closed_shop(tmp_path) as (house, transport):

        async def ids() -> list[str]:
            found = look(house.settings, house.database, topics.DEAD_LETTERS)
            return [record.headers[ITEM] async for records in found for record in records]

        for text in ("hers", "hers"):
            await transport.publisher().publish(topics.DEAD_LETTERS, place(text))
        (hers,) = set(await ids())
        house.wire_keys.items.destroy([hers])
        await transport.publisher().publish(topics.DEAD_LETTERS, place("his"))
        opened = opening(look(house.settings, house.database, topics.DEAD_LETTERS), house.wire_keys)
        assert [record.value async for records in opened for record in records] == [b"his"]
