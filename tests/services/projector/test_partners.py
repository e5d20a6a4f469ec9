"""Webhooks as partners get them: in order, signed, until confirmed; on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio

from services.projector import inbound, partner_batch, partner_http, partners
from services.projector.partners import LEAD, Partners
from shared.clock import from_text
from shared.database.lead import lead_forever
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store.log import head
from shared.event_store.store import EventStore
from shared.registry.subscriptions import KEPT_DELIVERIES, Subscription, Subscriptions
from tests.examples import Clock
from tests.examples import inbound as item
from tests.read_models.contents import show
from tests.services.fakes import until
from tests.services.projector.partner import HANG, OK, Partner, answer, partner
from tests.services.projector.running import running
from tests.stores import create_all_tables

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Trade:
    """A log, its subscriptions and a partner."""

    database: Database
    store: EventStore
    subscriptions: Subscriptions
    partner: Partner
    clock: Clock

    def sending(self) -> Any:
        return Partners(self.database, self.store, self.subscriptions, self.clock).run()

    async def receive(self, *texts: str, size: int = 0) -> int:
        """Record messages; return the log's last position."""
        items = [item(text + "x" * size, sender=f"{text}@example.com") for text in texts]
        await self.store.record(lambda session, tx: inbound.receive(session, tx, items))
        await show(self.database)
        return await self.database.read(head)

    async def state(self, id_: Any) -> Subscription:
        found = await self.subscriptions.one(id_)
        assert found is not None
        return found

    async def confirmed(self, id_: Any, position: int) -> None:
        async def is_there() -> bool:
            return (await self.state(id_)).position == position

        await until(is_there, 60)

    async def deliveries(self, id_: Any) -> list[dict[str, Any]]:
        """Oldest first."""
        return (await self.subscriptions.deliveries(id_, None, 1000))[::-1]

    async def tried(self, id_: Any, times: int) -> list[dict[str, Any]]:
        async def enough() -> bool:
            return len(await self.deliveries(id_)) >= times

        await until(enough, 60)
        return await self.deliveries(id_)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(partners, "ROUND_SECONDS", 0.02)


@pytest_asyncio.fixture
async def trade(database: Database, store: EventStore) -> AsyncIterator[Trade]:
    async with partner() as there:
        yield Trade(database, store, Subscriptions(database, bytes(32), LOOPBACK), there, Clock())


async def test_events_come_in_order_signed_and_are_confirmed(trade: Trade) -> None:
    subscription, secret = await trade.subscriptions.add(trade.partner.url, [], 0)
    before = await trade.receive("one", "two")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, before)
        end = await trade.receive("three")
        await trade.confirmed(subscription.id, end)
    assert trade.partner.positions == list(range(1, end + 1))
    assert all(trade.partner.is_signed(one, secret) for one in trade.partner.got)
    texts = [e["data"]["text"] for one in trade.partner.got for e in one.events if e["type"] == "MessageReceived"]
    assert texts == ["one", "two", "three"]
    first = (await trade.deliveries(subscription.id))[0]
    assert (first["first_position"], first["last_position"], first["events"]) == (1, before, before)
    assert (first["status"], first["attempt"], first["problem"]) == (204, 1, "")
    assert first["webhook_id"] == trade.partner.got[0].webhook_id


async def test_only_the_types_that_were_asked_for_come(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "RECORD_EVERY", 2)
    monkeypatch.setattr(partner_batch, "WINDOW", 3)
    subscription, _ = await trade.subscriptions.add(trade.partner.url, ["MessageReceived"], 0)
    rare, _ = await trade.subscriptions.add(trade.partner.url, ["NoteAdded"], 0)
    end = await trade.receive("one", "two", "three")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, end)
        await trade.confirmed(rare.id, end)
    assert [e["data"]["text"] for one in trade.partner.got for e in one.events] == ["one", "two", "three"]


async def test_batches_are_bounded_in_number_and_size(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner_batch, "EVENTS", 4)
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive(*"abcdef")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, end)
        assert [len(one.positions) for one in trade.partner.got] == [4, 4, 4, 4, 2]
        large = await trade.receive("g", "h", size=300_000)
        await trade.confirmed(subscription.id, large)
    assert max(len(one.body) for one in trade.partner.got) < 1024 * 1024
    assert trade.partner.positions == list(range(1, large + 1))


async def test_what_fails_is_repeated_as_it_was_and_nothing_overtakes_it(trade: Trade) -> None:
    trade.partner.answers = [answer("500 No", "броken\x00"), answer("302 Found", location="http://127.0.0.1:1/"), OK]
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one")
    async with running(trade.sending()):
        (failed, *_) = await trade.tried(subscription.id, 1)
        later = await trade.receive("two")
        for times in (2, 3):
            trade.clock.forward(60)
            await trade.tried(subscription.id, times)
        await trade.confirmed(subscription.id, later)
    first, second, third, last = trade.partner.got
    assert first.webhook_id == second.webhook_id == third.webhook_id != last.webhook_id
    assert first.body == second.body == third.body
    assert (first.positions[-1], last.positions) == (end, list(range(end + 1, later + 1)))
    assert third.headers["webhook-timestamp"] != first.headers["webhook-timestamp"]
    assert (failed["status"], failed["answer"], failed["problem"]) == (500, "броken", "the partner answered 500")
    assert [one["problem"] for one in (await trade.deliveries(subscription.id))[1:]] == [
        "redirects are not followed", "", ""
    ]  # fmt: skip
    assert (await trade.state(subscription.id)).failing_since is None


async def test_a_partner_that_was_away_for_a_day_catches_up_by_itself(trade: Trade) -> None:
    async with partner() as gone:
        subscription, _ = await trade.subscriptions.add(gone.url, [], 0)
    end = await trade.receive("one")
    async with running(trade.sending()):
        for tries in range(1, 6):
            await trade.tried(subscription.id, tries)
            trade.clock.forward(6 * 3600)
        await trade.tried(subscription.id, 6)
        assert (await trade.state(subscription.id)).state == "active"
        end = await trade.receive("two")
        server = await asyncio.start_server(trade.partner.take, "127.0.0.1", gone.port, limit=2**24)
        trade.clock.forward(2 * 3600)
        await trade.confirmed(subscription.id, end)
        server.close()
    assert trade.partner.positions == list(range(1, end + 1))


async def test_after_three_days_it_is_paused_and_resuming_loses_nothing(trade: Trade) -> None:
    trade.partner.usual = answer("503 Later")
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one")
    async with running(trade.sending()):
        await trade.tried(subscription.id, 1)
        trade.clock.forward(3 * 24 * 3600)
        await trade.tried(subscription.id, 2)
        paused = await trade.state(subscription.id)
        assert (paused.state, paused.position, paused.reason) == (
            "paused", 0, "three days without success: `resume` goes on where it stopped; the partner answered 503"
        )  # fmt: skip
        trade.partner.usual = OK
        await trade.subscriptions.resume(subscription.id)
        await trade.confirmed(subscription.id, end)
    assert trade.partner.got[0].webhook_id == trade.partner.got[-1].webhook_id


async def test_a_partner_that_says_when_to_come_back_is_left_alone_until_then(trade: Trade) -> None:
    trade.partner.answers = [answer("429 Slowly", Retry_After="600")]
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    await trade.receive("one")
    async with running(trade.sending()):
        (tried,) = await trade.tried(subscription.id, 1)
        state = await trade.state(subscription.id)
        assert state.next_try_at is not None
        assert state.next_try_at - from_text(tried["at"]) == timedelta(seconds=600)


async def test_a_partner_that_is_gone_is_disabled(trade: Trade) -> None:
    trade.partner.usual = answer("410 Gone")
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    await trade.receive("one")
    async with running(trade.sending()):
        await trade.tried(subscription.id, 1)
        state = await trade.state(subscription.id)
    assert (state.state, state.reason) == ("disabled", "the partner answered 410: it wants no more")


async def test_a_rewind_sends_everything_again_under_new_ids(trade: Trade) -> None:
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one", "two")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, end)
        await trade.subscriptions.rewind(subscription.id, 2)
        await trade.tried(subscription.id, 2)
        await trade.confirmed(subscription.id, end)
    first, second = trade.partner.got
    assert (first.positions, second.positions) == (list(range(1, end + 1)), list(range(3, end + 1)))
    assert first.webhook_id != second.webhook_id


async def test_a_rewind_during_a_try_is_not_undone_by_its_end(trade: Trade) -> None:
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one")
    assert await trade.subscriptions.begin(subscription, end)
    in_hand = await trade.state(subscription.id)
    await trade.subscriptions.rewind(subscription.id, 1)
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, end)
    assert in_hand.sending_until == end
    assert trade.partner.positions == list(range(2, end + 1))


async def test_after_a_crash_between_send_and_commit_the_same_webhook_comes_again(trade: Trade) -> None:
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    await trade.receive("one")
    trade.partner.usual = HANG
    async with running(trade.sending()):
        await until(lambda: len(trade.partner.got) == 1, 60)
    trade.partner.usual = OK
    later = await trade.receive("two")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, later)
    first, again, rest = trade.partner.got
    assert (first.webhook_id, first.body) == (again.webhook_id, again.body)
    assert first.positions + rest.positions == list(range(1, later + 1))


async def test_a_slow_partner_keeps_no_other_waiting(trade: Trade) -> None:
    slow, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    trade.partner.usual = HANG
    async with partner() as quick:
        other, _ = await trade.subscriptions.add(quick.url, [], 0)
        end = await trade.receive("one")
        async with running(trade.sending()):
            await until(lambda: len(trade.partner.got) == 1, 60)
            end = await trade.receive("two")
            await trade.confirmed(other.id, end)
            assert (await trade.state(slow.id)).position == 0
            assert len(trade.partner.got) == 1
    assert quick.positions == list(range(1, end + 1))


async def test_an_answer_that_does_not_come_in_time_is_a_failure(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = partner_http.PartnerHttp.__init__.__defaults__
    assert seconds == (15.0,)
    monkeypatch.setattr(partner_http.PartnerHttp.__init__, "__defaults__", (0.2,))
    trade.partner.usual = HANG
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    await trade.receive("one")
    async with running(trade.sending()):
        (tried, *_) = await trade.tried(subscription.id, 1)
    assert (tried["status"], tried["problem"]) == (None, "no answer within 0 s")


async def test_a_paused_subscription_gets_nothing_and_a_removed_one_leaves_nothing(trade: Trade) -> None:
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    other, _ = await trade.subscriptions.add(trade.partner.url + "/other", [], 0)
    await trade.subscriptions.pause(subscription.id)
    end = await trade.receive("one")
    async with running(trade.sending()):
        await trade.confirmed(other.id, end)
        assert [path.split()[1] for path in trade.partner.paths] == ["/okno/other"]
        await trade.subscriptions.remove(other.id)
        await trade.subscriptions.resume(subscription.id)
        await trade.confirmed(subscription.id, end)
    assert await trade.subscriptions.deliveries(other.id, None, 10) == []
    assert [each.id for each in await trade.subscriptions.all()] == [subscription.id]


async def test_a_name_that_leads_inside_is_not_connected_to(trade: Trade) -> None:
    careful = Subscriptions(trade.database, bytes(32))
    url = f"https://localhost:{trade.partner.port}/"  # a name, so nothing is wrong with its text
    subscription, _ = await careful.add(url, [], 0)
    await trade.receive("one")
    async with running(Partners(trade.database, trade.store, careful, trade.clock).run()):
        (tried, *_) = await trade.tried(subscription.id, 1)
    assert tried["status"] is None
    assert "inside a private network" in tried["problem"]
    assert trade.partner.paths == []


async def test_a_secret_of_another_key_pauses_only_its_own_subscription(trade: Trade) -> None:
    lost, _ = await Subscriptions(trade.database, bytes(31) + b"!", LOOPBACK).add(trade.partner.url + "/lost", [], 0)
    kept, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one")
    async with running(trade.sending()):
        await trade.confirmed(kept.id, end)
        await until(lambda: _is_paused(trade, lost.id), 60)
    assert "OKNO_SECRET_KEY" in (await trade.state(lost.id)).reason


async def _is_paused(trade: Trade, id_: Any) -> bool:
    return (await trade.state(id_)).state == "paused"


async def test_the_log_of_deliveries_stays_bounded(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.registry.subscriptions.KEPT_DELIVERIES", 3)
    monkeypatch.setattr(partner_batch, "EVENTS", 1)
    subscription, _ = await trade.subscriptions.add(trade.partner.url, [], 0)
    end = await trade.receive("one", "two")
    async with running(trade.sending()):
        await trade.confirmed(subscription.id, end)
    assert KEPT_DELIVERIES == 500
    kept = await trade.deliveries(subscription.id)
    assert [one["number"] for one in kept] == [end - 2, end - 1, end]
    assert [one["number"] for one in await trade.subscriptions.deliveries(subscription.id, end, 1)] == [end - 1]


@pytest.mark.cluster
async def test_of_two_projectors_one_sends_and_the_other_takes_over(database_url: str) -> None:
    first, second = open_database(database_url), open_database(database_url)
    store = create_all_tables(first)
    async with partner() as there:
        trade = Trade(first, store, Subscriptions(first, bytes(32), LOOPBACK), there, Clock())
        subscription, _ = await trade.subscriptions.add(there.url, [], 0)
        standby = Partners(second, EventStore(second), Subscriptions(second, bytes(32), LOOPBACK), trade.clock)
        async with running(lead_forever(first, LEAD, lambda: (trade.sending(),))):
            end = await trade.receive("one")
            await trade.confirmed(subscription.id, end)
            async with running(lead_forever(second, LEAD, standby.work)):
                end = await trade.receive("two")
                await trade.confirmed(subscription.id, end)
        async with running(lead_forever(second, LEAD, standby.work)):
            end = await trade.receive("three")
            await trade.confirmed(subscription.id, end)
    await first.close()
    await second.close()
    assert there.positions == list(range(1, end + 1))
