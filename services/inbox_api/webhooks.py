"""Webhooks for partners: where events are sent, how far the partner is, what was tried. For admins only."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.short_lists import short, since
from shared.clock import to_text
from shared.event_store.log import head
from shared.event_store.shown import UnknownType, stored_names
from shared.registry.subscriptions import SameSubscription, Subscription, WrongSubscription

ADMINS = "webhooks are an admin's business"


class AddWebhook(msgspec.Struct):
    """`types` empty: every event. `after`: a position to begin after; from now on where there is none."""

    url: str
    types: list[str] = []
    after: int | None = None


class Rewind(msgspec.Struct):
    position: int


async def list_(call: Call) -> Response:
    call.only_admins(ADMINS)
    end = await call.context.database.read(head)
    everyone = await call.context.subscriptions.all()
    return short(call, [(since(each.created_at, str(each.id)), shown(each, end)) for each in everyone])


async def add(call: Call) -> Response:
    """POST /webhooks: the answer has the secret, which is never shown again. 409: one sends the same there already."""
    call.only_admins(ADMINS)
    asked = await call.body(AddWebhook)
    end = await call.context.database.read(head)
    try:
        stored_names(asked.types)
        after = end if asked.after is None else checked_position(asked.after, end)
        added, secret = await call.context.subscriptions.add(asked.url, asked.types, after)
    except SameSubscription as error:
        raise HTTPException(409, str(error)) from None
    except (UnknownType, WrongSubscription) as error:
        raise HTTPException(422, str(error)) from None
    return answer({**shown(added, end), "secret": secret}, 201)


async def remove(call: Call) -> Response:
    await call.context.subscriptions.remove((await _one(call)).id)
    return Response(status_code=204)


async def pause(call: Call) -> Response:
    await call.context.subscriptions.pause((await _one(call)).id)
    return await _answer(call)


async def resume(call: Call) -> Response:
    await call.context.subscriptions.resume((await _one(call)).id)
    return await _answer(call)


async def rewind(call: Call) -> Response:
    """POST /webhooks/{id}/rewind {"position": N}: send everything after N again; 0 is the beginning."""
    found, asked = await _one(call), await call.body(Rewind)
    end = await call.context.database.read(head)
    try:
        await call.context.subscriptions.rewind(found.id, checked_position(asked.position, end))
    except WrongSubscription as error:
        raise HTTPException(422, str(error)) from None
    return await _answer(call)


async def deliveries(call: Call) -> Response:
    """GET /webhooks/{id}/deliveries, the last first."""
    found, limit = await _one(call), call.limit()
    items = await call.context.subscriptions.deliveries(found.id, call.cursor(), limit)
    following = str(items[-1]["number"]) if len(items) == limit else None
    return answer({"items": items, "next": following})


def shown(subscription: Subscription, end: int) -> dict[str, Any]:
    """Return a subscription as people see it. `end`: the log's last position."""
    since, again = subscription.failing_since, subscription.next_try_at
    return {
        "id": str(subscription.id),
        "url": subscription.url,
        "types": list(subscription.types),
        "state": subscription.state,
        "reason": subscription.reason or None,
        "position": subscription.position,
        "behind": max(0, end - subscription.position),
        "tries": subscription.tries,
        "failing_since": to_text(since) if since else None,
        "next_try_at": to_text(again) if again else None,
        "created_at": subscription.created_at,
    }


def checked_position(position: int, end: int) -> int:
    """Return a position that the log has. Raises WrongSubscription."""
    if not 0 <= position <= end:
        raise WrongSubscription(f"the log has the positions up to {end}; 0 is its beginning")
    return position


async def _one(call: Call) -> Subscription:
    """Raises 403, 404."""
    call.only_admins(ADMINS)
    if (found := await call.context.subscriptions.one(call.id())) is None:
        raise HTTPException(404)
    return found


async def _answer(call: Call) -> Response:
    return answer(shown(await _one(call), await call.context.database.read(head)))
