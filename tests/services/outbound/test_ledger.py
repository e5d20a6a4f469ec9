from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from services.outbound.ledger import LEASE, Ledger, Outcome, Unknown
from services.outbound.needless import SENT_BEFORE
from shared.connector import Sent
from shared.contracts.delivery import DeliveryReport
from shared.contracts.outbound import OutboundReply
from tests.services.fakes import AT
from tests.services.outbound.replies import CHANNEL, reply

SENT = Outcome("sent", external_id="<1@okno>", known_as=("<a>", "<b>"))


class Clock:
    """Time that stands still until told otherwise."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at

    def passes(self, span: timedelta) -> None:
        self.at += span


async def claimed(ledger: Ledger, places: int = 10) -> list:
    return [each.reply for each in await ledger.claim({CHANNEL: places})]


async def test_reply_is_claimed_once_with_all_it_says(any_database):
    ledger, said = Ledger(any_database, "me"), reply("Добрый день")
    await ledger.accept([said])
    (first,) = await ledger.claim({CHANNEL: 4})
    assert first.reply == said
    assert first.tries == 1
    assert await ledger.claim({CHANNEL: 4}) == []


async def test_same_reply_accepted_again_is_not_sent_again(any_database):
    ledger, said = Ledger(any_database, "me"), reply()
    await ledger.accept([said, said])
    await ledger.accept([said])
    (only,) = await ledger.claim({CHANNEL: 4})
    await ledger.settle(only, SENT)
    await ledger.accept([said])
    assert await claimed(ledger) == []


async def test_next_attempt_of_the_same_reply_is_sent(any_database):
    ledger, said = Ledger(any_database, "me"), reply()
    await ledger.accept([said])
    (first,) = await ledger.claim({CHANNEL: 4})
    await ledger.settle(first, Outcome("failed", "no"))
    await ledger.accept([replace(said, attempt=2)])
    assert await claimed(ledger) == [replace(said, attempt=2)]


async def test_later_reply_of_a_conversation_waits_for_the_fate_of_the_earlier(any_database):
    clock, conversation = Clock(), uuid4()
    ledger = Ledger(any_database, "me", clock)
    one, two, other = reply("1", conversation=conversation), reply("2", conversation=conversation), reply("other")
    await ledger.accept([one, two, other])
    first, _ = await ledger.claim({CHANNEL: 10})
    assert first.reply == one
    await ledger.settle(first, Outcome("waiting", "busy", next_try_at=AT + timedelta(seconds=5)))
    assert await claimed(ledger) == []
    clock.passes(timedelta(seconds=5))
    (again,) = await ledger.claim({CHANNEL: 10})
    assert (again.reply, again.tries, again.first_try_at) == (one, 2, AT)
    await ledger.settle(again, SENT)
    assert await claimed(ledger) == [two]


async def test_no_more_are_claimed_than_there_are_places(any_database):
    ledger = Ledger(any_database, "me")
    mine, elsewhere = [reply(str(n)) for n in range(6)], reply(channel=uuid4())
    await ledger.accept([*mine, elsewhere])
    assert await claimed(ledger, 4) == mine[:4]
    assert await claimed(ledger, 4) == mine[4:]


async def test_two_processes_never_claim_the_same_reply(any_database):
    ledgers = [Ledger(any_database, name) for name in ("one", "two", "three")]
    replies = [
        reply(str(n), conversation=conversation) for conversation in [uuid4() for _ in range(10)] for n in range(5)
    ]
    await ledgers[0].accept(replies)
    taken: list = []

    async def work(ledger: Ledger) -> None:
        idle = 0
        while idle < 20:
            found = await ledger.claim({CHANNEL: 3})
            for each in found:
                taken.append(each.reply)
                assert await ledger.settle(each, SENT)
            idle = 0 if found else idle + 1

    await asyncio.gather(*map(work, ledgers))
    assert len(taken) == len(replies)
    assert {each.id for each in taken} == {each.id for each in replies}
    for conversation in {each.conversation_id for each in replies}:
        assert [each.text for each in taken if each.conversation_id == conversation] == list("01234")


async def test_reply_of_a_dead_process_is_found_when_its_lease_has_run_out(any_database):
    clock, said = Clock(), reply()
    dead, living = Ledger(any_database, "dead", clock), Ledger(any_database, "living", clock)
    await dead.accept([said])
    (lost,) = await dead.claim({CHANNEL: 1})
    assert await living.abandoned() == []
    clock.passes(LEASE + timedelta(seconds=1))
    (found,) = await living.abandoned()
    assert (found.reply, found.tries) == (said, 1)
    assert not await dead.settle(lost, SENT)
    assert await living.settle(found, Outcome("unknown", "cut short"))


async def test_renewed_lease_keeps_a_slow_send(any_database):
    clock = Clock()
    slow, other = Ledger(any_database, "slow", clock), Ledger(any_database, "other", clock)
    await slow.accept([reply()])
    (sending,) = await slow.claim({CHANNEL: 1})
    clock.passes(LEASE - timedelta(seconds=1))
    await slow.renew([sending])
    clock.passes(LEASE - timedelta(seconds=1))
    assert await other.abandoned() == []
    assert await slow.settle(sending, SENT)


async def test_an_outcome_written_again_after_a_lost_answer_is_not_that_of_the_next_try(any_database):
    clock, busy = Clock(), Outcome("waiting", "busy", next_try_at=AT)
    ledger = Ledger(any_database, "me", clock)
    await ledger.accept([reply()])
    (first,) = await ledger.claim({CHANNEL: 1})
    assert await ledger.settle(first, busy)
    (second,) = await ledger.claim({CHANNEL: 1})
    assert not await ledger.settle(first, busy)
    assert await claimed(ledger) == []
    assert await ledger.settle(second, SENT)


async def test_what_a_lost_answer_had_made_ours_is_found_when_its_lease_has_run_out(any_database):
    clock, lost, sent = Clock(), reply("lost"), reply("sent")
    ledger = Ledger(any_database, "me", clock)
    await ledger.accept([sent])
    in_hand = await ledger.claim({CHANNEL: 1})
    await ledger.accept([lost])
    await ledger.claim({CHANNEL: 1})
    assert await ledger.abandoned(in_hand=in_hand) == []
    clock.passes(LEASE + timedelta(seconds=1))
    assert await ledger.abandoned() == []
    assert [each.reply for each in await ledger.abandoned(in_hand=in_hand)] == [lost]
    assert await ledger.settle(in_hand[0], SENT)


async def test_alone_on_the_data_nothing_waits_for_a_lease(any_database):
    before, after = Ledger(any_database, "before"), Ledger(any_database, "after")
    said = reply()
    await before.accept([said])
    await before.claim({CHANNEL: 1})
    assert [each.reply for each in await after.abandoned(all_owners=True)] == [said]


async def test_fate_is_told_until_it_was_announced_and_the_text_is_dropped_then(any_database):
    clock, said = Clock(), reply()
    ledger = Ledger(any_database, "me", clock)
    await ledger.accept([said])
    (first,) = await ledger.claim({CHANNEL: 1})
    assert await ledger.unannounced(10) == []
    await ledger.settle(first, SENT)
    told = await ledger.unannounced(10)
    assert told == await ledger.unannounced(10)
    assert told == [
        DeliveryReport(
            said.id, said.conversation_id, CHANNEL, 1, "sent", AT, 1, external_id="<1@okno>", known_as=("<a>", "<b>")
        )
    ]
    await ledger.announced(told)
    assert await ledger.unannounced(10) == []
    (payload,) = await any_database.read(lambda tx: tx.row("SELECT payload FROM deliveries"))
    assert payload == b""


async def test_fate_another_process_left_untold_is_told_later(any_database):
    clock = Clock()
    dead, living = Ledger(any_database, "dead", clock), Ledger(any_database, "living", clock)
    await dead.accept([reply()])
    (first,) = await dead.claim({CHANNEL: 1})
    await dead.settle(first, SENT)
    assert await living.unannounced(10, settled_before=AT) == []
    assert len(await living.unannounced(10, settled_before=AT + timedelta(seconds=1))) == 1


async def test_replies_for_a_removed_channel_fail_but_not_those_for_a_newer_one(any_database):
    clock = Clock()
    ledger, gone, kept = Ledger(any_database, "me", clock), reply(channel=uuid4()), reply()
    await ledger.accept([gone, kept])
    clock.passes(timedelta(seconds=1))
    looked_at = clock.at
    clock.passes(timedelta(seconds=1))
    await ledger.accept([reply(channel=uuid4())])
    assert await ledger.refuse_all_but([CHANNEL], "gone", looked_at) == 1
    (report,) = await ledger.unannounced(10)
    assert (report.reply_id, report.state, report.error) == (gone.id, "failed", "gone")
    assert await claimed(ledger) == [kept]


async def test_mended_channel_is_tried_at_once(any_database):
    ledger, said = Ledger(any_database, "me"), reply()
    await ledger.accept([said])
    (first,) = await ledger.claim({CHANNEL: 1})
    await ledger.settle(first, Outcome("waiting", "login refused", next_try_at=AT + timedelta(days=365)))
    assert await claimed(ledger) == []
    await ledger.hurry(CHANNEL)
    assert await claimed(ledger) == [said]


async def lost(ledger: Ledger, said: OutboundReply, *fates: str) -> list[tuple[UUID, int]]:
    """Give a reply one attempt for each fate and return of which ones a trace would tell."""
    for attempt, fate in enumerate(fates, 1):
        await ledger.accept([replace(said, attempt=attempt)])
        (now,) = await ledger.claim({CHANNEL: 1})
        await ledger.settle(now, Outcome(fate))
    return [each.key for each in await ledger.unknown([CHANNEL], AT)]


@pytest.mark.parametrize("earlier", ["sent", "unknown"])
async def test_a_trace_that_an_earlier_attempt_may_have_left_tells_nothing_of_a_later_one(any_database, earlier):
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    first = [(said.id, 1)] if earlier == "unknown" else []
    assert await lost(ledger, said, earlier, "unknown") == first


async def test_a_trace_tells_of_an_attempt_when_the_earlier_ones_never_left(any_database):
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    assert await lost(ledger, said, "failed", "failed", "unknown") == [(said.id, 3)]


async def found(ledger: Ledger) -> None:
    """A trace tells that the one lost attempt was sent."""
    (lost,) = await ledger.unknown([CHANNEL], AT)
    assert await ledger.settle_unknown(lost, Sent("<1@okno>"))
    assert not await ledger.settle_unknown(lost, Sent("<1@okno>"))


async def fates(ledger: Ledger) -> list[tuple[int, str, str]]:
    return [(each.attempt, each.state, each.error) for each in await ledger.unannounced(10)]


def again(said: OutboundReply, attempt: int, *lost: int) -> OutboundReply:
    """Return a later attempt, made because these were lost."""
    return replace(said, attempt=attempt, lost=lost)


@pytest.mark.parametrize("state", ["queued", "waiting"])
async def test_what_was_sent_after_all_is_not_sent_again(any_database, state):
    clock, said = Clock(), reply()
    ledger = Ledger(any_database, "me", clock)
    await lost(ledger, said, "unknown")
    await ledger.accept([again(said, 2, 1)])
    if state == "waiting":
        (second,) = await ledger.claim({CHANNEL: 1})
        await ledger.settle(second, Outcome("waiting", "busy"))
    await found(ledger)
    clock.passes(timedelta(hours=1))
    assert await claimed(ledger) == []
    assert await fates(ledger) == [(1, "sent", ""), (2, "failed", SENT_BEFORE)]


@pytest.mark.parametrize("ended", [SENT, Outcome("waiting", "busy"), Outcome("unknown")])
async def test_what_is_being_sent_again_ends_by_itself_and_is_not_tried_once_more(any_database, ended):
    clock, said = Clock(), reply()
    ledger = Ledger(any_database, "me", clock)
    await lost(ledger, said, "unknown")
    await ledger.accept([again(said, 2, 1)])
    (second,) = await ledger.claim({CHANNEL: 1})
    await found(ledger)
    assert await ledger.settle(second, ended)
    clock.passes(timedelta(hours=1))
    assert await claimed(ledger) == []
    last = (2, "failed", SENT_BEFORE) if ended.state == "waiting" else (2, ended.state, "")
    assert await fates(ledger) == [(1, "sent", ""), last]


async def test_an_attempt_decided_without_knowing_that_the_lost_one_was_found_is_not_sent(any_database):
    """However late the decision was, by whatever clock."""
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    await lost(ledger, said, "unknown")
    await found(ledger)
    await ledger.accept([replace(again(said, 2, 1), requested_at=AT + timedelta(hours=1))])
    assert await claimed(ledger) == []
    assert await fates(ledger) == [(1, "sent", ""), (2, "failed", SENT_BEFORE)]


async def test_an_attempt_made_because_the_lost_one_came_back_is_sent_when_that_is_found(any_database):
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    await lost(ledger, said, "unknown")
    await ledger.accept([again(said, 2)])
    await found(ledger)
    assert await claimed(ledger) == [again(said, 2)]


async def test_an_attempt_made_because_a_sent_one_came_back_is_sent_and_no_trace_tells_of_the_lost_one(any_database):
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    (first,) = await lost(ledger, said, "unknown")
    await ledger.accept([again(said, 2, 1)])
    (second,) = await ledger.claim({CHANNEL: 1})
    await ledger.settle(second, SENT)
    await ledger.accept([again(said, 3)])
    assert await ledger.unknown([CHANNEL], AT) == []
    assert await ledger.settle_unknown(Unknown(*first, CHANNEL, AT), Sent("<1@okno>"))  # asked about before
    assert await claimed(ledger) == [again(said, 3)]


async def test_an_attempt_of_before_lost_ones_were_named_is_sent(any_database):
    ledger, said = Ledger(any_database, "me", Clock()), reply()
    await lost(ledger, said, "unknown")
    await ledger.accept([again(said, 2, 1)])
    old = msgspec.json.encode({k: v for k, v in msgspec.to_builtins(again(said, 2, 1)).items() if k != "lost"})
    await any_database.write(lambda tx: tx.run("UPDATE deliveries SET payload = ? WHERE attempt = 2", (old,)))
    await found(ledger)
    assert await claimed(ledger) == [again(said, 2)]
