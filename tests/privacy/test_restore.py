"""A restore does everything or nothing: alone, durable, with what is under way last, and with keys that may be lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services import up
from services.doctor import look_over
from services.house import House, alone, open_house
from services.privacy import restore as restoring
from services.privacy import under_way
from services.privacy.backup import back_up
from services.privacy.restore import WrongBackup, restore
from services.privacy.tables import GONE
from services.serve import bind
from shared.contracts import topics
from shared.database.protocol import Transaction
from shared.keys.pages import WrongKeyStore
from shared.registry import erasures
from shared.registry import restoring as registry
from shared.registry.restoring import RestoreUnfinished
from shared.settings import Settings, WrongSettings
from shared.transport.look import look
from tests.privacy.test_resealed import customer_of
from tests.privacy.test_under_way import accept, answer, closed_shop, copy_keys
from tests.privacy.test_wiping import finish
from tests.privacy.town import Person, Town, settings_of, town
from tests.services.fakes import add_channel


def empty(tx: Transaction) -> bool:
    tables = ("stored_events", "channels", "deliveries")
    return not any(tx.rows(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)


async def on_topic(house: House, topic: str) -> int:
    return sum([len(records) async for records in look(house.settings, house.database, topic)])


async def test_what_was_under_way_is_published_when_all_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, file = Person("Poslednyaya"), tmp_path / "okno.backup"
    async with closed_shop(tmp_path / "data") as (house, transport):
        await restored_item(house, transport, anna, file)
    copy_keys(tmp_path / "data", tmp_path / "new")

    async def broken(house: House) -> None:
        raise OSError("no space left on device")

    async with closed_shop(tmp_path / "new") as (house, _):
        monkeypatch.setattr(restoring, "rebuild_all", broken)
        with pytest.raises(OSError, match="no space left"):
            await restore(house, file)
        assert await on_topic(house, topics.INBOUND) == 0


async def test_a_restore_that_is_cut_short_anywhere_lets_nothing_start_and_is_begun_anew(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, file, new = Person("Prervannaya"), tmp_path / "okno.backup", tmp_path / "new"
    async with town(settings_of(tmp_path / "old")) as made:
        await made.publish(made.item(anna, "email", "first"))
        channels, customer = made.channels, await customer_of(made, anna)
        before, log, later = await made.timeline(customer), await made.log(), made.item(anna, "email", "later")
    async with closed_shop(tmp_path / "old") as (house, transport):
        await accept(transport, [later])
        await back_up(house, file)
    copy_keys(tmp_path / "old", new)
    house = open_house(settings_of(new, url), half_restored=True)
    for holder, name in ((restoring, "reindex"), (restoring, "rebuild_all"), (restoring, "erase_again")):
        with monkeypatch.context() as patched:
            patched.setattr(holder, name, power_cut)
            with pytest.raises(PowerCut):
                await restore(house, file)
        assert [f.state async for f in look_over(house) if f.check == "restore"] == ["wrong"]
        with pytest.raises(RestoreUnfinished, match=r"okno\.backup.*run `okno restore` again, which begins anew"):
            await start_all(settings_of(new, url))
    publish = under_way.publish
    with monkeypatch.context() as patched:
        patched.setattr(under_way, "publish", after(publish))
        with pytest.raises(PowerCut):
            await restore(house, file)
    await restore(house, file)
    assert await on_topic(house, topics.INBOUND) == 1
    await house.close()
    async with town(settings_of(new, url), channels) as again:
        await again.settle()
        assert [event.event for event in await again.log()][: len(log)] == [event.event for event in log]
        timeline = await again.timeline(customer)
        assert [entry for entry in timeline if entry["text"] != anna.say("later")] == before
        assert len(timeline) == len(before) + 1
        with pytest.raises(WrongBackup, match="is in use"):
            await restore(again.house, file)


async def start_all(settings: Settings) -> None:
    with bind("127.0.0.1", 0) as listening:
        await up._main(settings, up.Start(up.EVERYTHING, "127.0.0.1", 0), listening, "http://127.0.0.1")


class PowerCut(BaseException):
    """No code of ours runs after it."""


def power_cut(*args: Any, **more: Any) -> Any:
    raise PowerCut


def after(step: Any) -> Any:
    async def cut(*args: Any) -> None:
        await step(*args)
        raise PowerCut

    return cut


async def test_a_service_that_looked_before_a_restore_began_is_seen_or_ends(any_url: str, tmp_path: Path) -> None:
    async with closed_shop(tmp_path / "here", any_url) as (house, _):
        if house.database.dialect != "postgres":
            return  # one process has the data folder
        async with closed_shop(tmp_path / "there", any_url) as (other, _):
            listening = other.database.listen("anything")
            assert await listening.wait(30)
            with pytest.raises(WrongBackup, match="stop all of it first"):
                await restoring._begin(house, "okno.backup")
            await house.database.read(registry.refuse_unfinished)
        async with closed_shop(tmp_path / "there", any_url) as (other, _):
            await house.database.write(partial(registry.begin, file="okno.backup"))
            async with asyncio.timeout(30):
                with pytest.raises(RestoreUnfinished):
                    await up._beside_a_restore(other).run()


async def restored_item(house: House, transport: Any, who: Person, file: Path) -> None:
    made = Town(house, transport, {"email": await add_channel(house.database, "email")}, [])
    await accept(transport, [made.item(who, "email", "waits")])
    assert (await back_up(house, file))["under_way"] == 1


async def test_a_restore_is_refused_while_okno_runs(url: str, tmp_path: Path) -> None:
    anna, file = Person("Zanyataya"), tmp_path / "okno.backup"
    async with closed_shop(tmp_path / "old") as (house, transport):
        await restored_item(house, transport, anna, file)
    copy_keys(tmp_path / "old", tmp_path / "data")
    async with closed_shop(tmp_path / "data", url) as (house, _):
        with alone(house.settings), pytest.raises(WrongSettings, match="in use by another Okno"):
            await restore(house, file)
        if house.database.dialect == "postgres":
            async with house.database.leadership("somewhere else"):
                with pytest.raises(WrongBackup, match="stop all of it first"):
                    await restore(house, file)
        assert await house.database.read(empty)
        assert (await restore(house, file))["under_way"] == 1


async def test_keys_that_an_older_key_store_lacks_are_declared_lost_when_asked(url: str, tmp_path: Path) -> None:
    anna, boris, file = Person("Prochitannaya"), Person("Poteryannyy"), tmp_path / "okno.backup"
    data, new = tmp_path / "data", tmp_path / "new"
    async with town(settings_of(data, url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        made.house.keys.forget()
        made.house.keys._free.clear()  # as another process would, take another page
        copy_keys(data, new)
        await made.publish(made.item(boris, "email", "first"))
        customer, other = await customer_of(made, anna), await customer_of(made, boris)
        channels, before = made.channels, await made.timeline(customer)
        later = made.item(anna, "email", "later")
    async with closed_shop(data, url) as (house, transport):
        await answer(house, transport, boris, "queued")
        await accept(transport, [later])
        await back_up(house, file)
    async with closed_shop(new) as (house, _):
        told = "the key store lacks 2 of 3 pages of keys, and 2 keys of what was under way: put the key store .*lack$"
        with pytest.raises(WrongKeyStore, match=told):
            await restore(house, file)
        assert await house.database.read(empty)
        loaded = await restore(house, file, keys_may_lack=True)
        assert [loaded[name] for name in ("under_way", "under_way_of_erased", "lost_pages", "lost_items")] == [
            0, 2, 2, 2,
        ]  # fmt: skip
    async with town(settings_of(new), channels) as again:
        await again.settle()
        await finish(again.stores())
        assert await again.timeline(customer) == before
        assert {entry["text"] for entry in await again.timeline(other)} == {"", GONE}
        delivered = [entry["delivery"] for entry in await again.timeline(other) if entry["delivery"]]
        assert [(each["state"], each["error"]) for each in delivered] == [("failed", GONE)]
        (done,) = await again.house.database.read(erasures.everything)
        assert (done.kind, done.state, done.requested_by) == ("lost", "done", "restore")


@pytest.mark.parametrize("step", ["_load_files", "erase_again"])
async def test_single_keys_that_lack_are_declared_lost_however_often_the_restore_is_cut_short(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    anna, file, new = Person("Nedostayushchaya"), tmp_path / "okno.backup", tmp_path / "new"
    async with closed_shop(tmp_path / "old") as (house, transport):
        copy_keys(tmp_path / "old", new)
        await restored_item(house, transport, anna, file)
    house = open_house(settings_of(new, url), half_restored=True)
    with monkeypatch.context() as patched:
        patched.setattr(restoring, step, power_cut)
        with pytest.raises(PowerCut):
            await restore(house, file, keys_may_lack=True)
    if step == "_load_files":
        with pytest.raises(WrongKeyStore, match="1 keys of what was under way"):
            await restore(house, file)
    loaded = await restore(house, file, keys_may_lack=True)
    assert (loaded["under_way"], loaded["under_way_of_erased"], loaded["lost_items"]) == (0, 1, 1)
    (declared,) = await house.database.read(erasures.everything)
    assert (declared.kind, declared.requested_by, len(declared.details["lost_letters"])) == ("lost", "restore", 1)
    await house.close()


async def test_another_key_store_is_refused_whatever_may_lack_unless_all_of_it_is_gone(
    url: str, tmp_path: Path
) -> None:
    anna, file, new = Person("Chuzhaya"), tmp_path / "okno.backup", tmp_path / "new"
    async with town(settings_of(tmp_path / "old")) as made:
        await made.publish(made.item(anna, "email", "first"))
        customer, channels = await customer_of(made, anna), made.channels
        await back_up(made.house, file)
    async with closed_shop(new, url) as (house, _):
        told = r"lacks 1 of 1 pages.*put the key store.*or --keys-may-lack --whole-store, when it is gone for good\)$"
        for options in ({"keys_may_lack": True}, {"whole_store": True}):
            with pytest.raises(WrongKeyStore, match=told):
                await restore(house, file, **options)
        assert await house.database.read(empty)
        assert (await restore(house, file, keys_may_lack=True, whole_store=True))["lost_pages"] == 1
    async with town(settings_of(new, url), channels) as again:
        await finish(again.stores())
        assert {entry["text"] for entry in await again.timeline(customer)} == {""}
        await again.publish(again.item(anna, "email", "second"))
        (done,) = await again.house.database.read(erasures.everything)
        assert (done.kind, done.state, (done.certificate or {})["customers"]) == ("lost", "done", [str(customer)])


async def test_a_backup_and_what_is_restored_of_it_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, new = tmp_path / "okno.backup", tmp_path / "new"
    async with closed_shop(tmp_path / "data") as (house, transport):
        await house.blobs.put(b"recorded" * 9000)
        with synced(monkeypatch) as of_backup:
            await restored_item(house, transport, Person("Nadezhnaya"), file)
    assert {inode(file), inode(tmp_path)} <= of_backup
    copy_keys(tmp_path / "data", new)
    async with closed_shop(new) as (house, _):
        with synced(monkeypatch) as of_restored:
            await restore(house, file)
    files = [path for path in (new / "blobs").glob("??/*") if not path.name.startswith(".")]
    assert len(files) == 1
    folders = (files[0].parent, new / "blobs", new)
    assert {inode(path) for path in (*files, *folders)} <= of_restored


@contextmanager
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """Yield what will be told of as durable."""
    inodes, fsync = set[int](), os.fsync

    def noted(number: int) -> None:
        inodes.add(os.fstat(number).st_ino)
        fsync(number)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", noted)
        yield inodes


def inode(path: Path) -> int:
    return path.stat().st_ino
