"""The index says what the log says: after edits, deletions, moves; on both databases; rebuilt as well as live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.projector import search as follower
from services.projector.rebuild import Wanted, rebuild
from services.projector.search import index_forever
from shared.database.protocol import Database, Row, Transaction
from shared.domain import events as e
from shared.event_store.log import head
from shared.event_store.mapper import Happening
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.read_models import live, timeline
from shared.read_models.search_results import Filters, Page, search
from shared.read_models.search_words import parse
from tests.examples import ANNA, AT, CONVERSATION, CUSTOMER, FORM, MAILBOX, about, opened, received, requested
from tests.read_models.contents import show
from tests.read_models.test_read_models import long_history, record
from tests.services.fakes import until
from tests.services.projector.running import running

EVERYTHING = Filters()


async def say(database: Database, store: EventStore, *events: e.Event) -> None:
    """Record events on the stream of one conversation and show them."""

    def decide(session: Session, tx: Transaction) -> None:
        for event in events:
            session.add(_stream(event), Happening(event, about()))

    await store.record(decide)
    await show(database)


def _stream(event: e.Event) -> UUID:
    if isinstance(event, e.InboundQuarantined | e.QuarantineResolved):
        return event.item_id
    of_customer = e.CustomerRegistered | e.IdentityLinked | e.CardChanged
    return event.customer_id if isinstance(event, of_customer) else CONVERSATION


async def found(database: Database, typed: str, **filters: Any) -> list[str]:
    """Return the ids that are found."""
    return [item["id"] for item in (await page(database, typed, Filters(**filters))).items]


async def page(
    database: Database,
    typed: str,
    filters: Filters = EVERYTHING,
    before: int | None = None,
    limit: int = 50,
) -> Page:
    job = partial(search, query=parse(typed), filters=filters, before=before, limit=limit)
    return await database.read(job)


def message(text: str, **other: Any) -> e.MessageReceived:
    return received(text, **{"subject": "", "sender": e.Address("email", "x@y"), **other})


async def test_what_was_said_is_found_wherever_it_was_said(database: Database, store: EventStore) -> None:
    file = e.File("cd" * 32, 5, "Накладная_7.pdf", "application/pdf")
    mail = received("Когда приедет заказ?", subject="Доставка мебели", files=(file,))
    form = message("", kind="form", fields=(("Город", "Тверь"), ("Телефон", "8 (912) 345-67-89")))
    reply, note = requested(uuid4(), text="Завтра утром"), e.NoteAdded(CONVERSATION, CUSTOMER, uuid4(), "важный клиент")
    call = received("", kind="call", call=e.Call("missed", "inbound", "+74951234567", "+78001112233"), subject="")
    await say(database, store, e.CustomerRegistered(CUSTOMER, "Анна Каренина", ANNA), opened())
    await say(database, store, mail, form, reply, note, call)
    ids = {
        "заказы": mail, "мебель": mail, "накладная": mail, "тверь": form, "+79123456789": form, "8495123": call,
        "anna каренина": None, "утро": reply, "важные": note,
    }  # fmt: skip
    for typed, event in ids.items():
        id_ = next(
            (getattr(event, name) for name in ("message_id", "reply_id", "note_id") if hasattr(event, name)), CUSTOMER
        )
        assert await found(database, typed) == [str(id_)], typed


async def test_the_newest_comes_first_and_pages_follow_each_other(database: Database, store: EventStore) -> None:
    messages = [message(f"заказ {number}") for number in range(7)]
    await say(database, store, opened(), *messages)
    everything = [str(each.message_id) for each in reversed(messages)]
    assert await found(database, "заказ") == everything
    pages, before = [], None
    while True:
        part = await page(database, "заказ", before=before, limit=3)
        pages.append([item["id"] for item in part.items])
        if (before := part.following) is None:
            break
    assert pages == [everything[:3], everything[3:6], everything[6:]]


async def test_filters_leave_what_is_asked_for(database: Database, store: EventStore) -> None:
    other = uuid4()
    mail, form = message("заказ"), message("заказ", kind="form", channel_id=FORM)
    stranger = message("заказ", customer_id=other)
    await say(database, store, opened(), mail, form, stranger)
    assert await found(database, "заказ", kind="form") == [str(form.message_id)]
    assert await found(database, "заказ", channel_id=FORM) == [str(form.message_id)]
    assert await found(database, "заказ", customers=(other,)) == [str(stranger.message_id)]
    assert len(await found(database, "заказ", customers=(other, CUSTOMER))) == 3
    assert await found(database, "заказ", since="2026-11-21T12:00:01Z") == []
    assert len(await found(database, "заказ", since="2026-11-21T12:00:00.000000Z", until="2026-11-21T12:00:01Z")) == 3


async def test_quoted_words_are_found_as_they_were_said(database: Database, store: EventStore) -> None:
    exact, other = message("Оплата по договору подряда"), message("договора подряда, оплата по нему")
    await say(database, store, opened(), exact, other)
    assert await found(database, "договор подряда") == [str(other.message_id), str(exact.message_id)]
    assert await found(database, '"по договору"') == [str(exact.message_id)]
    assert await found(database, "«договору подряда» оплату") == [str(exact.message_id)]


async def test_an_edit_changes_what_is_found(database: Database, store: EventStore) -> None:
    first = message("жёлтый диван")
    await say(database, store, opened(), first)
    await say(database, store, edited(first.message_id, "зелёный диван"))
    assert await found(database, "желтый") == []
    assert await found(database, "зеленый") == await found(database, "диван") == [str(first.message_id)]
    await say(database, store, e.MessageDeleted(CONVERSATION, CUSTOMER, first.message_id, MAILBOX))
    assert await found(database, "диван") == []


async def test_a_version_that_came_first_stays_what_is_found(database: Database, store: EventStore) -> None:
    late = message("старый текст", edited_before=True)
    await say(database, store, opened(), edited(late.message_id, "новый текст", known=False))
    assert await found(database, "текст") == [str(late.message_id)]
    await say(database, store, late)
    assert (await found(database, "новый"), await found(database, "старый")) == ([str(late.message_id)], [])


async def test_what_was_deleted_before_it_came_is_never_found(database: Database, store: EventStore) -> None:
    late = message("поздно")
    await say(
        database, store, opened(), e.MessageDeleted(CONVERSATION, CUSTOMER, late.message_id, MAILBOX, known=False)
    )
    await say(database, store, late)
    assert await found(database, "поздно") == []


async def test_a_moved_message_is_found_where_it_is_now(database: Database, store: EventStore) -> None:
    moved, to, whose = message("диван"), uuid4(), uuid4()
    part = message("кресло", message_id=moved.message_id, part_id=uuid4())
    await say(database, store, opened(), moved, e.MessageExtended(CONVERSATION, CUSTOMER, part))
    await say(database, store, e.MessageMoved(CONVERSATION, CUSTOMER, moved.message_id, to, whose, AT))
    for typed in ("диван", "кресло"):
        (item,) = (await page(database, typed, Filters(customers=(whose,)))).items
        assert (item["id"], item["conversation_id"]) == (str(moved.message_id), str(to))
        assert await found(database, typed, customers=(CUSTOMER,)) == []


async def test_a_part_of_an_album_is_edited_alone(database: Database, store: EventStore) -> None:
    whole = message("диван")
    part = message("кресло", message_id=whole.message_id, part_id=uuid4())
    await say(database, store, opened(), whole, e.MessageExtended(CONVERSATION, CUSTOMER, part))
    await say(database, store, edited(part.said_id, "табурет"))
    assert (await found(database, "кресло"), await found(database, "диван")) == ([], [str(whole.message_id)])
    assert await found(database, "табурет") == [str(whole.message_id)]


async def test_announced_files_are_found_by_their_names(database: Database, store: EventStore) -> None:
    first = message("диван")
    files = (e.RemoteFile("f1", "Фото дивана.jpg", "image/jpeg"),)
    await say(database, store, opened(), first)
    await say(database, store, e.FilesAnnounced(CONVERSATION, CUSTOMER, first.message_id, first.message_id, files))
    assert await found(database, "фото.jpg") == [str(first.message_id)]


async def test_a_quarantined_item_is_found_until_it_is_understood(database: Database, store: EventStore) -> None:
    item = e.InboundQuarantined(
        uuid4(), MAILBOX, "email", "7.1", "unknown charset", received().raw, (("subject", "Жалоба"),)
    )
    await say(database, store, item)
    assert await found(database, "charset") == await found(database, "жалобы") == [str(item.item_id)]
    await say(database, store, replace(item, reason="no headers"))
    assert (await found(database, "charset"), await found(database, "headers")) == ([], [str(item.item_id)])
    await say(database, store, e.QuarantineResolved(item.item_id, CONVERSATION))
    assert await found(database, "headers") == []


async def test_a_further_address_is_found(database: Database, store: EventStore) -> None:
    await say(database, store, e.CustomerRegistered(CUSTOMER, "Анна", ANNA))
    await say(database, store, e.IdentityLinked(CUSTOMER, e.Address("phone", "+79123456789")))
    assert await found(database, "8 (912) 345") == [str(CUSTOMER)]


@pytest.mark.parametrize(
    "typed",
    ['"', "'", "NEAR(", "a* OR", "words:x", "-x", "^a", "((", "\x00", "%_", "' OR 1=1 --", "\ue000", "&|!", "🙂"],
)
async def test_nothing_that_is_typed_is_understood_as_a_command(
    database: Database, store: EventStore, typed: str
) -> None:
    await say(database, store, opened(), message("a near x words or 1"))
    await page(database, typed)


async def test_what_was_deleted_before_it_came_is_not_found_by_a_version_that_comes_later(
    database: Database, store: EventStore
) -> None:
    id_ = uuid4()
    await say(database, store, opened())
    await say(database, store, e.MessageDeleted(CONVERSATION, CUSTOMER, id_, MAILBOX, known=False))
    await say(database, store, edited(id_, "табуретка", known=False))
    assert await found(database, "табуретка") == []


async def test_a_customer_is_found_by_what_the_card_says_now(database: Database, store: EventStore) -> None:
    await say(database, store, e.CustomerRegistered(CUSTOMER, "Анна", ANNA))
    first = (e.FieldChange("name", ("Анна",), ("Анна Каренина",)), e.FieldChange("organisation", (), ("Ромашка",)))
    await say(database, store, e.CardChanged(CUSTOMER, first))
    assert await found(database, "каренина ромашка") == [str(CUSTOMER)]
    await say(database, store, e.CardChanged(CUSTOMER, (e.FieldChange("organisation", ("Ромашка",), ("Василёк",)),)))
    assert [await found(database, word) for word in ("ромашка", "василек", "каренина")] == [
        [], [str(CUSTOMER)], [str(CUSTOMER)]
    ]  # fmt: skip


def edited(message_id: UUID, text: str, *, known: bool = True) -> e.MessageEdited:
    sender = e.Address("email", "x@y")
    return e.MessageEdited(CONVERSATION, CUSTOMER, message_id, uuid4(), MAILBOX, "7", sender, text, known=known)


# --- the index itself -------------------------------------------------------------------------------------


def index(tx: Transaction) -> list[Row]:
    """Return every word with its position, as the database has it."""
    if tx.dialect == "postgres":
        return sorted(tx.rows("SELECT unnest(tsvector_to_array(words)), position FROM search_words"))
    tx.run("CREATE VIRTUAL TABLE IF NOT EXISTS temp.indexed USING fts5vocab(main, search_words, 'instance')")
    return sorted(tx.rows("SELECT term, doc FROM temp.indexed"))


async def test_the_rebuilt_index_has_the_words_of_the_live_one(database: Database, store: EventStore) -> None:
    events = long_history(500, seed=11)
    for start in range(0, len(events), 60):
        await record(store, events[start : start + 60])
        await show(database)
    before = await database.write(index)
    assert len(before) > 500
    outcome = await rebuild(database, Wanted(["search"]))
    assert all(rebuilt.equal for rebuilt in outcome)
    assert await database.write(index) == before
    assert before == sorted((word, position) for position, words in await database.read(_words) for word in words)
    await say(database, store, opened(), late := message("табуретка"))
    assert await found(database, "табуретки") == [str(late.message_id)]


def _words(tx: Transaction) -> list[tuple[int, Sequence[str]]]:
    from shared.read_models.search import entries_at

    positions = [position for (position,) in tx.rows("SELECT position FROM search_entries")]
    return [(entry.position, entry.words().split()) for entry in entries_at(tx, positions)]


async def test_the_follower_brings_the_index_to_the_head(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 50)
    events = long_history(200)

    async def take_in() -> None:
        await database.write(partial(live.take_in, events=await store.after(0, 1000)))

    async def at_head() -> bool:
        return (await database.read(live.standings))["search"].position == len(events)

    async with running(index_forever(database, store, 0.01)):
        await record(store, events)
        await take_in()
        await until(at_head)
    assert await found(database, "вопрос") != []


class Watched(EventStore):
    """Tells how many events the follower asked for, each time."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked: list[int] = []

    async def after(self, position: int, limit: int) -> list[e.Recorded]:
        self.asked.append(limit)
        return await super().after(position, limit)


async def test_on_sqlite_what_a_burst_has_left_is_indexed_in_larger_batches(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL indexes beside the event loop, always in large batches")
    monkeypatch.setattr(follower, "BURST_EVENTS", 60)
    events, watched = long_history(100), Watched(database)
    await record(watched, events)
    await database.write(partial(live.take_in, events=await store.after(0, 1000)))
    async with running(index_forever(database, watched, 0.01)):
        await until(partial(_is_at, database, len(events)))
    assert set(watched.asked) == {follower.BURST_BATCH}


async def test_on_sqlite_the_index_waits_while_a_burst_goes_on(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("on PostgreSQL the index has processors of its own")
    monkeypatch.setattr(follower, "BURST_EVENTS", 10)
    async with running(record_forever(database, store)):
        await until(partial(_is_recorded, database, 50))
        async with running(index_forever(database, store, 0.2)):
            await until(partial(_is_recorded, database, 500))
            assert await found(database, "скворечник") == []


async def test_the_index_goes_on_while_there_is_no_end_of_a_burst(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found_any() -> bool:
        return await found(database, "скворечник") != []

    monkeypatch.setattr(follower, "BURST_EVENTS", 10)
    monkeypatch.setattr(follower, "PATIENCE_SECONDS", 0.5)
    async with running(record_forever(database, store)), running(index_forever(database, store, 0.2)):
        await until(found_any)


async def test_the_index_waits_for_no_more_than_is_at_hand(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found_any() -> bool:
        return await found(database, "скворечник") != []

    monkeypatch.setattr(follower, "BURST_EVENTS", 10)
    monkeypatch.setattr(follower, "PATIENCE_SECONDS", 1000.0)
    monkeypatch.setattr(follower, "PATIENCE_EVENTS", 200)
    async with running(record_forever(database, store)), running(index_forever(database, store, 0.2)):
        await until(found_any)


async def record_forever(database: Database, store: EventStore) -> None:
    """Messages that the other read models have at once."""

    def decide(session: Session, tx: Transaction) -> None:
        for _ in range(20):
            session.add(CONVERSATION, Happening(message("скворечник"), about()))

    await say(database, store, opened())
    while True:
        before = (await store.record(decide)).position - 20
        await database.write(partial(live.take_in, events=await store.after(before, 20)))


async def _is_recorded(database: Database, count: int) -> bool:
    return await database.read(head) >= count


async def _is_at(database: Database, position: int) -> bool:
    return (await database.read(live.standings))[follower.NAME].position == position


async def test_a_message_of_ours_that_comes_after_its_edit_takes_the_place_of_what_stood_for_it(
    database: Database, store: EventStore
) -> None:
    """Both have the id and can change later, and only one row of an id may."""
    id_ = uuid4()
    await say(database, store, opened(), edited(id_, "новый текст", known=False))
    original = message("старый текст", message_id=id_, direction="outbound", nature="loop", edited_before=True)
    await say(database, store, original)
    (entry,) = await database.read(lambda tx: timeline.of_conversation(tx, CONVERSATION, timeline.Page()))
    assert (entry["id"], entry["text"]) == (str(id_), "новый текст")
