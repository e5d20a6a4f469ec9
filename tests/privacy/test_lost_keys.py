"""A page of keys that is missing is told with whose content it sealed, and declared lost by somebody who says so."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from services.doctor import look_over
from services.house import open_house
from services.privacy import lost
from services.privacy.certificate import is_genuine
from services.privacy.job import carry_out
from services.privacy.lost_on_the_way import OnTheWay
from services.projector.rebuild import Wanted, rebuild
from shared.database.protocol import Transaction
from shared.event_store.traces import read_traces
from shared.keys.pages import PAGE_ID_BYTES, WrongKeyStore
from shared.registry import erasures
from tests.privacy.test_commands import customer_of, okno
from tests.privacy.town import Person, Town, settings_of, town
from tests.services.command_line import Cli

__all__ = ["okno"]


async def two_stores(made: Town, anna: Person, boris: Person) -> tuple[UUID, UUID, bytes]:
    """Return two customers whose keys are in pages of their own, and the page of the first one."""
    await made.publish(made.item(anna, "email", "first"))
    made.house.keys.forget()
    made.house.keys._free.clear()  # as another process would, take another page
    await made.publish(made.item(boris, "email", "first"))
    rows = dict(await made.house.database.read(lambda tx: tx.rows("SELECT address, id FROM customers")))
    customer, other = UUID(rows[anna.email]), UUID(rows[boris.email])
    page = await made.house.database.read(partial(page_of, customer_id=customer))
    assert page != await made.house.database.read(partial(page_of, customer_id=other))
    return customer, other, page


def page_of(tx: Transaction, customer_id: UUID) -> bytes:
    (page,) = {t.key[:PAGE_ID_BYTES] for t in read_traces(tx, 0, 1000) if t.owner == customer_id and t.key}
    return page


def lose(made: Town, page: bytes) -> None:
    with made.house.keys.database.writing() as tx:
        assert tx.run("DELETE FROM key_pages WHERE id = ?", (page,)) == 1
    made.house.keys.forget()


async def test_a_missing_page_is_declared_lost_and_all_else_is_read_again(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Poteryannaya"), Person("Tselyy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        customer, other, page = await two_stores(made, anna, boris)
        others_timeline = await made.timeline(other)
        lose(made, page)
        found = [each.found for each in [f async for f in look_over(made.house)] if each.check == "keys"]
        assert found[0].startswith(
            "1 of 2 pages of keys are missing or damaged, put the key store of this database in its place"
        )
        assert found[1].endswith(f"of 1 clients cannot be read: {customer}")
        with pytest.raises(WrongKeyStore):
            await made.log()

        missing = await asyncio.to_thread(lost.find, made.house.database, made.house.keys.pages)
        assert missing.owners.keys() == {customer}
        id_ = await lost.declare(made.house, missing, OnTheWay(), "the disk died", "o")
        assert {r.erased for r in await made.log() if is_of(customer, r.event)} == {True}
        assert {r.erased for r in await made.log() if is_of(other, r.event)} == {False}
        async with asyncio.timeout(60):
            while await carry_out(made.stores()):  # noqa: ASYNC110 (it waits for others' work)
                await asyncio.sleep(0.05)

        assert {entry["text"] for entry in await made.timeline(customer)} == {""}
        assert await made.timeline(other) == others_timeline
        assert all(result.equal for result in await rebuild(made.house.database, Wanted(switch=False)))
        done = await made.house.database.read(partial(erasures.one, id_=id_))
        assert done is not None
        assert is_genuine(done.certificate or {})
        told = {name: (done.certificate or {})[name] for name in ("kind", "customers", "reason", "requested_by")}
        assert told == {"kind": "lost", "customers": [str(customer)], "reason": "the disk died", "requested_by": "o"}
        assert (done.certificate or {})["destroyed"]["pages"] == 1
        again = await asyncio.to_thread(lost.find, made.house.database, made.house.keys.pages)
        with pytest.raises(erasures.WrongErasure, match="no key is missing"):
            await lost.declare(made.house, again, OnTheWay(), "", "o")
        await made.publish(made.item(anna, "email", "second"))
        assert anna.say("second") in {entry["text"] for entry in await made.timeline(customer)}


def is_of(customer_id: UUID, event: object) -> bool:
    return getattr(event, "customer_id", None) == customer_id


async def test_another_store_or_secret_is_not_declared_lost_by_mistake(url: str, tmp_path: Path) -> None:
    anna = Person("Oshibochnaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
    (tmp_path / "data" / "keys.db").rename(tmp_path / "kept.db")
    house = open_house(settings_of(tmp_path / "data", url), keys_may_lack=True)
    found = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
    with pytest.raises(erasures.WrongErasure, match="this is another key store"):
        await lost.declare(house, found, OnTheWay(), "", "o")
    await house.close()
    with pytest.raises(WrongKeyStore):
        open_house(settings_of(tmp_path / "data", url))


def test_the_command_line_tells_whose_content_is_lost_and_declares_it(okno: Cli) -> None:
    customer = customer_of(okno)
    assert okno.json("keys", "lost")["items"] == []
    okno.in_house(_drop_pages)
    (row,) = okno.json("keys", "lost", status=1)["items"]
    assert row["id"] == customer
    said = okno("doctor", status=1)
    assert f"of 1 clients cannot be read: {customer}" in said
    assert "lacks 1 pages of keys" in okno.wrong("timeline", customer)
    assert "this is another key store" in okno.wrong("keys", "declare-lost", "--yes")
    done = okno.json("keys", "declare-lost", "--yes", "--whole-store")
    assert (done["kind"], done["state"]) == ("lost", "done")
    assert {entry["text"] for entry in okno.json("timeline", customer)["items"]} == {""}
    assert "no key is missing" in okno.wrong("keys", "declare-lost", "--yes")


async def _drop_pages(house: object) -> None:
    with house.keys.database.writing() as tx:  # type: ignore[attr-defined]
        tx.run("DELETE FROM key_pages")
