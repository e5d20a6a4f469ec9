"""Commands become events, atomically with their index entries and a consumer's position."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.projector import inbound as intake
from shared.contracts.codec import Contract
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.event_store import log as reading
from shared.event_store.log import head, read_log, read_log_within, read_stored
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import Happening
from shared.event_store.recorders import Behind
from shared.event_store.routing import Wanted, customer_of, look_up, seen
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.event_store.index import derived, standing
from tests.examples import (
    AT,
    CONVERSATION,
    CUSTOMER,
    MAILBOX,
    OLGA,
    SYSTEM,
    Clock,
    about,
    call_report,
    delivery_report,
    inbound,
    received,
    requested,
    sent,
    unreadable,
)


def receiving(*contracts: Contract) -> Callable[[Session, Transaction], None]:
    return lambda session, tx: intake.receive(session, tx, contracts)


async def events(database: Database) -> list[e.Recorded]:
    return await database.read(lambda tx: read_log(tx, 0, 10_000))


async def open_conversation(store: EventStore, text: str = "Hello") -> UUID:
    handled = await store.record(receiving(inbound(text)))
    (opened,) = [h.event for h in handled.happenings if isinstance(h.event, e.ConversationOpened)]
    return opened.conversation_id


async def test_a_command_is_recorded_with_time_actor_and_place(database: Database, store: EventStore) -> None:
    clock = Clock(AT)
    store = EventStore(database, clock)
    conversation_id = await open_conversation(store)
    clock.forward(5)
    handled = await store.handle(conversation_id, c.Close(), OLGA)
    last = (await events(database))[-1]
    customer_id = last.event.customer_id  # type: ignore[union-attr]
    closed = e.ConversationClosed(conversation_id, customer_id)
    at = AT + timedelta(seconds=5)
    assert last == e.Recorded(handled.position, conversation_id, 3, at, at, None, OLGA, closed)


async def test_positions_grow_and_a_stream_is_read_in_order(database: Database, store: EventStore) -> None:
    conversation_id = await open_conversation(store)
    for number in range(3):
        await store.handle(conversation_id, c.AddNote(uuid4(), f"note {number}"), OLGA)
    log = await events(database)
    stream = await database.read(lambda tx: read_stream(tx, conversation_id))
    later = await database.read(lambda tx: read_stream(tx, conversation_id, after_version=3))
    assert [r.position for r in log] == sorted({r.position for r in log})
    assert [r.version for r in stream] == [1, 2, 3, 4, 5]
    assert [r.event.text for r in later] == ["note 1", "note 2"]  # type: ignore[union-attr]
    assert await database.read(head) == log[-1].position


async def test_the_log_is_read_in_parts_without_gaps(database: Database, store: EventStore) -> None:
    for _ in range(5):
        await open_conversation(store)
    whole, parts, position = await events(database), [], 0
    while part := await database.read(lambda tx, after=position: read_log(tx, after, 2)):
        parts += part
        position = part[-1].position
    assert parts == whole


async def test_a_part_of_the_log_ends_where_its_events_are_large(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE", 2)
    conversation_id = await open_conversation(store)
    for _ in range(4):
        await store.handle(conversation_id, c.AddNote(uuid4(), "щ" * 10_000), OLGA)
    whole = await events(database)

    async def part(limit: int, most_bytes: int, after: int = 0) -> list[e.Recorded]:
        return await database.read(lambda tx: read_log_within(tx, after, limit, most_bytes))

    assert await part(100, 1_000_000) == whole
    assert await part(5, 1_000_000) == whole[:5]
    assert len(await part(100, 15_000)) == 4
    assert await part(100, 1, whole[3].position) == whole[4:6]
    assert await part(100, 1, whole[-1].position) == []


async def test_an_event_whose_bytes_became_a_text_keeps_no_other_from_being_read(
    database: Database, store: EventStore
) -> None:
    await open_conversation(store)
    before = await database.read(lambda tx: read_stored(tx, 0, 10))
    if database.dialect == "postgres":
        return  # whose columns have one type
    await database.write(lambda tx: tx.run("UPDATE stored_events SET state = CAST(state AS TEXT) WHERE rowid = 2"))
    after = await database.read(lambda tx: read_stored(tx, 0, 10))
    changed = before[1].state.decode()
    assert [each.state for each in after] == [before[0].state, changed, *(each.state for each in before[2:])]
    assert [(each.position, each.stream_id) for each in after] == [(each.position, each.stream_id) for each in before]


async def test_streams_are_read_up_to_a_position(database: Database, store: EventStore) -> None:
    conversation_id = await open_conversation(store)
    end = (await events(database))[-1].position
    await store.handle(conversation_id, c.Close(), OLGA)
    ids = [conversation_id, uuid4()]
    before = await database.read(lambda tx: read_streams(tx, ids, end))
    after = await database.read(lambda tx: read_streams(tx, ids))
    assert [type(r.event).__name__ for r in before] == ["ConversationOpened", "MessageReceived"]
    assert [type(r.event).__name__ for r in after] == ["ConversationOpened", "MessageReceived", "ConversationClosed"]
    assert [r.position for r in after] == [r.position for r in await events(database)][1:]


async def test_a_refused_command_leaves_nothing(database: Database, store: EventStore) -> None:
    conversation_id = await open_conversation(store)
    before = await events(database)
    with pytest.raises(Refused, match="empty"):
        await store.handle(conversation_id, c.AddNote(uuid4(), " "), OLGA)
    with pytest.raises(NoSuchThing):
        await store.handle(uuid4(), c.Close(), OLGA)
    assert await events(database) == before


async def test_a_command_given_twice_with_one_id_happens_once(database: Database, store: EventStore) -> None:
    conversation_id, note_id = await open_conversation(store), uuid4()
    first = await store.handle(conversation_id, c.AddNote(note_id, "x"), OLGA, note_id)
    again = await store.handle(conversation_id, c.AddNote(note_id, "x"), OLGA, note_id)
    assert [len(first.happenings), len(again.happenings)] == [1, 0]
    assert again.position >= first.position, "who repeats waits until the read models show what was done"


async def test_a_position_is_recorded_with_the_events_and_only_moves_forward(
    database: Database, store: EventStore
) -> None:
    await store.record(receiving(inbound()), {"okno.inbound/0": 5, "okno.inbound/1": 3})
    before = await events(database)
    for positions in ({"okno.inbound/0": 5}, {"okno.inbound/0": 4}, {"okno.inbound/1": 9, "okno.inbound/0": 5}):
        with pytest.raises(Behind):
            await store.record(receiving(inbound()), positions)
    assert await events(database) == before
    found = await store.positions(["okno.inbound/0", "okno.inbound/1", "okno.inbound/2"])
    assert found == {"okno.inbound/0": 5, "okno.inbound/1": 3}


async def test_a_position_moves_without_events_too(store: EventStore) -> None:
    await store.record(lambda session, tx: None, {"t/0": 0})
    await store.record(lambda session, tx: None, {"t/0": 2})
    await store.move_position("relay", 7)
    await store.move_position("relay", 3)
    assert await store.positions(["t/0", "relay"]) == {"t/0": 2, "relay": 7}


async def test_nothing_is_recorded_when_the_index_cannot_be_written(database: Database, store: EventStore) -> None:
    """Events, index, raw bytes and position are one transaction."""

    def decide(session: Session, tx: Transaction) -> None:
        intake.receive(session, tx, [inbound()])
        session.entries.seen[uuid4()] = object()  # type: ignore[assignment]
        session.raw_items.append((0, object()))  # type: ignore[arg-type]

    with pytest.raises(Exception, match=r"bind|adapt|dump|cannot|unsupported"):
        await store.record(decide, {"t/0": 1})
    assert await events(database) == []
    assert await database.read(standing) == {table: [] for table in await database.read(standing)}
    assert await store.positions(["t/0"]) == {}


# --- several processes ------------------------------------------------------------------------------------


async def test_two_stores_racing_for_one_conversation_lose_nothing(any_url: str, store: EventStore) -> None:
    conversation_id = await open_conversation(store)
    second_database = open_database(any_url)
    second = EventStore(second_database)
    notes = [c.AddNote(uuid4(), str(number)) for number in range(20)]
    await asyncio.gather(
        *((store, second)[number % 2].handle(conversation_id, note, OLGA, note.note_id)
          for number, note in enumerate(notes))
    )  # fmt: skip
    stream = await second_database.read(lambda tx: read_stream(tx, conversation_id))
    assert [r.version for r in stream] == list(range(1, 23))
    assert {r.event.text for r in stream[2:]} == {note.text for note in notes}  # type: ignore[union-attr]
    await second_database.close()


async def test_two_stores_racing_for_one_new_customer_make_one(
    any_url: str, database: Database, store: EventStore
) -> None:
    second_database = open_database(any_url)
    second = EventStore(second_database)
    items = [inbound(str(number)) for number in range(6)]
    await asyncio.gather(*((store, second)[n % 2].record(receiving(item)) for n, item in enumerate(items)))
    log = await events(database)
    assert len([r for r in log if isinstance(r.event, e.CustomerRegistered)]) == 1
    assert len([r for r in log if isinstance(r.event, e.ConversationOpened)]) == 6
    await second_database.close()


async def test_two_stores_racing_with_one_item_record_it_once(
    any_url: str, database: Database, store: EventStore
) -> None:
    second_database = open_database(any_url)
    second = EventStore(second_database)
    item = inbound()
    for _ in range(3):
        await asyncio.gather(*(s.record(receiving(item)) for s in (store, second)))
    names = [type(r.event).__name__ for r in await events(database)]
    assert names == ["CustomerRegistered", "ConversationOpened", "MessageReceived"]
    await second_database.close()


async def test_two_stores_racing_with_one_unreadable_item_quarantine_it_once(
    any_url: str, database: Database, store: EventStore
) -> None:
    second_database = open_database(any_url)
    item = unreadable()
    await asyncio.gather(*(s.record(receiving(item)) for s in (store, EventStore(second_database))))
    assert [type(r.event).__name__ for r in await events(database)] == ["InboundQuarantined"]
    await second_database.close()


async def test_a_command_decides_on_what_another_process_recorded(any_url: str, store: EventStore) -> None:
    """Each process remembers states; a "nothing to do" or a refusal on an old one would be wrong."""
    conversation_id, reply_id = await open_conversation(store), uuid4()
    other_database = open_database(any_url)
    other = EventStore(other_database)
    await other.handle(conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    report = c.RecordDelivery(reply_id, MAILBOX, 1, "failed", 1, error="no such user")
    assert len((await store.handle(conversation_id, report, SYSTEM)).happenings) == 1
    assert len((await other.handle(conversation_id, c.RetryReply(reply_id), OLGA)).happenings) == 1
    await store.handle(conversation_id, c.Close(), OLGA)
    await other.handle(conversation_id, c.Reopen(), OLGA)
    assert len((await store.handle(conversation_id, c.Close(), OLGA)).happenings) == 1
    await other_database.close()


async def test_a_follower_sees_every_position_while_two_processes_append(
    any_url: str, database: Database, store: EventStore
) -> None:
    command = (sys.executable, "-m", "tests.event_store.writer", any_url, "40")
    writers = [
        await asyncio.create_subprocess_exec(*command, name, stdout=asyncio.subprocess.PIPE) for name in ("a", "b")
    ]
    telling = [asyncio.create_task(writer.communicate()) for writer in writers]
    followed: list[int] = []
    listener = store.listen()
    while len(followed) < 240 and not all(t.done() and t.exception() for t in telling):
        after = followed[-1] if followed else 0
        new = await database.read(lambda tx, after=after: read_log(tx, after, 500))
        followed += [r.position for r in new]
        if not new:
            await listener.wait(0.05)
    told = [int(line) for task in telling for line in (await task)[0].split()]
    whole = [r.position for r in await events(database)]
    assert followed == whole
    assert (len(whole), len(told), set(told) <= set(whole)) == (240, 80, True)


# --- the index --------------------------------------------------------------------------------------------


async def test_the_index_is_what_the_log_says(database: Database, store: EventStore) -> None:
    first = inbound(known_as=("<also@example.com>",), thread_key="chat-1")
    await store.record(receiving(first, inbound("Hi", "ben@example.com", "Ben"), unreadable()))
    answer = inbound("More", refers_to=(first.external_id,))
    handled = await store.record(receiving(answer, call_report("ringing"), call_report("finished")))
    conversation_id = next(
        h.event.conversation_id for h in handled.happenings if isinstance(h.event, e.MessageReceived)
    )
    reply_id, note_id = uuid4(), uuid4()
    await store.handle(conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    await store.handle(conversation_id, c.AddNote(note_id, "note"), OLGA, note_id)
    command = c.RecordDelivery(reply_id, MAILBOX, 1, "sent", 1, "<sent@okno>", ("<gateway@okno>",))
    await store.handle(conversation_id, command, SYSTEM)
    item = unreadable()
    await store.record(receiving(inbound("understood", external_id="<late@x>", id=item.id)))
    await store.record(receiving(inbound("same chat", "ben@example.com", "Ben", thread_key="chat-1")))
    assert await database.read(standing) == await database.read(derived)


async def test_the_index_answers_what_it_is_asked(database: Database, store: EventStore) -> None:
    item = inbound(known_as=("<also@example.com>",), thread_key="chat-1")
    others = [inbound(str(n), f"client{n}@example.com", "") for n in range(150)]
    await store.record(receiving(item, *others))
    wanted = Wanted(
        [item.id, uuid4(), *(o.id for o in others)],
        [("email", "anna@example.com"), ("phone", "anna@example.com"), ("email", "nobody@example.com")],
        [item.external_id, "<also@example.com>", "<nothing@x>"],
        [(MAILBOX, "chat-1"), (uuid4(), "chat-1")],
    )
    found = await database.read(lambda tx: look_up(tx, wanted))
    (customer_id,) = await database.read(lambda tx: customer_of(tx, "anna@example.com"))
    assert set(found.seen) == {item.id, *(o.id for o in others)}
    assert found.addresses == {("email", "anna@example.com"): customer_id}
    assert set(found.external) == {item.external_id, "<also@example.com>"}
    assert set(found.threads) == {(MAILBOX, "chat-1")}
    assert await database.read(lambda tx: (seen(tx, item.id), seen(tx, UUID(int=5)))) == (True, False)


@pytest.mark.parametrize(("letters", "length"), [("абвгдежзийклмнопрстуфхцчшщыэюя", 1999), ("😀😁😂🤣😃😄😅😆", 5000)])
async def test_ids_too_long_for_an_index_do_no_harm(
    database: Database, store: EventStore, letters: str, length: int
) -> None:
    """PostgreSQL refuses a key beyond 2,704 bytes, after compression."""
    chance = random.Random(1)

    def noise() -> str:
        return "".join(chance.choices(letters, k=length))

    item = inbound(external_id=noise(), refers_to=(noise(),), known_as=(noise(),), thread_key=noise())
    nameless = inbound(sender=noise())
    for _ in range(2):
        await store.record(receiving(item, nameless))
    (*understood, quarantined) = [r.event for r in await events(database)]
    assert len(understood) == 3
    assert isinstance(quarantined, e.InboundQuarantined)
    assert (quarantined.item_id, quarantined.reason) == (nameless.id, "the sender's address is longer than 2000 bytes")


# --- large ------------------------------------------------------------------------------------------------


async def test_an_event_of_5_mb_and_a_batch_of_20_mb_are_recorded(database: Database, store: EventStore) -> None:
    texts = ["x" * 5_000_000, *("y" * 200_000 for _ in range(75))]

    def decide(session: Session, tx: Transaction) -> None:
        for number, text in enumerate(texts, 1):
            session.append(CONVERSATION, number, Happening(received(text), about()))

    async with asyncio.timeout(30):
        await store.record(decide)
        log = await events(database)
    assert [len(r.event.text) for r in log] == [len(text) for text in texts]  # type: ignore[union-attr]


async def test_vacuum_keeps_positions_and_a_deleted_one_is_never_used_again(sqlite_url: str) -> None:
    from tests.stores import create_all_tables

    database = open_database(sqlite_url)
    store = create_all_tables(database)
    conversation_id = await open_conversation(store)
    for _ in range(3):
        await store.handle(conversation_id, c.AddNote(uuid4(), "x"), OLGA)
    with database.writing() as tx:
        tx.run("DELETE FROM stored_events WHERE rowid IN (2, 6)")
    with database.reading() as tx:
        tx.connection.execute("COMMIT")
        tx.connection.execute("VACUUM")
        tx.connection.execute("BEGIN")
    assert [r.position for r in await events(database)] == [1, 3, 4, 5]
    await store.record(receiving(inbound(sender="new@example.com")))
    assert [r.position for r in await events(database)] == [1, 3, 4, 5, 7, 8, 9]
    await database.close()


async def test_delivery_and_requests_make_one_history(database: Database, store: EventStore) -> None:
    """The version of each event is its place in its stream, whoever wrote it."""
    conversation_id, reply_id = await open_conversation(store), uuid4()
    await store.handle(conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    from services.projector import delivery

    report = delivery_report(reply_id, conversation_id, external_id="<s@okno>")
    await store.record(lambda session, tx: delivery.record(session, tx, [report, report]))
    stream = await database.read(lambda tx: read_stream(tx, conversation_id))
    assert [type(r.event).__name__ for r in stream[2:]] == ["ReplyRequested", "ReplySent"]
    assert stream[-1].cause == reply_id
    assert (requested(reply_id).reply_id, sent(reply_id).reply_id, CUSTOMER) == (reply_id, reply_id, CUSTOMER)
