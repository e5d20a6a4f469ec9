"""Conversations: the list, the messages, and everything an operator can do with one."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import moments, past, team
from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, answer, id_of, listed
from services.inbox_api.tries import with_tries
from shared.clock import now
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.read_models import conversations, timeline

STATUSES = ("open", "snoozed", "closed", "all")


class Text(msgspec.Struct):
    text: str
    id: UUID | None = None


class AssignTo(msgspec.Struct):
    operator_id: UUID | None


class SnoozeUntil(msgspec.Struct):
    until: datetime


class Tags(msgspec.Struct):
    add: list[str] = []
    remove: list[str] = []


async def list_(call: Call) -> Response:
    """GET /conversations?status=&customer_id=&assignee_id=&as_of=&by=&limit=&cursor=, the one changed last first."""
    status = call.request.query_params.get("status", "open")
    if status not in STATUSES:
        raise HTTPException(422, f"status must be one of {', '.join(STATUSES)}")
    wanted, limit = None if status == "all" else status, call.limit()
    customer_id, assignee_id, then = call.query_id("customer_id"), call.query_id("assignee_id"), moments.as_of(call)
    if assignee_id and then:
        raise HTTPException(422, "assignee_id must be asked without as_of")
    page = partial(_page, wanted=past.Listed(wanted, customer_id, call.cursor(), limit, assignee_id), then=then)
    return listed(await call.context.database.read(page), limit)


async def one(call: Call) -> Response:
    """GET /conversations/{id}?as_of=&by=, now or as it stood."""
    found = await call.context.database.read(partial(_one, conversation_id=call.id(), then=moments.as_of(call)))
    if found is None:
        raise HTTPException(404)
    return answer(found)


async def messages(call: Call) -> Response:
    """GET /conversations/{id}/messages?as_of=&by=&order=asc|desc, oldest first unless asked otherwise."""
    page = timeline.Page(call.limit(), call.cursor(), call.descending())
    job = partial(_messages, conversation_id=call.id(), page=page, then=moments.as_of(call))
    items = await call.context.database.read(job)
    if items is None:
        raise HTTPException(404)
    return listed(items, page.limit)


async def note(call: Call) -> Response:
    asked = await call.body(Text)
    id_ = asked.id or idempotency_id(call)
    await handle(call, c.AddNote(id_, asked.text), once=id_)
    return answer(await one_message(call, id_), 201)


async def retry(call: Call) -> Response:
    """POST /conversations/{id}/messages/{message_id}/retry: send a failed or uncertain reply again."""
    message_id = call.id("message_id")
    await handle(call, c.RetryReply(message_id))
    return answer(await one_message(call, message_id))


async def assign(call: Call) -> Response:
    asked = await call.body(AssignTo)
    operator = await team.at_work(call, asked.operator_id) if asked.operator_id else None
    return await _change(call, c.Assign(asked.operator_id, operator.name if operator else ""))


async def snooze(call: Call) -> Response:
    asked = await call.body(SnoozeUntil)
    if asked.until.tzinfo is None:
        raise HTTPException(422, "until needs a time zone, such as Z")
    return await _change(call, c.Snooze(asked.until, now()))


async def close(call: Call) -> Response:
    return await _change(call, c.Close())


async def reopen(call: Call) -> Response:
    return await _change(call, c.Reopen())


async def tag(call: Call) -> Response:
    """POST /conversations/{id}/tags {add?, remove?}: a body that names no tag is a mistake, not a wish."""
    asked = await call.body(Tags)
    if not asked.add and not asked.remove:
        raise HTTPException(422, "add or remove must name a tag")
    return await _change(call, c.Tag(tuple(asked.add), tuple(asked.remove)))


async def _change(call: Call, command: c.ConversationCommand) -> Response:
    await handle(call, command)
    return answer(await _conversation(call))


async def handle(call: Call, command: c.ConversationCommand, once: UUID | None = None) -> None:
    """Decide, and wait until the read models show it, so that the answer does."""
    handled = await call.context.store.handle(call.id(), command, call.actor, once)
    await call.context.views.reach(handled.position)


async def _conversation(call: Call) -> Body:
    return await one_conversation(call, call.id())


async def one_conversation(call: Call, conversation_id: UUID) -> Body:
    """Return a conversation as it is shown. Raises 404."""
    found = await call.context.database.read(partial(_one, conversation_id=conversation_id))
    if found is None:
        raise HTTPException(404)
    return found


async def one_message(call: Call, message_id: UUID) -> Body:
    """Return what was just recorded. Raises 503 when the read models are late: the same id may be sent again."""
    found = await call.context.database.read(partial(_find_message, message_id=message_id))
    if found is None:
        raise HTTPException(503, "It is recorded, but cannot be shown yet.", {"Retry-After": "5"})
    if found["conversation_id"] != str(call.id()):
        raise HTTPException(404)
    return found


def idempotency_id(call: Call) -> UUID:
    key = call.request.headers.get("idempotency-key", "")
    return id_of(key, "Idempotency-Key") if key else uuid4()


def _page(tx: Transaction, wanted: past.Listed, then: moments.AsOf | None) -> list[Body]:
    if then is not None:
        return with_channels(tx, past.page(tx, wanted, then.at, then.by))
    listed_now = (wanted.status, wanted.customer_id, wanted.before, wanted.limit, wanted.assignee_id)
    return with_channels(tx, conversations.page(tx, *listed_now))


def _one(tx: Transaction, conversation_id: UUID, then: moments.AsOf | None = None) -> Body | None:
    if then is None:
        found = conversations.conversation(tx, conversation_id)
    else:
        found = past.conversation(tx, conversation_id, then.at, then.by)
    return with_channels(tx, [found])[0] if found else None


def _messages(
    tx: Transaction, conversation_id: UUID, page: timeline.Page, then: moments.AsOf | None
) -> list[Body] | None:
    if then is None:
        items = with_tries(tx, timeline.of_conversation(tx, conversation_id, page))
    else:
        items = past.messages(tx, conversation_id, page, then.at, then.by)
    if not items and conversations.conversation(tx, conversation_id) is None:
        return None
    return with_channels(tx, items)


def _find_message(tx: Transaction, message_id: UUID) -> Body | None:
    found = timeline.message(tx, message_id)
    return with_tries(tx, with_channels(tx, [found]))[0] if found else None
