"""A customer who used every channel is erased: nothing of them is readable in any file, and all still counts."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.house import open_house
from services.privacy.certificate import is_genuine
from services.privacy.job import carry_out
from services.privacy.stores import Stores
from services.projector.rebuild import Wanted, rebuild
from shared.blobs import Blobs
from shared.clock import now
from shared.contracts.inbound import FileRef
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store import moving
from shared.event_store.mapper import About, Happening
from shared.read_models import conversations
from shared.registry import erasures
from tests.privacy.life import decide
from tests.privacy.planted import found_in
from tests.privacy.town import OLGA, Person, Town, settings_of, town


async def erase(made: Town, customer_id: UUID, reason: str = "asked for it") -> erasures.Erasure:
    job = partial(erasures.request, customer_id=customer_id, reason=reason, by="olga@example.com")
    id_ = await made.house.database.write(job)
    async with asyncio.timeout(60):
        while await carry_out(made.stores()):  # noqa: ASYNC110 (it waits for other processes too)
            await asyncio.sleep(0.3 if made.house.settings.kafka else 0.05)
    found = await made.house.database.read(partial(erasures.one, id_=id_))
    assert found is not None
    return found


async def everything(database: Database) -> str:
    """Return every row of every table of PostgreSQL as text; of SQLite nothing, as its file is looked into."""
    if database.dialect == "sqlite":
        return ""
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"

    def read(tx: object) -> str:
        tables = [name for (name,) in tx.rows(names)]
        return "\n".join(str(row) for table in tables for row in tx.rows(f"SELECT t::text FROM {table} t"))

    return await database.read(read)


def facts(entries: list[dict[str, object]]) -> Counter[object]:
    """What reports count: kinds, directions, times, durations."""
    return Counter(
        (
            entry["kind"], entry["direction"], entry["occurred_at"],
            (entry["call"] or {}).get("talking_seconds"), (entry["call"] or {}).get("waiting_seconds"),
            (entry["delivery"] or {}).get("state"),
        )
        for entry in entries if entry["kind"] != "erased"
    )  # fmt: skip


async def test_nothing_of_an_erased_customer_is_readable_anywhere_and_all_still_counts(
    url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    anna, boris = Person("Planzhevskaya"), Person("Drugovskoy")
    async with town(settings_of(folder, url)) as made:
        customer, other = await made.live_through(anna), await made.live_through(boris)
        before, log_before = await made.timeline(customer), await made.log()
        others_timeline = await made.timeline(other)
        if made.house.database.dialect == "sqlite":  # the scan finds what is there
            shown = {anna.texts[what] for what in ("name", "email", "phone", "mail", "note", "reply", "recording-ref")}
            assert shown - found_in([folder], shown).keys() == set()
        erasure = await erase(made, customer)
        after, log_after = await made.timeline(customer), await made.log()
        assert facts(after) == facts(before)
        assert [entry["kind"] for entry in after if entry["kind"] == "erased"] == ["erased"]
        assert [type(r.event) for r in log_after[: len(log_before)]] == [type(r.event) for r in log_before]
        assert await made.timeline(other) == others_timeline
        assert all(result.equal for result in await rebuild(made.house.database, Wanted(switch=False)))
        rows = await everything(made.house.database)
        assert [text for text in anna.texts.values() if text in rows] == []
        assert erasure.certificate is not None
        assert is_genuine(erasure.certificate)
        assert erasure.certificate["destroyed"]["files"] == 5
    assert found_in([folder], anna.texts.values()) == {}
    async with town(settings_of(folder, url), made.channels) as again:
        assert await again.timeline(customer) == after
        assert await again.timeline(other) == others_timeline


async def test_who_was_erased_comes_back_as_somebody_else_and_old_copies_stay_known(url: str, tmp_path: Path) -> None:
    anna = Person("Vozvratova")
    async with town(settings_of(tmp_path / "data", url)) as made:
        mail = made.item(anna, "email", "first")
        await made.publish(mail)
        ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        await erase(made, UUID(customer))
        events = len(await made.log())
        await made.publish(mail)
        assert len(await made.log()) == events
        await made.publish(made.item(anna, "email", "second"))
        found = await made.house.database.read(lambda tx: tx.rows("SELECT id, address FROM customers"))
        assert sorted(address for _, address in found) == ["", anna.email]
        (back,) = [UUID(id_) for id_, address in found if address]
        assert [entry["text"] for entry in await made.timeline(back)] == [anna.say("second")]
        await erase(made, back)
        assert [entry["text"] for entry in await made.timeline(back)] == ["", "asked for it"]


async def test_a_conversation_of_somebody_erased_says_so_and_why_it_cannot_be_answered(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Molchashchaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        (before,) = await made.house.database.read(conversations.every_one)
        await erase(made, UUID(before["customer_id"]))
        (shown,) = await made.house.database.read(conversations.every_one)
        with pytest.raises(Refused) as refused:
            await made.house.store.handle(UUID(shown["id"]), c.RequestReply(uuid4(), "Hello"), OLGA)
    assert (before["customer"]["erased"], before["cannot_reply"]) == (False, None)
    assert shown["customer"] == {"id": before["customer_id"], "name": None, "address": "", "erased": True}
    assert (before["unanswered"], shown["unanswered"], shown["waiting_since"]) == (True, False, None)
    assert (before["last_message"].get("erased"), shown["last_message"]["erased"]) == (None, True)
    assert shown["cannot_reply"] == str(refused.value) == "The client was erased: there is nobody to write to"


async def test_an_answer_that_failed_because_its_client_was_erased_leaves_nobody_waiting(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Nedozhdavshayasya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        (before,) = await made.house.database.read(conversations.every_one)
        store, id_, reply_id = made.house.store, UUID(before["id"]), uuid4()
        await store.handle(id_, c.RequestReply(reply_id, "Hello"), OLGA)
        await made.settle()
        await erase(made, UUID(before["customer_id"]))
        failed = e.ReplyFailed(id_, UUID(before["customer_id"]), reply_id, 0, 1, "the client was erased", "erased")
        about = About(now(), e.Actor("system", "outbound"))
        await store.record(lambda session, tx: session.add(id_, Happening(failed, about)))
        await made.settle()
        (shown,) = await made.house.database.read(conversations.every_one)
        sql = "SELECT waiting_since FROM conversations"
        ((waiting,),) = await made.house.database.read(lambda tx: tx.rows(sql))
        assert all(result.equal for result in await rebuild(made.house.database, Wanted(switch=False)))
    assert (waiting is None, shown["unanswered"], shown["waiting_since"]) == (False, False, None)


async def test_what_comes_while_the_erasure_is_under_way_belongs_to_somebody_new_and_stays(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Pishushchaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        first = made.item(anna, "email", "first", thread_key=anna.say("thread"), topic=anna.say("topic"))
        await made.publish(first)
        ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        erased = Happening(e.CustomerErased(UUID(customer), uuid4(), ""), About(now(), e.Actor("system")))
        await decide(made, lambda session, tx: session.add(UUID(customer), erased))
        later = made.item(
            anna, "email", "later", refers_to=first.known_as, thread_key=first.thread_key, topic=first.topic
        )
        await made.publish(later)
        (known,) = [r for r in await made.log() if r.cause == later.id and isinstance(r.event, e.MessageReceived)]
        assert (known.erased, known.event.text) == (False, anna.say("later"))
        assert known.event.customer_id != UUID(customer)
        await erase(made, UUID(customer))
        assert [entry["text"] for entry in await made.timeline(known.event.customer_id)] == [anna.say("later")]


async def test_a_file_that_somebody_else_sent_since_or_just_stored_stays(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Podpisavshaya"), Person("Podpisavshiy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        blobs, database = made.house.blobs, made.house.database
        sent, stored, own = [await blobs.put(what) for what in (b"a logo", b"another", b"a letter")]
        logos = tuple(FileRef(sha256, 6, "logo.png", "image/png") for sha256 in (sent, stored, own))
        await made.publish(made.item(anna, "email", "first", files=logos))
        ((customer,),) = await database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        id_ = await database.write(partial(erasures.request, customer_id=UUID(customer), reason="", by="o"))
        at_work = await until_recorded(made)
        await made.publish(made.item(boris, "email", "second", files=logos[:1]))
        for path in [path for path in blobs.folder.rglob("*") if path.is_file()]:
            os.utime(path, (0, 0))
        await blobs.put(b"another")  # its message is not in the log yet
        hour = replace(at_work, spared=timedelta(hours=1))
        for _ in range(3):
            await carry_out(hour)
        erasure = await database.read(partial(erasures.one, id_=id_))
        assert erasure is not None
        assert (erasure.state, erasure.details["files"]) == ("shown", [blobs.name(stored)])
        assert (await blobs.get(sent), await blobs.get(stored)) == (b"a logo", b"another")
        with pytest.raises(FileNotFoundError):
            await blobs.get(own)
        await made.publish(made.item(boris, "email", "third", files=logos[1:2]))
        await database.write(lambda tx: tx.run("UPDATE erasures SET details = replace(details, 'files_at', 'x')"))
        assert await carry_out(hour) == 0
        done = await database.read(partial(erasures.one, id_=id_))
        assert done is not None
        assert (done.certificate or {})["destroyed"]["files"] == 1
        assert await blobs.get(stored) == b"another"


async def until_recorded(made: Town) -> Stores:
    """Carry erasures out as far as the log says them; return what is left to do the rest with."""

    class Interrupted(Exception): ...

    def interrupt(*_: object) -> None:
        raise Interrupted

    interrupted = SimpleNamespace(name=interrupt, remove_plain_now=interrupt, has_any=interrupt)
    with pytest.raises(Interrupted):
        await carry_out(replace(made.stores(), blobs=cast("Blobs", interrupted)))
    return made.stores()


async def test_an_answer_that_was_on_its_way_leads_to_nobody_who_was_erased(url: str, tmp_path: Path) -> None:
    anna = Person("Otpravlennaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        ((conversation, customer),) = await made.house.database.read(
            lambda tx: tx.rows("SELECT id, customer_id FROM conversations")
        )
        place, channel = (UUID(conversation), UUID(customer)), made.channels["email"].id
        await erase(made, UUID(customer))
        sent = e.ReplySent(*place, uuid4(), channel, 1, 1, anna.say("sent as"))
        await decide(made, lambda session, tx: session.add(place[0], Happening(sent, About(now(), e.Actor("system")))))
        assert await made.house.database.read(lambda tx: tx.rows("SELECT * FROM routing_external")) == []


async def test_an_erased_client_cannot_be_answered_from_memory(url: str, tmp_path: Path) -> None:
    anna = Person("Otvetova")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        ((conversation, customer),) = await made.house.database.read(
            lambda tx: tx.rows("SELECT id, customer_id FROM conversations")
        )
        await made.house.store.conversation(UUID(conversation))
        await erase(made, UUID(customer))
        with pytest.raises(Refused, match="nobody to write to"):
            await made.house.store.handle(UUID(conversation), c.RequestReply(UUID(int=1), "hello"), OLGA)
        assert made.sent == []


async def test_another_process_tells_nothing_from_memory_of_an_erased_client(url: str, tmp_path: Path) -> None:
    anna = Person("Zapomnennaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "first"))
        ((conversation, customer),) = await made.house.database.read(
            lambda tx: tx.rows("SELECT id, customer_id FROM conversations")
        )
        other = open_house(made.house.settings)
        try:
            await other.store.handle(UUID(conversation), c.Close(), OLGA)
            assert anna.email in repr(await other.store.conversation(UUID(conversation)))
            await erase(made, UUID(customer))
            other.keys._looked_at = float("-inf")  # five seconds later
            assert anna.email not in repr(await other.store.conversation(UUID(conversation)))
        finally:
            await other.close()


async def test_nothing_is_sent_again_or_done_to_or_moved_to_an_erased_client(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Povtornaya"), Person("Peremeshchaemyy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        store, database, channel = made.house.store, made.house.database, made.channels["email"].id
        await made.publish(made.item(anna, "email", "first"))
        ((conversation, customer),) = await database.read(
            lambda tx: tx.rows("SELECT id, customer_id FROM conversations")
        )
        place, customer_id, reply = UUID(conversation), UUID(customer), uuid4()
        moved = made.item(boris, "email", "moved")
        await made.publish(moved)
        ((source,),) = await database.read(
            lambda tx: tx.rows("SELECT id FROM conversations WHERE customer_id <> ?", (customer,))
        )
        failed = Happening(e.ReplyFailed(place, customer_id, reply, 1, 1, "", ""), About(now(), e.Actor("system")))
        await decide(made, lambda session, tx: session.add(place, failed))
        await erase(made, customer_id)
        call = c.RequestAction(uuid4(), "call", channel, (e.Address("phone", anna.phone),))
        for command in (c.RetryReply(reply), call):
            with pytest.raises(Refused, match="was erased"):
                await store.handle(place, command, OLGA)
        with pytest.raises(Refused, match="was erased"):
            await decide(
                made, lambda session, tx: moving.move(session, tx, UUID(source), [moved.id], place, About(now(), OLGA))
            )
        assert made.sent == []


async def test_who_is_held_is_not_erased(url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        database, customer = made.house.database, UUID(int=7)
        hold = await database.write(
            partial(erasures.hold, kind="customer", subject_id=customer, reason="court", by="o")
        )
        request = partial(erasures.request, customer_id=customer, reason="", by="o")
        with pytest.raises(erasures.Held, match="court"):
            await database.write(request)
        await database.write(partial(erasures.release, id_=hold, by="o"))
        assert await database.write(request) == await database.write(request)
