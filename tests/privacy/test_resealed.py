"""What an erasure must seal anew keeps its place in the hash chain; what nobody may have changed is still seen."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.projector.chain import link_next
from shared.contracts.inbound import Address
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.card import Wanted
from shared.domain.errors import Refused
from shared.event_store import cards, moving
from shared.event_store.chain_verify import verify
from shared.event_store.mapper import key_of
from shared.keys.ring import NOBODY
from tests.privacy.life import by_olga, decide
from tests.privacy.test_erasure import erase
from tests.privacy.town import OLGA, Person, Town, settings_of, town


@pytest.fixture
def url(any_url: str, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'okno.db'}" if any_url.startswith("sqlite") else any_url


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
        wanted = (place[other], moved.id, place[customer])
        await decide(made, lambda session, tx: moving.move(session, tx, wanted, by_olga()))
        await linked(made)
        await erase(made, customer)
        await linked(made)
        assert (await verify(made.house.database)).difference is None
        texts = {str(r.event) for r in await made.log()}
        assert not any(boris.say("moved") in text or anna.say("own") in text for text in texts)
        assert any(boris.say("first") in text for text in texts)
        (away,) = [r.event for r in await made.log() if isinstance(r.event, e.MessageMoved)]
        assert (away.known_as, away.left is not None and away.left.text) == ((), boris.say("first"))


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
