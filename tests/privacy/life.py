"""What else is kept of a customer than what they say: card, imports, merges, claims, partners, projections, exports."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from services.inbox_api import cards as cards_api
from services.inbox_api import exporting, importing
from services.inbox_api.past import customer as customer_then
from services.inbox_api.selection import Selection, page
from services.inbox_api.timelines import Asked, entries
from services.inbox_api.why import explained
from services.projector.partner_batch import next_batch
from services.projector.projection import load
from services.projector.replay import Replay
from shared.clock import now, to_text
from shared.contracts.inbound import Address, Leg
from shared.database.open import open_database
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.card import Said, Wanted
from shared.domain.vcard import PersonCard, vcard
from shared.event_store import cards, merging, moving, threads
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from shared.event_store.shown import json_lines
from shared.read_models import customers, live
from shared.read_models.search import READ_MODEL as SEARCH
from shared.read_models.timeline_pages import Page
from shared.registry.operators import Operator
from shared.registry.subscriptions import Delivery
from shared.registry.typing import Typing, Writing
from tests.examples import call_report
from tests.privacy.town import OLGA, Person, Town

ADMIN = Operator(uuid4(), "boss@okno.example", "Boss", "admin", None)
PROJECTION = """
class Words:
    schema = "CREATE TABLE words (position BIGINT, said TEXT)"

    def apply(self, db, recorded):
        db.run("INSERT INTO words VALUES (?, ?)", (recorded.position, str(recorded.event)))
"""
Decide = Callable[[Session, Transaction], object]


async def decide(made: Town, what: Decide) -> None:
    await made.house.store.record(lambda session, tx: void(what(session, tx)))
    await made.settle()


def void(_: object) -> None: ...


def by_olga(cause: UUID | None = None) -> About:
    return About(now(), OLGA, cause)


async def live_on(made: Town, who: Person, customer_id: UUID) -> UUID:
    """Let everything be kept of somebody that there is; return the import that knew them."""
    await write_card(made, who, customer_id)
    import_id = await _import(made, who)
    other = await _second_self(made, who, customer_id)
    await _conversations(made, who, customer_id)
    await _held_call(made, who)
    await _heard_and_typing(made, who, customer_id, other)
    await _partner(made, who)
    await replayed(made)
    return import_id


async def write_card(made: Town, who: Person, customer_id: UUID) -> None:
    """Fill in the card, own fields and a consent too."""
    size = e.OwnFieldDefined("size", "Size", "text")
    await decide(made, lambda session, tx: cards.define_field(session, tx, size, by_olga()))
    wanted = [
        Wanted("notes", who.say("card-notes")), Wanted("organisation", who.say("organisation")),
        Wanted("addresses", [who.say("street")]), Wanted("own.size", who.say("own-field")),
        Wanted("birthday", "1987-03-02"),
    ]  # fmt: skip
    await decide(made, lambda session, tx: cards.change_card(session, tx, customer_id, wanted, {}, by_olga()))
    said = Said("email", "given", who.say("consent"), now(), who.say("consent-how"))
    await decide(made, lambda session, tx: cards.say_consent(session, tx, customer_id, said, by_olga()))


async def _import(made: Town, who: Person) -> UUID:
    text = f"email,notes,requisites\n{who.email},{who.say('imported')},{who.say('requisites')}\n"
    import_id, wanted = uuid4(), importing.Wanted(io.BytesIO(text.encode()), "clients.csv", (), {})
    plan = await importing.plan(made.house.database, wanted)
    async for _ in importing.run(made.house.store, plan, import_id, by_olga(import_id)):
        continue
    await made.settle()
    return import_id


async def _second_self(made: Town, who: Person, customer_id: UUID) -> UUID:
    """Another address, which the form of the first one claims, is merged."""
    address = who.texts["second address"] = f"second-{who.mark.lower()}@lubov.example"
    await made.publish(made.item(who, "email", "as-other", sender=Address("email", address, who.name)))
    claiming = made.item(who, "web_form", "claiming", identities=(Address("email", address),))
    await made.publish(claiming)
    found = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers WHERE address = ?", (address,)))
    other = UUID(found[0][0])
    await decide(made, lambda session, tx: merging.merge(session, tx, other, customer_id, by_olga()))
    return other


async def _conversations(made: Town, who: Person, customer_id: UUID) -> None:
    """A message is split off, its conversation merged back."""
    split = made.item(who, "email", "split")
    await made.publish(split)
    await made.publish(made.item(who, "email", "beside", refers_to=split.known_as))
    rows = await made.house.database.read(
        lambda tx: tx.rows("SELECT conversation_id FROM routing_seen WHERE id = ?", (str(split.id),))
    )
    source = UUID(rows[0][0])
    place: list[UUID] = []

    def away(session: Session, tx: Transaction) -> None:
        place[:] = [moving.move(session, tx, source, [split.id], None, by_olga())]

    await decide(made, away)
    await decide(made, lambda session, tx: threads.merge(session, tx, place[0], source, by_olga()))


async def _held_call(made: Town, who: Person) -> None:
    """A report that does not tell whose call it is, then one that does."""
    channel, call_id = made.channels["telephony"], who.id("held-call")
    key = (f"call:{channel.id}/{call_id}",)
    named = replace(call_report("ringing", call_id, who.phone), channel_id=channel.id, refers_to=key, known_as=key)
    named = replace(named, proves=key, received_at=now(), occurred_at=now())
    other = replace(call_report("finished", call_id, who.phone, talking_seconds=5), channel_id=channel.id)
    assert other.call is not None
    legs = (Leg("leg", who.say("held-leg"), "ended", 1, now(), True),)
    nameless = replace(
        other, sender=Address("telephony", call_id), call=replace(other.call, from_="", to="", legs=legs),
        refers_to=key, known_as=key, proves=key, awaits_call=True, received_at=now(), occurred_at=now(),
    )  # fmt: skip
    await made.publish(nameless)
    await made.publish(named)


async def _heard_and_typing(made: Town, who: Person, customer_id: UUID, other: UUID) -> None:
    heard = e.RecordingHeard(uuid4(), uuid4(), customer_id, who.say("heard.mp3"))
    stream = uuid4()
    await decide(made, lambda session, tx: session.append(stream, 1, Happening(heard, by_olga())))
    rows = await made.house.database.read(
        lambda tx: tx.rows("SELECT id FROM conversations WHERE customer_id = ?", (str(other),))
    )
    conversation_id = UUID(rows[0][0])
    await Typing(made.house.database).tell(Writing(conversation_id, made.channels["email"].id, who.say("typing")))
    automatic = c.RequestReply(uuid4(), who.say("automatic"), automatic=True)
    await made.house.store.handle(conversation_id, automatic, e.Actor("system"))
    await made.settle()


async def _partner(made: Town, who: Person) -> None:
    """It answered what it was sent with some of it."""
    subscriptions = made.house.subscriptions
    subscription, _ = await subscriptions.add("https://partner.example/hook", [], 0)
    batch, _, _ = await made.house.database.read(partial(next_batch, subscription=subscription, after=0))
    assert batch is not None
    await subscriptions.begin(subscription, batch.last)
    at = to_text(now())
    echo = Delivery("msg_1", at, batch.first, batch.last, batch.events, 1, 200, 5, who.say("echo"), "")
    await subscriptions.confirm(subscription, echo)


async def replayed(made: Town) -> None:
    """Run an analyst's projection where it lies unless told otherwise."""
    folder = made.house.settings.data / "replay"
    folder.mkdir(exist_ok=True)
    file = folder / "words.py"
    file.write_text(PROJECTION)
    target = open_database(f"sqlite:///{folder / 'words.db'}")
    try:
        replay = Replay(load(f"{file}:Words"), made.house.database, target)
        await replay.run(await replay.begin(None, restart=False), None)
    finally:
        await target.close()


# --- what can be asked for --------------------------------------------------------------------------------


async def indexed(made: Town) -> None:
    """Bring the search index to the log's end, as its follower does in its own time."""
    while True:
        standing = (await made.house.database.read(live.standings))[SEARCH.name]
        events = await made.house.store.after(standing.position, 500)
        if not events:
            return
        await made.house.database.write(partial(live.take_in_apart, name=SEARCH.name, events=events))


async def all_that_is_told(made: Town, customer_id: UUID, at: datetime) -> str:
    """Return as one text whatever can be asked for of a customer, now and as of a moment, and of everybody."""
    found = [part async for part in _told(made, customer_id, at)]
    return "\n".join(str(part) for part in found)


async def _told(made: Town, customer_id: UUID, at: datetime) -> AsyncIterator[Any]:
    database = made.house.database
    everything = await database.read(partial(page, wanted=Selection(), after=0, limit=100_000))
    yield json_lines(everything.events).decode()
    yield (await database.read(partial(page, wanted=Selection(customer_id=customer_id), after=0, limit=100_000))).events
    for by in ("known", "happened"):
        for then in (None, at):
            asked = Asked(by=by, as_of=then)
            yield await database.read(partial(entries, customer_id=customer_id, page=Page(10_000), asked=asked))
    yield await database.read(partial(customer_then, customer_id=customer_id, at=at, by="known"))
    person = await database.read(partial(customers.customer, customer_id=customer_id))
    card = await database.read(partial(cards_api.card_in, customer_id=customer_id))
    yield person, card
    assert person is not None
    assert card is not None
    yield vcard(PersonCard(card, person["identities"]))
    yield b"".join([part async for part in exporting.csv_of(database, {}, ",")]).decode()
    for subscription in await made.house.subscriptions.all():
        batch, _, _ = await database.read(partial(next_batch, subscription=replace(subscription, position=0), after=0))
        yield batch.body.decode() if batch else ""
    for recorded in everything.events:
        yield await database.read(partial(explained, position=recorded.position, operator=ADMIN))
    tables = ["search_entries", "timeline", "customers", "cards", "conversations", "merge_suggestions", "quarantine"]
    for table in [*tables, "webhook_deliveries", "routing_claims", "routing_auto_replies", "typing", "heard"]:
        yield await database.read(lambda tx, table=table: tx.rows(f"SELECT * FROM {table}"))
