"""What an erasure must seal anew keeps its place in the hash chain; what nobody may have changed is still seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.ingest.fetch_queue import FetchQueue
from services.projector.chain import link_next
from services.projector.rebuild import Wanted as WantedModels
from services.projector.rebuild import rebuild
from shared.contracts.inbound import Address, RemoteFile
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.card import Wanted
from shared.domain.errors import Refused
from shared.event_store import cards, moving
from shared.event_store.chain_verify import verify
from shared.event_store.mapper import key_of
from shared.event_store.raw_items import raw_item
from shared.event_store.traces import read_traces
from shared.keys.ring import NOBODY
from tests.privacy.life import by_olga, decide
from tests.privacy.test_erasure import erase
from tests.privacy.town import OLGA, Person, Town, settings_of, town


async def linked(made: Town) -> None:
    while await link_next(made.house.database):
        continue


async def customer_of(made: Town, who: Person) -> UUID:
    sql = "SELECT customer_id FROM routing_addresses WHERE address = ?"
    rows = await made.house.database.read(lambda tx: tx.rows(sql, (who.email,)))
    return UUID(rows[0][0])


async def test_events_stored_plain_are_sealed_anew_and_the_chain_still_holds(url: str, tmp_path: Path) -> None:
    anna = Person("Otkrytaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        made.house.database.keys, keys = None, made.house.database.keys
        await made.publish(made.item(anna, "email", "plain"))
        made.house.database.keys = keys
        await linked(made)
        await erase(made, await customer_of(made, anna))
        await linked(made)
        verified = await verify(made.house.database)
        assert (verified.difference, verified.resealed > 0) == (None, True)
        assert [r.erased for r in await made.log() if isinstance(r.event, e.MessageReceived)] == [True]
        await forge(made, await made.house.database.read(first_resealed))
        difference = (await verify(made.house.database)).difference
        assert difference is not None
        assert difference.what == "changed"


def first_resealed(tx: Transaction) -> tuple[int, bytes]:
    (row,) = tx.rows("SELECT position, before FROM log_resealed ORDER BY position LIMIT 1")
    return int(row[0]), bytes(row[1])


async def forge(made: Town, place: tuple[int, bytes]) -> None:
    """Change an event and excuse it as an erasure's work, without OKNO_SECRET_KEY."""
    position, before = place
    column = "rowid" if made.house.database.dialect == "sqlite" else "notification_id"

    def change(tx: Transaction) -> None:
        tx.run(f"UPDATE stored_events SET topic = 'Forged' WHERE {column} = ?", (position,))
        tx.run("UPDATE log_resealed SET after = ?, vouched = ? WHERE position = ?", (before, b"?" * 32, position))

    await made.house.database.write(change)


async def test_what_was_moved_to_somebody_erased_goes_and_the_rest_of_its_sender_stays(
    url: str, tmp_path: Path
) -> None:
    anna, boris = Person("Prinyavshaya"), Person("Otdavshiy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "own"))
        first = made.item(boris, "email", "first")
        moved = made.item(boris, "email", "moved", refers_to=first.known_as)
        await made.publish(first)
        await made.publish(moved)
        rows = await made.house.database.read(
            lambda tx: tx.rows("SELECT id, customer_id FROM conversations ORDER BY position")
        )
        customer, other = await customer_of(made, anna), await customer_of(made, boris)
        place = {UUID(owner): UUID(id_) for id_, owner in rows}
        await decide(
            made, lambda session, tx: moving.move(session, tx, place[other], [moved.id], place[customer], by_olga())
        )
        await linked(made)
        await erase(made, customer)
        await linked(made)
        assert (await verify(made.house.database)).difference is None
        texts = {str(r.event) for r in await made.log()}
        assert not any(boris.say("moved") in text or anna.say("own") in text for text in texts)
        assert any(boris.say("first") in text for text in texts)
        (away,) = [r.event for r in await made.log() if isinstance(r.event, e.MessageMoved)]
        assert (away.known_as, away.left is not None and away.left.text) == ((), boris.say("first"))


async def message_of(made: Town, who: Person, what: str, *moves: Person, **more: object) -> UUID:
    """Let somebody write, and move it to others, one after the other; return its id."""
    item = made.item(who, "email", what, **more)
    await made.publish(item)
    for to in moves:
        await moved_to(made, item.id, to)
    return item.id


async def moved_to(made: Town, message_id: UUID, to: Person) -> None:
    sql = "SELECT conversation_id FROM routing_seen WHERE id = ?"
    ((place,),) = await made.house.database.read(lambda tx: tx.rows(sql, (str(message_id),)))
    owner = await customer_of(made, to)
    first = "SELECT id FROM conversations WHERE customer_id = ? ORDER BY position"
    target = (await made.house.database.read(lambda tx: tx.rows(first, (str(owner),))))[0][0]
    await decide(made, lambda session, tx: moving.move(session, tx, UUID(place), [message_id], UUID(target), by_olga()))


async def shown(made: Town, customer_id: UUID) -> set[str]:
    return {str(entry["text"]) for entry in await made.timeline(customer_id)}


async def test_a_message_goes_with_whoever_has_it_now_and_with_nobody_who_had_it(url: str, tmp_path: Path) -> None:
    anna, boris, vera = Person("Vernuvshaya"), Person("Poluchivshiy"), Person("Tretyaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        mails = {who.mark: made.item(who, "email", "own") for who in (anna, boris, vera)}
        for mail in mails.values():
            await made.publish(mail)
        own = mails["Poluchivshiy"].known_as
        back = await message_of(made, boris, "back", anna, boris, refers_to=own)
        on = await message_of(made, boris, "on", anna, vera, refers_to=own)
        customer, other, third = [await customer_of(made, who) for who in (anna, boris, vera)]
        assert anna.say("own") in await shown(made, customer)
        await linked(made)
        assert boris.say("on") in await shown(made, third)
        await erase(made, third)
        texts = str(await made.log())
        assert (boris.say("on") in texts, boris.say("back") in texts, vera.say("own") in texts) == (False, True, False)
        await erase(made, customer)
        assert {boris.say("own"), boris.say("back")} <= await shown(made, other)
        assert (anna.say("own") in str(await made.log()), back != on) == (False, True)
        await linked(made)
        assert (await verify(made.house.database)).difference is None


async def test_what_stood_as_the_last_one_that_stays_goes_too_once_it_was_moved_to_somebody_erased(
    url: str, tmp_path: Path
) -> None:
    anna, boris, vera = Person("Poslednyaya"), Person("Ostavlyayushchiy"), Person("Storonnyaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        mails = {who.mark: made.item(who, "email", "own") for who in (anna, boris, vera)}
        for mail in mails.values():
            await made.publish(mail)
        own, second = mails[boris.mark], made.item(boris, "email", "second", refers_to=mails[boris.mark].known_as)
        await made.publish(second)
        third = await message_of(made, boris, "third", vera, refers_to=own.known_as)  # `second` is the last one now
        await moved_to(made, second.id, anna)
        assert boris.say("second") in {moved.left.text for moved in await moves(made, third) if moved.left}
        await linked(made)
        await erase(made, await customer_of(made, anna))
        texts = str(await made.log())
        assert (boris.say("second") in texts, boris.say("third") in texts, boris.say("own") in texts) == (
            False, True, True,
        )  # fmt: skip
        (away,) = await moves(made, third)
        assert (away.left is not None and away.left.message_id, away.known_as != ()) == (second.id, True)
        await linked(made)
        assert (await verify(made.house.database)).difference is None
        assert all(result.equal for result in await rebuild(made.house.database, WantedModels(switch=False)))


async def moves(made: Town, message_id: UUID) -> list[e.MessageMoved]:
    events = [r.event for r in await made.log()]
    return [event for event in events if isinstance(event, e.MessageMoved) and event.message_id == message_id]


async def test_what_was_moved_out_of_the_conversation_of_somebody_erased_stays_with_its_raw_bytes(
    url: str, tmp_path: Path
) -> None:
    anna, boris, vera = Person("Otdavshaya"), Person("Vynesennyy"), Person("Sleduyushchaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        first = made.item(anna, "email", "own")
        for item in (first, made.item(boris, "email", "own"), made.item(vera, "email", "own")):
            await made.publish(item)
        moved = await message_of(made, anna, "moved", boris, refers_to=first.known_as)
        await linked(made)
        customer, other, third = [await customer_of(made, who) for who in (anna, boris, vera)]
        await erase(made, customer)
        (received,) = [
            r for r in await made.log() if isinstance(r.event, e.MessageReceived) and r.event.message_id == moved
        ]
        assert (received.erased, received.event.text) == (False, anna.say("moved"))
        raw = await made.house.database.read(lambda tx: raw_item(tx, received.position))
        assert anna.say("raw-moved").encode() in (raw or b"")
        assert anna.say("moved") in await shown(made, other)
        assert anna.say("own") not in str(await made.log())
        await linked(made)
        assert (await verify(made.house.database)).difference is None
        ((place,),) = await made.house.database.read(
            lambda tx: tx.rows("SELECT conversation_id FROM routing_seen WHERE id = ?", (str(moved),))
        )
        ((target,),) = await made.house.database.read(
            lambda tx: tx.rows("SELECT id FROM conversations WHERE customer_id = ?", (str(third),))
        )
        await decide(made, lambda session, tx: moving.move(session, tx, UUID(place), [moved], UUID(target), by_olga()))
        await erase(made, other)
        assert anna.say("moved") in await shown(made, third)
        own = await made.house.database.read(lambda tx: read_traces(tx, received.position - 1, 1)[0].key)
        assert own is not None
        assert made.house.keys.to_open([own])[own] is not None
        await erase(made, third)
        assert anna.say("moved") not in str(await made.log())
        assert made.house.keys.to_open([own])[own] is None  # what had it before is in backups


async def test_what_waits_of_somebody_whose_form_names_the_erased_stays(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Nazvannaya"), Person("Zhdushchiy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(boris, "email", "own"))
        await made.publish(made.item(anna, "web_form", "own", identities=(Address("email", boris.email),)))
        claimed = made.item(boris, "web_form", "claims", identities=(Address("email", anna.email),))
        remote = RemoteFile("https://files.example/1", "1.pdf", "application/pdf")
        await FetchQueue(made.house.database).hold(replace(claimed, remote_files=(remote,)))
        await made.publish(claimed)
        customer = await customer_of(made, anna)
        suggested = [
            r.event.customer_id
            for r in await made.log()
            if isinstance(r.event, e.MergeSuggested) and r.cause == claimed.id
        ]
        assert suggested == [customer]
        await erase(made, customer)
        kept = await made.house.database.read(lambda tx: tx.rows("SELECT inbound_id FROM fetches"))
        assert kept == [(str(claimed.id),)]


async def test_a_suggestion_about_somebody_erased_is_withdrawn_and_tells_no_address(url: str, tmp_path: Path) -> None:
    anna, boris = Person("Predlozhennaya"), Person("Nazvavshiy")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "own"))
        claimed = made.item(boris, "web_form", "claims", identities=(Address("email", anna.email),))
        await made.publish(claimed)
        await linked(made)
        await erase(made, await customer_of(made, anna))
        await linked(made)
        (suggested,) = [r.event for r in await made.log() if isinstance(r.event, e.MergeSuggested)]
        assert [reason.address for reason in suggested.reasons] == [""]
        states = await made.house.database.read(lambda tx: tx.rows("SELECT state, reasons FROM merge_suggestions"))
        assert ([state for state, _ in states], anna.email in str(states)) == (["erased"], False)
        assert (await verify(made.house.database)).difference is None
        claims = await made.house.database.read(lambda tx: tx.rows("SELECT address FROM routing_claims"))
        assert anna.email not in str(claims)


async def test_what_still_comes_of_somebody_erased_is_sealed_with_a_key_that_nobody_keeps(
    url: str, tmp_path: Path
) -> None:
    anna = Person("Zvonyashchaya")
    async with town(settings_of(tmp_path / "data", url)) as made:
        await made.publish(made.item(anna, "email", "mail"))
        customer = await customer_of(made, anna)
        conversation = (await made.house.database.read(lambda tx: tx.rows("SELECT id FROM conversations")))[0][0]
        await erase(made, customer)
        with pytest.raises(Refused, match="was erased"):
            await made.house.store.handle(UUID(conversation), c.AddNote(uuid4(), anna.say("note")), OLGA)
        with pytest.raises(Refused, match="was erased"):
            await decide(
                made,
                lambda session, tx: cards.change_card(
                    session, tx, customer, [Wanted("notes", anna.say("card"))], {}, by_olga()
                ),
            )
        await made.house.store.handle(UUID(conversation), c.AddNote(uuid4(), anna.say("by itself")), e.Actor("system"))
        await made.settle()
        last = (await made.log())[-1]
        assert (type(last.event), last.erased) == (e.NoteAdded, True)
        assert anna.say("by itself") not in str(await made.timeline(customer))
        state = await made.house.database.read(lambda tx: tx.rows("SELECT state FROM stored_events"))
        assert key_of(bytes(state[-1][0])) == NOBODY
