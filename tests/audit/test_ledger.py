"""The ledger of what came: whatever is taken away, wherever it is taken from, is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.outbound.told import told
from services.projector import inbound as rules
from services.projector import unrecorded
from services.projector.inbound import receive
from services.projector.intake import IntakeLoop
from shared.audit.channels import rows_of
from shared.audit.ledger import Counts, Hole, Ledger
from shared.audit.stretch import look
from shared.audit.walk import How, Span, audit
from shared.blobs import Blobs
from shared.clock import now, to_text
from shared.contracts import topics
from shared.contracts.codec import Contract
from shared.contracts.inbound import FileRef, Raw
from shared.database.protocol import Database, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.merging import merge, unmerge
from shared.event_store.store import EventStore
from shared.registry.health import report
from shared.transport.embedded import EmbeddedTransport
from shared.transport.embedded_look import look_embedded
from shared.transport.protocol import Outgoing
from tests.examples import AT, LINE, MAILBOX, OLGA, SYSTEM, Clock, about, call_report, inbound, unreadable
from tests.examples import outgoing as record_of
from tests.read_models.contents import show
from tests.services.fakes import until
from tests.services.projector.running import running

LATER = timedelta(hours=1)
ABOUT = about(OLGA)
SEAL = 32
"""Bytes that a sealed file of one piece has more."""


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


async def take_in(database: Database, store: EventStore, *items: Contract) -> list[e.Event]:
    """Record items one by one and show them."""
    events: list[e.Event] = []
    for item in items:
        handled = await store.record(partial(_receive, item=item))
        events += [happening.event for happening in handled.happenings]
    await show(database)
    return events


def _receive(session: Any, tx: Transaction, item: Contract) -> None:
    receive(session, tx, [item])


async def ledger_of(database: Database, blobs: Blobs, span: Span | None = None, **how: Any) -> Ledger:
    return await audit(database, blobs, span or Span(), now() + LATER, How(describe=told, **how))


async def holes(database: Database, blobs: Blobs, **how: Any) -> list[tuple[str, int | None]]:
    return [(hole.kind, hole.position) for hole in (await ledger_of(database, blobs, **how)).holes]


async def change(database: Database, sql: str, *parameters: object) -> None:
    assert await database.write(lambda tx: tx.run(sql, parameters)) == 1


async def position_of(database: Database, kind: type, number: int = 0) -> int:
    stretch = await database.read(lambda tx: look(tx, 0, 1000, read_bytes=True))
    return [r.position for r in stretch.events if isinstance(r.event, kind)][number]


async def busy_day(database: Database, store: EventStore, blobs: Blobs) -> None:
    """Two mails (one with a large file), a call told in three reports, something unreadable, two replies, one sent."""
    file = FileRef(await blobs.put(b"x" * 1000), 1000, "счёт.pdf", "application/pdf")
    large = b"y" * 70_000
    kept = Raw(await blobs.put(large), len(large), "message/rfc822", None)
    events = await take_in(
        database, store, inbound("Здравствуйте"), inbound("With a file", files=(file,), raw=kept),
        call_report("ringing"), call_report("answered"), call_report("answered"), unreadable(),
    )  # fmt: skip
    (first, second) = [event for event in events if isinstance(event, e.MessageReceived) and event.kind == "text"]
    replies = [uuid4(), uuid4()]
    await store.handle(first.conversation_id, c.RequestReply(replies[0], "Hello"), OLGA)
    await store.handle(second.conversation_id, c.RequestReply(replies[1], "Hello"), OLGA)
    sent = c.RecordDelivery(replies[0], MAILBOX, 1, "sent", 1, "<sent@okno>")
    await store.handle(first.conversation_id, sent, SYSTEM)
    await show(database)


async def test_what_came_is_counted_where_it_is(database: Database, store: EventStore, blobs: Blobs) -> None:
    await busy_day(database, store, blobs)
    ledger = await ledger_of(database, blobs, patience=2 * LATER)
    assert ledger.counts == {
        MAILBOX: Counts(stored=2, shown=2, quarantined=1, asked=2, sent=1, sending=1),
        LINE: Counts(stored=2, shown=2),
    }
    assert [counts.received for counts in ledger.counts.values()] == [3, 2]
    assert (ledger.complete, ledger.holes) == (True, [])
    assert ledger.events == ledger.position


async def test_a_merge_that_was_undone_is_not_missing_and_one_that_stands_is(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    ids = await customers(database, store, 3)
    await store.record(lambda session, tx: merge(session, tx, ids[0], ids[1], ABOUT))
    await store.record(lambda session, tx: unmerge(session, tx, ids[1], ids[0], ABOUT))
    await store.record(lambda session, tx: merge(session, tx, ids[2], ids[1], ABOUT))
    await show(database)
    assert await holes(database, blobs) == []
    await change(database, "DELETE FROM timeline WHERE kind = 'merged'")
    merged = await position_of(database, e.CustomersMerged, 1)
    assert await holes(database, blobs) == [("not_shown", merged)]


async def customers(database: Database, store: EventStore, number: int) -> list[UUID]:
    """Return the ids of so many new customers."""
    items = [inbound("Hi", f"{n}@example.com") for n in range(number)]
    events = await take_in(database, store, *items)
    return [event.customer_id for event in events if isinstance(event, e.CustomerRegistered)]


async def test_spam_has_its_bytes_and_so_it_has_with_the_event_that_closed_its_conversation(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    await take_in(database, store, inbound("spam", nature="spam"))
    assert await holes(database, blobs) == []
    await change(database, "UPDATE raw_items SET position = position + 2")
    assert await holes(database, blobs) == []


async def test_an_empty_log_misses_nothing(database: Database, store: EventStore, blobs: Blobs) -> None:
    assert await ledger_of(database, blobs) == Ledger()


@pytest.mark.parametrize(
    ("sql", "kind", "event"),
    [
        ("DELETE FROM timeline WHERE position = ?", "not_shown", e.MessageReceived),
        ("DELETE FROM raw_items WHERE position = ?", "raw_missing", e.MessageReceived),
        ("DELETE FROM raw_items WHERE position = ?", "raw_missing", e.InboundQuarantined),
        ("UPDATE raw_items SET data = 'abc' WHERE position = ?", "raw_changed", e.MessageReceived),
        ("UPDATE timeline SET position = -1 - position WHERE position = ?", "not_shown", e.ReplyRequested),
    ],
)
async def test_what_is_taken_away_is_named(
    database: Database, store: EventStore, blobs: Blobs, sql: str, kind: str, event: type
) -> None:
    await busy_day(database, store, blobs)
    position = await position_of(database, event)
    await change(database, sql, position)
    assert await holes(database, blobs, patience=2 * LATER) == [(kind, position)]


async def test_a_hole_says_since_when_whose_and_what_became_of_it(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    clock = Clock(AT)
    at_that_time = EventStore(database, clock)
    (_, _, message) = await take_in(database, at_that_time, inbound())
    assert isinstance(message, e.MessageReceived)
    clock.forward(60)
    reply = c.RequestReply(uuid4(), "Hello")
    await at_that_time.handle(message.conversation_id, reply, OLGA)
    await show(database)
    await change(database, "DELETE FROM timeline WHERE position = 3")
    whose = {"channel_id": str(MAILBOX), "conversation_id": str(message.conversation_id)}
    assert [hole.shown() for hole in (await ledger_of(database, blobs)).holes] == [
        {
            "kind": "not_shown", **whose, "at": to_text(AT), "position": 3,
            "what": "MessageReceived is in the log and not on the timeline",
            "done": "okno rebuild timeline puts it there",
        },
        {
            "kind": "reply_without_fate", **whose, "at": to_text(clock.at), "position": 4,
            "what": f"reply {reply.reply_id} has no known fate",
            "done": "it was never taken up for sending",
        },
    ]  # fmt: skip


async def test_a_quarantined_item_that_is_not_listed_is_named(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    await busy_day(database, store, blobs)
    await change(database, "DELETE FROM quarantine")
    position = await position_of(database, e.InboundQuarantined)
    assert await holes(database, blobs, patience=2 * LATER) == [("not_shown", position)]


async def test_an_item_the_index_does_not_know_is_named(database: Database, store: EventStore, blobs: Blobs) -> None:
    item = inbound()
    await take_in(database, store, item)
    await change(database, "DELETE FROM routing_seen WHERE id = ?", str(item.id))
    assert await holes(database, blobs) == [("not_in_index", await position_of(database, e.MessageReceived))]


async def test_nothing_is_passed_over_among_the_many_events_of_an_import(
    database: Database, store: EventStore, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, opened, _) = await take_in(database, store, inbound())
    import_, events = replace(ABOUT, cause=uuid4()), 3 + 12
    for number in range(12):  # an operator's note among those that have one cause
        note = c.AddNote(uuid4(), f"note {number}")
        caused = ABOUT if number % 5 == 2 else import_
        await store.record(lambda session, _, n=note, by=caused: session.decide(opened.conversation_id, n, by))  # type: ignore[misc,attr-defined]
    await show(database)
    for size in range(2, events + 2):
        monkeypatch.setattr("shared.audit.stretch.EVENTS", size)
        ledger = await ledger_of(database, blobs)
        assert (ledger.holes, ledger.events) == ([], events)


async def test_an_entry_that_nobody_recorded_is_named(database: Database, store: EventStore, blobs: Blobs) -> None:
    await take_in(database, store, inbound())
    await change(database, "UPDATE timeline SET position = 2")
    assert await holes(database, blobs) == [("not_shown", 3), ("not_in_log", 2)]


async def test_files_in_the_folder_are_looked_for_and_read(database: Database, store: EventStore, blobs: Blobs) -> None:
    await busy_day(database, store, blobs)
    position = await position_of(database, e.MessageReceived, 1)
    paths = {path.stat().st_size: path for path in blobs.folder.rglob("*") if path.is_file()}
    raw, file = paths[1000 + SEAL], paths[70_000 + SEAL + 16]  # in two pieces
    raw.write_bytes(raw.read_bytes()[:-1] + b"?")
    assert await holes(database, blobs, patience=2 * LATER) == [("file_changed", position)]
    assert await holes(database, blobs, patience=2 * LATER, read_bytes=False) == []
    raw.unlink()
    file.unlink()
    missing = [("raw_missing", position), ("file_missing", position)]
    assert await holes(database, blobs, patience=2 * LATER, read_bytes=False) == missing


async def test_a_reply_without_a_fate_is_named_with_what_was_done(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    await busy_day(database, store, blobs)
    (hole,) = (await ledger_of(database, blobs)).holes
    assert (hole.kind, hole.channel_id, hole.done) == (
        "reply_without_fate",
        MAILBOX,
        "it was never taken up for sending",
    )
    reply = hole.what.split()[1]
    await database.write(partial(_tried, reply=reply))
    (hole,) = (await ledger_of(database, blobs)).holes
    assert hole.done == "tried 3 times, next at 2026-11-21T12:05:00Z: mailbox full"


def _tried(tx: Transaction, reply: str) -> None:
    at = "2026-11-21T12:05:00Z"
    row = (reply, 1, 1, "c", str(MAILBOX), b"", "waiting", 3, at, at, "", "", "mailbox full", "", "", "[]", 0, at, at)
    tx.run(f"INSERT INTO deliveries VALUES ({','.join('?' * len(row))})", row)


async def test_what_the_tables_do_not_show_yet_is_a_hole_only_after_a_while(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    await take_in(database, store, inbound())
    await store.record(partial(_receive, item=inbound()))
    assert await holes(database, blobs, patience=2 * LATER) == []
    ((kind, position),) = await holes(database, blobs)
    assert (kind, position) == ("not_taken_in", 4)


async def test_a_stream_with_a_gap_is_named(database: Database, store: EventStore, blobs: Blobs) -> None:
    await busy_day(database, store, blobs)
    gone = await database.read(lambda tx: tx.row("SELECT originator_id FROM stored_events WHERE topic = 'ReplySent'"))
    await change(
        database, "DELETE FROM stored_events WHERE originator_id = ? AND originator_version = 2", *(gone or ())
    )
    assert "stream_gap" in [kind for kind, _ in await holes(database, blobs, patience=2 * LATER)]


async def test_what_a_channel_was_never_given_is_in_the_ledger(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    words = "Telegram left out updates 7 to 9 of this bot: what they said is lost."
    told_alone = {"channel_kind": "telegram", "nature": "automatic", "known_as": ()}
    await take_in(database, store, inbound(words, external_id="gap/7-9", **told_alone), inbound("gap/1 is no notice"))
    (hole,) = (await ledger_of(database, blobs)).holes
    assert (hole.kind, hole.channel_id, hole.what) == ("channel_gap", MAILBOX, words)


async def test_a_span_of_time_is_looked_at_alone(database: Database, store: EventStore, blobs: Blobs) -> None:
    moments = []
    for _ in range(3):
        moments.append(now())
        await take_in(database, store, inbound())
    spans = {
        "all": Span(), "later": Span(since=moments[1]), "earlier": Span(until=moments[1]),
        "between": Span(moments[1], moments[2]), "never": Span(since=now()),
    }  # fmt: skip
    found = {name: await ledger_of(database, blobs, span) for name, span in spans.items()}
    counted = {name: sum(counts.stored for counts in ledger.counts.values()) for name, ledger in found.items()}
    assert counted == {"all": 3, "later": 2, "earlier": 1, "between": 1, "never": 0}


async def test_a_fate_that_came_after_the_span_is_a_fate(database: Database, store: EventStore, blobs: Blobs) -> None:
    (event,) = [x for x in await take_in(database, store, inbound()) if isinstance(x, e.MessageReceived)]
    reply = uuid4()
    await store.handle(event.conversation_id, c.RequestReply(reply, "Hello"), OLGA)
    at = now()
    await store.handle(event.conversation_id, c.RecordDelivery(reply, MAILBOX, 1, "failed", 1, error="no"), SYSTEM)
    await show(database)
    ledger = await ledger_of(database, blobs, Span(until=at))
    assert (ledger.holes, ledger.counts[MAILBOX].failed, ledger.counts[MAILBOX].sending) == ([], 1, 0)


async def test_more_holes_than_are_named_are_counted() -> None:
    ledger = Ledger()
    for number in range(1500):
        ledger.note(Hole("not_shown", None, AT, "", "", number))
    assert (len(ledger.holes), ledger.kinds, ledger.complete) == (1000, Counter(not_shown=1500), False)


async def test_the_rows_have_what_the_channels_said_themselves(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    row = (str(MAILBOX), "email", "Support", "{}", "", "active", to_text(AT))
    await database.write(lambda tx: tx.run("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?)", row))
    await report(database, MAILBOX, "receive", "", 12, None)
    await report(database, MAILBOX, "history", "no answer", None, None)
    await take_in(database, store, inbound(), call_report("ringing"))
    ledger = await ledger_of(database, blobs)
    support, line = await database.read(partial(rows_of, ledger=ledger))
    assert (support["name"], support["received"], support["lag"], support["problem"]) == ("Support", 1, 12, "no answer")
    assert [told["by"] for told in support["told"]] == ["history", "receive"]
    assert (line["id"], line["state"], line["stored"]) == (str(LINE), "unknown", 1)


# --- the transport ----------------------------------------------------------------------------------------


async def compared(database: Database, store: EventStore) -> Ledger:
    ledger = Ledger()
    letters = await unrecorded.buried(look_embedded(database, topics.DEAD_LETTERS))
    records = look_embedded(database, topics.INBOUND)
    await unrecorded.compare(database, store, records, letters, ledger, AT + LATER, timedelta(minutes=5))
    return ledger


async def test_an_item_that_was_published_and_never_recorded_is_named(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    mails = [inbound(f"mail {number}") for number in range(5)]
    copy = replace(inbound(), same_as=(mails[0].id,))
    reports = [call_report("ringing"), call_report("answered")]
    again = replace(reports[1], id=uuid4())
    items = [*mails, copy, *reports, again, unreadable()]
    publisher = embedded.publisher()
    await publisher.publish_many(topics.INBOUND, [record_of(item) for item in items])
    await publisher.publish(topics.INBOUND, Outgoing("k", b"?", {"ce_type": "of another system"}))

    waiting = await compared(database, store)
    assert waiting.counts[MAILBOX].on_the_way == 7
    assert waiting.kinds == Counter(not_taken_in=10)
    async with running(IntakeLoop(store, embedded, rules.intake()).run()):
        await until(partial(_known, database, items[-1].id))
        await until(lambda: _buried(database))
    assert (await compared(database, store)).complete
    await change(database, "DELETE FROM routing_seen WHERE id = ?", str(mails[2].id))
    await database.write(lambda tx: tx.run("DELETE FROM stored_events WHERE topic = 'MessageReceived'"))
    ledger = await compared(database, store)
    assert [(hole.what.split()[1], hole.at) for hole in ledger.holes] == [(str(mails[2].id), mails[2].received_at)]
    assert ledger.counts[MAILBOX].not_recorded == 1


async def _known(database: Database, id_: UUID) -> bool:
    return await database.read(lambda tx: tx.row("SELECT 1 FROM routing_seen WHERE id = ?", (str(id_),))) is not None


async def _buried(database: Database) -> bool:
    return bool(await unrecorded.buried(look_embedded(database, topics.DEAD_LETTERS)))


async def test_looking_moves_no_position_and_keeps_nothing(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    await embedded.publisher().publish(topics.INBOUND, record_of(inbound()))
    before = await database.read(lambda tx: tx.rows("SELECT * FROM transport_positions"))
    assert [len(batch) async for batch in look_embedded(database, topics.INBOUND)] == [1]
    assert [len(batch) async for batch in look_embedded(database, topics.INBOUND, now() + LATER)] == []
    assert await database.read(lambda tx: tx.rows("SELECT * FROM transport_positions")) == before
