"""A backup holds everything but keys, and brings nobody back who was erased after it was made."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from services import cli
from services.house import open_house
from services.privacy import backup
from services.privacy.backup import back_up
from services.privacy.restore import WrongBackup, restore
from shared.database.protocol import Transaction
from shared.event_store.reindex import TABLES, reindex
from shared.keys.pages import WrongKeyStore
from shared.read_models import live
from shared.registry import erasures
from tests.examples import inbound as item_of
from tests.privacy.planted import found_in
from tests.privacy.test_erasure import erase
from tests.privacy.town import Person, settings_of, town
from tests.services.command_line import Cli
from tests.services.command_line import okno as okno
from tests.services.export.test_pass_over import spoil


def routing(tx: Transaction) -> dict[str, list[object]]:
    return {table: sorted(tx.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def unpacked(file: Path, folder: Path) -> Path:
    """Return a folder with what is in a backup, without compression."""
    shutil.unpack_archive(file, folder, "zip")
    return folder


async def test_a_restored_backup_does_not_bring_back_who_was_erased_after_it(url: str, tmp_path: Path) -> None:
    anna, boris, file = Person("Snimkova"), Person("Ostavlennov"), tmp_path / "okno.backup"
    async with town(settings_of(tmp_path / "data", url)) as made:
        customer, other = await made.live_through(anna), await made.live_through(boris)
        timeline = await made.timeline(other)
        await back_up(made.house, file)
        assert found_in([unpacked(file, tmp_path / "unpacked")], [*anna.texts.values(), *boris.texts.values()]) == {}
        await erase(made, customer)
        erased_timeline = await made.timeline(customer)
    new = tmp_path / "new"
    new.mkdir()
    for path in (tmp_path / "data").glob("keys.db*"):
        shutil.copy(path, new / path.name)
    house = open_house(settings_of(new))
    loaded = await restore(house, file)
    assert (loaded["erased_again"], loaded["blobs"]) == (1, 10)
    await house.close()
    async with town(settings_of(new), made.channels) as again:
        (asked,) = await again.house.database.read(erasures.unfinished)
        assert (asked.subject_id, asked.requested_by) == (customer, "restore")
        await erase(again, customer)
        assert [e["text"] for e in await again.timeline(customer)] == [
            *(e["text"] for e in erased_timeline[:-1]), "erased after the backup that was restored"
        ]  # fmt: skip
        assert await again.timeline(other) == timeline
        for sha256 in {f["sha256"] for entry in timeline for f in entry["attachments"]}:
            assert await again.house.blobs.get(sha256)
        mail = again.item(boris, "email", "after the restore")
        await again.publish(mail)
        assert boris.say("after the restore") in [e["text"] for e in await again.timeline(other)]
    assert found_in([new], anna.texts.values()) == {}


async def test_the_routing_index_made_anew_is_the_one_that_was_written(url: str, tmp_path: Path) -> None:
    anna = Person("Indeksova")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.live_through(anna)
        database = made.house.database
        before = await database.read(routing)
        reindex(database)
        assert await database.read(routing) == before


def test_a_backup_with_an_event_that_cannot_be_read_is_restored_without_it_when_asked(
    tmp_path: Path, okno: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    file, new = str(tmp_path / "okno.backup"), tmp_path / "new"

    def restored(*options: str) -> tuple[int, str]:
        return cli.main(["restore", file, "--data", str(new), *options]), capsys.readouterr().err

    okno.receive(item_of("first"), item_of("second"))
    okno.in_house(lambda house: spoil(house.database, 3))
    okno("backup", "--out", file)
    new.mkdir()
    for path in (*okno.data.glob("keys.db*"), okno.data / "secret.key"):
        shutil.copy(path, new / path.name)
    status, told = restored()
    assert (status, "at position 3 (MessageReceived)" in told, "--pass-over" in told) == (3, True, True)
    status, told = restored("--pass-over")
    assert (status, told.startswith("left out: the event at position 3 "), told.count("\n")) == (1, True, 1)
    timeline = Cli(new, capsys).json("timeline", "anna@example.com")
    assert [entry["text"] for entry in timeline["items"]] == ["second"]


async def test_what_cannot_be_restored_says_why(url: str, tmp_path: Path) -> None:
    anna, file = Person("Klyucheva"), tmp_path / "okno.backup"
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        await back_up(made.house, file)
        with pytest.raises(WrongBackup, match="in use"):
            await restore(made.house, file)
    house = open_house(settings_of(tmp_path / "without keys"))
    with pytest.raises(WrongKeyStore):
        await restore(house, file)
    (tmp_path / "no.backup").write_text("no")
    with pytest.raises(WrongBackup, match="no backup of Okno"):
        await restore(house, tmp_path / "no.backup")
    await house.close()


async def test_every_table_is_backed_up_made_anew_or_left_out_by_decision(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        database = made.house.database
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if database.dialect == "postgres":
            sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        tables = {name for (name,) in await database.read(partial(_rows, sql=sql))}
    shown = {table for model in live.models().values() for table in model.tables}
    decided = {*backup.KEPT, *backup.MADE_ANEW, *backup.LEFT_OUT}
    assert {t for t in tables if not any(t == s or t.startswith(f"{s}_") for s in shown)} - decided == set()


def _rows(tx: Transaction, sql: str) -> list[tuple[str]]:
    return tx.rows(sql)
