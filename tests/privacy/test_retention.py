"""What is older than its channel's rule becomes unreadable by itself; holds keep it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.privacy import main, retention
from services.privacy.job import carry_out
from services.privacy.main import Privacy
from services.projector import inbound
from services.projector.rebuild import Wanted, rebuild
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import FileRef, RemoteFile, inbound_id
from shared.database.lead import lead_forever
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.read_models import conversations
from shared.registry import erasures
from tests.examples import call_report, raw
from tests.privacy.planted import found_in
from tests.privacy.town import Person, Town, settings_of, town
from tests.services.fakes import until
from tests.services.projector.running import running

NOW = datetime.now(UTC)


async def said(made: Town, who: Person, channel: str, what: str, days_ago: int) -> None:
    """Record a message as it would have been recorded some days ago."""
    store = EventStore(made.house.database, lambda: NOW - timedelta(days=days_ago), made.house.keys)
    item = made.item(who, channel, what)
    await store.record(lambda session, tx: inbound.receive(session, tx, [item]))
    await made.settle()


async def apply(made: Town) -> list[UUID]:
    requests = await made.house.database.write(retention.due)
    async with asyncio.timeout(60):
        while await carry_out(made.stores()):  # noqa: ASYNC110 (it waits for other processes too)
            await asyncio.sleep(0.05)
    return requests


async def texts(made: Town) -> set[str]:
    rows = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
    return {entry["text"] for (id_,) in rows for entry in await made.timeline(UUID(id_))}


async def test_content_goes_with_its_channel_and_age_and_all_else_stays(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Davnishnyaya"), Person("Uderzhannov")
    async with town(settings_of(tmp_path / "data", url)) as made:
        for who in (anna, boris):
            await said(made, who, "email", "old-mail", 100)
            await said(made, who, "web_form", "old-form", 100)
            await said(made, who, "email", "new-mail", 3)
        database = made.house.database
        ((customer,),) = await database.read(
            lambda tx: tx.rows("SELECT id FROM customers WHERE address = ?", (boris.email,))
        )
        hold = partial(erasures.hold, kind="customer", subject_id=UUID(customer), reason="court", by="o")
        hold_id = await database.write(hold)
        mail = made.channels["email"].id
        await database.write(partial(erasures.set_rule, channel_id=mail, days=30, by="o"))
        assert len(await apply(made)) == 1
        kept = {anna.say("old-form"), anna.say("new-mail"), *map(boris.say, ("old-mail", "old-form", "new-mail"))}
        assert await texts(made) == {*kept, ""}
        rows = {row["id"]: row for row in await database.read(conversations.every_one)}
        (gone,) = [row for row in rows.values() if row["last_message"].get("erased")]
        assert (gone["customer"]["erased"], gone["unanswered"], gone["last_message"]["preview"]) == (False, False, "")
        assert sum(row["unanswered"] for row in rows.values()) == len(rows) - 1
        assert all(result.equal for result in await rebuild(database, Wanted(switch=False)))
        assert await apply(made) == []
        await database.write(partial(erasures.release, id_=hold_id, by="o"))
        assert len(await apply(made)) == 1
        assert await texts(made) == {*kept, ""} - {boris.say("old-mail")}
        (last, *_) = await database.read(erasures.everything)
        assert last.certificate is not None
        assert (last.certificate["kind"], last.certificate["channel"]) == ("retention", str(mail))
    if url.startswith("sqlite"):
        gone = [anna.say("old-mail"), anna.say("subject-old-mail"), anna.say("raw-old-mail"), boris.say("old-mail")]
        assert found_in([tmp_path / "data"], gone) == {}


async def test_a_channel_on_hold_is_left_alone(url: str, tmp_path: Path) -> None:
    anna = Person("Derzhimaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await said(made, anna, "email", "old-mail", 100)
        database, mail = made.house.database, made.channels["email"].id
        await database.write(partial(erasures.set_rule, channel_id=mail, days=30, by="o"))
        assert await database.read(retention.has_new_rule)
        await database.write(partial(erasures.hold, kind="channel", subject_id=mail, reason="audit", by="o"))
        assert not await database.read(retention.has_new_rule)
        assert await apply(made) == []
        assert anna.say("old-mail") in await texts(made)


async def test_a_rule_is_gone_by_again_and_again_though_nobody_asks(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "RULES_SECONDS", 0.1)
    monkeypatch.setattr(main, "IDLE_SECONDS", 0.05)
    anna = Person("Vremennaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        for days_ago in (100, 60, 3):
            await said(made, anna, "email", f"mail-{days_ago}", days_ago)
        database, mail = made.house.database, made.channels["email"].id

        async def shows(*days_ago: int) -> bool:
            return await texts(made) == {anna.say(f"mail-{days}") for days in days_ago} | {""}

        async with running(lead_forever(database, "privacy", Privacy(made.stores()).work)):
            await database.write(partial(erasures.set_rule, channel_id=mail, days=90, by="o"))
            await until(partial(shows, 60, 3))
            await database.write(lambda tx: tx.run("UPDATE retention_rules SET days = 30"))  # as if 60 days had gone by
            await until(partial(shows, 3))


@pytest.mark.parametrize("released", [True, False])
async def test_what_was_released_or_changed_while_a_rule_was_applied_is_looked_at_again(
    database: Database, store: EventStore, released: bool
) -> None:
    mail, somebody = uuid4(), uuid4()

    def prepared(tx: Transaction) -> UUID:
        erasures.set_rule(tx, mail, 30, "o")
        tx.run("UPDATE retention_rules SET done_until = '2020-01-02T00:00:00.000000Z'")
        return erasures.hold(tx, "customer", somebody, "court", "o")

    hold_id = await database.write(prepared)

    class Interrupted:
        """Somebody else's transaction is committed once the rules were read."""

        def __init__(self, tx: Transaction) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tx, name)

        def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
            found = self._tx.rows(sql, parameters)
            if "FROM retention_rules" in sql and released:
                erasures.release(self._tx, hold_id, "o")
            elif "FROM retention_rules" in sql:
                erasures.set_rule(self._tx, mail, 3650, "o")
            return found

    assert await database.write(lambda tx: retention.due(cast("Transaction", Interrupted(tx)))) == []
    assert await database.read(retention.has_new_rule)
    assert len(await database.write(retention.due)) == 1


@pytest.mark.parametrize("days", [1, 30, 365])
def test_a_week_goes_once_all_of_it_is_older_than_the_rule(days: int) -> None:
    until = retention.before(days, NOW)
    assert timedelta(0) <= NOW - timedelta(days=days) - until < timedelta(days=7)
    assert until.weekday() == 3


async def test_what_a_rule_has_looked_at_is_not_looked_at_again_until_the_rule_changes(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Ezhenedelnaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        for days_ago in (120, 110, 60, 3):
            await said(made, anna, "email", f"mail-{days_ago}", days_ago)
        database, mail = made.house.database, made.channels["email"].id
        await database.write(partial(erasures.set_rule, channel_id=mail, days=90, by="o"))
        (first,) = await apply(made)
        seen, old = (await details(made, first))["looked_until"], NOW - timedelta(days=100)
        assert seen == max(r.position for r in await made.log() if r.recorded_at < old)
        await database.write(lambda tx: tx.run("UPDATE retention_rules SET days = 30"))  # as if 60 days had gone by
        (second,) = await apply(made)
        later = await details(made, second)
        new = [r for r in await made.log() if r.position > seen and r.recorded_at < NOW - timedelta(days=50)]
        assert (later["after"], later["counts"]["events"]) == (seen, len(new))
        assert await texts(made) == {anna.say("mail-3"), ""}
        assert all(result.equal for result in await rebuild(database, Wanted(switch=False)))
        await database.write(partial(erasures.set_rule, channel_id=mail, days=2, by="o"))
        (third,) = await apply(made)
        assert (await details(made, third))["after"] == 0


async def details(made: Town, id_: UUID) -> dict[str, Any]:
    found = await made.house.database.read(partial(erasures.one, id_=id_))
    assert found is not None
    return found.details


async def test_a_file_of_a_held_report_goes_though_it_came_weeks_after_the_report(url: str, tmp_path: Path) -> None:
    anna = Person("Zhdushchaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        database, telephony = made.house.database, made.channels["telephony"].id
        report = replace(
            call_report("finished", "c1", "", answered_by=""), channel_id=telephony, awaits_call=True,
            id=inbound_id(telephony, "c1/1"), raw=raw(b"report"),
            remote_files=(RemoteFile("r1", "rec.mp3", "audio/mpeg"),),
        )  # fmt: skip
        kept = FileRef("a" * 64, 5, anna.say("rec.mp3"), "audio/mpeg")
        file = FileFetched(fetch_id(report.id, "r1"), report.id, telephony, "r1", kept, NOW)
        for contract, days_ago in ((report, 120), (file, 60)):
            store = EventStore(database, partial(days_before, days_ago), made.house.keys)
            await store.record(lambda session, tx, contract=contract: inbound.receive(session, tx, [contract]))
        await database.write(partial(erasures.set_rule, channel_id=telephony, days=90, by="o"))
        (first,) = await apply(made)
        assert anna.say("rec.mp3") in str(await made.log())
        await database.write(lambda tx: tx.run("UPDATE retention_rules SET days = 30"))  # as if 60 days had gone by
        (second,) = await apply(made)
        assert (await details(made, second))["after"] == (await details(made, first))["looked_until"] > 0
        assert anna.say("rec.mp3") not in str(await made.log())
        held = [r for r in await made.log() if isinstance(r.event, e.FileHeld)]
        assert [r.erased for r in held] == [True]


def days_before(days: int) -> datetime:
    return NOW - timedelta(days=days)


async def test_a_rule_that_finds_nothing_new_keeps_how_far_it_has_looked(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        await said(made, Person("Odnazhdy"), "email", "mail", 120)
        await said(made, Person("Potom"), "email", "later", 3)
        database, mail = made.house.database, made.channels["email"].id
        await database.write(partial(erasures.set_rule, channel_id=mail, days=90, by="o"))
        (first,) = await apply(made)
        await database.write(lambda tx: tx.run("UPDATE retention_rules SET days = 60"))  # as if 30 days had gone by
        (second,) = await apply(made)
        looked = [(await details(made, id_))["looked_until"] for id_ in (first, second)]
        assert looked[0] == looked[1] > 0
