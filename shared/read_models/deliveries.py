"""What became of a reply or another deed of ours on its way: told event by event, put together when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from shared.clock import to_text
from shared.domain import events as e
from shared.read_models.entries import NOTICES, Body

KIND = "delivery"


def told(recorded: e.Recorded) -> Body | None:
    """Return what an event says of the reply `event.reply_id`, None when it says nothing of that."""
    event: Any = recorded.event
    match event:
        case e.ReplyRetried():
            return {"state": "queued"}
        case e.ReplySent():
            return {"state": "sent", "attempts": event.tries, "external_id": event.external_id}
        case e.ReplyFailed():
            return {"state": "failed", "attempts": event.tries, "error": event.error}
        case e.ReplyFateUnknown():
            return {"state": "unknown", "attempts": event.tries, "error": event.error}
        case e.ReplyBounced(earlier=True):
            return None
        case e.ReplyDelivered() | e.ReplyRead() | e.ReplyDelayed() | e.ReplyBounced() | e.ReplyComplained():
            return {"notice": notice(event, recorded)}
    return None


def notice(event: e.Notice, recorded: e.Recorded) -> Body:
    """Return what the client's side said of a reply, as the API shows it."""
    said: Body = {"state": NOTICES[type(event)], "recipient": event.recipient or None, "code": event.code or None}
    said |= {"error": event.error or None, "reason": event.reason or None, "hard": event.hard}
    return said | {"at": to_text(recorded.occurred_at)}


def as_told(shown: Body, told: Sequence[Body]) -> Body:
    """PURE: return a reply with its delivery after all that was told, in the order it was recorded.

    What was heard from the client's side before a fate was known stands; another attempt begins with nothing.
    """
    delivery, external_id = shown["delivery"], None
    for body in told:
        if "notice" in body:
            delivery = _noticed(delivery, body["notice"])
            continue
        external_id = body.get("external_id") or None
        attempts, error = body.get("attempts", 0), body.get("error") or None
        fate: Body = {"state": body["state"], "attempts": attempts, "error": error, "changed_at": body["at"]}
        heard = () if body["state"] == "queued" else delivery.get("notices", ())
        delivery = reduce(_noticed, heard, fate)
    return {**shown, "delivery": delivery, "external_id": external_id}


def _noticed(delivery: Body, notice: Body) -> Body:
    """A bounce is the last word, all else only says that it was sent."""
    said, at = notice["state"], notice["at"]
    delivery = {**delivery, "notices": [*delivery.get("notices", ()), notice]}
    if said == "bounced":
        return {**delivery, "state": said, "error": notice["error"] or notice["code"], "changed_at": at}
    if said in ("delivered", "read") and delivery["state"] in ("sent", "unknown"):
        return {**delivery, "state": "delivered", "error": None, "changed_at": at}
    return delivery
