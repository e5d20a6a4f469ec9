"""Conversations merged, split and taken apart: what is shown, where answers go, where later messages join."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from services.projector.calls import end_overdue
from shared.clock import now, to_text
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.call import overdue
from shared.event_store.log import head
from shared.event_store.mapper import About, Happening
from tests.event_store.index import derived, standing
from tests.examples import AT, LINE, MAILBOX, SYSTEM, call_report, inbound
from tests.services.inbox_api.office import Office


def said(text: str, minute: int, **other: Any) -> Any:
    return inbound(text, occurred_at=AT + timedelta(minutes=minute), **other)


async def texts(office: Office, conversation: object) -> list[str]:
    return [item["text"] for item in (await office.get(f"/conversations/{conversation}/messages"))["items"]]


async def two(office: Office) -> tuple[e.MessageReceived, e.MessageReceived]:
    """An older conversation with an answer, and a newer one from another mailbox of the same client."""
    (older,) = await office.receive(said("first", 0))
    await office.post(f"/conversations/{older.conversation_id}/replies", {"text": "our answer"}, 201)
    (newer,) = await office.receive(said("second", 5))
    return older, newer


async def test_merged_conversations_go_on_in_one(office: Office) -> None:
    older, newer = await two(office)
    shown = await office.post(f"/conversations/{older.conversation_id}/merge", {"into": str(newer.conversation_id)})
    assert (shown["id"], shown["messages_count"], shown["status"]) == (str(newer.conversation_id), 2, "open")
    assert sorted(await texts(office, newer.conversation_id)) == ["first", "our answer", "second"]
    assert [each["id"] for each in (await office.get("/conversations", status="all"))["items"]] == [shown["id"]]
    assert (await office.get(f"/customers/{older.customer_id}"))["conversations"] == 1
    gone = await office.get(f"/conversations/{older.conversation_id}")
    assert (gone["status"], gone["merged_into"]) == ("closed", shown["id"])
    (answer,) = await office.receive(said("third", 9, refers_to=(older.external_id,)))
    assert answer.conversation_id == newer.conversation_id
    reply = await office.post(f"/conversations/{newer.conversation_id}/replies", {"text": "x"}, 201)
    assert reply["to"] == ["anna@example.com"]
    assert await office.database.read(standing) == await office.database.read(derived)


async def test_an_answer_goes_to_what_was_said_last_not_to_what_was_merged_last(office: Office) -> None:
    older, newer = await two(office)
    await office.post(f"/conversations/{older.conversation_id}/merge", {"into": str(newer.conversation_id)})
    state = await office.store.conversation(newer.conversation_id)
    assert state.answerable is not None
    assert state.answerable.message_id == newer.message_id


async def test_a_merge_is_undone_with_what_came_meanwhile(office: Office) -> None:
    older, newer = await two(office)
    path = f"/conversations/{older.conversation_id}"
    await office.post(f"{path}/merge", {"into": str(newer.conversation_id)})
    await office.receive(said("to the first", 7, refers_to=(older.external_id,)))
    await office.receive(said("to the second", 8, refers_to=(newer.external_id,)))
    shown = await office.post(f"{path}/unmerge")
    assert (shown["id"], shown["status"], shown["merged_into"]) == (str(older.conversation_id), "open", None)
    assert sorted(await texts(office, older.conversation_id)) == ["first", "our answer", "to the first"]
    assert sorted(await texts(office, newer.conversation_id)) == ["second", "to the second"]
    assert len((await office.get("/conversations"))["items"]) == 2
    (answer,) = await office.receive(said("again", 9, refers_to=(older.external_id,)))
    assert answer.conversation_id == older.conversation_id
    assert (await office.post(f"{path}/unmerge", status=422))["code"] == "not_merged"
    assert await office.database.read(standing) == await office.database.read(derived)


async def test_a_conversation_names_those_that_go_on_in_it(office: Office) -> None:
    older, newer = await two(office)
    path = f"/conversations/{newer.conversation_id}/merged"
    assert await office.get(path) == {"items": [], "next": None}
    await office.post(f"/conversations/{older.conversation_id}/merge", {"into": str(newer.conversation_id)})
    (named,) = (await office.get(path))["items"]
    assert (named["id"], named["channel"]["name"]) == (str(older.conversation_id), "Support")
    await office.post(f"/conversations/{older.conversation_id}/unmerge")
    assert (await office.get(path))["items"] == []


async def test_a_thread_of_the_provider_follows_there_and_back(office: Office) -> None:
    (one,) = await office.receive(said("one", 0, thread_key="chat 1"))
    (two,) = await office.receive(said("two", 1, thread_key="chat 2"))
    await office.post(f"/conversations/{one.conversation_id}/merge", {"into": str(two.conversation_id)})
    (meanwhile,) = await office.receive(said("meanwhile", 2, thread_key="chat 1"))
    assert meanwhile.conversation_id == two.conversation_id
    await office.post(f"/conversations/{one.conversation_id}/unmerge")
    assert await texts(office, one.conversation_id) == ["one", "meanwhile"]
    (later,) = await office.receive(said("later", 3, thread_key="chat 1"))
    assert later.conversation_id == one.conversation_id
    assert await office.database.read(standing) == await office.database.read(derived)


async def test_what_is_not_the_same_clients_or_channels_is_not_merged(office: Office) -> None:
    (anna,) = await office.receive(said("a", 0))
    (other,) = await office.receive(said("b", 1))
    (ben,) = await office.receive(said("c", 2, sender="ben@x"))
    (call,) = await office.receive(call_report("missed"))
    assert (call.channel_id, anna.channel_id) == (LINE, MAILBOX)

    async def refused(one: e.MessageReceived, into: e.MessageReceived) -> str:
        answer = await office.post(
            f"/conversations/{one.conversation_id}/merge", {"into": str(into.conversation_id)}, 422
        )
        return str(answer["code"])

    assert await refused(anna, ben) == "other_customer"
    assert await refused(anna, anna) == "same_conversation"
    await office.post(f"/customers/{call.customer_id}/merge", {"into": str(anna.customer_id)})
    assert await refused(call, anna) == "other_channel_kind"
    await office.post(f"/customers/{ben.customer_id}/merge", {"into": str(anna.customer_id)})
    await office.post(f"/conversations/{ben.conversation_id}/merge", {"into": str(anna.conversation_id)})
    assert await refused(other, ben) == "already_merged"
    assert await refused(ben, other) == "already_merged"


async def test_nothing_is_merged_into_the_conversation_of_somebody_who_was_erased(office: Office) -> None:
    (gone,), (ben,) = await office.receive(said("first", 0)), await office.receive(said("second", 1, sender="ben@x"))
    erased = Happening(e.CustomerErased(gone.customer_id, uuid4(), ""), About(AT, SYSTEM))
    await office.store.record(lambda session, tx: session.add(gone.customer_id, erased))
    await office.post(f"/customers/{ben.customer_id}/merge", {"into": str(gone.customer_id)})
    refused = await office.post(f"/conversations/{ben.conversation_id}/merge", {"into": str(gone.conversation_id)}, 422)
    assert refused["code"] == "erased"
    assert await texts(office, ben.conversation_id) == ["second"]


async def test_messages_split_off_together_and_merged_back(office: Office) -> None:
    (first,) = await office.receive(said("first", 0))
    more = [
        (await office.receive(said(t, n, refers_to=(first.external_id,))))[0] for n, t in ((1, "x"), (2, "y"), (3, "z"))
    ]
    path, chosen = f"/conversations/{first.conversation_id}", [str(more[0].message_id), str(more[2].message_id)]
    shown = await office.post(f"{path}/split", {"messages": chosen})
    assert (shown["messages_count"], shown["last_message"]["preview"], shown["unanswered"]) == (2, "z", True)
    assert await texts(office, shown["id"]) == ["x", "z"]
    assert await texts(office, first.conversation_id) == ["first", "y"]
    await office.post(f"/conversations/{shown['id']}/merge", {"into": str(first.conversation_id)})
    assert await texts(office, first.conversation_id) == ["first", "x", "y", "z"]
    assert (await office.get(path))["last_message"]["preview"] == "z"
    assert (await office.post(f"{path}/split", {"messages": [str(shown["id"])]}, 404))["code"] == "no_such_message"
    await office.post(f"{path}/split", {"messages": []}, 422)


async def test_what_stays_when_others_are_split_off_waits_for_an_answer_as_long_as_before(office: Office) -> None:
    (first,) = await office.receive(said("first", 0))
    more = [(await office.receive(said(t, n, refers_to=(first.external_id,))))[0] for n, t in enumerate("xyz", 1)]
    chosen = [str(first.message_id), str(more[2].message_id)]
    new = await office.post(f"/conversations/{first.conversation_id}/split", {"messages": chosen})
    stays = await office.get(f"/conversations/{first.conversation_id}")
    assert [shown["waiting_since"] for shown in (new, stays)] == [to_text(AT), to_text(AT + timedelta(minutes=1))]


async def test_an_answer_to_an_answer_that_came_meanwhile_goes_back_too(office: Office) -> None:
    older, newer = await two(office)
    path = f"/conversations/{older.conversation_id}"
    await office.post(f"{path}/merge", {"into": str(newer.conversation_id)})
    (answer,) = await office.receive(said("to the first", 7, refers_to=(older.external_id,)))
    await office.receive(said("to the answer", 8, refers_to=(answer.external_id,)))
    await office.post(f"{path}/unmerge")
    assert await texts(office, newer.conversation_id) == ["second"]


def told(state: str, **facts: Any) -> Any:
    """Reports of one call, which prove to be of it, as a provider's do."""
    key = ("call-1@line",)
    return replace(call_report(state, **facts), known_as=key, proves=key, refers_to=key)


async def test_a_call_that_was_moved_is_known_there_as_all_its_reports_told_of_it(office: Office) -> None:
    (call,) = await office.receive(told("ringing"))
    await office.receive(told("finished", talking_seconds=60))
    await office.receive(call_report("missed", "call-2"))
    shown = await office.post(f"/conversations/{call.conversation_id}/split", {"messages": [str(call.message_id)]})
    over = {"state": "finished", "direction": "inbound"}
    assert (shown["last_message"]["call"], shown["waiting_since"]) == (over, None)
    before = await office.database.read(head)
    await office.receive(told("answered"))
    assert await office.database.read(head) == before
    (entry,) = (await office.get(f"/conversations/{shown['id']}/messages"))["items"]
    assert (entry["call"]["state"], entry["call"]["talking_seconds"]) == ("finished", 60)


async def test_a_call_that_was_moved_while_it_rang_is_ended_by_what_is_known_of_it_there(office: Office) -> None:
    (call,) = await office.receive(told("ringing"))
    shown = await office.post(f"/conversations/{call.conversation_id}/split", {"messages": [str(call.message_id)]})
    await office.receive(told("answered"))
    ended = [await end_overdue(office.database, office.store, overdue, now() + timedelta(hours=h)) for h in (1, 5)]
    assert ended == [0, 1]
    assert await office.api.context.views.reach(await office.database.read(head))
    assert (await office.get(f"/conversations/{shown['id']}"))["last_message"]["call"]["state"] == "finished"


async def test_an_answer_to_what_we_said_before_the_merge_goes_on_in_the_other_one(office: Office) -> None:
    older, newer = await two(office)
    _, reply = (await office.get(f"/conversations/{older.conversation_id}/messages"))["items"]
    sent = c.RecordDelivery(UUID(reply["id"]), MAILBOX, 1, "sent", 1, "<ours@okno>")
    await office.store.handle(older.conversation_id, sent, SYSTEM)
    path = f"/conversations/{older.conversation_id}"
    await office.post(f"{path}/merge", {"into": str(newer.conversation_id)})
    await office.post(f"{path}/merge", {"into": str(newer.conversation_id)})
    proof = ("<ours@okno>", f"conversation:{older.conversation_id}")
    (answer,) = await office.receive(said("thanks", 9, refers_to=("<ours@okno>",), proves=proof))
    assert answer.conversation_id == newer.conversation_id
    assert (await office.get(path))["status"] == "closed"
    await office.post(f"{path}/unmerge")
    assert "thanks" in await texts(office, older.conversation_id)


async def test_what_was_merged_on_is_taken_apart_from_its_end(office: Office) -> None:
    older, newer = await two(office)
    (newest,) = await office.receive(said("third", 9))
    for one, into in ((older, newer), (newer, newest)):
        await office.post(f"/conversations/{one.conversation_id}/merge", {"into": str(into.conversation_id)})
    refused = await office.post(f"/conversations/{older.conversation_id}/unmerge", status=422)
    assert refused["code"] == "merged_on"


async def test_customers_whose_conversations_are_merged_are_not_taken_apart_over_them(office: Office) -> None:
    (anna,), (ben,) = await office.receive(said("a", 0)), await office.receive(said("b", 1, sender="ben@x"))
    await office.post(f"/customers/{ben.customer_id}/merge", {"into": str(anna.customer_id)})
    await office.post(f"/conversations/{ben.conversation_id}/merge", {"into": str(anna.conversation_id)})
    path, who = f"/customers/{anna.customer_id}/unmerge", {"customer": str(ben.customer_id)}
    assert (await office.post(path, who, 422))["code"] == "conversations_merged"
    await office.post(f"/conversations/{ben.conversation_id}/unmerge")
    await office.post(path, who)
