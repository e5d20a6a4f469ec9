"""After an erasure nothing that Okno tells, in any way there is, has a word of the customer; and nothing fails."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from services.house import open_house
from services.inbox_api import importing
from services.outbound.told import told
from services.privacy.backup import back_up
from services.privacy.restore import restore
from services.projector.chain import link_next
from services.projector.rebuild import Wanted, rebuild
from shared.audit.walk import How, Span, audit
from shared.clock import now
from shared.event_store import chain, merging, threads
from shared.event_store.chain_verify import Head, verify
from shared.logs import JsonLines
from shared.read_models import customers, groups
from tests.privacy.life import all_that_is_told, by_olga, decide, indexed, live_on, replayed
from tests.privacy.planted import found_in
from tests.privacy.test_backup import unpacked
from tests.privacy.test_erasure import erase, everything
from tests.privacy.town import Person, Town, settings_of, town


async def head_of(made: Town) -> Head:
    while await link_next(made.house.database):
        continue
    link = await made.house.database.read(chain.last_link)
    return Head(link.until, link.hash)


async def missing(made: Town) -> dict[str, int]:
    ledger = await audit(made.house.database, made.house.blobs, Span(), now(), How(describe=told))
    return dict(ledger.kinds)


def logged(records: list[logging.LogRecord]) -> str:
    form = JsonLines()
    return "\n".join(form.format(record) for record in records)


@pytest.mark.timeout(300)
async def test_whatever_was_kept_of_a_customer_is_told_no_more(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "okno")
    folder, file = tmp_path / "data", tmp_path / "okno.backup"
    anna, boris = Person("Vezdeznaemaya"), Person("Ryadomzhivushchiy")
    async with town(settings_of(folder, url)) as made:
        customer, other = await made.live_through(anna), await made.live_through(boris)
        import_id = await live_on(made, anna, customer)
        await indexed(made)
        at, head = now(), await head_of(made)
        told_before = await all_that_is_told(made, customer, at)
        kept = {what for what, text in anna.texts.items() if text in told_before}
        assert {"card-notes", "own-field", "consent", "imported", "echo", "typing", "heard.mp3", "mail"} <= kept
        assert {"held-leg", "second address", "automatic", "split", "note", "reply", "chat", "field"} <= kept
        assert await missing(made) == {}
        assert found_in([folder / "replay"], [anna.texts["note"]]).keys() == {anna.texts["note"]}
        await back_up(made.house, file)
        assert found_in([unpacked(file, tmp_path / "unpacked")], [*anna.texts.values(), *boris.texts.values()]) == {}
        others_card = await made.house.database.read(partial(customers.customer, customer_id=other))

        erasure = await erase(made, customer)

        assert len((erasure.certificate or {})["customers"]) == 2
        told_after = await all_that_is_told(made, customer, at)
        assert [text for text in anna.texts.values() if text in told_after] == []
        assert [text for text in anna.texts.values() if text in await everything(made.house.database)] == []
        assert boris.texts["mail"] in told_after
        shown = await made.house.database.read(partial(customers.customer, customer_id=customer))
        assert (shown or {})["erased_at"] is not None
        assert await made.house.database.read(partial(customers.customer, customer_id=other)) == others_card

        await head_of(made)
        verified = await verify(made.house.database, head)
        assert verified.difference is None
        assert await missing(made) == {}
        await replayed(made)
        assert all(each.equal for each in await rebuild(made.house.database, Wanted(switch=False)))
        async for _ in importing.undo(made.house.store, made.house.database, import_id, by_olga(import_id)):
            continue
        await take_apart(made, customer)
        assert all(each.equal for each in await rebuild(made.house.database, Wanted(switch=False)))
        told_after = await all_that_is_told(made, customer, at)
        assert [text for text in anna.texts.values() if text in told_after] == []
    assert found_in([folder], anna.texts.values()) == {}
    assert [text for text in (*anna.texts.values(), *boris.texts.values()) if text in logged(caplog.records)] == []
    await restored(tmp_path, url, file, anna, customer)


async def take_apart(made: Town, customer: UUID) -> None:
    """Whoever was merged is un-merged, conversations too."""
    _, member = map(UUID, await made.house.database.read(partial(groups.members, customer_id=customer)))
    await decide(made, lambda session, tx: merging.unmerge(session, tx, customer, member, by_olga()))
    rows = await made.house.database.read(
        lambda tx: tx.rows("SELECT id FROM conversations WHERE merged_into IS NOT NULL")
    )
    for (id_,) in rows:
        await decide(made, lambda session, tx, id_=id_: threads.unmerge(session, tx, UUID(id_), by_olga()))


async def restored(tmp_path: Path, url: str, file: Path, anna: Person, customer: UUID) -> None:
    """The backup is older than the erasure: its key store is not."""
    if not url.startswith("sqlite"):
        return
    new = tmp_path / "new"
    new.mkdir()
    for each in (tmp_path / "data").glob("keys.db*"):
        (new / each.name).write_bytes(each.read_bytes())
    house = open_house(settings_of(new))
    try:
        await restore(house, file)
        assert (await verify(house.database)).difference is None
        body = await house.database.read(partial(customers.customer, customer_id=customer))
        assert (body or {})["erased"] is True
    finally:
        await house.close()
    assert found_in([new], anna.texts.values()) == {}
