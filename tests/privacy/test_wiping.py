"""The databases' files are cleared of what was deleted: once for all erasures that end, and of all that was plain."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from services.privacy import tables
from services.privacy.job import carry_out
from services.privacy.replays import NoProjection
from services.privacy.stores import Stores
from shared.registry import erasures
from tests.privacy.test_resealed import customer_of
from tests.privacy.town import Person, Town, settings_of, town
from tests.privacy.wiped import watched


async def ask(made: Town, who: Person) -> UUID:
    request = partial(erasures.request, customer_id=await customer_of(made, who), reason="asked for it", by="o")
    return await made.house.database.write(request)


async def finish(stores: Stores) -> None:
    async with asyncio.timeout(60):
        while await carry_out(stores):  # noqa: ASYNC110 (it waits for others' work)
            await asyncio.sleep(0.02)


async def test_files_are_cleared_once_for_all_erasures_that_end_together(url: str, tmp_path: Path) -> None:
    people = [Person(name) for name in ("Pervaya", "Vtoraya", "Tretya")]
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(*(made.item(who, "email", "first") for who in people))
        asked = [await ask(made, who) for who in people]
        stores, wiped = watched(made.stores())
        await finish(stores)
        assert wiped == [tables.TABLES]
        done = [await made.house.database.read(partial(erasures.one, id_=id_)) for id_ in asked]
        assert [each and (each.state, each.certificate is not None) for each in done] == [("done", True)] * 3


async def test_raw_items_older_than_keys_are_cleared_also_after_a_crash_that_had_deleted_them(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Prezhnyaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        made.house.database.keys, keys = None, made.house.database.keys
        await made.publish(made.item(anna, "email", "first"))
        made.house.database.keys = keys
        await ask(made, anna)
        foreign = tmp_path / "data" / "replay" / "notes.db"
        foreign.parent.mkdir()
        foreign.write_bytes(b"what stops it half-way" * 100)
        stores, wiped = watched(made.stores())
        with pytest.raises(NoProjection):
            await carry_out(stores)
        assert await made.house.database.read(lambda tx: tx.rows("SELECT * FROM raw_items")) == []
        foreign.unlink()
        await finish(stores)
        assert wiped == [(*tables.TABLES, tables.RAW_ITEMS)]
