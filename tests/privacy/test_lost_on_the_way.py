"""Keys of what travels that are missing are told and declared lost: then all is read on, and people can be erased."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from services.doctor import look_over
from services.privacy import lost, lost_on_the_way
from services.privacy.job import carry_out
from shared.contracts import topics
from shared.registry import erasures
from shared.transport.protocol import Outgoing
from tests.examples import outgoing
from tests.privacy.test_erasure import erase
from tests.privacy.test_resealed import customer_of
from tests.privacy.test_under_way import closed_shop
from tests.privacy.town import Person, settings_of, town


async def leave(folder: Path, url: str, *records: tuple[str, Outgoing]) -> None:
    """Publish while nobody reads, and lose the keys."""
    async with closed_shop(folder, url) as (house, transport):
        for topic, record in records:
            await transport.publisher().publish(topic, record)
        with house.keys.database.writing() as tx:
            tx.run("DELETE FROM wire_keys")
            tx.run("DELETE FROM item_keys")


async def test_what_is_on_its_way_without_a_key_is_told_and_passed_over_once_that_is_declared(
    url: str, tmp_path: Path
) -> None:
    anna, folder = Person("Zastryavshaya"), tmp_path / "data"
    async with town(settings_of(folder, url)) as made:
        await made.publish(made.item(anna, "email", "before"))
        channels, item = made.channels, made.item(anna, "email", "stuck")
    letter = Outgoing("k", f"garbage of {anna.email}".encode(), {"okno-source": "s", "okno-offset": "1"})
    await leave(folder, url, (topics.INBOUND, outgoing(item, "k")), (topics.DEAD_LETTERS, letter))
    async with town(settings_of(folder, url), channels) as made:
        after = outgoing(made.item(anna, "email", "after"), "k")
        await made.transport.publisher().publish(topics.INBOUND, after)
        told = [each.found async for each in look_over(made.house) if each.check == "keys on the way"]
        assert told[0].startswith("1 keys of records and 1 of dead letters are missing, put the key store of")
        assert told[1].endswith("unread records without a key: 1 of okno.dead-letters, 1 of okno.inbound")

        found = await lost_on_the_way.find(made.house)
        of_log = await asyncio.to_thread(lost.find, made.house.database, made.house.keys.pages)
        id_ = await lost.declare(made.house, of_log, found, "the disk died", "o")
        await made.settle()
        async with asyncio.timeout(60):
            while await carry_out(made.stores()):  # noqa: ASYNC110 (it waits for others' work)
                await asyncio.sleep(0.05)
        assert [each.found async for each in look_over(made.house) if each.check == "keys on the way"] == [
            "all are there"
        ]
        done = await made.house.database.read(partial(erasures.one, id_=id_))
        destroyed = ((done and done.certificate) or {})["destroyed"]
        assert [destroyed[name] for name in ("lost_wire_keys", "lost_letters", "unread_records")] == [
            1, 1, {"okno.dead-letters": 1, "okno.inbound": 1},
        ]  # fmt: skip
        customer = await customer_of(made, anna)
        assert {entry["text"] for entry in await made.timeline(customer)} == {anna.say("before"), anna.say("after")}
        assert (await erase(made, customer)).state == "done"
