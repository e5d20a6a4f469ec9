"""A page of keys with one changed byte is as good as missing: told by the doctor, and declared lost like one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.doctor import look_over
from services.privacy import lost
from services.privacy.lost_on_the_way import OnTheWay
from shared.keys.pages import WrongKeyStore
from tests.privacy.test_lost_keys import two_stores
from tests.privacy.town import Person, Town, settings_of, town


def damage(made: Town, page: bytes) -> None:
    with made.house.keys.database.writing() as tx:
        (sealed,) = tx.row("SELECT sealed FROM key_pages WHERE id = ?", (page,)) or (b"",)
        changed = bytes(sealed[:100]) + bytes([sealed[100] ^ 1]) + bytes(sealed[101:])
        tx.run("UPDATE key_pages SET sealed = ? WHERE id = ?", (changed, page))
    made.house.keys.forget()


async def test_a_damaged_page_is_told_and_declared_lost_and_all_else_is_read_again(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Povrezhdyonnaya"), Person("Sokhranivshiysya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        customer, other, page = await two_stores(made, anna, boris)
        damage(made, page)
        told = [each.found async for each in look_over(made.house) if each.check == "keys"]
        assert told[0].startswith("1 of 2 pages of keys are missing or damaged, put the key store")
        with pytest.raises(WrongKeyStore, match="a page of them was damaged"):
            await made.log()

        found = await asyncio.to_thread(lost.find, made.house.database, made.house.keys.pages)
        assert (found.pages, found.owners.keys()) == ({page}, {customer})
        await lost.declare(made.house, found, OnTheWay(), "the disk lost a bit", "o")
        owners = {r.erased: getattr(r.event, "customer_id", None) for r in await made.log()}
        assert owners == {True: customer, False: other}
