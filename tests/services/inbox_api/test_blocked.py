"""Who has blocked us is seen at the address, now and as of any moment, also of somebody who is one with another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from services.inbox_api import shapes
from shared.clock import to_text
from shared.contracts.inbound import About, InboundMessage, ReachChanged
from tests.examples import AT, inbound
from tests.services.inbox_api.office import Office

BOT, OTHER_BOT = UUID(int=0xB0), UUID(int=0xB1)


def chat(text: str = "", after: int = 0, **more: Any) -> InboundMessage:
    """What comes from Anna's chat with a bot."""
    fields = {"channel_id": BOT, "channel_kind": "telegram", "sender": "7", "thread_key": "7", "known_as": (), **more}
    at = AT + timedelta(seconds=after)
    return inbound(text, external_id=f"update {uuid4()}", subject="", occurred_at=at, **fields)


def reach(after: int, reachable: bool, **more: Any) -> InboundMessage:
    about = About(reach=ReachChanged(reachable, "" if reachable else "blocked the bot"))
    return chat(after=after, about=about, **more)


def blocked_on(channel: UUID) -> dict[str, Any]:
    return {"channel": {"id": str(channel), "kind": "", "name": ""}, "reason": "blocked the bot"}


async def blocks(office: Office, customer: object, **query: str) -> list[Any]:
    shown = await office.get(f"/customers/{customer}", **query)
    msgspec.convert(shown, shapes.Customer)
    return [each["blocked"] for each in shown["identities"]]


async def test_who_has_blocked_the_bot_is_shown_so_until_they_are_back(office: Office) -> None:
    (message,) = await office.receive(chat("Привет"))
    assert await blocks(office, message.customer_id) == [None]
    await office.receive(reach(60, False))
    assert await blocks(office, message.customer_id) == [[blocked_on(BOT)]]
    assert [each["identities"][0]["blocked"] for each in (await office.get("/customers"))["items"]] == [
        [blocked_on(BOT)]
    ]
    await office.receive(chat("Я снова здесь", 120))
    assert await blocks(office, message.customer_id) == [None]
    for seconds, then in ((30, [None]), (90, [[blocked_on(BOT)]]), (150, [None])):
        at = to_text(AT + timedelta(seconds=seconds))
        assert await blocks(office, message.customer_id, as_of=at, by="happened") == then


async def test_each_bot_is_blocked_by_itself_and_each_member_keeps_their_own(office: Office) -> None:
    other = {"channel_id": OTHER_BOT}
    anna, _, ben = await office.receive(
        chat("Привет"), chat("И вам", 1, **other), chat("Я Бен", 2, sender="8", thread_key="8")
    )
    await office.receive(reach(60, False, **other), reach(61, False, sender="8", thread_key="8"))
    assert await blocks(office, anna.customer_id) == [[blocked_on(OTHER_BOT)]]
    merged = await office.post(f"/customers/{ben.customer_id}/merge", {"into": str(anna.customer_id)})
    expected = [[blocked_on(OTHER_BOT)], [blocked_on(BOT)]]
    assert [each["blocked"] for each in merged["identities"]] == expected
    assert [each["identities"][0]["blocked"] for each in merged["members"]] == [expected[1]]
    assert await blocks(office, anna.customer_id) == expected
