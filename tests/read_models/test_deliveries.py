"""What a reply's delivery is after all that was told of it, in whatever order it came."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.clock import to_text
from shared.domain import events as e
from shared.read_models.deliveries import as_told, told
from tests.examples import AT, CONVERSATION, CUSTOMER, MAILBOX

HEAD = (CONVERSATION, CUSTOMER, UUID(int=0xF1))
UNKNOWN = e.ReplyFateUnknown(*HEAD, 1, 1, "lost")
SENT = e.ReplySent(*HEAD, MAILBOX, 1, 1, "<s@x>")
AGAIN = e.ReplyRetried(*HEAD, 2)


def delivery(*events: e.ConversationEvent) -> dict[str, Any]:
    """Return the delivery after these events, a minute between them."""
    bodies = []
    for minute, event in enumerate(events):
        at = AT + timedelta(minutes=minute)
        recorded = e.Recorded(minute, CONVERSATION, minute, at, at, None, e.Actor("system"), event)
        if (body := told(recorded)) is not None:
            bodies.append({**body, "at": to_text(at)})
    shown = as_told({"delivery": {"state": "queued", "attempts": 0, "error": None, "changed_at": ""}}, bodies)
    return shown["delivery"]


def summary(*events: e.ConversationEvent) -> tuple[str, list[str]]:
    shown = delivery(*events)
    return shown["state"], [notice["state"] for notice in shown.get("notices", ())]


def test_a_late_fate_drops_no_notice() -> None:
    assert summary(UNKNOWN, e.ReplyDelayed(*HEAD, 1), SENT) == ("sent", ["delayed"])
    assert summary(e.ReplyDelivered(*HEAD, 1), SENT) == ("delivered", ["delivered"])
    assert summary(e.ReplyDelayed(*HEAD, 1), e.ReplyBounced(*HEAD, 1), SENT) == ("bounced", ["delayed", "bounced"])
    assert delivery(UNKNOWN, e.ReplyDelayed(*HEAD, 1), SENT)["changed_at"] == to_text(AT + timedelta(minutes=2))


def test_what_came_back_of_an_earlier_attempt_says_nothing_of_the_next() -> None:
    assert summary(UNKNOWN, AGAIN, e.ReplyBounced(*HEAD, 1, earlier=True)) == ("queued", [])


def test_another_attempt_begins_without_what_was_heard_of_the_one_before() -> None:
    bounced = e.ReplyBounced(*HEAD, 1, error="no such user")
    assert summary(SENT, bounced, AGAIN) == ("queued", [])
    assert summary(SENT, bounced, AGAIN, e.ReplySent(*HEAD, MAILBOX, 2, 1, "<s@x>")) == ("sent", [])
