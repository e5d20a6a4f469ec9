"""What was accepted and not done yet when a backup was made is done after a restore, but for the erased."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.house import House, open_house
from services.outbound.ledger import Ledger
from services.privacy import backup, under_way
from services.privacy.backup import BackupOvertaken, back_up
from services.privacy.restore import restore
from services.projector.main import Projector
from shared.contracts import topics
from shared.contracts.codec import decode
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.kafka_servers import KafkaServers
from shared.transport.look import look
from shared.transport.protocol import Outgoing
from shared.transport.sealed import SealedTransport, opening
from tests.examples import outgoing
from tests.peers.kafka import KafkaServer
from tests.privacy.planted import found_in
from tests.privacy.test_backup import unpacked
from tests.privacy.test_erasure import erase
from tests.privacy.town import OLGA, Person, Town, settings_of, town
from tests.services.fakes import add_channel
from tests.services.projector.running import running


@asynccontextmanager
async def closed_shop(folder: Path, url: str = "") -> AsyncIterator[tuple[House, SealedTransport]]:
    """Things are accepted, and nobody does anything with them."""
    house = open_house(settings_of(folder, url))
    transport = house.transport()
    await transport.start()
    try:
        yield house, transport
    finally:
        await transport.close()
        await house.close()


def copy_keys(old: Path, new: Path) -> None:
    """As `sqlite3 keys.db .backup`: while the store is in use."""
    new.mkdir(exist_ok=True)
    with closing(sqlite3.connect(old / "keys.db")) as source, closing(sqlite3.connect(new / "keys.db")) as target:
        source.backup(target)


async def place_of(house: House, who: Person) -> UUID:
    sql = "SELECT c.id FROM conversations c JOIN customers p ON p.id = c.customer_id WHERE p.address = ?"
    ((id_,),) = await house.database.read(lambda tx: tx.rows(sql, (who.email,)))
    return UUID(id_)


async def answer(house: House, transport: SealedTransport, who: Person, what: str) -> UUID:
    """Ask for a reply and let it come as far as its topic; return its id."""
    reply_id = uuid4()
    await house.store.handle(await place_of(house, who), c.RequestReply(reply_id, who.say(what)), OLGA)
    projector = Projector(house.database, transport, house.store, embedded=house.settings.embedded)
    async with running(projector.run()), asyncio.timeout(30):
        while reply_id not in {reply.id for reply in await waiting(house)}:  # noqa: ASYNC110 (another task works)
            await asyncio.sleep(0.01)
    return reply_id


async def waiting(house: House) -> list[OutboundReply]:
    found: list[OutboundReply] = []
    async for records in opening(look(house.settings, house.database, topics.OUTBOUND), house.wire_keys):
        found += [reply for r in records if isinstance(reply := decode(r.value, r.headers), OutboundReply)]
    return found


async def into_ledger(house: House, transport: SealedTransport) -> None:
    """Take what is on the topic into the ledger, as outbound does, and send none of it."""
    async with transport.consumer(topics.OUTBOUND, "outbound") as consumer:
        records = await consumer.batch(100, 5.0)
        replies = [reply for r in records if isinstance(reply := decode(r.value, r.headers), OutboundReply)]
        await Ledger(house.database, "nobody").accept(replies)
        await consumer.commit(records)


async def accept(transport: SealedTransport, items: Sequence[Any]) -> None:
    for item in items:
        await transport.publisher().publish(topics.INBOUND, outgoing(item, f"email:{item.sender.address}"))


async def letters(house: House) -> list[bytes]:
    found = opening(look(house.settings, house.database, topics.DEAD_LETTERS), house.wire_keys)
    return [record.value async for records in found for record in records]


async def bury(made: Town, who: Person, what: str) -> None:
    await made.transport.publisher().publish(topics.INBOUND, Outgoing(f"email:{who.email}", who.say(what).encode(), {}))
    made.published += 1
    await made.settle()


async def fates(house: House) -> dict[str, str]:
    return dict(await house.database.read(lambda tx: tx.rows("SELECT reply_id, state FROM deliveries")))


async def test_mail_and_answers_that_were_under_way_are_restored_after_an_erasure_but_for_the_erased(
    url: str, tmp_path: Path
) -> None:
    anna, boris, file, data = Person("Zabytaya"), Person("Pomnimov"), tmp_path / "okno.backup", tmp_path / "data"
    async with town(settings_of(data, url)) as made:
        for who in (anna, boris):
            await made.publish(made.item(who, "email", "first"))
            await bury(made, who, "letter")
        customer, other = [UUID(id_) for id_ in await customers(made, anna, boris)]
        channels = made.channels
        later = [made.item(who, "email", "later") for who in (anna, boris)]
    async with closed_shop(data, url) as (house, transport):
        queued = {who.mark: await answer(house, transport, who, "queued") for who in (anna, boris)}
        await into_ledger(house, transport)
        under_way = {who.mark: await answer(house, transport, who, "on its topic") for who in (anna, boris)}
        await accept(transport, later)
        made_backup = await back_up(house, file)
        assert made_backup["under_way"] == 6  # two mails, two answers, two letters
    assert found_in([unpacked(file, tmp_path / "unpacked")], [*anna.texts.values(), *boris.texts.values()]) == {}
    async with town(settings_of(data, url), channels) as made:
        await made.settle()
        await erase(made, customer)
        assert await letters(made.house) == [boris.texts["letter"].encode()]
    new = tmp_path / "new"
    new.mkdir()
    for path in data.glob("keys.db*"):
        shutil.copy(path, new / path.name)
    async with closed_shop(new) as (house, _):
        loaded = await restore(house, file)
        assert (loaded["under_way"], loaded["under_way_of_erased"]) == (3 + 1, 2)  # her letter is there, and unreadable
    async with town(settings_of(new), channels) as again:
        await again.settle()
        assert {reply.id for reply in again.sent} == {queued[boris.mark], under_way[boris.mark]}
        said = [entry["text"] for entry in await again.timeline(other)]
        assert sorted(said) == sorted(boris.say(what) for what in ("first", "later", "queued", "on its topic"))
        states = await fates(again.house)
        assert (states[str(queued[boris.mark])], states[str(queued[anna.mark])]) == ("sent", "failed")
        assert await letters(again.house) == [boris.texts["letter"].encode()]
        delivered = [entry["delivery"]["state"] for entry in await again.timeline(customer) if entry["delivery"]]
        assert delivered == ["failed", "failed"]
        await erase(again, customer)
        assert boris.say("later") in [entry["text"] for entry in await again.timeline(other)]
    assert found_in([new], anna.texts.values()) == {}


async def customers(made: Town, *whose: Person) -> list[str]:
    rows = dict(await made.house.database.read(lambda tx: tx.rows("SELECT address, id FROM customers")))
    return [rows[who.email] for who in whose]


async def test_a_backup_that_an_erasure_overtakes_is_begun_anew(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, file = Person("Odnovremennaya"), tmp_path / "okno.backup"
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        items, written = made.house.wire_keys.items, backup._written
        tries: list[int] = []

        async def overtaken(house: House, draft: Path) -> dict[str, Any]:
            contents = await written(house, draft)
            tries.append(items.destroy(["somebody's"]) if len(tries) < 2 else 0)
            return contents

        monkeypatch.setattr(backup, "_written", overtaken)
        await back_up(made.house, file)
        assert (len(tries), file.exists()) == (3, True)
        monkeypatch.setattr(backup, "TRIES", 2)
        tries.clear()
        with pytest.raises(BackupOvertaken, match="2 times"):
            await back_up(made.house, tmp_path / "another.backup")
        assert not (tmp_path / "another.backup").exists()


async def test_mail_whose_days_key_goes_while_a_backup_is_made_is_in_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was unread when the backup began, is read then, and an erasure of anybody destroys the day's key."""
    boris, file = Person("Obognannyy"), tmp_path / "okno.backup"
    async with closed_shop(tmp_path / "data") as (house, transport):
        made = Town(house, transport, {"email": await add_channel(house.database, "email")}, [])
        await accept(transport, [made.item(boris, "email", "first")])
        ends, overtaken = under_way.ends, False

        async def overtaking(transport: SealedTransport) -> dict[str, int]:
            nonlocal overtaken
            found = await ends(transport)
            if not overtaken:
                overtaken = True
                projector = Projector(house.database, transport, house.store, embedded=True)
                async with running(projector.run()), asyncio.timeout(60):
                    while not await made.log():  # noqa: ASYNC110 (another task works)
                        await asyncio.sleep(0.02)
                await house.wire_keys.destroy(await house.wire_keys.rotate())
            return found

        monkeypatch.setattr(under_way, "ends", overtaking)
        contents = await back_up(house, file)
        assert contents["tables"]["stored_events"] + contents["under_way"] > 1  # else neither has it


async def test_a_backup_takes_few_rows_at_a_time_of_every_table(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(*(made.item(Person(f"Mnogo{n}"), "email", "first") for n in range(250)))
        await made.transport.publisher().publish_many(
            topics.DEAD_LETTERS, [Outgoing("k", b"x", {}) for _ in range(1200)]
        )
        counted: list[int] = []

        class Counting:
            """Counts the rows that each question gives."""

            def __init__(self, tx: Transaction) -> None:
                self._tx = tx

            def rows(self, *args: Any) -> list[Any]:
                found = self._tx.rows(*args)
                counted.append(len(found))
                return found

            def __getattr__(self, name: str) -> Any:
                return getattr(self._tx, name)

        def every_table(tx: Transaction) -> int:
            fake: Any = Counting(tx)
            parts = [backup._parts(fake, table, backup.columns_of(tx, table)) for table in backup.KEPT]
            return sum(len(part) for table in parts for part in table)

        rows = await made.house.database.read(every_table)
        assert (rows > 1000, max(counted)) == (True, backup.ROWS)
        sizes = []
        async for records in look(made.house.settings, made.house.database, topics.DEAD_LETTERS):
            sizes.append(len(records))
        assert (sum(sizes), max(sizes) <= 500) == (1200, True)


@pytest.mark.cluster
async def test_what_waits_in_kafka_is_in_a_backup_and_goes_on_without_kafka(
    own_kafka: KafkaServer, database_url: str, tmp_path: Path
) -> None:
    boris, data, file = Person("Kafkianskiy"), tmp_path / "data", tmp_path / "okno.backup"
    settings = replace(settings_of(data, database_url), kafka=KafkaServers(own_kafka.bootstrap))
    house = open_house(settings)
    transport = house.transport()
    await transport.start()
    try:
        channel = await add_channel(house.database, "email")
        made = Town(house, transport, {"email": channel}, [])
        first, later = made.item(boris, "email", "first"), made.item(boris, "email", "later")
        await accept(transport, [first])
        projector = Projector(house.database, transport, house.store, embedded=False)
        async with running(projector.run()), asyncio.timeout(60):
            while not await made.log():  # noqa: ASYNC110 (another task works)
                await asyncio.sleep(0.1)
        await accept(transport, [later])
        assert (await back_up(house, file))["under_way"] == 1
        await house.wire_keys.destroy(await house.wire_keys.rotate())  # as anybody's erasure does
    finally:
        await transport.close()
        await house.close()
    new = tmp_path / "new"
    new.mkdir()
    for path in data.glob("keys.db*"):
        shutil.copy(path, new / path.name)
    async with closed_shop(new) as (restored, _):
        assert (await restore(restored, file))["under_way"] == 1
    async with town(settings_of(new), {"email": channel}) as again:
        await again.settle()
        ((customer,),) = await again.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        said = [entry["text"] for entry in await again.timeline(UUID(customer))]
        assert said == [boris.say("first"), boris.say("later")]


async def test_a_letter_after_a_restore_has_a_key_of_its_own_and_one_that_was_under_way_keeps_its(
    tmp_path: Path,
) -> None:
    """The new topic's places are the old one's."""
    anna, boris, file, data = Person("Bukovka"), Person("Pismov"), tmp_path / "okno.backup", tmp_path / "data"
    async with town(settings_of(data)) as made:
        await made.publish(made.item(anna, "email", "first"))
        channels = made.channels
    async with closed_shop(data) as (house, transport):
        garbage = Outgoing("email:k", f"garbage of {anna.email}".encode(), {})
        await transport.publisher().publish(topics.INBOUND, garbage)
        await back_up(house, file)
        ((letter,),) = item_keys(house)
    copy_keys(data, tmp_path / "new")
    async with closed_shop(tmp_path / "new") as (house, _):
        await restore(house, file)
    async with town(settings_of(tmp_path / "new"), channels) as made:
        await made.settle()
        assert (await letters(made.house), item_keys(made.house)) == ([garbage.value], [(letter,)])
        await bury(made, boris, "letter")
        assert len(item_keys(made.house)) == 2
        ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        await erase(made, UUID(customer))
        assert await letters(made.house) == [boris.texts["letter"].encode()]
        assert (len(item_keys(made.house)), (letter,) in item_keys(made.house)) == (1, False)


def item_keys(house: House) -> list[tuple[str]]:
    """Return the ids of the keys of letters that are not destroyed."""
    with house.keys.database.reading() as tx:
        return tx.rows("SELECT id FROM item_keys WHERE id LIKE 'letter %' AND length(sealed) > 0 ORDER BY id")


async def test_what_a_backup_has_of_a_copy_goes_with_its_original_also_after_a_restore(
    url: str, tmp_path: Path
) -> None:
    """A copy is on its way when the backup is made, then read, and leads to nothing."""
    anna, file, data = Person("Povtornaya"), tmp_path / "okno.backup", tmp_path / "data"
    async with town(settings_of(data, url)) as made:
        first = made.item(anna, "email", "first")
        await made.publish(first)
        copy = made.item(anna, "email", "copy", same_as=(first.id,))
        channels = made.channels
    async with closed_shop(data, url) as (house, transport):
        await accept(transport, [copy])
        assert (await back_up(house, file))["under_way"] == 1
        assert is_sealed(house, copy.id)
    async with town(settings_of(data, url), channels) as made:
        await made.settle()
        later = tmp_path / "later.backup"
        await back_up(made.house, later)
        ((customer, _),) = await made.house.database.read(lambda tx: tx.rows("SELECT id, address FROM customers"))
    shutil.copytree(data, tmp_path / "new", ignore=shutil.ignore_patterns("okno.db*", "*.lock"))
    async with closed_shop(tmp_path / "new") as (house, _):
        await restore(house, later)
    for folder, at in ((data, url), (tmp_path / "new", "")):
        async with town(settings_of(folder, at), channels) as made:
            await erase(made, UUID(customer))
            assert not is_sealed(made.house, copy.id)


def is_sealed(house: House, item_id: UUID) -> bool:
    """Return whether what was sealed with the key of an item can be opened."""
    return house.wire_keys.items.openers([str(item_id)])[str(item_id)] is not None


async def test_what_was_under_way_is_published_many_at_a_time_and_in_its_order(tmp_path: Path) -> None:
    class Publisher:
        """Keeps what it is given at once."""

        def __init__(self) -> None:
            self.given: list[tuple[str, list[bytes]]] = []

        def publisher(self) -> Publisher:
            return self

        async def publish_again(self, topic: str, records: Sequence[Outgoing]) -> None:
            self.given.append((topic, [record.value for record in records]))

    many = [[topics.INBOUND, "k", {}, "", str(n).encode(), None] for n in range(503)]
    large = [[topics.INBOUND, "k", {}, "", b"x" * under_way.AT_ONCE_BYTES, None] for _ in range(2)]
    async with closed_shop(tmp_path) as (house, _):
        transport: Any = Publisher()
        assert await under_way.publish(house, transport, iter([*many, *large])) == (len(many) + 2, 0)
    assert [len(values) for _, values in transport.given] == [500, 3, 1, 1]
    assert [value for _, values in transport.given for value in values] == [parcel[4] for parcel in [*many, *large]]
